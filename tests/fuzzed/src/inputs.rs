//! What must hold of whatever a source says of one device after the other.

use evscribe_model::codes::{EV_SYN, SYN_DROPPED, SYN_REPORT};
use evscribe_model::{BootUs, DeviceId, Input};

/// Most events of a frame: see `Assembler`.
pub(crate) const FRAME_MAX: usize = 4096;

/// Reads what a recording says and panics at the first that breaks a rule.
#[derive(Default)]
pub(crate) struct InputJudge {
    open: Option<DeviceId>,
    /// The device that was opened last.
    latest: Option<DeviceId>,
    last: BootUs,
    /// The stamp that a clock step promised and that must come next.
    promised: Option<BootUs>,
}

impl InputJudge {
    pub(crate) fn read(&mut self, input: &Input<'_>) {
        match *input {
            Input::Open { at, device, .. } => {
                assert_eq!(self.open, None, "opened while another is open");
                assert!(self.latest.is_none_or(|latest| latest.0 + 1 == device.id.0));
                assert!(device.axes.is_sorted_by(|a, b| a.code < b.code), "{:?}", device.axes);
                (self.open, self.latest, self.last) = (Some(device.id), Some(device.id), at);
            }
            Input::Frame(frame) => {
                assert_eq!(self.open, Some(frame.device));
                assert!((1..=FRAME_MAX).contains(&frame.events.len()));
                assert!(!frame.events.iter().any(|event| {
                    event.kind == EV_SYN && matches!(event.code, SYN_REPORT | SYN_DROPPED)
                }));
                self.tell(frame.at);
            }
            Input::Dropped { device, since, until, .. } => {
                assert_eq!(self.open, Some(device));
                assert!(since <= until, "dropped from {since:?} to {until:?}");
                self.tell(until);
            }
            Input::ClockStep { device, from, to } => {
                assert_eq!(self.open, Some(device));
                assert_eq!((self.last, self.promised), (from, None));
                assert!(to < from, "stepped back from {from:?} to {to:?}");
                (self.last, self.promised) = (to, Some(to));
            }
            Input::Gone { at, device } => {
                assert_eq!(self.open.take(), Some(device));
                assert_eq!((at, self.promised), (self.last, None));
            }
        }
    }

    /// At the end, also at that of what can be read, every device is gone.
    pub(crate) fn finish(&self) {
        assert_eq!(self.open, None, "never gone");
    }

    fn tell(&mut self, at: BootUs) {
        assert!(at >= self.last, "back from {:?} to {at:?} without a clock step", self.last);
        assert!(self.promised.take().is_none_or(|promised| promised == at));
        self.last = at;
    }
}
