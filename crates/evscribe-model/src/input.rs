//! What a source of events says: a device's kernel node, or a recording.

use zeroize::DefaultIsZeroes;

use crate::{BootUs, Device, DeviceId, DeviceState};

/// One kernel event, as `struct input_event` holds it.
///
/// Its default is all zeroes: what buffers are overwritten with after use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RawEvent {
    /// Kernel stamp.
    pub at: BootUs,
    /// Event type, `EV_*`.
    pub kind: u16,
    /// Event code within the type.
    pub code: u16,
    /// Value.
    pub value: i32,
}

impl DefaultIsZeroes for RawEvent {}

/// What a device reported at one moment: the events up to a `SYN_REPORT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// The device that reported.
    pub device: DeviceId,
    /// Kernel stamp of the report's end.
    pub at: BootUs,
    /// The events in the order of the kernel, without `SYN_REPORT`; a
    /// `SYN_MT_REPORT` stays, it separates contacts.
    pub events: &'a [RawEvent],
}

/// One thing a source says, in the order it happened on that device.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Input<'a> {
    /// A device is read from now on.
    Open {
        /// When.
        at: BootUs,
        /// What it is.
        device: &'a Device,
        /// What was held at that moment; `None` where the source cannot know.
        state: Option<&'a DeviceState>,
    },
    /// A whole report.
    Frame(Frame<'a>),
    /// The kernel's buffer overflowed, or went with its device: what lay between
    /// is lost.
    Dropped {
        /// The device that lost.
        device: DeviceId,
        /// The last moment known to be whole.
        since: BootUs,
        /// From when on it is whole again.
        until: BootUs,
        /// What is held now, read again; `None` where the source cannot know.
        state: Option<&'a DeviceState>,
    },
    /// The source's clock jumped back: stamps after this are on a new count.
    ClockStep {
        /// The device whose stamps stepped.
        device: DeviceId,
        /// The last stamp before.
        from: BootUs,
        /// The first stamp after.
        to: BootUs,
    },
    /// The device is not read any more.
    Gone {
        /// When.
        at: BootUs,
        /// Which.
        device: DeviceId,
    },
}
