//! What comes over the line: lists, and portions of files, each by one rsync over
//! one ssh connection; and what it means when one of these fails.

use std::collections::HashSet;
use std::time::Duration;

use evscribe_sink::{MANIFEST, SealedFile, TOMBSTONES, Tombstone, sha256_file};
use tokio::process::Command;

use super::error::HostError;
use super::list::Entry;
use super::offer::{self, BadLines, OFFER_MAX_BYTES, Offer};
use super::process::{self, Ended, Outcome, Until};
use super::ssh::{Fetch, Ssh};
use super::stage::Stage;
use crate::place::blocking;

/// Longest that is shown of what a host says, characters.
const SAID_MAX: usize = 300;

/// The line to one host.
pub(super) struct Link<'a> {
    pub(super) ssh: &'a Ssh,
    pub(super) entry: &'a Entry,
    pub(super) stage: &'a Stage,
    pub(super) timeout: Duration,
    pub(super) until: Until,
    /// ssh connections so far.
    pub(super) round_trips: u64,
    /// Bytes that came so far.
    pub(super) received: u64,
}

/// What a host offers now.
pub(super) struct Offered {
    pub(super) offer: Offer,
    pub(super) tombstones: Vec<Tombstone>,
    /// Lines of either list that were left out.
    pub(super) bad: Vec<BadLines>,
    /// Checksum of the manifest.
    pub(super) sha256: String,
}

/// How rsync ended, where it ended by itself.
#[derive(Debug)]
pub(super) enum Came {
    /// All that there was of what was asked for.
    All,
    /// A file was longer than it may be.
    TooLong,
    /// It broke off: why.
    Broke(HostError),
}

impl Link<'_> {
    /// Fetches manifest and tombstones, as far as they changed, and reads them.
    pub(super) async fn offer(&mut self, skip_bad: bool) -> Result<Offered, HostError> {
        let input = format!("{MANIFEST}\n{TOMBSTONES}\n").into_bytes();
        let into = self.stage.offer();
        let command = self.rsync(&into, OFFER_MAX_BYTES, true);
        let (mut there, mut received) = (HashSet::new(), None);
        let outcome = self
            .run(command, input, |line| {
                let name = line.strip_suffix(" is uptodate").or_else(|| name_of(line));
                there.extend(name.map(str::to_owned));
                received = received.or_else(|| received_of(line));
            })
            .await?;
        self.received += received.unwrap_or(0);
        match came(&outcome, self.timeout) {
            Came::All => {}
            Came::TooLong => {
                return Err(HostError::Manifest(format!(
                    "it is longer than {} MiB: that is no workstation's",
                    OFFER_MAX_BYTES >> 20
                )));
            }
            Came::Broke(error) => return Err(error),
        }
        let stage = self.stage.clone();
        let read = move || {
            let manifest = stage.offered(MANIFEST, there.contains(MANIFEST))?;
            let tombstones = stage.offered(TOMBSTONES, there.contains(TOMBSTONES))?;
            let Some(manifest) = manifest else { return Ok(Err(HostError::NothingOffered)) };
            let (sha256, _) = sha256_file(&manifest)?;
            let all = || {
                let offer = offer::manifest(&manifest, skip_bad)?;
                let (tombstones, bad) = match &tombstones {
                    Some(path) => offer::tombstones(path, &offer.host, skip_bad)?,
                    None => Default::default(),
                };
                let bad = vec![offer.bad.clone(), bad];
                Ok(Offered { offer, tombstones, bad, sha256 })
            };
            Ok(all())
        };
        blocking(read).await?
    }

    /// Fetches these files, as far as they are not here; returns the paths of
    /// those that came whole by rsync's word.
    pub(super) async fn files(
        &mut self,
        files: &[&SealedFile],
        mut progress: impl FnMut(&str),
    ) -> Result<(Came, HashSet<String>), HostError> {
        let max_bytes = files.iter().map(|file| file.bytes).max().unwrap_or(0);
        let input: String = files.iter().map(|file| format!("{}\n", file.path)).collect();
        let into = self.stage.files();
        let before = self.stage.bytes_of(files.iter().copied());
        let command = self.rsync(&into, max_bytes, false);
        let (mut whole, mut received) = (HashSet::new(), None);
        let outcome = self
            .run(command, input.into_bytes(), |line| {
                if let Some(name) = name_of(line) {
                    progress(name);
                    whole.insert(name.to_owned());
                }
                received = received.or_else(|| received_of(line));
            })
            .await?;
        let grown = || self.stage.bytes_of(files.iter().copied()).saturating_sub(before);
        self.received += received.unwrap_or_else(grown);
        Ok((came(&outcome, self.timeout), whole))
    }

    /// Tells the host that all of that manifest is here.
    pub(super) async fn acknowledge(&mut self, sha256: &str) -> Result<(), HostError> {
        let command = self.ssh.acknowledge(self.entry, self.timeout, sha256);
        // It has nothing to send: what takes longer never ends.
        let until = Until {
            deadline: self.until.deadline.min(tokio::time::Instant::now() + self.timeout * 2),
            stop: self.until.stop.clone(),
        };
        let whole = std::mem::replace(&mut self.until, until);
        let outcome = self.run(command, Vec::new(), |_| {}).await;
        self.until = whole;
        match outcome?.as_acknowledgement(self.timeout) {
            None => Ok(()),
            Some(why) => Err(HostError::Unacknowledged(why)),
        }
    }

    fn rsync(&self, into: &std::path::Path, max_bytes: u64, is_offer: bool) -> Command {
        let lock = self.stage.lock();
        let fetch = Fetch { lock: &lock, into, max_bytes, is_offer };
        self.ssh.rsync(self.entry, self.timeout, &fetch)
    }

    async fn run(
        &mut self,
        command: Command,
        input: Vec<u8>,
        line: impl FnMut(&str),
    ) -> Result<Outcome, HostError> {
        let program = "setpriv (util-linux), flock, prlimit, rsync or ssh";
        self.round_trips += 1;
        let outcome = process::run(command, input, &mut self.until, line).await;
        outcome.map_err(|error| HostError::Here(format!("cannot start {program}: {error}")))
    }
}

