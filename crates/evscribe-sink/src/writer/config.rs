//! What the writer is configured with; every default is a named constant.

use std::{path::PathBuf, time::Duration};

use crate::{Outbox, Retention, crypt::AtRest};

/// Default of [`Config::flush_after`].
pub const FLUSH_AFTER: Duration = Duration::from_millis(300);
/// Default of [`Config::segment_age`].
pub const SEGMENT_AGE: Duration = Duration::from_secs(60 * 60);
/// Default of [`Config::segment_bytes`].
pub const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// Default of [`Config::min_free_bytes`].
pub const MIN_FREE_BYTES: u64 = 64 * 1024 * 1024;
/// Default of [`Config::retry_after`].
pub const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Default of [`Config::queue`].
pub const QUEUE: usize = 256;

/// Where and how the writer writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The dataset's directory.
    pub dataset: PathBuf,
    /// The journals' directory, outside the dataset.
    pub journal: PathBuf,
    /// The ledger; `None` for none, as for recordings.
    pub ledger: Option<PathBuf>,
    /// The directory of what is to be forgotten and is not yet, outside the
    /// dataset; `forget` beside the journals by default.
    pub forget: PathBuf,
    /// How long a row may wait before it is durable; [`FLUSH_AFTER`]. Zero: until
    /// no command waits any more, without waking up for it; for senders that
    /// collect rows themselves.
    pub flush_after: Duration,
    /// How old a segment's first row may get before it is sealed; [`SEGMENT_AGE`].
    pub segment_age: Duration,
    /// How large a journal may get before it is sealed; [`SEGMENT_BYTES`].
    pub segment_bytes: u64,
    /// What must stay free on both file systems, so that a seal has room;
    /// [`MIN_FREE_BYTES`].
    pub min_free_bytes: u64,
    /// How long to wait before trying again what failed; [`RETRY_AFTER`].
    pub retry_after: Duration,
    /// How many commands may wait; [`QUEUE`].
    pub queue: usize,
    /// What is kept of sealed files; all of them by default.
    pub retention: Retention,
    /// What may be pulled; `None` where nobody is served, as for recordings.
    pub outbox: Option<Outbox>,
    /// How files are sealed: by default encrypted, for nobody but this
    /// workstation, whose own key always is among the recipients.
    pub at_rest: AtRest,
}

impl Config {
    /// The defaults, for these two directories.
    #[must_use]
    pub fn new(dataset: impl Into<PathBuf>, journal: impl Into<PathBuf>) -> Self {
        let journal = journal.into();
        Self {
            dataset: dataset.into(),
            forget: journal.with_file_name("forget"),
            journal,
            ledger: None,
            flush_after: FLUSH_AFTER,
            segment_age: SEGMENT_AGE,
            segment_bytes: SEGMENT_BYTES,
            min_free_bytes: MIN_FREE_BYTES,
            retry_after: RETRY_AFTER,
            queue: QUEUE,
            retention: Retention::default(),
            outbox: None,
            at_rest: AtRest::default(),
        }
    }
}
