//! Twenty different devices, and which of them a collector may read.

use evdev::{
    AbsoluteAxisCode as Abs, KeyCode as Key, PropType as Prop, RelativeAxisCode as Rel, SwitchCode,
};
use serde::Serialize;

use crate::catalogue::{self, BUS_I2C, BUS_USB, full_keyboard};
use crate::device::{Axis, Spec};

const BUS_HOST: u16 = 0x19;
const BUS_BLUETOOTH: u16 = 0x05;
const BUS_I8042: u16 = 0x11;

/// One animal: the device and whether the rules should select it.
pub(crate) struct Animal {
    pub(crate) spec: Spec,
    pub(crate) selected: bool,
}

/// What `hands zoo` prints for each device.
#[derive(Serialize)]
pub(crate) struct Housed {
    pub(crate) name: String,
    pub(crate) node: String,
    pub(crate) selected: bool,
}

/// A device of the name, from a maker, with these keys.
fn keys(name: &str, bus: u16, vendor: u16, product: u16, keys: Vec<u16>) -> Spec {
    Spec { name: name.into(), bus, vendor, product, keys, ..Spec::default() }
}

fn named(name: &str, spec: Spec) -> Spec {
    Spec { name: name.into(), ..spec }
}

/// All twenty. Those not to be read are known by maker or by kind; most names do
/// not give them away.
pub(crate) fn animals() -> Vec<Animal> {
    let yes = |spec| Animal { spec, selected: true };
    let no = |spec| Animal { spec, selected: false };
    vec![
        yes(named("desk keyboard", catalogue::keyboard())),
        yes(keys("laptop keyboard", BUS_I8042, 0x0001, 0x0001, full_keyboard())),
        yes(keys("wireless keyboard", BUS_BLUETOOTH, 0x05ac, 0x029c, full_keyboard())),
        yes(named("desk mouse", catalogue::mouse())),
        yes(Spec {
            bus: BUS_I8042,
            vendor: 0x0002,
            product: 0x000a,
            props: vec![Prop::POINTING_STICK.0],
            ..named("pointing stick", small_mouse())
        }),
        yes(named("laptop touchpad", catalogue::touchpad())),
        yes(named("touchscreen", catalogue::touchscreen())),
        yes(named("drawing tablet", catalogue::pen())),
        yes(named("vm tablet", catalogue::abs_mouse())),
        // Its rule is the scenario's: it belongs to a second seat.
        no(named("seat-two mouse", catalogue::mouse())),
        no(keys("yk", BUS_USB, 0x1050, 0x0407, full_keyboard())),
        no(keys("reader one", BUS_USB, 0x05e0, 0x1200, full_keyboard())),
        no(keys("reader two", BUS_USB, 0x0c2e, 0x0b61, full_keyboard())),
        no(keys("swipe", BUS_USB, 0x0801, 0x0001, full_keyboard())),
        no(keys("power button", BUS_HOST, 0, 1, vec![Key::KEY_POWER.0])),
        no(Spec {
            name: "lid".into(),
            bus: BUS_HOST,
            product: 5,
            switches: vec![SwitchCode::SW_LID.0],
            ..Spec::default()
        }),
        no(keys(
            "video bus",
            BUS_HOST,
            0,
            6,
            vec![Key::KEY_BRIGHTNESSUP.0, Key::KEY_BRIGHTNESSDOWN.0, Key::KEY_SWITCHVIDEOMODE.0],
        )),
        no(keys(
            "headset",
            BUS_BLUETOOTH,
            0x054c,
            0x0cd3,
            vec![
                Key::KEY_PLAYPAUSE.0,
                Key::KEY_NEXTSONG.0,
                Key::KEY_PREVIOUSSONG.0,
                Key::KEY_VOLUMEUP.0,
                Key::KEY_VOLUMEDOWN.0,
            ],
        )),
        no(gamepad()),
        no(accelerometer()),
    ]
}

fn small_mouse() -> Spec {
    Spec {
        keys: vec![Key::BTN_LEFT.0, Key::BTN_RIGHT.0, Key::BTN_MIDDLE.0],
        rels: vec![Rel::REL_X.0, Rel::REL_Y.0],
        ..Spec::default()
    }
}

fn gamepad() -> Spec {
    let stick = |code: Abs| Axis { code: code.0, min: -32768, max: 32767, resolution: 0 };
    Spec {
        axes: vec![stick(Abs::ABS_X), stick(Abs::ABS_Y), stick(Abs::ABS_RX), stick(Abs::ABS_RY)],
        ..keys(
            "gamepad",
            BUS_USB,
            0x045e,
            0x028e,
            vec![
                Key::BTN_SOUTH.0,
                Key::BTN_EAST.0,
                Key::BTN_NORTH.0,
                Key::BTN_WEST.0,
                Key::BTN_START.0,
            ],
        )
    }
}

fn accelerometer() -> Spec {
    let force = |code: Abs| Axis { code: code.0, min: -512, max: 512, resolution: 256 };
    Spec {
        name: "accelerometer".into(),
        bus: BUS_I2C,
        props: vec![Prop::ACCELEROMETER.0],
        axes: vec![force(Abs::ABS_X), force(Abs::ABS_Y), force(Abs::ABS_Z)],
        ..Spec::default()
    }
}
