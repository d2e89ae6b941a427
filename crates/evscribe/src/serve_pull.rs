//! `evscribe serve-pull`: what sshd runs for whoever pulls, in the place of what
//! they asked for. Two things can be asked for, nothing else is run:
//!
//! | asked | done |
//! |---|---|
//! | `rsync --server --sender …` | the service notes it, then `rrsync -ro -no-lock` serves the outbox |
//! | `evscribe-acknowledge SHA256` | the service takes in what the puller has |
//!
//! The service notes before what is on offer, and hands over a descriptor. As long as
//! any process has it open, what comes on offer is noted for that puller, too, before
//! it is there; rsync itself has it, so nobody has to say that a pull is over.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::Result;
use nix::unistd::dup;

use crate::args::ServePullArgs;
use crate::service::{Service, ServiceError};

/// Where sshd says what was asked for.
const ASKED: &str = "SSH_ORIGINAL_COMMAND";

/// Debian's restricted rsync, a script of python3.
const RRSYNC: &str = "/usr/bin/rrsync";

/// Exit code where the same may work later. Source: sysexits.h, `EX_TEMPFAIL`.
const LATER: u8 = 75;

/// Longest command taken, bytes; rsync sends lists of files in its protocol.
const COMMAND_MAX: usize = 4_096;

/// Besides letters and digits, what may stand in a command: nothing that quotes
/// or escapes, so that it falls into the same words for everybody.
const MARKS: &[u8] = b" ./=_-:,+*%@";

/// What rsync's receiver tells its sender that neither names a file here nor
/// changes one. Source: `server_options` in rsync's options.c.
const OPTIONS: [&str; 27] = [
    "--append",
    "--bwlimit=",
    "--checksum-choice=",
    "--checksum-seed=",
    "--compress-choice=",
    "--compress-level=",
    "--dirs",
    "--files-from=-",
    "--from0",
    "--ignore-errors",
    "--ignore-missing-args",
    "--info=",
    "--inplace",
    "--list-only",
    "--log-format=",
    "--max-alloc=",
    "--modify-window=",
    "--msgs2stderr",
    "--new-compress",
    "--no-implied-dirs",
    "--no-msgs2stderr",
    "--no-relative",
    "--numeric-ids",
    "--old-compress",
    "--skip-compress=",
    "--stderr=",
    "--timeout=",
];

const ONLY: &str = "with this key you can only pull what is on offer here, read-only, with rsync, \
                    and acknowledge it with evscribe-acknowledge";

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Asked {
    Rsync,
    Acknowledge(String),
}

pub(crate) fn run(args: &ServePullArgs) -> Result<ExitCode> {
    let command = std::env::var_os(ASKED).unwrap_or_default();
    Ok(match asked(&command) {
        Ok(Asked::Rsync) => {
            let (code, why) = serve(args, &command);
            refuse(code, &why)
        }
        Ok(Asked::Acknowledge(sha256)) => {
            match Service::connect().and_then(|service| acknowledge(&service, &args.name, &sha256))
            {
                Ok(files) => {
                    println!("acknowledged: {files} files");
                    ExitCode::SUCCESS
                }
                Err(error) if error.is_absence() => refuse(LATER, &error.to_string()),
                Err(error) => refuse(1, &error.to_string()),
            }
        }
        Err(why) => refuse(1, &format!("{why}: {ONLY}")),
    })
}

/// Has the service note it, and becomes what serves. Returns only where it does not:
/// the exit code, and why.
fn serve(args: &ServePullArgs, command: &OsStr) -> (u8, String) {
    let pull = match Service::connect().and_then(|service| note(&service, &args.name)) {
        Ok(pull) => pull,
        Err(error) => return (if error.is_passing() { LATER } else { 1 }, error.to_string()),
    };
    // Unlike the first, the second descriptor stays open across exec.
    let held = match dup(&pull) {
        Ok(held) => held,
        Err(error) => return (LATER, format!("what says that a pull goes on is lost: {error}")),
    };
    // Nothing of who asks reaches a script that runs as somebody else.
    let error = Command::new(RRSYNC)
        .arg("-ro")
        // Else rsync would be its child, and would not inherit what says that it runs.
        .arg("-no-lock")
        .arg(&args.outbox)
        .env_clear()
        .env(ASKED, command)
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .exec();
    drop(held);
    (LATER, format!("{RRSYNC} of the package rsync cannot run: {error}"))
}

/// Notes that a pull begins; returns what it is to hold.
fn note(service: &Service, name: &str) -> Result<OwnedFd, ServiceError> {
    let (_, pull) = service.ask(async |bus| bus.note_pull(name).await)?;
    Ok(pull.into())
}

fn acknowledge(service: &Service, name: &str, sha256: &str) -> Result<u32, ServiceError> {
    service.ask(async |bus| bus.acknowledge_pull(name, sha256).await)
}

