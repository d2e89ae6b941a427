//! `evscribe my-data`: what was recorded of whoever asks.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use evscribe_sink::inspect;
use nix::sys::stat::{Mode, umask};
use serde_json::json;

use super::passing::Passing;
use super::{export, say, words};
use crate::args::TableArg;
use crate::data;
use crate::service::Service;

/// Copies everything into `directory`.
///
/// # Errors
/// Where something is in there; what the service answers; where a copy is not
/// what was sealed.
pub(super) fn export(directory: &Path, as_json: bool) -> Result<ExitCode> {
    let service = Service::connect()?;
    // What comes out is plain: it is for nobody else, whatever the folder's mode.
    umask(Mode::from_bits_truncate(0o077));
    export::prepare(directory)?;
    let exported = export::copy_all(&service, directory, true)?;
    let rows: u64 = exported.files.iter().map(|file| file.rows).sum();
    let bytes: u64 = exported.files.iter().map(|file| file.bytes).sum();
    let files = exported.files.len() as u64;
    let json = json!({
        "dir": directory,
        "files": files,
        "rows": rows,
        "bytes": bytes,
        "gone": exported.gone,
    });
    let shown = directory.display();
    let mut said = format!(
        "{shown}: {} in {}, {}, each as its checksum said, and no longer encrypted: keep it where \
         nobody else reads. evscribe data verify {shown} checks them, evscribe data stats {shown} \
         counts them and says how to open them.",
        words::count(rows, "row"),
        words::count(files, "file"),
        words::size(bytes),
    );
    for path in exported.gone {
        said += &format!("\n{path} was removed meanwhile and is not in it.");
    }
    say(as_json, &json, &said)
}

/// Counts everything and shows the newest rows of a table.
///
/// # Errors
/// As [`export()`].
pub(super) fn show(table: TableArg, rows: usize, as_json: bool) -> Result<ExitCode> {
    let service = Service::connect()?;
    // What is read is read from a dataset, and one's rows are not to stay about.
    let copy = Passing::make()?;
    let exported = export::copy_all(&service, copy.path(), false)?;
    let stats = inspect::stats(copy.path(), &exported.keys)?;
    let newest = inspect::tail(copy.path(), rows, table.table(), &exported.keys)?;
    let mut out = std::io::stdout().lock();
    if as_json {
        let newest = data::objects(newest);
        let json = json!({ "stats": stats, "table": table.table().name(), "newest": newest });
        writeln!(out, "{}", serde_json::to_string_pretty(&json)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if exported.files.is_empty() {
        writeln!(out, "Nothing that was recorded of you is here.")?;
        return Ok(ExitCode::SUCCESS);
    }
    data::counts(&mut out, &stats)?;
    writeln!(out, "sessions       {}", stats.sessions)?;
    writeln!(out, "\nThe newest rows of {}, the last at the end:", table.table().name())?;
    data::print_rows(&mut out, newest)?;
    Ok(ExitCode::SUCCESS)
}
