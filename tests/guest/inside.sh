# Sourced by every step: the words that scenarios are written in.
#
# Time inside is virtual and jumps while the guest waits for the host: nothing may
# be written to /out (a share of the host) while a device plays. Use $scratch and
# bring it out afterwards.

repo=/repo
scratch=/dev/shm/scratch
mkdir -p "$scratch" /out/result
hands=$repo/target/release/hands
[ ! -x /out/hands ] || hands=/out/hands
export PATH=$PATH:/usr/sbin:/sbin
modprobe uinput

trap 'echo "guest: FAILED in line $LINENO of step $STEP: $BASH_COMMAND" >&2' ERR

say() { echo "guest: $*"; }

# until_true SECONDS COMMAND…: waits for it, and names it when it never holds. Ten
# times over: the clock jumps while everybody waits for the host, so that a minute
# may be too little for what takes a second.
until_true() {
    local limit=$1 waited=0
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$waited" -ge $((limit * 20)) ]; then
            say "never within $limit s: $*"
            return 1
        fi
        # The sleep is free; what is run in between is not.
        sleep 0.5
        waited=$((waited + 1))
    done
}

# What boots and logins leave to do in the background keeps the one processor
# busy for milliseconds at a time, and 8 kHz leaves a reader only five. Waiting
# costs the host nothing.
calm() {
    systemctl is-system-running --wait >/dev/null || true
    sleep 10
}
# A getty that still logs ann in is no job that the boot waits for.
until_true 60 grep -q '^ACTIVE_UID=' /run/systemd/seats/seat0
calm

# --- people ------------------------------------------------------------------

active_uid_is() { grep -qx "ACTIVE_UID=$1" /run/systemd/seats/seat0; }

# login_as ann|bob: makes that person's session the active one of seat0. ann has
# tty1 from boot, bob gets tty2.
login_as() {
    local tty=1
    [ "$1" = ann ] || tty=2
    local drop_in=/run/systemd/system/getty@tty$tty.service.d
    if ! systemctl is-active --quiet "getty@tty$tty" || [ "$tty" = 2 -a ! -e "$drop_in" ]; then
        mkdir -p "$drop_in"
        printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin %s --noclear %%I linux\n' "$1" \
            >"$drop_in/autologin.conf"
        systemctl daemon-reload
        systemctl restart "getty@tty$tty"
    fi
    chvt "$tty"
    until_true 20 active_uid_is "$(id -u "$1")"
    calm
    say "$1 is active on seat0"
}

# --- evscribe ----------------------------------------------------------------

# systemd's patience counts a clock that jumps while everybody waits for the host.
mkdir -p /run/systemd/system/evscribed.service.d
printf '[Service]\nTimeoutStartSec=30min\nTimeoutStopSec=30min\n' >/run/systemd/system/evscribed.service.d/patience.conf

# As an administrator installs it from the repository, built on the host. The data
# team's key pair was made on the host: only its public one is here.
install_evscribe() {
    if ! make -C "$repo" install PREFIX=/usr >"$scratch/install.log" 2>&1; then
        cat "$scratch/install.log"
        say "make install failed"
        return 1
    fi
    # The demo has no data team.
    if [ -e /out/team.pub ] && ! grep -qF "$(cut -d ' ' -f 1 /out/team.pub)" /etc/evscribe/recipients; then
        evscribe keys add-recipient /out/team.pub
    fi
    say "evscribe is installed"
}

# policy USER LEVEL: keys are kept up to LEVEL. USER is the person whom start_service
# has acknowledge the notice.
notice=guest-1
policy() {
    person=$1
    person_level=$2
    local file
    file=$(mktemp)
    cat >"$file" <<TOML
purpose = "to prove on a virtual machine what evscribe does"
lawful_basis = "legitimate_interest"
relationship = "study"
dpia_reference = "DPIA-guest"
[controller]
name = "Guest Ltd"
contact = "privacy@guest.example"
[notice]
version = "$notice"
[level]
keys = "$2"
$([ "$2" != full ] || echo 'keys_full_reason = "rows are compared with what was sent"')
pointer = "full"
[retention]
days = 30
max_mib = 2048
TOML
    install -D -m 0644 "$file" /etc/evscribe/policy.toml
    rm -f "$file"
}

