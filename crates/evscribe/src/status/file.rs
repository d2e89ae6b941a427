//! What the service left in its runtime directory: of itself, of no person.

use std::io::Write;

use anyhow::Result;
use evscribed::{State, Status};

use super::{keys_in_words, line};
use crate::rights::words;

/// All that the file says, where the service itself cannot be asked.
pub(super) fn print(out: &mut impl Write, status: &Status) -> Result<()> {
    writeln!(out, "evscribed is {}.", status.line())?;
    line(out, "since", &words::moment(status.since_unix_s.saturating_mul(1_000_000)))?;
    if matches!(status.state, State::Collecting | State::Stalled) {
        line(out, "because", &status.reason)?;
        line(out, "of keys", keys_in_words(&status.keys))?;
        let pointer = status.pointer.parse().map_or("not known", words::pointer_kept);
        line(out, "of pointer", pointer)?;
    }
    line(out, "goes to", &status.dataset.display().to_string())?;
    let keys = status.recipients.iter().map(|key| (key.id.as_str(), key.name.as_str()));
    line(out, "on disk", &words::at_rest(&status.at_rest, keys))?;
    match status.retention_days {
        None => line(out, "kept", "without a limit: no policy sets one")?,
        Some(days) => line(out, "kept", &words::count(days.into(), "day"))?,
    }
    if let Some(error) = &status.policy_error {
        line(out, "policy", &format!("the new one is wrong: {error}"))?;
    }
    devices(out, status)
}

/// What only the file says: the devices, and the counts since the start.
pub(super) fn devices(out: &mut impl Write, status: &Status) -> Result<()> {
    for device in &status.devices {
        let held = if device.grabbed { ", held by a remapper: silent" } else { "" };
        line(out, "reads", &format!("{}{held}", device.link.display()))?;
    }
    for refused in &status.refused {
        line(out, "refused", refused)?;
    }
    line(out, "so far", &format!("{} events, {} touches", status.events, status.touch))?;
    let lost = format!(
        "{} overflows in the kernel, {} rows behind it; each has a mark",
        status.kernel_drops, status.rows_lost
    );
    line(out, "lost", &lost)?;
    if let Some(at) = status.sealed_unix_s {
        let sealed = words::moment(at.saturating_mul(1_000_000));
        line(out, "sealed", &format!("{} files, the last at {sealed}", status.sealed_files))?;
    }
    Ok(())
}
