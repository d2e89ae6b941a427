//! What is remembered of what may be pulled: since when each file cools off, who
//! was noted for it and who acknowledged it, and which manifests were offered.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs, io,
    path::Path,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::steady::Steady;
use crate::{SealedFile, SinkError, disk, error::At};

/// Manifests that may still be acknowledged, the newest; a pull that takes longer
/// than so many changes is done again.
const MANIFESTS: usize = 256;

/// One puller's pulls of one person's files.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    /// When they were last given any, wall time in µs since 1970-01-01 UTC.
    pub(super) last_us: i64,
    /// How many, a file that was written anew in between counted again.
    pub(super) files: u64,
}

/// A sealed file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) sha256: String,
    /// When it was first seen under its name, on the steady clock. Kept when it is
    /// written anew.
    pub(super) since_us: i64,
    /// Which manifests it was in: from one, until before another; oldest first.
    pub(super) offered: Vec<(u64, Option<u64>)>,
    /// Who was noted to pull these bytes.
    pub(super) noted: BTreeSet<String>,
    /// Who has them, and since when, on the steady clock.
    pub(super) acknowledged: BTreeMap<String, i64>,
}

/// A manifest that was offered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Offered {
    pub(super) number: u64,
    pub(super) sha256: String,
}

/// All of it: `<state>/pulls.json`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(super) clock: Steady,
    /// The newest last, which is in place.
    pub(super) manifests: VecDeque<Offered>,
    pub(super) files: BTreeMap<String, Entry>,
    /// By person, then by puller.
    pub(super) pulls: BTreeMap<String, BTreeMap<String, Tally>>,
}

impl Book {
    /// The book at `path`, an empty one where there is none. What cannot be read
    /// is put aside: every file then cools off anew, and nobody has acknowledged
    /// any. Returns whether that was so.
    ///
    /// # Errors
    /// [`SinkError::Io`].
    pub(crate) fn open(path: &Path) -> Result<(Self, bool), SinkError> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Self::default(), false));
            }
            bytes => bytes.at("read", path)?,
        };
        if let Ok(book) = serde_json::from_slice(&bytes) {
            return Ok((book, false));
        }
        let aside = path.with_extension("damaged");
        fs::rename(path, &aside).at("rename", path)?;
        Ok((Self::default(), true))
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// [`SinkError::Io`].
    pub(super) fn save(&self, path: &Path) -> Result<(), SinkError> {
        let bytes = serde_json::to_vec(self).map_err(io::Error::from).at("write", path)?;
        disk::replace_as(path, &bytes, 0o600)
    }

    /// Takes in what is sealed now, at that moment of the steady clock. Bytes that
    /// are others than before were pulled by nobody; they have cooled off as long
    /// as what they were made from.
    pub(super) fn take_in(&mut self, live: &BTreeMap<String, SealedFile>, now_us: i64) {
        self.files.retain(|path, _| live.contains_key(path));
        for (path, file) in live {
            match self.files.get_mut(path) {
                Some(entry) if entry.sha256 == file.sha256 => {}
                Some(entry) => *entry = Entry::of(file, entry.since_us),
                None => drop(self.files.insert(path.clone(), Entry::of(file, now_us))),
            }
        }
    }

    /// Takes in that these files are on offer, under a manifest of that checksum.
    pub(super) fn offer(&mut self, paths: &BTreeSet<&str>, sha256: String) {
        let number = self.manifests.back().map_or(0, |newest| newest.number).saturating_add(1);
        self.manifests.push_back(Offered { number, sha256 });
        while self.manifests.len() > MANIFESTS {
            self.manifests.pop_front();
        }
        let oldest = self.manifests.front().map_or(number, |oldest| oldest.number);
        for (path, entry) in &mut self.files {
            match (paths.contains(path.as_str()), entry.is_offered()) {
                (true, false) => entry.offered.push((number, None)),
                (false, true) => {
                    entry.offered.last_mut().into_iter().for_each(|span| span.1 = Some(number));
                }
                _ => {}
            }
            entry.offered.retain(|(_, until)| until.is_none_or(|until| until > oldest));
        }
    }

    /// The files on offer.
    pub(super) fn on_offer(&self) -> BTreeSet<&str> {
        let offered = self.files.iter().filter(|(_, entry)| entry.is_offered());
        offered.map(|(path, _)| path.as_str()).collect()
    }

    pub(super) fn is_offered(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(Entry::is_offered)
    }

    /// Whether `puller` was noted for the file's bytes.
    pub(super) fn is_noted(&self, puller: &str, path: &str) -> bool {
        self.files.get(path).is_some_and(|entry| entry.noted.contains(puller))
    }

    /// Takes in that `puller` may have these from now on.
    pub(super) fn note(&mut self, puller: &str, files: &[&SealedFile], wall_us: i64) {
        for file in files {
            if let Some(entry) = self.files.get_mut(&file.path) {
                entry.noted.insert(puller.to_owned());
            }
            let of_person = self.pulls.entry(file.subject.clone()).or_default();
            let tally = of_person.entry(puller.to_owned()).or_default();
            tally.last_us = wall_us;
            tally.files = tally.files.saturating_add(1);
        }
    }

    /// Takes in that `puller` has what the manifest of that checksum lists and
    /// is here still. Returns how many files that are, and how many of them they
    /// had not acknowledged before; `None` where no such manifest was offered
    /// lately.
    pub(super) fn acknowledge(
        &mut self,
        puller: &str,
        sha256: &str,
        now_us: i64,
    ) -> Option<(u64, u64)> {
        let number = self.manifests.iter().rev().find(|kept| kept.sha256 == sha256)?.number;
        let (mut all, mut fresh) = (0, 0);
        for entry in self.files.values_mut() {
            if !entry.was_in(number) || !entry.noted.contains(puller) {
                continue;
            }
            all += 1;
            if !entry.acknowledged.contains_key(puller) {
                entry.acknowledged.insert(puller.to_owned(), now_us);
                fresh += 1;
            }
        }
        Some((all, fresh))
    }

    /// The files that everybody who was noted for them acknowledged, at least one,
    /// and the last of them `after` ago.
    pub(super) fn pulled(&self, after: Duration, now_us: i64) -> BTreeSet<String> {
        let after_us = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
        let is_pulled = |entry: &Entry| {
            let all = entry.noted.iter().all(|puller| entry.acknowledged.contains_key(puller));
            let last = entry.acknowledged.values().max();
            all && last.is_some_and(|last| now_us.saturating_sub(*last) >= after_us)
        };
        let pulled = self.files.iter().filter(|(_, entry)| is_pulled(entry));
        pulled.map(|(path, _)| path.clone()).collect()
    }
}

impl Entry {
    fn is_offered(&self) -> bool {
        self.offered.last().is_some_and(|(_, until)| until.is_none())
    }

    /// Whether the manifest of that number listed it.
    fn was_in(&self, number: u64) -> bool {
        let listed = |(from, until): &(u64, Option<u64>)| {
            *from <= number && until.is_none_or(|until| number < until)
        };
        self.offered.iter().any(listed)
    }

    fn of(file: &SealedFile, since_us: i64) -> Self {
        Self {
            sha256: file.sha256.clone(),
            since_us,
            offered: Vec::new(),
            noted: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
        }
    }
}
