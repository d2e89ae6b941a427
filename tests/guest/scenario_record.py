"""`evscribe record`: a person records themselves, after being told what is recorded."""

INSIDE = """
install_evscribe
# login_of USER-ID COMMAND…: in a login of theirs, as pam_loginuid sets it; the
# kernel keeps it over sudo and su.
login_of() { sh -c 'echo "$1" >/proc/self/loginuid && shift && exec "$@"' sh "$@"; }
# As ann would with sudo; there is no service and no policy.
as_ann() { login_of 1000 env SUDO_UID=1000 SUDO_USER=ann "$@"; }
warm evscribe "$hands"
as_ann evscribe record --for 20 --level timing --recipient /out/team.pub --out $scratch/dataset --state $scratch/state \
    >$scratch/stdout 2>$scratch/stderr &
recording=$!
"$hands" --wait-for evscribe --record $scratch/typed.jsonl keyboard --seconds 5
wait "$recording"
ls -A $scratch/state/journal >$scratch/journal-after
stat -c %a $scratch/state/evscribe.key >$scratch/key-mode
# While bob is at the seat, ann records nothing.
login_as bob
if as_ann evscribe record --for 2 --out $scratch/refused --state $scratch/state >$scratch/refusal 2>&1; then
    echo 0 >$scratch/refused-code
else
    echo $? >$scratch/refused-code
fi
ls $scratch/refused >$scratch/refused-files 2>&1 || true
# Whoever is root may set SUDO_UID: neither in no login nor in ann's is that bob.
naming_bob() {
    "$@" env SUDO_UID=1001 SUDO_USER=bob \
        evscribe record --for 2 --out $scratch/named --state $scratch/state
}
naming_bob >$scratch/named-in-none 2>&1 || echo $? >>$scratch/named-codes
naming_bob login_of 1000 >$scratch/named-in-anns 2>&1 || echo $? >>$scratch/named-codes
ls $scratch/named >$scratch/named-files 2>&1 || true
keep
"""


def it_states_notice_level_devices_and_destination_first(guest):
    told = guest.text("stderr")
    first = told.index("evscribe records the input of ann, from now until Ctrl-C.")
    for part in ("(--level timing)", "/dev/input/evscribe", "nothing is sent anywhere"):
        assert first < told.index(part) < told.index(" events")


def it_shows_live_counters(guest):
    counters = [line for line in guest.text("stderr").splitlines() if " events  " in line]
    assert len(counters) >= 2


def it_leaves_a_sealed_dataset_at_the_level(guest):
    keys = [row for row in guest.dataset.rows("events") if row["kind"] == "key"]
    assert len(keys) > 10
    assert all(row["code"] is None and row["key_class"] is None and row["stroke"] for row in keys)
    assert guest.text("journal-after").split() == []


def it_ends_with_a_table(guest):
    table = guest.text("stdout")
    for part in ("TABLE", "events", "losses", "bytes/event", "all encrypted", "opening        by a secret key"):
        assert part in table


def it_keeps_its_key_to_itself(guest):
    assert guest.text("key-mode").strip() == "600"


def it_records_nothing_while_another_is_at_the_seat(guest):
    assert guest.text("refused-code").strip() == "1"
    assert "somebody else is at the seat, so nothing is recorded" in guest.text("refusal")
    assert "No such file" in guest.text("refused-files")


def it_records_nobody_whom_sudo_names_without_their_login(guest):
    assert guest.text("named-codes").split() == ["1", "1"]
    refusal = "SUDO_UID says user bob, but this"
    assert refusal + " command belongs to no login" in guest.text("named-in-none")
    assert refusal + " login is ann's" in guest.text("named-in-anns")
    assert "No such file" in guest.text("named-files")
