# evscribe. The two commands that matter: `make run` and `make test`.
# `make help` lists the others.

PREFIX  ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 600
CARGO   ?= $(or $(shell command -v cargo),$(HOME)/.cargo/bin/cargo)

# Where systemd and udev look, whatever the prefix of the binaries.
unitdir     = $(DESTDIR)/usr/lib/systemd/system
sysusersdir = $(DESTDIR)/usr/lib/sysusers.d
tmpfilesdir = $(DESTDIR)/usr/lib/tmpfiles.d
rulesdir    = $(DESTDIR)/usr/lib/udev/rules.d
busdir      = $(DESTDIR)/usr/share/dbus-1
actionsdir  = $(DESTDIR)/usr/share/polkit-1/actions
profiledir  = $(DESTDIR)/etc/profile.d
bindir      = $(DESTDIR)$(PREFIX)/bin
sharedir    = $(DESTDIR)$(PREFIX)/share
docdir      = $(sharedir)/doc/evscribe

.PHONY: run test build lint guest bench bench-native fuzz install uninstall setup-build clean help

## run: set everything up and collect, here or in the guest; ends with a dataset
run:
	@scripts/run

## test: set everything up and run every test
test:
	@scripts/test

## build: the two programs and the test devices, optimised
build: setup-build
	$(CARGO) build --release --locked -p evscribed -p evscribe -p evscribe-hands

setup-build:
	@scripts/setup build

## lint: format, clippy and docs, warnings denied
lint: setup-build
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

## guest: run the guest's scenarios alone; SCENARIOS="…" runs some of them
guest: build
	@scripts/setup test
	@scripts/guest run $(SCENARIOS)

## bench: what evscribe costs beside its peers, in the guest; docs/PERFORMANCE.md
bench: build
	@scripts/bench

## bench-native: speed, storage and size on this machine, beside others
bench-native:
	@scripts/bench-native

## fuzz: fuzz the readers, FUZZ_SECONDS=600 each target; TARGETS="…" are some of them
fuzz:
	@scripts/fuzz $(FUZZ_SECONDS) $(TARGETS)

## install: the programs, the unit, the rules, man pages, completions (after `make build`)
install:
	@test -x target/release/evscribed || { echo "run 'make build' first" >&2; exit 1; }
	install -D -m 0755 -t $(bindir) target/release/evscribed target/release/evscribe
	install -D -m 0644 -t $(unitdir) systemd/evscribed.service
	sed -i 's|/usr/bin/evscribed|$(PREFIX)/bin/evscribed|' $(unitdir)/evscribed.service
	install -D -m 0644 systemd/evscribe.sysusers $(sysusersdir)/evscribe.conf
	install -D -m 0644 systemd/evscribe.tmpfiles $(tmpfilesdir)/evscribe.conf
	install -D -m 0644 -t $(rulesdir) udev/70-evscribe.rules
	install -D -m 0644 -t $(busdir)/system.d systemd/org.evscribe.Collector1.conf
	install -D -m 0644 -t $(busdir)/interfaces systemd/org.evscribe.Collector1.xml
	install -D -m 0644 -t $(actionsdir) systemd/org.evscribe.collector1.policy
	install -D -m 0644 -t $(profiledir) systemd/evscribe.sh
	install -D -m 0644 -t $(docdir) README.md LICENSE LICENSE-APACHE LICENSE-MIT CHANGELOG.md
	install -D -m 0644 -t $(docdir) docs/ARCHITECTURE.md docs/FORMAT.md docs/PRIVACY.md docs/PERFORMANCE.md docs/SECURITY.md
	install -D -m 0644 -t $(docdir) systemd/policy.example.toml
	target/release/evscribe manual $(sharedir)
	@$(MAKE) --no-print-directory $(if $(DESTDIR),staged,activate)

# What an installation on the running system needs beyond files.
.PHONY: activate staged
staged:
	@echo "staged in $(DESTDIR). On the machine itself: systemd-sysusers; systemd-tmpfiles --create;"
	@echo "and evscribe keys init"

activate:
	systemd-sysusers evscribe.conf
	systemd-tmpfiles --create evscribe.conf
	$(bindir)/evscribe keys init
	-systemctl daemon-reload
	-systemctl reload dbus
	-udevadm control --reload && udevadm trigger --subsystem-match=input --action=change
	@echo "installed. Write /etc/evscribe/policy.toml (example: $(docdir)/policy.example.toml), then: evscribe policy check; evscribe keys add-recipient KEY; systemctl enable --now evscribed; and each person: evscribe acknowledge"

## uninstall: take away what install put there; data, policy and key stay
uninstall:
	$(if $(DESTDIR),,-systemctl disable --now evscribed)
	rm -f $(bindir)/evscribed $(bindir)/evscribe
	rm -f $(unitdir)/evscribed.service $(sysusersdir)/evscribe.conf $(tmpfilesdir)/evscribe.conf
	rm -f $(rulesdir)/70-evscribe.rules $(profiledir)/evscribe.sh
	rm -f $(busdir)/system.d/org.evscribe.Collector1.conf $(busdir)/interfaces/org.evscribe.Collector1.xml
	rm -f $(actionsdir)/org.evscribe.collector1.policy
	rm -f $(sharedir)/man/man1/evscribe.1 $(sharedir)/man/man1/evscribe-*.1 $(sharedir)/man/man8/evscribed.8
	rm -f $(sharedir)/bash-completion/completions/evscribe $(sharedir)/zsh/site-functions/_evscribe
	rm -f $(sharedir)/fish/vendor_completions.d/evscribe.fish
	rm -rf $(docdir)
	$(if $(DESTDIR),,-systemctl daemon-reload)
	$(if $(DESTDIR),,-udevadm control --reload && udevadm trigger --subsystem-match=input --action=change)
	@echo "what was collected and what people decided stays in /var/lib/evscribe, policy and keys in /etc/evscribe (and /etc/systemd/system/evscribed.service.d): remove them if nobody needs them"

clean:
	rm -rf target

help:
	@sed -n 's/^## /  /p' $(MAKEFILE_LIST)
