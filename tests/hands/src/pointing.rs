//! A pen on its tablet, a virtual machine's absolute mouse, a cover's switch.

use evdev::{AbsoluteAxisCode as Abs, KeyCode as Key, RelativeAxisCode as Rel, SwitchCode};

use crate::mouse::button;
use crate::random::Random;
use crate::score::Score;

const EV_KEY: u16 = 1;
const EV_REL: u16 = 2;
const EV_ABS: u16 = 3;
const EV_SW: u16 = 5;

/// The pen's report period: Wacom tablets send about 133 a second.
const PEN_PERIOD_US: u64 = 7_500;

fn small(random: &mut Random, low: i64, high: i64) -> i32 {
    i32::try_from(random.between(low, high)).unwrap_or(0)
}

/// Strokes with a pen: it comes near, hovers, writes with changing pressure, lifts
/// and leaves; every third time it is turned round to rub out.
pub(crate) fn pen(random: &mut Random, device: usize, seconds: u64) -> Score {
    let mut score = Score::default();
    let mut at_us = 0;
    let mut strokes = 0_u32;
    while at_us < seconds * 1_000_000 {
        let tool = if strokes % 3 == 2 { Key::BTN_TOOL_RUBBER } else { Key::BTN_TOOL_PEN };
        strokes += 1;
        let (mut x, mut y) = (small(random, 8_000, 36_000), small(random, 6_000, 24_000));
        let mut step = |random: &mut Random, values: &mut Vec<_>| {
            x = (x + small(random, -40, 160)).clamp(1, 44_800);
            y = (y + small(random, -60, 90)).clamp(1, 29_600);
            values.extend([(EV_ABS, Abs::ABS_X.0, x), (EV_ABS, Abs::ABS_Y.0, y)]);
        };
        for n in 0..10 {
            let mut values = Vec::new();
            if n == 0 {
                values.push((EV_KEY, tool.0, 1));
            }
            step(random, &mut values);
            values.push((EV_ABS, Abs::ABS_DISTANCE.0, 30 - n * 2));
            values.push((EV_ABS, Abs::ABS_TILT_X.0, small(random, -30, 30)));
            score.add(at_us, device, &values);
            at_us += PEN_PERIOD_US;
        }
        let reports = random.between(40, 90);
        for n in 0..reports {
            let mut values = Vec::new();
            step(random, &mut values);
            if n == 0 {
                values.push((EV_KEY, Key::BTN_TOUCH.0, 1));
                values.push((EV_ABS, Abs::ABS_DISTANCE.0, 0));
            }
            values.push((EV_ABS, Abs::ABS_PRESSURE.0, small(random, 800, 6_000)));
            score.add(at_us, device, &values);
            at_us += PEN_PERIOD_US;
        }
        let mut values = vec![(EV_KEY, Key::BTN_TOUCH.0, 0), (EV_ABS, Abs::ABS_PRESSURE.0, 0)];
        step(random, &mut values);
        score.add(at_us, device, &values);
        at_us += PEN_PERIOD_US;
        // Leaving, a Wacom pen resets its axes in the same report.
        let leave = [
            (EV_ABS, Abs::ABS_X.0, 0),
            (EV_ABS, Abs::ABS_Y.0, 0),
            (EV_ABS, Abs::ABS_TILT_X.0, 0),
            (EV_KEY, tool.0, 0),
        ];
        score.add(at_us, device, &leave);
        at_us += random.interval_us(300_000);
    }
    score
}

/// Moves, clicks and scrolls as QEMU's USB tablet reports them, 100 times a second.
pub(crate) fn abs_mouse(random: &mut Random, device: usize, seconds: u64) -> Score {
    let mut score = Score::default();
    let (mut x, mut y) = (16_000, 16_000);
    let mut held = false;
    for n in 0..seconds * 100 {
        x = (x + small(random, -200, 260)).clamp(0, 32_767);
        y = (y + small(random, -200, 230)).clamp(0, 32_767);
        let mut values = vec![(EV_ABS, Abs::ABS_X.0, x), (EV_ABS, Abs::ABS_Y.0, y)];
        if n % 40 == 20 {
            held = !held;
            values.extend(button(Key::BTN_LEFT, held));
        }
        if n % 50 == 49 {
            values
                .extend([(EV_REL, Rel::REL_WHEEL.0, -1), (EV_REL, Rel::REL_WHEEL_HI_RES.0, -120)]);
        }
        score.add(n * 10_000, device, &values);
    }
    if held {
        score.add(seconds * 1_000_000, device, &button(Key::BTN_LEFT, false));
    }
    score
}

/// The cover folds back and forth once a second.
pub(crate) fn switch(device: usize, seconds: u64) -> Score {
    let mut score = Score::default();
    for n in 0..seconds {
        let folded = i32::from(n % 2 == 0);
        score.add(n * 1_000_000, device, &[(EV_SW, SwitchCode::SW_TABLET_MODE.0, folded)]);
    }
    score
}
