//! Frames to rows: what a device reported, as what the person did.
//!
//! [`Normalizer`] holds what every open device holds (keys that are down,
//! contacts that touch, switches that are on) and turns each
//! [`Input`](evscribe_model::Input) into [`Row`](evscribe_model::Row)s with full
//! information; the policy reduces them later. [`Outlet`] stands before a
//! bounded queue and keeps strokes and contacts whole across a time in which
//! the queue was full.
//!
//! Pure: no IO, no clock, no thread. Memory is bounded by what the kernel
//! itself can hold for a device; a frame allocates nothing once the vectors
//! have grown to what a device holds at most.
//!
//! # What is a row
//! | kind | one row for | not a row |
//! |---|---|---|
//! | key, button | each press and each release of it | auto-repeat; a release whose press was not seen; `MSC_SCAN` |
//! | motion | a frame, `REL_X` and `REL_Y` summed | no net motion; `REL_Z`, `REL_DIAL`, `REL_MISC` and the other axes |
//! | scroll | a frame, both directions | a low-resolution wheel beside its high-resolution one |
//! | switch | each change | the state at open |
//! | touch | a frame and a changed contact | tilt, distance, size, orientation, serial numbers (`MSC_SERIAL`, `ABS_MISC`) |
//!
//! # What was down before
//! A key that is down when its device is opened was not pressed before our
//! eyes: its release is not a row. The same holds for a contact: there are no
//! rows about it until it is lifted and set down again.
//!
//! # The life of a contact
//! A contact of a finger or palm is `down`, `move`…, `up`. That of any other
//! tool may `hover` before, between and after and always ends with `leave`; it
//! keeps its number from coming near to leaving, over as many `down` and `up`
//! as there are. `up` and `leave` carry the last position that was written.
//!
//! # Runs
//! Each run begins with a mark that names it. Strokes and contacts pair
//! across runs; motion must not be summed across them.
#![forbid(unsafe_code)]

mod counters;
mod discard;
mod fingers;
mod keys;
mod motion;
mod mouse;
mod normalizer;
mod open;
mod outlet;
mod page;
mod pen;
mod points;
mod single;
mod slots;
mod spot;
mod switches;
mod tracker;
mod wheel;

pub use counters::Counters;
pub use normalizer::Normalizer;
pub use outlet::Outlet;
