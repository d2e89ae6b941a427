//! Contacts in slots: multitouch protocol B.

use evscribe_model::codes::*;
use evscribe_model::{Device, DeviceState, Phase, Tool};

use crate::page::Page;
use crate::spot::{Scale, Spot, tool_of};

/// Slots beyond this are ignored. The hands of three people are 30 fingers.
const SLOTS_MAX: i32 = 64;

/// The slots of one device. Source: `Documentation/input/multi-touch-protocol.rst`.
///
/// | tracking id in a frame | contact of the slot | rows at the frame's end |
/// |---|---|---|
/// | a → −1 | ours | up |
/// | −1 → a | none | down, a new contact |
/// | a → b, also by way of −1 | ours | up, down |
/// | unchanged | ours, something changed | move |
/// | a → −1 | down since before us | none; the next is ours |
/// | −1 → a → −1 | none | none: it never stood at the end of a report |
///
/// A slot holds its values when it is empty: the kernel does not repeat a
/// coordinate that the next contact happens to share. Not handled: hovering
/// fingers (`ABS_MT_DISTANCE`) count as touching.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    /// The slot that events mean; `None` where the device named one it has not.
    current: Option<usize>,
    /// One bit for each slot that this frame spoke of.
    touched: u64,
    scale: Scale,
}

#[derive(Clone, Debug)]
struct Slot {
    tracking_id: i32,
    /// The number of the contact, where it is ours.
    contact: Option<i32>,
    /// The contact that stood at the last frame's end has ended.
    ended: bool,
    /// A contact began and has not ended.
    began: bool,
    /// As of now.
    spot: Spot,
    /// As last written.
    shown: Spot,
}

impl Slots {
    pub(crate) fn of(device: &Device, state: Option<&DeviceState>) -> Self {
        let max = device.axis(ABS_MT_SLOT).map_or(0, |axis| axis.max);
        let len = usize::try_from(max.clamp(0, SLOTS_MAX - 1)).unwrap_or(0) + 1;
        let spot = Spot::of(Tool::Finger);
        let empty =
            Slot { tracking_id: -1, contact: None, ended: false, began: false, spot, shown: spot };
        let mut slots = Self {
            slots: vec![empty; len],
            current: Some(0),
            touched: 0,
            scale: Scale::of(device, ABS_MT_POSITION_X, ABS_MT_POSITION_Y),
        };
        if let Some(state) = state {
            slots.load(state);
            for slot in &mut slots.slots {
                slot.began = false;
            }
            slots.touched = 0;
        }
        slots
    }

    pub(crate) fn abs(&mut self, code: u16, value: i32) {
        if code == ABS_MT_SLOT {
            self.current = self.index(value);
            return;
        }
        let Some(index) = self.current else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        if code == ABS_MT_TRACKING_ID {
            slot.track(value);
        } else if !slot.spot.take_multi(code, value) {
            return;
        }
        self.touched |= 1 << index;
    }

    pub(crate) fn finish(&mut self, page: &mut Page<'_>) {
        let mut touched = std::mem::take(&mut self.touched);
        while touched != 0 {
            let index = touched.trailing_zeros();
            touched &= touched - 1;
            if let Some(slot) = self.slots.get_mut(index as usize) {
                slot.finish(&self.scale, page);
            }
        }
    }

    pub(crate) fn repair(&mut self, state: &DeviceState, page: &mut Page<'_>) {
        if state.slots.is_empty() {
            // The kernel could not say.
            self.end(page);
            return;
        }
        self.load(state);
        self.finish(page);
    }

    /// What is in the slot stays there, and has no rows until the next.
    pub(crate) fn disown(&mut self, contacts: &[i32]) {
        for slot in &mut self.slots {
            slot.contact = slot.contact.filter(|own| !contacts.contains(own));
        }
    }

    pub(crate) fn end(&mut self, page: &mut Page<'_>) {
        for slot in &mut self.slots {
            slot.track(-1);
            slot.finish(&self.scale, page);
        }
        self.touched = 0;
    }

    /// Takes what the kernel holds in each slot; a slot it does not speak of is
    /// empty.
    fn load(&mut self, state: &DeviceState) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let held = state.slots.get(index);
            slot.track(held.map_or(-1, |held| held.tracking_id));
            if let Some(held) = held {
                slot.spot = Spot {
                    x: Some(held.x),
                    y: Some(held.y),
                    pressure: held.pressure,
                    tool: held.tool_type.map_or(Tool::Finger, tool_of),
                };
            }
            self.touched |= 1 << index;
        }
        self.current = self.index(state.current_slot);
    }

    fn index(&self, slot: i32) -> Option<usize> {
        usize::try_from(slot).ok().filter(|index| *index < self.slots.len())
    }
}

impl Slot {
    fn track(&mut self, tracking_id: i32) {
        let tracking_id = tracking_id.max(-1);
        if tracking_id == self.tracking_id {
            return;
        }
        self.ended |= self.contact.is_some();
        self.began = tracking_id >= 0;
        self.tracking_id = tracking_id;
    }

    fn finish(&mut self, scale: &Scale, page: &mut Page<'_>) {
        if std::mem::take(&mut self.ended)
            && let Some(contact) = self.contact.take()
        {
            page.lift(contact, &self.shown, scale);
        }
        let phase = if std::mem::take(&mut self.began) {
            self.contact = Some(page.next.take_contact());
            Phase::Down
        } else if self.spot != self.shown {
            Phase::Move
        } else {
            return;
        };
        if let Some(contact) = self.contact {
            page.touch(contact, phase, &self.spot, scale);
            self.shown = self.spot;
        }
    }
}
