//! What a writer works on: dataset, journals and ledger, held by one process.

use std::{collections::VecDeque, path::PathBuf};

use crate::{
    Config, Dataset, Fact, Keys, RemovedFile, SealedFile, SegmentId, SinkError,
    crypt::{AtRest, Keyring},
    dataset::Tree,
    disk::Lock,
    ledger::Ledger,
    outbox::Book,
    seal,
};

/// What a writer works on: the dataset and the journals, both locked, and the
/// ledger.
#[derive(Debug)]
pub struct Store {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    /// What opens the workstation's own files.
    pub(crate) keyring: Keyring,
    pub(crate) dataset: Dataset,
    pub(crate) ledger: Option<Ledger>,
    pub(crate) book: Book,
    /// Facts that are not in the ledger yet.
    notes: Vec<Fact>,
    pub(crate) pending: VecDeque<Pending>,
    _lock: Lock,
}

/// A journal that waits to be sealed.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) path: PathBuf,
    /// Where its fresh runs begin; `None` for a journal that has just been
    /// ended and must have no holes.
    pub(crate) fresh_run: Option<i32>,
}

impl Store {
    pub(crate) fn new(config: Config, keys: Keys, dataset: Dataset, lock: Lock) -> Self {
        let (notes, pending) = (Vec::new(), VecDeque::new());
        let (keyring, at_rest) = (Keyring::of(&keys), config.at_rest.clone());
        let book = Book::default();
        let mut store = Self {
            config,
            keys,
            keyring,
            dataset,
            ledger: None,
            book,
            notes,
            pending,
            _lock: lock,
        };
        store.set_at_rest(at_rest);
        store
    }

    /// Seals by this from now on; what is encrypted is so for the workstation too.
    pub(crate) fn set_at_rest(&mut self, at_rest: AtRest) {
        self.dataset.set_at_rest(at_rest.and(self.keys.own().public()));
    }

    /// Takes a fact for the ledger; [`Store::write_notes`] makes it durable.
    pub(crate) fn note(&mut self, fact: Fact) {
        if self.ledger.is_some() {
            self.notes.push(fact);
        }
    }

    /// Makes the facts that were taken durable.
    ///
    /// # Errors
    /// [`SinkError::Io`]; they are kept for another try.
    pub(crate) fn write_notes(&mut self) -> Result<(), SinkError> {
        if let Some(ledger) = &mut self.ledger {
            ledger.append(&self.notes)?;
            self.notes.clear();
        }
        Ok(())
    }

    /// Head of the ledger, where there is one.
    pub(crate) fn head(&self) -> Option<String> {
        self.ledger.as_ref().map(|ledger| ledger.head().to_owned())
    }

    /// Removes what retention does not keep.
    pub(crate) fn retain(&mut self) -> Result<Vec<RemovedFile>, SinkError> {
        let early = self.pulled_early()?;
        let ledger = &mut self.ledger;
        self.dataset.retain(&self.config.retention, &early, |removed| match ledger {
            Some(ledger) => ledger.append(&removed.iter().map(retained).collect::<Vec<_>>()),
            None => Ok(()),
        })
    }

    /// Seals one journal; `None` where it has holes that nobody numbered.
    pub(crate) fn seal_pending(
        &mut self,
        pending: &Pending,
    ) -> Result<Option<Vec<SealedFile>>, SinkError> {
        if !pending.path.exists() {
            return Ok(Some(Vec::new()));
        }
        self.write_notes()?;
        let (head, ledger) = (self.head(), &mut self.ledger);
        let noted = |files: &[SealedFile]| match ledger {
            Some(ledger) => ledger.append(&files.iter().map(sealed).collect::<Vec<_>>()),
            None => Ok(()),
        };
        let (dataset, keys, path) = (&mut self.dataset, &self.keys, &pending.path);
        let Some(fresh_run) = pending.fresh_run else {
            return seal::seal_whole(dataset, keys, path, head, noted);
        };
        let (files, replayed) = seal::seal(dataset, keys, path, fresh_run, head, noted)?;
        self.remove_superseded(replayed.id, &files)?;
        Ok(Some(files))
    }

    /// Removes files of a segment that an interrupted seal named and this one
    /// did not, because the journal was damaged in between.
    fn remove_superseded(&mut self, id: SegmentId, files: &[SealedFile]) -> Result<(), SinkError> {
        let ending = format!("-{id}.parquet");
        let root = self.dataset.directory().to_path_buf();
        let is_superseded = |path: &&String| {
            path.ends_with(&ending) && !files.iter().any(|file| file.path == **path)
        };
        let tree = Tree::of(&root)?;
        let superseded = tree.files.iter().filter(is_superseded);
        let superseded: Vec<_> = superseded.map(|path| (path.as_str(), "resealed")).collect();
        self.dataset.discard_all(&superseded)
    }
}

/// What the ledger says of a sealed file.
pub(crate) fn sealed(file: &SealedFile) -> Fact {
    Fact::Sealed {
        subject: file.subject.clone(),
        file: file.path.clone(),
        sha256: file.sha256.clone(),
        rows: file.rows,
    }
}

fn retained(file: &RemovedFile) -> Fact {
    let (subject, file, reason) = (file.subject.clone(), file.path.clone(), file.reason);
    Fact::Retained { subject, file, reason }
}
