"""A keyboard that a remapper holds is named, and the desktop loses nothing to us."""

INSIDE = """
install_evscribe
memory_disk 128
policy ann class
start_service
warm evtest
"$hands" --wait-for evscribed --recorder evtest --record $scratch/typed.jsonl keyboard --seconds 60 &
typing=$!
"$hands" --wait-for evscribed --record $scratch/moved.jsonl --seed 2 mouse --hz 125 --seconds 60 &
until_true 3 exists keyboard
node=$(node_of keyboard)
until_true 5 test -e /dev/input/evscribe/${node##*/}
evtest --grab "$node" >$scratch/remapper.log 2>&1 &
remapper=$!
begun $scratch/typed.jsonl
sleep 18
evscribe status >$scratch/status-grabbed
systemctl show -P StatusText evscribed >$scratch/words-grabbed
evscribe devices --json >$scratch/devices-grabbed.json
kill "$remapper"
sleep 5
evscribe status --json >$scratch/status-after.json
wait "$typing"
echo "/dev/input/evscribe/${node##*/}" >$scratch/link
bring_out
"""


def it_names_the_held_device(guest):
    link = guest.text("link").strip()
    assert f"{link} is held by a remapper and silent" in guest.text("words-grabbed")
    assert f"reads      {link}, held by a remapper: silent" in guest.text("status-grabbed")


def it_says_so_in_the_list_of_devices(guest):
    node = guest.text("link").strip().rpartition("/")[2]
    (device,) = [one for one in guest.json("devices-grabbed.json") if one["node"].endswith(f"/{node}")]
    assert device["now"] == "open, but held by a remapper"


def it_names_no_device_that_is_free(guest):
    grabbed = [one for one in guest.json("devices-grabbed.json") if "remapper" in one["now"]]
    assert len(grabbed) == 1


def it_sees_when_the_device_is_free_again(guest):
    assert not [device for device in guest.json("status-after.json")["devices"] if device["grabbed"]]
