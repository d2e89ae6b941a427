//! At start: what an earlier writer left is sealed first.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    Config, Damage, Dataset, Forgotten, Highest, Keys, RemovedFile, SealedFile, SinkError, Store,
    disk::{HIDDEN, Lock, sync_directory},
    error::At,
    forget::Fulfilled,
    journal::{self, UNREADABLE},
    ledger::Ledger,
    outbox::Book,
    seal,
    store::Pending,
};

/// What [`recover`] found and did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Recovery {
    /// Every journal that was left, oldest first.
    pub journals: Vec<RecoveredJournal>,
    /// The files that were sealed from them.
    pub sealed: Vec<SealedFile>,
    /// Journals that cannot be read or sealed, and why; kept.
    pub unreadable: Vec<(PathBuf, String)>,
    /// How many journals could not be sealed yet; the writer tries on.
    pub pending: usize,
    /// Why not, of the first.
    pub pending_because: Option<String>,
    /// Files that retention removed.
    pub removed: Vec<RemovedFile>,
    /// The highest numbers in the journals: counters must go on above them.
    pub highest: Highest,
    /// Bytes of a torn last line that were cut off the manifest.
    pub manifest_torn_bytes: u64,
    /// Bytes of a torn last line that were cut off the ledger.
    pub ledger_torn_bytes: u64,
    /// Where the ledger does not hold, and why; said once, and in the ledger.
    pub ledger_broken: Option<String>,
    /// What an earlier writer was told to forget and had not, and now is.
    pub forgotten: Vec<Forgotten>,
    /// What is to be forgotten and cannot be yet, and why.
    pub unforgotten: Vec<String>,
    /// Whether what was remembered of pulls was damaged: it is begun anew.
    pub pulls_damaged: bool,
    /// Why the outbox could not be brought in line; nothing may be pulled then.
    pub outbox_failed: Option<String>,
}

/// A journal that was left by an earlier writer.
#[derive(Clone, Debug, Serialize)]
pub struct RecoveredJournal {
    /// Its segment, 16 hex digits.
    pub segment: String,
    /// Whether its writer ended it; a `stop` mark says so where it did not.
    pub closed: bool,
    /// Rows in it.
    pub rows: u64,
    /// What is wrong with it, by place.
    pub damages: Vec<Damage>,
}

/// Opens dataset and journals for writing and seals what was left.
///
/// `next_run` is the first run number that is free; it is moved above every run
/// in the journals, and above those numbered afresh behind holes. Without space
/// to seal, the journals stay and the writer tries on. What was to be forgotten
/// when an earlier writer ended is forgotten now, after the journals are sealed.
///
/// # Errors
/// Those of [`Dataset::create_or_open`]; [`SinkError::Busy`] where another
/// writer holds the journals, [`SinkError::Intent`] where it cannot be read what
/// is to be forgotten, [`SinkError::Io`].
pub fn recover(
    config: Config,
    keys: Keys,
    next_run: &mut i32,
) -> Result<(Store, Recovery), SinkError> {
    let directory = config.journal.clone();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .at("create", &directory)?;
    let lock = Lock::of(&directory)?;
    let dataset = Dataset::create_or_open(&config.dataset)?;
    let mut recovery =
        Recovery { manifest_torn_bytes: dataset.torn_bytes(), ..Recovery::default() };
    let mut store = Store::new(config, keys, dataset, lock);
    store.open_ledger(&mut recovery)?;
    store.open_book(&mut recovery)?;
    remove_hidden(&directory)?;
    store.survey(&directory, next_run, &mut recovery)?;
    store.retain_into(&mut recovery);
    store.seal_into(&mut recovery);
    store.offer_into(&mut recovery);
    store.forget_into(next_run, &mut recovery)?;
    store.retain_into(&mut recovery);
    store.offer_into(&mut recovery);
    Ok((store, recovery))
}

impl Store {
    fn open_ledger(&mut self, recovery: &mut Recovery) -> Result<(), SinkError> {
        if let Some(path) = &self.config.ledger {
            let (ledger, opened) = Ledger::open(path)?;
            self.ledger = Some(ledger);
            recovery.ledger_torn_bytes = opened.torn_bytes;
            recovery.ledger_broken = opened.broken.map(|fault| fault.to_string());
        }
        Ok(())
    }

