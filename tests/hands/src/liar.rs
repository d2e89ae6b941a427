//! A touchpad that does not do what it declared.
//!
//! | it declares | it does |
//! |---|---|
//! | five slots | speaks of a ninth, and of one below the first |
//! | positions from 0 | sends -2,147,483,648 and 2,147,483,647 |
//! | ids up to 65,535 | begins contacts that never end, ends some that never began |
//! | – | many values without a `SYN_REPORT` |
//!
//! Ranges that are inverted uinput refuses; the scenario sets them afterwards.

use anyhow::Result;
use evdev::{AbsoluteAxisCode as Abs, KeyCode as Key};

use crate::catalogue;
use crate::device::Spec;
use crate::player::Player;
use crate::random::Random;
use crate::score::{Note, Score, Value};

const EV_KEY: u16 = 1;
const EV_ABS: u16 = 3;

const POSITIONS: [i32; 6] = [i32::MIN, -1, 0, 1999, 70_000, i32::MAX];
const SLOTS: [i32; 6] = [0, 4, 5, 9, -3, i32::MAX];
const IDS: [i32; 5] = [-1, 7, 65_536, i32::MAX, -2];

/// Lies in `reports` reports; every third is never closed.
pub(crate) fn liar(player: &mut Player, random: &mut Random, reports: u64) -> Result<()> {
    let pad = player.plug(&Spec { name: "liar".into(), ..catalogue::touchpad() })?;
    let mut score = Score::default();
    for n in 0..reports {
        let values = lies(random);
        if n % 3 == 0 {
            let at = std::time::Duration::from_micros(n * 8_000);
            score.notes.push(Note { at, device: pad, values });
        } else {
            score.add(n * 8_000, pad, &values);
        }
    }
    player.settle(&[pad])?;
    player.play(&score)
}

fn lies(random: &mut Random) -> Vec<Value> {
    let mut values = Vec::new();
    for _ in 0..random.between(1, 12) {
        values.push(match random.between(0, 6) {
            0 => (EV_ABS, Abs::ABS_MT_SLOT.0, random.pick(&SLOTS)),
            1 => (EV_ABS, Abs::ABS_MT_TRACKING_ID.0, random.pick(&IDS)),
            2 => (EV_ABS, Abs::ABS_MT_POSITION_X.0, random.pick(&POSITIONS)),
            3 => (EV_ABS, Abs::ABS_MT_POSITION_Y.0, random.pick(&POSITIONS)),
            4 => (EV_ABS, Abs::ABS_X.0, random.pick(&POSITIONS)),
            5 => (EV_KEY, Key::BTN_TOUCH.0, i32::from(random.one_in(2))),
            _ => (EV_KEY, Key::BTN_LEFT.0, i32::from(random.one_in(2))),
        });
    }
    values
}
