//! Reading a dataset back: whether it holds what it promises, how much it is,
//! what its first rows say. Takes no lock: a writer may go on meanwhile.

mod file;
mod head;
mod stats;
mod verify;

pub use head::{Head, head};
pub use stats::{DeviceStats, MarkStats, Stats, stats};
pub use verify::{Problem, VerifyReport, verify};
