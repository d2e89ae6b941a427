//! The clock that the cooling-off is counted by: nobody can set it.
//!
//! | what happens | it |
//! |---|---|
//! | the machine runs or sleeps | goes on, by `CLOCK_BOOTTIME` |
//! | the wall clock is set, forward or back | goes on as if it had not been |
//! | the machine is off | goes on by the wall clock, all that is known of that time; never back |
//!
//! Not handled: a wall clock that runs ahead after a reboot. Nothing on the
//! machine tells that from having been off for so long.

use jiff::Timestamp;
use nix::{
    sys::time::TimeValLike,
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};

/// Both clocks of the machine drift apart by less than this between two looks;
/// more is a clock that was set, µs.
const SLACK_US: i64 = 1_000_000;

/// A look at the clocks of the machine, µs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Look {
    pub(crate) boot: String,
    pub(crate) boot_us: i64,
    pub(crate) wall_us: i64,
}

impl Look {
    /// At this moment, in the boot of that pseudonym.
    pub(crate) fn now(boot: &str) -> std::io::Result<Self> {
        let boot_us = clock_gettime(ClockId::CLOCK_BOOTTIME)?.num_microseconds();
        let wall_us = Timestamp::now().as_microsecond();
        Ok(Self { boot: boot.to_owned(), boot_us, wall_us })
    }
}

/// What it showed at a look; zero at the first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Steady {
    boot: String,
    boot_us: i64,
    wall_us: i64,
    steady_us: i64,
}

impl Steady {
    /// What it shows at `look`, µs.
    pub(super) fn at(&self, look: &Look) -> i64 {
        let passed_us = if self.boot == look.boot {
            look.boot_us.saturating_sub(self.boot_us)
        } else if self.boot.is_empty() {
            0
        } else {
            look.wall_us.saturating_sub(self.wall_us)
        };
        self.steady_us.saturating_add(passed_us.max(0))
    }

    /// Whether it has to be kept anew: a later look from what is kept would take
    /// a clock that was set for time that passed.
    pub(super) fn is_stale(&self, look: &Look) -> bool {
        let (boot_us, wall_us) =
            (look.boot_us.saturating_sub(self.boot_us), look.wall_us.saturating_sub(self.wall_us));
        self.boot != look.boot || wall_us.saturating_sub(boot_us).abs() > SLACK_US
    }

    /// Goes on from `look`.
    pub(super) fn set(&mut self, look: &Look) {
        let steady_us = self.at(look);
        let Look { boot, boot_us, wall_us } = look.clone();
        *self = Self { boot, boot_us, wall_us, steady_us };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    fn look(boot: &str, boot_hours: i64, wall_hours: i64) -> Look {
        Look { boot: boot.into(), boot_us: boot_hours * HOUR_US, wall_us: wall_hours * HOUR_US }
    }

    fn kept(look: &Look) -> Steady {
        let mut steady = Steady::default();
        steady.set(look);
        steady
    }

    #[test]
    fn a_clock_that_is_set_moves_it_neither_forward_nor_back() {
        let steady = kept(&look("a", 1, 100));
        for wall_hours in [102, 500, 3] {
            assert_eq!(steady.at(&look("a", 3, wall_hours)), 2 * HOUR_US, "{wall_hours}");
        }
        assert!(!steady.is_stale(&look("a", 3, 102)));
        assert!(steady.is_stale(&look("a", 3, 500)) && steady.is_stale(&look("a", 3, 3)));
    }

    #[test]
    fn a_step_before_a_reboot_counts_for_nothing_once_it_was_kept() {
        let mut steady = kept(&look("a", 1, 100));
        // Set ahead by 50 hours, kept, and switched off for an hour.
        steady.set(&look("a", 2, 151));
        assert_eq!(steady.at(&look("b", 0, 152)), 2 * HOUR_US);
    }

    #[test]
    fn it_goes_on_while_the_machine_is_off_and_never_back() {
        let steady = kept(&look("a", 1, 100));
        assert_eq!(steady.at(&look("b", 0, 110)), 10 * HOUR_US);
        // The hardware clock lost its battery; NTP sets it right a minute later.
        let mut again = steady.clone();
        again.set(&look("b", 0, 0));
        assert_eq!(again.at(&look("b", 1, 111)), HOUR_US);
    }

    #[test]
    fn at_first_it_shows_nothing() {
        assert_eq!(Steady::default().at(&look("a", 5, 100)), 0);
    }
}
