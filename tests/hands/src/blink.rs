//! A keyboard that comes and goes, as at a loose plug.

use anyhow::Result;
use evdev::KeyCode as Key;

use crate::catalogue;
use crate::keyboard::change;
use crate::player::Player;
use crate::random::Random;
use crate::score::Score;

/// Every fourth time it goes before anybody can have opened it.
const HASTE: u64 = 4;

/// Plugs the keyboard in and out, `times` times. Where it stays, it is typed on
/// once it is read: one stroke, and a key that is down when it goes.
pub(crate) fn blink(player: &mut Player, random: &mut Random, times: u64) -> Result<()> {
    for n in 1..=times {
        let keyboard = player.plug(&catalogue::keyboard())?;
        if n % HASTE != 0 {
            player.settle(&[keyboard])?;
            let mut score = Score::default();
            change(&mut score, 0, keyboard, Key::KEY_A, true);
            let up_us = random.interval_us(40_000);
            change(&mut score, up_us, keyboard, Key::KEY_A, false);
            change(&mut score, up_us + 10_000, keyboard, Key::KEY_B, true);
            player.play(&score)?;
        }
        player.unplug(keyboard);
    }
    Ok(())
}
