//! What a run did, for people, programs and schedulers.

use serde::Serialize;

use super::list::{BadLine, Entry};

/// How it went with a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The lake has all it offers and had so before.
    Unchanged,
    /// The lake has all it offers, and changed.
    Pulled,
    /// The lake changed, but has not all it offers; or all, and the host was not told.
    Partial,
    /// Nothing came of it.
    Failed,
}

/// A file that did not pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Quarantined {
    /// Its place, relative to the dataset.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

/// What came of one host.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct HostReport {
    /// What the list calls it.
    pub name: String,
    /// `user@host:port`.
    pub destination: String,
    /// Its pseudonym, where it said one.
    pub host: Option<String>,
    /// How it went.
    pub state: State,
    /// Files that came into the lake.
    pub files: u64,
    /// Their bytes on the host.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// Files that it offers and the lake had.
    pub already: u64,
    /// Files that went out of the lake by tombstones.
    pub removed: u64,
    /// Files that took the place of an older version, among `files`.
    pub replaced: u64,
    /// Files that did not pass.
    pub quarantined: Vec<Quarantined>,
    /// Whether the host knows that all it offers is in the lake.
    pub acknowledged: bool,
    /// ssh connections.
    pub round_trips: u64,
    /// Bytes that came over the line: by rsync's word, or where it broke off, by
    /// what became of the files.
    pub received_bytes: u64,
    /// How long it took, s.
    pub seconds: f64,
    /// What went wrong, for people.
    pub error: Option<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl HostReport {
    pub(super) fn new(entry: &Entry) -> Self {
        Self {
            name: entry.name.clone(),
            destination: entry.to_string(),
            host: None,
            state: State::Failed,
            files: 0,
            bytes: 0,
            rows: 0,
            already: 0,
            removed: 0,
            replaced: 0,
            quarantined: Vec::new(),
            acknowledged: false,
            round_trips: 0,
            received_bytes: 0,
            seconds: 0.0,
            error: None,
            notes: Vec::new(),
        }
    }

    /// Whether the lake has all it offers, and it knows.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self.state, State::Unchanged | State::Pulled)
    }

    /// Whether the lake is another one than before.
    pub(super) const fn changed(&self) -> bool {
        self.files > 0 || self.removed > 0
    }
}

/// Sums over all hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Totals {
    /// Hosts of the list.
    pub hosts: u64,
    /// Of which the lake has all that they offer.
    pub complete: u64,
    /// Of which it has not.
    pub failed: u64,
    /// Files that came.
    pub files: u64,
    /// Their bytes on the hosts.
    pub bytes: u64,
    /// Files that did not pass.
    pub quarantined: u64,
}

/// What a run did.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    /// In the order of the list.
    pub hosts: Vec<HostReport>,
    /// Lines that named no host.
    pub skipped_lines: Vec<BadLine>,
    /// Sums.
    pub totals: Totals,
    /// Whether the lake has all that all hosts of the list offer.
    pub complete: bool,
}

impl Report {
    /// Of these hosts and lines.
    #[must_use]
    pub fn of(hosts: Vec<HostReport>, skipped_lines: Vec<BadLine>) -> Self {
        let sum = |of: fn(&HostReport) -> u64| hosts.iter().map(of).sum();
        let complete = sum(|host| u64::from(host.is_complete()));
        let totals = Totals {
            hosts: hosts.len() as u64,
            complete,
            failed: hosts.len() as u64 - complete,
            files: sum(|host| host.files),
            bytes: sum(|host| host.bytes),
            quarantined: sum(|host| host.quarantined.len() as u64),
        };
        let complete = totals.failed == 0 && skipped_lines.is_empty();
        Self { hosts, skipped_lines, totals, complete }
    }
}
