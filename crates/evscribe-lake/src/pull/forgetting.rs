//! What goes out of the lake before anything comes: what somebody had forgotten,
//! wherever it is, and what the lake says it has and has not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use evscribe_sink::SealedFile;

use super::arrive;
use super::error::HostError;
use super::host::Host;
use super::offer::Offer;
use super::plan::Plan;
use super::process::Until;
use super::stage::{self, Stage};
use crate::place::blocking;
use crate::{Change, HostRecord, LakeError, change};

impl Host<'_> {
    /// Files that are offered and that the lake has lost, by somebody's hand or its
    /// disk's: they come again. The record says that they are missing until they are
    /// there. Only in a folder, where looking costs next to nothing.
    pub(super) async fn look_for(&mut self, offer: &Offer) -> Result<Vec<SealedFile>, HostError> {
        let Some(root) = self.run.place.folder().map(Path::to_path_buf) else {
            return Ok(Vec::new());
        };
        let is_had = |file: &&SealedFile| {
            let had = self.record.files.get(&file.path);
            had.is_some_and(|had| had.is_as_sealed(&file.path))
                && !self.run.erased.subjects.contains_key(&file.subject)
        };
        let had: Vec<SealedFile> = offer.files.values().filter(is_had).cloned().collect();
        let is_lost = move |file: &SealedFile| {
            let about = fs::symlink_metadata(root.join(&file.path));
            about.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        let lost = blocking(move || Ok(had.into_iter().filter(is_lost).collect::<Vec<_>>()));
        let lost = lost.await?;
        if let Some(first) = lost.first() {
            let note = format!(
                "{} files that the lake had lost come again, {} among them",
                lost.len(),
                first.path
            );
            self.report.notes.push(note);
        }
        Ok(lost)
    }

    /// Takes out of the lake what is forgotten, and writes that down. What is in a
    /// merged file that cannot be written anew, for want of a key or otherwise, has
    /// to stay for now: nothing of its path is fetched then, and no tombstone counts
    /// as applied, so that the next run does it again.
    pub(super) async fn take_out(
        &mut self,
        plan: &mut Plan,
        stage: &Stage,
        until: &Until,
    ) -> Result<(), HostError> {
        let (own, wanted) = (stage.clone(), plan.fetch.clone());
        blocking(move || own.keep_only(&wanted.iter().map(|file| file.path.as_str()).collect()))
            .await?;
        self.clear_rest(plan, until).await?;
        self.locked = None;
        if !plan.take_out.is_empty() {
            let gone: BTreeSet<String> = plan.take_out.iter().cloned().collect();
            let mut locked = self.change(gone.clone()).await?;
            if locked.is_some() {
                // In the same partitions may be files that need not be opened.
                locked = self.change(whole(&self.record, &gone)).await?.or(locked);
            }
            self.locked = locked;
            let left = self.record.files.values().flat_map(|file| &file.sources);
            let left: HashSet<&str> = left.map(|source| source.sealed.path.as_str()).collect();
            plan.take_out.retain(|path| left.contains(path.as_str()));
            plan.removed.retain(|path| !left.contains(path.as_str()));
            self.report.removed += plan.removed.len() as u64;
        }
        if self.locked.is_some() {
            let stays: HashSet<&String> = plan.take_out.iter().collect();
            plan.fetch.retain(|file| !stays.contains(&file.path));
            return Ok(());
        }
        if !plan.fresh.is_empty() {
            self.record.tombstones.extend(plan.fresh.iter().cloned());
            self.is_dirty = true;
        }
        Ok(())
    }

    /// Takes these sources out; why some have to stay, if so.
    async fn change(&mut self, gone: BTreeSet<String>) -> Result<Option<LakeError>, HostError> {
        let what = Change { gone, ..Change::default() };
        let lake = (&self.run.place, &self.run.held);
        match change(lake, &mut self.record, what, &self.run.sealing).await {
            Ok(_) => Ok(None),
            Err(error @ (LakeError::File { .. } | LakeError::Recipients { .. })) => Ok(Some(error)),
            Err(error) => {
                // What the record says is settled when the lake is held anew.
                self.is_dirty = false;
                self.settled.clear();
                Err(error.into())
            }
        }
    }

    /// Removes what no record knows of files that are forgotten: from quarantine and
    /// from folders of this machine, also under names that the host had before, and
    /// from the lake, where a pull was killed before it wrote down what it placed.
    async fn clear_rest(&self, plan: &Plan, until: &Until) -> Result<(), HostError> {
        let paths: BTreeSet<String> = plan.fresh.iter().map(|line| line.file.clone()).collect();
        if paths.is_empty() {
            return Ok(());
        }
        for path in &paths {
            self.clear_quarantine(path).await?;
        }
        let (run, work) = (Arc::clone(self.run), self.run.place.work().to_owned());
        blocking(move || stage::clear_unlisted(&work, |name| run.names.contains_key(name), &paths))
            .await?;
        let mut partitions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for path in &plan.unknown {
            let (partition, _) = path.rsplit_once('/').unwrap_or_default();
            partitions.entry(partition).or_default().insert(path);
        }
        for (partition, paths) in partitions {
            until.check(self.run.host_timeout)?;
            for there in self.run.place.list(partition).await? {
                if paths.contains(there.path.as_str()) {
                    self.run.held.check()?;
                    self.run.place.remove(&there.path).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes away what was put aside of the file, under whichever name.
    pub(super) async fn clear_quarantine(&self, path: &str) -> Result<(), HostError> {
        let own = self.report.quarantined.iter().any(|put_aside| put_aside.path == path);
        let own = own.then_some(self.entry.name.as_str());
        let names: BTreeSet<&str> = self.run.names_aside(path).chain(own).collect();
        for name in names {
            arrive::clear_quarantine(&self.run.place, name, path).await?;
        }
        Ok(())
    }
}

/// Those of `gone` that are nowhere but in files that go as a whole.
fn whole(record: &HostRecord, gone: &BTreeSet<String>) -> BTreeSet<String> {
    let mut whole = gone.clone();
    for file in record.files.values() {
        let of_file = || file.sources.iter().map(|source| &source.sealed.path);
        if !of_file().all(|path| gone.contains(path)) {
            of_file().for_each(|path| {
                whole.remove(path);
            });
        }
    }
    whole
}

#[cfg(test)]
#[path = "forgetting_test.rs"]
mod tests;
