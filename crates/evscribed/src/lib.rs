//! The collector: reads the devices that may be read, and hands rows to the
//! sink. The daemon `evscribed` runs it under the administrator's policy,
//! `evscribe record` runs it in the foreground for the person who started it.
#![forbid(unsafe_code)]

mod args;
mod clock;
mod deadline;
mod devices;
mod gate;
mod host;
mod pipeline;
mod report;
mod saved;
mod service;
mod status;
mod stderr;
mod systemd;

pub use args::DaemonArgs;
pub use gate::{Gate, Person, Verdict};
pub use host::Host;
pub use report::say_recovery;
pub use service::{SEGMENT_AGE, SEGMENT_BYTES, Service, Settings, retention};
pub use status::{Face, METRICS_FILE, OpenDevice, STATUS_FILE, State, Status};
pub use stderr::log_to_stderr;
pub use systemd::Systemd;
