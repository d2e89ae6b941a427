//! When to begin: once whoever should read has the devices open.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What to wait for after devices were plugged in.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    /// Always: time for udev's rules.
    pub(crate) settle: Duration,
    /// A process of this name must hold each node open.
    pub(crate) reader: Option<String>,
}

/// A reader that did not come by then will not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns when the devices settled and the reader, if one is named, has them all.
///
/// # Errors
/// Names the first node that the reader did not open in time.
pub(crate) fn wait_until_read(readiness: &Readiness, nodes: &[&str]) -> Result<()> {
    std::thread::sleep(readiness.settle);
    let Some(reader) = &readiness.reader else { return Ok(()) };
    let started = Instant::now();
    for node in nodes {
        while !is_open_in(reader, &Path::new("/dev/input").join(node)) {
            if started.elapsed() > PATIENCE {
                bail!("{reader} did not open {node} within {} s", PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

/// Whether a process named `reader` holds `node`; sees other users' only as root.
fn is_open_in(reader: &str, node: &Path) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes
        .flatten()
        .map(|p| p.path())
        .filter(|p| fs::read_to_string(p.join("comm")).is_ok_and(|c| c.trim_end() == reader))
        .filter_map(|p| fs::read_dir(p.join("fd")).ok())
        .flat_map(|fds| fds.flatten())
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == node))
}
