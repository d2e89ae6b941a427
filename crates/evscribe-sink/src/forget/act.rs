//! Carrying a plan out, step by step; each may be done again.

use std::{fs, ops::Range, time::UNIX_EPOCH};

use evscribe_model::{BootUs, DeviceId, MarkKind, Run};

use super::{
    Forgotten,
    intent::Intent,
    plan::{self, BootPlan, Plan, Target},
    rewrite::rewrite,
};
use crate::{
    Dataset, Fact, Provenance, SealedFile, SegmentId, SegmentWriter, SinkError, Store,
    encode::MarkCells,
    error::At,
    journal, manifest,
    recover::chain,
    seal,
    store::{Pending, sealed},
    tombstones::{self, Tombstone},
};

/// Why a file is removed whole, in the manifest.
const REASON: &str = "forgotten";

/// How it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fulfilled {
    /// It is forgotten.
    Done(Forgotten),
    /// Not all of it yet; the next start tries again. Why, for people.
    Waits(String),
}

impl Store {
    /// Does what the intent `id` says. All journals that can be sealed must be.
    ///
    /// Run numbers come from `fresh`; `None`: from those that the intent
    /// reserved.
    ///
    /// # Errors
    /// What time heals: the intent stays, doing it again goes on. Whatever else
    /// fails waits for the next start, so that nobody insists on it for ever.
    pub(crate) fn fulfil(
        &mut self,
        id: &str,
        fresh: Option<&mut Range<i32>>,
    ) -> Result<Fulfilled, SinkError> {
        match self.go_on(id, fresh) {
            Err(error) if !error.heals() => Ok(Fulfilled::Waits(format!(
                "{}; the request is kept and done again when the service starts next",
                chain(&error)
            ))),
            done => done,
        }
    }

    fn go_on(&mut self, id: &str, fresh: Option<&mut Range<i32>>) -> Result<Fulfilled, SinkError> {
        let mut intent = self.intent(id)?;
        if intent.plan.is_none() {
            if fresh.is_none() {
                self.seal_damaged(&mut intent)?;
            }
            let mut own = intent.fresh.clone();
            let numbers = fresh.unwrap_or(&mut own);
            let directory = self.dataset.directory().to_path_buf();
            if intent.has_no_end() {
                intent.end_behind(&Dataset::files_of(&directory, &intent.subjects, &self.keyring)?);
            }
            let Some(mut plan) =
                Plan::make((&directory, &self.keyring), &intent, self.head(), numbers)?
            else {
                return Ok(Fulfilled::Waits(format!(
                    "{} numbers for runs were reserved, more are needed; it is forgotten when \
                     the service starts next",
                    intent.fresh.len()
                )));
            };
            plan.unsealed = self.unsealed_since(intent.from_us)?;
            plan.gone = self.gone(&intent)?;
            intent.plan = Some(plan);
            self.save_intent(&intent)?;
        }
        let Some(plan) = intent.plan.take() else {
            return Ok(Fulfilled::Done(Forgotten::default()));
        };
        self.carry_out(&intent, &plan)?;
        if plan.unsealed.is_empty() {
            self.remove_intent(id)?;
            return Ok(Fulfilled::Done(plan.outcome()));
        }
        intent.tries = intent.tries.saturating_add(1);
        self.save_intent(&intent)?;
        Ok(Fulfilled::Waits(format!(
            "{} rows in sealed files are forgotten, but there may be more in what cannot be read: \
             {}; they are forgotten as soon as it can be sealed, at a start of the service, or \
             with it if it is deleted",
            plan.outcome().rows,
            plan.unsealed.join(", ")
        )))
    }

