//! What is to be forgotten, kept on disk until it is.

use std::{
    fs, io,
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Forget, plan::Plan};
use crate::{SealedFile, SegmentId, SinkError, Store, disk, error::At, manifest};

/// A [`Forget`] on disk: `<forget>/<id>.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// Its name, 16 hex digits.
    pub(crate) id: String,
    pub(crate) subjects: Vec<String>,
    pub(crate) from_us: i64,
    pub(crate) until_us: i64,
    /// Run numbers that are reserved and not used.
    pub(crate) fresh: Range<i32>,
    pub(crate) reason: String,
    pub(crate) erase: bool,
    /// When it was asked for, RFC 3339.
    pub(crate) at: String,
    /// How often it was done, but for journals that could not be sealed then.
    pub(crate) tries: u32,
    /// What is to be done; `None` until everything is sealed.
    pub(crate) plan: Option<Plan>,
}

impl Intent {
    pub(crate) fn new(forget: &Forget) -> Result<Self, SinkError> {
        let Forget { subjects, from_us, until_us, fresh_run, runs, reason, erase, .. } = forget;
        // What is recorded later was not meant, however long this takes. Where the
        // span has no end it is found once all is sealed: `end_behind`.
        let now_us = jiff::Timestamp::now().as_microsecond();
        let has_no_end = *until_us == i64::MAX && !erase;
        Ok(Self {
            id: SegmentId::random()?.to_string(),
            subjects: subjects.clone(),
            from_us: *from_us,
            until_us: if has_no_end { i64::MAX } else { (*until_us).min(now_us) },
            fresh: *fresh_run..fresh_run.saturating_add(*runs),
            reason: (*reason).to_owned(),
            erase: *erase,
            at: manifest::now(),
            tries: 0,
            plan: None,
        })
    }

    /// Whether the span's end is still to be found.
    pub(super) fn has_no_end(&self) -> bool {
        self.until_us == i64::MAX
    }

    /// Ends a span without end behind the newest row, which stands in the future
    /// where the clock was set back since.
    pub(super) fn end_behind(&mut self, theirs: &[SealedFile]) {
        let now_us = jiff::Timestamp::now().as_microsecond();
        let newest = theirs.iter().map(|file| file.last_us.saturating_add(1)).max();
        self.until_us = newest.map_or(now_us, |newest_us| newest_us.max(now_us));
    }

    /// Whether it may change this file and has not been carried out: rows behind
    /// the span, too, may go with what began in it.
    pub(crate) fn withholds(&self, file: &SealedFile) -> bool {
        self.tries == 0
            && self.subjects.contains(&file.subject)
            && (self.erase || file.last_us >= self.from_us)
    }

    /// Below which no run number is free.
    pub(crate) fn runs_end(&self) -> i32 {
        self.fresh.end.max(self.plan.as_ref().map_or(0, Plan::runs_end))
    }
}

impl Store {
    fn intent_path(&self, id: &str) -> PathBuf {
        self.config.forget.join(format!("{id}.json"))
    }

    /// Makes an intent durable, in the place of an earlier state of it.
    pub(crate) fn save_intent(&self, intent: &Intent) -> Result<(), SinkError> {
        let directory = &self.config.forget;
        if !directory.is_dir() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(directory).at("create", directory)?;
            disk::sync_parent(directory)?;
        }
        let path = self.intent_path(&intent.id);
        let bytes = serde_json::to_vec(intent).map_err(io::Error::from).at("write", &path)?;
        disk::replace(&path, &bytes)
    }

    /// The intents that are left, oldest first.
    ///
    /// # Errors
    /// [`SinkError::Io`]; [`SinkError::Intent`] for one that cannot be read:
    /// nothing may go on as if it were not there.
    pub(crate) fn intents(&self) -> Result<Vec<Intent>, SinkError> {
        let directory = &self.config.forget;
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.at("read", directory)?,
        };
        let mut intents = Vec::new();
        for entry in entries {
            let path = entry.at("read", directory)?.path();
            if path.extension().is_some_and(|suffix| suffix == "json") && !is_hidden(&path) {
                intents.push(read(&path)?);
            }
        }
        intents.sort_by(|one: &Intent, other| (&one.at, &one.id).cmp(&(&other.at, &other.id)));
        Ok(intents)
    }

    pub(super) fn intent(&self, id: &str) -> Result<Intent, SinkError> {
        read(&self.intent_path(id))
    }

    /// What it says is done.
    pub(super) fn remove_intent(&self, id: &str) -> Result<(), SinkError> {
        disk::step();
        let path = self.intent_path(id);
        fs::remove_file(&path).at("remove", &path)?;
        disk::sync_parent(&path)
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(disk::HIDDEN))
}

fn read(path: &Path) -> Result<Intent, SinkError> {
    fs::read(path)
        .and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
        .map_err(|source| SinkError::Intent { path: path.into(), source })
}
