//! What the fuzz targets do with an input: one function each, named as the
//! target in `fuzz/fuzz_targets`.
//!
//! A function takes any bytes and panics where a promise of the code under test
//! is broken. It stands here, without libFuzzer, so that `cargo test` on any
//! toolchain repeats every input that is kept in `fuzz/corpus` and every
//! finding in `fuzz/findings` (see `tests/kept.rs`).
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a target tells of a finding"
)]

mod frames;
mod inputs;
mod journal;
mod policy;
mod recording;
mod rows;

pub use frames::frames;
pub use journal::journal;
pub use policy::policy;
pub use recording::{evemu, libinput};

/// A target: takes any bytes, panics at a finding.
pub type Target = fn(&[u8]);

/// All of them by name.
pub const TARGETS: [(&str, Target); 5] = [
    ("evemu", evemu),
    ("libinput", libinput),
    ("policy", policy),
    ("frames", frames),
    ("journal", journal),
];
