//! The writer thread itself.
//!
//! | state | wakes for |
//! |---|---|
//! | clean, no segment open | a command |
//! | clean, segment open | a command, the segment's age |
//! | dirty (rows not durable) | a command, `flush_after` after the first of them; none of it with `flush_after` 0, which is never dirty while it waits |
//! | files cool off | and when the next of them is done with it |
//! | stalled | `retry_after`, the wish to stop; commands stay in the queue |
//!
//! Not handled: a journal or dataset directory that is replaced under the
//! running writer; both are locked, whoever does that has the say.

mod forget;
mod offer;
mod seal;
mod stall;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError},
    },
    time::{Duration, Instant},
};

use evscribe_model::Row;
use zeroize::Zeroize;

use super::{Command, Report, SealReason, Shared, config::FLUSH_AFTER};
use crate::{
    OnOffer, Provenance, SegmentId, SinkError, Store, disk, encode,
    journal::{JournalWriter, WaitingRows},
};

/// Bytes of rows at which they are made durable before their time.
const FLUSH_BYTES: usize = 32 * 1024;

pub(super) struct Thread {
    store: Store,
    commands: Receiver<Command>,
    give_back: SyncSender<Vec<Row>>,
    shared: Arc<Shared>,
    report: Box<dyn Fn(Report) + Send>,
    /// Whose the rows are; `None` until a segment is begun.
    provenance: Option<Provenance>,
    /// Rows that are not durable.
    waiting: WaitingRows,
    /// When the first row came that is not durable.
    dirty_since: Option<Instant>,
    journal: Option<JournalWriter>,
    /// When the first row of the segment came.
    segment_since: Option<Instant>,
    last_us: [Option<i64>; 4],
    unsaved: Option<(PathBuf, Vec<u8>)>,
    /// Where space must stay free: a place on each file system.
    file_systems: Vec<PathBuf>,
    stalled_since: Option<Instant>,
    unwritten: u64,
    /// What may be pulled; `None` while the outbox cannot be brought in line.
    on_offer: Option<OnOffer>,
    /// When more may be.
    offer_at: Option<Instant>,
}

