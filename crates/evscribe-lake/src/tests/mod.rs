//! Lakes made of datasets that really were sealed, merged, erased, checked, and
//! left at every moment by a kill.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod bad;
mod changing;
mod erasing;
mod killed;
pub(crate) mod lakes;
mod merging;
mod storage;
#[path = "../../../evscribe-sink/tests/support/mod.rs"]
mod support;
mod verifying;
