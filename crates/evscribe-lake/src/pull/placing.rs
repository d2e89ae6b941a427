//! A portion of a host's files: over the line into the stage, checked, into the
//! lake, and into its record.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use evscribe_sink::SealedFile;
use tokio::task::JoinSet;

use super::arrive::{self, Arrival};
use super::error::HostError;
use super::fetch::{Came, Link};
use super::host::{Amiss, Host};
use super::report::Quarantined;
use super::run::Run;
use super::stage::{Look, Stage, longer};
use super::watch::Event;
use crate::place::blocking;

/// How often a portion is tried, and how long after a failure.
const TRIES: u64 = 3;
const PAUSE: Duration = Duration::from_secs(2);

impl Host<'_> {
    /// Fetches and places these; those that are not as they should be are in
    /// `amiss` then.
    pub(super) async fn portion(
        &mut self,
        link: &mut Link<'_>,
        portion: &[SealedFile],
        replaced: &HashSet<String>,
        amiss: &mut Amiss,
    ) -> Result<(), HostError> {
        let mut todo: Vec<&SealedFile> = portion.iter().collect();
        // From a run that was cut off: nothing of it has to come again.
        todo = self.place_whole(link.stage, todo, replaced).await?;
        let mut tries = 0;
        while !todo.is_empty() {
            for file in &todo {
                link.stage.part_from_lake(file)?;
            }
            let (run, own) = (self.run, self.own);
            let lengths: BTreeMap<&str, u64> =
                todo.iter().map(|file| (file.path.as_str(), file.bytes)).collect();
            let (came, whole) = link
                .files(&todo, |name| {
                    let bytes = lengths.get(name).copied().unwrap_or(0);
                    (run.watch)(Event::Arrived { host: own, bytes });
                })
                .await?;
            todo = self.place_whole(link.stage, todo, replaced).await?;
            let is_all = matches!(came, Came::All);
            let mut left = Vec::new();
            for file in todo {
                match self.look(link.stage, file).await? {
                    Look::Other(why) => {
                        let is_longer =
                            matches!(came, Came::TooLong) && !whole.contains(&file.path);
                        let why = if is_longer { longer(file) } else { why };
                        drop(amiss.other.insert(file.path.clone(), (file.clone(), why)))
                    }
                    Look::Part if whole.contains(&file.path) => {
                        let why = format!(
                            "it is shorter than the {} bytes that the manifest says",
                            file.bytes
                        );
                        drop(amiss.other.insert(file.path.clone(), (file.clone(), why)));
                    }
                    _ if is_all => {
                        drop(amiss.missing.insert(file.path.clone(), file.sha256.clone()))
                    }
                    _ => left.push(file),
                }
            }
            todo = left;
            tries += 1;
            match came {
                Came::Broke(error) if !todo.is_empty() => {
                    let is_passing =
                        matches!(error, HostError::Transfer(_) | HostError::Unreachable(_));
                    if !is_passing || tries >= TRIES {
                        return Err(error);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                _ if tries > portion.len() as u64 + TRIES => return Err(HostError::Unsteady),
                _ => {}
            }
        }
        Ok(())
    }

    async fn look(&self, stage: &Stage, file: &SealedFile) -> Result<Look, HostError> {
        let (stage, file) = (stage.clone(), file.clone());
        Ok(blocking(move || stage.look(&file)).await?)
    }

    /// Places those of the files that are whole; returns the others.
    async fn place_whole<'f>(
        &mut self,
        stage: &Stage,
        files: Vec<&'f SealedFile>,
        replaced: &HashSet<String>,
    ) -> Result<Vec<&'f SealedFile>, HostError> {
        let mut all = JoinSet::new();
        for file in &files {
            let one = place_one(Arc::clone(self.run), stage.clone(), (*file).clone());
            all.spawn(one);
        }
        let mut arrived = BTreeMap::new();
        let (mut left, mut failed) = (Vec::new(), None);
        while let Some(one) = all.join_next().await {
            match one {
                Ok(Ok((path, arrival))) => drop(arrived.insert(path, arrival)),
                // Those that are under way are not torn off.
                Ok(Err(error)) => failed = failed.or(Some(error)),
                Err(error) => failed = failed.or(Some(HostError::Here(error.to_string()))),
            }
        }
        for file in files {
            match arrived.remove(&file.path) {
                None | Some(None) => left.push(file),
                Some(Some(Arrival::In(lake_file))) => {
                    self.report.files += 1;
                    self.report.bytes += file.bytes;
                    self.report.rows += file.rows;
                    self.report.replaced += u64::from(replaced.contains(&file.path));
                    self.record.files.insert(file.path.clone(), lake_file);
                    self.is_dirty = true;
                    self.settled.push(file.path.clone());
                }
                Some(Some(Arrival::Refused(why))) => self.refuse(stage, file, why).await?,
            }
        }
        failed.map_or(Ok(left), Err)
    }

    /// Puts a file aside that did not pass.
    pub(super) async fn refuse(
        &mut self,
        stage: &Stage,
        file: &SealedFile,
        why: String,
    ) -> Result<(), HostError> {
        arrive::quarantine(&self.run.place, stage, &self.entry.name, file, &why).await?;
        self.report.quarantined.push(Quarantined { path: file.path.clone(), why });
        Ok(())
    }

    /// Writes the record where it changed; what it has now is no longer staged.
    pub(super) async fn write(&mut self, stage: &Stage) -> Result<(), HostError> {
        if self.is_dirty {
            self.run.held.check()?;
            self.record.write(&self.run.place).await?;
            self.is_dirty = false;
        }
        let settled = std::mem::take(&mut self.settled);
        for path in &settled {
            self.clear_quarantine(path).await?;
        }
        let stage = stage.clone();
        blocking(move || settled.iter().try_for_each(|path| stage.is_done_with(path))).await?;
        Ok(())
    }
}

/// Places the file where it is whole; `None` where it is not.
async fn place_one(
    run: Arc<Run>,
    stage: Stage,
    file: SealedFile,
) -> Result<(String, Option<Arrival>), HostError> {
    let _turn = run.core().await;
    let (looking, of) = (stage.clone(), file.clone());
    if blocking(move || looking.look(&of)).await? != Look::Whole {
        return Ok((file.path, None));
    }
    let arrival = arrive::bring_in(&run.place, &stage, run.decrypt.as_ref(), &file).await?;
    Ok((file.path, Some(arrival)))
}
