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
/usr/lib/systemd/system/evscribe-key.service
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
/usr/share/man/man1/evscribe-data-erase.1
/usr/share/man/man1/evscribe-data-head.1
/usr/share/man/man1/evscribe-data-merge.1
/usr/share/man/man1/evscribe-data-query.1
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
/usr/share/man/man1/evscribe-pull-access-add.1
/usr/share/man/man1/evscribe-pull-access-list.1
/usr/share/man/man1/evscribe-pull-access-remove.1
/usr/share/man/man1/evscribe-pull-access.1
/usr/share/man/man1/evscribe-pull.1
/usr/share/man/man1/evscribe-record.1
/usr/share/man/man1/evscribe-release.1
/usr/share/man/man1/evscribe-resume.1
/usr/share/man/man1/evscribe-status.1
/usr/share/man/man1/evscribe.1
/usr/share/man/man8/evscribed.8
/usr/share/polkit-1/actions/org.evscribe.collector1.policy
/usr/share/zsh/site-functions/_evscribe
""".split()

# The same of `make install-data PREFIX=/usr`.
INSTALLED_DATA = """
/usr/bin/evscribe-data
/usr/lib/systemd/system/evscribe-data-pull.service
/usr/lib/systemd/system/evscribe-data-pull.timer
/usr/lib/sysusers.d/evscribe-data.conf
/usr/share/bash-completion/completions/evscribe-data
/usr/share/doc/evscribe-data/CHANGELOG.md
/usr/share/doc/evscribe-data/FLEET.md
/usr/share/doc/evscribe-data/FORMAT.md
/usr/share/doc/evscribe-data/LICENSE
/usr/share/doc/evscribe-data/LICENSE-APACHE
/usr/share/doc/evscribe-data/LICENSE-MIT
/usr/share/doc/evscribe-data/PRIVACY.md
/usr/share/doc/evscribe-data/USING.md
/usr/share/doc/evscribe-data/evscribe_kms.py
/usr/share/doc/evscribe-data/pull.example.conf
/usr/share/fish/vendor_completions.d/evscribe-data.fish
/usr/share/man/man8/evscribe-data-erase.8
/usr/share/man/man8/evscribe-data-merge.8
/usr/share/man/man8/evscribe-data-pull.8
/usr/share/man/man8/evscribe-data-query.8
/usr/share/man/man8/evscribe-data-verify.8
/usr/share/man/man8/evscribe-data.8
/usr/share/zsh/site-functions/_evscribe-data
""".split()

# What systemd-analyze prints at the most, in tenths: 6 is 0.6. Who pulls needs a
# network, and to start ssh and rsync.
EXPOSURE_MAX_TENTHS = {"evscribed": 6, "evscribe-data-pull": 15}


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


def it_installs_exactly_these_files_for_the_data_team(tmp_path):
    make("install-data", tmp_path)
    assert files(tmp_path) == INSTALLED_DATA
    assert not set(INSTALLED) & set(INSTALLED_DATA)


@pytest.mark.parametrize("what", ["", "-data"])
def it_takes_all_of_them_away_again(tmp_path, what):
    make(f"install{what}", tmp_path)
    make(f"uninstall{what}", tmp_path)
    assert files(tmp_path) == []


def it_starts_the_daemon_from_the_prefix(tmp_path):
    make("install", tmp_path, "/opt/evscribe")
    for unit, command in (("evscribed", "evscribed"), ("evscribe-key", "evscribe keys init")):
        text = (tmp_path / f"usr/lib/systemd/system/{unit}.service").read_text()
        assert f"ExecStart=/opt/evscribe/bin/{command}\n" in text


@pytest.mark.parametrize("unit", EXPOSURE_MAX_TENTHS)
def it_is_hardly_exposed(unit):
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", REPO / f"systemd/{unit}.service"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (whole, tenths) = re.search(rf"Overall exposure level for {unit}.service: (\d+)\.(\d)", told).groups()
    assert int(whole) * 10 + int(tenths) <= EXPOSURE_MAX_TENTHS[unit]


def it_lets_nobody_but_root_change_who_pulls(tmp_path):
    make("install", tmp_path)
    (tmp_path / "etc").mkdir(exist_ok=True)
    for tool, arguments in (("systemd-sysusers", []), ("systemd-tmpfiles", ["--create"])):
        subprocess.run([tool, f"--root={tmp_path}", *arguments, "evscribe.conf"], check=True)
    users = dict(line.split(":", 1) for line in (tmp_path / "etc/passwd").read_text().splitlines())
    (_, _, gid, _, home, shell) = users["evscribe-pull"].split(":")
    assert (gid, home, shell) == (users["evscribe"].split(":")[2], "/var/lib/evscribe-pull", "/bin/sh")
    for folder in ("var/lib/evscribe-pull", "var/lib/evscribe-pull/.ssh"):
        about = (tmp_path / folder).stat()
        assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (0, 0, 0o755), folder


def it_lets_who_pulls_pass_through_the_state_and_no_more():
    assert "StateDirectoryMode=0710\n" in (REPO / "systemd/evscribed.service").read_text()


def it_has_no_network_by_construction():
    unit = (REPO / "systemd/evscribed.service").read_text().splitlines()
    assert {"PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX", "IPAddressDeny=any"} <= set(unit)


def it_documents_every_command(staged):
    page = (staged / "usr/share/man/man1/evscribe.1").read_text()
    verbs = "record devices status notice acknowledge level opt-out pause resume forget my-data ledger hold release"
    for verb in (verbs + " erase-of import data keys policy pull-access").split():
        named = "evscribe\\-" + verb.replace("-", "\\-")
        assert named in page, verb
