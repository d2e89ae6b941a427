//! The one error of this crate.

use std::io;
use std::path::{Path, PathBuf};

use evscribe_sink::SinkError;

/// Why the lake could not do what was asked.
///
/// Whatever fails, files of the lake are whole, and what its records say is so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// A call to the operating system failed.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// What was being done, as a verb: `open`, `write`.
        doing: &'static str,
        /// The file or directory at fault.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The storage refused or cannot be reached: try again, or look at its settings.
    #[error("cannot {doing} {path}")]
    Store {
        /// What was being done, as a verb.
        doing: &'static str,
        /// The object at fault.
        path: String,
        /// Why.
        source: object_store::Error,
    },
    /// The name of a lake is none: name a folder or s3://bucket/prefix.
    #[error("{text} is no place of a lake: {why}")]
    NoPlace {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Another program changes the lake: wait for it.
    #[error("{lake} is being changed by {holder}: wait until it is done")]
    Busy {
        /// The lake.
        lake: String,
        /// Who holds it.
        holder: String,
    },
    /// The lake was taken over by another program, since this one was silent for
    /// too long: start again, what was recorded stays.
    #[error(
        "{lake} was taken over by another program; what was done so far is recorded, run this again"
    )]
    Lost {
        /// The lake.
        lake: String,
    },
    /// A record of the lake cannot be read: it is damaged, or of a newer version.
    #[error("{path} cannot be read: {why}")]
    Record {
        /// The record.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A dataset's file or its keys.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// Says of a failed call what was being done, and to which file.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, LakeError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, LakeError> {
        self.map_err(|source| LakeError::Io { doing, path: path.into(), source })
    }
}

/// Says of a failed request what was being done, and to which object.
pub(crate) trait InStore<T> {
    fn in_store(self, doing: &'static str, path: &str) -> Result<T, LakeError>;
}

impl<T> InStore<T> for object_store::Result<T> {
    fn in_store(self, doing: &'static str, path: &str) -> Result<T, LakeError> {
        self.map_err(|source| LakeError::Store { doing, path: path.into(), source })
    }
}
