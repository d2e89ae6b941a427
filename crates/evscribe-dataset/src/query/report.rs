//! What is said beside the rows, on standard error.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::lake::{Lake, Scan};

/// Files that were left out and are named one by one.
const NAMED: usize = 20;

/// Says what the query left out, and what whoever reads its answer should know;
/// as one line of JSON where `as_json`.
///
/// # Errors
/// Where standard error cannot be written to.
pub(super) fn print(lake: &Lake, rows: u64, is_explained: bool, as_json: bool) -> Result<()> {
    let left_out = lake.left_out();
    let levels = lake.levels();
    let scans = lake.scans();
    let mut say = std::io::stderr().lock();
    if as_json {
        let skipped: Vec<_> =
            left_out.iter().map(|bad| json!({ "file": bad.file, "why": bad.why })).collect();
        let report = json!({ "rows": rows, "scans": scans, "levels": levels, "skipped": skipped });
        writeln!(say, "{report}")?;
        return Ok(());
    }
    if is_explained {
        for scan in scans {
            let Scan { table, dates, dates_listed, files_listed, files } = scan;
            writeln!(
                say,
                "{table}: {dates_listed} of {dates} dates listed, {files} of their \
                 {files_listed} files to be read"
            )?;
        }
    }
    if levels.len() > 1 {
        let counts: Vec<_> =
            levels.iter().map(|(level, files)| format!("{level} in {files} files")).collect();
        writeln!(
            say,
            "note: not everything was kept at the same level, so what is null in some is \
             there in others: {}",
            counts.join(", ")
        )?;
    }
    for bad in left_out.iter().take(NAMED) {
        writeln!(say, "left out: {bad}")?;
    }
    if let Some(more) = left_out.len().checked_sub(NAMED).filter(|more| *more > 0) {
        writeln!(say, "left out: … and {more} more")?;
    }
    match left_out.len() {
        0 => {}
        1 => writeln!(say, "1 file could not be read and was left out")?,
        count => writeln!(say, "{count} files could not be read and were left out")?,
    }
    Ok(())
}
