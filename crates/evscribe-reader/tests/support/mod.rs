//! What a recording says, as text.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fmt::Write;

use evscribe_model::{Device, DeviceId, Input};
use evscribe_reader::Recording;

/// Everything that a recording says, a line each, an error last.
pub(crate) fn dump(name: &str, text: impl Into<Vec<u8>>) -> String {
    let source = std::io::Cursor::new(text.into());
    match Recording::from_reader(name, source, DeviceId(1)) {
        Ok(recording) => dump_recording(recording),
        Err(error) => format!("error {error}\n"),
    }
}

/// As [`dump`], of a recording that is open already.
pub(crate) fn dump_recording(mut recording: Recording) -> String {
    let mut out = format!("clock {:?}\n", recording.clock()).to_lowercase();
    loop {
        let line = match recording.next() {
            Ok(None) => break,
            Ok(Some(input)) => said(input),
            Err(error) => format!("error {error}"),
        };
        out.push_str(&line);
        out.push('\n');
    }
    if recording.obfuscated() {
        out.push_str("obfuscated\n");
    }
    out
}

fn said(input: Input<'_>) -> String {
    match input {
        Input::Open { at, device, state: None } => {
            format!("open {} at {}\n{}", device.id.0, at.get(), described(device).trim_end())
        }
        Input::Frame(frame) => {
            let mut line = format!("frame {} at {}:", frame.device.0, frame.at.get());
            for event in frame.events {
                let _ = write!(line, " {}/{:#x}={}", event.kind, event.code, event.value);
            }
            line
        }
        Input::Dropped { device, since, until, state: None } => {
            format!("dropped {} from {} to {}", device.0, since.get(), until.get())
        }
        Input::ClockStep { device, from, to } => {
            format!("step {} from {} to {}", device.0, from.get(), to.get())
        }
        Input::Gone { at, device } => format!("gone {} at {}", device.0, at.get()),
        other => format!("a recording cannot say {other:?}"),
    }
}

fn described(device: &Device) -> String {
    let mut out = format!(
        "  {:?} {:04x}:{:04x}:{:04x}:{:04x} {} dpi {:?}\n",
        device.name.as_deref().unwrap_or_default(),
        device.bus,
        device.vendor,
        device.product,
        device.version,
        device.origin.name(),
        device.dpi,
    );
    let sets = [
        ("props", device.props.iter().collect::<Vec<_>>()),
        ("keys", device.keys.iter().collect()),
        ("rels", device.rels.iter().collect()),
        ("mscs", device.mscs.iter().collect()),
        ("switches", device.switches.iter().collect()),
    ];
    for (name, set) in sets {
        if !set.is_empty() {
            let _ = writeln!(out, "  {name} {set:x?}");
        }
    }
    for axis in &device.axes {
        let _ = writeln!(
            out,
            "  axis {:#x} {}..{} fuzz {} flat {} resolution {}",
            axis.code, axis.min, axis.max, axis.fuzz, axis.flat, axis.resolution
        );
    }
    out
}
