//! `evscribe-data erase`: everything of a person goes out of a lake.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use evscribe_lake::{Receipt, Sealing, Wanted, erase};
use serde_json::json;

use crate::args::KeyArgs;
use crate::held::LakeArgs;
use crate::whole::Whole;

/// It is not proven that nothing is left.
const NOT_PROVEN: u8 = 3;

/// Who is to be erased, and where.
#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    lake: LakeArgs,
    /// The pseudonym of a person, as in column subject; may be given several
    /// times, for a person has another one in each policy period and on each
    /// workstation.
    #[arg(long = "subject", value_name = "PSEUDONYM", required = true)]
    subjects: Vec<String>,
    #[command(flatten)]
    keys: KeyArgs,
    /// Write the receipts there, too, as JSON: whole, and only yours to read.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(args: &EraseArgs, as_json: bool) -> Result<ExitCode> {
    let subjects: BTreeSet<String> = args.subjects.iter().cloned().collect();
    let keyring = args.keys.keyring()?;
    // Said before anything is erased; what is there stays until the receipts are.
    args.receipt.as_deref().map(Whole::begin).transpose()?;
    if !args.yes {
        ask(&subjects)?;
    }
    args.lake.run(async |place, held| {
        let sealing = Sealing::new(place, keyring, Wanted::Same).await?;
        let receipts = erase((place, held), &subjects, &sealing).await?;
        let proven = receipts.iter().all(|receipt| receipt.proven);
        let told = json!({ "proven": proven, "receipts": receipts });
        // First: whoever reads the other may have seen enough.
        if let Some(path) = &args.receipt {
            let written = Whole::begin(path).and_then(|whole| {
                writeln!(whole.file(), "{told:#}")?;
                whole.finish()
            });
            written
                .context("what was to be erased is erased, but run this again for its receipt")?;
        }
        let mut out = std::io::stdout().lock();
        if as_json {
            writeln!(out, "{told}")?;
        } else {
            receipts.iter().try_for_each(|receipt| print(&mut out, receipt))?;
        }
        Ok(if proven { ExitCode::SUCCESS } else { ExitCode::from(NOT_PROVEN) })
    })
}

fn ask(subjects: &BTreeSet<String>) -> Result<()> {
    let whom: Vec<&str> = subjects.iter().map(String::as_str).collect();
    if !std::io::stdin().is_terminal() {
        bail!("nothing was erased: this cannot be undone, so give --yes");
    }
    eprint!("Erase all that is of {}? It cannot be undone. [y/N] ", whom.join(", "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was erased"),
    }
}

fn print(out: &mut impl Write, receipt: &Receipt) -> std::io::Result<()> {
    let Receipt { subject, erased, rewritten, others, work, left, proof, .. } = receipt;
    let rows: u64 = erased.values().map(|source| source.rows).sum();
    writeln!(out, "{subject}, in {}", receipt.lake)?;
    writeln!(out, "  from {} to {}", receipt.begun_at, receipt.ended_at)?;
    for source in erased.values() {
        writeln!(out, "  erased {} {} ({} rows)", source.sha256, source.path, source.rows)?;
    }
    for (before, after) in rewritten {
        writeln!(out, "  written anew without it: {before}, now {after}")?;
    }
    for path in others {
        writeln!(out, "  removed {path}")?;
    }
    for folder in work {
        writeln!(out, "  looked into the work folder {folder}")?;
    }
    for noted in left {
        writeln!(out, "  NOT erased {}: {}", noted.path, noted.why)?;
    }
    for noted in &proof.not_opened {
        writeln!(out, "  not read {}: {}", noted.path, noted.why)?;
    }
    writeln!(
        out,
        "  {} files with {rows} rows erased; {} files read afterwards, with {} rows of it: {}",
        erased.len(),
        proof.files,
        proof.rows,
        if receipt.proven { "proven" } else { "NOT PROVEN" }
    )
}
