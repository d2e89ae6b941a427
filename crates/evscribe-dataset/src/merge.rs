//! `evscribe-data merge`: many small files of a lake become few large ones.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use evscribe_lake::{MergeReport, Merging, Sealing, Wanted, merge};
use evscribe_sink::crypt::{self, PublicKey};
use serde_json::json;

use crate::args::KeyArgs;
use crate::held::LakeArgs;

/// Some file was left as it is, the rest is merged.
const PARTLY: u8 = 3;

/// What is to be merged, and how.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    #[command(flatten)]
    lake: LakeArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// For whom merged files are encrypted, and nobody else: a public key, or a
    /// file of such. Without it for whom they were, the workstations' own keys
    /// aside.
    #[arg(long = "recipient", value_name = "KEY|FILE")]
    recipients: Vec<String>,
    /// Merged files are plain.
    #[arg(long, conflicts_with = "recipients")]
    plain: bool,
    /// Only files of this date, such as 2026-11-23; may be given several times.
    #[arg(long = "date", value_name = "DATE", value_parser = date)]
    dates: Vec<String>,
    /// What the files that become one may have together, MiB.
    #[arg(long, value_name = "MIB", default_value_t = 512,
          value_parser = clap::value_parser!(u64).range(1..=4_096))]
    max_mib: u64,
    /// How many files become one at least.
    #[arg(long, value_name = "NUMBER", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(2..))]
    min_files: u16,
    /// Leave files that cannot be used as they are and merge the rest; they are
    /// counted and listed.
    #[arg(long)]
    skip_bad: bool,
}

fn date(text: &str) -> Result<String, String> {
    let date: jiff::civil::Date =
        text.parse().map_err(|_| "a date is written 2026-11-23".to_owned())?;
    Ok(date.to_string())
}

/// The public keys that were named.
fn recipients(named: &[String]) -> Result<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for text in named {
        if std::path::Path::new(text).is_file() {
            keys.extend(crypt::recipients(text.as_ref())?);
        } else {
            keys.push(text.parse().context("--recipient names no file and no key")?);
        }
    }
    Ok(keys)
}

pub(crate) fn run(args: &MergeArgs, as_json: bool) -> Result<ExitCode> {
    let keyring = args.keys.keyring()?;
    let wanted = match recipients(&args.recipients)? {
        _ if args.plain => Wanted::Plain,
        none if none.is_empty() => Wanted::Same,
        keys => Wanted::For(keys),
    };
    let merging = Merging {
        dates: args.dates.iter().cloned().collect(),
        max_bytes: args.max_mib << 20,
        min_files: usize::from(args.min_files),
        skip_bad: args.skip_bad,
    };
    args.lake.run(async |place, held| {
        let sealing = Sealing::new(place, keyring, wanted).await?;
        let report = merge((place, held), &merging, &sealing).await?;
        let mut out = std::io::stdout().lock();
        if as_json {
            serde_json::to_writer(&mut out, &json!(report))?;
            writeln!(out)?;
        } else {
            print(&mut out, &report)?;
        }
        Ok(if report.bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(PARTLY) })
    })
}

fn print(out: &mut impl Write, report: &MergeReport) -> std::io::Result<()> {
    for merged in &report.merged {
        let bytes = merged.bytes.div_ceil(1 << 10);
        writeln!(
            out,
            "{}: of {} files, {} rows, {bytes} KiB",
            merged.path, merged.files, merged.rows
        )?;
    }
    for dropped in &report.dropped {
        writeln!(out, "{}: not in the lake any more: {}", dropped.path, dropped.why)?;
    }
    for bad in &report.bad {
        writeln!(out, "{}: left as it is: {}", bad.path, bad.why)?;
    }
    if !report.left_out.is_empty() {
        let count = report.left_out.len();
        writeln!(out, "the own keys of workstations ({count}) do not open the merged files")?;
    }
    writeln!(
        out,
        "{} files became {}; {} were left as they are, since they cannot be used",
        report.files_before,
        report.files_after,
        report.bad.len()
    )
}
