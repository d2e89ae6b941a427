//! The writer thread and the handle to it.
//!
//! The reading thread hands rows over and never waits: a full queue gives them
//! back. All that may stall (encoding, the journal's sync, sealing, a full disk)
//! happens here.

pub mod config;
mod report;
mod thread;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use evscribe_model::Row;

use crate::{Fact, Forget, Provenance, Retention, SinkError, Store};
use crate::{background, crypt::AtRest, error::At};

pub use config::Config;
pub use report::{Counters, Report, SealReason};

/// What the writer is told, in order.
#[derive(Debug)]
pub enum Command {
    /// The rows that follow have this provenance; the current segment is sealed.
    Begin(Box<Provenance>),
    /// Rows, ordered by time. One that is late begins a new segment. Where no
    /// segment is begun they are refused: they would be nobody's.
    Rows(Vec<Row>),
    /// Seal the current segment now. Rows need another [`Command::Begin`] then.
    Seal,
    /// Keep sealed files by this from now on, and remove what is too much.
    Retain(Retention),
    /// Seal files by this from now on, beginning with the next one.
    AtRest(AtRest),
    /// Let a file be pulled once it has cooled off for so long; `None`: let none
    /// be.
    Offer(Option<Duration>),
    /// Note that this puller may take all that is on offer, and report
    /// [`Report::Pull`].
    NotePull {
        /// Comes back in the report.
        ticket: u64,
        /// The puller's name.
        puller: String,
    },
    /// Take in that this puller has, verified, what that manifest lists, and report
    /// [`Report::Pull`].
    AcknowledgePull {
        /// Comes back in the report.
        ticket: u64,
        /// The puller's name.
        puller: String,
        /// SHA-256 of the manifest.
        sha256: String,
    },
    /// Replace the file at `path` by `bytes`, whole or not at all, durably; for its
    /// owner alone.
    SaveState {
        /// The file.
        path: PathBuf,
        /// What it shall hold.
        bytes: Vec<u8>,
    },
    /// Append this to the ledger, durably; nothing where there is no ledger.
    Note(Box<Fact>),
    /// Report [`Report::Confirmed`] as soon as everything told before is durable.
    Confirm(u64),
    /// Forget this, and report [`Report::Forgotten`]. Close the devices, make
    /// their last rows known and have the numbers it reserves saved before. The
    /// writer takes no other command meanwhile.
    Forget(Box<Forget>),
    /// Seal everything and end; [`WriterHandle::stop`] sends it.
    Stop,
}

/// A command that was not taken; it comes back.
#[derive(Debug)]
pub enum SendError {
    /// The queue is full: count what is lost, or try again later.
    Full(Command),
    /// The writer thread has ended.
    Gone(Command),
}

/// Counts that both sides see.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    stopping: AtomicBool,
    stalled: AtomicBool,
    journal_rows: AtomicU64,
    journal_bytes: AtomicU64,
    sealed_files: AtomicU64,
    sealed_rows: AtomicU64,
    sealed_bytes: AtomicU64,
}

/// Starts writer threads.
#[derive(Debug)]
pub struct Writer;

/// The reading thread's end of the queue. Dropping it ends the writer as
/// [`WriterHandle::stop`] does, without waiting.
#[derive(Debug)]
pub struct WriterHandle {
    commands: SyncSender<Command>,
    used: Receiver<Vec<Row>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the writer thread. `report` is called on it: keep it short.
    ///
    /// Idle, the thread sleeps: it wakes for a command, `flush_after` after a
    /// row, and once when an open segment gets too old.
    ///
    /// # Errors
    /// [`SinkError::Io`] where no thread can be started.
    pub fn spawn(
        store: Store,
        report: Box<dyn Fn(Report) + Send>,
    ) -> Result<WriterHandle, SinkError> {
        let depth = store.config.queue.max(1);
        let (commands, incoming) = sync_channel(depth);
        // Every buffer that is under way fits in, so none is thrown away.
        let (give_back, used) = sync_channel(depth + 2);
        let shared = Arc::new(Shared::default());
        let journal = store.config.journal.clone();
        let thread = thread::Thread::new(store, incoming, give_back, Arc::clone(&shared), report);
        let spawned = background::spawn("evscribe-writer", move || thread.run());
        let thread = spawned.at("start a writer thread for", &journal)?;
        Ok(WriterHandle { commands, used, shared, thread: Some(thread) })
    }
}

impl WriterHandle {
    /// Hands a command over; never waits.
    ///
    /// # Errors
    /// Gives the command back where the queue is full or the writer is gone.
    pub fn try_send(&self, command: Command) -> Result<(), SendError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(command) => SendError::Full(command),
            TrySendError::Disconnected(command) => SendError::Gone(command),
        })
    }

    /// An empty buffer for rows: a used one where there is one.
    #[must_use]
    pub fn buffer(&self) -> Vec<Row> {
        self.used.try_recv().unwrap_or_default()
    }

    /// What was written so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            journal_rows: of(&self.shared.journal_rows),
            journal_bytes: of(&self.shared.journal_bytes),
            sealed_files: of(&self.shared.sealed_files),
            sealed_rows: of(&self.shared.sealed_rows),
            sealed_bytes: of(&self.shared.sealed_bytes),
            stalled: self.shared.stalled.load(Ordering::Relaxed),
        }
    }

    /// Seals everything that was handed over and waits for it. A disk that is
    /// full is tried once more: what reached the journal is sealed at the next
    /// start, what did not is counted in [`Report::Unwritten`].
    ///
    /// # Errors
    /// [`SinkError::Gone`] where the thread ended before its time.
    pub fn stop(mut self) -> Result<(), SinkError> {
        self.tell_stopping();
        // The thread takes commands until this one, also when it gives up.
        let sent = self.commands.send(Command::Stop).is_ok();
        let joined = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        if sent && joined { Ok(()) } else { Err(SinkError::Gone) }
    }

    fn tell_stopping(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.tell_stopping();
    }
}
