//! Rows on their way from the normaliser to the writer's queue.
//!
//! Rows of several devices are drained one device after the other, so a row of
//! one may be older than the last of another. They wait here until nothing
//! older can come: what was stamped before a wait for readiness began has been
//! drained when that wait is over and every ready device is empty.
//!
//! That they wait is also what lets them be taken back. A row goes to the writer
//! only if it was stamped before the last wait began, however many rows there
//! are. That wait ended without the news that another person took the seat, so
//! no such news was there when it began, and what is sent is from before. When
//! the next wait does bring the news, everything that may be the next person's,
//! which is everything since the last wait without the news began, is still
//! here: [`Pipeline::discard_since`].

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use evscribe_model::{BootUs, KeyLevel, Level, Row};
use evscribe_normalizer::{Normalizer, Outlet};
use evscribe_policy::Redactor;
use evscribe_sink::{Command, SendError, SinkError, WriterHandle};
use zeroize::Zeroize;

/// A stamp is taken before the event is queued; that takes no longer than this.
const STAMP_TO_QUEUE: Duration = Duration::from_millis(1);

/// Rows that are sent at once even if the time to send has not come.
const BATCH_ROWS: usize = 4_096;

/// How long a full queue is waited for at the end.
const LAST_TRY: Duration = Duration::from_secs(5);

/// What was counted since the collector began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Rows of table `events` handed to the writer.
    pub(crate) events: u64,
    /// Rows of table `touch` handed to the writer.
    pub(crate) touch: u64,
    /// Rows lost because the writer's queue was full.
    pub(crate) rows_lost: u64,
}

/// Redacts, orders and queues rows; never waits.
pub(crate) struct Pipeline {
    redactor: Redactor,
    outlet: Outlet,
    pending: Vec<Row>,
    writer: WriterHandle,
    /// What found the queue full, in order: commands, and one batch of rows.
    waiting: VecDeque<Command>,
    counts: Counts,
}

impl Pipeline {
    /// Nothing waits; what is kept is at most `level`.
    pub(crate) fn new(level: Level, writer: WriterHandle) -> Self {
        Self {
            redactor: Redactor::new(level),
            outlet: Outlet::new(),
            pending: Vec::new(),
            writer,
            waiting: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// From now on no more than this is kept.
    pub(crate) fn set_level(&mut self, level: Level) {
        self.redactor = Redactor::new(level);
    }

    /// Takes rows in, redacted before they wait anywhere; `fresh` is empty then.
    pub(crate) fn keep(&mut self, fresh: &mut Vec<Row>) {
        self.redactor.reduce(fresh);
        self.pending.append(fresh);
        if self.redactor.level().keys == KeyLevel::Full {
            fresh.spare_capacity_mut().zeroize();
        }
    }

    /// Whether rows wait that are enough for a batch.
    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= BATCH_ROWS
    }

    /// Whether rows wait.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.pending.is_empty() || self.outlet.is_blocked() || !self.waiting.is_empty()
    }

    /// Sends the rows that nothing older can precede: those stamped before
    /// `waited`, the moment before the last wait began; all, where `waited` is
    /// `None` because every device was read to its end and closed.
    pub(crate) fn send(&mut self, waited: Option<BootUs>, normalizer: &mut Normalizer) {
        // Of one device they are in order: sorting takes memory, even for that.
        if !self.pending.is_sorted_by_key(Row::at) {
            self.pending.sort_by_key(Row::at);
        }
        let ready = waited.map_or(self.pending.len(), |waited| {
            let until = waited.earlier_by(STAMP_TO_QUEUE);
            self.pending.partition_point(|row| row.at() <= until)
        });
        // At the end everything is handed over, to wait for room if need be: it
        // may not come under the next person's name.
        let room = self.send_waiting() || waited.is_none();
        if self.outlet.is_blocked() {
            if !room {
                self.lose(ready);
                return;
            }
            // All rows made so far belong to the hole: new runs begin after it.
            self.outlet.admit(&mut self.pending);
            let mut rows = self.writer.buffer();
            let now = evscribe_reader::now().unwrap_or_default();
            let lost = self.outlet.unblock(now, "queue_full", normalizer, &mut rows);
            self.counts.rows_lost += lost;
            log::warn!(
                "{lost} rows were lost while the disk did not keep up; each device has a mark"
            );
            self.queue(rows);
            return;
        }
        if ready == 0 {
            return;
        }
        if !room {
            self.outlet.block(self.pending.first().map_or(BootUs::default(), Row::at));
            self.lose(ready);
            return;
        }
        let mut rows = self.writer.buffer();
        rows.extend(self.pending.drain(..ready));
        self.wipe();
        self.outlet.admit(&mut rows);
        self.queue(rows);
    }

