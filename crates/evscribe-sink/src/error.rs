//! The one error of this crate.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::Table;

/// Why the sink could not do what was asked.
///
/// Whatever fails, nothing half-written is left under the dataset, and a
/// journal is removed only after its rows are sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// A call to the operating system failed; see [`SinkError::stall`].
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// What was being done, as a verb: `open`, `write`.
        doing: &'static str,
        /// The file or directory at fault.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Less than the reserve is free: wait, or free space.
    #[error("{} has {free_bytes} bytes free, fewer than the reserve of {reserve_bytes}", .path.display())]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// What an unprivileged process may still write.
        free_bytes: u64,
        /// What is kept for sealing.
        reserve_bytes: u64,
    },
    /// The output is a file: name a directory.
    #[error("{} is not a directory: name an empty or new directory, or a dataset", .path.display())]
    NotADirectory {
        /// The output.
        path: PathBuf,
    },
    /// The output cannot be written: change its mode or name another.
    #[error("{} cannot be written", .path.display())]
    NotWritable {
        /// The output.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output holds something that is no dataset: name another directory.
    #[error("{} holds `{entry}`, which is no part of a dataset: name an empty or new directory, or a dataset", .path.display())]
    Foreign {
        /// The output.
        path: PathBuf,
        /// The first entry that does not belong.
        entry: String,
    },
    /// There is no dataset where one should be read.
    #[error("{} is no dataset: it has no manifest.jsonl", .path.display())]
    NoDataset {
        /// The directory.
        path: PathBuf,
    },
    /// A newer evscribe wrote it: update.
    #[error("{} has schema version {found}, this evscribe knows {} at most: update evscribe", .path.display(), crate::SCHEMA_VERSION)]
    NewerSchema {
        /// The dataset, file or journal.
        path: PathBuf,
        /// Its schema version.
        found: u32,
    },
    /// Another process writes here: stop it first.
    #[error("{} is in use by {}", .path.display(), holder(*.pid))]
    Busy {
        /// The directory that is locked.
        path: PathBuf,
        /// The other process, where the kernel tells.
        pid: Option<u32>,
    },
    /// A key file that cannot serve.
    #[error("key file {}: {why}", .path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        why: &'static str,
    },
    /// A text that is no public key; shown as far as it is no secret.
    #[error("`{text}` is no public key: {why}")]
    PublicKey {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A line in a file of recipients that is none.
    #[error("recipients file {}, line {line}", .path.display())]
    RecipientLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: Box<SinkError>,
    },
    /// More recipients than a file may have.
    #[error(
        "there are {found} recipients, a file may have {}, the workstation among them",
        crate::crypt::MAX_RECIPIENTS
    )]
    Recipients {
        /// How many there are.
        found: usize,
    },
    /// Nobody to encrypt for: name somebody, or choose plain files.
    #[error("there is nobody to encrypt for: name a recipient, or choose plain files")]
    NoRecipient,
    /// An encrypted file that none of the keys at hand opens: bring one that does.
    #[error(
        "it is encrypted for the keys {recipients}, and none of these is at hand: give the secret key of one (`--key`)"
    )]
    NoKey {
        /// Ids of the keys that open it.
        recipients: String,
    },
    /// Key metadata of a file that cannot be used: damaged, or not of this program.
    #[error("its key metadata cannot be used: {why}")]
    KeyMetadata {
        /// What is wrong with it.
        why: &'static str,
    },
    /// An encrypted file that cannot be read.
    #[error("cannot decrypt {}", .path.display())]
    Decrypt {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        source: Box<SinkError>,
    },
    /// A file that was encrypted for another place in a dataset: moved, or put
    /// there in the place of the right one.
    #[error("it was sealed for another place, {place}: it must stand there")]
    OtherPlace {
        /// The place it was sealed for.
        place: String,
    },
    /// A file that is not, bit for bit, what its key encrypted.
    #[error(
        "it is damaged or was changed since it was sealed, nothing of it can be trusted ({what}): take it from another copy"
    )]
    Tampered {
        /// What does not fit.
        what: String,
    },
    /// The journal holds nothing that authenticates: damaged, or another key.
    #[error("journal {}: {why}", .path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The journal was written by a version of this program that laid it out
    /// otherwise: start that version once, it seals it.
    #[error("journal {} is of version {found}: the evscribe that wrote it can seal it", .path.display())]
    JournalVersion {
        /// The journal.
        path: PathBuf,
        /// Its version.
        found: u16,
    },
    /// A Parquet file that cannot be read or written.
    #[error("parquet file {}", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// Rows that do not fit the schema.
    #[error("rows of table {} do not fit its schema", .table.name())]
    Arrow {
        /// Their table.
        table: Table,
        /// Why.
        source: arrow::error::ArrowError,
    },
    /// A file of the dataset that is not what its place says.
    #[error("{}: {why}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A row earlier than the last one of its table in this segment: finish
    /// the segment and begin another.
    #[error("a row of table {} at {at_us} µs comes after one at {last_us} µs", .table.name())]
    Late {
        /// The table.
        table: Table,
        /// Wall time of the row.
        at_us: i64,
        /// Wall time of the row before.
        last_us: i64,
    },
    /// A time that no calendar holds: the recording's clock is wrong.
    #[error("time {at_us} µs is outside the years 1 to 9998")]
    Time {
        /// Wall time of the row.
        at_us: i64,
    },
    /// A word that may not stand in a file name.
    #[error(
        "{what} `{word}` may hold only letters, digits, `-`, `_` and `.`, and not begin with `.`"
    )]
    Word {
        /// Which word.
        what: &'static str,
        /// The word.
        word: String,
    },
    /// Rows that are nobody's: begin a segment first.
    #[error("rows came before a segment was begun for anybody; they were not kept")]
    NotBegun,
    /// One row larger than a journal record may be.
    #[error("a row of table {} is larger than a journal record may be", .table.name())]
    TooLarge {
        /// The table.
        table: Table,
    },
    /// What is to be forgotten cannot be read: put it right before anything is
    /// recorded.
    #[error(
        "{} says what a person asked to have forgotten and cannot be read; nothing is recorded \
         until it is put right: remove it, and have that person ask again (`evscribe forget`, \
         `evscribe opt-out --erase`)", .path.display()
    )]
    Intent {
        /// The request.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The writer thread is gone.
    #[error("the writer thread has ended")]
    Gone,
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

/// Attaches the verb and the path to a failed call.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, SinkError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, SinkError> {
        self.map_err(|source| SinkError::Io { doing, path: path.into(), source: source.into() })
    }
}

