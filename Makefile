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
datadocdir  = $(sharedir)/doc/evscribe-data

.PHONY: run test build build-data lint guest bench bench-native fuzz install install-data uninstall uninstall-data package setup-build clean help

## run: set everything up and collect, here or in the guest; ends with a dataset
run:
	@scripts/run

## test: set everything up and run every test
test:
	@scripts/test

## build: the two programs and the test devices, optimised
build: setup-build
	$(CARGO) build --release --locked -p evscribed -p evscribe -p evscribe-hands

## build-data: the data team's tool, which has a query engine: minutes
build-data: setup-build
	$(CARGO) build --profile dataset --locked -p evscribe-dataset

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
	@scripts/package >/dev/null
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
	install -D -m 0644 -t $(unitdir) systemd/evscribed.service systemd/evscribe-key.service
	sed -i 's|=/usr/bin/|=$(PREFIX)/bin/|' $(unitdir)/evscribed.service $(unitdir)/evscribe-key.service
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

## install-data: the data team's tool and its timer, where files are pulled to (after `make build-data`)
install-data:
	@test -x target/dataset/evscribe-data || { echo "run 'make build-data' first" >&2; exit 1; }
	install -D -m 0755 -t $(bindir) target/dataset/evscribe-data
	install -D -m 0644 -t $(unitdir) systemd/evscribe-data-pull.service systemd/evscribe-data-pull.timer
	sed -i 's|/usr/bin/evscribe-data|$(PREFIX)/bin/evscribe-data|' $(unitdir)/evscribe-data-pull.service
	install -D -m 0644 systemd/evscribe-data.sysusers $(sysusersdir)/evscribe-data.conf
	install -D -m 0644 -t $(datadocdir) LICENSE LICENSE-APACHE LICENSE-MIT CHANGELOG.md
	install -D -m 0644 -t $(datadocdir) docs/USING.md docs/FLEET.md docs/FORMAT.md docs/PRIVACY.md
	install -D -m 0644 -t $(datadocdir) systemd/pull.example.conf tests/consumers/evscribe_kms.py
	target/dataset/evscribe-data manual $(sharedir)
	$(if $(DESTDIR),,systemd-sysusers evscribe-data.conf)
	$(if $(DESTDIR),,-systemctl daemon-reload)
	@echo "evscribe-data is installed. To pull by itself: $(datadocdir)/pull.example.conf"

# What an installation on the running system needs beyond files.
.PHONY: activate staged
staged:
	@echo "staged in $(DESTDIR). On the machine itself: systemd-sysusers; systemd-tmpfiles --create;"
	@echo "its key it makes when evscribed first starts there"

activate:
	systemd-sysusers evscribe.conf
	systemd-tmpfiles --create evscribe.conf
	-systemctl daemon-reload
	-systemctl reload dbus
	-udevadm control --reload && udevadm trigger --subsystem-match=input --action=change
	$(bindir)/evscribe keys init
	@echo "installed. Write /etc/evscribe/policy.toml (example: $(docdir)/policy.example.toml), then: evscribe policy check; evscribe keys add-recipient KEY; systemctl enable --now evscribed; and each person: evscribe acknowledge. Who may pull, over sshd and with rsync: evscribe pull-access add"

## uninstall: take away what install put there; data, policy and key stay
uninstall:
	$(if $(DESTDIR),,-systemctl disable --now evscribed)
	rm -f $(bindir)/evscribed $(bindir)/evscribe
	rm -f $(unitdir)/evscribed.service $(unitdir)/evscribe-key.service $(sysusersdir)/evscribe.conf $(tmpfilesdir)/evscribe.conf
	rm -f $(rulesdir)/70-evscribe.rules $(profiledir)/evscribe.sh
	rm -f $(busdir)/system.d/org.evscribe.Collector1.conf $(busdir)/interfaces/org.evscribe.Collector1.xml
	rm -f $(actionsdir)/org.evscribe.collector1.policy
	rm -f $(sharedir)/man/man1/evscribe.1 $(sharedir)/man/man1/evscribe-*.1 $(sharedir)/man/man8/evscribed.8
	rm -f $(sharedir)/bash-completion/completions/evscribe $(sharedir)/zsh/site-functions/_evscribe
	rm -f $(sharedir)/fish/vendor_completions.d/evscribe.fish
	rm -rf $(docdir)
	$(if $(DESTDIR),,-systemctl daemon-reload)
	$(if $(DESTDIR),,-udevadm control --reload && udevadm trigger --subsystem-match=input --action=change)
	@echo "what was collected and what people decided stays in /var/lib/evscribe, policy and keys in /etc/evscribe (and /etc/systemd/system/evscribed.service.d), who could pull in /var/lib/evscribe-pull: remove them if nobody needs them"

## uninstall-data: take away what install-data put there; lakes, keys and settings stay
uninstall-data:
	$(if $(DESTDIR),,-systemctl disable --now evscribe-data-pull.timer)
	rm -f $(bindir)/evscribe-data $(unitdir)/evscribe-data-pull.service $(unitdir)/evscribe-data-pull.timer
	rm -f $(sysusersdir)/evscribe-data.conf
	rm -f $(sharedir)/man/man8/evscribe-data.8 $(sharedir)/man/man8/evscribe-data-*.8
	rm -f $(sharedir)/bash-completion/completions/evscribe-data $(sharedir)/zsh/site-functions/_evscribe-data
	rm -f $(sharedir)/fish/vendor_completions.d/evscribe-data.fish
	rm -rf $(datadocdir)
	$(if $(DESTDIR),,-systemctl daemon-reload)

## package: a Debian package of what `make build` built, and one of `make build-data`
package:
	@scripts/package

clean:
	rm -rf target

help:
	@sed -n 's/^## /  /p' $(MAKEFILE_LIST)
