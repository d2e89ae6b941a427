//! What keeps a file from being read: the file itself, or the way to it.

use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, catch_unwind};

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;

/// Files that an error names one by one.
const NAMED: usize = 20;

/// A file that cannot be read: leaving it out helps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bad {
    /// The file, as people name it.
    pub(super) file: String,
    /// What is wrong with it and what to do.
    pub(super) why: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.why)
    }
}

impl std::error::Error for Bad {}

/// Files for which a query was refused; at least one.
#[derive(Clone, Debug)]
pub(super) struct Refused(pub(super) Vec<Bad>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for bad in self.0.iter().take(NAMED) {
            writeln!(f, "{bad}")?;
        }
        if let Some(more) = self.0.len().checked_sub(NAMED).filter(|more| *more > 0) {
            writeln!(f, "… and {more} more")?;
        }
        let files = if self.0.len() == 1 { "one file" } else { "files" };
        write!(f, "the query needs {files} that cannot be read; --skip-bad leaves such files out")
    }
}

impl std::error::Error for Refused {}

/// Why a file was not read.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is at fault: the words say how.
    File(String),
    /// The storage is, or a file is gone meanwhile: nobody knows what is in it.
    Store(object_store::Error),
}

impl From<object_store::Error> for Fault {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::PermissionDenied { source, .. } => {
                Self::File(format!("it may not be read: {source}"))
            }
            error => Self::Store(error),
        }
    }
}

/// Whether the bytes of a file are what `error` is about: not the query, the
/// memory or the network.
pub(super) fn is_of_the_bytes(error: &DataFusionError) -> bool {
    match error.find_root() {
        // What is external is the storage.
        DataFusionError::ParquetError(error) => !matches!(**error, ParquetError::External(_)),
        DataFusionError::ArrowError(error, _) => {
            matches!(error.as_ref(), ArrowError::ParquetError(_))
        }
        _ => false,
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The reader of hostile bytes gave up by a panic.
#[derive(Clone, Copy, Debug)]
pub(super) struct GaveUp;

/// What is said of a file that made the reader panic.
pub(super) const GAVE_UP: &str = "the Parquet reader gives it up: it is damaged";

/// Keeps a panic of the Parquet reader on hostile bytes from ending the process,
/// and from being printed.
///
/// # Errors
/// [`GaveUp`] where `read` panicked.
pub(super) fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, GaveUp> {
    let before = QUIET.replace(true);
    let read = catch_unwind(AssertUnwindSafe(read));
    QUIET.set(before);
    read.map_err(|_| GaveUp)
}

/// Lets [`guarded`] panics be silent; every other is printed as ever.
pub(super) fn hush() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !QUIET.get() {
            print(panic);
        }
    }));
}
