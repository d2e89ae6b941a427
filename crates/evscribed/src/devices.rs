//! The open devices, and rows on their way to the writer's queue.
//!
//! Rows of several devices are drained one device after the other, so a row of
//! one may be older than the last of another. They wait here until nothing
//! older can come: what was stamped before a wait for readiness began has been
//! drained when that wait is over and every ready device is empty.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use evscribe_model::{
    BootUs, DeviceId, DeviceRow, Input, KeyLevel, Level, MarkKind, PointerLevel, Row,
};
use evscribe_normalizer::{Counters, Normalizer, Outlet};
use evscribe_policy::Redactor;
use evscribe_reader::{LiveDevice, Opened, ReadBuffer, ReadError, Registry};
use evscribe_sink::{Command, Keys, SendError, SinkError, WriterHandle};
use mio::unix::SourceFd;
use mio::{Interest, Token};

use crate::gate::chain;

/// A stamp is taken before the event is queued; that takes no longer than this.
const STAMP_TO_QUEUE: Duration = Duration::from_millis(1);

/// Rows that are sent at once even if the time to send has not come.
const BATCH_ROWS: usize = 2_048;

/// How long a full queue is waited for at the end.
const LAST_TRY: Duration = Duration::from_secs(5);

/// What was counted since the collector began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Rows of table `events` handed to the writer.
    pub events: u64,
    /// Rows of table `touch` handed to the writer.
    pub touch: u64,
    /// Times the kernel's buffer of a device overflowed.
    pub kernel_drops: u64,
    /// Rows lost because the writer's queue was full.
    pub rows_lost: u64,
}

/// The devices that are read, and what is on its way from them.
pub(crate) struct Devices {
    poll: mio::Registry,
    open: BTreeMap<usize, LiveDevice>,
    /// Links that did not open; they are tried again when the folder changes.
    refused: BTreeMap<PathBuf, String>,
    next_token: usize,
    unfinished: Vec<usize>,
    buffer: ReadBuffer,
    registry: Registry,
    keys: Keys,
    normalizer: Normalizer,
    redactor: Redactor,
    level: Level,
    outlet: Outlet,
    fresh: Vec<Row>,
    pending: Vec<Row>,
    writer: WriterHandle,
    /// What found the queue full, in order: commands, and one batch of rows.
    waiting: VecDeque<Command>,
    counts: Counts,
    known_changed: bool,
}

impl Devices {
    /// No device is open. Tokens of devices are `first_token` and above.
    #[must_use]
    pub(crate) fn new(
        poll: mio::Registry,
        first_token: usize,
        registry: Registry,
        next: Counters,
        keys: Keys,
        writer: WriterHandle,
    ) -> Self {
        let level = Level { keys: KeyLevel::Off, pointer: PointerLevel::Off };
        Self {
            poll,
            open: BTreeMap::new(),
            refused: BTreeMap::new(),
            next_token: first_token,
            unfinished: Vec::new(),
            buffer: ReadBuffer::default(),
            registry,
            keys,
            normalizer: Normalizer::new(next),
            redactor: Redactor::new(level),
            level,
            outlet: Outlet::new(),
            fresh: Vec::new(),
            pending: Vec::new(),
            writer,
            waiting: VecDeque::new(),
            counts: Counts::default(),
            known_changed: false,
        }
    }

    /// From now on no more than this is kept. Set while no device is open.
    pub(crate) fn set_level(&mut self, level: Level) {
        self.level = level;
        self.redactor = Redactor::new(level);
    }

    /// Opens what is new among `links` and closes what is no longer there.
    ///
    /// Returns whether anything changed.
    pub(crate) fn sync(&mut self, links: &[PathBuf], now: BootUs) -> bool {
        let vanished: Vec<usize> = self
            .open
            .iter()
            .filter(|(_, device)| !links.iter().any(|link| link == device.path()))
            .map(|(token, _)| *token)
            .collect();
        let mut changed = !vanished.is_empty();
        for token in vanished {
            self.drain(token);
            self.close(token, now, MarkKind::Unplug, "deselected");
        }
        self.refused.retain(|link, _| links.contains(link));
        for link in links {
            if !self.open.values().any(|device| device.path() == link) {
                changed |= self.try_open(link);
            }
        }
        changed
    }