    /// Seals the journals that were found damaged, with run numbers that the
    /// intent reserved: what is to be forgotten must not come back with them.
    fn seal_damaged(&mut self, intent: &mut Intent) -> Result<(), SinkError> {
        let directory = self.config.journal.clone();
        for path in journal::leftovers(&directory).at("read", &directory)? {
            let Ok(replayed) = seal::survey(&path, &self.keys) else { continue };
            let fresh_run = intent.fresh.start;
            let next = fresh_run.saturating_add(replayed.fresh_runs);
            if next > intent.fresh.end {
                continue;
            }
            intent.fresh.start = next;
            self.save_intent(intent)?;
            match self.seal_pending(&Pending { path, fresh_run: Some(fresh_run) }) {
                Err(error) if error.heals() => return Err(error),
                // What cannot be sealed stays, and is named among the unsealed.
                _ => {}
            }
        }
        Ok(())
    }

    /// The files that retention removed from here and somebody pulled before, with
    /// rows that may be meant. Nobody here can take these rows out: whoever has a
    /// file is told that all of it goes.
    fn gone(&mut self, intent: &Intent) -> Result<Vec<Target>, SinkError> {
        let directory = self.dataset.directory();
        let span = intent.from_us..intent.until_us;
        let is_meant = |file: &SealedFile| {
            intent.subjects.contains(&file.subject) && (intent.erase || plan::overlaps(file, &span))
        };
        let mut removed = manifest::read(directory)?.removed;
        removed.retain(|_, file| is_meant(file));
        let told = if removed.is_empty() { None } else { Some(tombstones::read(directory)?) };
        removed.retain(|path, _| {
            let of = told.as_ref().and_then(|told| told.of.get(path));
            !of.is_some_and(|of| of.iter().any(|line| line.sha256.is_none()))
        });
        let Some(ledger) = self.ledger.as_mut().filter(|_| !removed.is_empty()) else {
            return Ok(Vec::new());
        };
        let pulled = ledger.pulled(&removed.keys().cloned().collect())?;
        removed.retain(|path, _| pulled.contains(path));
        Ok(removed.values().map(|file| Target::of(file, 0)).collect())
    }

    /// The journals that are left and were written to since `from_us`.
    fn unsealed_since(&self, from_us: i64) -> Result<Vec<String>, SinkError> {
        let directory = &self.config.journal;
        let mut left = Vec::new();
        for entry in fs::read_dir(directory).at("read", directory)? {
            let entry = entry.at("read", directory)?;
            let path = entry.path();
            let is_journal = path
                .extension()
                .is_some_and(|suffix| suffix == journal::SUFFIX || suffix == "unreadable");
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let since = modified.at("look at", &path)?.duration_since(UNIX_EPOCH);
            let written_us =
                since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
            if is_journal && written_us >= from_us {
                left.push(path.display().to_string());
            }
        }
        left.sort();
        Ok(left)
    }

    fn carry_out(&mut self, intent: &Intent, plan: &Plan) -> Result<(), SinkError> {
        let span = intent.from_us..intent.until_us;
        let mut facts = Vec::new();
        for (boot, place) in plan.boots.iter().zip(0_usize..) {
            for file in self.write_marks(intent, plan, boot, place)? {
                facts.push(sealed(&file));
            }
        }
        let mut done: Vec<(&Target, Option<SealedFile>)> = Vec::new();
        let whole = plan.whole.iter().map(|target| (target.path.as_str(), REASON));
        self.dataset.discard_all(&whole.collect::<Vec<_>>())?;
        done.extend(plan.whole.iter().map(|target| (target, None)));
        for boot in &plan.boots {
            for target in &boot.files {
                let file =
                    match rewrite((&mut self.dataset, &self.keyring), &target.path, boot, &span) {
                        // It could be read when it was planned: what is to go goes.
                        Err(error) if !error.heals() => self.give_up(target)?,
                        file => file?,
                    };
                done.push((target, file));
            }
        }
        done.extend(plan.gone.iter().map(|target| (target, None)));
        let tombstone = |(target, file): &(&Target, Option<SealedFile>)| Tombstone {
            file: target.path.clone(),
            subject: target.subject.clone(),
            host: target.host.clone(),
            from_us: intent.from_us,
            until_us: intent.until_us,
            at: intent.at.clone(),
            sha256: file.as_ref().map(|file| file.sha256.clone()),
        };
        let tombstones: Vec<Tombstone> = done.iter().map(tombstone).collect();
        tombstones::append(self.dataset.directory(), &tombstones)?;
        facts.extend(done.iter().map(|(target, file)| intent.fact(Some(target), file.as_ref())));
        if done.is_empty() && intent.tries == 0 {
            facts.push(intent.fact(None, None));
        }
        self.tell(intent, facts)
    }

