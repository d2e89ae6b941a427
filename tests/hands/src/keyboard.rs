//! Hands on a keyboard: invented words, never a text.

use std::collections::HashMap;

use evdev::KeyCode as Key;

use crate::random::Random;
use crate::score::{Score, Value};

const EV_KEY: u16 = 1;
const EV_MSC: u16 = 4;
const MSC_SCAN: u16 = 4;

/// How many microseconds a key is down before the keyboard repeats it, and then
/// between repeats: the kernel's defaults.
const REPEAT_DELAY_US: u64 = 250_000;
const REPEAT_PERIOD_US: u64 = 33_000;

const CONSONANTS: [Key; 14] = [
    Key::KEY_B,
    Key::KEY_D,
    Key::KEY_F,
    Key::KEY_G,
    Key::KEY_K,
    Key::KEY_L,
    Key::KEY_M,
    Key::KEY_N,
    Key::KEY_P,
    Key::KEY_R,
    Key::KEY_S,
    Key::KEY_T,
    Key::KEY_V,
    Key::KEY_Z,
];
const VOWELS: [Key; 5] = [Key::KEY_A, Key::KEY_E, Key::KEY_I, Key::KEY_O, Key::KEY_U];
const DIGITS: [Key; 5] = [Key::KEY_1, Key::KEY_2, Key::KEY_5, Key::KEY_8, Key::KEY_0];

/// A key's report as a HID keyboard sends it. The scan code is the HID usage for
/// letters and a stand-in of the same page for the rest.
fn key(key: Key, value: i32) -> [Value; 2] {
    [(EV_MSC, MSC_SCAN, 0x7_0000 | i32::from(key.0)), (EV_KEY, key.0, value)]
}

/// Two hands that type; `at_us` is where the next press is due.
pub(crate) struct Typist<'a> {
    random: &'a mut Random,
    device: usize,
    score: Score,
    at_us: u64,
    /// When each key came up last: it cannot go down before.
    free_us: HashMap<u16, u64>,
}

impl<'a> Typist<'a> {
    pub(crate) fn new(random: &'a mut Random, device: usize) -> Self {
        Self { random, device, score: Score::default(), at_us: 0, free_us: HashMap::new() }
    }

    /// What was typed so far.
    pub(crate) fn score(self) -> Score {
        self.score
    }

    /// Presses and releases; the next key is due before this one is up one time
    /// in three (rollover).
    fn strike(&mut self, code: Key) {
        let down_us = self.at_us.max(self.free_us.get(&code.0).copied().unwrap_or(0));
        let up_us = down_us + self.random.interval_us(95_000);
        self.score.add(down_us, self.device, &key(code, 1));
        self.score.add(up_us, self.device, &key(code, 0));
        self.free_us.insert(code.0, up_us + 5_000);
        let middle = if self.random.one_in(3) { 70_000 } else { 170_000 };
        self.at_us = down_us + self.random.interval_us(middle);
    }

    /// Holds a key so long that it repeats.
    fn hold(&mut self, code: Key, for_us: u64) {
        let down_us = self.at_us.max(self.free_us.get(&code.0).copied().unwrap_or(0));
        self.score.add(down_us, self.device, &key(code, 1));
        let mut repeat_us = REPEAT_DELAY_US;
        while repeat_us < for_us {
            self.score.add_closed_by(down_us + repeat_us, self.device, &[(EV_KEY, code.0, 2)], 1);
            repeat_us += REPEAT_PERIOD_US;
        }
        self.score.add(down_us + for_us, self.device, &key(code, 0));
        self.free_us.insert(code.0, down_us + for_us + 5_000);
        self.at_us = down_us + for_us + self.random.interval_us(150_000);
    }

    /// A letter with Shift around it.
    fn capital(&mut self, code: Key) {
        let down_us = self.at_us.max(self.free_us.get(&Key::KEY_LEFTSHIFT.0).copied().unwrap_or(0));
        self.score.add(down_us, self.device, &key(Key::KEY_LEFTSHIFT, 1));
        self.at_us = down_us + self.random.interval_us(60_000);
        self.strike(code);
        let up_us = self.at_us.max(self.free_us.get(&code.0).copied().unwrap_or(0)) + 10_000;
        self.score.add(up_us, self.device, &key(Key::KEY_LEFTSHIFT, 0));
        self.free_us.insert(Key::KEY_LEFTSHIFT.0, up_us + 5_000);
        self.at_us = up_us + self.random.interval_us(90_000);
    }

    /// A word of two to four syllables, sometimes mistyped and put right.
    fn word(&mut self) {
        for _ in 0..self.random.between(2, 4) {
            let consonant = self.random.pick(&CONSONANTS.map(Some));
            let vowel = self.random.pick(&VOWELS.map(Some));
            if let (Some(consonant), Some(vowel)) = (consonant, vowel) {
                self.strike(consonant);
                if self.random.one_in(14) {
                    self.strike(Key::KEY_X);
                    self.at_us += self.random.interval_us(250_000);
                    self.strike(Key::KEY_BACKSPACE);
                }
                self.strike(vowel);
            }
        }
    }

    /// A sentence: capital, words, a number now and then, full stop, perhaps Enter.
    pub(crate) fn sentence(&mut self, words: u64) {
        if let Some(first) = self.random.pick(&CONSONANTS.map(Some)) {
            self.capital(first);
        }
        for n in 0..words {
            if n > 0 {
                self.strike(Key::KEY_SPACE);
            }
            if self.random.one_in(6) {
                for _ in 0..self.random.between(2, 4) {
                    if let Some(digit) = self.random.pick(&DIGITS.map(Some)) {
                        self.strike(digit);
                    }
                }
            } else {
                self.word();
            }
            if self.random.one_in(9) {
                // Second thoughts: Backspace held until it repeats.
                self.hold(Key::KEY_BACKSPACE, 600_000);
                self.word();
            }
        }
        self.strike(Key::KEY_DOT);
        let last = if self.random.one_in(3) { Key::KEY_ENTER } else { Key::KEY_SPACE };
        self.strike(last);
        self.at_us += self.random.interval_us(500_000);
    }

    /// Sentences until `seconds` are over.
    pub(crate) fn type_for(&mut self, seconds: u64) {
        while self.at_us < seconds * 1_000_000 {
            let words = self.random.between(3, 7).unsigned_abs();
            self.sentence(words);
        }
    }

    /// A pause to think.
    pub(crate) fn think(&mut self, about_us: u64) {
        self.at_us += self.random.interval_us(about_us);
    }
}

/// Presses or releases one key after the other, `hz` times a second.
pub(crate) fn strokes(device: usize, hz: u64, seconds: u64) -> Score {
    let mut score = Score::default();
    let period_us = 1_000_000 / hz.max(1);
    for (n, code) in (0..hz * seconds / 2).zip(CONSONANTS.iter().cycle()) {
        score.add(2 * n * period_us, device, &key(*code, 1));
        score.add((2 * n + 1) * period_us, device, &key(*code, 0));
    }
    score
}

/// One stroke of a named key at `at_us`, for scripts that need exact ones.
pub(crate) fn change(score: &mut Score, at_us: u64, device: usize, code: Key, down: bool) {
    score.add(at_us, device, &key(code, i32::from(down)));
}
