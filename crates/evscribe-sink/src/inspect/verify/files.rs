//! What can be said of one file by itself.

use std::path::Path;

use super::VerifyReport;
use crate::{
    SealedFile, SinkError, Table,
    crypt::Keyring,
    inspect::file::{Columns, Meta, Sealed},
    keys, segment,
    tombstones::Tombstone,
};

/// A file that stands where it should and can be read.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) path: String,
    pub(super) meta: Meta,
    pub(super) rows: u64,
    /// On the boot clock: a step of the wall clock changes no order.
    pub(super) first_us: i64,
}

/// Checks one file. `None` where its bytes are not those that were sealed: then
/// nothing it says counts.
pub(super) fn check(
    (directory, keys): (&Path, &Keyring),
    path: &str,
    (known, forgotten): (Option<&SealedFile>, &[Tombstone]),
    report: &mut VerifyReport,
) -> Result<Option<Checked>, SinkError> {
    if let Some(known) = known {
        let (sha256, bytes) = keys::sha256_file(&directory.join(path))?;
        if bytes != known.bytes {
            report.problem(path, format!("has {bytes} bytes, was sealed with {}", known.bytes));
            return Ok(None);
        }
        if sha256 != known.sha256 {
            report.problem(path, "its checksum is not the one it was sealed with");
            return Ok(None);
        }
    }
    if let (Some(known), Some(tombstone)) = (known, forgotten.last())
        && tombstone.sha256.as_ref() != Some(&known.sha256)
    {
        report.problem(path, "its last tombstone says another checksum than the manifest");
    }
    let file = Sealed::open(directory, path, keys)?;
    let (meta, rows) = (file.meta.clone(), file.rows);
    let mut span: Option<(i64, i64)> = None;
    let mut read_rows = 0;
    let (mut is_ordered, mut is_forgotten) = (true, false);
    let has_content = matches!(meta.table, Table::Events | Table::Touch);
    file.read(&["time"], |_, batch| {
        let times = Columns(batch).times("time")?.values();
        read_rows += times.len() as u64;
        for at_us in times {
            let (first_us, last_us) = span.unwrap_or((*at_us, *at_us));
            is_ordered &= *at_us >= last_us;
            is_forgotten |= has_content && forgotten.iter().any(|span| span.contains(*at_us));
            span = Some((first_us.min(*at_us), last_us.max(*at_us)));
        }
        Ok(())
    })?;
    let Some((first_us, last_us)) = span else {
        report.problem(path, "holds no row");
        return Ok(None);
    };
    if !is_ordered {
        report.problem(path, "its rows are not ordered by time");
    }
    if is_forgotten {
        report.problem(path, "holds rows of a span that was to be forgotten");
    }
    if read_rows != rows {
        report.problem(path, format!("holds {read_rows} rows, its footer says {rows}"));
    }
    if let Some(known) = known {
        compare(path, known, &meta, (rows, first_us, last_us), report);
    }
    check_place(path, &meta, (first_us, last_us), !forgotten.is_empty(), report);
    let first_us = meta.boot_us(first_us);
    Ok(Some(Checked { path: path.to_owned(), meta, rows, first_us }))
}

fn compare(
    path: &str,
    known: &SealedFile,
    meta: &Meta,
    found: (u64, i64, i64),
    report: &mut VerifyReport,
) {
    let same = (known.rows, known.first_us, known.last_us) == found
        && known.table == meta.table
        && known.host == meta.host
        && known.boot == meta.boot
        && known.segment == meta.segment;
    if !same {
        report.problem(path, "its line in the manifest says other things than the file");
    }
}

/// Partition and name must say what the rows say.
/// A file whose first rows were forgotten keeps the name that it had.
fn check_place(
    path: &str,
    meta: &Meta,
    (first_us, last_us): (i64, i64),
    is_rewritten: bool,
    report: &mut VerifyReport,
) {
    let partition = |at_us| segment::partition(meta.table, &meta.host, at_us);
    match segment::place(meta.table, &meta.host, &meta.segment, first_us) {
        Ok(expected) if expected == path => {}
        // Names sort as times do.
        Ok(expected) if is_rewritten && is_renamed_from(path, &expected, &meta.segment) => {}
        Ok(expected) => report.problem(path, format!("its rows belong to {expected}")),
        Err(error) => report.problem(path, error.to_string()),
    }
    if partition(first_us).ok() != partition(last_us).ok() {
        report.problem(path, "its rows are of more than one UTC date");
    }
}

/// Whether both are of one partition and segment, and `path` is the earlier one.
fn is_renamed_from(path: &str, expected: &str, segment: &str) -> bool {
    let ending = format!("-{segment}.parquet");
    let split = |path: &str| {
        let (partition, name) = path.rsplit_once('/')?;
        Some((partition.to_owned(), name.strip_suffix(&ending)?.to_owned()))
    };
    match (split(path), split(expected)) {
        (Some((place, start)), Some((expected, first))) => {
            place == expected && start.len() == first.len() && start < first
        }
        _ => false,
    }
}

/// The columns that the checks over all files need.
pub(super) const fn columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => &["time", "session", "run", "device", "kind", "down", "code", "stroke"],
        Table::Touch => &["time", "session", "run", "device", "contact", "phase", "tool"],
        Table::Marks => &["time", "until", "run", "device", "mark", "reason", "lost"],
        Table::Devices => &["time", "device"],
    }
}
