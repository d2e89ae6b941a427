//! When to begin: once whoever should read has the devices open.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What to wait for after devices were plugged in.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    /// Always: time for udev's rules.
    pub(crate) settle: Duration,
    /// A process of this name must hold each node open.
    pub(crate) reader: Option<String>,
    /// A process of this name must hold one of them open, and wait for it.
    pub(crate) recorder: Option<String>,
    /// Made when the wait is over, for whoever waits for that.
    pub(crate) begun: Option<PathBuf>,
}

/// A reader that did not come by then will not come. Long: a guest's clock jumps
/// while its disk keeps everybody waiting.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often is looked.
const STEP: Duration = Duration::from_millis(10);

/// Returns when the devices settled and the reader, if one is named, has them all.
///
/// # Errors
/// Names the first node that the reader did not open in time.
pub(crate) fn wait_until_read(readiness: &Readiness, nodes: &[&str]) -> Result<()> {
    std::thread::sleep(readiness.settle);
    let paths: Vec<_> = nodes.iter().map(|node| Path::new("/dev/input").join(node)).collect();
    if let Some(reader) = &readiness.reader {
        for path in &paths {
            until(|| is_open_in(reader, path))
                .with_context(|| format!("{reader} did not open {}", path.display()))?;
        }
    }
    if let Some(recorder) = &readiness.recorder {
        until(|| paths.iter().any(|path| is_open_in(recorder, path)))
            .with_context(|| format!("{recorder} opened none of {}", nodes.join(", ")))?;
        wait_until_idle(recorder);
    }
    if let Some(begun) = &readiness.begun {
        fs::write(begun, "").with_context(|| format!("cannot write {}", begun.display()))?;
    }
    Ok(())
}

/// Returns when the process of that name waits for something else than its turn or
/// a disk: it has read what was sent. Not for ever, where it never does.
pub(crate) fn wait_until_idle(name: &str) {
    let _ = until(|| processes(name).all(|process| !is_busy(&process)));
}

fn until(mut holds: impl FnMut() -> bool) -> Result<()> {
    let started = Instant::now();
    while !holds() {
        if started.elapsed() > PATIENCE {
            bail!("not within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

/// The folders in /proc of the processes of that name.
pub(crate) fn processes(name: &str) -> impl Iterator<Item = PathBuf> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    all.filter(move |process| {
        fs::read_to_string(process.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    })
}

/// Whether its main thread runs, may run, or waits for a disk.
fn is_busy(process: &Path) -> bool {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // The name, in brackets, may hold anything.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, Some('R' | 'D'))
}

/// Whether a process named `reader` holds `node`; sees other users' only as root.
fn is_open_in(reader: &str, node: &Path) -> bool {
    processes(reader)
        .filter_map(|process| fs::read_dir(process.join("fd")).ok())
        .flat_map(|fds| fds.flatten())
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == node))
}
