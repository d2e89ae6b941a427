"""The Debian package: installed, upgraded and removed as an administrator does it."""

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
start_service
play typed desk --seconds 3 --mouse-hz 125
main_pid >$scratch/pid-1
deb --install $repo/target/package/evscribe_*.deb
until_true 30 collects
main_pid >$scratch/pid-2
of_the_key >$scratch/key-2
play again desk --seconds 3 --mouse-hz 125
bring_out

deb --remove evscribe
find / -xdev -name '*evscribe*' -not -path '/var/lib/dpkg/*' -not -path '/proc/*' >$scratch/left
ls /var/lib/evscribe/dataset >$scratch/kept
keep
"""


def it_makes_the_users_and_the_key_and_starts_nothing(guest):
    ids = guest.text("ids")
    assert "(evscribe)" in ids and "(evscribe-pull)" in ids
    assert guest.text("key-1").startswith("400 root 32\n")
    assert guest.text("unasked") == "inactive\n"
    assert "/etc/evscribe/evscribe.key" in guest.text("keys")


def it_goes_on_collecting_after_an_upgrade_with_the_same_key(guest):
    assert guest.text("pid-1") != guest.text("pid-2")
    assert guest.text("key-1") == guest.text("key-2")
    assert {mark["reason"] for mark in guest.dataset.marks("stop")} >= {"service_stop"}
    assert len(guest.dataset.rows("events")) > 100


def it_takes_its_files_away_and_leaves_data_policy_and_key(guest):
    left = guest.text("left").split()
    assert not [path for path in left if path.startswith(("/usr/bin", "/usr/lib", "/usr/share"))]
    assert "/etc/evscribe/evscribe.key" in left
    assert "manifest.jsonl" in guest.text("kept")
