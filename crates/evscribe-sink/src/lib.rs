//! Rows to sealed Parquet: journal, seal, encryption, recovery, manifest, retention,
//! what may be pulled, and the checks that read it all back. docs/FORMAT.md says
//! what is on disk.
//!
//! ```text
//! recover(config, keys, &mut next_run) ── seals what an earlier writer left ──► Store, Recovery
//! Writer::spawn(store, report) ──► WriterHandle ── Begin, Rows, Seal, … ──► the writer thread
//!    rows ─► journal (durable, encrypted) ─► SegmentWriter ─► pages ─► dataset/, manifest
//!    Note ─► ledger; Offer ─► outbox/; NotePull, AcknowledgePull ─► ledger; Forget ─► intent ─► sealed files rewritten, tombstones, ledger
//! Dataset::create_or_open ─► SegmentWriter::begin, write_rows, finish       an import, without journal
//! inspect::verify, stats, head  ◄── crypt::Keyring                         a dataset, read back
//! plain_copy                    ◄── crypt::Keyring                         a file, no longer encrypted
//! ```
#![forbid(unsafe_code)]

// The tests' rows and provenances name the crate as its users do.
#[cfg(test)]
extern crate self as evscribe_sink;

pub mod background;
pub mod crypt;
mod dataset;
mod disk;
mod encode;
mod error;
mod forget;
#[cfg(test)]
mod format_test;
pub mod inspect;
mod journal;
mod keys;
mod layout;
pub mod ledger;
mod manifest;
mod outbox;
mod pages;
mod plain;
mod provenance;
mod recover;
mod retention;
mod seal;
mod segment;
mod store;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
mod table;
mod tombstones;
pub mod writer;

pub use dataset::Dataset;
pub use error::SinkError;
pub use forget::{Forget, Forgotten};
#[doc(hidden)]
pub use journal::bare as bare_journal;
pub use journal::{Damage, DamageKind};
pub use keys::{KEY_BYTES, Keys, sha256_file};
pub use layout::concatenated;
pub use ledger::Fact;
pub use manifest::{Line, MANIFEST, SealedFile};
pub use outbox::{OnOffer, Outbox, Pulls, begin_pull, is_puller, pulls_of, served_now};
pub use plain::plain_copy;
pub use provenance::{Clock, Provenance, SegmentId, WRITER_VERSION};
pub use recover::{RecoveredJournal, Recovery, recover};
pub use retention::{RemovedFile, Retention};
pub use seal::{Highest, REASON_CRASH, REASON_JOURNAL_DAMAGED};
pub use segment::{SegmentWriter, place};
pub use store::Store;
pub use table::{SCHEMA_VERSION, Table};
pub use tombstones::{TOMBSTONES, Tombstone};
pub use writer::{Command, Config, Counters, Report, SealReason, SendError, Writer, WriterHandle};
