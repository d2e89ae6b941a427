//! One contact, told by `ABS_X` and `ABS_Y`: old touchpads, simple touchscreens.

use evscribe_model::codes::*;
use evscribe_model::{Device, DeviceState, Phase, Tool};

use crate::page::Page;
use crate::spot::{Scale, Spot};

/// How a device says that it is touched.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// By this button: `BTN_TOUCH`, or `BTN_TOOL_FINGER` where there is none.
    Button(u16),
    /// By a pressure above zero, where it has neither.
    Pressure,
}

/// The contact of one device.
///
/// | touched at the frame's end | contact | rows |
/// |---|---|---|
/// | yes | none | down |
/// | yes, something changed | ours | move |
/// | yes, but lifted in between | ours | up, down |
/// | no | ours | up |
/// | yes | down since before us | none |
///
/// Not handled: a finger that hovers (`BTN_TOOL_FINGER` without `BTN_TOUCH`)
/// has no rows; further fingers on a pad that only counts them
/// (`BTN_TOOL_DOUBLETAP`) are not contacts.
#[derive(Debug)]
pub(crate) struct Single {
    sign: Sign,
    touched: bool,
    /// It was lifted in this frame.
    lifted: bool,
    /// It is down since before us.
    foreign: bool,
    contact: Option<i32>,
    spot: Spot,
    shown: Spot,
    scale: Scale,
}

impl Single {
    pub(crate) fn of(device: &Device, state: Option<&DeviceState>) -> Self {
        let sign = [BTN_TOUCH, BTN_TOOL_FINGER].into_iter().find(|code| device.keys.has(*code));
        let spot = Spot::of(Tool::Finger);
        let mut single = Self {
            sign: sign.map_or(Sign::Pressure, Sign::Button),
            touched: false,
            lifted: false,
            foreign: false,
            contact: None,
            spot,
            shown: spot,
            scale: Scale::of(device, ABS_X, ABS_Y),
        };
        if let Some(state) = state {
            single.load(state);
            single.foreign = single.touched;
        }
        single
    }

    pub(crate) fn key(&mut self, code: u16, value: i32) {
        if value != 2 && matches!(self.sign, Sign::Button(sign) if sign == code) {
            self.touch(value != 0);
        }
    }

    pub(crate) fn abs(&mut self, code: u16, value: i32) {
        self.spot.take_flat(code, value);
        if code == ABS_PRESSURE && matches!(self.sign, Sign::Pressure) {
            self.touch(value > 0);
        }
    }

    pub(crate) fn finish(&mut self, page: &mut Page<'_>) {
        if std::mem::take(&mut self.lifted) {
            self.foreign = false;
            if let Some(contact) = self.contact.take() {
                page.lift(contact, &self.shown, &self.scale);
            }
        }
        if !self.touched || self.foreign {
            return;
        }
        let (contact, phase) = match self.contact {
            None => (page.next.take_contact(), Phase::Down),
            Some(_) if self.spot == self.shown => return,
            Some(contact) => (contact, Phase::Move),
        };
        self.contact = Some(contact);
        self.shown = self.spot;
        page.touch(contact, phase, &self.spot, &self.scale);
    }

    pub(crate) fn repair(&mut self, state: &DeviceState, page: &mut Page<'_>) {
        self.load(state);
        self.finish(page);
    }

    pub(crate) fn disown(&mut self, contacts: &[i32]) {
        if self.contact.is_some_and(|own| contacts.contains(&own)) {
            self.contact = None;
            self.foreign = true;
        }
    }

    pub(crate) fn end(&mut self, page: &mut Page<'_>) {
        self.touch(false);
        self.foreign = false;
        self.finish(page);
    }

    fn load(&mut self, state: &DeviceState) {
        self.spot.take_state(state);
        self.touch(match self.sign {
            Sign::Button(sign) => state.keys.has(sign),
            Sign::Pressure => state.axis(ABS_PRESSURE).is_some_and(|pressure| pressure > 0),
        });
    }

    fn touch(&mut self, touched: bool) {
        self.lifted |= self.touched && !touched;
        self.touched = touched;
    }
}
