//! Pens and other tools on a tablet or screen.

use evscribe_model::codes::*;
use evscribe_model::{Device, DeviceState, Phase, Pointing, Tool};

use crate::fingers::{is_flat, is_multitouch};
use crate::page::Page;
use crate::spot::{Scale, Spot, leaves};

/// What `BTN_TOOL_PEN` to `BTN_TOOL_LENS` mean, in the order of their codes.
const TOOLS: [Tool; 8] = [
    Tool::Pen,
    Tool::Rubber,
    Tool::Brush,
    Tool::Pencil,
    Tool::Airbrush,
    Tool::Finger,
    Tool::Mouse,
    Tool::Other,
];

/// The bit of `BTN_TOOL_FINGER`.
const FINGER: u8 = 1 << (BTN_TOOL_FINGER - BTN_TOOL_PEN);

/// The tool near one tablet. A contact lasts from coming near to leaving.
///
/// | tool near, touching | contact | rows at the frame's end |
/// |---|---|---|
/// | yes, no | none | hover, a new contact |
/// | yes, yes | none | down, a new contact |
/// | yes, no → yes | hovers | down |
/// | yes, yes → no | touches | up, at the new position |
/// | yes, unchanged | any, something changed | move or hover |
/// | no, or another tool | touches | up, leave, at the last position written |
/// | no, or another tool | hovers | leave, at the last position written |
/// | yes | near since before us | none until it left |
///
/// A tablet that names no tool has a pen near as long as it touches. One that
/// has no `BTN_TOUCH` touches when pressure is above zero. A finger on a tablet
/// (`BTN_TOOL_FINGER`) has rows only while it touches. Of several tools at once
/// the one that came first counts. Not kept: distance, tilt, rotation, the
/// airbrush's wheel and every number of the tool (`MSC_SERIAL`, `ABS_MISC`).
#[derive(Debug)]
pub(crate) struct Pen {
    names_tools: bool,
    by_pressure: bool,
    multitouch: bool,
    /// One bit for each tool near.
    near: u8,
    /// One bit for each tool that left in this frame.
    left: u8,
    touching: bool,
    /// It was lifted in this frame.
    lifted: bool,
    foreign: bool,
    contact: Option<Contact>,
    spot: Spot,
    shown: Spot,
    scale: Scale,
}

#[derive(Clone, Copy, Debug)]
struct Contact {
    number: i32,
    tool: Tool,
    touches: bool,
}

impl Pen {
    pub(crate) fn of(device: &Device, state: Option<&DeviceState>) -> Option<Self> {
        if device.pointing() != Some(Pointing::Pen) || !is_flat(device) {
            return None;
        }
        let spot = Spot::of(Tool::Pen);
        let mut pen = Self {
            names_tools: (BTN_TOOL_PEN..=BTN_TOOL_LENS).any(|code| device.keys.has(code)),
            by_pressure: !device.keys.has(BTN_TOUCH),
            multitouch: is_multitouch(device),
            near: 0,
            left: 0,
            touching: false,
            lifted: false,
            foreign: false,
            contact: None,
            spot,
            shown: spot,
            scale: Scale::of(device, ABS_X, ABS_Y),
        };
        if let Some(state) = state {
            pen.load(state);
            pen.foreign = pen.tool().is_some();
            (pen.left, pen.lifted) = (0, false);
        }
        Some(pen)
    }

    pub(crate) fn key(&mut self, code: u16, value: i32) {
        match code {
            BTN_TOUCH if value != 2 && !self.by_pressure => self.touch(value != 0),
            BTN_TOOL_PEN..=BTN_TOOL_LENS if value != 2 => self.bring(code, value != 0),
            _ => {}
        }
    }

    pub(crate) fn abs(&mut self, code: u16, value: i32) {
        self.spot.take_flat(code, value);
        if code == ABS_PRESSURE && self.by_pressure {
            self.touch(value > 0);
        }
    }