    fn try_open(&mut self, link: &Path) -> bool {
        match self.open_one(link) {
            Ok(opened) => {
                self.refused.remove(link);
                opened
            }
            Err(why) => {
                let news = self.refused.get(link) != Some(&why);
                if news {
                    log::warn!("{why}; the other devices are read on");
                    self.refused.insert(link.into(), why);
                }
                news
            }
        }
    }

    fn open_one(&mut self, link: &Path) -> Result<bool, String> {
        let keys = self.level.keys > KeyLevel::Off;
        let Opened { mut live, state, identity, at } =
            LiveDevice::open(link, keys).map_err(|error| chain(&error))?;
        let says_keys = keys && live.device().has_keys();
        if !says_keys && self.level.pointer == PointerLevel::Off {
            return Ok(false);
        }
        let unit = self.keys.pseudonym("device", &identity.unit);
        let port = self.keys.pseudonym("port", &identity.port);
        let spent = || format!("{}: all 32,767 device numbers are spent", link.display());
        let (id, new) = self.registry.admit(unit, port).ok_or_else(spent)?;
        live.number(id);
        let token = self.next_token;
        self.next_token += 1;
        let registered =
            self.poll.register(&mut SourceFd(&live.fd()), Token(token), Interest::READABLE);
        if let Err(error) = registered {
            self.registry.release(id);
            return Err(format!("{} cannot be waited on: {error}", link.display()));
        }
        if new {
            self.known_changed = true;
            let row = DeviceRow { at, device: live.device().clone() };
            self.fresh.push(Row::Device(Box::new(row)));
        }
        let input = Input::Open { at, device: live.device(), state: Some(&state) };
        self.normalizer.feed(&input, &mut self.fresh);
        self.keep_fresh();
        self.open.insert(token, live);
        // What came between open and registering may have raised no edge.
        self.drain(token);
        Ok(true)
    }

    /// Reads what the device says. Returns whether it is still there.
    pub(crate) fn drain(&mut self, token: usize) -> bool {
        let Some(live) = self.open.get_mut(&token) else { return true };
        let (normalizer, fresh, counts) = (&mut self.normalizer, &mut self.fresh, &mut self.counts);
        let outcome = live.drain(&mut self.buffer, |input| {
            counts.kernel_drops += u64::from(matches!(input, Input::Dropped { .. }));
            normalizer.feed(&input, fresh);
        });
        self.keep_fresh();
        match outcome {
            Ok(true) => true,
            Ok(false) => {
                self.unfinished.push(token);
                true
            }
            Err(ReadError::Gone { .. }) => {
                self.close_now(token, MarkKind::Unplug, "device_gone");
                false
            }
            Err(error) => {
                log::warn!("{}; what it said before is kept", chain(&error));
                self.close_now(token, MarkKind::Unplug, "read_error");
                false
            }
        }
    }

    /// Goes on with devices that had more to say than one turn allows.
    /// Returns whether all are still there.
    pub(crate) fn drain_unfinished(&mut self) -> bool {
        let mut there = true;
        for token in std::mem::take(&mut self.unfinished) {
            there &= self.drain(token);
        }
        there
    }

    /// Whether a device has more to say than one turn allowed.
    #[must_use]
    pub(crate) fn is_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    fn close_now(&mut self, token: usize, kind: MarkKind, reason: &'static str) {
        let last = self.pending.last().map_or(BootUs::default(), Row::at);
        self.close(token, evscribe_reader::now().unwrap_or(last), kind, reason);
    }

    fn close(&mut self, token: usize, at: BootUs, kind: MarkKind, reason: &'static str) {
        let Some(mut live) = self.open.remove(&token) else { return };
        // A descriptor that is gone is deregistered already.
        let _ = self.poll.deregister(&mut SourceFd(&live.fd()));
        let (normalizer, fresh) = (&mut self.normalizer, &mut self.fresh);
        // One that is gone has nothing to say about what it holds.
        let _ = live.settle(&mut self.buffer, |input| normalizer.feed(&input, fresh));
        let id = live.device().id;
        self.normalizer.close(id, at, kind, reason, &mut self.fresh);
        self.registry.release(id);
        self.keep_fresh();
    }

