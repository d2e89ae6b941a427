//! What can be wrong with a recording.

use std::io;
use std::path::PathBuf;

/// Why a recording cannot be read on.
///
/// What was read before is valid; the caller decides whether to keep it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is neither of the formats that are known.
    #[error(
        "{} is no recording: neither evemu text nor the output of libinput record",
        path.display()
    )]
    NotARecording {
        /// The file.
        path: PathBuf,
    },
    /// A line does not say what the format demands.
    #[error("{}:{line}: {cause}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        cause: Cause,
    },
}

/// What is wrong with a line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Something else stands where a number should.
    #[error("{what} \"{text}\" is not a number")]
    NotANumber {
        /// What the number says.
        what: &'static str,
        /// What stands there, shortened.
        text: String,
    },
    /// The number cannot be true.
    #[error("{what} {text} is not within {min} and {max}")]
    OutOfRange {
        /// What the number says.
        what: &'static str,
        /// What stands there, shortened.
        text: String,
        /// Least that is possible.
        min: i64,
        /// Most that is possible.
        max: i64,
    },
    /// The line, or the recording, ends too early.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Something that the format does not know.
    #[error("\"{0}\" is not expected here")]
    Unexpected(String),
    /// The device is described after its first event, or twice.
    #[error("the device is described already")]
    DescribedAlready,
    /// The line does not fit the memory set aside for one.
    #[error("the line is longer than {max} bytes")]
    LineTooLong {
        /// Bytes that fit.
        max: usize,
    },
    /// The last line has no line break, so it may lack its end.
    #[error("the recording is cut short: its last line has no line break")]
    CutShort,
    /// A version of the format that nobody has described.
    #[error("version {0} of the format is not known")]
    Version(String),
    /// More devices than numbers for them.
    #[error("there is no number left for another device")]
    TooManyDevices,
    /// The header promises more devices than follow.
    #[error("the recording is cut short: it should hold {stated} devices and holds {found}")]
    DevicesMissing {
        /// Devices that the header states.
        stated: i64,
        /// Devices that were there.
        found: i64,
    },
}