/// Attaches the path to a failed call of the parquet crate.
pub(crate) trait InFile<T> {
    fn in_file(self, path: &Path) -> Result<T, SinkError>;
}

impl<T> InFile<T> for Result<T, parquet::errors::ParquetError> {
    fn in_file(self, path: &Path) -> Result<T, SinkError> {
        self.map_err(|source| SinkError::Parquet { path: path.into(), source })
    }
}

impl SinkError {
    /// Whether time can heal it, or an administrator, with the same call done
    /// again: the disk is at fault, not what is on it.
    pub(crate) fn heals(&self) -> bool {
        match self {
            Self::Io { .. }
            | Self::DiskFull { .. }
            | Self::NotWritable { .. }
            | Self::NoDataset { .. } => true,
            Self::Parquet { source: parquet::errors::ParquetError::External(source), .. } => {
                // A file that ends too early stays as short as it is.
                source.downcast_ref::<io::Error>().is_some_and(|error| {
                    !matches!(
                        error.kind(),
                        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
                    )
                })
            }
            _ => false,
        }
    }

    /// Whether a file is encrypted for keys that are not at hand.
    #[must_use]
    pub fn lacks_key(&self) -> bool {
        match self {
            Self::NoKey { .. } => true,
            Self::Decrypt { source, .. } => source.lacks_key(),
            _ => false,
        }
    }

    /// One fixed word for why the writer stands still, as marks and metrics
    /// say it: `disk_full`, `read_only`, `io_error` or `failed`.
    #[must_use]
    pub fn stall(&self) -> &'static str {
        let error = match self {
            Self::DiskFull { .. } => return "disk_full",
            Self::Io { source, .. } | Self::NotWritable { source, .. } => Some(source),
            Self::Parquet { source: parquet::errors::ParquetError::External(source), .. } => {
                source.downcast_ref::<io::Error>()
            }
            _ => None,
        };
        match error.map(io::Error::kind) {
            Some(
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge,
            ) => "disk_full",
            Some(io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) => {
                "read_only"
            }
            Some(_) => "io_error",
            None => "failed",
        }
    }
}
