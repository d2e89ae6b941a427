//! Why a host was not pulled, or not all of it.

use std::io;
use std::time::Duration;

use evscribe_sink::{SCHEMA_VERSION, SinkError};

use crate::LakeError;

/// What went wrong with one host; each says what to do. It concerns no other
/// host, and what arrived before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// ssh cannot get there, or is not let in.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It says: not now.
    #[error("serves nobody now: {0}; it is asked again the next time")]
    NotNow(String),
    /// It does not do what was asked.
    #[error("does not serve what was asked for: {0}")]
    Refused(String),
    /// It offers nothing, not even an empty list.
    #[error(
        "offers no manifest.jsonl: either its service never ran, or what answers there is no \
         evscribe that can be pulled from"
    )]
    NothingOffered,
    /// An outbox of a version that does not say whose it is.
    #[error(
        "its manifest does not say which host it is of: the evscribe there is older than the one \
         that serves, finish its upgrade and restart evscribed"
    )]
    HalfUpgraded,
    /// It is of a newer version than this program.
    #[error("has schema version {found}, this evscribe-data knows {SCHEMA_VERSION}: update it")]
    Newer {
        /// Its schema version.
        found: u32,
    },
    /// What it says that it offers cannot be: nothing of it is taken.
    #[error("its manifest is not believed: {0}")]
    Manifest(String),
    /// Two hosts of the list say that they are the same.
    #[error(
        "has the same pseudonym, {host}, as {other}, which is pulled instead: machines from one \
         image share their workstation key, give each one of its own"
    )]
    Clone {
        /// The pseudonym.
        host: String,
        /// The other's name.
        other: String,
    },
    /// The list says it twice.
    #[error("{0}")]
    Repeated(String),
    /// The transfer broke off.
    #[error("broke off: {0}; what arrived is kept, the next time goes on from there")]
    Transfer(String),
    /// Its files change faster than they can be pulled, or not as it says.
    #[error("its files changed while they were pulled; the rest comes the next time")]
    Unsteady,
    /// It took too long.
    #[error("took longer than {} s; what arrived is kept, the next time goes on from there", .0.as_secs())]
    TooSlow(Duration),
    /// Somebody stopped the run.
    #[error("was stopped; what arrived is kept, the next time goes on from there")]
    Stopped,
    /// No space on this machine.
    #[error(
        "there is no space left here for what it offers ({0}); what arrived is kept, make space \
         and run this again"
    )]
    DiskFull(String),
    /// It lists what it does not have.
    #[error("{files} files that its manifest lists are not there or no files, {first} among them")]
    Missing {
        /// How many.
        files: usize,
        /// One of them.
        first: String,
    },
    /// Some files did not pass.
    #[error("{0} files did not pass and are in quarantine")]
    Quarantined(usize),
    /// Something that is to be forgotten is in a file that no key at hand opens.
    #[error(
        "had something forgotten that is in a merged file: give a key that opens it (--key), so \
         that it can be taken out; until then nothing is acknowledged ({0})"
    )]
    Locked(String),
    /// Something that is to be forgotten is in a file that cannot be written anew.
    #[error(
        "had something forgotten that is in a merged file which cannot be written anew: put that \
         right and pull again; until then nothing is acknowledged ({0})"
    )]
    Stuck(String),
    /// All is there, but it does not know.
    #[error("has all its files here but could not be told so ({0}); it is told the next time")]
    Unacknowledged(String),
    /// Something on this machine that is not the host's fault.
    #[error("{0}")]
    Here(String),
    /// The lake.
    #[error(transparent)]
    Lake(LakeError),
}

impl From<LakeError> for HostError {
    fn from(error: LakeError) -> Self {
        let full = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        };
        match &error {
            LakeError::Io { source, .. } if full(source) => Self::DiskFull(chain(&error)),
            LakeError::Sink(SinkError::Io { source, .. }) if full(source) => {
                Self::DiskFull(chain(&error))
            }
            _ => Self::Lake(error),
        }
    }
}

impl HostError {
    /// It and what it comes from, for a person.
    #[must_use]
    pub fn told(&self) -> String {
        chain(self)
    }

    /// Whether nothing more can be done for any host.
    pub(super) const fn ends_all(&self) -> bool {
        matches!(self, Self::Lake(LakeError::Lost { .. }))
    }
}

/// An error and all that it comes from, in a line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}
