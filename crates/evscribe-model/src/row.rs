//! Rows: what the normaliser makes and the sink writes.

use crate::{BootUs, Device, DeviceId, KeyClass, Mark};

/// Number of a run: rows of one run come from one device and nothing is
/// missing between them. Unique on a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Run(pub i32);

/// One row of one of the tables.
#[derive(Clone, PartialEq, Debug)]
pub enum Row {
    /// Of table `events`.
    Event(Event),
    /// Of table `touch`.
    Touch(Touch),
    /// Of table `marks`.
    Mark(Mark),
    /// Of table `devices`.
    Device(Box<DeviceRow>),
}

impl Row {
    /// When it happened.
    #[must_use]
    pub fn at(&self) -> BootUs {
        match self {
            Self::Event(row) => row.at,
            Self::Touch(row) => row.at,
            Self::Mark(row) => row.at,
            Self::Device(row) => row.at,
        }
    }
}

/// One row of table `events`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Kernel stamp of the frame.
    pub at: BootUs,
    /// Its run.
    pub run: Run,
    /// Its device.
    pub device: DeviceId,
    /// What happened.
    pub what: What,
}

/// What an event says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The pointer moved relatively.
    Motion {
        /// To the right, device counts.
        dx: i32,
        /// Down, device counts.
        dy: i32,
    },
    /// A wheel turned.
    Scroll {
        /// Away from the person, 1/120 of a detent.
        v_120: i32,
        /// To the right, 1/120 of a detent.
        h_120: i32,
    },
    /// A button went down or up.
    Button {
        /// `BTN_*`.
        code: u16,
        /// Down or up.
        down: bool,
        /// Pairs a press with its release within the session.
        stroke: i32,
        /// Deduced, not seen.
        inferred: bool,
    },
    /// A key went down or up.
    Key {
        /// `KEY_*`, where the level permits it.
        code: Option<u16>,
        /// Its class, where the level permits it.
        class: Option<KeyClass>,
        /// Down or up.
        down: bool,
        /// Pairs a press with its release within the session.
        stroke: i32,
        /// Deduced, not seen.
        inferred: bool,
    },
    /// A switch was turned on or off.
    Switch {
        /// `SW_*`.
        code: u16,
        /// On or off.
        down: bool,
        /// Deduced, not seen.
        inferred: bool,
    },
}

/// What happened to a contact.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// It began.
    Down,
    /// It moved, or its pressure changed.
    Move,
    /// It ended.
    Up,
    /// A pointer or pen moved without touching.
    Hover,
    /// A pen left the tablet's reach.
    Leave,
}

impl Phase {
    /// All of them, in the order of the dictionary.
    pub const ALL: [Self; 5] = [Self::Down, Self::Move, Self::Up, Self::Hover, Self::Leave];

    /// The word in the dataset.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Move => "move",
            Self::Up => "up",
            Self::Hover => "hover",
            Self::Leave => "leave",
        }
    }
}

/// What touches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tool {
    /// A finger.
    Finger,
    /// A pen's tip.
    Pen,
    /// A pen's other end.
    Rubber,
    /// A brush.
    Brush,
    /// A pencil.
    Pencil,
    /// An airbrush.
    Airbrush,
    /// A mouse, lens cursor or absolute pointer.
    Mouse,
    /// A palm, by the device's own judgement.
    Palm,
    /// Something else.
    Other,
}

impl Tool {
    /// All of them, in the order of the dictionary.
    pub const ALL: [Self; 9] = [
        Self::Finger,
        Self::Pen,
        Self::Rubber,
        Self::Brush,
        Self::Pencil,
        Self::Airbrush,
        Self::Mouse,
        Self::Palm,
        Self::Other,
    ];

    /// The word in the dataset.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finger => "finger",
            Self::Pen => "pen",
            Self::Rubber => "rubber",
            Self::Brush => "brush",
            Self::Pencil => "pencil",
            Self::Airbrush => "airbrush",
            Self::Mouse => "mouse",
            Self::Palm => "palm",
            Self::Other => "other",
        }
    }
}

/// One row of table `touch`: one change of one contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Touch {
    /// Kernel stamp of the frame.
    pub at: BootUs,
    /// Its run.
    pub run: Run,
    /// Its device.
    pub device: DeviceId,
    /// Number of the contact, from `down` (or the first `hover`) to `up` (or
    /// `leave`); unique within the session.
    pub contact: i32,
    /// What happened to it.
    pub phase: Phase,
    /// Device units; `None` where the device has not said yet.
    pub x: Option<i32>,
    /// Device units; `None` where the device has not said yet.
    pub y: Option<i32>,
    /// Micrometres from the axis's minimum; `None` without a stated resolution.
    pub x_um: Option<i32>,
    /// Micrometres from the axis's minimum; `None` without a stated resolution.
    pub y_um: Option<i32>,
    /// Device units; `None` where the device has none.
    pub pressure: Option<i32>,
    /// What touches.
    pub tool: Tool,
    /// Deduced, not seen.
    pub inferred: bool,
}

/// One row of table `devices`: a device that was read in this boot.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceRow {
    /// When it was first opened.
    pub at: BootUs,
    /// What it is; without its name where the level forbids it.
    pub device: Device,
}
