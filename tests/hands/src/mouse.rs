//! A hand on a mouse.

use evdev::{KeyCode as Key, RelativeAxisCode as Rel};

use crate::random::Random;
use crate::score::{Score, Value};

const EV_KEY: u16 = 1;
const EV_REL: u16 = 2;
const EV_MSC: u16 = 4;
const MSC_SCAN: u16 = 4;

/// Which wheel events a mouse sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Wheel {
    /// Fractions of a detent, and a low-resolution event at each whole one.
    HiRes,
    /// Whole detents, each sent in both resolutions.
    Detent,
    /// Whole detents in low resolution only, as PS/2 mice do.
    LowRes,
}

/// The wheel's remainder, kept as the kernel's HID code keeps it.
///
/// Source: `hidinput_handle_scroll` in drivers/hid/hid-input.c: low resolution
/// first, then high.
#[derive(Default)]
struct Turned {
    rest_120: i32,
}

impl Turned {
    fn by(&mut self, units_120: i32, wheel: Wheel, low: Rel, high: Rel, out: &mut Vec<Value>) {
        self.rest_120 += units_120;
        let detents = self.rest_120 / 120;
        self.rest_120 -= detents * 120;
        if detents != 0 {
            out.push((EV_REL, low.0, detents));
        }
        if wheel != Wheel::LowRes {
            out.push((EV_REL, high.0, units_120));
        }
    }
}

/// A button's report as a HID mouse sends it: scan code, then key.
pub(crate) fn button(key: Key, down: bool) -> [Value; 2] {
    let number = i32::from(key.0 - Key::BTN_LEFT.0) + 1;
    [(EV_MSC, MSC_SCAN, 0x9_0000 | number), (EV_KEY, key.0, i32::from(down))]
}

/// Moves in every report for `seconds` at `hz` reports a second, in strokes that
/// speed up and slow down, with clicks, drags and wheel turns between.
pub(crate) fn busy(
    random: &mut Random,
    device: usize,
    hz: u64,
    seconds: u64,
    wheel: Wheel,
) -> Score {
    let mut score = Score::default();
    let period_us = 1_000_000 / hz.max(1);
    let stroke_reports = (hz * 2 / 5).max(8);
    let (mut v, mut h) = (Turned::default(), Turned::default());
    let (mut aim_x, mut aim_y) = (0_i64, 0_i64);
    let mut held: Option<Key> = None;
    for n in 0..hz * seconds {
        let phase = n % stroke_reports;
        if phase == 0 {
            (aim_x, aim_y) = (random.between(-9000, 9000), random.between(-6000, 6000));
        }
        // A triangle of speed over the stroke; counts a second to counts a report.
        let rise = i64::try_from(phase.min(stroke_reports - phase)).unwrap_or(0) * 200
            / i64::try_from(stroke_reports).unwrap_or(1);
        let step =
            |aim: i64, jitter: i64| aim * rise / 100 / i64::try_from(hz).unwrap_or(1) + jitter;
        let mut dx = step(aim_x, random.between(-1, 1));
        let dy = step(aim_y, random.between(-1, 1));
        if dx == 0 && dy == 0 {
            // A still report would not be sent, and the rate would drop.
            dx = if aim_x < 0 { -1 } else { 1 };
        }
        let mut values: Vec<Value> = Vec::with_capacity(6);
        let click_now = phase == stroke_reports / 2;
        if click_now {
            if let Some(key) = held.take() {
                values.extend(button(key, false));
            } else if random.one_in(2) {
                let key = random.pick(&[
                    Some(Key::BTN_LEFT),
                    Some(Key::BTN_LEFT),
                    Some(Key::BTN_RIGHT),
                    Some(Key::BTN_MIDDLE),
                    Some(Key::BTN_SIDE),
                ]);
                if let Some(key) = key {
                    values.extend(button(key, true));
                    held = Some(key);
                }
            }
        }
        values.push((EV_REL, Rel::REL_X.0, i32::try_from(dx).unwrap_or(0)));
        values.push((EV_REL, Rel::REL_Y.0, i32::try_from(dy).unwrap_or(0)));
        if phase > stroke_reports * 3 / 4 && n % 8 == 0 {
            let units = if wheel == Wheel::HiRes { 15 } else { 120 };
            let turn = if aim_y < 0 { -units } else { units };
            v.by(turn, wheel, Rel::REL_WHEEL, Rel::REL_WHEEL_HI_RES, &mut values);
            if aim_x > 6000 {
                h.by(turn, wheel, Rel::REL_HWHEEL, Rel::REL_HWHEEL_HI_RES, &mut values);
            }
        }
        score.add(n * period_us, device, &values);
    }
    if let Some(key) = held {
        score.add(hz * seconds * period_us, device, &button(key, false));
    }
    score
}

/// One reach for a target: a smooth stroke of `duration_us` that covers the way
/// as people's do (minimum jerk), at `hz` reports a second.
pub(crate) fn reach(
    random: &mut Random,
    device: usize,
    hz: u64,
    duration_us: u64,
    way: (i64, i64),
) -> Score {
    let mut score = Score::default();
    let period_us = 1_000_000 / hz.max(1);
    let (mut done_x, mut done_y) = (0, 0);
    for n in 1..=duration_us / period_us {
        // 10t³ − 15t⁴ + 6t⁵, t from 0 to 1.
        let t = (n * period_us) as f64 / duration_us as f64;
        let part = t * t * t * (10.0 - 15.0 * t + 6.0 * t * t);
        let tremor = if n.is_multiple_of(5) { random.between(-1, 1) } else { 0 };
        let x = (way.0 as f64 * part) as i64 + tremor;
        let y = (way.1 as f64 * part) as i64;
        let (dx, dy) = (x - done_x, y - done_y);
        (done_x, done_y) = (x, y);
        if dx != 0 || dy != 0 {
            score.add(
                n * period_us,
                device,
                &[
                    (EV_REL, Rel::REL_X.0, i32::try_from(dx).unwrap_or(0)),
                    (EV_REL, Rel::REL_Y.0, i32::try_from(dy).unwrap_or(0)),
                ],
            );
        }
    }
    score
}

/// A click of the left button, held about 90 ms.
pub(crate) fn click(random: &mut Random, device: usize) -> Score {
    let mut score = Score::default();
    score.add(0, device, &button(Key::BTN_LEFT, true));
    score.add(random.interval_us(90_000), device, &button(Key::BTN_LEFT, false));
    score
}

/// Turns the wheel by whole detents, as a finger flicks it.
pub(crate) fn scroll(random: &mut Random, device: usize, detents: i32) -> Score {
    let mut score = Score::default();
    let mut turned = Turned::default();
    let mut at_us = 0;
    for _ in 0..detents.abs() {
        let mut values = Vec::new();
        turned.by(
            120 * detents.signum(),
            Wheel::Detent,
            Rel::REL_WHEEL,
            Rel::REL_WHEEL_HI_RES,
            &mut values,
        );
        score.add(at_us, device, &values);
        at_us += random.interval_us(60_000);
    }
    score
}
