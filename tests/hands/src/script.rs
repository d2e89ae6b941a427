//! Keys in an order that somebody wrote down: words for what must be found again,
//! chords for hotkeys.

use std::str::FromStr;

use anyhow::{Result, bail};
use evdev::KeyCode;

use crate::catalogue;
use crate::device::Spec;
use crate::keyboard::change;
use crate::score::Score;

/// From one stroke to the next.
const STROKE_US: u64 = 120_000;
/// How long a key is down, and how much later each further key of a chord is.
const HELD_US: u64 = 60_000;

/// A keyboard with the keys of hotkeys. As of some receivers, its name tells the
/// one unit that it is; uinput has no other place for a serial number.
pub(crate) fn keyboard() -> Spec {
    let mut spec = catalogue::keyboard();
    spec.name = "typing SN-QX7Z-4471".into();
    spec.product = 0x0013;
    spec.keys.push(KeyCode::KEY_PAUSE.0);
    spec
}

/// The strokes of `words`, so many `times` over: key names of the kernel without
/// `KEY_`, apart by spaces; those that `+` joins go down one after the other and
/// come up together; `.500` waits so many milliseconds.
///
/// # Errors
/// Names the word that is no key.
pub(crate) fn strokes(words: &str, device: usize, times: u64) -> Result<Score> {
    let mut score = Score::default();
    let mut at_us = 0;
    for word in (0..times).flat_map(|_| words.split_whitespace()) {
        if let Some(wait) = word.strip_prefix('.') {
            let wait_ms: u64 = wait.parse()?;
            at_us += wait_ms * 1_000;
            continue;
        }
        let keys = word.split('+').map(key).collect::<Result<Vec<_>>>()?;
        let mut down_us = at_us;
        for key in &keys {
            change(&mut score, down_us, device, *key, true);
            down_us += HELD_US;
        }
        for key in &keys {
            change(&mut score, down_us, device, *key, false);
        }
        at_us = down_us - HELD_US + STROKE_US;
    }
    Ok(score)
}

fn key(word: &str) -> Result<KeyCode> {
    match KeyCode::from_str(&format!("KEY_{}", word.to_ascii_uppercase())) {
        Ok(key) => Ok(key),
        Err(_) => {
            bail!("`{word}` is no key: the kernel's names without KEY_, as in leftctrl+pause")
        }
    }
}
