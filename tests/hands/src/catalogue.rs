//! The devices that play, each as a maker would declare it.

use evdev::{
    AbsoluteAxisCode as Abs, KeyCode as Key, PropType as Prop, RelativeAxisCode as Rel, SwitchCode,
};

use crate::device::{Axis, Spec};

pub(crate) const BUS_USB: u16 = 0x03;
pub(crate) const BUS_I2C: u16 = 0x18;

const MOUSE_BUTTONS: [Key; 5] =
    [Key::BTN_LEFT, Key::BTN_RIGHT, Key::BTN_MIDDLE, Key::BTN_SIDE, Key::BTN_EXTRA];

/// A USB mouse with both kinds of wheel events, as the kernel's HID code makes it.
pub(crate) fn mouse() -> Spec {
    Spec {
        name: "mouse".into(),
        bus: BUS_USB,
        vendor: 0x046d,
        product: 0xc077,
        keys: MOUSE_BUTTONS.iter().map(|k| k.0).collect(),
        rels: [
            Rel::REL_X,
            Rel::REL_Y,
            Rel::REL_WHEEL,
            Rel::REL_HWHEEL,
            Rel::REL_WHEEL_HI_RES,
            Rel::REL_HWHEEL_HI_RES,
        ]
        .map(|r| r.0)
        .into(),
        scan: true,
        ..Spec::default()
    }
}

/// A keyboard of 104 keys.
pub(crate) fn keyboard() -> Spec {
    Spec {
        name: "keyboard".into(),
        bus: BUS_USB,
        vendor: 0x046a,
        product: 0x0011,
        keys: full_keyboard(),
        scan: true,
        ..Spec::default()
    }
}

/// What makes udev call it a keyboard is that codes 1 to 31 are all there.
pub(crate) fn full_keyboard() -> Vec<u16> {
    (Key::KEY_ESC.0..=Key::KEY_F10.0)
        .chain(Key::KEY_NUMLOCK.0..=Key::KEY_KPDOT.0)
        .chain([Key::KEY_102ND.0, Key::KEY_F11.0, Key::KEY_F12.0])
        .chain(Key::KEY_KPENTER.0..=Key::KEY_RIGHTALT.0)
        .chain(Key::KEY_HOME.0..=Key::KEY_DELETE.0)
        .chain([Key::KEY_LEFTMETA.0, Key::KEY_RIGHTMETA.0, Key::KEY_COMPOSE.0])
        .collect()
}

fn axis(code: Abs, max: i32, resolution: i32) -> Axis {
    Axis { code: code.0, min: 0, max, resolution }
}

fn contacts(max_x: i32, max_y: i32, resolution: i32) -> Vec<Axis> {
    vec![
        axis(Abs::ABS_X, max_x, resolution),
        axis(Abs::ABS_Y, max_y, resolution),
        axis(Abs::ABS_MT_SLOT, 4, 0),
        axis(Abs::ABS_MT_POSITION_X, max_x, resolution),
        axis(Abs::ABS_MT_POSITION_Y, max_y, resolution),
        axis(Abs::ABS_MT_TRACKING_ID, 65535, 0),
    ]
}

/// A touchpad of 100 by 60 mm that feels five fingers and their pressure.
pub(crate) fn touchpad() -> Spec {
    let mut axes = contacts(2000, 1200, 20);
    axes.push(axis(Abs::ABS_PRESSURE, 255, 0));
    axes.push(axis(Abs::ABS_MT_PRESSURE, 255, 0));
    let keys = [
        Key::BTN_LEFT,
        Key::BTN_TOUCH,
        Key::BTN_TOOL_FINGER,
        Key::BTN_TOOL_DOUBLETAP,
        Key::BTN_TOOL_TRIPLETAP,
        Key::BTN_TOOL_QUADTAP,
        Key::BTN_TOOL_QUINTTAP,
    ];
    Spec {
        name: "touchpad".into(),
        bus: BUS_I2C,
        vendor: 0x06cb,
        product: 0xcd8b,
        keys: keys.map(|k| k.0).into(),
        axes,
        props: [Prop::POINTER, Prop::BUTTONPAD].map(|p| p.0).into(),
        ..Spec::default()
    }
}

/// A screen of about 310 by 174 mm that feels five fingers.
pub(crate) fn touchscreen() -> Spec {
    Spec {
        name: "touchscreen".into(),
        bus: BUS_USB,
        vendor: 0x04f3,
        product: 0x2d4a,
        keys: vec![Key::BTN_TOUCH.0],
        axes: contacts(3968, 2240, 13),
        props: vec![Prop::DIRECT.0],
        ..Spec::default()
    }
}

/// A pen tablet with tilt, a pen of two buttons and an eraser.
pub(crate) fn pen() -> Spec {
    let keys = [
        Key::BTN_TOOL_PEN,
        Key::BTN_TOOL_RUBBER,
        Key::BTN_TOUCH,
        Key::BTN_STYLUS,
        Key::BTN_STYLUS2,
    ];
    let tilt = |code: Abs| Axis { code: code.0, min: -64, max: 63, resolution: 57 };
    Spec {
        name: "pen".into(),
        bus: BUS_USB,
        vendor: 0x056a,
        product: 0x0357,
        keys: keys.map(|k| k.0).into(),
        axes: vec![
            axis(Abs::ABS_X, 44800, 200),
            axis(Abs::ABS_Y, 29600, 200),
            axis(Abs::ABS_PRESSURE, 8191, 0),
            tilt(Abs::ABS_TILT_X),
            tilt(Abs::ABS_TILT_Y),
            axis(Abs::ABS_DISTANCE, 63, 0),
        ],
        props: vec![Prop::POINTER.0],
        ..Spec::default()
    }
}

/// A virtual machine's mouse: absolute axes, buttons, a wheel, no touch.
pub(crate) fn abs_mouse() -> Spec {
    Spec {
        name: "abs-mouse".into(),
        bus: BUS_USB,
        vendor: 0x0627,
        product: 0x0001,
        keys: [Key::BTN_LEFT, Key::BTN_RIGHT, Key::BTN_MIDDLE].map(|k| k.0).into(),
        rels: vec![Rel::REL_WHEEL.0, Rel::REL_WHEEL_HI_RES.0],
        axes: vec![axis(Abs::ABS_X, 32767, 0), axis(Abs::ABS_Y, 32767, 0)],
        scan: true,
        ..Spec::default()
    }
}

/// A keyboard that also has a tablet-mode switch, as some covers do.
pub(crate) fn switch() -> Spec {
    Spec {
        name: "cover".into(),
        product: 0x0012,
        switches: vec![SwitchCode::SW_TABLET_MODE.0],
        ..keyboard()
    }
}
