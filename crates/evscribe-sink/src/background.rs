//! Threads that work while another one reads devices.

use std::io;
use std::thread::{Builder, JoinHandle};

use rustix::process::{getpriority_process, setpriority_process};

/// Starts a thread of that name. Where the process goes before others for the
/// processor, so that its reader does, this thread does not: what it computes
/// must keep neither the reader waiting nor whoever works at the machine.
///
/// # Errors
/// Where no thread can be started.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.into()).spawn(move || {
        // `None` is this thread alone: setpriority(2), NOTES. Refused, it works as
        // it did before.
        if getpriority_process(None).is_ok_and(|nice| nice < 0) {
            let _ = setpriority_process(None, 0);
        }
        work()
    })
}
