# Sourced by scenario_serve: sshd on the guest's own loopback, and who pulls.

# A lake of its own for each puller, and what was said to them.
mkdir -p "$scratch/said" "$scratch/lake" /root/keys

# may_pull NAME: makes a key for NAME and lets it pull.
may_pull() {
    ssh-keygen -q -t ed25519 -N '' -C "somebody@$1" -f "/root/keys/$1"
    evscribe pull-access add "/root/keys/$1.pub" --name "$1" --json >"$scratch/said/add-$1"
    python3 - "$scratch/said/add-$1" >/root/keys/known_hosts <<'PYTHON'
import json, sys
print("127.0.0.1", json.load(open(sys.argv[1]))["host_key"])
PYTHON
}

# How NAME reaches the workstation: by its key, and only if the host key is the one
# that pull-access named.
way() {
    echo ssh -i "/root/keys/$1" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes \
        -o UserKnownHostsFile=/root/keys/known_hosts -o LogLevel=ERROR
}
there=evscribe-pull@127.0.0.1

# tried WHAT COMMAND…: its exit code, and what it said, into said/WHAT.
tried() {
    local what=$1 code=0
    shift
    "$@" >"$scratch/said/$what.out" 2>"$scratch/said/$what.err" </dev/null || code=$?
    echo "$code" >"$scratch/said/$what.code"
}

# asks WHAT NAME COMMAND…: NAME has sshd run that.
asks() {
    local what=$1 name=$2
    shift 2
    tried "$what" $(way "$name") -T "$there" "$@"
}

# pulls WHAT NAME [ARGUMENTS…]: NAME pulls all that is on offer into lake/WHAT.
pulls() {
    local what=$1 name=$2
    shift 2
    tried "$what" rsync -rt --timeout=60 -e "$(way "$name")" "$@" "$there:" "$scratch/lake/$what/"
}

# warm_up_pulls NAME: reads into memory what serves a pull. A client counts seconds
# of silence, and the guest's clock jumps while the host's disk is waited for.
warm_up_pulls() {
    warm /usr/sbin/sshd ssh rsync
    /usr/bin/rrsync --help >/dev/null || true
    # Refused, and noted as no pull.
    asks warm-up "$1" true
}

# acknowledges WHAT NAME PULL: NAME has what it pulled into lake/PULL.
acknowledges() {
    asks "$1" "$2" evscribe-acknowledge "$(sha256sum "$scratch/lake/$3/manifest.jsonl" | cut -d' ' -f1)"
}

# Whether any file may be pulled now.
offers() { find /var/lib/evscribe/outbox -name '*.parquet' | grep -q .; }
offers_nothing() { ! offers; }

# Whether rsync runs for anybody; it has come that far once it has the outbox open.
is_served() { pgrep -u evscribe-pull -x rsync >/dev/null; }
is_not_served() { ! is_served; }

# All that ann did so far is in sealed files.
sealed() { bus ann MyFiles >/dev/null; }

# Kept as it is now: the manifests, the tombstones and what lies in the outbox.
snapshot() {
    mkdir -p "$scratch/at/$1"
    cp /var/lib/evscribe/dataset/manifest.jsonl "$scratch/at/$1/dataset.jsonl"
    cp /var/lib/evscribe/outbox/manifest.jsonl "$scratch/at/$1/outbox.jsonl"
    cp /var/lib/evscribe/dataset/tombstones.jsonl "$scratch/at/$1/tombstones.jsonl" 2>/dev/null || true
    cp /var/lib/evscribe/ledger.jsonl "$scratch/at/$1/"
    (cd /var/lib/evscribe/outbox && find . -type f -printf '%P %m %u:%g %s\n' | sort) >"$scratch/at/$1/files"
    (cd /var/lib/evscribe/outbox && find . -name '*.parquet' -exec sha256sum {} +) >"$scratch/at/$1/sums"
}
