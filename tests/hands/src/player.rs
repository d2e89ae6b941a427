//! Plays scores on devices, by the clock, and keeps the record.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use serde::Serialize;

use crate::device::{Device, Spec};
use crate::score::{Score, Value};
use crate::wait::{Readiness, wait_until_read};

const EV_SYN: u16 = 0;
const EV_REL: u16 = 2;
const EV_ABS: u16 = 3;
const ABS_MT_SLOT: u16 = 0x2f;

/// Held up for longer than this, it plays the rest later: no device makes up for
/// what it did not say, by reports that lie closer than its rate.
const LATE: TimeSpec = TimeSpec::new(0, 1_000_000);

/// One line of the record: a report and the boot time just before it was written.
#[derive(Serialize)]
struct Sent {
    t_us: i64,
    device: usize,
    events: Vec<Value>,
}

#[derive(Serialize)]
struct Line<'a> {
    t_us: i64,
    device: &'a str,
    events: &'a [Value],
}

/// The devices in play and all that they sent.
pub(crate) struct Player {
    devices: Vec<Option<Device>>,
    names: Vec<String>,
    /// The kernel drops an absolute value that did not change; so do we, before
    /// it, so that the record holds what readers can see.
    axes: HashMap<(usize, i32, u16), i32>,
    slots: HashMap<usize, i32>,
    sent: Vec<Sent>,
    readiness: Readiness,
}

impl Player {
    pub(crate) fn new(readiness: Readiness) -> Result<Self> {
        // The default slack of 50 µs is nearly half a period at 8 kHz.
        nix::sys::prctl::set_timerslack(1).context("cannot set the timer slack")?;
        Ok(Self {
            devices: Vec::new(),
            names: Vec::new(),
            axes: HashMap::new(),
            slots: HashMap::new(),
            sent: Vec::new(),
            readiness,
        })
    }

    /// Plugs a device in and returns its number in scores.
    pub(crate) fn plug(&mut self, spec: &Spec) -> Result<usize> {
        let device = Device::create(spec)?;
        eprintln!("hands: {} is {}", device.name, device.node);
        self.names.push(device.name.clone());
        self.devices.push(Some(device));
        Ok(self.devices.len() - 1)
    }

    /// Unplugs a device; what it held stays held for whoever reads it.
    pub(crate) fn unplug(&mut self, device: usize) {
        if let Some(place) = self.devices.get_mut(device) {
            *place = None;
        }
    }

    /// `eventN` of a device in play.
    pub(crate) fn node(&self, device: usize) -> Option<&str> {
        self.devices.get(device)?.as_ref().map(|d| d.node.as_str())
    }

    /// Waits until whoever should read has opened these devices.
    pub(crate) fn settle(&self, devices: &[usize]) -> Result<()> {
        let nodes: Vec<&str> = devices.iter().filter_map(|&d| self.node(d)).collect();
        wait_until_read(&self.readiness, &nodes)
    }

    /// Plays a score to its end.
    pub(crate) fn play(&mut self, score: &Score) -> Result<()> {
        let mut notes: Vec<_> = score.notes.iter().collect();
        notes.sort_by_key(|n| n.at);
        self.sent.reserve(notes.len());
        let mut start = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
        for note in notes {
            let values = self.changed(note.device, &note.values);
            if values.iter().all(|v| v.0 == EV_SYN) {
                continue;
            }
            let due = start + TimeSpec::from_duration(note.at);
            sleep_until(due)?;
            let late = clock_gettime(ClockId::CLOCK_MONOTONIC)? - due;
            if late > LATE {
                start = start + late;
            }
            let Some(Some(device)) = self.devices.get_mut(note.device) else { continue };
            let t_us = clock_gettime(ClockId::CLOCK_BOOTTIME)?.num_microseconds();
            device.send(&values)?;
            self.sent.push(Sent { t_us, device: note.device, events: values });
        }
        Ok(())
    }

    /// Without the values that the kernel would drop as unchanged.
    pub(crate) fn changed(&mut self, device: usize, values: &[Value]) -> Vec<Value> {
        let mut kept = Vec::with_capacity(values.len());
        for &(kind, code, value) in values {
            if kind == EV_REL && value == 0 {
                continue;
            }
            if kind == EV_ABS {
                if code == ABS_MT_SLOT {
                    if self.slots.insert(device, value).unwrap_or(0) == value {
                        continue;
                    }
                } else {
                    let per_slot = code > ABS_MT_SLOT;
                    let slot =
                        if per_slot { self.slots.get(&device).copied().unwrap_or(0) } else { -1 };
                    // Absent: 0 for a plain axis, "no contact" for a tracking id.
                    let unset = if code == 0x39 { -1 } else { 0 };
                    if self.axes.insert((device, slot, code), value).unwrap_or(unset) == value {
                        continue;
                    }
                }
            }
            kept.push((kind, code, value));
        }
        kept
    }

    /// Writes the record: one JSON object a line, in the order sent.
    pub(crate) fn write_record(&self, path: &Path) -> Result<()> {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut out = BufWriter::new(file);
        for sent in &self.sent {
            let device = self.names.get(sent.device).map_or("", String::as_str);
            serde_json::to_writer(
                &mut out,
                &Line { t_us: sent.t_us, device, events: &sent.events },
            )?;
            out.write_all(b"\n")?;
        }
        out.flush().with_context(|| format!("cannot write {}", path.display()))
    }

    pub(crate) fn sent_count(&self) -> usize {
        self.sent.len()
    }
}

fn sleep_until(due: TimeSpec) -> Result<()> {
    loop {
        match clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &due) {
            Ok(_) => return Ok(()),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).context("cannot wait for the next report"),
        }
    }
}

/// Waits for a while.
pub(crate) fn rest(duration: Duration) {
    std::thread::sleep(duration);
}
