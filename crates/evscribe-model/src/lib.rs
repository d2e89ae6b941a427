//! The words all of evscribe shares. Plain data, no IO, no dependency.
//!
//! A device says [`RawEvent`]s; a reader cuts them into [`Frame`]s and hands
//! them on as [`Input`]; the normaliser turns these into [`Row`]s; the policy
//! reduces the rows to the [`Level`] that is permitted; the sink writes them.
#![forbid(unsafe_code)]

mod bits;
pub mod codes;
mod device;
mod input;
mod key;
mod level;
mod mark;
mod row;
mod time;

pub use bits::Bits;
pub use device::{Axis, Device, DeviceId, DeviceState, Origin, Pointing, Slot};
pub use input::{Frame, Input, RawEvent};
pub use key::{KeyClass, KeyRole, key_role, stated_key_role};
pub use level::{KeyLevel, Level, ParseLevelError, PointerLevel};
pub use mark::{Mark, MarkKind};
pub use row::{DeviceRow, Event, Phase, Row, Run, Tool, Touch, What};
pub use time::{Anchor, BootUs, WallUs};
