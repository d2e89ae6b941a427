//! The hotkey: keys that are struck together to pause.
//!
//! | what comes | what it does |
//! |---|---|
//! | a press that leaves every part of the chord down | strikes |
//! | a press of some of it | the chord begins, if none of it was down |
//! | a release that leaves none of it down | the chord is over |
//! | auto-repeat | nothing |
//! | a device opens with some of it down | counts as down, from then on; does not strike |
//! | events were lost | the state read afterwards counts; strikes if all of it is down by then |
//! | a device closes | its keys are up |
//!
//! Keys count wherever they are: one part on each of two keyboards is a chord.
//!
//! Not handled: a chord over two keyboards of which a part is pressed and
//! released again within one wake-up, so that the other keyboard is read later.

use evscribe_model::{BootUs, DeviceId, DeviceState, Input};
use zeroize::Zeroize;

/// Listens for one chord. Of keys that are no part of it, it keeps nothing; of
/// the others, which are down, for as long as they are.
#[derive(Debug)]
pub(crate) struct Hotkey {
    /// Of each part, the codes that are as good as each other.
    chord: Vec<Vec<u16>>,
    down: Vec<Held>,
    /// Since when some of the chord is down without a break.
    began: Option<BootUs>,
    struck: Option<BootUs>,
}

/// A key of the chord that is down.
#[derive(Debug)]
struct Held {
    device: DeviceId,
    code: u16,
}

impl Hotkey {
    /// Listens for this chord: of each inner list any one key. None where the
    /// chord is empty or a part of it can never be down.
    pub(crate) fn new(chord: Vec<Vec<u16>>) -> Option<Self> {
        let can_be_struck = !chord.is_empty() && chord.iter().all(|part| !part.is_empty());
        can_be_struck.then_some(Self { chord, down: Vec::new(), began: None, struck: None })
    }

    /// The codes that it must hear.
    pub(crate) fn codes(&self) -> Vec<u16> {
        self.chord.iter().flatten().copied().collect()
    }

    /// Takes in what a device said, before anything is taken out of it.
    pub(crate) fn hear(&mut self, input: &Input<'_>) {
        match *input {
            Input::Frame(ref frame) => {
                for event in frame.events {
                    if event.kind == evscribe_model::codes::EV_KEY {
                        self.key(frame.device, event.code, event.value, frame.at);
                    }
                }
            }
            Input::Open { at, device, state } => {
                self.close(device.id);
                self.take_state(device.id, state, at);
            }
            Input::Dropped { device, since, state, .. } => {
                let was_whole = self.is_whole();
                self.lift(device, |code| state.is_none_or(|state| !state.keys.has(code)));
                self.take_state(device, state, since);
                if !was_whole && self.is_whole() {
                    self.struck = self.struck.or(self.began);
                }
            }
            Input::Gone { device, .. } => self.close(device),
            Input::ClockStep { .. } => {}
        }
    }

    /// The device is not read any more.
    pub(crate) fn close(&mut self, device: DeviceId) {
        self.lift(device, |_| true);
    }

    /// Whether it was struck since last asked: since when some of the chord was
    /// down without a break, so that everything that led to it came later.
    pub(crate) fn take(&mut self) -> Option<BootUs> {
        self.struck.take()
    }

    fn key(&mut self, device: DeviceId, code: u16, value: i32, at: BootUs) {
        match value {
            0 => self.lift(device, |held| held == code),
            2 => {}
            _ => {
                let was_whole = self.is_whole();
                self.press(device, code, at);
                if !was_whole && self.is_whole() {
                    self.struck = self.struck.or(self.began);
                }
            }
        }
    }

    fn press(&mut self, device: DeviceId, code: u16, at: BootUs) {
        let is_down = |held: &Held| held.device == device && held.code == code;
        if !self.chord.iter().flatten().any(|own| *own == code) || self.down.iter().any(is_down) {
            return;
        }
        // Devices are read one after the other: the earlier press may come later.
        self.began = Some(self.began.map_or(at, |began| began.min(at)));
        self.down.push(Held { device, code });
    }

    fn take_state(&mut self, device: DeviceId, state: Option<&DeviceState>, at: BootUs) {
        let Some(state) = state else { return };
        for code in self.codes() {
            if state.keys.has(code) {
                self.press(device, code, at);
            }
        }
    }

    /// Releases the keys of a device that `is_up` names, and overwrites them.
    fn lift(&mut self, device: DeviceId, is_up: impl Fn(u16) -> bool) {
        let mut index = 0;
        while let Some(held) = self.down.get(index) {
            if held.device != device || !is_up(held.code) {
                index += 1;
                continue;
            }
            let last = self.down.len() - 1;
            self.down.swap(index, last);
            if let Some(held) = self.down.last_mut() {
                held.code.zeroize();
            }
            self.down.pop();
        }
        if self.down.is_empty() {
            self.began = None;
        }
    }

    fn is_whole(&self) -> bool {
        self.chord.iter().all(|part| self.down.iter().any(|held| part.contains(&held.code)))
    }
}

#[cfg(test)]
mod tests;
