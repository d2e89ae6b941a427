//! What all hosts of a run share.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use evscribe_sink::crypt::Keyring;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::claims::Claims;
use super::error::HostError;
use super::list::Entry;
use super::ssh::Ssh;
use super::watch::Watch;
use crate::{Erased, Held, Place, Sealing};

/// What is fetched at a time: files, and bytes. Until it is in the lake it lies on
/// this machine; for storage elsewhere that is less.
const PORTION: (usize, u64) = (1_000, 256 << 20);
const PORTION_ELSEWHERE: (usize, u64) = (250, 64 << 20);

/// A run.
pub(super) struct Run {
    pub(super) place: Place,
    pub(super) held: Held,
    pub(super) erased: Erased,
    pub(super) entries: Vec<Entry>,
    /// Places in the list, by name, of those that are not refused.
    pub(super) names: HashMap<String, usize>,
    pub(super) claims: Claims,
    /// What is in quarantine, by name of the host.
    pub(super) quarantined: HashMap<String, BTreeSet<String>>,
    pub(super) ssh: Ssh,
    /// What opens files that are to lie in the lake without encryption.
    pub(super) decrypt: Option<Keyring>,
    pub(super) sealing: Sealing,
    pub(super) timeout: Duration,
    pub(super) host_timeout: Duration,
    pub(super) skip_bad: bool,
    pub(super) turns: Arc<Semaphore>,
    pub(super) cores: Arc<Semaphore>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) watch: Watch,
}

impl Run {
    /// A host's turn.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, HostError> {
        let permit =
            Arc::clone(&self.turns).acquire_owned().await.map_err(|_| HostError::Stopped)?;
        if *self.stop.borrow() { Err(HostError::Stopped) } else { Ok(permit) }
    }

    /// Another turn, of a host that gave its own away.
    pub(super) async fn again(&self) -> Result<OwnedSemaphorePermit, HostError> {
        self.turn().await
    }

    /// A core to compute on; `None` at the end of everything.
    pub(super) async fn core(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.cores).acquire_owned().await.ok()
    }

    /// No host begins any more, and those that are under way end soon.
    pub(super) fn end_all(&self) {
        self.stop.send_replace(true);
    }

    /// How many files, and bytes of files, lie on this machine at most.
    pub(super) fn portion(&self) -> (usize, u64) {
        if self.place.folder().is_some() { PORTION } else { PORTION_ELSEWHERE }
    }

    /// The names under which that file is in quarantine since before this run: its
    /// host may have been called otherwise then.
    pub(super) fn names_aside<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.quarantined.iter().filter(move |(_, paths)| paths.contains(path));
        all.map(|(name, _)| name.as_str())
    }
}
