//! In which order the records of a damaged journal are read.
//!
//! A record's sequence is authenticated, its place is not: wherever a record
//! ended up, it is read in its turn, and once.

use std::{cmp::Reverse, ops::Range};

use super::{Damage, DamageKind, RecordHead};

/// A record that authenticates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authentic {
    pub(super) at: u64,
    pub(super) bytes: u64,
    pub(super) head: RecordHead,
}

/// What to do next with a journal.
#[derive(Debug)]
pub(super) enum Step {
    Read(Authentic),
    Report(Damage),
}

/// The steps through what follows the records up to `sequence` and `attempt`.
///
/// `records` and `unusable`, the bytes that are none, are by place and fill the
/// journal to its end. Of a sequence that was written twice the last attempt
/// counts; an attempt after which another was begun never became part of the
/// journal.
pub(super) fn steps(
    mut records: Vec<Authentic>,
    unusable: Vec<Range<u64>>,
    (mut sequence, mut attempt): (u64, u32),
    end: u64,
) -> Vec<Step> {
    records.sort_by_key(|record| (record.head.sequence, Reverse(record.head.attempt), record.at));
    let mut damages = Vec::new();
    let mut kept = Vec::new();
    for record in records {
        let Authentic { at, bytes, head } = record;
        if head.sequence <= sequence || head.attempt < attempt {
            damages.push(Damage { at, bytes, kind: DamageKind::Repeated });
            continue;
        }
        let is_missing = head.sequence - sequence > 1;
        let hole = is_missing.then_some(Damage { at, bytes: 0, kind: DamageKind::Hole });
        (sequence, attempt) = (head.sequence, head.attempt);
        kept.push((record, hole));
    }
    for Range { start: at, end: to } in unusable {
        let bytes = to - at;
        let mut holes = kept.iter_mut().filter_map(|(_, hole)| hole.as_mut());
        if let Some(hole) = holes.find(|hole| hole.at == to) {
            (hole.at, hole.bytes) = (at, bytes);
        } else {
            let kind = if to == end { DamageKind::Tail } else { DamageKind::Stray };
            damages.push(Damage { at, bytes, kind });
        }
    }
    damages.sort_by_key(|damage| damage.at);
    let mut damages = damages.into_iter().peekable();
    let mut steps = Vec::new();
    for (record, hole) in kept {
        while let Some(damage) = damages.next_if(|damage| damage.at < record.at) {
            steps.push(Step::Report(damage));
        }
        steps.extend(hole.map(Step::Report));
        steps.push(Step::Read(record));
    }
    steps.extend(damages.map(Step::Report));
    steps
}
