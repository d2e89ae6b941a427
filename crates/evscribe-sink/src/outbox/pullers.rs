//! What is written down of pullers: that they may have files, and that they do.

use std::{collections::BTreeSet, time::Duration};

use super::{Answer, book::Book};
use crate::{Fact, SealedFile, SinkError, Store};

impl Store {
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
            if let Some(outbox) = &self.config.outbox {
                book.save(&outbox.book)?;
            }
            self.book = book;
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

    /// Notes in the ledger, and then in `book`, that each of these pullers may take
    /// each of these files, where they were not noted for its bytes before.
    ///
    /// # Errors
    /// [`SinkError::Io`]; then they must not get them. A line too many is harmless,
    /// one that is missing is not.
    pub(super) fn note_pullers(
        &mut self,
        pullers: &BTreeSet<String>,
        files: &[&SealedFile],
        book: &mut Book,
    ) -> Result<(), SinkError> {
        let fresh = |puller: &String| {
            let of_puller = |file: &&SealedFile| !book.is_noted(puller, &file.path);
            let fresh: Vec<&SealedFile> = files.iter().copied().filter(of_puller).collect();
            (puller.clone(), fresh)
        };
        let fresh: Vec<(String, Vec<&SealedFile>)> = pullers.iter().map(fresh).collect();
        let facts =
            fresh.iter().flat_map(|(puller, files)| files.iter().map(|file| pulled(puller, file)));
        let facts: Vec<Fact> = facts.collect();
        if facts.is_empty() {
            return Ok(());
        }
        self.append(&facts)?;
        let wall_us = jiff::Timestamp::now().as_microsecond();
        fresh.iter().for_each(|(puller, files)| book.note(puller, files, wall_us));
        Ok(())
    }

    fn append(&mut self, facts: &[Fact]) -> Result<(), SinkError> {
        self.write_notes()?;
        self.ledger.as_mut().map_or(Ok(()), |ledger| ledger.append(facts))
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
