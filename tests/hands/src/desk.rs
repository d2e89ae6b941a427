//! One minute at a desk: typing, reaching for the mouse, the touchpad, pauses.

use crate::keyboard::Typist;
use crate::mouse;
use crate::random::Random;
use crate::score::Score;
use crate::touch::{Surface, gesture};

/// The devices of the desk, by their numbers in the player.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Desk {
    pub(crate) keyboard: usize,
    pub(crate) mouse: usize,
    pub(crate) touchpad: usize,
    /// The mouse's reports a second.
    pub(crate) mouse_hz: u64,
}

/// A script of about `seconds`: rounds of typing, pointing and scrolling.
pub(crate) fn desk(random: &mut Random, on: Desk, seconds: u64) -> Score {
    let mut score = Score::default();
    let mut at_us = 0;
    let mut tracking_id = 1;
    while at_us < seconds * 1_000_000 {
        let mut typist = Typist::new(random, on.keyboard);
        typist.sentence(5);
        typist.think(400_000);
        typist.sentence(3);
        score.join(at_us, typist.score());
        // The hand travels to the mouse before it moves it.
        at_us = score.end_us() + random.interval_us(450_000);
        at_us = point(random, on, &mut score, at_us);
        at_us = swipe(random, on, &mut score, at_us, &mut tracking_id);
        at_us += random.interval_us(1_500_000);
    }
    score
}

/// Three targets: reach, correct, click; then read on by the wheel.
fn point(random: &mut Random, on: Desk, score: &mut Score, begin_us: u64) -> u64 {
    let mut at_us = begin_us;
    for _ in 0..3 {
        let way = (random.between(-1400, 1400), random.between(-800, 800));
        let duration_us = random.interval_us(550_000);
        score.join(at_us, mouse::reach(random, on.mouse, on.mouse_hz, duration_us, way));
        at_us += duration_us + random.interval_us(80_000);
        let correction = (random.between(-40, 40), random.between(-30, 30));
        score.join(at_us, mouse::reach(random, on.mouse, on.mouse_hz, 180_000, correction));
        at_us += 180_000 + random.interval_us(120_000);
        score.join(at_us, mouse::click(random, on.mouse));
        at_us += random.interval_us(700_000);
    }
    let detents = i32::try_from(random.between(3, 9)).unwrap_or(3);
    score.join(at_us, mouse::scroll(random, on.mouse, -detents));
    at_us + random.interval_us(900_000)
}

/// Two fingers scroll, one points.
fn swipe(
    random: &mut Random,
    on: Desk,
    score: &mut Score,
    begin_us: u64,
    tracking_id: &mut i32,
) -> u64 {
    let mut at_us = begin_us;
    for fingers in [2, 2, 1] {
        let duration_us = random.interval_us(400_000);
        let one =
            gesture(random, Surface::pad(on.touchpad), fingers, 140, duration_us, tracking_id);
        score.join(at_us, one);
        at_us += duration_us + random.interval_us(350_000);
    }
    at_us
}
