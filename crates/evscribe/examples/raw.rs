//! Raw events to a dataset, the way of live events, and what it costs.
//!
//! `cargo run --release -p evscribe --example raw -- OUT FILE…`: each FILE holds
//! `struct input_event` of a 64-bit kernel, as `hands desk --raw DIR` writes it
//! and `cat /dev/input/eventN` gives it; its name (`keyboard.raw`, `mouse.raw`,
//! `touchpad.raw`) says what the device can. OUT is made. Prints JSON: events,
//! rows and bytes, and processor seconds of this one thread (user and system,
//! reading the files included), those without a sink too.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use evscribe_model::codes::*;
use evscribe_model::{
    Anchor, Axis, BootUs, Device, DeviceId, DeviceRow, Frame, Input, Level, MarkKind, RawEvent,
    Row, WallUs,
};
use evscribe_normalizer::{Counters, Normalizer};
use evscribe_policy::Redactor;
use evscribe_reader::{Assembler, EVENT_BYTES, Piece, event};
use evscribe_sink::crypt::AtRest;
use evscribe_sink::{Clock, Dataset, Provenance, SegmentId, SegmentWriter};
use nix::time::{ClockId, clock_gettime};

/// Events that are taken from a file at once, as from a device.
const BATCH_EVENTS: usize = 1024;
/// Rows that go to the sink at once.
const BATCH_ROWS: usize = 2048;
/// 2026-11-23T21:16:40Z, where the boot clock shows 0.
const WALL_US: i64 = 1_795_468_600_000_000;

/// One device and what of its file is not read yet.
struct Source {
    device: Device,
    bytes: Vec<u8>,
    at: usize,
    batch: Vec<RawEvent>,
    assembler: Assembler,
    rows: Vec<Row>,
}

fn device(id: i16, name: &str) -> Result<Device, Box<dyn Error>> {
    let mut device = Device::empty(DeviceId(id));
    device.bus = 3;
    let mut keys = |codes: RangeInclusive<u16>| {
        for code in codes {
            device.keys.set(code, true);
        }
    };
    match name {
        "keyboard" => keys(1..=127),
        "mouse" => {
            keys(BTN_LEFT..=BTN_LEFT + 4);
            let rels = [REL_X, REL_Y, REL_WHEEL, REL_HWHEEL, REL_WHEEL_HI_RES, REL_HWHEEL_HI_RES];
            rels.into_iter().for_each(|code| device.rels.set(code, true));
        }
        "touchpad" => {
            keys(BTN_LEFT..=BTN_LEFT);
            keys(BTN_TOUCH..=BTN_TOUCH);
            keys(BTN_TOOL_FINGER..=BTN_TOOL_FINGER);
            device.props.set(0, true);
            let axis =
                |code, max, resolution| Axis { code, min: 0, max, fuzz: 0, flat: 0, resolution };
            device.axes = vec![
                axis(ABS_X, 2000, 20),
                axis(ABS_Y, 1200, 20),
                axis(ABS_PRESSURE, 255, 0),
                axis(ABS_MT_SLOT, 4, 0),
                axis(ABS_MT_POSITION_X, 2000, 20),
                axis(ABS_MT_POSITION_Y, 1200, 20),
                axis(ABS_MT_TRACKING_ID, 65535, 0),
                axis(ABS_MT_PRESSURE, 255, 0),
            ];
        }
        _ => return Err(format!("what is a {name}? keyboard, mouse and touchpad are known").into()),
    }
    Ok(device)
}

impl Source {
    fn open(id: i16, path: &Path) -> Result<Self, Box<dyn Error>> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self {
            device: device(id, &name)?,
            bytes: std::fs::read(path)?,
            at: 0,
            batch: Vec::with_capacity(BATCH_EVENTS),
            assembler: Assembler::new(BootUs::new(0)),
            rows: Vec::new(),
        })
    }

    /// Reads, cuts, normalises and redacts one batch; false at the end.
    fn drain(&mut self, normalizer: &mut Normalizer, redactor: Redactor) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let part = rest.get(..BATCH_EVENTS * EVENT_BYTES).unwrap_or(rest);
        self.at += part.len();
        self.batch.clear();
        self.batch.extend(part.chunks_exact(EVENT_BYTES).map_while(event));
        let mut batch = self.batch.as_slice();
        while let Some(piece) = self.assembler.next(&mut batch) {
            let device = self.device.id;
            let input = match piece {
                Piece::Frame { at, events } => Input::Frame(Frame { device, at, events }),
                Piece::Dropped { since, until } => {
                    Input::Dropped { device, since, until, state: None }
                }
            };
            normalizer.feed(&input, &mut self.rows);
        }
        redactor.reduce(&mut self.rows);
        !part.is_empty()
    }
}

