//! Signals that end a query, so that what it began to write goes with it.

use std::fs;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that ask to end; of Ctrl-C, of `kill`, of a terminal that was closed.
#[derive(Debug)]
pub(super) struct Stop {
    interrupt: Option<Signal>,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Stop {
    /// From here on these signals end nothing by themselves.
    ///
    /// # Errors
    /// Where signals cannot be caught.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unless_ignored(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: unless_ignored(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them; returns the exit code that a shell gives it.
    pub(super) async fn asked(self) -> u8 {
        let Self { interrupt, mut terminate, hangup } = self;
        let kind = tokio::select! {
            () = came(interrupt) => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
            () = came(hangup) => SignalKind::hangup(),
        };
        u8::try_from(kind.as_raw_value()).map_or(u8::MAX, |number| 128 | number)
    }
}

/// Waits for the signal; for ever where it is not listened for.
async fn came(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Listens for it, unless whoever started this process did not want it to end this:
/// with nohup(1) a closed terminal, behind a shell's `&` Ctrl-C.
fn unless_ignored(kind: SignalKind) -> io::Result<Option<Signal>> {
    (!is_ignored(kind)).then(|| signal(kind)).transpose()
}

/// Whether this process was started with the signal ignored. Source: proc(5), SigIgn.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| (set >> (kind.as_raw_value() - 1)) & 1 == 1)
}
