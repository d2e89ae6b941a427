"""The Debian packages: installed, upgraded and removed as an administrator does it."""

INSIDE = """
deb() { dpkg --force-confold "$@" >>$scratch/dpkg.log 2>&1 || { cat $scratch/dpkg.log; return 1; }; }

# As who makes an image: in a tree that many machines become copies of, from a
# machine that runs and can seal.
image=/image/root
mkdir /image
mount -t tmpfs tmpfs /image
mkdir $image /image/upper /image/work
mount -t overlay overlay -o lowerdir=/,upperdir=/image/upper,workdir=/image/work $image
for folder in proc dev run; do mount --bind /$folder $image/$folder; done
cp $repo/target/package/evscribe_*.deb $image/evscribe.deb
chroot $image dpkg --install /evscribe.deb >>$scratch/dpkg.log 2>&1 || { cat $scratch/dpkg.log; false; }
ls $image/etc/evscribe >$scratch/in-the-image
chroot $image systemd-creds setup
chroot $image evscribe keys init --json >$scratch/asked-in-the-image
umount -R /image

memory_disk 128
# Where there is state, the key that goes with it is not made anew.
rmdir /var/lib/evscribe/lost+found
deb --install $repo/target/package/evscribe_*.deb
id evscribe >$scratch/ids
id evscribe-pull >>$scratch/ids
stat -c '%a %U %s' /etc/evscribe/evscribe.key >$scratch/key-mode
evscribe keys list --json >$scratch/key-0
systemctl is-active evscribed >$scratch/unasked || true
evscribe keys add-recipient /out/team.pub
# From here on as a machine that came from an image, and can seal.
rm /etc/evscribe/evscribe.key
systemd-creds setup

policy ann class
drop_in pull <<TOML
[pull]
cooling_off_hours = 0
TOML
start_service
evscribe keys list --json >$scratch/key-1
play typed desk --seconds 3 --mouse-hz 125
main_pid >$scratch/pid-1
deb --install $repo/target/package/evscribe_*.deb
until_true 30 collects
main_pid >$scratch/pid-2
evscribe keys list --json >$scratch/key-2
play again desk --seconds 3 --mouse-hz 125

# A key that is missing stops an upgrade no more than it is replaced.
mv /etc/evscribe/evscribe.key.cred $scratch
deb --install $repo/target/package/evscribe_*.deb
ls /etc/evscribe >$scratch/without-key
{ systemctl is-active evscribed || true; } >>$scratch/without-key
mv $scratch/evscribe.key.cred /etc/evscribe
systemctl reset-failed evscribed
systemctl restart evscribed
until_true 30 collects

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
of_journal -u evscribe-data-pull -o cat >$scratch/pull-log
systemd-creds decrypt --name=evscribe.key /etc/evscribe/evscribe.key.cred /dev/shm/copy
chmod 0400 /dev/shm/copy
evscribe data query --key /dev/shm/copy /var/lib/evscribe-data/lake "SELECT count(*) AS n FROM events" --format csv \
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
    assert guest.text("key-mode") == "400 root 32\n"
    assert guest.text("unasked") == "inactive\n"


def it_makes_no_key_in_an_image_and_seals_none_for_who_makes_it(guest):
    assert "evscribe.key" not in guest.text("in-the-image")
    assert guest.json("asked-in-the-image")["key"] == {"kept": "plain"}


def it_makes_a_machine_from_an_image_a_key_of_its_own_before_it_records(guest):
    (before, its) = (guest.json(f"key-{n}")["workstation"] for n in (0, 1))
    assert before["id"] not in [its["id"], *its["older"]]
    assert its["key"] == {"kept": "sealed", "sealed_by": "host_key"}


def it_does_not_replace_a_key_that_went_away_and_is_installed_all_the_same(guest):
    without = guest.text("without-key").split()
    assert not [name for name in without if name.startswith("evscribe.key")]
    assert "active" not in without


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
    assert "/etc/evscribe/evscribe.key.cred" in left
    assert "manifest.jsonl" in guest.text("kept")
