//! The open devices: opened, drained, closed.

mod away;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use evscribe_model::{
    BootUs, DeviceId, DeviceRow, Input, KeyLevel, Level, MarkKind, PointerLevel, Row,
};
use evscribe_normalizer::{Counters, Normalizer};
use evscribe_reader::{KeyMask, LiveDevice, Opened, ReadBuffer, ReadError, Registry};
use evscribe_sink::{Keys, SinkError, WriterHandle};
use mio::unix::SourceFd;
use mio::{Interest, Token};

use crate::gate::chain;
use crate::pipeline::Pipeline;

/// Turns that a device gets at most before it is closed.
const LAST_TURNS: usize = 8;

/// What becomes of events that wait in the kernel when a device is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unread {
    /// They are the person's, and are read first.
    Read,
    /// They may be another's, and go with the descriptor.
    Discard,
}

/// The devices that are read, and what is on its way from them.
pub(crate) struct Devices {
    poll: mio::Registry,
    open: BTreeMap<usize, LiveDevice>,
    /// Links that did not open; they are tried again when the folder changes.
    refused: BTreeMap<PathBuf, String>,
    next_token: usize,
    unfinished: Vec<usize>,
    /// Devices that are not waited on but read at each wake-up.
    away: Vec<usize>,
    /// Whether these were left alone for their whole time just now.
    rested: bool,
    /// Closed as far as rows go; their descriptors are to be closed.
    closing: Vec<LiveDevice>,
    buffer: ReadBuffer,
    registry: Registry,
    keys: Keys,
    normalizer: Normalizer,
    level: Level,
    fresh: Vec<Row>,
    pipeline: Pipeline,
    kernel_drops: u64,
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
            away: Vec::new(),
            rested: false,
            closing: Vec::new(),
            buffer: ReadBuffer::default(),
            registry,
            keys,
            normalizer: Normalizer::new(next),
            level,
            fresh: Vec::new(),
            pipeline: Pipeline::new(level, writer),
            kernel_drops: 0,
            known_changed: false,
        }
    }

    /// From now on no more than this is kept. Set while no device is open.
    pub(crate) fn set_level(&mut self, level: Level) {
        self.level = level;
        self.pipeline.set_level(level);
    }

    /// Opens what is new among `links` and closes what is no longer there.
    pub(crate) fn sync(&mut self, links: &[PathBuf], now: BootUs) {
        let vanished: Vec<usize> = self
            .open
            .iter()
            .filter(|(_, device)| !links.iter().any(|link| link == device.path()))
            .map(|(token, _)| *token)
            .collect();
        for token in vanished {
            self.drain_to_the_end(token);
            self.close(token, now, MarkKind::Unplug, "deselected");
        }
        self.refused.retain(|link, _| links.contains(link));
        for link in links {
            if !self.open.values().any(|device| device.path() == link) {
                self.try_open(link);
            }
        }
    }

    fn try_open(&mut self, link: &Path) {
        match self.open_one(link) {
            Ok(()) => drop(self.refused.remove(link)),
            Err(why) if self.refused.get(link) == Some(&why) => {}
            Err(why) => {
                log::warn!("{why}; the other devices are read on");
                self.refused.insert(link.into(), why);
            }
        }
    }

    fn open_one(&mut self, link: &Path) -> Result<(), String> {
        let keys = self.level.keys > KeyLevel::Off;
        let mask = if keys { KeyMask::All } else { KeyMask::Only(&[]) };
        let Opened { mut live, state, identity, at } = match LiveDevice::open(link, mask) {
            Ok(opened) => opened,
            // It was unplugged; udev takes its link away in a moment.
            Err(ReadError::Gone { .. }) => return Ok(()),
            Err(error) => return Err(chain(&error)),
        };
        let says_keys = keys && live.device().has_keys();
        if !says_keys && self.level.pointer == PointerLevel::Off {
            return Ok(());
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
        Ok(())
    }

    /// Reads what the device says. Returns whether it is still there.
    pub(crate) fn drain(&mut self, token: usize) -> bool {
        let Some(live) = self.open.get_mut(&token) else { return true };
        let (normalizer, fresh, drops) =
            (&mut self.normalizer, &mut self.fresh, &mut self.kernel_drops);
        let mut frames = 0;
        let outcome = live.drain(&mut self.buffer, |input| {
            *drops += u64::from(matches!(input, Input::Dropped { .. }));
            frames += usize::from(matches!(input, Input::Frame(_)));
            normalizer.feed(&input, fresh);
        });
        self.keep_fresh();
        match outcome {
            Ok(true) => {
                self.leave_or_return(token, frames);
                true
            }
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
        self.close(token, evscribe_reader::now().unwrap_or_default(), kind, reason);
    }

    fn close(&mut self, token: usize, at: BootUs, kind: MarkKind, reason: &'static str) {
        let Some(mut live) = self.open.remove(&token) else { return };
        self.away.retain(|away| *away != token);
        // A descriptor that is gone is deregistered already.
        let _ = self.poll.deregister(&mut SourceFd(&live.fd()));
        let (normalizer, fresh) = (&mut self.normalizer, &mut self.fresh);
        live.finish(|input| normalizer.feed(&input, fresh));
        let id = live.device().id;
        self.normalizer.close(id, at, kind, reason, &mut self.fresh);
        self.registry.release(id);
        self.keep_fresh();
        self.closing.push(live);
    }

    /// The device hung up: what it still says is read, then it is closed.
    pub(crate) fn hang_up(&mut self, token: usize) {
        self.drain_to_the_end(token);
        self.close_now(token, MarkKind::Unplug, "device_gone");
    }

    /// Reads what the device says until it says nothing or is gone; of one that
    /// never ends, some turns.
    fn drain_to_the_end(&mut self, token: usize) {
        for _ in 0..LAST_TURNS {
            if !self.drain(token) {
                return;
            }
            let Some(index) = self.unfinished.iter().position(|other| *other == token) else {
                return;
            };
            self.unfinished.swap_remove(index);
        }
    }

    /// Closes the descriptors of closed devices, on a thread of their own: the
    /// kernel lets each close wait for every processor, longer than a fast mouse
    /// may wait for its reader.
    pub(crate) fn let_go(&mut self) {
        if self.closing.is_empty() {
            return;
        }
        let closing = std::mem::take(&mut self.closing);
        let thread = std::thread::Builder::new().name("evscribe-close".into());
        // Where no thread can be had, dropping what it was to have closes them.
        if let Err(error) = thread.spawn(move || drop(closing)) {
            log::warn!("devices were closed on the reading thread: {error}");
        }
    }

    /// Closes every device.
    pub(crate) fn close_all(&mut self, kind: MarkKind, reason: &'static str, unread: Unread) {
        for token in self.open.keys().copied().collect::<Vec<_>>() {
            if unread == Unread::Read {
                self.drain_to_the_end(token);
            }
            self.close_now(token, kind, reason);
        }
        self.let_go();
        self.refused.clear();
    }

    /// Whether a device's frame was split by the core and may be whole.
    pub(crate) fn is_split(&self) -> bool {
        self.open.values().any(LiveDevice::is_split)
    }

    /// Ends frames that the core split and did not end, and looks for grabs.
    pub(crate) fn settle(&mut self) {
        let (normalizer, fresh) = (&mut self.normalizer, &mut self.fresh);
        for live in self.open.values_mut() {
            live.look_for_grab();
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

    fn keep_fresh(&mut self) {
        self.pipeline.keep(&mut self.fresh);
    }

    /// See [`Pipeline::send`].
    pub(crate) fn send(&mut self, waited: Option<BootUs>) {
        self.pipeline.send(waited, &mut self.normalizer);
    }

    /// The way of the rows, for what is not about devices.
    pub(crate) fn pipeline(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    /// Ends the way of the rows.
    ///
    /// # Errors
    /// As [`Pipeline::stop`].
    pub(crate) fn stop(self) -> Result<(), SinkError> {
        self.pipeline.stop()
    }

    /// Times the kernel's buffer of a device overflowed since the start.
    pub(crate) fn kernel_drops(&self) -> u64 {
        self.kernel_drops
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