fn refuse(code: u8, why: &str) -> ExitCode {
    eprintln!("evscribe: {why}");
    ExitCode::from(code)
}

/// What a command asks for.
///
/// # Errors
/// Why it is none of the two, as a clause.
fn asked(command: &OsStr) -> Result<Asked, &'static str> {
    let bytes = command.as_bytes();
    if bytes.is_empty() {
        return Err("no shell is given");
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || MARKS.contains(byte);
    if bytes.len() > COMMAND_MAX || !bytes.iter().all(is_plain) {
        return Err("that command is not run");
    }
    let text = command.to_str().unwrap_or_default();
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        ["evscribe-acknowledge", sha256] => Ok(Asked::Acknowledge((*sha256).to_owned())),
        ["rsync", "--server", "--sender", rest @ ..] => sender(rest),
        ["rsync", "--server", ..] => Err("nothing can be written here"),
        _ => Err("that command is not run"),
    }
}

/// Options of rsync's sender, a dot, paths.
fn sender(words: &[&str]) -> Result<Asked, &'static str> {
    let end = words
        .iter()
        .position(|word| *word == ".")
        .ok_or("rsync must name what it pulls on its command line, without --secluded-args (-s)")?;
    let (options, paths) = words.split_at(end);
    let is_known = |word: &&str| {
        let letters = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        letters.is_some_and(|letters| !letters.is_empty() && !letters.contains('='))
            || OPTIONS.iter().any(|known| {
                if known.ends_with('=') { word.starts_with(known) } else { word == known }
            })
    };
    if !options.iter().all(is_known) {
        return Err("rsync asks for an option that is not served");
    }
    if paths.iter().any(|path| path.split('/').any(|part| part == "..")) {
        return Err("nothing outside of what is on offer is served");
    }
    Ok(Asked::Rsync)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn of(command: &str) -> Result<Asked, &'static str> {
        asked(&OsString::from(command))
    }

    #[test]
    fn what_rsync_sends_for_a_pull_is_served() {
        // Recorded from rsync 3.5 as a client.
        for command in [
            "rsync --server --sender -logDtpre.iLsfxCIvu . manifest.jsonl",
            "rsync --server --sender -trRe.iLsfxCIvu --timeout=60 --files-from=- --from0 . ./",
            "rsync --server --sender -logDtre.iLsfxCIvu --append --append . events/",
            "rsync --server --sender -Wrce.iLsfxCIvu --compress-choice=none . events",
            "rsync --server --sender -de.LsfxCIvu --list-only . .",
            "rsync --server --sender -tRe.LsfxCIvu -B1000 . a b",
            "rsync --server --sender -te.iLsfxCIvu . events/date=2026-11-23/host=ab01/20261123T211640.123456Z-0123456789abcdef.parquet",
        ] {
            assert_eq!(of(command), Ok(Asked::Rsync), "{command}");
        }
        let acknowledged = Ok(Asked::Acknowledge("ab12".into()));
        assert_eq!(of("evscribe-acknowledge ab12"), acknowledged);
    }

    #[test]
    fn nothing_else_is_served() {
        for command in [
            "",
            "sh",
            "cat /var/lib/evscribe/ledger.jsonl",
            "/usr/lib/openssh/sftp-server",
            "scp -f x",
            "rsync",
            "rsync --daemon",
            "/bin/rsync --server --sender -r . .",
            "rsync --server -logDtpre.iLsfxCIvu . .",
            "rsync --sender --server -r . .",
            "rsync --server --sender -re.iLsfxCIvu",
            "rsync --server --sender -sre.iLsfxCIvu",
            "rsync --server --sender -re.iLsfxCIvu --remove-source-files . a",
            "rsync --server --sender -r --log-file=/tmp/x . a",
            "rsync --server --sender -r --files-from=/etc/passwd . .",
            "rsync --server --sender -r --from0=1 . a",
            "rsync --server --sender -r --copy-unsafe-links . a",
            "rsync --server --sender -r --only-write-batch=x . a",
            "rsync --server --sender -r --daemon . a",
            "rsync --server --sender -r -T=x . a",
            "rsync --server --sender -r . ../dataset",
            "rsync --server --sender -r . events/../../ledger.jsonl",
            "rsync --server --sender -r . a;id",
            "rsync --server --sender -r . $(id)",
            "rsync --server --sender -r . a\nid",
            "rsync --server --sender -r . 'a b'",
            "rsync --server --sender -r . a\\ b",
            "rsync\t--server --sender -r . a",
            "evscribe-acknowledge",
            "evscribe-acknowledge a b",
            "evscribe-acknowledge; id",
        ] {
            assert!(of(command).is_err(), "{command:?}");
        }
        assert!(of(&format!("rsync --server --sender -r . {}", "a".repeat(5_000))).is_err());
    }
}
