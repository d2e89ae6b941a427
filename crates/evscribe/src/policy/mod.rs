//! `evscribe policy`: for who writes the policy and who answers for it.

mod dpia;
mod html;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use evscribe_policy::{DEFAULT_PATH, Policy, PolicyError, consequences};
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check a policy: every error with file, line and key, or what follows from it.
    ///
    /// Exit code 0 only if it can be put in force.
    Check {
        /// The policy; drop-ins are read from the folder of the same name in .d.
        #[arg(default_value = DEFAULT_PATH)]
        file: PathBuf,
    },
    /// Write the impact assessment and the record of processing of this workstation.
    ///
    /// From the policy and the unit as systemd has it, as GDPR articles 30 and 35
    /// ask for it; says whether the service works by that policy.
    Dpia(DpiaArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DpiaArgs {
    /// The policy.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    policy: PathBuf,
    /// Write HTML instead of Markdown.
    #[arg(long)]
    html: bool,
    /// Where the sheet goes; standard output otherwise.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show what changed since an earlier sheet (Markdown); exit code 1 if
    /// anything did.
    #[arg(long, value_name = "OLD", conflicts_with_all = ["html", "out"])]
    check: Option<PathBuf>,
}

pub(crate) fn run(command: &PolicyCommand, as_json: bool) -> Result<ExitCode> {
    match command {
        PolicyCommand::Check { file } => check(file, as_json),
        PolicyCommand::Dpia(args) => dpia::run(args),
    }
}

fn check(file: &std::path::Path, as_json: bool) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let checked = Policy::check(file);
    let (said, code) = match &checked {
        Ok(policy) => (consequences(policy), ExitCode::SUCCESS),
        Err(errors) => (errors.iter().map(in_one_line).collect(), ExitCode::FAILURE),
    };
    if as_json {
        let key = if checked.is_ok() { "consequences" } else { "errors" };
        writeln!(out, "{}", json!({ "file": file, "good": checked.is_ok(), key: said }))?;
        return Ok(code);
    }
    match &checked {
        Ok(_) => writeln!(out, "{} can be put in force. It means:", file.display())?,
        Err(_) => writeln!(out, "{} cannot be put in force; nothing changed:", file.display())?,
    }
    for line in said {
        writeln!(out, "  {line}")?;
    }
    Ok(code)
}

/// An error with its causes.
fn in_one_line(error: &PolicyError) -> String {
    let said: Vec<_> = anyhow::Chain::new(error).map(ToString::to_string).collect();
    said.join(": ")
}
