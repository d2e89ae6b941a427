//! What is to be done to forget, worked out once.

use std::{collections::BTreeMap, ops::Range, path::Path};

use serde::{Deserialize, Serialize};

use super::{Forgotten, intent::Intent, scan::Scan, subjects};
use crate::{SealedFile, SinkError, Table, crypt::Keyring, manifest};

/// What is to be done.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Head of the ledger that the files with the marks carry.
    pub(super) head: Option<String>,
    /// Files that are removed whole.
    pub(super) whole: Vec<Target>,
    /// What is done within files, by host and boot.
    pub(super) boots: Vec<BootPlan>,
    /// Files that are gone from here but were pulled: their holders are told.
    #[serde(default)]
    pub(super) gone: Vec<Target>,
    /// Journals that cannot be sealed now and may hold some of it.
    pub(super) unsealed: Vec<String>,
}

/// A file that is touched.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) path: String,
    pub(super) subject: String,
    pub(super) host: String,
    /// How many rows of it go.
    pub(super) rows: u64,
}

impl Target {
    pub(super) fn of(file: &SealedFile, rows: u64) -> Self {
        let SealedFile { path, subject, host, .. } = file.clone();
        Self { path, subject, host, rows }
    }
}

/// What is done to the files of one host and boot. Times are on the boot clock.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct BootPlan {
    pub(super) holes: Vec<Hole>,
    pub(super) runs: Vec<FreshRun>,
    pub(super) strokes: Vec<Stroke>,
    pub(super) tails: Vec<Tail>,
    pub(super) files: Vec<Target>,
}

/// A span of one session, under one anchor, in which rows go.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Hole {
    pub(super) session: String,
    pub(super) from_us: i64,
    pub(super) until_us: i64,
    /// Of the files it is in, as a journal's header holds it.
    pub(super) provenance: String,
}

/// A run that goes on behind a hole, and its number there.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct FreshRun {
    pub(super) run: i32,
    /// The place of the hole.
    pub(super) hole: usize,
    pub(super) device: i16,
    pub(super) fresh: i32,
}

/// A stroke whose press goes and whose release, behind the span, goes too.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Stroke {
    pub(super) session: String,
    pub(super) stroke: i32,
}

/// Moves, ups and leaves of a contact behind the span that go too, because what
/// began them does; both times inclusive.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) session: String,
    pub(super) contact: i32,
    pub(super) from_us: i64,
    pub(super) until_us: i64,
}

impl Plan {
    /// Works it out for what is sealed. Numbers of runs are taken from `fresh`;
    /// `None` where it has too few, nothing is taken then.
    ///
    /// A file that holds rows of the span and cannot be read goes whole.
    ///
    /// # Errors
    /// [`SinkError::Io`].
    pub(super) fn make(
        (directory, keys): (&Path, &Keyring),
        intent: &Intent,
        head: Option<String>,
        fresh: &mut Range<i32>,
    ) -> Result<Option<Self>, SinkError> {
        let mut live = manifest::read(directory)?.live;
        subjects::state(directory, keys, &mut live)?;
        let is_theirs = |file: &SealedFile| intent.subjects.contains(&file.subject);
        let theirs: Vec<SealedFile> = live.into_values().filter(is_theirs).collect();
        let mut plan = Self { head, ..Self::default() };
        if intent.erase {
            let is_meant =
                |file: &&SealedFile| intent.tries == 0 || file.first_us < intent.until_us;
            plan.whole =
                theirs.iter().filter(is_meant).map(|file| Target::of(file, file.rows)).collect();
            return Ok(Some(plan));
        }
        let mut boots: BTreeMap<(&str, &str), Vec<&SealedFile>> = BTreeMap::new();
        for file in &theirs {
            boots.entry((&file.host, &file.boot)).or_default().push(file);
        }
        let span = intent.from_us..intent.until_us;
        for files in boots.values().filter(|files| files.iter().any(|file| overlaps(file, &span))) {
            let scan = Scan::of((directory, keys), files, &span)?;
            plan.whole.extend(scan.unreadable.iter().map(|file| Target::of(file, file.rows)));
            plan.boots.extend(scan.into_plan());
        }
        Ok(plan.number(fresh).then_some(plan))
    }

    /// Gives the runs their numbers; false where there are too few.
    fn number(&mut self, fresh: &mut Range<i32>) -> bool {
        let mut numbers = fresh.clone();
        for run in self.boots.iter_mut().flat_map(|boot| &mut boot.runs) {
            let Some(number) = numbers.next() else { return false };
            run.fresh = number;
        }
        *fresh = numbers;
        true
    }

    /// Above all numbers that it gives.
    pub(super) fn runs_end(&self) -> i32 {
        let runs = self.boots.iter().flat_map(|boot| &boot.runs);
        runs.map(|run| run.fresh.saturating_add(1)).max().unwrap_or(0)
    }

    /// The files it touches.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.whole.iter().chain(self.boots.iter().flat_map(|boot| &boot.files))
    }

    /// What has been forgotten once it is carried out.
    pub(super) fn outcome(&self) -> Forgotten {
        let rows = self.targets().map(|target| target.rows).sum();
        Forgotten { rows, files: self.targets().count() as u64 }
    }
}

/// Whether a file may hold rows that go.
pub(super) fn overlaps(file: &SealedFile, span: &Range<i64>) -> bool {
    matches!(file.table, Table::Events | Table::Touch)
        && file.first_us < span.end
        && file.last_us >= span.start
}
