//! The collector: reads the devices that may be read, and hands rows to the
//! sink. The daemon `evscribed` runs it under the administrator's policy,
//! `evscribe record` runs it in the foreground for the person who started it.
#![forbid(unsafe_code)]

mod args;
mod at_rest;
mod bus;
mod clock;
mod deadline;
mod devices;
mod gate;
mod host;
mod hotkey;
mod leader;
mod pipeline;
mod report;
mod saved;
mod seat;
mod service;
mod status;
mod stderr;
mod systemd;
mod vt;

pub use args::DaemonArgs;
pub use at_rest::at_start;
pub use bus::{NAME, PATH, seat_now};
pub use gate::{Because, Closed, Gate, Person, Verdict};
pub use host::Host;
pub use report::say_recovery;
pub use seat::{Seat, Session};
pub use service::{LEDGER, SEGMENT_AGE, SEGMENT_BYTES, Service, Settings, people, retention};
pub use status::{Face, METRICS_FILE, OpenDevice, Recipient, STATUS_FILE, State, Status};
pub use stderr::log_to_stderr;
pub use systemd::Systemd;

/// As in `main.rs`: what is found in memory is found with it.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);
