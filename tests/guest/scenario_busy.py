"""An hour of work without a pause, and then all of it is forgotten: within five
seconds, from sealed files and journal alike.

The hour is the guest's, whose processor does an instruction in a nanosecond: a
slow machine's five seconds.
"""

from harness import figure

INSIDE = """
install_evscribe
policy ann class
# Some of the hour is sealed when it is forgotten, the last of it is not.
drop_in segment <<TOML
[segment]
max_minutes = 25
TOML
memory_disk 256
start_service
warm evscribe
moment begun
"$hands" --wait-for evscribed --linger-ms 0 desk --seconds 3600 --mouse-hz 1000 2>$scratch/played
find /var/lib/evscribe/dataset -name '*.parquet' >$scratch/sealed-before
moment asked
as ann evscribe forget 90m --json >$scratch/forgotten.json
moment answered
bring_out
"""


def it_forgets_a_busy_hour_within_five_seconds(guest):
    gone = guest.json("forgotten.json")
    took = guest.moment("answered") - guest.moment("asked")
    figure(f"forgetting {gone['rows']} rows in {gone['files']} files: {took / 1_000_000:.1f} s, guest's clock")
    assert guest.moment("asked") - guest.moment("begun") >= 3_600_000_000
    assert gone["rows"] > 200_000
    assert took <= 5_000_000


def it_had_sealed_files_and_more_than_these_to_forget_in(guest):
    sealed = [line for line in guest.text("sealed-before").splitlines() if "/events/" in line]
    assert len(sealed) >= 2
    assert guest.json("forgotten.json")["files"] > len(sealed)


def it_leaves_nothing_of_that_hour(guest):
    begun, asked = guest.moment("begun"), guest.moment("asked")
    for table in ("events", "touch"):
        assert not [row for row in guest.dataset.rows(table) if begun <= row["boot_us"] <= asked]
    assert [mark for mark in guest.dataset.marks("forget") if mark["reason"] == "person_asked"]
