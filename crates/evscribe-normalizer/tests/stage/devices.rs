//! One device of each kind, as far as the normaliser looks.

use evscribe_model::codes::*;
use evscribe_model::*;

/// Keys and buttons of each role, and what lies just outside.
pub(crate) const KEYS: [u16; 20] = [
    1,
    30,
    42,
    57,
    0x100,
    BTN_LEFT,
    BTN_RIGHT,
    BTN_TOOL_PEN,
    BTN_TOOL_RUBBER,
    BTN_TOOL_FINGER,
    BTN_TOOL_MOUSE,
    BTN_TOOL_LENS,
    BTN_TOOL_QUINTTAP,
    0x149,
    BTN_TOUCH,
    BTN_STYLUS,
    BTN_TOOL_DOUBLETAP,
    BTN_TOOL_QUADTAP,
    KEY_CNT - 1,
    KEY_CNT,
];
/// Relative axes that a row comes of.
pub(crate) const RELS: [u16; 6] =
    [REL_X, REL_Y, REL_WHEEL, REL_HWHEEL, REL_WHEEL_HI_RES, REL_HWHEEL_HI_RES];
/// Absolute axes that the normaliser looks at.
pub(crate) const AXES: [u16; 11] = [
    ABS_X,
    ABS_Y,
    ABS_PRESSURE,
    ABS_MT_SLOT - 1,
    ABS_MT_SLOT,
    ABS_MT_POSITION_X,
    ABS_MT_POSITION_Y,
    ABS_MT_TOOL_TYPE,
    ABS_MT_TRACKING_ID,
    ABS_MT_PRESSURE,
    // ABS_MT_TOUCH_MAJOR
    0x30,
];

/// Codes of `KEY_*`, of `REL_*`, and axes as `(code, min, max, resolution)`.
pub(crate) fn device(keys: &[u16], rels: &[u16], axes: &[(u16, i32, i32, i32)]) -> Device {
    let mut device = Device::empty(DeviceId(7));
    for &key in keys {
        device.keys.set(key, true);
    }
    for &rel in rels {
        device.rels.set(rel, true);
    }
    device.axes = axes
        .iter()
        .map(|&(code, min, max, resolution)| Axis { code, min, max, fuzz: 0, flat: 0, resolution })
        .collect();
    device
}

pub(crate) fn keyboard() -> Device {
    device(&(1..=120).collect::<Vec<_>>(), &[], &[])
}

pub(crate) fn mouse() -> Device {
    device(&[BTN_LEFT, BTN_RIGHT], &[REL_X, REL_Y, REL_WHEEL], &[])
}

pub(crate) fn mouse_hi_res() -> Device {
    let rels = [REL_X, REL_Y, REL_WHEEL, REL_HWHEEL, REL_WHEEL_HI_RES];
    device(&[BTN_LEFT, BTN_RIGHT], &rels, &[])
}

/// A clickpad with five slots; 10 units a millimetre across, none stated down.
pub(crate) fn touchpad() -> Device {
    let mut device = device(
        &[BTN_LEFT, BTN_TOUCH, BTN_TOOL_FINGER, BTN_TOOL_DOUBLETAP],
        &[],
        &[
            (ABS_X, 0, 1000, 10),
            (ABS_Y, 0, 500, 0),
            (ABS_MT_SLOT, 0, 4, 0),
            (ABS_MT_POSITION_X, 0, 1000, 0),
            (ABS_MT_POSITION_Y, 0, 500, 0),
            (ABS_MT_TOOL_TYPE, 0, 2, 0),
            (ABS_MT_TRACKING_ID, 0, 65535, 0),
            (ABS_MT_PRESSURE, 0, 255, 0),
        ],
    );
    device.props.set(INPUT_PROP_POINTER, true);
    device
}

/// A touchscreen of protocol A.
pub(crate) fn protocol_a() -> Device {
    let mut device = device(
        &[BTN_TOUCH],
        &[],
        &[
            (ABS_X, 0, 1000, 0),
            (ABS_Y, 0, 1000, 0),
            (ABS_MT_POSITION_X, 0, 1000, 10),
            (ABS_MT_POSITION_Y, 0, 1000, 10),
        ],
    );
    device.props.set(INPUT_PROP_DIRECT, true);
    device
}

pub(crate) fn single_touch() -> Device {
    device(
        &[BTN_LEFT, BTN_TOUCH, BTN_TOOL_FINGER],
        &[],
        &[(ABS_X, 0, 1023, 0), (ABS_Y, 0, 767, 0), (ABS_PRESSURE, 0, 127, 0)],
    )
}

pub(crate) fn pen() -> Device {
    device(
        &[BTN_TOOL_PEN, BTN_TOOL_RUBBER, BTN_TOUCH, BTN_STYLUS],
        &[],
        &[(ABS_X, 0, 10_000, 100), (ABS_Y, 0, 10_000, 100), (ABS_PRESSURE, 0, 2047, 0)],
    )
}

pub(crate) fn absolute_mouse() -> Device {
    device(
        &[BTN_LEFT, BTN_RIGHT, BTN_MIDDLE],
        &[REL_WHEEL],
        &[(ABS_X, 0, 32767, 0), (ABS_Y, 0, 32767, 0)],
    )
}