# drop_in NAME: standard input becomes a drop-in of the policy.
drop_in() { install -D -m 0644 /dev/stdin "/etc/evscribe/policy.d/$1.toml"; }

# as USER COMMAND…: without a login session of its own, as from a terminal of theirs.
as() {
    local user=$1
    shift
    runuser -u "$user" -- "$@"
}

# bus USER METHOD [SIGNATURE ARGUMENTS…]: calls the service as that person.
service_name=org.evscribe.Collector1
service_path=/org/evscribe/Collector1
bus() {
    local user=$1
    shift
    as "$user" busctl --json=short call $service_name $service_path $service_name "$@"
}
answers() { busctl get-property $service_name $service_path $service_name State; }

# acknowledge_as USER LEVEL: USER acknowledges the notice and chooses LEVEL of keys.
acknowledge_as() {
    as "$1" evscribe acknowledge --notice "$notice" --keys "$2" --pointer full </dev/null
}

# pull_the_plug: the machine is off at once, with nothing stopped or sealed before.
# What was written is on the disk. Ends the step well.
pull_the_plug() {
    say "power off, with nothing stopped"
    echo 0 >"/out/exit.$STEP"
    sync
    echo o >/proc/sysrq-trigger
    sleep infinity
}

# moment NAME: what time it is on the boot clock, to 10 ms, into moments.
moment() {
    local up
    read -r up _ </proc/uptime
    echo "$1 ${up/./}0000" >>"$scratch/moments"
}

# of_journal ARGUMENTS…: what journalctl prints, once all that was said is written.
of_journal() { journalctl --sync && journalctl --no-pager "$@"; }

main_pid() { systemctl show -P MainPID evscribed; }
# The guest has a keyboard and a mouse of its own: a service that collects holds
# their nodes open.
collects() {
    systemctl is-active --quiet evscribed &&
        ls -l "/proc/$(main_pid)/fd" | grep -q ' /dev/input/event'
}
collects_not() { systemctl is-active --quiet evscribed && ! collects; }

# warm PROGRAM…: reads the program and its libraries into memory. A page that is
# read from the host while a device plays takes no time of ours and much of the
# guest's: whoever waits for it misses what is played.
warm() {
    local program path
    for program in "$@"; do
        path=$(command -v "$program")
        cat "$path" $(ldd "$path" | grep -o '/[^ )]*') >/dev/null
    done
}

# memory_disk MIB [MAKE…]: evscribe's state lies on a file system of that size in
# memory, /dev/mapper/state over /dev/ram0. The guest's own disk waits for the
# host, while the guest's clock runs on; this one takes the time that it takes.
# MAKE: mke2fs's arguments instead of those for an ext4.
memory_disk() {
    local sectors=$(($1 * 2048))
    shift
    # Room for a second and a third of the kind; unused, they take none.
    modprobe brd rd_nr=3 rd_size=$((256 * 1024))
    dmsetup create state --table "0 $sectors linear /dev/ram0 0"
    mke2fs -q -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 ${@:--t ext4} /dev/mapper/state
    mkdir -p /var/lib/evscribe
    mount /dev/mapper/state /var/lib/evscribe
    say "state lies on $(df -h --output=size,fstype /var/lib/evscribe | tail -n 1) in memory"
}

# begun RECORD: waits until hands, in the background, begins to play what it writes
# into that file.
begun() { until_true 120 test -e "$1.begun"; }

