//! `evscribe data`: check, count and look at a dataset.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use evscribe_sink::Table;
use evscribe_sink::crypt::Keyring;
use evscribe_sink::inspect::{self, Head, Stats, VerifyReport};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::args::{DataCommand, TableArg};
use crate::{handover, table};

pub(crate) fn run(command: &DataCommand, as_json: bool) -> Result<ExitCode> {
    match command {
        DataCommand::Verify { dir, keys } if handover::is_lake(dir) => {
            let keys = keys.named().iter().flat_map(|key| ["--key".as_ref(), key.as_os_str()]);
            let args = [dir.as_os_str()].into_iter().chain(keys).map(OsString::from);
            handover::run("verify", &args.collect::<Vec<_>>(), as_json)
        }
        DataCommand::Verify { dir, keys } => verify(dir, &keys.keyring()?, as_json),
        DataCommand::Stats { dir, keys } => stats(dir, &keys.keyring()?, as_json),
        DataCommand::Head { dir, rows, table, keys } => {
            head((dir, &keys.keyring()?), *rows, *table, as_json)
        }
        DataCommand::Query(args) => handover::run("query", &args.args, as_json),
        DataCommand::Merge(args) => handover::run("merge", &args.args, as_json),
        DataCommand::Erase(args) => handover::run("erase", &args.args, as_json),
    }
}

fn print_json(out: &mut impl Write, value: &impl Serialize) -> Result<()> {
    writeln!(out, "{}", serde_json::to_string_pretty(value)?)?;
    Ok(())
}

