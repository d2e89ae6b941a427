//! Reading a dataset back: whether it holds what it promises, how much it is,
//! what its first rows say. Takes no lock: a writer may go on meanwhile.

pub(crate) mod decode;
pub(crate) mod file;
mod footer;
mod grammar;
mod head;
mod openers;
mod part;
mod stats;
mod table_file;
mod verify;

pub use footer::{FOOTER_MAX_BYTES, check_footer};
pub use head::{Head, head, tail};
pub use openers::{Openers, openers};
pub use part::make_part;
pub use stats::{DeviceStats, MarkStats, Stats, stats};
pub use table_file::TableFile;
pub use verify::{Problem, VerifyReport, verify};
