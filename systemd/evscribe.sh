# At an interactive login: shows the notice where it is due, and says nothing
# otherwise. Recording does not depend on it.
case $- in
    *i*) ! command -v evscribe >/dev/null || evscribe notice --if-due || true ;;
esac