    fn open_book(&mut self, recovery: &mut Recovery) -> Result<(), SinkError> {
        if let Some(outbox) = &self.config.outbox {
            (self.book, recovery.pulls_damaged) = Book::open(&outbox.book)?;
        }
        Ok(())
    }

    fn offer_into(&mut self, recovery: &mut Recovery) {
        // The writer tries again, and nobody is served before it could.
        recovery.outbox_failed = self.offer().err().map(|error| chain(&error));
    }

    /// Finds the journals and gives each its fresh runs.
    fn survey(
        &mut self,
        directory: &Path,
        next_run: &mut i32,
        recovery: &mut Recovery,
    ) -> Result<(), SinkError> {
        let mut found = Vec::new();
        for path in journal::leftovers(directory).at("read", directory)? {
            match seal::survey(&path, &self.keys) {
                Ok(replayed) => {
                    recovery.highest = recovery.highest.or(replayed.highest);
                    found.push((path, replayed));
                }
                Err(error @ SinkError::NewerSchema { .. }) => {
                    recovery.unreadable.push((path, error.to_string()))
                }
                Err(error @ SinkError::Journal { .. }) => {
                    let aside = path.with_extension(UNREADABLE);
                    fs::rename(&path, &aside).at("rename", &path)?;
                    sync_directory(directory)?;
                    recovery.unreadable.push((aside, error.to_string()));
                }
                // Of a newer version, or on a bad disk: it stays where it is.
                Err(error) => recovery.unreadable.push((path, chain(&error))),
            }
        }
        let above = recovery.highest.run.map_or(0, |run| run.saturating_add(1));
        *next_run = (*next_run).max(above);
        for (path, replayed) in found {
            self.pending.push_back(Pending { path, fresh_run: Some(*next_run) });
            *next_run = next_run.saturating_add(replayed.fresh_runs);
            recovery.journals.push(RecoveredJournal {
                segment: replayed.id.to_string(),
                closed: replayed.closed,
                rows: replayed.rows,
                damages: replayed.damages,
            });
        }
        Ok(())
    }

    fn seal_into(&mut self, recovery: &mut Recovery) {
        while let Some(next) = self.pending.front().cloned() {
            match self.seal_pending(&next) {
                Ok(files) => recovery.sealed.extend(files.unwrap_or_default()),
                // It keeps nothing else from being sealed or forgotten.
                Err(error) if !error.heals() => {
                    recovery.unreadable.push((next.path, chain(&error)));
                }
                Err(error) => {
                    recovery.pending_because = Some(chain(&error));
                    break;
                }
            }
            self.pending.pop_front();
        }
        recovery.pending = self.pending.len();
    }

    /// Forgets what is left to be forgotten, once everything is sealed.
    fn forget_into(
        &mut self,
        next_run: &mut i32,
        recovery: &mut Recovery,
    ) -> Result<(), SinkError> {
        let mut fresh = *next_run..i32::MAX;
        let intents = self.intents()?;
        for intent in &intents {
            fresh.start = fresh.start.max(intent.runs_end());
        }
        for intent in &intents {
            if recovery.pending > 0 {
                recovery.unforgotten.push("the journals have to be sealed first".to_owned());
                continue;
            }
            match self.fulfil(&intent.id, Some(&mut fresh)) {
                Ok(Fulfilled::Done(forgotten)) => recovery.forgotten.push(forgotten),
                Ok(Fulfilled::Waits(why)) => recovery.unforgotten.push(why),
                Err(error) => recovery.unforgotten.push(chain(&error)),
            }
        }
        *next_run = fresh.start;
        Ok(())
    }

    fn retain_into(&mut self, recovery: &mut Recovery) {
        // Retention runs again after each seal; here it only makes room.
        if let Ok(removed) = self.retain() {
            recovery.removed.extend(removed);
        }
    }
}

fn remove_hidden(directory: &Path) -> Result<(), SinkError> {
    for entry in fs::read_dir(directory).at("read", directory)? {
        let entry = entry.at("read", directory)?;
        if entry.file_name().to_string_lossy().starts_with(HIDDEN) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).at("remove", &entry.path());
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &SinkError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
