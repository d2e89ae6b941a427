//! `evscribe pause` and `evscribe resume`: nothing is read for a while.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{say, time, words};
use crate::service::Service;

/// Pauses for so long, or until resumed.
///
/// # Errors
/// Where the length cannot be read; what the service answers.
pub(super) fn pause(length: Option<&str>, as_json: bool) -> Result<ExitCode> {
    let seconds = match length {
        None => 0,
        // Begun seconds count whole: never shorter than asked.
        Some(length) => time::length(length)?.unsigned_abs().as_millis().div_ceil(1_000),
    };
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    let service = Service::connect()?;
    let until_us = service.ask(async |bus| bus.pause(seconds).await)?;
    let json = json!({ "paused": true, "until": words::rfc3339(until_us) });
    let end = words::pause_end(until_us);
    say(as_json, &json, &format!("Paused {end}: nothing of you is read. evscribe resume ends it."))
}

/// Ends the pause.
///
/// # Errors
/// What the service answers.
pub(super) fn resume(as_json: bool) -> Result<ExitCode> {
    let service = Service::connect()?;
    service.ask(async |bus| bus.resume().await)?;
    say(
        as_json,
        &json!({ "paused": false }),
        "The pause is over. evscribe status shows whether you are recorded now.",
    )
}
