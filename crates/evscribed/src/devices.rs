//! The open devices: opened, drained, closed.

mod away;
mod intake;
mod opening;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use evscribe_model::{BootUs, DeviceId, Input, KeyLevel, Level, MarkKind, PointerLevel, Row};
use evscribe_normalizer::Counters;
use evscribe_reader::{LiveDevice, ReadBuffer, ReadError, Registry};
use evscribe_sink::{Keys, SinkError, WriterHandle};
use mio::unix::SourceFd;
use zeroize::zeroize_stack;

use crate::gate::chain;
use crate::hotkey::Hotkey;
use crate::pipeline::Pipeline;
use intake::Intake;

/// Turns that a device gets at most before it is closed.
const LAST_TURNS: usize = 8;

/// More stack than reading a device takes, bytes; it is overwritten afterwards.
const STACK_BYTES: usize = 8_192;

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
    /// What was stamped before was there when devices were last read.
    sure: BootUs,
    /// Closed as far as rows go; their descriptors are to be closed.
    closing: Vec<LiveDevice>,
    buffer: ReadBuffer,
    registry: Registry,
    keys: Keys,
    intake: Intake,
    level: Level,
    /// Whose input it is.
    subject: String,
    known_changed: bool,
    grabs_changed: bool,
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
            sure: BootUs::default(),
            closing: Vec::new(),
            buffer: ReadBuffer::default(),
            registry,
            keys,
            intake: Intake::new(next, Pipeline::new(level, writer)),
            level,
            subject: String::new(),
            known_changed: false,
            grabs_changed: false,
        }
    }

    /// From now on it is this person who is recorded, and no more than this is
    /// kept. Set while no device is open.
    pub(crate) fn set_person(&mut self, subject: &str, level: Level) {
        self.subject = subject.to_owned();
        self.level = level;
        self.pipeline().set_level(level);
    }

    /// Listens for this chord from now on, or for none: of each inner list any one
    /// key. Set while no device is open: at keys `off` the kernel lets through
    /// only what is listened for when a device is opened.
    pub(crate) fn set_hotkey(&mut self, chord: Option<Vec<Vec<u16>>>) {
        self.intake.hotkey = chord.and_then(Hotkey::new);
    }

    /// Whether the hotkey was struck since last asked: since when some of it was
    /// down. What was done since then led to it: [`Devices::forget_since`].
    pub(crate) fn take_hotkey(&mut self) -> Option<BootUs> {
        self.intake.hotkey.as_mut()?.take()
    }

    /// A wait is over. What was stamped before `sure`, when the wait before it
    /// began, was there for the reading that followed that one.
    pub(crate) fn wake(&mut self, sure: BootUs) {
        self.sure = sure;
    }

    /// Reads what the device says. Returns whether it is still there.
    pub(crate) fn drain(&mut self, token: usize) -> bool {
        let there = self.read(token);
        if self.intake.take_typed() {
            // What was typed last would stand there until something else is.
            zeroize_stack::<STACK_BYTES>();
        }
        there
    }

    #[inline(never)]
    fn read(&mut self, token: usize) -> bool {
        let Some(live) = self.open.get_mut(&token) else { return true };
        let mut frames = 0;
        let outcome = live.drain(&mut self.buffer, |input| {
            frames += usize::from(matches!(input, Input::Frame(_)));
            self.intake.hear(&input);
        });
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
        self.finish(token);
        self.close(token, evscribe_reader::now().unwrap_or_default(), kind, reason);
    }

    /// Takes in what was read of a device and waits for its end.
    fn finish(&mut self, token: usize) {
        let Some(live) = self.open.get_mut(&token) else { return };
        live.finish(self.sure, |input| self.intake.hear(&input));
    }

    #[inline(never)]
    fn close(&mut self, token: usize, at: BootUs, kind: MarkKind, reason: &'static str) {
        let Some(live) = self.open.remove(&token) else { return };
        self.away.retain(|away| *away != token);
        // A descriptor that is gone is deregistered already.
        let _ = self.poll.deregister(&mut SourceFd(&live.fd()));
        let id = live.device().id;
        self.intake.close(id, at, kind, reason);
        self.registry.release(id);
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

    /// Closes every device. With [`Unread::Discard`] a frame of which the end is
    /// not known goes too.
    pub(crate) fn close_all(&mut self, kind: MarkKind, reason: &'static str, unread: Unread) {
        for token in self.open.keys().copied().collect::<Vec<_>>() {
            if unread == Unread::Read {
                self.drain_to_the_end(token);
                self.finish(token);
            }
            self.close(token, evscribe_reader::now().unwrap_or_default(), kind, reason);
        }
        self.let_go();
        self.refused.clear();
        zeroize_stack::<STACK_BYTES>();
    }

    /// Takes back what was done at or after `since` and not sent, before or after
    /// the devices are closed. Returns whether that was all of it: if not, some
    /// was sent before, and the writer must be told to forget it.
    ///
    /// For news that came with a wait, `since` is the moment before the last wait
    /// began that was over without such news (not when that wait was over: what
    /// happened between its end and the clock's reading is not known). All that
    /// was done since then is here then: see the module `pipeline`.
    pub(crate) fn forget_since(&mut self, since: BootUs) -> bool {
        let is_all = self.intake.discard_since(since);
        zeroize_stack::<STACK_BYTES>();
        is_all
    }

    /// Whether a device's frame was split by the core and may be whole.
    pub(crate) fn is_split(&self) -> bool {
        self.open.values().any(LiveDevice::is_split)
    }

    /// Ends frames that the core split and did not end, and looks for grabs.
    pub(crate) fn settle(&mut self) {
        for live in self.open.values_mut() {
            let was_grabbed = live.grabbed();
            live.look_for_grab();
            self.grabs_changed |= live.grabbed() != was_grabbed;
            // A device that fails here fails at its next reading, which closes it.
            let _ = live.settle(&mut self.buffer, |input| self.intake.hear(&input));
        }
        zeroize_stack::<STACK_BYTES>();
    }

    /// Puts a row of the collector itself, a mark, among the others.
    pub(crate) fn push(&mut self, row: Row) {
        self.intake.push(row);
    }

    /// See [`Pipeline::send`].
    pub(crate) fn send(&mut self, waited: Option<BootUs>) {
        self.intake.send(waited);
    }

    /// The way of the rows, for what is not about devices.
    pub(crate) fn pipeline(&mut self) -> &mut Pipeline {
        &mut self.intake.pipeline
    }

    /// Ends the way of the rows.
    ///
    /// # Errors
    /// As [`Pipeline::stop`].
    pub(crate) fn stop(self) -> Result<(), SinkError> {
        self.intake.pipeline.stop()
    }

    /// Times the kernel's buffer of a device overflowed since the start.
    pub(crate) fn kernel_drops(&self) -> u64 {
        self.intake.kernel_drops()
    }

    /// See [`Normalizer::reserve_runs`].
    pub(crate) fn reserve_runs(&mut self, count: i32) -> i32 {
        self.intake.reserve_runs(count)
    }

    /// The numbers and devices to be kept for the next run of the collector.
    #[must_use]
    pub(crate) fn kept(&self) -> (Counters, &Registry) {
        (self.intake.counters(), &self.registry)
    }

    /// Has every device described again when it is opened next: the rows that
    /// described it may be erased.
    pub(crate) fn describe_anew(&mut self) {
        self.registry.begin_anew();
    }

    /// Whether a device came that was not known, since last asked.
    pub(crate) fn take_known_changed(&mut self) -> bool {
        std::mem::take(&mut self.known_changed)
    }

    /// Whether another took or gave back a device, since last asked.
    pub(crate) fn take_grabs_changed(&mut self) -> bool {
        std::mem::take(&mut self.grabs_changed)
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
