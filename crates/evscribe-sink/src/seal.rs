//! From a journal to sealed files.

mod repair;

use std::{fs, path::Path};

use arrow::{
    array::{RecordBatch, TimestampMicrosecondArray, UInt32Array},
    compute::{concat_batches, take_record_batch},
};

use crate::{
    Damage, DamageKind, Dataset, Keys, SealedFile, SegmentId, SegmentWriter, SinkError, Table,
    disk,
    error::At,
    journal::{Found, JournalReader},
};

pub use repair::Highest;
pub(crate) use repair::Repair;

/// Reason of the `stop` mark that ends what a crash interrupted.
pub const REASON_CRASH: &str = "crash";

/// Reason of the `drop` marks that stand for a hole in a journal.
pub const REASON_JOURNAL_DAMAGED: &str = "journal_damaged";

/// What a journal held.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) id: SegmentId,
    /// Whether its writer ended it.
    pub(crate) closed: bool,
    pub(crate) damages: Vec<Damage>,
    pub(crate) rows: u64,
    /// How many runs were numbered afresh.
    pub(crate) fresh_runs: i32,
    pub(crate) highest: Highest,
}

impl Replayed {
    /// Whether rows are missing between rows.
    pub(crate) fn has_holes(&self) -> bool {
        self.damages.iter().any(|damage| damage.kind == DamageKind::Hole)
    }
}

/// Looks a journal through, without writing anything.
pub(crate) fn survey(path: &Path, keys: &Keys) -> Result<Replayed, SinkError> {
    let reader = JournalReader::open(path, keys)?;
    replay(reader, 0, |_, _| Ok(()))
}

/// Seals the journal at `path` and removes it. Runs after a hole are numbered
/// from `fresh_run` on.
///
/// Whenever this is interrupted, it may be done again: the files have the same
/// names, each row stands in them once.
///
/// # Errors
/// Whatever goes wrong, the journal stays.
pub(crate) fn seal(
    dataset: &mut Dataset,
    keys: &Keys,
    path: &Path,
    fresh_run: i32,
) -> Result<(Vec<SealedFile>, Replayed), SinkError> {
    let reader = JournalReader::open(path, keys)?;
    let mut segment = SegmentWriter::begin(dataset, reader.id(), reader.provenance().clone())?;
    let replayed = replay(reader, fresh_run, |table, batch| segment.write_batch(table, batch))?;
    let files = segment.finish(dataset)?;
    remove(path)?;
    Ok((files, replayed))
}

/// As [`seal`], for a journal whose writer just ended it. `None` where it turns
/// out to have holes: it stays for the next start, which knows free runs.
pub(crate) fn seal_whole(
    dataset: &mut Dataset,
    keys: &Keys,
    path: &Path,
) -> Result<Option<Vec<SealedFile>>, SinkError> {
    let reader = JournalReader::open(path, keys)?;
    let mut segment = SegmentWriter::begin(dataset, reader.id(), reader.provenance().clone())?;
    let replayed = replay(reader, 0, |table, batch| segment.write_batch(table, batch))?;
    if replayed.has_holes() || !replayed.closed {
        return Ok(None);
    }
    let files = segment.finish(dataset)?;
    remove(path)?;
    Ok(Some(files))
}

fn remove(path: &Path) -> Result<(), SinkError> {
    fs::remove_file(path).at("remove", path)?;
    disk::sync_parent(path)
}

/// Reads a journal through a [`Repair`]; `write` gets the batches in order,
/// the marks last.
fn replay(
    mut reader: JournalReader,
    fresh_run: i32,
    mut write: impl FnMut(Table, &RecordBatch) -> Result<(), SinkError>,
) -> Result<Replayed, SinkError> {
    let provenance = reader.provenance().clone();
    let mut repair = Repair::new(fresh_run);
    let mut replayed = Replayed {
        id: reader.id(),
        closed: false,
        damages: Vec::new(),
        rows: 0,
        fresh_runs: 0,
        highest: Highest::default(),
    };
    let mut marks = Vec::new();
    while let Some(found) = reader.next()? {
        match found {
            Found::Closed => replayed.closed = true,
            Found::Damage(damage) => {
                if damage.kind == DamageKind::Hole {
                    repair.hole();
                }
                replayed.damages.push(damage);
            }
            Found::Batch(found) => {
                let table = found.table;
                let batch = repair
                    .pass(table, found.batch)
                    .map_err(|source| SinkError::Arrow { table, source })?;
                replayed.rows += batch.num_rows() as u64;
                match table {
                    Table::Marks => marks.push(batch),
                    _ => write(table, &batch)?,
                }
            }
        }
    }
    if !replayed.closed {
        repair.crash();
    }
    replayed.fresh_runs = repair.fresh_runs();
    replayed.highest = repair.highest();
    marks.extend(repair.into_marks(&provenance)?);
    if let Some(marks) = by_time(marks)? {
        write(Table::Marks, &marks)?;
    }
    Ok(replayed)
}

/// All marks of a segment in the order of their time: those that stand for
/// holes belong between the others.
fn by_time(marks: Vec<RecordBatch>) -> Result<Option<RecordBatch>, SinkError> {
    let table = Table::Marks;
    let arrow = |source| SinkError::Arrow { table, source };
    if marks.is_empty() {
        return Ok(None);
    }
    let all = concat_batches(&table.schema(), &marks).map_err(arrow)?;
    let times = all.column_by_name("time").and_then(|column| column.as_any().downcast_ref());
    let Some(times): Option<&TimestampMicrosecondArray> = times else { return Ok(None) };
    let times = times.values();
    if times.is_sorted() {
        return Ok(Some(all));
    }
    let mut order: Vec<u32> = (0..u32::try_from(times.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by_key(|place| times.get(*place as usize).copied());
    take_record_batch(&all, &UInt32Array::from(order)).map(Some).map_err(arrow)
}
