//! Changing several files of one partition as one.
//!
//! ```text
//!            folder                                   S3
//! 1  intent  _evscribe/intents/<host>.json            the same
//! 2  files   put together beside, then exchanged      what comes, then …
//! 3  record  _evscribe/hosts/<host>.json              the same
//! 4          what was there is removed                … what goes is removed
//! 5          the intent is removed                    the same
//! ```
//! Who lists a folder sees all of a step or nothing. On S3, between 2 and 4, they
//! see the rows of both; nothing is ever missing there. After a kill at any of
//! these moments [`recover`] goes on or takes back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use evscribe_sink::sha256_file;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::place::blocking;
use crate::record::{read_json, write_json};
use crate::swap::{Swap, remove_all};
use crate::{Held, HostRecord, LakeError, LakeFile, Place};

const INTENTS: &str = "_evscribe/intents";
const SWAPS: &str = "_evscribe/swap";
const VERSION: u32 = 1;

/// What is about to be done to a partition.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    version: u32,
    host: String,
    /// `<table>/date=…/host=…`.
    partition: String,
    remove: BTreeSet<String>,
    add: BTreeMap<String, LakeFile>,
    /// Whether folders change places.
    is_swap: bool,
}

/// A file that waits on this machine to come into the lake.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Where it waits; gone afterwards. Below the lake's
    /// [work folder](Place::work).
    pub staged: PathBuf,
    /// What the record will say of it.
    pub file: LakeFile,
}

/// A change of one partition.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) partition: String,
    pub(crate) remove: BTreeSet<String>,
    pub(crate) add: BTreeMap<String, Incoming>,
}

impl Turn {
    /// Does it, and writes the record.
    ///
    /// # Errors
    /// [`LakeError::Io`], [`LakeError::Store`], [`LakeError::Lost`]. Then this
    /// process leaves that host alone: [`recover`] goes on or takes back.
    pub(crate) async fn carry_out(
        self,
        place: &Place,
        held: &Held,
        record: &mut HostRecord,
    ) -> Result<(), LakeError> {
        let Self { partition, remove, add } = self;
        if remove.is_empty() && add.is_empty() {
            return Ok(());
        }
        held.check()?;
        let files = add.iter().map(|(path, new)| (path.clone(), new.file.clone())).collect();
        let is_swap = place.folder().is_some();
        let host = record.host.clone();
        let mut intent = Intent { version: VERSION, host, partition, remove, add: files, is_swap };
        intent.write(place).await?;
        let mut staged: Vec<(PathBuf, String)> =
            add.into_iter().map(|(path, new)| (new.staged, path)).collect();
        if let Some(swap) = intent.swap(place) {
            let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
            let without = intent.remove.iter().map(|path| name(path)).collect();
            let named: Vec<_> =
                staged.iter().map(|(from, path)| (from.clone(), name(path))).collect();
            let beside = swap.beside.clone();
            intent.is_swap = blocking(move || swap.exchange(&without, &named)).await?;
            if !intent.is_swap {
                intent.write(place).await?;
                for (from, path) in &mut staged {
                    *from = beside.join(name(path));
                }
            }
        }
        if !intent.is_swap {
            // What is overwritten cannot come back: it goes last.
            staged.sort_by_key(|(_, path)| record.files.contains_key(path));
            for (from, path) in &staged {
                place.put(from, path).await?;
            }
        }
        held.check()?;
        intent.apply(record);
        record.write(place).await?;
        intent.finish(place).await
    }
}

impl Intent {
    fn path(host: &str) -> String {
        format!("{INTENTS}/{host}.json")
    }

    async fn write(&self, place: &Place) -> Result<(), LakeError> {
        write_json(place, &Self::path(&self.host), self).await
    }

    /// What it does, in short: another one's marker is none of its own.
    fn id(&self) -> String {
        let what = serde_json::to_vec(&(&self.partition, &self.remove, &self.add));
        let digest = Sha256::digest(what.unwrap_or_default());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where in a folder the partition is put together.
    fn beside(&self, place: &Place) -> Option<PathBuf> {
        Some(place.folder()?.join(SWAPS).join(&self.host))
    }

    fn swap(&self, place: &Place) -> Option<Swap> {
        let root = place.folder().filter(|_| self.is_swap)?;
        Some(Swap {
            root: root.into(),
            partition: root.join(&self.partition),
            beside: self.beside(place)?,
            id: self.id(),
            steps: place.steps().clone(),
        })
    }

    fn apply(&self, record: &mut HostRecord) {
        record.files.retain(|path, _| !self.remove.contains(path));
        record.files.extend(self.add.clone());
    }

    /// What is to be done once the record is written.
    async fn finish(&self, place: &Place) -> Result<(), LakeError> {
        if let Some(swap) = self.swap(place) {
            blocking(move || swap.tidy()).await?;
        } else {
            for path in self.remove.iter().filter(|path| !self.add.contains_key(*path)) {
                place.remove(path).await?;
            }
            // Second names of files that stay: one that goes later would live on there.
            if let Some(beside) = self.beside(place) {
                blocking(move || remove_all(&beside)).await?;
            }
        }
        place.remove(&Self::path(&self.host)).await
    }

    /// Whether all that comes is there.
    async fn has_come(&self, place: &Place, record: &HostRecord) -> Result<bool, LakeError> {
        if let Some(swap) = self.swap(place) {
            return Ok(swap.is_exchanged());
        }
        let listed = place.list(&self.partition).await?;
        for (path, file) in &self.add {
            let is_there = |there: &&crate::Listed| there.path == *path;
            if listed.iter().find(is_there).is_none_or(|there| there.bytes != file.bytes) {
                return Ok(false);
            }
            // It may still be the one that was there.
            if record.files.contains_key(path) {
                let fetched = place.fetch(path).await?;
                let at = fetched.root.join(path);
                let (sha256, _) = blocking(move || Ok(sha256_file(&at)?)).await?;
                if sha256 != file.sha256 {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Goes on with what has come, takes back what has not.
    async fn settle(&self, place: &Place) -> Result<(), LakeError> {
        let read = HostRecord::read(place, &self.host).await?;
        let mut record = read.unwrap_or_else(|| HostRecord::new(&self.host, &self.host));
        if self.has_come(place, &record).await? {
            self.apply(&mut record);
            record.write(place).await?;
            return self.finish(place).await;
        }
        if let Some(swap) = self.swap(place) {
            blocking(move || swap.tidy()).await?;
        } else {
            for path in self.add.keys().filter(|path| !record.files.contains_key(*path)) {
                place.remove(path).await?;
            }
        }
        place.remove(&Self::path(&self.host)).await
    }
}

/// Finishes, or takes back, what an earlier program began and did not end: the
/// first thing that whoever holds the lake does. Returns of how many hosts
/// something was.
///
/// # Errors
/// [`LakeError::Io`], [`LakeError::Store`], [`LakeError::Record`]; again later.
pub async fn recover(place: &Place, held: &Held) -> Result<usize, LakeError> {
    let intents = place.list(INTENTS).await?;
    for listed in &intents {
        held.check()?;
        let intent = read_json(place, &listed.path, |intent: &Intent| intent.version).await?;
        if let Some(intent) = intent {
            intent.settle(place).await?;
        }
    }
    if let Some(folder) = place.folder() {
        let swaps = folder.join(SWAPS);
        blocking(move || remove_all(&swaps)).await?;
    }
    Ok(intents.len())
}
