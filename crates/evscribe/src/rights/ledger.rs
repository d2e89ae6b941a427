//! `evscribe ledger`: what was done, when, and to whose data.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use evscribe_sink::ledger;
use nix::unistd::getuid;
use serde_json::{Map, Value, json};

use super::say;
use crate::args::KeyArgs;
use crate::service::Service;

/// The service's ledger, which root may read.
const LEDGER: &str = "/var/lib/evscribe/ledger.jsonl";

/// What holds the chain together and tells people nothing.
const CHAIN: [&str; 2] = ["prev", "hash"];

/// Shows the ledger: all of it to root, else what concerns who asks.
///
/// # Errors
/// What the service answers; where the file cannot be read.
pub(super) fn show(mine: bool, as_json: bool) -> Result<ExitCode> {
    let lines: Vec<String> = if mine || !getuid().is_root() {
        let service = Service::connect()?;
        service.ask(async |bus| bus.my_ledger().await)?
    } else {
        let bytes = std::fs::read(Path::new(LEDGER)).with_context(|| {
            format!("{LEDGER} cannot be read; the service begins it when it first starts")
        })?;
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    };
    let mut out = std::io::stdout().lock();
    for line in &lines {
        // A line of the ledger is JSON as it stands.
        writeln!(out, "{}", if as_json { line.clone() } else { in_words(line) })?;
    }
    if lines.is_empty() && !as_json {
        writeln!(out, "The ledger says nothing of you yet.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One line: when, what, and whatever else it says. What is no fact is shown as
/// it is.
fn in_words(line: &str) -> String {
    let Ok(fact) = serde_json::from_str::<Map<String, Value>>(line) else {
        return format!("{} (is no line of a ledger)", line.escape_debug());
    };
    let plain = |value: &Value| match value {
        Value::String(text) => text.escape_debug().to_string(),
        other => other.to_string(),
    };
    let word = |name| fact.get(name).map(plain).unwrap_or_default();
    let head = ["n", "at", "fact"];
    let rest = fact
        .iter()
        .filter(|(name, value)| {
            let told = head.iter().chain(&CHAIN).any(|known| known == name);
            !told && !value.is_null()
        })
        .map(|(name, value)| format!("{name}={}", plain(value)));
    let rest: Vec<_> = rest.collect();
    let line = format!("{:>6}  {}  {:<16} {}", word("n"), word("at"), word("fact"), rest.join(" "));
    line.trim_end().to_owned()
}

/// Checks a ledger's file, or has the service check its own. Returns failure where
/// it is broken.
///
/// # Errors
/// What the service answers.
pub(super) fn verify(
    file: Option<&Path>,
    dataset: Option<&Path>,
    keys: &KeyArgs,
    as_json: bool,
) -> Result<ExitCode> {
    let (whole, found) = match file {
        None => Service::connect()?.ask(async |bus| bus.verify_ledger().await)?,
        Some(file) => {
            let verified = match dataset {
                None => ledger::verify(file),
                Some(directory) => ledger::verify_with_dataset(file, directory, &keys.keyring()?),
            };
            match verified {
                Ok(verified) => (true, verified.to_string()),
                Err(fault) => (false, fault.to_string()),
            }
        }
    };
    let verdict = if whole { "The ledger is whole" } else { "The ledger is broken" };
    say(as_json, &json!({ "whole": whole, "found": found }), &format!("{verdict}: {found}"))?;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_fact_and_leaves_out_the_chain() {
        let line = r#"{"n":7,"at":"2026-11-23T09:00:00Z","fact":"paused","subject":"s1","until":null,"prev":"aa","hash":"bb"}"#;
        assert_eq!(in_words(line), "     7  2026-11-23T09:00:00Z  paused           subject=s1");
    }

    #[test]
    fn what_is_no_fact_is_shown_and_named_so() {
        assert_eq!(in_words("{\"n\":"), "{\\\"n\\\": (is no line of a ledger)");
    }

    #[test]
    fn a_ledger_cannot_speak_to_the_terminal() {
        let line = "{\"n\":1,\"fact\":\"held\",\"why\":\"\\u001b[2J\"}";
        assert!(!in_words(line).contains('\u{1b}'));
    }
}
