//! Where the trackers write: rows that share a time, a run and a device.

use evscribe_model::{BootUs, DeviceId, Event, Phase, Row, Run, Touch, What};

use crate::Counters;
use crate::spot::{Scale, Spot, leaves};

/// What all rows of one frame have in common, and where they go.
pub(crate) struct Page<'a> {
    pub(crate) at: BootUs,
    pub(crate) run: Run,
    pub(crate) device: DeviceId,
    /// Whether what is written now was deduced, not seen.
    pub(crate) inferred: bool,
    pub(crate) next: &'a mut Counters,
    pub(crate) out: &'a mut Vec<Row>,
}

impl Page<'_> {
    pub(crate) fn event(&mut self, what: What) {
        let (at, run, device) = (self.at, self.run, self.device);
        self.out.push(Row::Event(Event { at, run, device, what }));
    }

    pub(crate) fn touch(&mut self, contact: i32, phase: Phase, spot: &Spot, scale: &Scale) {
        self.out.push(Row::Touch(Touch {
            at: self.at,
            run: self.run,
            device: self.device,
            contact,
            phase,
            x: spot.x,
            y: spot.y,
            x_um: spot.x.and_then(|x| scale.x_um(x)),
            y_um: spot.y.and_then(|y| scale.y_um(y)),
            pressure: spot.pressure,
            tool: spot.tool,
            inferred: self.inferred,
        }));
    }

    /// Ends a contact that touches.
    pub(crate) fn lift(&mut self, contact: i32, spot: &Spot, scale: &Scale) {
        self.touch(contact, Phase::Up, spot, scale);
        if leaves(spot.tool) {
            self.touch(contact, Phase::Leave, spot, scale);
        }
    }
}
