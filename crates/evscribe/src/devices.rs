//! `evscribe devices`: every input device, selected or not, and why.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use evscribed::Status;
use serde_json::json;

use crate::status::RUNTIME_DIR;
use crate::table;

pub(crate) fn run(as_json: bool) -> Result<ExitCode> {
    let listed = evscribe_reader::list().context("udev's database cannot be read")?;
    let collector = Status::read(Path::new(RUNTIME_DIR)).ok();
    let now = |node: &Path| {
        let name = node.file_name();
        let open = collector.iter().flat_map(|status| &status.devices);
        match open.into_iter().find(|device| device.link.file_name() == name) {
            Some(device) if device.grabbed => "open, but held by a remapper",
            Some(_) => "open",
            None => "closed",
        }
    };
    let mut out = std::io::stdout().lock();
    if as_json {
        let devices: Vec<_> = listed
            .iter()
            .map(|device| {
                json!({
                    "node": device.node,
                    "name": device.name,
                    "selected": device.selected,
                    "why": device.why,
                    "origin": device.origin.name(),
                    "now": now(&device.node),
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&devices)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if listed.is_empty() {
        writeln!(out, "This machine has no input device.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = listed
        .iter()
        .map(|device| {
            [
                device.node.display().to_string(),
                if device.selected { "yes" } else { "no" }.into(),
                device.why.clone(),
                now(&device.node).into(),
                device.origin.name().into(),
                device.name.clone(),
            ]
        })
        .collect();
    table::print(&mut out, &["NODE", "SELECTED", "WHY", "NOW", "ORIGIN", "NAME"], &rows)?;
    Ok(ExitCode::SUCCESS)
}
