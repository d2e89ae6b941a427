//! Reads kernel input devices, and recordings as if they were devices.
//!
//! Both say the same: [`evscribe_model::Input`], in the order it happened on
//! each device. An [`Assembler`] cuts a device's events into frames, whether
//! they come from the kernel or from a [`Recording`].
#![deny(unsafe_code)]

mod assembler;
mod buffer;
mod describe;
mod error;
mod grab;
mod hotplug;
mod identity;
mod live;
mod pace;
mod properties;
mod recording;
mod sys;

pub use assembler::{Assembler, Piece};
pub use buffer::{EVENT_BYTES, ReadBuffer, event};
pub use error::ReadError;
pub use hotplug::Watch;
pub use identity::{Identity, Known, Registry};
pub use live::{KeyMask, LiveDevice, Opened, now};
pub use properties::{Listed, Properties, SELECTED_DIR, list};
pub use recording::{Cause, Recording, RecordingClock, RecordingError};