    /// Reads what is left and closes every device.
    pub(crate) fn close_all(&mut self, kind: MarkKind, reason: &'static str) {
        for token in self.open.keys().copied().collect::<Vec<_>>() {
            while self.drain(token) && self.unfinished.pop().is_some() {}
            self.close_now(token, kind, reason);
        }
        self.refused.clear();
    }

    /// Asks for each device whether another holds it. Returns whether any
    /// answer changed.
    pub(crate) fn ask_grabbed(&mut self) -> bool {
        let mut changed = false;
        for live in self.open.values_mut() {
            let before = live.grabbed();
            live.ask_grabbed();
            changed |= live.grabbed() != before;
        }
        changed
    }

    /// Ends frames that the core split and did not end.
    pub(crate) fn settle(&mut self) {
        let (normalizer, fresh) = (&mut self.normalizer, &mut self.fresh);
        for live in self.open.values_mut() {
            // A device that fails here fails at its next reading, which closes it.
            let _ = live.settle(&mut self.buffer, |input| normalizer.feed(&input, fresh));
        }
        self.keep_fresh();
    }

    /// Puts a row of the collector itself, a mark, among the others.
    pub(crate) fn push(&mut self, row: Row) {
        self.fresh.push(row);
        self.keep_fresh();
    }

    /// Redacts what the normaliser made, before it waits anywhere.
    fn keep_fresh(&mut self) {
        self.redactor.reduce(&mut self.fresh);
        self.pending.append(&mut self.fresh);
    }

    /// Whether rows wait that are enough for a batch.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= BATCH_ROWS
    }

    /// Whether rows wait.
    #[must_use]
    pub(crate) fn is_dirty(&self) -> bool {
        !self.pending.is_empty() || self.outlet.is_blocked()
    }

    /// Sends the rows that nothing older can precede: those stamped before
    /// `waited`, the moment before the last wait began; all, where `waited` is
    /// `None` because every device was read to its end and closed.
    pub(crate) fn send(&mut self, waited: Option<BootUs>) {
        self.pending.sort_by_key(Row::at);
        let ready = waited.map_or(self.pending.len(), |waited| {
            let until = waited.earlier_by(STAMP_TO_QUEUE);
            self.pending.partition_point(|row| row.at() <= until)
        });
        let room = self.send_waiting();
        if self.outlet.is_blocked() {
            // All rows made so far belong to the hole: new runs begin after it.
            self.outlet.admit(&mut self.pending);
            if room {
                let mut rows = self.writer.buffer();
                let now = evscribe_reader::now().unwrap_or_default();
                let lost = self.outlet.unblock(now, "queue_full", &mut self.normalizer, &mut rows);
                self.counts.rows_lost += lost;
                log::warn!(
                    "{lost} rows were lost while the disk did not keep up; each device has a mark"
                );
                self.queue(rows);
            }
            return;
        }
        if ready == 0 {
            return;
        }
        if !room {
            self.outlet.block(self.pending.first().map_or(BootUs::default(), Row::at));
            self.outlet.admit(&mut self.pending);
            return;
        }
        let mut rows = self.writer.buffer();
        rows.extend(self.pending.drain(..ready));
        self.outlet.admit(&mut rows);
        self.queue(rows);
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
            // A newer state of the same file makes the older one needless.
            self.waiting.retain(
                |older| !matches!(older, Command::SaveState { path: same, .. } if same == path),
            );
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
    #[must_use]
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// The numbers and devices to be kept for the next run of the collector.
    #[must_use]
    pub(crate) fn kept(&self) -> (Counters, &Registry) {
        (self.normalizer.counters(), &self.registry)
    }

    /// Whether a device came that was not known, since last asked.
    pub(crate) fn take_known_changed(&mut self) -> bool {
        std::mem::take(&mut self.known_changed)
    }

    /// Every open device: its link, its number, and whether another holds it.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&Path, DeviceId, bool)> {
        self.open.values().map(|live| (live.path(), live.device().id, live.grabbed()))
    }

    /// Links that could not be opened, with the reason.
    #[must_use]
    pub(crate) fn refused(&self) -> &BTreeMap<PathBuf, String> {
        &self.refused
    }
}
