//! The outbox: what may be pulled from this workstation, and who pulled it.
//!
//! ```text
//! outbox/                       mode 0750, the only part of the state that the group may enter
//!   manifest.jsonl              the files on offer, replaced whole
//!   tombstones.jsonl            a link: all of the dataset's
//!   events/date=…/host=…/….parquet   links, as long as a file is on offer
//! ```
//! A file is on offer once it has cooled off (see `steady`), as long as the policy
//! lets anything be pulled and no wish to forget is open that may concern it.
//! [`Store::offer`] brings it all in line, by the dataset's manifest and the book
//! ([`Book`]); it may be done at any time, and again after a kill at any step.
//!
//! | by | when |
//! |---|---|
//! | the start | once all is recovered, before anybody can ask |
//! | a seal, retention, forgetting, another policy | right after it; forgetting also before |
//! | the writer's timer | when the next file has cooled off; not set while none waits |
//! | a pull | before it is noted |
//!
//! Not handled: an outbox on another file system than the dataset (a link cannot
//! be made, and nothing is offered).

mod book;
mod place;
mod plan;
mod steady;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    Fact, SCHEMA_VERSION, SealedFile, SinkError, Store, disk,
    error::At,
    forget::subjects,
    keys::hex,
    manifest::{self, Line, MANIFEST},
    outbox::plan::plan,
};

pub(crate) use book::Book;
pub(crate) use steady::Look;

/// Longest name of a puller.
const PULLER_MAX: usize = 32;

/// Where the outbox is, and what may be pulled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outbox {
    /// Its directory, on the dataset's file system.
    pub directory: PathBuf,
    /// The file of what is remembered of pulls.
    pub book: PathBuf,
    /// Pseudonym of this host, for the manifest.
    pub host: String,
    /// Pseudonym of this boot.
    pub boot: String,
    /// How long a file cools off before it may be pulled; `None`: nothing may be.
    pub cooling_off: Option<Duration>,
}

/// How much may be pulled now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OnOffer {
    /// How many files are on offer.
    pub files: u64,
    /// How many cool off.
    pub waiting: u64,
}

/// One puller's pulls of a person's files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pulls {
    /// The puller's name.
    pub puller: String,
    /// When they last may have got any, µs since 1970-01-01 UTC.
    pub last_us: i64,
    /// How many files in all.
    pub files: u64,
}

/// What a puller asked for: how many files it is about, or why not, for people.
pub(crate) type Answer = Result<u64, String>;

/// Whether that may be the name of a puller: `a-z`, `0-9` and `-`, 1 to 32.
#[must_use]
pub fn is_puller(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= PULLER_MAX && name.bytes().all(is_fit)
}

/// Who pulled files of these people, by name, as the book at `path` has it. Takes
/// no lock.
///
/// # Errors
/// [`SinkError::Io`].
pub fn pulls_of(path: &Path, subjects: &[String]) -> Result<Vec<Pulls>, SinkError> {
    #[derive(Deserialize)]
    struct Tallies {
        pulls: std::collections::BTreeMap<String, std::collections::BTreeMap<String, book::Tally>>,
    }
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes.at("read", path)?,
    };
    let Tallies { pulls } =
        serde_json::from_slice(&bytes).map_err(io::Error::from).at("read", path)?;
    let mut sum = std::collections::BTreeMap::<String, Pulls>::new();
    let theirs = pulls.into_iter().filter(|(subject, _)| subjects.contains(subject));
    for (puller, tally) in theirs.flat_map(|(_, by)| by) {
        let none = Pulls { puller: puller.clone(), last_us: i64::MIN, files: 0 };
        let all = sum.entry(puller).or_insert(none);
        all.last_us = all.last_us.max(tally.last_us);
        all.files = all.files.saturating_add(tally.files);
    }
    Ok(sum.into_values().collect())
}

impl Store {
    /// Brings the outbox in line with the dataset.
    ///
    /// Returns how much is on offer, and how long until more is; `None` where
    /// nothing waits, or nobody is to be served.
    ///
    /// # Errors
    /// [`SinkError::Io`]; doing it again goes on. Nothing may be pulled meanwhile.
    pub(crate) fn offer(&mut self) -> Result<(OnOffer, Option<Duration>), SinkError> {
        match self.look()? {
            Some(look) => self.offer_at(&look),
            None => Ok((OnOffer::default(), None)),
        }
    }

    /// What the clocks say; `None` where nobody is to be served.
    fn look(&self) -> Result<Option<Look>, SinkError> {
        let outbox = self.config.outbox.as_ref();
        let look = outbox.map(|outbox| Look::now(&outbox.boot).at("read", Path::new("the clocks")));
        look.transpose()
    }

