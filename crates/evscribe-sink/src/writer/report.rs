//! What the writer thread tells.

use std::{path::PathBuf, time::Duration};

use crate::{Forgotten, OnOffer, RemovedFile, SealedFile};

/// Why a segment was sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealReason {
    /// Its first row was old enough.
    Age,
    /// Its journal was large enough.
    Size,
    /// The next rows have another provenance.
    Begin,
    /// A row came late, so that it would have broken the order.
    Late,
    /// It was asked for.
    Asked,
    /// The disk is full: a sealed segment is smaller than its journal.
    DiskFull,
    /// The writer ends.
    Stop,
    /// It was left by an earlier writer.
    Leftover,
}

impl SealReason {
    /// The word for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Size => "size",
            Self::Begin => "begin",
            Self::Late => "late",
            Self::Asked => "asked",
            Self::DiskFull => "disk_full",
            Self::Stop => "stop",
            Self::Leftover => "leftover",
        }
    }
}

/// Something the writer thread did or met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// Nothing can be written; rows wait, nothing is thrown away.
    Stalled {
        /// `disk_full`, `read_only`, `io_error` or `failed`.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// Writing goes on.
    Resumed {
        /// How long it stood still.
        after: Duration,
    },
    /// A segment was sealed; without rows it has no files.
    Sealed {
        /// Its files.
        files: Vec<SealedFile>,
        /// Why.
        reason: SealReason,
    },
    /// Retention removed files.
    Retained {
        /// Which.
        removed: Vec<RemovedFile>,
    },
    /// Retention failed; it is tried again after the next seal.
    RetentionFailed {
        /// For people.
        message: String,
    },
    /// A journal was found damaged when it was to be sealed: it stays, and is
    /// repaired and sealed at the next start.
    Damaged {
        /// The journal.
        path: PathBuf,
    },
    /// A journal that cannot be sealed at all was left where it is.
    Abandoned {
        /// The journal.
        path: PathBuf,
        /// For people.
        message: String,
    },
    /// Rows or a provenance that can never be written: a fault of the caller.
    Refused {
        /// How many rows.
        rows: u64,
        /// For people.
        message: String,
    },
    /// What was told before [`Command::Confirm`](crate::Command::Confirm) is
    /// durable.
    Confirmed {
        /// That of the command.
        ticket: u64,
    },
    /// A [`Forget`](crate::Forget) ended.
    Forgotten {
        /// That of the command.
        ticket: u64,
        /// What was forgotten; or why it is not yet, and what becomes of it,
        /// for people.
        outcome: Result<Forgotten, String>,
    },
    /// What may be pulled changed.
    Offered(OnOffer),
    /// The outbox could not be brought in line: nothing may be pulled until it
    /// can, which is tried again.
    OfferFailed {
        /// For people.
        message: String,
    },
    /// A puller was noted, or what they acknowledged.
    Pull {
        /// That of the command.
        ticket: u64,
        /// Their name.
        puller: String,
        /// How many files it is about; or why nothing was noted, for people.
        outcome: Result<u64, String>,
    },
    /// Rows that could not be written before the end.
    Unwritten {
        /// How many.
        rows: u64,
    },
}

/// What was written so far, since the writer was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Rows that are durable in a journal.
    pub journal_rows: u64,
    /// Bytes that were appended to journals.
    pub journal_bytes: u64,
    /// Files that were sealed.
    pub sealed_files: u64,
    /// Rows that were sealed.
    pub sealed_rows: u64,
    /// Bytes that were sealed.
    pub sealed_bytes: u64,
    /// Whether the writer stands still.
    pub stalled: bool,
}
