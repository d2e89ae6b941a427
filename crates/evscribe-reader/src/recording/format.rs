//! The formats that are known, and what a line of them says.

use evscribe_model::codes::{EV_KEY, EV_MSC, EV_REL, EV_SW};
use evscribe_model::{BootUs, Device, DeviceId, RawEvent};

use super::Cause;
use super::evemu::{self, Evemu};
use super::libinput::Libinput;
use super::lines::Line;

/// The formats that are known.
pub(super) enum Format {
    Evemu(Evemu),
    Libinput(Libinput),
}

/// What a line says.
pub(super) enum Said {
    Nothing,
    /// A device begins; with it the description of the one before, unless that
    /// was taken.
    NextDevice(Box<Device>),
    Event(RawEvent),
}

impl Format {
    /// Tells the format by the first line that says something.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        for line in head.split(|byte| *byte == b'\n') {
            match line.trim_ascii() {
                [b'#', comment @ ..] if comment.trim_ascii_start().starts_with(b"EVEMU") => {
                    return Some(Self::Evemu(Evemu::new(empty_device())));
                }
                [] | [b'#', ..] => {}
                [b'N', b':', ..] => return Some(Self::Evemu(Evemu::new(empty_device()))),
                [b'E', b':', ..] => return Some(Self::Evemu(Evemu::new(evemu::survey(head)))),
                line if line.starts_with(b"version:") => {
                    return Some(Self::Libinput(Libinput::new()));
                }
                _ => return None,
            }
        }
        None
    }

    /// Reads one line.
    pub(super) fn line(&mut self, line: Line<'_>) -> Result<Said, Cause> {
        let text = line.text;
        if !line.ended && !matches!(text.trim_ascii_start(), [] | [b'#', ..]) {
            return Err(Cause::CutShort);
        }
        match self {
            Self::Evemu(format) => format.line(text),
            Self::Libinput(format) => format.line(text),
        }
    }

    /// The device as described so far.
    pub(super) fn take_device(&mut self) -> Device {
        match self {
            Self::Evemu(format) => format.take_device(),
            Self::Libinput(format) => format.take_device(),
        }
    }

    /// The first stamp in `head`, where it may be wall time.
    pub(super) fn first_stamp(&self, head: &[u8]) -> Option<BootUs> {
        match self {
            Self::Evemu(_) => evemu::first_stamp(head),
            Self::Libinput(_) => None,
        }
    }

    /// Whether stamps may be wall time; those of `libinput record` never are.
    pub(super) fn may_be_wall(&self) -> bool {
        matches!(self, Self::Evemu(_))
    }

    /// Whether an event so far says that its key code was replaced.
    pub(super) fn obfuscated(&self) -> bool {
        matches!(self, Self::Libinput(format) if format.obfuscated())
    }

    /// Demands that the recording is whole.
    pub(super) fn end(&self) -> Result<(), Cause> {
        match self {
            Self::Evemu(format) => format.end(),
            Self::Libinput(format) => format.end(),
        }
    }
}

/// A device that is not numbered yet.
pub(super) fn empty_device() -> Device {
    Device::empty(DeviceId(0))
}

/// Notes that `device` can send `code`; axes aside, they need a range.
pub(super) fn can_send(device: &mut Device, kind: u16, code: u16) {
    match kind {
        EV_KEY => device.keys.set(code, true),
        EV_REL => device.rels.set(code, true),
        EV_MSC => device.mscs.set(code, true),
        EV_SW => device.switches.set(code, true),
        _ => {}
    }
}
