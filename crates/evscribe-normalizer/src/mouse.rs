//! Pointers that are told where they are, such as a virtual machine's tablet.

use evscribe_model::codes::*;
use evscribe_model::{Device, DeviceState, Phase, Pointing, Tool};

use crate::fingers::Fingers;
use crate::page::Page;
use crate::spot::{Scale, Spot};

/// The pointer of one device: a contact that hovers, from its first motion
/// to the end of what is known whole. After a loss before the normaliser it has
/// a new number; a hole at the outlet, behind it, does not renumber.
#[derive(Debug)]
pub(crate) struct AbsoluteMouse {
    contact: Option<i32>,
    spot: Spot,
    shown: Spot,
    scale: Scale,
}

impl AbsoluteMouse {
    pub(crate) fn of(
        device: &Device,
        state: Option<&DeviceState>,
        fingers: &Fingers,
    ) -> Option<Self> {
        if device.pointing() != Some(Pointing::AbsoluteMouse) || !fingers.is_none() {
            return None;
        }
        let mut spot = Spot::of(Tool::Mouse);
        if let Some(state) = state {
            spot.take_state(state);
        }
        Some(Self { contact: None, spot, shown: spot, scale: Scale::of(device, ABS_X, ABS_Y) })
    }

    pub(crate) fn abs(&mut self, code: u16, value: i32) {
        self.spot.take_flat(code, value);
    }

    pub(crate) fn finish(&mut self, page: &mut Page<'_>) {
        if self.spot == self.shown {
            return;
        }
        let contact = *self.contact.get_or_insert_with(|| page.next.take_contact());
        page.touch(contact, Phase::Hover, &self.spot, &self.scale);
        self.shown = self.spot;
    }

    pub(crate) fn repair(&mut self, state: &DeviceState, page: &mut Page<'_>) {
        self.end(page);
        self.spot.take_state(state);
        self.finish(page);
    }

    /// Its next motion begins a new contact.
    pub(crate) fn disown(&mut self, contacts: &[i32]) {
        self.contact = self.contact.filter(|own| !contacts.contains(own));
    }

    pub(crate) fn end(&mut self, page: &mut Page<'_>) {
        if let Some(contact) = self.contact.take() {
            page.touch(contact, Phase::Leave, &self.shown, &self.scale);
        }
    }
}
