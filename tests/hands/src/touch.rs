//! Fingers on a touchpad or a touchscreen (slots, protocol B).

use evdev::{AbsoluteAxisCode as Abs, KeyCode as Key};

use crate::random::Random;
use crate::score::{Score, Value};

const EV_KEY: u16 = 1;
const EV_ABS: u16 = 3;

/// Where fingers move: the device's size and what it tells about contacts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surface {
    pub(crate) device: usize,
    pub(crate) max_x: i32,
    pub(crate) max_y: i32,
    /// Pressure and `BTN_TOOL_*`, as touchpads send them.
    pub(crate) is_pad: bool,
}

impl Surface {
    pub(crate) fn pad(device: usize) -> Self {
        Self { device, max_x: 2000, max_y: 1200, is_pad: true }
    }

    pub(crate) fn screen(device: usize) -> Self {
        Self { device, max_x: 3968, max_y: 2240, is_pad: false }
    }
}

/// The tool that says how many fingers are down.
fn tool(fingers: usize) -> Option<Key> {
    let tools = [
        Key::BTN_TOOL_FINGER,
        Key::BTN_TOOL_DOUBLETAP,
        Key::BTN_TOOL_TRIPLETAP,
        Key::BTN_TOOL_QUADTAP,
        Key::BTN_TOOL_QUINTTAP,
    ];
    fingers.checked_sub(1).and_then(|n| tools.get(n)).copied()
}

#[derive(Clone, Copy, Debug)]
struct Finger {
    slot: i32,
    x: i32,
    y: i32,
}

/// A gesture of `fingers` fingers that come down one after the other, move for
/// `duration_us` and lift one after the other. Contacts are numbered from
/// `tracking_id`, which is left at the next free number.
pub(crate) fn gesture(
    random: &mut Random,
    on: Surface,
    fingers: usize,
    hz: u64,
    duration_us: u64,
    tracking_id: &mut i32,
) -> Score {
    let mut score = Score::default();
    let period_us = 1_000_000 / hz.max(1);
    let mut at_us = 0;
    let mut down: Vec<Finger> = Vec::new();
    let coordinate = |random: &mut Random, max: i32| {
        i32::try_from(random.between(i64::from(max / 4), i64::from(max * 3 / 4))).unwrap_or(0)
    };

    for n in 0..fingers {
        let finger = Finger {
            slot: i32::try_from(n).unwrap_or(0),
            x: coordinate(random, on.max_x),
            y: coordinate(random, on.max_y),
        };
        let mut values: Vec<Value> = vec![
            (EV_ABS, Abs::ABS_MT_SLOT.0, finger.slot),
            (EV_ABS, Abs::ABS_MT_TRACKING_ID.0, *tracking_id),
        ];
        *tracking_id = (*tracking_id + 1) & 0xffff;
        down.push(finger);
        place(random, on, finger, &mut values);
        if n == 0 {
            values.push((EV_KEY, Key::BTN_TOUCH.0, 1));
        }
        tools(on, n, n + 1, &mut values);
        emulate_pointer(random, on, &down, &mut values);
        score.add(at_us, on.device, &values);
        at_us += period_us;
    }

    let way = (
        i32::try_from(random.between(-6, 6)).unwrap_or(0),
        i32::try_from(random.between(-5, 5)).unwrap_or(0),
    );
    for _ in 0..duration_us / period_us {
        let mut values = Vec::new();
        for finger in &mut down {
            finger.x = (finger.x + way.0 + i32::try_from(random.between(-2, 2)).unwrap_or(0))
                .clamp(0, on.max_x);
            finger.y = (finger.y + way.1 + i32::try_from(random.between(-2, 2)).unwrap_or(0))
                .clamp(0, on.max_y);
            values.push((EV_ABS, Abs::ABS_MT_SLOT.0, finger.slot));
            place(random, on, *finger, &mut values);
        }
        emulate_pointer(random, on, &down, &mut values);
        score.add(at_us, on.device, &values);
        at_us += period_us;
    }

    while let Some(finger) = down.pop() {
        let left = down.len();
        let mut values = vec![
            (EV_ABS, Abs::ABS_MT_SLOT.0, finger.slot),
            (EV_ABS, Abs::ABS_MT_TRACKING_ID.0, -1),
        ];
        if left == 0 {
            values.push((EV_KEY, Key::BTN_TOUCH.0, 0));
        }
        tools(on, left + 1, left, &mut values);
        emulate_pointer(random, on, &down, &mut values);
        score.add(at_us, on.device, &values);
        at_us += period_us;
    }
    score
}

fn place(random: &mut Random, on: Surface, finger: Finger, values: &mut Vec<Value>) {
    values.push((EV_ABS, Abs::ABS_MT_POSITION_X.0, finger.x));
    values.push((EV_ABS, Abs::ABS_MT_POSITION_Y.0, finger.y));
    if on.is_pad {
        values.push((
            EV_ABS,
            Abs::ABS_MT_PRESSURE.0,
            i32::try_from(random.between(40, 90)).unwrap_or(60),
        ));
    }
}

/// One tool goes up as the next comes down, in one report.
fn tools(on: Surface, before: usize, after: usize, values: &mut Vec<Value>) {
    if on.is_pad {
        values.extend(tool(before).map(|t| (EV_KEY, t.0, 0)));
        values.extend(tool(after).map(|t| (EV_KEY, t.0, 1)));
    }
}

/// The single-touch axes follow the first finger, as the kernel's
/// `input_mt_report_pointer_emulation` makes them.
fn emulate_pointer(random: &mut Random, on: Surface, down: &[Finger], values: &mut Vec<Value>) {
    if let Some(first) = down.first() {
        values.push((EV_ABS, Abs::ABS_X.0, first.x));
        values.push((EV_ABS, Abs::ABS_Y.0, first.y));
    }
    if on.is_pad {
        let pressure =
            if down.is_empty() { 0 } else { i32::try_from(random.between(40, 90)).unwrap_or(60) };
        values.push((EV_ABS, Abs::ABS_PRESSURE.0, pressure));
    }
}

/// Gestures of one to `fingers` fingers until `seconds` are over; the first one
/// uses them all.
pub(crate) fn gestures(
    random: &mut Random,
    on: Surface,
    fingers: usize,
    hz: u64,
    seconds: u64,
) -> Score {
    let mut score = Score::default();
    let mut tracking_id = 100;
    let mut at_us = 0;
    let mut n = fingers;
    while at_us < seconds * 1_000_000 {
        let duration_us = random.interval_us(700_000);
        score.join(at_us, gesture(random, on, n, hz, duration_us, &mut tracking_id));
        at_us = score.end_us() + random.interval_us(200_000);
        n = usize::try_from(random.between(1, i64::try_from(fingers).unwrap_or(1))).unwrap_or(1);
    }
    score
}