# The service runs, the person of the policy acknowledges, devices are open.
start_service() {
    warm evscribed evscribe "$hands"
    systemctl enable --now evscribed
    until_true 30 answers
    acknowledge_as "$person" "$person_level" >"$scratch/acknowledged"
    if ! until_true 30 collects; then
        systemctl status --no-pager -l evscribed || true
        return 1
    fi
    calm
    say "evscribed collects: $(systemctl show -P StatusText evscribed)"
}

stop_service() {
    systemctl stop evscribed
    say "evscribed is stopped"
}

# play NAME ARGUMENTS…: hands plays once evscribed has the devices open; what was
# sent becomes sent/NAME.jsonl, what it printed printed/NAME.
play() {
    local name=$1
    shift
    mkdir -p "$scratch/sent" "$scratch/printed"
    "$hands" --wait-for evscribed --record "$scratch/sent/$name.jsonl" "$@" >"$scratch/printed/$name"
}

# bring_out [NAME]: everything that the assertions outside want to see, into
# result/ (or result/NAME/). Stops the service, which seals what is open.
bring_out() {
    local to=/out/result${1:+/$1}
    mkdir -p "$to"
    systemctl show evscribed >"$to/unit-before"
    evscribe status --json >"$to/status.json" 2>"$to/status.stderr" || say "evscribe status ended with $?"
    cp /run/evscribe/evscribe.prom "$to/" 2>/dev/null || true
    stop_service
    systemctl show evscribed >"$to/unit"
    of_journal -u evscribed -o json >"$to/journal.jsonl"
    cp -r --no-preserve=all /var/lib/evscribe/dataset "$to/"
    find /var/lib/evscribe ! -type d -printf '%M %u %s %P\n' >"$to/state-files"
    keep
    say "brought out: $(find "$to/dataset" -name '*.parquet' | wc -l) sealed files"
}

# What was played so far, without touching the service.
keep() {
    mkdir -p /out/result
    cp -r --no-preserve=all "$scratch/." /out/result/
}

# --- the peers ---------------------------------------------------------------

# node_of NAME: the event node of the virtual device of that name.
node_of() {
    local device
    for device in /sys/class/input/event*; do
        if [ "$(cat "$device/device/name")" = "evscribe hands $1" ]; then
            echo "/dev/input/${device##*/}"
            return 0
        fi
    done
    return 1
}
exists() { node_of "$1" >/dev/null; }

# record_beside TOOL DEVICE NAME ARGUMENTS…: hands plays (see play) while TOOL
# records DEVICE into recorded/NAME. TOOL: evemu, libinput, libinput-keycodes.
record_beside() {
    local tool=$1 device=$2 name=$3 out player recorder node
    shift 3
    mkdir -p "$scratch/sent" "$scratch/printed" "$scratch/recorded"
    out=$scratch/recorded/$name
    warm evemu-record libinput /usr/libexec/libinput/libinput-record "$hands" python3
    "$hands" --settle-ms 1000 --linger-ms 1000 --recorder "${tool%-keycodes}-record" ${wait_for:+--wait-for "$wait_for"} \
        --record "$scratch/sent/$name.jsonl" "$@" >"$scratch/printed/$name" &
    player=$!
    until_true 60 exists "$device"
    node=$(node_of "$device")
    # Both stop at SIGINT alone, which a shell's background jobs ignore: setsid
    # does not change that, python restores it.
    case $tool in
        evemu) recorder=(evemu-record "$node" "$out") ;;
        libinput) recorder=(libinput record -o "$out" "$node") ;;
        libinput-keycodes) recorder=(libinput record --show-keycodes -o "$out" "$node") ;;
    esac
    restore_sigint "${recorder[@]}" >/dev/null 2>"$out.stderr" &
    recorder=$!
    wait "$player"
    # Gone with its device, or told to end.
    kill -INT "$recorder" 2>/dev/null || true
    wait "$recorder" || true
}

restore_sigint() {
    exec python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}
