# The demo of `make run`: the service is installed and a virtual person works.
install_evscribe
policy ann class
start_service
say "a virtual person works for about $seconds s of the guest's time"
play desk desk --seconds "$seconds"
bring_out
