//! Fingers: which of the three ways a device has to tell of them.

use evscribe_model::codes::*;
use evscribe_model::{Device, DeviceState, Pointing};

use crate::page::Page;
use crate::points::Points;
use crate::single::Single;
use crate::slots::Slots;

/// No device has an axis of this code unless it claims all of them: then its
/// multitouch axes are not what they seem.
///
/// Source: libevdev, `ABS_MT_SLOT - 1` as the sign of a fake multitouch device.
const ABS_NONE: u16 = ABS_MT_SLOT - 1;

/// The contacts of a touchpad or touchscreen.
#[derive(Debug)]
pub(crate) enum Fingers {
    /// The device has none.
    None,
    /// Protocol B: the kernel keeps contacts apart by slots.
    Slots(Slots),
    /// Protocol A: each frame lists all contacts.
    Points(Box<Points>),
    /// One contact, told by `ABS_X` and `ABS_Y`.
    Single(Single),
}

impl Fingers {
    pub(crate) fn of(device: &Device, state: Option<&DeviceState>) -> Self {
        let multi = is_multitouch(device);
        let touch = match device.pointing() {
            Some(Pointing::Touchpad | Pointing::Touchscreen) => true,
            Some(Pointing::Pen) => multi,
            // Old pads do not say BTN_TOUCH, so they look like an absolute
            // mouse or like nothing.
            Some(Pointing::AbsoluteMouse) => {
                device.keys.has(BTN_TOOL_FINGER) || device.axis(ABS_PRESSURE).is_some()
            }
            None => device.keys.has(BTN_TOOL_FINGER) && !device.props.has(INPUT_PROP_ACCELEROMETER),
        };
        if !touch {
            Self::None
        } else if multi && device.axis(ABS_MT_SLOT).is_some() {
            Self::Slots(Slots::of(device, state))
        } else if multi {
            Self::Points(Box::new(Points::of(device, state)))
        } else if is_flat(device) {
            Self::Single(Single::of(device, state))
        } else {
            Self::None
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn abs(&mut self, code: u16, value: i32) {
        match self {
            Self::None => {}
            Self::Slots(slots) => slots.abs(code, value),
            Self::Points(points) => points.abs(code, value),
            Self::Single(single) => single.abs(code, value),
        }
    }

    pub(crate) fn key(&mut self, code: u16, value: i32) {
        match self {
            Self::None | Self::Slots(_) => {}
            Self::Points(points) => points.key(code, value),
            Self::Single(single) => single.key(code, value),
        }
    }

    /// `SYN_MT_REPORT`: a contact of protocol A is complete.
    pub(crate) fn separate(&mut self) {
        if let Self::Points(points) = self {
            points.separate();
        }
    }

    pub(crate) fn finish(&mut self, page: &mut Page<'_>) {
        match self {
            Self::None => {}
            Self::Slots(slots) => slots.finish(page),
            Self::Points(points) => points.finish(page),
            Self::Single(single) => single.finish(page),
        }
    }

    pub(crate) fn repair(&mut self, state: &DeviceState, page: &mut Page<'_>) {
        match self {
            Self::None => {}
            Self::Slots(slots) => slots.repair(state, page),
            Self::Points(points) => points.end(page),
            Self::Single(single) => single.repair(state, page),
        }
    }

    pub(crate) fn disown(&mut self, contacts: &[i32]) {
        match self {
            Self::None => {}
            Self::Slots(slots) => slots.disown(contacts),
            Self::Points(points) => points.disown(contacts),
            Self::Single(single) => single.disown(contacts),
        }
    }

    pub(crate) fn end(&mut self, page: &mut Page<'_>) {
        match self {
            Self::None => {}
            Self::Slots(slots) => slots.end(page),
            Self::Points(points) => points.end(page),
            Self::Single(single) => single.end(page),
        }
    }
}

/// Whether the device has multitouch axes and they are meant.
pub(crate) fn is_multitouch(device: &Device) -> bool {
    device.is_multitouch() && device.axis(ABS_NONE).is_none()
}

/// Whether the device has the axes of a single position.
pub(crate) fn is_flat(device: &Device) -> bool {
    device.axis(ABS_X).is_some() && device.axis(ABS_Y).is_some()
}
