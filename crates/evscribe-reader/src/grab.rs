//! Whether another process holds a device by grab.
//!
//! The kernel cannot be asked. Trying to take the grab would answer, but giving
//! it back waits for every processor (`synchronize_rcu`), tens of milliseconds in
//! which the desktop hears nothing. So this only looks: the kernel keeps the
//! state of keys and buttons whoever gets the events. Where that changes twice
//! and nothing was told, another gets them.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use evscribe_model::codes::EV_SYN;
use evscribe_model::{Bits, DeviceState};
use nix::libc::{O_CLOEXEC, O_NONBLOCK};

use crate::sys::{self, Map};

/// Looks at a device's keys through a second descriptor, since asking for their
/// state throws away the queued key events of the one that asks. No event
/// reaches this one: all types are masked.
#[derive(Debug, Default)]
pub(crate) struct GrabWatch {
    probe: Option<File>,
    hasher: RandomState,
    verdict: Verdict,
}

/// What was seen so far.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    /// Stands for the keys that were down: which they were is nobody's business
    /// once the look is over.
    keys: u64,
    told: u64,
    /// Changes of the keys since anything was told.
    unheard: u32,
}

impl GrabWatch {
    /// A watch that knows what was held when the device was opened. Where the
    /// node cannot be opened a second time, nothing is ever seen.
    pub(crate) fn open(path: &Path, state: &DeviceState) -> Self {
        let opened = OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_CLOEXEC).open(path);
        let probe = opened.ok().filter(|probe| {
            // A mask of the type EV_SYN is a mask of types.
            sys::set_mask(probe.as_fd(), EV_SYN, &Bits::<1>::default()).is_ok()
        });
        let mut watch = Self { probe, ..Self::default() };
        watch.verdict.keys = watch.hasher.hash_one(state.keys);
        watch
    }

    /// Looks; `told` counts what the device told on its other descriptor.
    pub(crate) fn look(&mut self, told: u64) {
        let Some(probe) = &self.probe else { return };
        if let Ok(keys) = sys::map::<12>(probe.as_fd(), Map::KeysDown) {
            self.verdict.see(self.hasher.hash_one(keys), told);
        }
    }

    /// Whether another gets the events.
    pub(crate) fn grabbed(&self) -> bool {
        self.verdict.grabbed()
    }
}

impl Verdict {
    fn see(&mut self, keys: u64, told: u64) {
        if told != self.told {
            self.unheard = 0;
        } else if keys != self.keys {
            self.unheard = self.unheard.saturating_add(1);
        }
        (self.keys, self.told) = (keys, told);
    }

    /// Once may be an event that waits in the queue; twice is not.
    fn grabbed(&self) -> bool {
        self.unheard >= 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_change_twice_unheard_mean_a_grab() {
        let mut verdict = Verdict::default();
        verdict.see(30, 0);
        assert!(!verdict.grabbed());
        verdict.see(31, 0);
        assert!(verdict.grabbed());
    }

    #[test]
    fn whatever_is_heard_ends_the_suspicion() {
        let mut verdict = Verdict::default();
        verdict.see(30, 0);
        verdict.see(31, 1);
        verdict.see(32, 1);
        assert!(!verdict.grabbed());
    }

    #[test]
    fn a_key_that_stays_down_means_nothing() {
        let mut verdict = Verdict::default();
        (0..9).for_each(|_| verdict.see(30, 0));
        assert!(!verdict.grabbed());
    }
}
