//! `evscribe-data verify`: whether a lake holds what its records say.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use evscribe_lake::{LakeReport, verify};
use serde_json::json;

use crate::args::KeyArgs;
use crate::held::LakeArgs;

/// What is to be checked, and how.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    lake: LakeArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// Compare sizes; read no file.
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(args: &VerifyArgs, as_json: bool) -> Result<ExitCode> {
    let keyring = args.keys.keyring()?;
    args.lake.run(async |place, held| {
        let report = verify((place, held), &keyring, args.quick).await?;
        let mut out = std::io::stdout().lock();
        if as_json {
            writeln!(out, "{}", json!({ "holds": report.is_sound(), "report": report }))?;
        } else {
            print(&mut out, &place.shown(""), &report)?;
        }
        Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn print(out: &mut impl Write, lake: &str, report: &LakeReport) -> std::io::Result<()> {
    for problem in &report.problems {
        let host = if problem.host.is_empty() { "no host" } else { &problem.host };
        writeln!(out, "{host}: {}: {}", problem.path, problem.what)?;
    }
    let more = report.problem_count.saturating_sub(report.problems.len() as u64);
    if more > 0 {
        writeln!(out, "… and {more} more")?;
    }
    for note in &report.notes {
        writeln!(out, "note: {}: {}", note.host, note.what)?;
    }
    if report.quarantined > 0 {
        writeln!(out, "{} files are in quarantine: see pull", report.quarantined)?;
    }
    if report.encrypted > 0 {
        let count = report.encrypted;
        writeln!(out, "{count} files are encrypted and were not opened: give --key")?;
    }
    let rows: u64 = report.rows.values().sum();
    let LakeReport { hosts, files, sources, .. } = report;
    let verdict = match report.problem_count {
        0 if report.quick => "as long as they should be".into(),
        0 => "everything holds".into(),
        1 => "1 problem".into(),
        count => format!("{count} problems"),
    };
    writeln!(out, "{lake}: {hosts} hosts, {files} files of {sources}, {rows} rows: {verdict}")
}
