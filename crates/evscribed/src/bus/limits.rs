//! How often one user may have the service write something down.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Changes that a user may make in one go.
const BURST: u32 = 30;

/// After which one more is free.
const REFILL: Duration = Duration::from_secs(2);

/// Users that are kept apart; more than log in to a workstation.
const USERS_MAX: usize = 1_024;

/// A bucket of permits for each user: whoever asks without end fills neither
/// ledger nor disk.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    used: HashMap<u32, (u32, Instant)>,
}

impl Limits {
    /// Takes a permit. Returns whether there was one.
    pub(crate) fn take(&mut self, uid: u32, now: Instant) -> bool {
        self.used.retain(|_, (used, since)| *used > refilled(*since, now));
        if self.used.len() >= USERS_MAX && !self.used.contains_key(&uid) {
            return false;
        }
        let (used, since) = self.used.entry(uid).or_insert((0, now));
        let back = refilled(*since, now);
        if back > 0 {
            *used = used.saturating_sub(back);
            *since = now;
        }
        if *used >= BURST {
            return false;
        }
        *used += 1;
        true
    }
}

fn refilled(since: Instant, now: Instant) -> u32 {
    let periods = now.saturating_duration_since(since).as_millis() / REFILL.as_millis();
    u32::try_from(periods).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_asks_without_end_is_held_up_and_others_are_not() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        assert!((0..BURST).all(|_| limits.take(1000, now)));
        assert!(!limits.take(1000, now));
        assert!(limits.take(1001, now));
    }

    #[test]
    fn permits_come_back_with_time() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        assert!((0..BURST).all(|_| limits.take(1000, now)));
        assert!(!limits.take(1000, now + REFILL / 2));
        assert!(limits.take(1000, now + REFILL));
        assert!(!limits.take(1000, now + REFILL));
    }

    #[test]
    fn users_without_number_take_no_memory_without_end() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        let admitted = (0..10_000).filter(|uid| limits.take(*uid, now)).count();
        assert_eq!(admitted, USERS_MAX);
        assert!(limits.take(20_000, now + REFILL));
    }
}
