//! The one error of this crate.

use std::io;
use std::path::{Path, PathBuf};

use evscribe_sink::SinkError;

use crate::Place;

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
    /// A file of the lake is missing, is not what the record says, or does not open:
    /// bring the key, or leave it out (`--skip-bad`).
    #[error("{path} cannot be used; it was left as it is")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: SinkError,
    },
    /// A file that is written anew is for keys of which only the id is known: name
    /// them, or choose others.
    #[error(
        "{path} is also for the keys {missing}, whose public keys are not known here: give each as --recipient, with the others that shall read it, or choose other recipients"
    )]
    Recipients {
        /// The file.
        path: String,
        /// Ids of the keys.
        missing: String,
    },
    /// A text that cannot be a person's pseudonym.
    #[error("`{text}` is no pseudonym of a person: it has letters, digits, - and _ only")]
    Subject {
        /// What was given.
        text: String,
    },
    /// A dataset's file or its keys.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

impl LakeError {
    /// Whether a file is encrypted for keys that are not at hand.
    #[must_use]
    pub fn lacks_key(&self) -> bool {
        match self {
            Self::File { source, .. } | Self::Sink(source) => source.lacks_key(),
            _ => false,
        }
    }

    /// Whether it is about that file of the lake.
    pub(crate) fn is_of(&self, place: &Place, of: &str) -> bool {
        matches!(self, Self::File { path, .. } if *path == place.shown(of))
    }

    /// It and its causes, in a line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.extend([": ", &error.to_string()]);
            cause = error.source();
        }
        text
    }

    /// Of a file of the lake that cannot be read, whatever is to blame: it holds up
    /// no other file.
    pub(crate) fn file(place: &Place, path: &str, source: SinkError) -> Self {
        Self::File { path: place.shown(path), source }
    }

    /// What was said when that file was asked for: about the file, where it is.
    pub(crate) fn of_reading(self, place: &Place, path: &str) -> Self {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Self::bad(place, path, "it is missing")
            }
            Self::Store { source: object_store::Error::NotFound { .. }, .. } => {
                Self::bad(place, path, "it is missing")
            }
            Self::Io { doing, path: at, source } => {
                Self::file(place, path, SinkError::Io { doing, path: at, source })
            }
            other => other,
        }
    }

    /// As [`LakeError::file`], in these words.
    pub(crate) fn bad(place: &Place, path: &str, why: &str) -> Self {
        let source = SinkError::Malformed { path: path.into(), why: why.into() };
        Self::File { path: place.shown(path), source }
    }
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
