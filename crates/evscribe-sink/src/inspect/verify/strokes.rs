//! Press and release belong together.

use std::collections::HashMap;

/// Strokes of one word of the bit set.
const WORD: i32 = 64;

/// One end of a stroke.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) at_us: i64,
    pub(super) device: i16,
    pub(super) code: Option<i16>,
    /// Number of its file.
    pub(super) file: usize,
}

/// A stroke of which one end is missing so far.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    Press(Edge),
    Release(Edge),
}

/// The strokes of one host and boot, by session and number.
#[derive(Debug, Default)]
pub(super) struct Strokes {
    halves: HashMap<(u32, i32), Half>,
    /// Strokes with both ends, a bit each: a day has tens of thousands.
    whole: HashMap<(u32, i32), u64>,
    count: u64,
}

impl Strokes {
    /// Takes an end in; says what is wrong with it.
    pub(super) fn take(
        &mut self,
        session: u32,
        stroke: i32,
        down: bool,
        edge: Edge,
    ) -> Option<String> {
        let word = (session, stroke.div_euclid(WORD));
        let bit = 1_u64 << stroke.rem_euclid(WORD);
        let verb = if down { "pressed" } else { "released" };
        let twice = || Some(format!("stroke {stroke} is {verb} twice"));
        if self.whole.get(&word).is_some_and(|bits| bits & bit != 0) {
            return twice();
        }
        let (press, release) = match (self.halves.remove(&(session, stroke)), down) {
            (Some(Half::Press(press)), false) => (press, edge),
            (Some(Half::Release(release)), true) => (edge, release),
            (Some(half), _) => {
                self.halves.insert((session, stroke), half);
                return twice();
            }
            (None, _) => {
                let half = if down { Half::Press(edge) } else { Half::Release(edge) };
                self.halves.insert((session, stroke), half);
                return None;
            }
        };
        *self.whole.entry(word).or_default() |= bit;
        self.count += 1;
        if release.at_us < press.at_us {
            Some(format!("stroke {stroke} is released before it is pressed"))
        } else if press.device != release.device {
            Some(format!(
                "stroke {stroke} is pressed on device {}, released on {}",
                press.device, release.device
            ))
        } else if press.code.zip(release.code).is_some_and(|(press, release)| press != release) {
            Some(format!("stroke {stroke} is pressed and released with different codes"))
        } else {
            None
        }
    }

    /// Strokes with both ends.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// What is left with one end, by number.
    pub(super) fn halves(&self) -> Vec<(i32, Half)> {
        let mut halves: Vec<_> =
            self.halves.iter().map(|((_, stroke), half)| (*stroke, *half)).collect();
        halves.sort_by_key(|(stroke, _)| *stroke);
        halves
    }
}
