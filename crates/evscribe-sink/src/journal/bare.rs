//! Journals alone, for `tests/fuzzed`. The way through the writer's thread and a
//! seal is far slower than reading, which would leave a fuzzer few tries.

use std::path::{Path, PathBuf};

use evscribe_model::Row;

use super::{Damage, Found, JournalReader, JournalWriter, WaitingRows};
use crate::{Keys, Provenance, SegmentId, SinkError};

/// What comes next in a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// A record of this many rows.
    Rows(u64),
    /// A place that is not as it was written.
    Damage(Damage),
    /// Its writer ended it.
    Closed,
}

/// Writes the journal of segment `id`, one record for each batch of rows;
/// returns where it is.
///
/// # Errors
/// Those of a writer.
pub fn write(
    directory: &Path,
    id: SegmentId,
    provenance: &Provenance,
    keys: &Keys,
    batches: &[Vec<Row>],
    close: bool,
) -> Result<PathBuf, SinkError> {
    let mut writer = JournalWriter::create(directory, id, provenance, keys)?;
    let mut waiting = WaitingRows::default();
    for rows in batches {
        rows.iter().try_for_each(|row| waiting.push(row))?;
        writer.append(&waiting)?;
        waiting.clear();
    }
    if close {
        writer.close()?;
    }
    Ok(writer.path().into())
}

/// All of the journal at `path`, in order.
///
/// # Errors
/// Where no header of it can be read.
pub fn read(path: &Path, keys: &Keys) -> Result<Vec<Piece>, SinkError> {
    let mut reader = JournalReader::open(path, keys)?;
    let mut pieces = Vec::new();
    while let Some(found) = reader.next()? {
        pieces.push(match found {
            Found::Rows => Piece::Rows(reader.rows().count()),
            Found::Damage(damage) => Piece::Damage(damage),
            Found::Closed => Piece::Closed,
        });
    }
    Ok(pieces)
}
