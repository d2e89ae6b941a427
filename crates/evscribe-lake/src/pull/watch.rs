//! What a run tells while it goes on.

use super::report::HostReport;

/// Something happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A host is being pulled.
    Began {
        /// Its place in the list.
        host: usize,
    },
    /// How much is to come of it; said once more where it changes.
    Planned {
        /// Its place in the list.
        host: usize,
        /// Files.
        files: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// A file of it came over the line.
    Arrived {
        /// Its place in the list.
        host: usize,
        /// Its bytes.
        bytes: u64,
    },
    /// A host is done.
    Ended {
        /// Its place in the list.
        host: usize,
        /// What came of it.
        report: &'a HostReport,
    },
}

/// Who is told. It is called from many tasks and must not wait.
pub type Watch = Box<dyn Fn(Event<'_>) + Send + Sync>;
