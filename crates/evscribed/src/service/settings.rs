//! Where the collector finds and keeps things.

use std::path::PathBuf;
use std::time::Duration;

use evscribe_sink::crypt::AtRest;
use evscribe_sink::{Keys, Retention};

use crate::host::Host;

/// Segments close after this long where no policy says otherwise.
pub const SEGMENT_AGE: Duration = Duration::from_secs(60 * 60);
/// And at this size of their journal, bytes.
pub const SEGMENT_BYTES: u64 = 16 << 20;

/// Where things are and how they are kept.
#[derive(Debug)]
pub struct Settings {
    /// Folder of links to the devices that may be read.
    pub links: PathBuf,
    /// Whether people are served over the bus: the service, not the foreground.
    pub serves: bool,
    /// Where what must survive is kept, outside the dataset.
    pub state: PathBuf,
    /// Where sealed files go.
    pub dataset: PathBuf,
    /// The workstation's key.
    pub keys: Keys,
    /// Which host and boot this is.
    pub host: Host,
    /// How files are sealed from now on, and for whom besides the workstation.
    pub at_rest: AtRest,
    /// How long and how much sealed data stays.
    pub retention: Retention,
    /// A segment closes this long after its first row.
    pub segment_age: Duration,
    /// A segment closes when its journal is this large, bytes.
    pub segment_bytes: u64,
}
