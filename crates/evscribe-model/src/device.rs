//! Devices: what they are, what they can say, what they hold.

use crate::Bits;
use crate::codes::*;

/// Number of a device, unique on its host; the key into table `devices`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeviceId(pub i16);

/// Where a device comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Hardware.
    Physical,
    /// Made by software: `/sys/devices/virtual`, for example uinput.
    Virtual,
    /// Not known: a recording does not say.
    Unknown,
}

impl Origin {
    /// The word in the dataset.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Virtual => "virtual",
            Self::Unknown => "unknown",
        }
    }
}

/// An absolute axis as the device describes it.
///
/// Source: `struct input_absinfo`. A device may lie: `min` may exceed `max`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Axis {
    /// `ABS_*`.
    pub code: u16,
    /// Smallest value, device units.
    pub min: i32,
    /// Largest value, device units.
    pub max: i32,
    /// Noise filter of the kernel, device units.
    pub fuzz: i32,
    /// Dead zone, device units.
    pub flat: i32,
    /// Units per millimetre (for axes of position); 0 where not stated.
    pub resolution: i32,
}

/// What a device's absolute axes mean, if it has any that point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pointing {
    /// Fingers on a pad beside the screen.
    Touchpad,
    /// Fingers on the screen.
    Touchscreen,
    /// A pen on a tablet or screen.
    Pen,
    /// A pointer that is told where it is, for example in a virtual machine.
    AbsoluteMouse,
}

/// A device's description, without anything that names the unit itself: no
/// serial number, no `uniq`, no Bluetooth address.
#[derive(Clone, PartialEq, Debug)]
pub struct Device {
    /// Its number.
    pub id: DeviceId,
    /// The driver's name for it; `None` where the level forbids it.
    pub name: Option<String>,
    /// `BUS_*`.
    pub bus: u16,
    /// Vendor number.
    pub vendor: u16,
    /// Product number.
    pub product: u16,
    /// Version number.
    pub version: u16,
    /// `INPUT_PROP_*`.
    pub props: Bits<1>,
    /// `KEY_*` and `BTN_*` it can send.
    pub keys: Bits<12>,
    /// `REL_*` it can send.
    pub rels: Bits<1>,
    /// `MSC_*` it can send.
    pub mscs: Bits<1>,
    /// `SW_*` it can send.
    pub switches: Bits<1>,
    /// Absolute axes, ascending by code.
    pub axes: Vec<Axis>,
    /// Hardware or software.
    pub origin: Origin,
    /// Counts per inch of a mouse. Source: udev property `MOUSE_DPI`.
    pub dpi: Option<u32>,
    /// The seat it belongs to. Source: udev property `ID_SEAT`.
    pub seat: Option<String>,
}

impl Device {
    /// A device without capabilities: what a source fills in.
    #[must_use]
    pub fn empty(id: DeviceId) -> Self {
        Self {
            id,
            name: None,
            bus: 0,
            vendor: 0,
            product: 0,
            version: 0,
            props: Bits::default(),
            keys: Bits::default(),
            rels: Bits::default(),
            mscs: Bits::default(),
            switches: Bits::default(),
            axes: Vec::new(),
            origin: Origin::Unknown,
            dpi: None,
            seat: None,
        }
    }

    /// The axis with that code.
    #[must_use]
    pub fn axis(&self, code: u16) -> Option<&Axis> {
        self.axes.iter().find(|axis| axis.code == code)
    }

    /// Whether it has keys, buttons aside.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.keys.iter().any(|code| matches!(crate::key_role(code), crate::KeyRole::Key(_)))
    }

    /// Whether it moves relatively, as a mouse does.
    #[must_use]
    pub fn has_motion(&self) -> bool {
        self.rels.has(REL_X) || self.rels.has(REL_Y)
    }

    /// Whether it reports several contacts at once.
    #[must_use]
    pub fn is_multitouch(&self) -> bool {
        self.axis(ABS_MT_POSITION_X).is_some() && self.axis(ABS_MT_POSITION_Y).is_some()
    }

    /// What its absolute axes mean; `None` where it has none that point, as a
    /// joystick or an accelerometer.
    #[must_use]
    pub fn pointing(&self) -> Option<Pointing> {
        let flat = self.axis(ABS_X).is_some() && self.axis(ABS_Y).is_some();
        // Some pointing sticks claim axes that they never move.
        let never = [INPUT_PROP_ACCELEROMETER, INPUT_PROP_POINTING_STICK];
        if never.iter().any(|prop| self.props.has(*prop)) || !(flat || self.is_multitouch()) {
            return None;
        }
        let direct = self.props.has(INPUT_PROP_DIRECT);
        let finger = self.keys.has(BTN_TOOL_FINGER);
        if self.keys.has(BTN_TOOL_PEN) || (self.keys.has(BTN_STYLUS) && !finger) {
            Some(Pointing::Pen)
        } else if self.is_multitouch() || self.keys.has(BTN_TOUCH) {
            let pad = !direct && (finger || self.props.has(INPUT_PROP_POINTER));
            Some(if pad { Pointing::Touchpad } else { Pointing::Touchscreen })
        } else if self.keys.has(BTN_LEFT) {
            Some(Pointing::AbsoluteMouse)
        } else {
            None
        }
    }
}

/// A contact as a multitouch slot holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Slot {
    /// `ABS_MT_TRACKING_ID`; negative where the slot is empty.
    pub tracking_id: i32,
    /// `ABS_MT_POSITION_X`, device units.
    pub x: i32,
    /// `ABS_MT_POSITION_Y`, device units.
    pub y: i32,
    /// `ABS_MT_PRESSURE`, device units; `None` where the device has none.
    pub pressure: Option<i32>,
    /// `ABS_MT_TOOL_TYPE`; `None` where the device has none.
    pub tool_type: Option<i32>,
}

/// What a device holds at one moment, read from the kernel.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DeviceState {
    /// Keys and buttons that are down.
    pub keys: Bits<12>,
    /// Switches that are on.
    pub switches: Bits<1>,
    /// Values of the absolute axes: `(ABS_*, value)`, ascending by code.
    pub axes: Vec<(u16, i32)>,
    /// The slots, by slot number; empty without `ABS_MT_SLOT`.
    pub slots: Vec<Slot>,
    /// The slot that the next multitouch event means.
    pub current_slot: i32,
}

impl DeviceState {
    /// The value of an axis.
    #[must_use]
    pub fn axis(&self, code: u16) -> Option<i32> {
        self.axes.iter().find(|(c, _)| *c == code).map(|(_, value)| *value)
    }
}
