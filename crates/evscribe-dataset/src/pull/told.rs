//! What came of a run, in words or as JSON.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;
use evscribe_lake::pull::{HostReport, Report, State};

/// Prints the sum of it; as JSON all of it.
pub(super) fn report(report: &Report, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, report)?;
        writeln!(out)?;
        return Ok(());
    }
    for bad in &report.skipped_lines {
        writeln!(out, "line {} of the list was left out: {}", bad.line, bad.why)?;
    }
    let totals = &report.totals;
    let mut text = format!(
        "{} of {} hosts complete; {} files, {} new",
        totals.complete,
        totals.hosts,
        totals.files,
        bytes(totals.bytes)
    );
    if totals.quarantined > 0 {
        write!(text, "; {} files in quarantine", totals.quarantined)?;
    }
    writeln!(out, "{text}")?;
    Ok(())
}

/// A host's line.
pub(super) fn host(report: &HostReport) -> String {
    let state = match report.state {
        State::Unchanged => "unchanged",
        State::Pulled => "pulled",
        State::Partial => "incomplete",
        State::Failed => "failed",
    };
    let mut parts = Vec::new();
    if report.files > 0 {
        parts.push(format!("{} files, {}", report.files, bytes(report.bytes)));
    }
    if report.replaced > 0 {
        parts.push(format!("{} of them newer versions", report.replaced));
    }
    if report.removed > 0 {
        parts.push(format!("{} removed", report.removed));
    }
    parts.extend(report.error.clone());
    parts.extend(report.notes.iter().cloned());
    let mut text = format!("{}: {state}", report.name);
    if !parts.is_empty() {
        text = format!("{text}: {}", parts.join("; "));
    }
    for file in &report.quarantined {
        text = format!("{text}\n  {}: {}", file.path, file.why);
    }
    text
}

/// A number of bytes, for people.
pub(super) fn bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
