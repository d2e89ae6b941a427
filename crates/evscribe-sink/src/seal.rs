//! From a journal to sealed files.

mod repair;

use std::{fs, path::Path};

use crate::{
    Damage, DamageKind, Dataset, Keys, SealedFile, SegmentId, SegmentWriter, SinkError, disk,
    encode::MarkCells,
    error::At,
    journal::{Found, JournalReader, RecordRows},
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
    Ok(replay(reader, 0, |_| Ok(()))?.0)
}

/// Seals the journal at `path` and removes it. Runs after a hole are numbered
/// from `fresh_run` on. The files say that the ledger's head is `head`; `noted`
/// is told of them before the journal goes.
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
    head: Option<String>,
    noted: impl FnOnce(&[SealedFile]) -> Result<(), SinkError>,
) -> Result<(Vec<SealedFile>, Replayed), SinkError> {
    let reader = JournalReader::open(path, keys)?;
    let mut segment = begin(dataset, &reader, head)?;
    let (replayed, marks) = replay(reader, fresh_run, |rows| write(&mut segment, rows))?;
    marks.iter().try_for_each(|mark| segment.write_mark(mark))?;
    let files = segment.finish(dataset)?;
    noted(&files)?;
    remove(path)?;
    Ok((files, replayed))
}

/// As [`seal`], for a journal whose writer just ended it. `None` where it turns
/// out to have holes: it stays for the next start, which knows free runs.
pub(crate) fn seal_whole(
    dataset: &mut Dataset,
    keys: &Keys,
    path: &Path,
    head: Option<String>,
    noted: impl FnOnce(&[SealedFile]) -> Result<(), SinkError>,
) -> Result<Option<Vec<SealedFile>>, SinkError> {
    let reader = JournalReader::open(path, keys)?;
    let mut segment = begin(dataset, &reader, head)?;
    let (replayed, marks) = replay(reader, 0, |rows| write(&mut segment, rows))?;
    if replayed.has_holes() || !replayed.closed {
        return Ok(None);
    }
    marks.iter().try_for_each(|mark| segment.write_mark(mark))?;
    let files = segment.finish(dataset)?;
    noted(&files)?;
    remove(path)?;
    Ok(Some(files))
}

/// The segment of a journal, under the ledger's head as it is now.
fn begin(
    dataset: &Dataset,
    reader: &JournalReader,
    head: Option<String>,
) -> Result<SegmentWriter, SinkError> {
    let mut provenance = reader.provenance().clone();
    provenance.ledger_head = head.or(provenance.ledger_head);
    SegmentWriter::begin(dataset, reader.id(), provenance)
}

fn remove(path: &Path) -> Result<(), SinkError> {
    disk::step();
    fs::remove_file(path).at("remove", path)?;
    disk::sync_parent(path)
}

/// Writes the rows of a record, but for the marks.
fn write(segment: &mut SegmentWriter, rows: &mut RecordRows) -> Result<(), SinkError> {
    rows.devices.drain(..).try_for_each(|row| segment.write_device(row))?;
    rows.events.iter().try_for_each(|row| segment.write_event(row))?;
    rows.touch.iter().try_for_each(|row| segment.write_touch(row))
}

/// Reads a journal through a [`Repair`]; `each` gets the rows of its records in
/// order. The marks come back, in the order of their time: those that stand for
/// holes belong between the others.
fn replay(
    mut reader: JournalReader,
    fresh_run: i32,
    mut each: impl FnMut(&mut RecordRows) -> Result<(), SinkError>,
) -> Result<(Replayed, Vec<MarkCells>), SinkError> {
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
            Found::Rows => {
                let rows = reader.rows();
                repair.pass(rows);
                replayed.rows += rows.count();
                marks.append(&mut rows.marks);
                each(rows)?;
            }
        }
    }
    if !replayed.closed {
        repair.crash();
    }
    replayed.fresh_runs = repair.fresh_runs();
    replayed.highest = repair.highest();
    marks.extend(repair.into_marks());
    marks.sort_by_key(|mark| mark.at);
    Ok((replayed, marks))
}