    /// Offers the first rows that wait to the hole; the others may be taken back.
    fn lose(&mut self, ready: usize) {
        let mut rows = self.pending.drain(..ready).collect();
        self.outlet.admit(&mut rows);
        self.wipe();
    }

    /// Takes back what was done at or after `since`, as
    /// [`Outlet::discard_since`] says. Returns whether that was all of it: if
    /// not, some was sent before, and the writer must be told to forget it.
    pub(crate) fn discard_since(&mut self, since: BootUs, normalizer: &mut Normalizer) -> bool {
        self.outlet.discard_since(since, &mut self.pending, normalizer)
    }

    /// Overwrites what rows left behind where they waited. Below `full` they
    /// held no key code there.
    fn wipe(&mut self) {
        if self.redactor.level().keys == KeyLevel::Full {
            self.pending.spare_capacity_mut().zeroize();
        }
    }

    fn queue(&mut self, rows: Vec<Row>) {
        for row in &rows {
            match row {
                Row::Event(_) => self.counts.events += 1,
                Row::Touch(_) => self.counts.touch += 1,
                Row::Mark(_) | Row::Device(_) => {}
            }
        }
        self.command(Command::Rows(rows));
    }

    /// Tells the writer something, in order with the rows sent so far.
    pub(crate) fn command(&mut self, command: Command) {
        if let Command::SaveState { path, .. } = &command {
            drop_older(&mut self.waiting, path);
        }
        self.waiting.push_back(command);
        self.send_waiting();
    }

    /// Sends the commands that wait. Returns whether none waits any more, so
    /// that there is room for rows: they go into the queue or wait as the one next.
    fn send_waiting(&mut self) -> bool {
        while let Some(command) = self.waiting.pop_front() {
            match self.writer.try_send(command) {
                Ok(()) => {}
                Err(SendError::Full(command)) => {
                    self.waiting.push_front(command);
                    return false;
                }
                Err(SendError::Gone(_)) => log::error!("the writer is gone"),
            }
        }
        true
    }

    /// Ends the writer: what waits is handed over, sealed, and waited for. A
    /// disk that takes nothing is given a few seconds.
    ///
    /// # Errors
    /// Where the writer ended before its time.
    pub(crate) fn stop(mut self) -> Result<(), SinkError> {
        let until = Instant::now() + LAST_TRY;
        while !self.send_waiting() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        if !self.waiting.is_empty() {
            log::error!("what waited for the disk is lost: it took nothing until the end");
        }
        self.writer.stop()
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }
}

/// A newer state of a file makes the older one that waits needless, unless
/// something waits behind it that was told on the strength of it.
fn drop_older(waiting: &mut VecDeque<Command>, path: &Path) {
    let relies = |told: &Command| matches!(told, Command::Confirm(_) | Command::Forget(_));
    let relied_on = waiting.iter().rposition(relies).map_or(0, |at| at + 1);
    let mut place = 0;
    waiting.retain(|older| {
        place += 1;
        place <= relied_on
            || !matches!(older, Command::SaveState { path: same, .. } if same == path)
    });
}

#[cfg(test)]
mod tests;
