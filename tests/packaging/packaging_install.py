"""What an administrator installs: the files, the unit's exposure, the example policy."""

import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]

# The tree that `make install PREFIX=/usr` leaves, compared whole.
INSTALLED = """
/etc/profile.d/evscribe.sh
/usr/bin/evscribe
/usr/bin/evscribed
/usr/lib/systemd/system/evscribed.service
/usr/lib/sysusers.d/evscribe.conf
/usr/lib/tmpfiles.d/evscribe.conf
/usr/lib/udev/rules.d/70-evscribe.rules
/usr/share/bash-completion/completions/evscribe
/usr/share/dbus-1/interfaces/org.evscribe.Collector1.xml
/usr/share/dbus-1/system.d/org.evscribe.Collector1.conf
/usr/share/doc/evscribe/ARCHITECTURE.md
/usr/share/doc/evscribe/CHANGELOG.md
/usr/share/doc/evscribe/FORMAT.md
/usr/share/doc/evscribe/LICENSE
/usr/share/doc/evscribe/LICENSE-APACHE
/usr/share/doc/evscribe/LICENSE-MIT
/usr/share/doc/evscribe/PERFORMANCE.md
/usr/share/doc/evscribe/PRIVACY.md
/usr/share/doc/evscribe/README.md
/usr/share/doc/evscribe/SECURITY.md
/usr/share/doc/evscribe/policy.example.toml
/usr/share/fish/vendor_completions.d/evscribe.fish
/usr/share/man/man1/evscribe-acknowledge.1
/usr/share/man/man1/evscribe-data-head.1
/usr/share/man/man1/evscribe-data-stats.1
/usr/share/man/man1/evscribe-data-verify.1
/usr/share/man/man1/evscribe-data.1
/usr/share/man/man1/evscribe-devices.1
/usr/share/man/man1/evscribe-erase-of.1
/usr/share/man/man1/evscribe-forget.1
/usr/share/man/man1/evscribe-hold.1
/usr/share/man/man1/evscribe-import.1
/usr/share/man/man1/evscribe-keys-add-recipient.1
/usr/share/man/man1/evscribe-keys-check.1
/usr/share/man/man1/evscribe-keys-generate.1
/usr/share/man/man1/evscribe-keys-init.1
/usr/share/man/man1/evscribe-keys-list.1
/usr/share/man/man1/evscribe-keys-remove-recipient.1
/usr/share/man/man1/evscribe-keys-rotate.1
/usr/share/man/man1/evscribe-keys.1
/usr/share/man/man1/evscribe-ledger-show.1
/usr/share/man/man1/evscribe-ledger-verify.1
/usr/share/man/man1/evscribe-ledger.1
/usr/share/man/man1/evscribe-level.1
/usr/share/man/man1/evscribe-my-data-export.1
/usr/share/man/man1/evscribe-my-data-show.1
/usr/share/man/man1/evscribe-my-data.1
/usr/share/man/man1/evscribe-notice.1
/usr/share/man/man1/evscribe-opt-out.1
/usr/share/man/man1/evscribe-pause.1
/usr/share/man/man1/evscribe-policy-check.1
/usr/share/man/man1/evscribe-policy-dpia.1
/usr/share/man/man1/evscribe-policy.1
/usr/share/man/man1/evscribe-record.1
/usr/share/man/man1/evscribe-release.1
/usr/share/man/man1/evscribe-resume.1
/usr/share/man/man1/evscribe-status.1
/usr/share/man/man1/evscribe.1
/usr/share/man/man8/evscribed.8
/usr/share/polkit-1/actions/org.evscribe.collector1.policy
/usr/share/zsh/site-functions/_evscribe
""".split()

# systemd-analyze prints tenths: 6 here is 0.6 there.
EXPOSURE_MAX_TENTHS = 6


def make(target: str, folder: Path, prefix: str = "/usr") -> str:
    command = ["make", "-C", REPO, target, f"DESTDIR={folder}", f"PREFIX={prefix}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def files(folder: Path) -> list[str]:
    return sorted(f"/{path.relative_to(folder)}" for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("staged")
    make("install", folder)
    return folder


def it_installs_exactly_these_files(staged):
    assert files(staged) == INSTALLED


def it_takes_all_of_them_away_again(tmp_path):
    make("install", tmp_path)
    make("uninstall", tmp_path)
    assert files(tmp_path) == []


def it_starts_the_daemon_from_the_prefix(tmp_path):
    make("install", tmp_path, "/opt/evscribe")
    unit = (tmp_path / "usr/lib/systemd/system/evscribed.service").read_text()
    assert "ExecStart=/opt/evscribe/bin/evscribed\n" in unit


def it_is_hardly_exposed():
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", REPO / "systemd/evscribed.service"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (whole, tenths) = re.search(r"Overall exposure level for evscribed.service: (\d+)\.(\d)", told).groups()
    assert int(whole) * 10 + int(tenths) <= EXPOSURE_MAX_TENTHS


def it_has_no_network_by_construction():
    unit = (REPO / "systemd/evscribed.service").read_text().splitlines()
    assert {"PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX", "IPAddressDeny=any"} <= set(unit)


def it_documents_every_command(staged):
    page = (staged / "usr/share/man/man1/evscribe.1").read_text()
    verbs = "record devices status notice acknowledge level opt-out pause resume forget my-data ledger hold release"
    for verb in (verbs + " erase-of import data keys policy").split():
        named = "evscribe\\-" + verb.replace("-", "\\-")
        assert named in page, verb
