//! What may be opened and what may be kept.
//!
//! [`Policy`] is `policy.toml`, read and checked as a whole; [`Policy::standing`]
//! answers whether a person may be recorded and how much of it is kept;
//! [`Redactor`] takes out of each row what the level forbids. Nothing here
//! opens a device or writes a file.
#![forbid(unsafe_code)]

mod check;
mod policy;
mod redact;
mod seat;

pub use check::PolicyError;
pub use policy::{DEFAULT_PATH, Policy, Retention, Segment, Standing, hex_sha256};
pub use redact::Redactor;
pub use seat::{ActiveSession, SEATS_DIR, active_session};
