//! The clocks: anchors between them, and what happens when one is changed.
//!
//! | what happened | wall against boot clock | boot against monotonic clock |
//! |---|---|---|
//! | the wall clock was stepped | jumps | stays |
//! | the machine slept | stays, within the hardware clock's precision | grows by the sleep |
//!
//! A timer that the kernel cancels whenever the wall clock is set tells of both:
//! coming back from sleep sets it too. Slewing (NTP) sets nothing; the next
//! segment's anchor takes it in.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use evscribe_model::{Anchor, BootUs, WallUs};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timerfd::{Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId, clock_gettime};

/// A shorter sleep is not told: reading three clocks takes time itself.
const SLEEP_MIN: Duration = Duration::from_millis(10);

/// Clocks that were read within this are of one moment; a reading that was
/// interrupted is not.
const MOMENT_US: i64 = 100;

/// How often a moment is tried for; the best is taken.
const TRIES: usize = 8;

/// A smaller step is slewing.
const STEP_MIN_US: i64 = 1_000;

/// What changed since the anchor was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Change {
    /// The machine slept this long.
    pub slept: Option<Duration>,
    /// The wall clock was stepped by this many microseconds.
    pub stepped_us: Option<i64>,
}

/// Watches the wall clock and knows the anchor.
#[derive(Debug)]
pub(crate) struct Clock {
    timer: TimerFd,
    anchor: Anchor,
    /// Boot clock minus monotonic clock: all the time slept in this boot.
    slept: Duration,
}

impl Clock {
    /// Takes the first anchor and starts to watch.
    ///
    /// # Errors
    /// Where the kernel refuses a timer.
    pub(crate) fn new() -> std::io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(nix::sys::timerfd::ClockId::CLOCK_REALTIME, flags)?;
        let (anchor, slept) = read()?;
        let clock = Self { timer, anchor, slept };
        clock.arm()?;
        Ok(clock)
    }

    /// The descriptor to wait on; it is readable when the wall clock was set.
    #[must_use]
    pub(crate) fn fd(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }

    /// A new anchor, for a new segment. A sleep is still to be told by
    /// [`Clock::changed`]: the segment may begin before the timer is seen.
    ///
    /// # Errors
    /// Where a clock cannot be read.
    pub(crate) fn anchor(&mut self) -> std::io::Result<Anchor> {
        self.anchor = read()?.0;
        Ok(self.anchor)
    }

    /// Whether the machine slept since that was last told by [`Clock::changed`].
    ///
    /// # Errors
    /// Where a clock cannot be read.
    pub(crate) fn has_slept(&self) -> std::io::Result<bool> {
        Ok(read()?.1.saturating_sub(self.slept) >= SLEEP_MIN)
    }

    /// What changed since the last anchor, and watches on.
    ///
    /// # Errors
    /// Where a clock cannot be read or the timer not be set again.
    pub(crate) fn changed(&mut self) -> std::io::Result<Change> {
        self.arm()?;
        let (anchor, slept) = read()?;
        let change = Change {
            slept: slept.checked_sub(self.slept).filter(|slept| *slept >= SLEEP_MIN),
            stepped_us: Some(anchor.wall.get() - self.anchor.wall_of(anchor.boot).get())
                .filter(|stepped| stepped.abs() >= STEP_MIN_US),
        };
        (self.anchor, self.slept) = (anchor, slept);
        Ok(change)
    }

    /// Sets the timer to a day that never comes; only its cancelling is waited for.
    fn arm(&self) -> std::io::Result<()> {
        let never = Expiration::OneShot(TimeSpec::seconds(i64::from(u32::MAX) * 2));
        let flags =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        match self.timer.set(never, flags) {
            // It was cancelled, as is waited for; it is set anew all the same.
            Ok(()) | Err(nix::Error::ECANCELED) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// All three clocks at one moment, and the time slept in this boot: the wall clock
/// is read between two readings of the boot clock, so the anchor is off by half of
/// what that takes at most.
fn read() -> std::io::Result<(Anchor, Duration)> {
    let us = |clock| clock_gettime(clock).map(|time| time.num_microseconds());
    let mut best: Option<(i64, i64, i64, i64)> = None;
    for _ in 0..TRIES {
        let before = us(ClockId::CLOCK_BOOTTIME)?;
        let wall = us(ClockId::CLOCK_REALTIME)?;
        let monotonic = us(ClockId::CLOCK_MONOTONIC)?;
        let took = us(ClockId::CLOCK_BOOTTIME)? - before;
        if best.is_none_or(|(least, ..)| took < least) {
            best = Some((took, before, wall, monotonic));
        }
        if took < MOMENT_US {
            break;
        }
    }
    let (took, before, wall, monotonic) = best.unwrap_or_default();
    let boot = u64::try_from(before + took / 2).unwrap_or_default();
    let slept = u64::try_from(before - monotonic).unwrap_or_default();
    Ok((Anchor { boot: BootUs::new(boot), wall: WallUs::new(wall) }, Duration::from_micros(slept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changed_is_no_change() {
        let mut clock = Clock::new().unwrap();
        assert_eq!(clock.changed().unwrap(), Change::default());
    }

    #[test]
    fn a_new_anchor_leaves_a_sleep_to_be_told() {
        let mut clock = Clock::new().unwrap();
        clock.slept = Duration::from_secs(7);
        clock.anchor().unwrap();
        assert_eq!(clock.slept, Duration::from_secs(7));
    }

    #[test]
    fn the_anchor_ties_both_clocks_within_a_millisecond() {
        let anchor = Clock::new().unwrap().anchor().unwrap();
        let wall = clock_gettime(ClockId::CLOCK_REALTIME).unwrap().num_microseconds();
        let boot = clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap().num_microseconds();
        let off = anchor.wall_of(BootUs::new(boot.unsigned_abs())).get() - wall;
        assert!(off.abs() < 50_000, "{off} µs");
    }
}
