//! Forgetting: a person's rows of a span, or everything of theirs, gone from
//! what is sealed.
//!
//! ```text
//! intent ─► journals sealed ─► plan ─► forget marks ─► each file rewritten ─► tombstones ─► ledger ─► intent gone
//! ```
//! The intent is durable first; from then on a kill anywhere ends in forgotten:
//! [`recover`](crate::recover) takes it up again. Each step may be done twice.
//! The plan is made once and kept with the intent, so that a second try gives
//! the same files and numbers.
//!
//! What a span takes with it, and what it leaves:
//!
//! | | |
//! |---|---|
//! | `events`, `touch` with `from <= time < until` | go |
//! | behind the span: releases, moves and ups whose press or down is in it | go |
//! | before the span: presses and downs whose release or up is in it | stay |
//! | rows behind the span | stay, under a run that a `forget` mark begins |
//! | marks, devices | stay: they tell of absence, not of content |
//!
//! Not handled: what the disk keeps of a removed file until it writes over it;
//! copies that were pulled (the tombstones are for them).

mod act;
mod intent;
mod plan;
mod rewrite;
mod scan;
pub(crate) mod subjects;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub(crate) use act::Fulfilled;
pub(crate) use intent::Intent;

/// What shall be forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forget {
    /// Comes back in [`Report::Forgotten`](crate::Report::Forgotten).
    pub ticket: u64,
    /// The person's pseudonyms, one for each policy period.
    pub subjects: Vec<String>,
    /// From when, wall time in µs since 1970-01-01 UTC.
    pub from_us: i64,
    /// Until before when; now, where it is later. `i64::MAX`: to the newest row,
    /// though it stands in the future because the clock was set back since.
    pub until_us: i64,
    /// The first of the run numbers that are reserved for it. They must never be
    /// given to other rows, also after a crash: save the counters before.
    pub fresh_run: i32,
    /// How many are reserved. One is needed for each run that goes on behind
    /// the span, so for each device that was open then; where they are too few,
    /// it is forgotten at the next start, which takes what it needs.
    pub runs: i32,
    /// Why: `person_asked`, `hotkey`, `seat`, `opt_out`, …, one fixed word. It stands in
    /// the mark and in the ledger.
    pub reason: &'static str,
    /// Everything of theirs, whatever the span says: each file of theirs is
    /// removed whole, and nothing is written in its place.
    pub erase: bool,
}

/// What was forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Forgotten {
    /// How many rows.
    pub rows: u64,
    /// How many files were rewritten or removed for it.
    pub files: u64,
}