/// What one pass over the files made.
struct Pass {
    rows: u64,
    bytes: u64,
    seconds: f64,
}

/// Reads all files at once, in the order of time, into `segment`, if there is one.
fn pass(
    files: &[PathBuf],
    mut segment: Option<(&mut Dataset, SegmentWriter)>,
) -> Result<Pass, Box<dyn Error>> {
    let began = processor_seconds()?;
    let mut sources = Vec::new();
    for (id, file) in (1..).zip(files) {
        sources.push(Source::open(id, file)?);
    }
    let redactor = Redactor::new(Level::default());
    let mut normalizer = Normalizer::new(Counters::default());
    let mut ready: Vec<Row> = Vec::new();
    for source in &sources {
        let (at, device, state) = (BootUs::new(0), &source.device, None);
        ready.push(Row::Device(Box::new(DeviceRow { at, device: device.clone() })));
        normalizer.feed(&Input::Open { at, device, state }, &mut ready);
    }
    redactor.reduce(&mut ready);
    let (mut rows, mut bytes) = (0, 0);
    loop {
        let mut more = false;
        for source in sources.iter_mut().filter(|source| source.rows.is_empty()) {
            while source.rows.is_empty() && source.drain(&mut normalizer, redactor) {}
            more |= !source.rows.is_empty();
        }
        if !more && sources.iter().all(|source| source.rows.is_empty()) {
            break;
        }
        // What no device can precede any more, as the daemon's pipeline does it.
        let lasts = sources.iter().filter_map(|source| source.rows.last()).map(Row::at);
        let until = lasts.min().unwrap_or_default();
        let sorted = ready.len();
        for source in &mut sources {
            let part = source.rows.partition_point(|row| row.at() <= until);
            ready.extend(source.rows.drain(..part));
        }
        if let Some(fresh) = ready.get_mut(sorted..) {
            fresh.sort_by_key(Row::at);
        }
        if ready.len() >= BATCH_ROWS {
            rows += take(&mut ready, &mut segment)?;
        }
    }
    for source in &sources {
        let at = ready.last().map_or(BootUs::new(u64::MAX >> 16), Row::at);
        normalizer.close(source.device.id, at, MarkKind::Stop, "end", &mut Vec::new());
    }
    rows += take(&mut ready, &mut segment)?;
    if let Some((dataset, segment)) = segment {
        bytes = segment.finish(dataset)?.iter().map(|file| file.bytes).sum();
    }
    Ok(Pass { rows, bytes, seconds: processor_seconds()? - began })
}

fn take(
    ready: &mut Vec<Row>,
    segment: &mut Option<(&mut Dataset, SegmentWriter)>,
) -> Result<u64, Box<dyn Error>> {
    let rows = ready.len() as u64;
    if let Some((_, segment)) = segment {
        segment.write_rows(ready)?;
    }
    ready.clear();
    Ok(rows)
}

fn processor_seconds() -> nix::Result<f64> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("name a directory for the dataset, then files")?;
    let files: Vec<PathBuf> = arguments.collect();
    let mut events = 0;
    for file in &files {
        events += file.metadata()?.len() / EVENT_BYTES as u64;
    }
    let provenance = Provenance {
        host: "raw".into(),
        boot: "raw".into(),
        subject: "raw".into(),
        session: "raw".into(),
        anchor: Anchor { boot: BootUs::new(0), wall: WallUs::new(WALL_US) },
        clock: Clock::Recording,
        level: Level::default(),
        notice_sha256: None,
        acknowledgement_sha256: None,
        policy_sha256: None,
        ledger_head: None,
    };
    let normalised = pass(&files, None)?;
    let mut dataset = Dataset::create_or_open(&out)?;
    dataset.set_at_rest(AtRest::Plain);
    let segment = SegmentWriter::begin(&dataset, SegmentId::of(b"raw"), provenance)?;
    let whole = pass(&files, Some((&mut dataset, segment)))?;
    println!(
        r#"{{"events": {events}, "rows": {}, "bytes": {}, "normalise_seconds": {:.4}, "seconds": {:.4}}}"#,
        whole.rows, whole.bytes, normalised.seconds, whole.seconds,
    );
    Ok(())
}
