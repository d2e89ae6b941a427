# The demo of `make run`: the service is installed and a virtual person works.
install_evscribe
policy ann class
# Whoever runs the demo wants to open the result at once; the service's default
# is to encrypt, which needs a key to read.
drop_in plain <<<'at_rest = "plain"'
start_service
say "a virtual person works for about $seconds s of the guest's time"
play desk desk --seconds "$seconds"
bring_out
