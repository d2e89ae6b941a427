//! What may be opened and what may be kept.
//!
//! [`Policy`] is `policy.toml` with its drop-ins, read and checked as a whole;
//! [`People`] is what each person decided, and [`People::standing`] whether they
//! may be recorded; [`Redactor`] takes out of each row what the level forbids.
//! Nothing here opens a device or writes a file.
#![forbid(unsafe_code)]

mod at_rest;
mod check;
mod file;
mod ground;
mod hotkey;
mod notice;
mod people;
mod policy;
mod redact;
mod schedule;
mod words;

pub use at_rest::{AtRest, RECIPIENTS_PATH};
pub use check::PolicyError;
pub use ground::{Basis, Relationship, Renew};
pub use hotkey::Hotkey;
pub use notice::{consequences, keys_in_words, pointer_in_words};
pub use people::{Acknowledgement, People, Record, Refused, Standing};
pub use policy::{DEFAULT_PATH, Policy, Retention, Segment, hex_sha256};
pub use redact::Redactor;
pub use schedule::{Moment, Schedule};
