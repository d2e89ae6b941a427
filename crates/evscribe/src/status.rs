//! `evscribe status`: what the service does, in words.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use evscribed::{State, Status};
use jiff::Timestamp;
use serde_json::json;

/// Where the service says what it does.
pub(crate) const RUNTIME_DIR: &str = "/run/evscribe";

/// Exit code where the service does not run, as `systemctl status` has it.
const NOT_RUNNING: u8 = 3;

pub(crate) fn run(as_json: bool) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let status = match Status::read(Path::new(RUNTIME_DIR)) {
        Ok(status) => status,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if as_json {
                writeln!(out, "{}", json!({ "state": "not_running" }))?;
            } else {
                writeln!(out, "evscribed is not running: nothing is collected.")?;
            }
            return Ok(ExitCode::from(NOT_RUNNING));
        }
        Err(error) => {
            return Err(error).with_context(|| format!("{RUNTIME_DIR} does not say what is done"));
        }
    };
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&status)?)?;
    } else {
        words(&mut out, &status)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn words(out: &mut impl Write, status: &Status) -> Result<()> {
    writeln!(out, "evscribed is {}.", status.line())?;
    let since = Timestamp::from_second(status.since_unix_s)?;
    writeln!(out, "  since      {since}")?;
    if matches!(status.state, State::Collecting | State::Stalled) {
        writeln!(out, "  because    {}", status.reason)?;
        writeln!(out, "  of keys    {}", keys_in_words(&status.keys))?;
        let pointer =
            if status.pointer == "full" { "all of it is kept" } else { "nothing is kept" };
        writeln!(out, "  of pointer {pointer}")?;
    }
    for device in &status.devices {
        let held = if device.grabbed { ", held by a remapper: silent" } else { "" };
        writeln!(out, "  reads      {}{held}", device.link.display())?;
    }
    for refused in &status.refused {
        writeln!(out, "  refused    {refused}")?;
    }
    writeln!(out, "  so far     {} events, {} touches", status.events, status.touch)?;
    writeln!(
        out,
        "  lost       {} overflows in the kernel, {} rows behind it; each has a mark",
        status.kernel_drops, status.rows_lost
    )?;
    writeln!(out, "  goes to    {}", status.dataset.display())?;
    match status.retention_days {
        None => writeln!(out, "  kept       without a limit: no policy sets one")?,
        Some(days) => writeln!(out, "  kept       {days} days")?,
    }
    if let Some(at) = status.sealed_unix_s {
        let sealed = Timestamp::from_second(at)?;
        writeln!(out, "  sealed     {} files, the last at {sealed}", status.sealed_files)?;
    }
    if let Some(error) = &status.policy_error {
        writeln!(out, "  policy     the new one is wrong: {error}")?;
    }
    Ok(())
}

/// What a level keeps of keys, as a person would ask.
pub(crate) fn keys_in_words(level: &str) -> &'static str {
    match level {
        "timing" => "when one is pressed and released, not which",
        "class" => "when, and what class of key it is (letter, digit, enter …), not which",
        "full" => "when, and which key",
        _ => "nothing is kept",
    }
}
