//! Which files may be pulled now; pure.

use std::{collections::BTreeMap, time::Duration};

use super::book::Entry;
use crate::SealedFile;

/// What may be pulled.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    /// Sorted by path.
    pub(super) offer: Vec<&'a SealedFile>,
    /// How many cool off.
    pub(super) waiting: u64,
    /// When the next of them is done with it, on the steady clock, µs.
    pub(super) next_us: Option<i64>,
}

/// Of the live files those that have cooled off for `cooling_off`; none where
/// nothing may be pulled. What is not in the book was not seen before, and waits.
/// What may hold something that is to be forgotten is withheld.
pub(super) fn plan<'a>(
    live: &'a BTreeMap<String, SealedFile>,
    book: &BTreeMap<String, Entry>,
    is_withheld: impl Fn(&SealedFile) -> bool,
    cooling_off: Option<Duration>,
    now_us: i64,
) -> Plan<'a> {
    let mut plan = Plan::default();
    let Some(cooling_off) = cooling_off else { return plan };
    let cooling_us = i64::try_from(cooling_off.as_micros()).unwrap_or(i64::MAX);
    for file in live.values().filter(|file| !is_withheld(file)) {
        let since_us = book.get(&file.path).map_or(now_us, |entry| entry.since_us);
        let until_us = since_us.saturating_add(cooling_us);
        if until_us <= now_us {
            plan.offer.push(file);
        } else {
            plan.waiting += 1;
            plan.next_us = Some(plan.next_us.map_or(until_us, |next_us| next_us.min(until_us)));
        }
    }
    plan
}
