//! One timer for all that is due later.
//!
//! A wait with a time-out sets a timer of the kernel's each time, which shows
//! where keys come one by one. This timer is set when something becomes due
//! earlier than it stands, and left alone otherwise: it may fire too early,
//! once, for something that is no longer due.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// A timer that is set to nothing is stopped.
const AT_ONCE: Duration = Duration::from_nanos(1);

/// Becomes readable at the earliest moment that was asked for, or before.
#[derive(Debug)]
pub(crate) struct Deadline {
    timer: TimerFd,
    set_to: Option<Instant>,
}

impl Deadline {
    /// A timer that does not run.
    ///
    /// # Errors
    /// Where the kernel refuses a timer.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Self { timer, set_to: None })
    }

    /// The descriptor to wait on, edge-triggered.
    pub(crate) fn fd(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }

    /// Makes sure that it fires at `due`, or before.
    ///
    /// # Errors
    /// Where the kernel refuses to set it.
    pub(crate) fn wake_by(&mut self, due: Instant, now: Instant) -> io::Result<()> {
        if self.set_to.is_some_and(|set_to| set_to <= due) {
            return Ok(());
        }
        let after = due.saturating_duration_since(now).max(AT_ONCE);
        let once = Expiration::OneShot(TimeSpec::from_duration(after));
        self.timer.set(once, TimerSetTimeFlags::empty())?;
        self.set_to = Some(due);
        Ok(())
    }

    /// It fired. Nothing is read from it: setting it anew forgets that.
    pub(crate) fn fired(&mut self) {
        self.set_to = None;
    }
}