    pub(crate) fn finish(&mut self, page: &mut Page<'_>) {
        let tool = self.tool();
        let left = std::mem::take(&mut self.left);
        let lifted = std::mem::take(&mut self.lifted);
        if let Some(contact) = self.contact {
            let went = bit(contact.tool) & left != 0;
            let pause = lifted && !leaves_by_itself(self.names_tools, contact.tool);
            if went || pause || tool != Some(contact.tool) {
                self.leave(contact, page);
            }
        }
        if tool.is_none() || left != 0 || (lifted && !self.names_tools) {
            self.foreign = false;
        }
        let Some(tool) = tool else { return };
        if self.foreign {
            return;
        }
        self.spot.tool = tool;
        let (mut contact, new) = match self.contact {
            Some(contact) => (contact, false),
            None => {
                let number = page.next.take_contact();
                (Contact { number, tool, touches: false }, true)
            }
        };
        let mut said = false;
        if contact.touches && (lifted || !self.touching) {
            page.touch(contact.number, Phase::Up, &self.spot, &self.scale);
            contact.touches = false;
            said = true;
        }
        if self.touching && !contact.touches {
            page.touch(contact.number, Phase::Down, &self.spot, &self.scale);
            contact.touches = true;
            said = true;
        }
        if !said && (new || self.spot != self.shown) {
            let phase = if contact.touches { Phase::Move } else { Phase::Hover };
            page.touch(contact.number, phase, &self.spot, &self.scale);
        }
        self.shown = self.spot;
        self.contact = Some(contact);
    }

    pub(crate) fn repair(&mut self, state: &DeviceState, page: &mut Page<'_>) {
        self.load(state);
        self.finish(page);
    }

    pub(crate) fn disown(&mut self, contacts: &[i32]) {
        if self.contact.is_some_and(|own| contacts.contains(&own.number)) {
            self.contact = None;
            self.foreign = true;
        }
    }

    pub(crate) fn end(&mut self, page: &mut Page<'_>) {
        (self.near, self.touching, self.foreign) = (0, false, false);
        self.finish(page);
    }

    fn leave(&mut self, contact: Contact, page: &mut Page<'_>) {
        if contact.touches {
            page.lift(contact.number, &self.shown, &self.scale);
        } else if leaves(contact.tool) {
            page.touch(contact.number, Phase::Leave, &self.shown, &self.scale);
        }
        self.contact = None;
    }

    /// The tool that is near and has rows.
    fn tool(&self) -> Option<Tool> {
        if !self.names_tools {
            return self.touching.then_some(Tool::Pen);
        }
        let finger = if self.touching && !self.multitouch { FINGER } else { 0 };
        let near = self.near & (!FINGER | finger);
        if let Some(contact) = self.contact
            && near & bit(contact.tool) & !self.left != 0
        {
            return Some(contact.tool);
        }
        TOOLS.get(near.trailing_zeros() as usize).copied()
    }

    fn load(&mut self, state: &DeviceState) {
        self.spot.take_state(state);
        for code in BTN_TOOL_PEN..=BTN_TOOL_LENS {
            self.bring(code, state.keys.has(code));
        }
        self.touch(if self.by_pressure {
            state.axis(ABS_PRESSURE).is_some_and(|pressure| pressure > 0)
        } else {
            state.keys.has(BTN_TOUCH)
        });
    }

    /// A tool came near or went.
    fn bring(&mut self, code: u16, near: bool) {
        let bit = 1u8.checked_shl(u32::from(code - BTN_TOOL_PEN)).unwrap_or(0);
        if near {
            self.near |= bit;
        } else {
            self.left |= self.near & bit;
            self.near &= !bit;
        }
    }

    fn touch(&mut self, touching: bool) {
        self.lifted |= self.touching && !touching;
        self.touching = touching;
    }
}

/// The bit of a tool in [`Pen::near`].
fn bit(tool: Tool) -> u8 {
    TOOLS.iter().position(|other| *other == tool).map_or(0, |index| 1 << index)
}

/// Whether a contact of that tool goes on when it is lifted.
fn leaves_by_itself(names_tools: bool, tool: Tool) -> bool {
    names_tools && leaves(tool)
}
