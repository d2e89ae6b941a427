//! Marks: why something is absent, or where something begins and ends.

use crate::{BootUs, DeviceId, Run};

/// What a mark says happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarkKind {
    /// Collection began.
    Start,
    /// Collection ended.
    Stop,
    /// Collection was paused.
    Pause,
    /// Collection went on after a pause.
    Resume,
    /// The session was locked.
    Lock,
    /// Another person or none took the seat.
    Switch,
    /// The machine slept from `at` to `until`.
    Suspend,
    /// Events were lost between `at` and `until`.
    Drop,
    /// A device came.
    Plug,
    /// A device went.
    Unplug,
    /// The wall clock was stepped.
    Clock,
    /// The disk was full from `at` to `until`.
    DiskFull,
    /// The person had a span forgotten.
    Forget,
}

impl MarkKind {
    /// All of them, in the order of the dictionary.
    pub const ALL: [Self; 13] = [
        Self::Start,
        Self::Stop,
        Self::Pause,
        Self::Resume,
        Self::Lock,
        Self::Switch,
        Self::Suspend,
        Self::Drop,
        Self::Plug,
        Self::Unplug,
        Self::Clock,
        Self::DiskFull,
        Self::Forget,
    ];

    /// The word in the dataset.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Lock => "lock",
            Self::Switch => "switch",
            Self::Suspend => "suspend",
            Self::Drop => "drop",
            Self::Plug => "plug",
            Self::Unplug => "unplug",
            Self::Clock => "clock",
            Self::DiskFull => "disk_full",
            Self::Forget => "forget",
        }
    }
}

/// One row of table `marks`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// When, or from when.
    pub at: BootUs,
    /// Until when, where it is a span.
    pub until: Option<BootUs>,
    /// The run that begins with it, where it begins one.
    pub run: Option<Run>,
    /// The device it is about; `None` for all.
    pub device: Option<DeviceId>,
    /// What happened.
    pub kind: MarkKind,
    /// Why, in one of a few fixed words, for example `kernel_buffer`.
    pub reason: &'static str,
    /// How many rows are known to be lost; `None` where nobody can know.
    pub lost: Option<u64>,
}
