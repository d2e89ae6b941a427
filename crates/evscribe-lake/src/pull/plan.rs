//! What is to be done, of what a host offers and what the lake holds of it; pure.
//!
//! | the lake has | tombstone's newest word | offered | done |
//! |---|---|---|---|
//! | – | – | x | pulled |
//! | x | – | x | nothing |
//! | x | – | y | pulled, takes its place |
//! | x | – | – | nothing: keeping it is what the lake is for |
//! | x | gone | any | taken out |
//! | x | y | y | taken out, then pulled |
//! | – or y | gone, or y | x | not pulled: it says so of something that is forgotten |
//! | any | any | of somebody who was erased | not pulled, counts as had |
//!
//! Where the lake has a path in several files, each counts: one that is another
//! than it should be is enough to take out all.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use evscribe_sink::{SealedFile, Tombstone};

use super::offer::Offer;
use crate::{Erased, HostRecord, Source};

/// What is to be done for one host, in this order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Plan {
    /// Sources that go out of the lake at once, by path.
    pub(super) take_out: Vec<String>,
    /// Of these, those that are gone for good or until they are offered again.
    pub(super) removed: Vec<String>,
    /// Tombstones that the record does not have yet.
    pub(super) fresh: Vec<Tombstone>,
    /// Places that these name and the record knows no file at: what lies there came
    /// by a pull that was killed before it was written down.
    pub(super) unknown: BTreeSet<String>,
    /// What is pulled.
    pub(super) fetch: Vec<SealedFile>,
    /// How many of these take the place of an older version.
    pub(super) replaced: HashSet<String>,
    /// How many are there already.
    pub(super) already: usize,
    /// How many are of somebody who was erased.
    pub(super) erased: usize,
    /// Offered, though a tombstone says that these bytes are no more, or where the
    /// lake has a merged file.
    pub(super) forgotten: Vec<String>,
}

impl Plan {
    /// What is offered as the record has it, and is lost, is pulled after all.
    pub(super) fn fetch_again(&mut self, lost: Vec<SealedFile>) {
        for file in lost {
            let is_planned = |path: &String| *path == file.path;
            if !self.fetch.iter().any(|fetched| fetched.path == file.path)
                && !self.forgotten.iter().any(is_planned)
                && !self.take_out.iter().any(is_planned)
            {
                self.already = self.already.saturating_sub(1);
                self.fetch.push(file);
            }
        }
    }
}

/// Plans for the host of `record`, which is the host of `offer`.
pub(super) fn plan(
    record: &HostRecord,
    offer: &Offer,
    tombstones: &[Tombstone],
    erased: &Erased,
) -> Plan {
    let mut held: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (path, file) in &record.files {
        for Source { sealed } in &file.sources {
            held.entry(&sealed.path).or_default().push((path, &sealed.sha256));
        }
    }
    let known: HashSet<_> = record.tombstones.iter().map(identity).collect();
    let fresh: Vec<&Tombstone> =
        tombstones.iter().filter(|line| !known.contains(&identity(line))).collect();
    let all = record.tombstones.iter().chain(fresh.iter().copied());
    let last: BTreeMap<&str, Option<&str>> =
        all.map(|line| (line.file.as_str(), line.sha256.as_deref())).collect();
    let is_forgotten =
        |path: &str, sha256: &str| last.get(path).is_some_and(|now| *now != Some(sha256));

    let unknown = fresh.iter().map(|line| &line.file);
    let unknown = unknown.filter(|path| !record.files.contains_key(*path)).cloned().collect();
    let fresh = fresh.into_iter().cloned().collect();
    let mut plan = Plan { fresh, unknown, ..Plan::default() };
    for (path, all) in &held {
        if all.iter().any(|(_, sha256)| is_forgotten(path, sha256)) {
            plan.take_out.push((*path).to_owned());
        }
    }
    let gone: HashSet<String> = plan.take_out.iter().cloned().collect();
    for (path, file) in &offer.files {
        let old = held.get(path.as_str()).map(Vec::as_slice).unwrap_or_default();
        let is_taken = record.files.get(path).is_some_and(|there| !there.is_as_sealed(path));
        if is_taken || is_forgotten(path, &file.sha256) {
            plan.forgotten.push(path.clone());
        } else if erased.subjects.contains_key(&file.subject) {
            plan.erased += 1;
        } else if !gone.contains(path) && matches!(old, [(_, has)] if *has == file.sha256) {
            plan.already += 1;
        } else {
            plan.fetch.push(file.clone());
            if !old.is_empty() {
                plan.replaced.insert(path.clone());
            }
            // Rows inside a merged file are not replaced by putting a file there.
            if old.iter().any(|(at, _)| at != path) && !gone.contains(path) {
                plan.take_out.push(path.clone());
            }
        }
    }
    plan.removed = gone.into_iter().filter(|path| !plan.replaced.contains(path)).collect();
    plan
}

fn identity(line: &Tombstone) -> (&str, &str, &str, i64, i64, Option<&str>) {
    let Tombstone { file, subject, at, from_us, until_us, sha256, host: _ } = line;
    (file, subject, at, *from_us, *until_us, sha256.as_deref())
}

/// The files in portions: of each, its number times its longest file is at most
/// `max_bytes`, so that a host that sends more than it says is stopped there.
pub(super) fn portions(
    mut files: Vec<SealedFile>,
    max_files: usize,
    max_bytes: u64,
) -> Vec<Vec<SealedFile>> {
    files.sort_by(|a, b| (a.bytes, &a.path).cmp(&(b.bytes, &b.path)));
    let mut portions: Vec<Vec<SealedFile>> = Vec::new();
    for file in files {
        match portions.last_mut() {
            Some(last)
                if last.len() < max_files
                    && file.bytes.saturating_mul(last.len() as u64 + 1) <= max_bytes =>
            {
                last.push(file);
            }
            _ => portions.push(vec![file]),
        }
    }
    portions
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
