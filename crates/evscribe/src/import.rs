//! `evscribe import`: recordings to a dataset, the way of live events.

mod importer;

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use evscribe_model::DeviceId;
use evscribe_reader::{Recording, RecordingError};
use evscribe_sink::Dataset;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::args::ImportArgs;
use importer::Importer;

/// What became of one recording.
#[derive(Debug, Default, Serialize)]
struct Imported {
    file: PathBuf,
    devices: u32,
    rows: u64,
    files: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn run(args: &ImportArgs, as_json: bool) -> Result<ExitCode> {
    let at_rest = args.seal.at_rest()?.context(
        "nothing was imported: say who is to read it. --recipient KEY encrypts it for who has the \
         secret key (`evscribe keys generate FILE` makes both), --plain leaves it readable for \
         everybody who gets hold of it",
    )?;
    let mut dataset = Dataset::create_or_open(&args.out).context("nothing was imported")?;
    dataset.set_at_rest(at_rest);
    let bar = progress(&args.files, as_json);
    let mut all = Vec::new();
    for file in &args.files {
        bar.set_message(file.display().to_string());
        let mut imported = Imported { file: file.clone(), ..Imported::default() };
        if let Err(error) = import(file, args, &mut dataset, &bar, &mut imported) {
            imported.error = Some(format!("{error:#}"));
        }
        all.push(imported);
    }
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else {
        for imported in &all {
            say(&mut out, imported)?;
        }
    }
    let failed = all.iter().any(|imported| imported.error.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn say(out: &mut impl Write, imported: &Imported) -> std::io::Result<()> {
    let Imported { file, devices, rows, files, notes, error } = imported;
    if let Some(error) = error {
        eprintln!("evscribe: {error}");
    }
    if error.is_none() || !files.is_empty() {
        let count = files.len();
        writeln!(out, "{}: {devices} devices, {rows} rows, {count} files", file.display())?;
    }
    notes.iter().try_for_each(|note| writeln!(out, "  {note}"))
}

fn progress(files: &[PathBuf], as_json: bool) -> ProgressBar {
    if as_json {
        return ProgressBar::hidden();
    }
    let sizes = files.iter().filter_map(|file| file.metadata().ok());
    let bar = ProgressBar::new(sizes.map(|metadata| metadata.len()).sum());
    let style = "{bar:32} {bytes}/{total_bytes} {bytes_per_sec} {msg}";
    // Without a terminal indicatif draws nothing.
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

fn import(
    path: &Path,
    args: &ImportArgs,
    dataset: &mut Dataset,
    bar: &ProgressBar,
    imported: &mut Imported,
) -> Result<()> {
    let sha256 = sha256(path)?;
    let recording = Recording::open(path, DeviceId(1))?;
    let mut importer = Importer::new(&sha256, args);
    if importer.stands_otherwise_in(dataset.directory()) {
        bail!(
            "{} is in {} already, at another level or start; --out another directory",
            path.display(),
            dataset.directory().display()
        );
    }
    let before = bar.position();
    let read =
        importer.read(recording, args, dataset, imported, |bytes| bar.set_position(before + bytes));
    let read = read.map_err(|error| match error.downcast_ref::<RecordingError>() {
        Some(_) => error,
        None => error.context(path.display().to_string()),
    });
    match read {
        Ok(()) => importer.finish(dataset, imported),
        Err(error) if args.partial => {
            importer.break_off();
            importer.finish(dataset, imported)?;
            Err(error.context("what came before the damage was imported"))
        }
        Err(error) => {
            (imported.rows, imported.devices) = (0, 0);
            Err(error.context("nothing of it was imported; --partial keeps what comes before"))
        }
    }
}

fn sha256(path: &Path) -> Result<String> {
    let failed = || format!("{} cannot be read", path.display());
    let mut file = File::open(path).with_context(failed)?;
    if !file.metadata().with_context(failed)?.is_file() {
        bail!("{} cannot be read: it is no regular file", path.display());
    }
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut buffer).with_context(failed)?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
