# What sshd runs on a workstation of the tests, as `evscribe serve-pull` does on a real
# one: rrsync, read-only, on the outbox, or taking an acknowledgement of its manifest.
# The service itself needs systemd and a bus; with it all this is in the guest's
# scenario_pull. What was asked for and acknowledged is written down.
here=$1
printf '%s\n' "$SSH_ORIGINAL_COMMAND" >>"$here/asked"
# A workstation that means ill does something else.
[ ! -e "$here/instead" ] || . "$here/instead"
case $SSH_ORIGINAL_COMMAND in
    "rsync --server --sender "*)
        exec /usr/bin/rrsync -ro "$here/outbox"
        ;;
    "evscribe-acknowledge "*)
        said=${SSH_ORIGINAL_COMMAND#* }
        set -- $(sha256sum "$here/outbox/manifest.jsonl")
        if [ "$said" = "$1" ]; then
            printf '%s\n' "$said" >>"$here/acknowledged"
            echo "acknowledged: $(grep -c '"op":"sealed"' "$here/outbox/manifest.jsonl") files"
        else
            echo "evscribe: that manifest was not on offer here" >&2
            exit 1
        fi
        ;;
    *)
        echo "evscribe: with this key you can only pull" >&2
        exit 1
        ;;
esac
