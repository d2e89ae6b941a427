//! `evscribe pull-access`: who may pull from this workstation.

mod file;
mod key;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use evscribe_sink::is_puller;
use nix::unistd::User;
use serde_json::{Value, json};

use crate::args::{PullAccessArgs, PullAccessCommand};
use crate::rights::say;
use file::AccessFile;
use key::PublicKey;

/// The user whom sshd lets in to pull.
const USER: &str = "evscribe-pull";

/// What this machine shows who connects. Source: sshd_config(5), `HostKey`.
const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key.pub";

pub(crate) fn run(args: &PullAccessArgs, as_json: bool) -> Result<ExitCode> {
    match &args.command {
        PullAccessCommand::Add { key, name } => add(&args.home, key, name, as_json),
        PullAccessCommand::List => list(&args.home, as_json),
        PullAccessCommand::Remove { name } => remove(&args.home, name, as_json),
    }
}

fn add(home: &Path, key: &str, name: &str, as_json: bool) -> Result<ExitCode> {
    ensure!(is_puller(name), "{name:?} cannot be a puller's name: use 1 to 32 of a-z, 0-9 and -");
    let key = PublicKey::from_argument(key)?;
    // As `evscribe serve-pull` runs for whoever pulls, wherever this is installed.
    let program = std::env::current_exe().context("where evscribe is installed cannot be told")?;
    let mut access = AccessFile::open(home)?;
    access.add(name, &key, &program)?;
    access.save()?;
    let host = host_key();
    let address = format!("{USER}@{}", host_name());
    let mut words = format!(
        "{name} may pull from now on, with the key {}.\n\
         Their hosts file names this host, by a name or an address that they can reach:\n  {address}",
        key.fingerprint()
    );
    match &host {
        Ok(host) => {
            words += &format!(
                "\nThey pin this host's key, which ssh shows when it first connects:\n  {} \
                 ({})\nor as a line of known_hosts:\n  {} {}",
                host.fingerprint(),
                host.kind(),
                host_name(),
                host.line(),
            );
        }
        Err(why) => words += &format!("\nWhich key this host shows cannot be told: {why:#}"),
    }
    if User::from_name(USER).ok().flatten().is_none() {
        words += &format!(
            "\nThere is no user {USER} here yet, so nobody gets in: systemd-sysusers makes it from \
             what make install put there."
        );
    }
    let json = json!({
        "name": name,
        "fingerprint": key.fingerprint(),
        "hosts_line": address,
        "host_key": host.as_ref().ok().map(PublicKey::line),
        "host_fingerprint": host.as_ref().ok().map(PublicKey::fingerprint),
    });
    say(as_json, &json, &words)
}

fn list(home: &Path, as_json: bool) -> Result<ExitCode> {
    let access = AccessFile::read(home)?;
    let entries: Vec<Value> = access
        .pullers()
        .map(|(name, key)| json!({ "name": name, "kind": key.kind(), "fingerprint": key.fingerprint() }))
        .collect();
    let mut words: Vec<_> = access
        .pullers()
        .map(|(name, key)| format!("{name:<32} {} ({})", key.fingerprint(), key.kind()))
        .collect();
    if words.is_empty() {
        words.push("Nobody may pull from here.".into());
    }
    let others: Vec<usize> = access.others().collect();
    for line in &others {
        words.push(format!(
            "{}:{line} is no line of evscribe pull-access: what it lets its holder do is not noted \
             by evscribe",
            access.path().display()
        ));
    }
    say(as_json, &json!({ "pullers": entries, "other_lines": others }), &words.join("\n"))
}

fn remove(home: &Path, name: &str, as_json: bool) -> Result<ExitCode> {
    let mut access = AccessFile::open(home)?;
    if !access.remove(name) {
        bail!("{name} is nobody who may pull: evscribe pull-access list shows who may");
    }
    access.save()?;
    say(
        as_json,
        &json!({ "removed": name }),
        &format!(
            "{name} may pull no more. A pull that is under way ends by itself, and what they have \
             they keep."
        ),
    )
}

fn host_key() -> Result<PublicKey> {
    let text = std::fs::read_to_string(HOST_KEY)
        .with_context(|| format!("{HOST_KEY} cannot be read; is openssh-server installed?"))?;
    PublicKey::parse(&text)
}

/// The machine's name for itself.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