/// Whether the thread goes on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl Thread {
    pub(super) fn new(
        store: Store,
        commands: Receiver<Command>,
        give_back: SyncSender<Vec<Row>>,
        shared: Arc<Shared>,
        report: Box<dyn Fn(Report) + Send>,
    ) -> Self {
        let mut file_systems = vec![store.config.journal.clone(), store.config.dataset.clone()];
        file_systems.dedup_by(|other, one| disk::same_file_system(one, other));
        Self {
            file_systems,
            store,
            commands,
            give_back,
            shared,
            report,
            provenance: None,
            waiting: WaitingRows::default(),
            dirty_since: None,
            journal: None,
            segment_since: None,
            last_us: [None; 4],
            unsaved: None,
            stalled_since: None,
            unwritten: 0,
            on_offer: Some(OnOffer::default()),
            offer_at: None,
        }
    }

    pub(super) fn run(mut self) {
        self.insist(|this| this.seal_pending(SealReason::Leftover));
        self.forget_leftovers();
        self.offer();
        loop {
            let next = match self.receive() {
                Ok(command) => self.execute(command),
                Err(RecvTimeoutError::Timeout) => Next::GoOn,
                Err(RecvTimeoutError::Disconnected) => Next::End,
            };
            if next == Next::End {
                break;
            }
            self.do_what_is_due();
        }
        self.close(SealReason::Stop);
        self.insist(Self::make_durable);
        let rows = self.unwritten + self.waiting.rows();
        if rows > 0 {
            (self.report)(Report::Unwritten { rows });
        }
    }

    fn receive(&mut self) -> Result<Command, RecvTimeoutError> {
        match self.commands.try_recv() {
            Ok(command) => return Ok(command),
            Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        if self.store.config.flush_after.is_zero() && self.dirty_since.is_some() {
            // Nothing more comes for now: no need to wake up for it later.
            self.insist(Self::flush);
        }
        match self.deadline() {
            None => self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => {
                self.commands.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
        }
    }

    /// How long rows may wait while more commands come.
    fn flush_after(&self) -> Duration {
        let flush_after = self.store.config.flush_after;
        if flush_after.is_zero() { FLUSH_AFTER } else { flush_after }
    }

    fn deadline(&self) -> Option<Instant> {
        let config = &self.store.config;
        let flush = self.dirty_since.map(|since| since + self.flush_after());
        let age = self.segment_since.map(|since| since + config.segment_age);
        flush.into_iter().chain(age).chain(self.offer_at).min()
    }

    fn do_what_is_due(&mut self) {
        let is_due = |since: Option<Instant>, after| {
            since.is_some_and(|since: Instant| since.elapsed() >= after)
        };
        if is_due(self.dirty_since, self.flush_after()) {
            self.insist(Self::flush);
        }
        if self
            .journal
            .as_ref()
            .is_some_and(|journal| journal.length() >= self.store.config.segment_bytes)
        {
            self.close(SealReason::Size);
        }
        if is_due(self.segment_since, self.store.config.segment_age) {
            self.close(SealReason::Age);
        }
        if is_due(self.offer_at, Duration::ZERO) {
            self.offer();
        }
    }

    fn execute(&mut self, command: Command) -> Next {
        match command {
            Command::Begin(provenance) => self.begin(*provenance),
            Command::Rows(rows) => self.take(rows),
            Command::Seal => self.end(SealReason::Asked),
            Command::Retain(retention) => {
                self.store.config.retention = retention;
                self.retain();
            }
            Command::Offer(cooling_off) => {
                if let Some(outbox) = &mut self.store.config.outbox {
                    outbox.cooling_off = cooling_off;
                }
                self.offer();
            }
            Command::NotePull { ticket, puller } => self.note_pull(ticket, puller),
            Command::AcknowledgePull { ticket, puller, sha256 } => {
                self.acknowledge_pull(ticket, puller, &sha256);
            }
            Command::AtRest(at_rest) => self.store.set_at_rest(at_rest),
            Command::SaveState { path, bytes } => {
                // What is told first is durable first: the state may rely on it.
                self.insist(Self::flush);
                self.unsaved = Some((path, bytes));
                self.insist(Self::save);
            }
            Command::Note(fact) => {
                self.store.note(*fact);
                self.insist(|this| this.store.write_notes());
            }
            Command::Confirm(ticket) => {
                if self.insist(Self::make_durable).is_some() {
                    (self.report)(Report::Confirmed { ticket });
                }
            }
            Command::Forget(forget) => self.forget(&forget),
            Command::Stop => return Next::End,
        }
        Next::GoOn
    }

    fn begin(&mut self, provenance: Provenance) {
        self.end(SealReason::Begin);
        match provenance.check() {
            Ok(()) => self.provenance = Some(provenance),
            Err(error) => (self.report)(Report::Refused { rows: 0, message: error.to_string() }),
        }
    }

    fn take(&mut self, mut rows: Vec<Row>) {
        let mut refused = 0;
        let mut because = None;
        for row in &rows {
            if let Err(error) = self.push(row) {
                refused += 1;
                because.get_or_insert(error);
            }
        }
        if let Some(error) = because {
            (self.report)(Report::Refused { rows: refused, message: error.to_string() });
        }
        // At `full` they held key codes, and the buffer may wait for hours.
        let used = rows.len();
        rows.clear();
        rows.spare_capacity_mut().get_mut(..used).unwrap_or_default().zeroize();
        // A buffer for which there is no room is given to the allocator.
        drop(self.give_back.try_send(rows));
    }

    fn push(&mut self, row: &Row) -> Result<(), SinkError> {
        let anchor = match &self.provenance {
            Some(provenance) => provenance.anchor,
            None => return Err(SinkError::NotBegun),
        };
        let table = encode::table_of(row);
        let wall_us = encode::wall_us(&anchor, row.at())?;
        let last_us = self.last_us.get(table as usize).copied().flatten();
        if last_us.is_some_and(|last_us| wall_us < last_us) {
            self.close(SealReason::Late);
        }
        if let Row::Mark(mark) = row
            && let Some(until) = mark.until
        {
            encode::wall_us(&anchor, until)?;
        }
        self.waiting.push(row)?;
        if let Some(last_us) = self.last_us.get_mut(table as usize) {
            *last_us = Some(wall_us);
        }
        // The clock is not asked for every row.
        if self.dirty_since.is_none() || self.segment_since.is_none() {
            let now = Instant::now();
            self.dirty_since.get_or_insert(now);
            self.segment_since.get_or_insert(now);
        }
        if self.waiting.bytes() >= FLUSH_BYTES {
            self.insist(Self::flush);
        }
        Ok(())
    }

    /// Makes all rows durable.
    fn flush(&mut self) -> Result<(), SinkError> {
        if self.waiting.rows() == 0 {
            self.dirty_since = None;
            return Ok(());
        }
        self.check_free()?;
        let journal = match (&mut self.journal, &self.provenance) {
            (Some(journal), _) => journal,
            (journal, Some(provenance)) => {
                let id = SegmentId::random()?;
                let directory = &self.store.config.journal;
                journal.insert(JournalWriter::create(directory, id, provenance, &self.store.keys)?)
            }
            (None, None) => return Ok(()),
        };
        let before = journal.length();
        journal.append(&self.waiting)?;
        self.shared.journal_bytes.fetch_add(journal.length() - before, Ordering::Relaxed);
        self.shared.journal_rows.fetch_add(self.waiting.rows(), Ordering::Relaxed);
        self.waiting.clear();
        self.dirty_since = None;
        Ok(())
    }

    fn check_free(&self) -> Result<(), SinkError> {
        let reserve_bytes = self.store.config.min_free_bytes;
        for path in &self.file_systems {
            let free_bytes = disk::free_bytes(path)?;
            if free_bytes < reserve_bytes {
                return Err(SinkError::DiskFull { path: path.clone(), free_bytes, reserve_bytes });
            }
        }
        Ok(())
    }

    /// Everything that was told so far.
    fn make_durable(&mut self) -> Result<(), SinkError> {
        self.flush()?;
        self.store.write_notes()?;
        self.save()
    }

    fn save(&mut self) -> Result<(), SinkError> {
        if let Some((path, bytes)) = &self.unsaved {
            disk::replace_as(path, bytes, 0o600)?;
            self.unsaved = None;
        }
        Ok(())
    }
}
