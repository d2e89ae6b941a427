//! A device of the kernel: opened directly, drained in batches.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use evscribe_model::codes::EV_KEY;
use evscribe_model::{Bits, BootUs, Device, DeviceId, DeviceState, Frame, Input, RawEvent};
use nix::libc::{CLOCK_BOOTTIME, O_CLOEXEC, O_NONBLOCK};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

use crate::buffer::BATCH_EVENTS;
use crate::describe::{describe, mask_keys, state};
use crate::grab::GrabWatch;
use crate::pace::Pace;
use crate::properties::Properties;
use crate::sys::{self, Text};
use crate::{Assembler, Identity, Piece, ReadBuffer, ReadError};

/// Reads that a drain does at most before other devices get their turn.
const READS_PER_DRAIN: usize = 16;

/// Reads that empty the queue after a drop, at most. One takes all that was
/// there; during a flood it goes on as long as more comes.
const READS_TO_EMPTY: usize = 4;

/// Which keys of a device reach this process; its buttons always do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyMask<'a> {
    /// All of them.
    All,
    /// Only those of these codes: the kernel keeps the others to itself.
    Only(&'a [u16]),
}

/// An open device. Dropping it closes it.
#[derive(Debug)]
pub struct LiveDevice {
    file: File,
    path: PathBuf,
    device: Device,
    /// The keys and buttons that reach this process, where not all do.
    mask: Option<Bits<12>>,
    assembler: Assembler,
    /// Frames and drops that were handed on.
    told: u64,
    /// The last drain emptied the queue.
    emptied: bool,
    /// Since when the queue overflowed, until its state is read again.
    hole: Option<BootUs>,
    grab: GrabWatch,
    pace: Pace,
}

/// What opening a device gave.
pub struct Opened {
    /// The device; its number is 0 until [`LiveDevice::number`] gives it one.
    pub live: LiveDevice,
    /// What was held at that moment.
    pub state: DeviceState,
    /// What tells it from others.
    pub identity: Identity,
    /// When its state was read; it is read from then on.
    pub at: BootUs,
}

impl LiveDevice {
    /// Opens `path` for reading, sets its clock and asks what it is and holds.
    ///
    /// What `keys` leaves out never reaches this process, neither as an event nor
    /// as a state. With [`KeyMask::Only`] the device is described as if it had no
    /// keys at all, also where some are let through.
    ///
    /// # Errors
    /// [`ReadError::Gone`] where it vanished meanwhile, [`ReadError::Io`] where
    /// it may not be opened or is no input device.
    pub fn open(path: &Path, keys: KeyMask<'_>) -> Result<Opened, ReadError> {
        let failed = |source: std::io::Error| ReadError::of(path, source);
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(O_NONBLOCK | O_CLOEXEC)
            .open(path)
            .map_err(failed)?;
        let fd = file.as_fd();
        // Before any stamp of ours: what comes while it is described is dated by it.
        let at = now().map_err(failed)?;
        // First of all: on a queue that holds events it would cost them.
        sys::set_clock(fd, CLOCK_BOOTTIME).map_err(|errno| failed(errno.into()))?;
        let mut device = describe(&file).map_err(|errno| failed(errno.into()))?;
        let mask = match keys {
            KeyMask::All => None,
            KeyMask::Only(codes) => {
                let mask = mask_keys(&file, &mut device, codes);
                Some(mask.map_err(|errno| failed(errno.into()))?)
            }
        };
        let properties = Properties::of(file.metadata().map_err(failed)?.rdev());
        device.origin = properties.origin;
        device.dpi = properties.dpi;
        device.seat = properties.seat;
        let identity =
            Identity::new(&device, &sys::text(fd, Text::Uniq), &sys::text(fd, Text::Phys));
        let state = state(&file, &device, mask.as_ref()).map_err(|errno| failed(errno.into()))?;
        // Of masked keys the state says nothing: it changes and nothing is told.
        let grab = match keys {
            KeyMask::All => GrabWatch::open(path, &state),
            KeyMask::Only(_) => GrabWatch::default(),
        };
        let (assembler, pace) = (Assembler::new(at), Pace::new(&device, properties.interval_us));
        let live = Self {
            file,
            path: path.into(),
            device,
            mask,
            assembler,
            told: 0,
            emptied: false,
            hole: None,
            grab,
            pace,
        };
        Ok(Opened { live, state, identity, at })
    }