    /// A damaged file: removed where rows of it go, left where they do not.
    fn give_up(&mut self, target: &Target) -> Result<Option<SealedFile>, SinkError> {
        if target.rows == 0 {
            return self.dataset.live(&target.path);
        }
        self.dataset.discard_all(&[(&target.path, REASON)])?;
        Ok(None)
    }

    /// Writes the marks of the holes: one about each, and one for each run that
    /// goes on behind it. They are segments of their own, named after the try,
    /// so that they replace what a kill left of it, and nothing else.
    fn write_marks(
        &mut self,
        intent: &Intent,
        plan: &Plan,
        boot: &BootPlan,
        place: usize,
    ) -> Result<Vec<SealedFile>, SinkError> {
        let mut written = Vec::new();
        for (number, hole) in boot.holes.iter().enumerate() {
            let Some((_, provenance)) = Provenance::from_json(hole.provenance.as_bytes()) else {
                continue;
            };
            let provenance = Provenance { ledger_head: plan.head.clone(), ..provenance };
            let id = SegmentId::of(format!("{} {place} {number}", intent.request()).as_bytes());
            let stamp = |us: i64| BootUs::new(u64::try_from(us).unwrap_or(0));
            let mark = |run: Option<i32>, device: Option<i16>| MarkCells {
                at: stamp(hole.from_us),
                until: Some(stamp(hole.until_us.max(hole.from_us))),
                run: run.map(Run),
                device: device.map(DeviceId),
                kind: MarkKind::Forget,
                reason: intent.reason.clone().into(),
                lost: None,
            };
            let mut segment = SegmentWriter::begin(&self.dataset, id, provenance)?;
            segment.write_mark(&mark(None, None))?;
            for run in boot.runs.iter().filter(|run| run.hole == number) {
                segment.write_mark(&mark(Some(run.fresh), Some(run.device)))?;
            }
            written.extend(segment.finish(&mut self.dataset)?);
        }
        Ok(written)
    }

    /// Appends the facts to the ledger, but for those that are there.
    fn tell(&mut self, intent: &Intent, facts: Vec<Fact>) -> Result<(), SinkError> {
        self.write_notes()?;
        let Some(ledger) = &mut self.ledger else { return Ok(()) };
        let key = intent.request();
        // Those of the request come last, so where one is there, those of the
        // files with the marks are too.
        let there = ledger.lines_of_request(&key)?;
        let mut told = 0;
        let is_left = |fact: &Fact| match fact {
            Fact::Forgotten { .. } | Fact::Erased { .. } => {
                told += 1;
                told > there
            }
            _ => there == 0,
        };
        let left: Vec<Fact> = facts.into_iter().filter(is_left).collect();
        ledger.append(&left)
    }
}

impl Intent {
    /// What its lines in the ledger have in common; another for each try.
    fn request(&self) -> String {
        if self.tries == 0 { self.id.clone() } else { format!("{}-{}", self.id, self.tries) }
    }

    fn fact(&self, target: Option<&Target>, file: Option<&SealedFile>) -> Fact {
        let subject = match target {
            Some(target) => target.subject.clone(),
            None => self.subjects.first().cloned().unwrap_or_default(),
        };
        let (path, rows) = (target.map(|target| target.path.clone()), target.map_or(0, |t| t.rows));
        let (reason, request) = (self.reason.clone(), self.request());
        if self.erase {
            return Fact::Erased { subject, file: path, rows, reason, request };
        }
        let (from_us, until_us) = (self.from_us, self.until_us);
        let sha256 = file.map(|file| file.sha256.clone());
        Fact::Forgotten { subject, file: path, from_us, until_us, rows, sha256, reason, request }
    }
}