    pub(crate) fn offer_at(
        &mut self,
        look: &Look,
    ) -> Result<(OnOffer, Option<Duration>), SinkError> {
        let intents = self.intents()?;
        let is_withheld = |file: &SealedFile| intents.iter().any(|intent| intent.withholds(file));
        let Self { config, dataset, book, .. } = self;
        let Some(outbox) = &config.outbox else { return Ok((OnOffer::default(), None)) };
        let root = dataset.directory();
        let live = manifest::read(root)?.live;
        let (before, now_us) = (book.clone(), book.clock.at(look));
        book.take_in(&live, now_us);
        let plan = plan(&live, &book.files, is_withheld, outbox.cooling_off, now_us);
        let (mut offer, mut paths) = (Vec::new(), BTreeSet::new());
        for file in plan.offer {
            // One that was taken away by hand is nothing to wait for.
            if place::is_there(root, &file.path)? {
                offer.push(file);
                paths.insert(file.path.as_str());
            }
        }
        place::prepare(&outbox.directory)?;
        place::take_away(root, &outbox.directory, &paths)?;
        // The book now knows nothing of what is gone, before nothing of what changed.
        let is_as_before = before.on_offer() == paths && book.on_offer() == paths;
        let manifest = if is_as_before && is_newest(book, &outbox.directory)? {
            None
        } else {
            let bytes = bytes_of(&outbox.host, &offer)?;
            book.offer(&paths, hex(&Sha256::digest(&bytes)));
            Some(bytes)
        };
        if *book != before || book.clock.is_stale(look) {
            book.clock.set(look);
            let saved = book.save(&outbox.book);
            if saved.is_err() {
                // What is remembered is what is on disk.
                *book = before;
            }
            saved?;
        }
        place::put(root, &outbox.directory, &paths)?;
        if let Some(bytes) = manifest {
            disk::replace(&outbox.directory.join(MANIFEST), &bytes)?;
        }
        let due = plan.next_us.map(|next_us| {
            Duration::from_micros(u64::try_from(next_us.saturating_sub(now_us)).unwrap_or(0))
        });
        Ok((OnOffer { files: offer.len() as u64, waiting: plan.waiting }, due))
    }

    /// Notes that `puller` may take everything that is on offer: a line of the
    /// ledger for each file that they were not noted for. Returns how many files
    /// are on offer.
    ///
    /// # Errors
    /// As [`Store::offer`]; then nothing must be served.
    pub(crate) fn note_pull(&mut self, puller: &str) -> Result<u64, SinkError> {
        self.offer()?;
        let root = self.dataset.directory().to_path_buf();
        let mut live = manifest::read(&root)?.live;
        subjects::state(&root, &self.keyring, &mut live)?;
        let is_fresh = |file: &SealedFile| {
            self.book
                .files
                .get(&file.path)
                .is_some_and(|entry| entry.is_offered() && !entry.noted.contains(puller))
        };
        let fresh: Vec<SealedFile> = live.into_values().filter(is_fresh).collect();
        let count = self.book.on_offer().len() as u64;
        if fresh.is_empty() {
            return Ok(count);
        }
        // The ledger first: a line too many is harmless, one that is missing is not.
        self.append(&fresh.iter().map(|file| pulled(puller, file)).collect::<Vec<_>>())?;
        let wall_us = jiff::Timestamp::now().as_microsecond();
        self.keep(|book| book.note(puller, &fresh, wall_us))?;
        Ok(count)
    }

    /// Takes in that `puller` has, verified, what the manifest of that checksum
    /// lists: a fact, where they did not say so before.
    ///
    /// # Errors
    /// [`SinkError::Io`]; asking again is harmless.
    pub(crate) fn acknowledge_pull(
        &mut self,
        puller: &str,
        sha256: &str,
    ) -> Result<Answer, SinkError> {
        let Some(look) = self.look()? else { return Ok(Err("nobody is served here".into())) };
        let mut book = self.book.clone();
        let now_us = book.clock.at(&look);
        let Some((files, fresh)) = book.acknowledge(puller, sha256, now_us) else {
            return Ok(Err(format!(
                "no manifest with the checksum {sha256} was offered here lately: pull again, and \
                 acknowledge what that brings"
            )));
        };
        if fresh > 0 {
            let fact = Fact::AcknowledgedPull {
                puller: puller.to_owned(),
                manifest_sha256: sha256.to_owned(),
                files,
            };
            self.append(&[fact])?;
            self.keep(|kept| *kept = book)?;
        }
        Ok(Ok(files))
    }

    /// The files that retention may remove before their time.
    pub(crate) fn pulled_early(&self) -> Result<BTreeSet<String>, SinkError> {
        match (self.config.retention.after_pull_hours, self.look()?) {
            (Some(hours), Some(look)) => {
                let after = Duration::from_secs(60 * 60) * hours;
                Ok(self.book.pulled(after, self.book.clock.at(&look)))
            }
            _ => Ok(BTreeSet::new()),
        }
    }

    fn append(&mut self, facts: &[Fact]) -> Result<(), SinkError> {
        self.write_notes()?;
        self.ledger.as_mut().map_or(Ok(()), |ledger| ledger.append(facts))
    }

    /// Changes the book, durably or not at all.
    fn keep(&mut self, change: impl FnOnce(&mut Book)) -> Result<(), SinkError> {
        let mut changed = self.book.clone();
        change(&mut changed);
        if let Some(outbox) = &self.config.outbox {
            changed.save(&outbox.book)?;
        }
        self.book = changed;
        Ok(())
    }
}

fn pulled(puller: &str, file: &SealedFile) -> Fact {
    Fact::Pulled {
        subject: file.subject.clone(),
        puller: puller.to_owned(),
        file: file.path.clone(),
        sha256: file.sha256.clone(),
    }
}

/// Whether the manifest in place is the book's newest.
fn is_newest(book: &Book, outbox: &Path) -> Result<bool, SinkError> {
    let path = outbox.join(MANIFEST);
    let found = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => hex(&Sha256::digest(found.at("read", &path)?)),
    };
    Ok(book.manifests.back().is_some_and(|newest| newest.sha256 == found))
}

/// The manifest that lists these.
fn bytes_of(host: &str, files: &[&SealedFile]) -> Result<Vec<u8>, SinkError> {
    let created = Line::Created {
        schema_version: SCHEMA_VERSION,
        at: manifest::now(),
        part: true,
        host: host.to_owned(),
    };
    let sealed = files.iter().map(|file| Line::Sealed((*file).clone()));
    manifest::to_lines(&std::iter::once(created).chain(sealed).collect::<Vec<_>>())
}
