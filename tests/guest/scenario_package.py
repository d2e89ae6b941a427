"""The Debian packages: installed, upgraded and removed as an administrator does it."""

INSIDE = """
deb() { dpkg --force-confold "$@" >>$scratch/dpkg.log 2>&1 || { cat $scratch/dpkg.log; return 1; }; }
of_the_key() { stat -c '%a %U %s' /etc/evscribe/evscribe.key; sha256sum /etc/evscribe/evscribe.key; }

deb --install $repo/target/package/evscribe_*.deb
id evscribe >$scratch/ids
id evscribe-pull >>$scratch/ids
of_the_key >$scratch/key-1
systemctl is-active evscribed >$scratch/unasked || true
evscribe keys list >$scratch/keys
evscribe keys add-recipient /out/team.pub

policy ann class
drop_in pull <<TOML
[pull]
cooling_off_hours = 0
TOML
start_service
play typed desk --seconds 3 --mouse-hz 125
main_pid >$scratch/pid-1
deb --install $repo/target/package/evscribe_*.deb
until_true 30 collects
main_pid >$scratch/pid-2
of_the_key >$scratch/key-2
play again desk --seconds 3 --mouse-hz 125

# The data team's, here on the same machine: by its service, as its manual says.
deb --install $repo/target/package/evscribe-data_*.deb
id evscribe-data >>$scratch/ids
install -d -m 0755 /etc/evscribe-data
install -m 0600 $repo/systemd/pull.example.conf /etc/evscribe-data/pull.conf
ssh-keygen -q -t ed25519 -N '' -f /etc/evscribe-data/identity
evscribe pull-access add /etc/evscribe-data/identity.pub --name lake --json >$scratch/added
python3 -c 'import json, sys; print("127.0.0.1", json.load(open(sys.argv[1]))["host_key"])' $scratch/added \
    >/etc/evscribe-data/known_hosts
echo "127.0.0.1 desk" >/etc/evscribe-data/hosts
systemctl start ssh
bus ann MyFiles >/dev/null
systemctl start evscribe-data-pull || true
systemctl show evscribe-data-pull >$scratch/pull-unit
journalctl -u evscribe-data-pull -o cat >$scratch/pull-log
evscribe data query --key /etc/evscribe/evscribe.key /var/lib/evscribe-data/lake "SELECT count(*) AS n FROM events" --format csv \
    >$scratch/asked 2>&1 || true
stat -c '%a %U' /var/lib/evscribe-data >$scratch/lake-mode
bring_out
deb --remove evscribe-data
test -d /var/lib/evscribe-data/lake

deb --remove evscribe
find / -xdev -name '*evscribe*' -not -path '/var/lib/dpkg/*' -not -path '/proc/*' >$scratch/left
ls /var/lib/evscribe/dataset >$scratch/kept
keep
"""


def it_makes_the_users_and_the_key_and_starts_nothing(guest):
    ids = guest.text("ids")
    assert "(evscribe)" in ids and "(evscribe-pull)" in ids and "(evscribe-data)" in ids
    assert guest.text("key-1").startswith("400 root 32\n")
    assert guest.text("unasked") == "inactive\n"
    assert "/etc/evscribe/evscribe.key" in guest.text("keys")


def it_goes_on_collecting_after_an_upgrade_with_the_same_key(guest):
    assert guest.text("pid-1") != guest.text("pid-2")
    assert guest.text("key-1") == guest.text("key-2")
    assert {mark["reason"] for mark in guest.dataset.marks("stop")} >= {"service_stop"}
    assert len(guest.dataset.rows("events")) > 100


def it_pulls_by_the_service_of_the_data_teams_package(guest):
    log = guest.text("pull-log")
    unit = dict(line.split("=", 1) for line in guest.text("pull-unit").splitlines() if "=" in line)
    assert unit["ExecMainStatus"] == "0" and unit["Result"] == "success", log
    assert "desk" in log
    assert guest.text("lake-mode") == "750 evscribe-data\n"


def it_answers_by_the_command_for_people_where_both_are_installed(guest):
    asked = guest.text("asked").split()
    assert asked[0] == "n" and int(asked[1]) > 100, asked


def it_takes_its_files_away_and_leaves_data_policy_and_key(guest):
    left = guest.text("left").split()
    assert not [path for path in left if path.startswith(("/usr/bin", "/usr/lib", "/usr/share"))]
    assert "/etc/evscribe/evscribe.key" in left
    assert "manifest.jsonl" in guest.text("kept")
