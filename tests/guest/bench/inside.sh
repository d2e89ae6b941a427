# Sourced in the guest by `make bench`: plays each load to one collector after the
# other and writes what each cost, a line each, to $scratch/bench.tsv.
#
# Cost is processor time of the collector's whole control group, all threads and
# the kernel on their behalf; under -icount a nanosecond is an instruction.

bench=$repo/tests/guest/bench
output=/var/tmp/bench
mkdir -p "$output"

# play_of LOAD: what hands plays; device_of LOAD: the device that it plays on.
play_of() {
    case $1 in
        mouse-125) echo mouse --hz 125 ;;
        mouse-1000) echo mouse --hz 1000 ;;
        mouse-8000) echo mouse --hz 8000 ;;
        keyboard-125) echo strokes --hz 125 ;;
        typing) echo keyboard --hz 125 ;;
        touchpad-140) echo touchpad --hz 140 --fingers 5 ;;
        four-mice-8000) echo mouse --hz 8000 --count 4 ;;
    esac
}
device_of() {
    case $1 in
        *mouse* | *mice*) echo mouse ;;
        keyboard* | typing) echo keyboard ;;
        touchpad*) echo touchpad ;;
    esac
}
# A recorder's cost does not depend on how long it records; ours and the floor's
# play longer, so that what a segment costs once is spread as it is in use.
seconds_of() {
    local seconds
    case $1 in
        mouse-125 | keyboard-125 | touchpad-140) seconds=400 ;;
        typing) seconds=900 ;;
        mouse-1000) seconds=80 ;;
        mouse-8000 | four-mice-8000) seconds=10 ;;
    esac
    case $2 in
        floor | evscribe) echo $seconds ;;
        *) echo $((seconds / 5)) ;;
    esac
}

# command_of COLLECTOR NODE FILE
command_of() {
    case $1 in
        floor) echo "$repo/target/release/floor $2 $3" ;;
        libinput-record) echo "/usr/libexec/libinput/libinput-record -o $3 $2" ;;
        evemu-record) echo "/usr/bin/evemu-record $2 $3" ;;
        evtest) echo "/bin/sh -c 'exec /usr/bin/evtest $2 >$3'" ;;
        python-evdev) echo "/usr/bin/python3 $bench/python_evdev.py $2 $3" ;;
    esac
}

cpu_ns() { systemctl show -P CPUUsageNSec "$1"; }
peak_kib() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(systemctl show -P MainPID "$1")/status"; }
reports_of() { sed -n 's/^hands: \([0-9]*\) reports sent/\1/p' "$scratch/hands.log"; }
tell() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$scratch/bench.tsv"
    say "$1 $2: $(($4 / $3)) instructions a report, ${5} KiB"
}

# Nanoseconds of each thread, for whoever asks where they go.
threads() {
    local task
    for task in /proc/$(main_pid)/task/*; do
        echo "$(cat "$task/comm") $(cut -d' ' -f1 "$task/schedstat")"
    done
}

# measure LOAD COLLECTOR: a line of load, collector, reports, nanoseconds, peak
# resident KiB, bytes on disk.
measure() {
    local load=$1 collector=$2 unit=bench seconds player node before after peak file
    local arguments=(--seed 7 --linger-ms 3000)
    seconds=$(seconds_of "$load" "$collector")
    file=$output/$collector
    rm -rf "$file"
    if [ "$collector" = evscribe ]; then
        unit=evscribed
        arguments+=(--wait-for evscribed)
    fi
    "$hands" "${arguments[@]}" --settle-ms 10000 $(play_of "$load") --seconds "$seconds" \
        >/dev/null 2>"$scratch/hands.log" &
    player=$!
    if [ "$collector" != evscribe ]; then
        until_true 5 exists "$(device_of "$load")"
        node=$(node_of "$(device_of "$load")")
        eval "systemd-run --quiet --unit=bench --property=CPUAccounting=yes \
            --property=RemainAfterExit=yes --property=KillSignal=SIGINT \
            $(command_of "$collector" "$node" "$file")" 2>"$scratch/run.log"
    fi
    sleep 7
    before=$(cpu_ns $unit)
    [ "$collector" != evscribe ] || threads >"$scratch/threads-before"
    # The play is over and the device still there: looking takes the processor.
    sleep $((seconds + 4)).5
    peak=$(peak_kib $unit)
    wait "$player"
    if [ "$collector" = evscribe ]; then
        # Setting the clock closes the segment: its Parquet counts.
        sleep 2
        date -s '+1 sec' >/dev/null
        sleep 5
        after=$(cpu_ns $unit)
        peak=$(peak_kib $unit)
        threads | join "$scratch/threads-before" - |
            while read -r name was is; do
                say "  $name: $(((is - was) / $(reports_of))) instructions a report"
            done
    else
        systemctl kill --signal=INT bench 2>/dev/null || true
        sleep 2
        after=$(cpu_ns $unit)
        systemctl stop bench 2>/dev/null || true
        systemctl reset-failed bench 2>/dev/null || true
    fi
    tell "$load" "$collector" "$(reports_of)" $((after - before)) "$peak" "$(stat -c %s "$file" 2>/dev/null || true)"
}

opens() { ls -l "/proc/$1/fd" | grep -q /dev/input/event; }

# What the service itself does from its first instruction until it reads devices,
# a keyboard and a mouse among them; systemd's sandbox aside.
startup() {
    local state=/var/tmp/startup daemon
    rm -rf $state /run/startup
    mkdir -p $state /run/startup
    # Somebody has to have acknowledged the notice.
    start_service >/dev/null
    systemctl stop evscribed
    cp /var/lib/evscribe/people.toml $state/
    "$hands" --settle-ms 20000 desk --seconds 1 >/dev/null 2>&1 &
    sleep 5
    STATE_DIRECTORY=$state RUNTIME_DIRECTORY=/run/startup CREDENTIALS_DIRECTORY=/etc/evscribe \
        evscribed 2>/dev/null &
    daemon=$!
    until_true 60 opens $daemon
    sleep 0.1
    cat /proc/$daemon/task/*/schedstat | awk '{ sum += $1 } END { print sum }' >"$scratch/startup-ns"
    say "startup: $(cat "$scratch/startup-ns") instructions"
    kill $daemon
    wait
}

peers_of() {
    case $1 in
        # Beside the goals, against the floor alone.
        typing) echo floor evscribe ;;
        # Several devices at once: not what a recorder of one device does.
        four-mice-8000) echo evscribe ;;
        *) echo floor evscribe libinput-record evemu-record evtest python-evdev ;;
    esac
}

warm evemu-record evtest python3 date sleep "$repo/target/release/floor" "$hands"
cat /usr/libexec/libinput/libinput-record >/dev/null
install_evscribe
policy ann full
startup
say "clock source: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
for load in ${loads:-mouse-125 mouse-1000 mouse-8000 keyboard-125 typing touchpad-140 four-mice-8000}; do
    for collector in $(peers_of "$load"); do
        case " ${collectors:-$collector} " in *" $collector "*) ;; *) continue ;; esac
        if [ "$collector" = evscribe ]; then
            start_service >/dev/null
            measure "$load" evscribe
            evscribe status --json >"$scratch/status-$load.json"
            systemctl stop evscribed
        else
            measure "$load" "$collector"
        fi
    done
done
