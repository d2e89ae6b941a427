//! A mouse that says more than anybody can read, and a keyboard beside it.

use anyhow::Result;
use evdev::RelativeAxisCode as Rel;

use crate::catalogue;
use crate::keyboard::Typist;
use crate::player::Player;
use crate::random::Random;
use crate::score::Score;

const EV_REL: u16 = 2;

/// Due faster than uinput takes them, so that each is sent at once after the
/// one before: the highest rate there is.
const PERIOD_US: u64 = 5;

/// The numbers that `dx` and `dy` together can say.
const BASE: u64 = 1_000;

/// Report `n` moves by `(1 + n % 1000, 1 + n / 1000)`, so that whoever misses
/// reports knows which.
pub(crate) fn flood(player: &mut Player, random: &mut Random, reports: u64) -> Result<()> {
    let pointer = player.plug(&catalogue::mouse())?;
    let keyboard = player.plug(&catalogue::keyboard())?;
    let mut score = Score::default();
    for n in 0..reports {
        let (dx, dy) = (step(n % BASE), step(n / BASE));
        let motion = [(EV_REL, Rel::REL_X.0, dx), (EV_REL, Rel::REL_Y.0, dy)];
        score.add(n * PERIOD_US, pointer, &motion);
    }
    let mut typist = Typist::new(random, keyboard);
    typist.sentence(6);
    let mut typed = typist.score();
    // As the flood takes longer than it is due, so does the typing in it.
    let (end_us, flood_us) = (typed.end_us().max(1), reports * PERIOD_US);
    for note in &mut typed.notes {
        let at_us = u64::try_from(note.at.as_micros()).unwrap_or(0);
        note.at = std::time::Duration::from_micros(at_us * flood_us / end_us);
    }
    score.join(0, typed);
    player.settle(&[pointer, keyboard])?;
    player.play(&score)
}

fn step(n: u64) -> i32 {
    i32::try_from(n).unwrap_or(0) + 1
}
