//! Times as types: no bare number says which clock it is on.

use std::time::Duration;

/// Kernel event time: microseconds on `CLOCK_BOOTTIME`, zero at boot.
///
/// Source: `input_event.time` after `EVIOCSCLOCKID`. Never steps back within one
/// boot and keeps counting through suspend; says nothing across boots. In a
/// recording it is the recording's own clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BootUs(u64);

impl BootUs {
    /// The stamp `us` microseconds after boot.
    #[must_use]
    pub const fn new(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since boot.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this; `None` where `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_micros)
    }

    /// This stamp moved back by `by`, at most to zero.
    #[must_use]
    pub fn earlier_by(self, by: Duration) -> Self {
        let us = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(us))
    }
}

/// Wall time: microseconds since 1970-01-01 UTC, leap seconds not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WallUs(i64);

impl WallUs {
    /// The wall time `us` microseconds after 1970-01-01 UTC.
    #[must_use]
    pub const fn new(us: i64) -> Self {
        Self(us)
    }

    /// Microseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// Ties the boot clock to the wall clock: both read at one moment.
///
/// A file holds one anchor, so the boot time of each row is recovered exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// The moment on the boot clock.
    pub boot: BootUs,
    /// The same moment on the wall clock.
    pub wall: WallUs,
}

impl Anchor {
    /// Wall time of a boot stamp, by this anchor; saturates at the ends of time.
    #[must_use]
    pub fn wall_of(&self, at: BootUs) -> WallUs {
        let wall = i128::from(self.wall.0) + i128::from(at.0) - i128::from(self.boot.0);
        let clamped = wall.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        WallUs(i64::try_from(clamped).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_before_the_anchor_is_earlier() {
        let anchor = Anchor { boot: BootUs::new(1_000), wall: WallUs::new(50) };
        assert_eq!(anchor.wall_of(BootUs::new(0)), WallUs::new(-950));
        assert_eq!(anchor.wall_of(BootUs::new(1_001)), WallUs::new(51));
    }

    #[test]
    fn a_negative_difference_is_none() {
        assert_eq!(BootUs::new(1).since(BootUs::new(2)), None);
        assert_eq!(BootUs::new(3).since(BootUs::new(2)), Some(Duration::from_micros(1)));
    }
}
