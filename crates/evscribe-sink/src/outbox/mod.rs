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
//! A link is made only once the ledger says who may have the file: whoever is served
//! at that moment (see `serving`) or is about to be. Forgetting needs no more than
//! that links go ([`Store::withdraw`]), and waits for nothing else.
//!
//! Not handled: an outbox on another file system than the dataset (a link cannot
//! be made, and nothing is offered).

mod book;
mod place;
mod plan;
mod pullers;
mod serving;
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
    SCHEMA_VERSION, SealedFile, SinkError, Store, disk,
    error::At,
    forget::subjects,
    keys::hex,
    manifest::{self, Line, MANIFEST},
    outbox::plan::plan,
};

pub(crate) use book::Book;
pub use serving::{begin_pull, served_now};
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
    /// The directory of [`begin_pull`]; it may be missing.
    pub serving: PathBuf,
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

/// How far the outbox is brought in line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent<'a> {
    /// What may not be pulled is taken away.
    Less,
    /// And what may is put there, noted before for all who are served, and for this
    /// puller, who is about to be.
    All(Option<&'a str>),
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
        self.bring_in_line(look, Extent::All(None))
    }

    /// Takes away what may be pulled no more, and offers nothing new: a part of
    /// [`Store::offer`] that needs nothing of the outbox but to get rid of it.
    ///
    /// # Errors
    /// [`SinkError::Io`]; then some of it may be on offer still.
    pub(crate) fn withdraw(&mut self) -> Result<(), SinkError> {
        let Some(look) = self.look()? else { return Ok(()) };
        self.bring_in_line(&look, Extent::Less).map(drop)
    }

    /// Notes that `puller` may take everything that is on offer: a line of the
    /// ledger for each file that they were not noted for. Returns how many files
    /// are on offer. What comes on offer later is noted as it comes, as long as
    /// they are served ([`begin_pull`]).
    ///
    /// # Errors
    /// As [`Store::offer`]; then nothing must be served.
    pub(crate) fn note_pull(&mut self, puller: &str) -> Result<u64, SinkError> {
        let Some(look) = self.look()? else { return Ok(0) };
        let (on_offer, _) = self.bring_in_line(&look, Extent::All(Some(puller)))?;
        Ok(on_offer.files)
    }

    fn bring_in_line(
        &mut self,
        look: &Look,
        extent: Extent<'_>,
    ) -> Result<(OnOffer, Option<Duration>), SinkError> {
        let Some(outbox) = self.config.outbox.clone() else {
            return Ok((OnOffer::default(), None));
        };
        let intents = self.intents()?;
        let is_withheld = |file: &SealedFile| intents.iter().any(|intent| intent.withholds(file));
        let root = self.dataset.directory().to_path_buf();
        let mut live = manifest::read(&root)?.live;
        subjects::state(&root, &self.keyring, &mut live)?;
        // What is remembered is what is on disk: it is changed once it is saved.
        let mut book = self.book.clone();
        let now_us = book.clock.at(look);
        book.take_in(&live, now_us);
        let plan = plan(&live, &book.files, is_withheld, outbox.cooling_off, now_us);
        let (mut offer, mut paths) = (Vec::new(), BTreeSet::new());
        for file in plan.offer {
            let is_meant = extent != Extent::Less || book.is_offered(&file.path);
            // One that was taken away by hand is nothing to wait for.
            if is_meant && place::is_there(&root, &file.path)? {
                offer.push(file);
                paths.insert(file.path.as_str());
            }
        }
        place::prepare(&outbox.directory)?;
        place::take_away(&root, &outbox.directory, &paths)?;
        // The book now knows nothing of what is gone, before nothing of what changed.
        let is_as_before = self.book.on_offer() == paths && book.on_offer() == paths;
        let manifest = if is_as_before && is_newest(&book, &outbox.directory)? {
            None
        } else {
            let bytes = bytes_of(&outbox.host, &offer)?;
            book.offer(&paths, hex(&Sha256::digest(&bytes)));
            Some(bytes)
        };
        if let Extent::All(puller) = extent {
            let mut pullers = served_now(&outbox.serving)?;
            pullers.extend(puller.map(str::to_owned));
            self.note_pullers(&pullers, &offer, &mut book)?;
        }
        if book != self.book || book.clock.is_stale(look) {
            book.clock.set(look);
            book.save(&outbox.book)?;
            self.book = book;
        }
        if extent != Extent::Less {
            place::put(&root, &outbox.directory, &paths)?;
        }
        if let Some(bytes) = manifest {
            disk::replace(&outbox.directory.join(MANIFEST), &bytes)?;
        }
        let due = plan.next_us.map(|next_us| {
            Duration::from_micros(u64::try_from(next_us.saturating_sub(now_us)).unwrap_or(0))
        });
        Ok((OnOffer { files: offer.len() as u64, waiting: plan.waiting }, due))
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
