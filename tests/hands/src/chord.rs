//! Forty keys that go down in one report, and come up in one.

use anyhow::Result;

use crate::catalogue;
use crate::player::Player;
use crate::score::{Score, Value};

const EV_KEY: u16 = 1;

/// Keys of a report: far more than fingers, and more than the kernel keeps
/// together, which closes the report in between.
const KEYS: usize = 40;

/// Plays `rounds` of them.
pub(crate) fn chord(player: &mut Player, rounds: u64) -> Result<()> {
    let keyboard = player.plug(&catalogue::keyboard())?;
    let all = |down| -> Vec<Value> {
        catalogue::full_keyboard().into_iter().take(KEYS).map(|key| (EV_KEY, key, down)).collect()
    };
    let mut score = Score::default();
    for round in 0..rounds {
        score.add(round * 200_000, keyboard, &all(1));
        score.add(round * 200_000 + 90_000, keyboard, &all(0));
    }
    player.settle(&[keyboard])?;
    player.play(&score)
}