fn verify(dir: &Path, keys: &Keyring, as_json: bool) -> Result<ExitCode> {
    let report = inspect::verify(dir, keys)?;
    let mut out = std::io::stdout().lock();
    if as_json {
        print_json(&mut out, &json!({ "holds": report.is_sound(), "report": report }))?;
    } else {
        verdict(&mut out, dir, &report)?;
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verdict(out: &mut impl Write, dir: &Path, report: &VerifyReport) -> std::io::Result<()> {
    for problem in &report.problems {
        writeln!(out, "{}: {}", problem.path, problem.what)?;
    }
    let shown = report.problems.len() as u64;
    if report.problem_count > shown {
        writeln!(out, "… and {} more", report.problem_count - shown)?;
    }
    let rows: u64 = report.rows.values().sum();
    let VerifyReport { files, runs, strokes, contacts, .. } = report;
    writeln!(
        out,
        "{}: {files} files, {rows} rows, {runs} runs, {strokes} strokes, {contacts} contacts: {}",
        dir.display(),
        match report.problem_count {
            0 => "everything holds".into(),
            1 => "1 problem".into(),
            count => format!("{count} problems"),
        }
    )?;
    if !report.unfinished.is_empty() {
        let count = report.unfinished.len();
        writeln!(out, "{count} hidden files: a writer is at work, or was interrupted")?;
    }
    Ok(())
}

/// Counts the dataset and says how to open it.
///
/// # Errors
/// Where it is no dataset or a file of it cannot be read.
pub(crate) fn stats(dir: &Path, keys: &Keyring, as_json: bool) -> Result<ExitCode> {
    let stats = inspect::stats(dir, keys)?;
    let mut out = std::io::stdout().lock();
    if as_json {
        print_json(&mut out, &stats)?;
    } else {
        counts(&mut out, &stats)?;
        opening(&mut out, dir, stats.encrypted > 0)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What there is, by table, kind and device.
///
/// # Errors
/// Where `out` takes nothing more.
pub(crate) fn counts(out: &mut impl Write, stats: &Stats) -> Result<()> {
    let mut rows = Vec::new();
    let mut line = |what: &str, of: &str, count: u64, note: String| {
        rows.push([what.to_owned(), of.to_owned(), count.to_string(), note]);
    };
    for table in Table::ALL {
        let count = stats.rows.get(&table).copied().unwrap_or(0);
        let bytes = stats.bytes_of.get(&table).copied().unwrap_or(0);
        line(table.name(), "", count, format!("{bytes} bytes"));
        let kinds = match table {
            Table::Events => &stats.events,
            Table::Touch => &stats.touch,
            Table::Marks | Table::Devices => continue,
        };
        for (kind, count) in kinds {
            line("", kind, *count, String::new());
        }
    }
    for (mark, found) in &stats.marks {
        let lost = if found.lost > 0 { format!("{} rows lost", found.lost) } else { String::new() };
        line("mark", mark, found.marks, lost);
    }
    table::print(out, &["TABLE", "KIND", "ROWS", ""], &rows)?;
    writeln!(out)?;
    let devices: Vec<_> = stats
        .devices
        .iter()
        .map(|device| {
            [
                device.device.to_string(),
                device.can.join(", "),
                device.origin.clone(),
                format!("{:04x}:{:04x}", device.vendor, device.product),
                device.name.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table::print(out, &["DEVICE", "CAN", "ORIGIN", "ID", "NAME"], &devices)?;
    writeln!(out)?;
    let drops: u64 =
        stats.marks.iter().filter(|(mark, _)| mark.starts_with("drop")).map(|(_, m)| m.marks).sum();
    let lost: u64 = stats.marks.values().map(|found| found.lost).sum();
    writeln!(out, "losses         {drops} drops, {lost} rows known to be lost; each has a mark")?;
    let levels: Vec<_> = stats.levels.keys().cloned().collect();
    writeln!(out, "levels         {}", levels.join("; "))?;
    if let (Some(first), Some(last)) = (&stats.first, &stats.last) {
        writeln!(out, "time           {first} to {last}")?;
    }
    let encrypted = match stats.encrypted {
        0 => "none encrypted".to_owned(),
        all if all == stats.files => "all encrypted".to_owned(),
        some => format!("{some} encrypted"),
    };
    writeln!(out, "size           {} bytes in {} files, {encrypted}", stats.bytes, stats.files)?;
    if let (Some(event), Some(row)) = (stats.bytes_per_kernel_event, stats.bytes_per_row) {
        writeln!(out, "bytes/event    {event:.2} (about {} kernel events)", stats.kernel_events)?;
        writeln!(out, "bytes/row      {row:.2} (events and touch)")?;
    }
    Ok(())
}

/// A line of Python and one of SQL that open it, where that is all it takes.
fn opening(out: &mut impl Write, dir: &Path, encrypted: bool) -> Result<()> {
    let shown = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.into());
    let shown = shown.display();
    writeln!(out, "files          {shown}")?;
    if encrypted {
        writeln!(
            out,
            "opening        by a secret key, as docs/FORMAT.md shows for pyarrow under \
             \"Encryption\"; polars and DuckDB open no encrypted files"
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "Python         import pyarrow.dataset as ds; ds.dataset(\"{shown}/events\", \
         partitioning=\"hive\").to_table()"
    )?;
    writeln!(
        out,
        "SQL (DuckDB)   SELECT kind, count(*) FROM read_parquet('{shown}/events/**/*.parquet', \
         hive_partitioning = true) GROUP BY kind;"
    )?;
    Ok(())
}

fn head(
    (dir, keys): (&Path, &Keyring),
    rows: usize,
    table: TableArg,
    as_json: bool,
) -> Result<ExitCode> {
    let head = inspect::head(dir, rows, table.table(), keys)?;
    let mut out = std::io::stdout().lock();
    if as_json {
        print_json(&mut out, &objects(head))?;
    } else {
        print_rows(&mut out, head)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows as programs take them: an object each.
pub(crate) fn objects(head: Head) -> Vec<Map<String, Value>> {
    let Head { columns, rows } = head;
    rows.into_iter().map(|row| columns.iter().cloned().zip(row).collect()).collect()
}

/// Rows as people read them: a line each.
///
/// # Errors
/// Where `out` takes nothing more.
pub(crate) fn print_rows(out: &mut impl Write, head: Head) -> std::io::Result<()> {
    let cell = |value: Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    let lines: Vec<Vec<String>> =
        head.rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect();
    table::print(out, &head.columns, &lines)
}
