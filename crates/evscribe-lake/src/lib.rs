//! The lake: what was pulled from many workstations, in one dataset.
//!
//! ```text
//! lake/<table>/date=…/host=…/….parquet    as on the workstations, for every engine
//! lake/_evscribe/hosts/<host>.json        what the lake holds of each host   ([`HostRecord`])
//! lake/_evscribe/erased.json              who was erased and is not pulled again
//! ```
//! A lake is a folder or a prefix of storage that speaks S3 ([`Place`]); one
//! program at a time changes it ([`Held`]). What the records say is the truth:
//! a file that no record knows is left over from a step that was interrupted.
//!
//! Whoever holds the lake calls [`recover`] first. A source is taken out of the
//! lake, or replaced, wherever its rows are, by [`change`]: pulling does so for
//! tombstones (with a [`Sealing`] of the keys at hand), erasing for a person.
#![forbid(unsafe_code)]

mod change;
mod concat;
mod data_path;
mod erase;
mod error;
mod intent;
mod lock;
mod look;
mod merge;
mod place;
pub mod pull;
mod record;
mod sealing;
mod steps;
mod swap;
#[cfg(test)]
mod tests;
mod verify;

pub use change::{Change, Changed, change};
pub use data_path::DataPath;
pub use erase::{ErasedSource, Proof, Receipt, erase};
pub use error::LakeError;
pub use intent::{Incoming, recover};
pub use lock::Held;
pub use merge::{MergeReport, Merged, Merging, Noted, merge};
pub use place::{Fetched, Listed, Place};
pub use record::{Erased, HostRecord, LakeFile, Source};
pub use sealing::{Sealing, Wanted};
pub use verify::{LakeReport, Problem, verify};