/// The file of a line `> BYTES NAME`.
fn name_of(line: &str) -> Option<&str> {
    line.strip_prefix("> ")?.split_once(' ').map(|(_, name)| name)
}

fn received_of(line: &str) -> Option<u64> {
    line.strip_prefix("Total bytes received: ")?.replace(',', "").parse().ok()
}

impl Outcome {
    fn as_acknowledgement(&self, timeout: Duration) -> Option<String> {
        match came(self, timeout) {
            Came::All => None,
            Came::TooLong => Some(said(&self.said)),
            Came::Broke(error) => Some(error.to_string()),
        }
    }
}

/// What it means how rsync or ssh ended.
fn came(outcome: &Outcome, timeout: Duration) -> Came {
    let (code, text) = match &outcome.ended {
        Ended::Stopped => return Came::Broke(HostError::Stopped),
        Ended::Late => return Came::Broke(HostError::TooSlow(timeout)),
        Ended::Code(code) => (*code, outcome.said.as_str()),
    };
    let why = said(text);
    let has = |part: &str| text.contains(part);
    // Source of the codes: rsync(1), EXIT VALUES; ssh(1): 255.
    Came::Broke(match code {
        0 => return Came::All,
        11 if has("File too large (27)") => return Came::TooLong,
        // What it could not read of what was asked for is looked for, not here, anyway.
        23 | 24 if !has("No space left") => return Came::All,
        _ if has("No space left on device") || has("Disk quota exceeded") => {
            HostError::DiskFull(why)
        }
        75 => HostError::NotNow(why),
        process::FOLDER_TAKEN => {
            HostError::Here("an rsync of an earlier run still writes; try again".into())
        }
        _ if has("REMOTE HOST IDENTIFICATION HAS CHANGED") => HostError::Unreachable(
            "its host key is another than the known one; if that is right, replace it".into(),
        ),
        _ if has("Host key verification failed") => HostError::Unreachable(
            "its host key is not known here: add it to the known hosts first (evscribe \
             pull-access add says it)"
                .into(),
        ),
        _ if has("Permission denied (") => HostError::Unreachable(
            "it does not let this key in: evscribe pull-access add there lets it".into(),
        ),
        30 | 35 => HostError::Transfer(format!("no byte came for {} s", timeout.as_secs())),
        // ssh's, or as a shell says that ssh was killed.
        255 => HostError::Unreachable(why),
        _ if has("evscribe: ") => HostError::Refused(why),
        _ => HostError::Transfer(why),
    })
}

/// What is worth telling of what a program said.
fn said(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let ours = lines.iter().find_map(|line| line.strip_prefix("evscribe: "));
    let is_result = |line: &&&str| !line.starts_with("rsync error:");
    let told = match ours {
        Some(why) => why.to_owned(),
        None if lines.iter().any(|line| is_result(&line)) => {
            let told: Vec<&str> = lines.iter().filter(is_result).copied().collect();
            told.get(told.len().saturating_sub(2)..).unwrap_or_default().join("; ")
        }
        None => lines.last().copied().unwrap_or("it ended without a word").to_owned(),
    };
    told.chars().take(SAID_MAX).collect()
}

#[cfg(test)]
#[path = "fetch_test.rs"]
mod tests;