    /// Gives the device its number.
    pub fn number(&mut self, id: DeviceId) {
        self.device.id = id;
    }

    /// What it is.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The node it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor to wait on.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Whether another holds it by grab, as far as was seen: then its events
    /// reach nobody else, and a remapper's own virtual device speaks for it.
    #[must_use]
    pub fn grabbed(&self) -> bool {
        self.grab.grabbed()
    }

    /// Looks whether its keys change without this process being told. Call it
    /// now and then while people work; it disturbs nobody.
    pub fn look_for_grab(&mut self) {
        self.grab.look(self.told);
    }

    /// How long it may be left alone after a drain, by what it said so far,
    /// without a loss; whole milliseconds. `None`: wait for it.
    #[must_use]
    pub fn absence(&self) -> Option<Duration> {
        self.pace.absence()
    }

    /// Hands on everything that the kernel holds for this device now, oldest
    /// first. Readiness is edge-triggered: it reads until nothing is left, but
    /// at most 16 batches, so that a flood cannot starve the others.
    ///
    /// Returns whether the queue was emptied; if not, call it again soon.
    ///
    /// # Errors
    /// [`ReadError::Gone`] after an unplug or a revoke, [`ReadError::Io`]
    /// otherwise. What was handed on before the failure is valid.
    pub fn drain(
        &mut self,
        buffer: &mut ReadBuffer,
        mut each: impl FnMut(Input<'_>),
    ) -> Result<bool, ReadError> {
        let outcome = self.drain_batches(buffer, &mut each);
        buffer.wipe();
        self.assembler.release();
        if let Ok(emptied) = outcome {
            self.emptied = emptied;
        }
        outcome
    }

    fn drain_batches(
        &mut self,
        buffer: &mut ReadBuffer,
        each: &mut impl FnMut(Input<'_>),
    ) -> Result<bool, ReadError> {
        for _ in 0..READS_PER_DRAIN {
            if !self.read(buffer)? {
                return Ok(true);
            }
            let device = self.device.id;
            let mut rest = buffer.events();
            let mut dropped = None;
            self.told += 1;
            while let Some(piece) = self.assembler.next(&mut rest) {
                match piece {
                    Piece::Frame { at, events } => {
                        self.pace.frame(at, events.len());
                        each(Input::Frame(Frame { device, at, events }));
                    }
                    Piece::Dropped { since, .. } => {
                        self.pace.dropped();
                        dropped = Some(since);
                        break;
                    }
                }
            }
            if let Some(since) = dropped {
                let (until, state) = self.resynchronise(since, buffer)?;
                each(Input::Dropped { device, since, until, state: Some(&state) });
                // Who says more than can be read must not take the others' time.
                return Ok(false);
            }
            // A short batch emptied the queue; asking once more would say so.
            if buffer.events().len() < BATCH_EVENTS / 2 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a frame waits that the core split and did not end.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.assembler.is_split()
    }

    /// Hands on a frame that the core split and did not end, if one waits.
    /// Call it after the device was silent for a millisecond or longer.
    ///
    /// # Errors
    /// As [`LiveDevice::drain`].
    pub fn settle(
        &mut self,
        buffer: &mut ReadBuffer,
        mut each: impl FnMut(Input<'_>),
    ) -> Result<(), ReadError> {
        let device = self.device.id;
        match self.assembler.settle() {
            Some(Piece::Frame { at, events }) => each(Input::Frame(Frame { device, at, events })),
            Some(Piece::Dropped { since, .. }) => {
                let read = self.resynchronise(since, buffer);
                buffer.wipe();
                let (until, state) = read?;
                each(Input::Dropped { device, since, until, state: Some(&state) });
            }
            None => {}
        }
        self.assembler.release();
        Ok(())
    }

    /// Hands on what waits before the device is closed.
    ///
    /// When a device goes, the kernel itself releases what is down, and ends
    /// that with a split and nothing more: nobody let go of these keys, so it is
    /// not handed on.
    ///
    /// Of a device that is gone the kernel hands out no more, whatever its queue
    /// holds: that is told as dropped, also where it may be those releases alone.
    /// What was stamped before `sure` was in the queue at the last drain.
    pub fn finish(&mut self, sure: BootUs, mut each: impl FnMut(Input<'_>)) {
        let device = self.device.id;
        let is_release = |event: &RawEvent| event.kind == EV_KEY && event.value == 0;
        match self.assembler.settle() {
            Some(Piece::Frame { at, events }) if !events.iter().all(is_release) => {
                each(Input::Frame(Frame { device, at, events }));
            }
            Some(Piece::Dropped { since, .. }) => self.hole = self.hole.or(Some(since)),
            _ => {}
        }
        self.assembler.release();
        if self.hole.is_some() || self.left_unread() {
            let whole = self.assembler.whole();
            let since = if self.emptied { whole.max(sure) } else { whole };
            let since = self.hole.take().unwrap_or(since);
            let until = now().unwrap_or(since).max(since);
            each(Input::Dropped { device, since, until, state: None });
        }
    }

    /// Whether the device is gone and its queue held what was not read.
    fn left_unread(&self) -> bool {
        let mut polled = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        let told = poll(&mut polled, PollTimeout::ZERO).ok().and(polled[0].revents());
        let told = told.unwrap_or(PollFlags::empty());
        told.contains(PollFlags::POLLHUP | PollFlags::POLLIN)
    }

    /// Empties the queue and asks what is held now. The state read includes
    /// every event up to this moment, so what waits in the queue must not be
    /// played over it; the hole ends here.
    fn resynchronise(
        &mut self,
        since: BootUs,
        buffer: &mut ReadBuffer,
    ) -> Result<(BootUs, DeviceState), ReadError> {
        self.hole = Some(since);
        for _ in 0..READS_TO_EMPTY {
            // A batch that is not full emptied the queue.
            if !self.read(buffer)? || buffer.events().len() < BATCH_EVENTS {
                break;
            }
        }
        let until = now().map_err(|source| ReadError::of(&self.path, source))?;
        let state = state(&self.file, &self.device, self.mask.as_ref())
            .map_err(|errno| ReadError::of(&self.path, errno.into()))?;
        self.assembler.clear(until);
        self.hole = None;
        Ok((until, state))
    }

    /// Reads one batch; `false` where the queue is empty.
    fn read(&mut self, buffer: &mut ReadBuffer) -> Result<bool, ReadError> {
        loop {
            match buffer.read(&self.file) {
                Ok(0) => return Err(ReadError::Gone { path: self.path.clone() }),
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(ReadError::of(&self.path, error)),
            }
        }
    }
}

/// The moment now on the clock that the devices' events carry.
///
/// # Errors
/// Where the kernel has no such clock (before Linux 2.6.39).
pub fn now() -> std::io::Result<BootUs> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let us = now.tv_sec() * 1_000_000 + now.tv_nsec() / 1_000;
    Ok(BootUs::new(u64::try_from(us).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn what_is_no_input_device_is_an_error_that_names_it() {
        let error = LiveDevice::open(Path::new("/dev/null"), KeyMask::All).err().unwrap();
        assert_eq!(error.to_string(), "device /dev/null cannot be read");
        let error = LiveDevice::open(Path::new("/dev/input/none"), KeyMask::All).err().unwrap();
        assert_eq!(error.to_string(), "device /dev/input/none is gone");
    }
}
