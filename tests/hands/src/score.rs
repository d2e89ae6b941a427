//! A score: what to send and when, made before anything is played.
//!
//! Making a score is pure (a seed decides it), so two runs with one seed send the
//! same events; playing it only waits and writes.

use std::time::Duration;

/// One value of a report: type, code, value, as in `struct input_event`.
pub(crate) type Value = (u16, u16, i32);

/// What one device sends at one moment: a whole report, its `SYN_REPORT` included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// From the beginning of the score.
    pub(crate) at: Duration,
    /// Which of the player's devices sends it.
    pub(crate) device: usize,
    /// The values, ending in a `SYN_REPORT`.
    pub(crate) values: Vec<Value>,
}

/// Notes in any order; the player sorts them by time and keeps ties in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    pub(crate) notes: Vec<Note>,
}

impl Score {
    /// Adds a report of `device` at `at_us` from the beginning and closes it.
    pub(crate) fn add(&mut self, at_us: u64, device: usize, values: &[Value]) {
        self.add_closed_by(at_us, device, values, 0);
    }

    /// The same, with a value of one's own in the `SYN_REPORT`: the kernel's own
    /// auto-repeat closes its reports with 1.
    ///
    /// Source: `input_repeat_key` in drivers/input/input.c.
    pub(crate) fn add_closed_by(&mut self, at_us: u64, device: usize, values: &[Value], syn: i32) {
        let mut values = values.to_vec();
        values.push((0, 0, syn));
        self.notes.push(Note { at: Duration::from_micros(at_us), device, values });
    }

    /// Appends `other`, begun `after_us` from this score's beginning.
    pub(crate) fn join(&mut self, after_us: u64, other: Score) {
        let after = Duration::from_micros(after_us);
        self.notes.extend(other.notes.into_iter().map(|n| Note { at: n.at + after, ..n }));
    }

    /// When the last report is due, in microseconds from the beginning.
    pub(crate) fn end_us(&self) -> u64 {
        let end = self.notes.iter().map(|n| n.at).max().unwrap_or_default();
        u64::try_from(end.as_micros()).unwrap_or(u64::MAX)
    }

    /// Moves every report to the next poll of a device polled `hz` times a second.
    pub(crate) fn polled_at(mut self, hz: u64) -> Self {
        let period = 1_000_000 / hz.max(1);
        for note in &mut self.notes {
            let us = u64::try_from(note.at.as_micros()).unwrap_or(u64::MAX);
            note.at = Duration::from_micros(us.div_ceil(period) * period);
        }
        self
    }
}
