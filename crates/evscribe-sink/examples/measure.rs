//! Measures the sink alone: nanoseconds of processor time (user and system) and
//! bytes per row of a made-up desk.
//!
//! `cargo run --release -p evscribe-sink --example measure -- DIR [ROWS [PART]]`:
//! DIR is made and keeps the datasets; each PART of the rows is made durable by
//! itself, as the daemon does it with what came in 0.7 s. Under callgrind the
//! cost of `Thread::run` is that of the writer.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::{error::Error, path::PathBuf, time::Duration};

use evscribe_model::{
    Anchor, BootUs, Device, DeviceId, DeviceRow, Event, KeyClass, Level, Mark, MarkKind, Row, Run,
    WallUs, What,
};
use evscribe_sink::{
    Clock, Command, Config, Dataset, Forget, Keys, Provenance, SegmentId, SegmentWriter, SendError,
    Writer,
    crypt::{AtRest, Keyring, SecretKey},
    inspect, recover,
};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

/// A mouse at 1 kHz that moves in arcs with jitter, and a key now and then.
fn desk(rows: u64) -> Vec<Row> {
    let mut random = 42_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut made = Vec::new();
    for id in [1, 2] {
        let mut device = Device::empty(DeviceId(id));
        device.vendor = 0x46d;
        made.push(Row::Device(Box::new(DeviceRow { at: BootUs::new(0), device })));
    }
    for id in [1, 2] {
        let (run, device) = (Some(Run(id.into())), Some(DeviceId(id)));
        let (at, kind, reason) = (BootUs::new(0), MarkKind::Plug, "found");
        made.push(Row::Mark(Mark { at, until: None, run, device, kind, reason, lost: None }));
    }
    for row in 1..=rows {
        let at = BootUs::new(row * 1000 + next() % 60);
        let phase = row as f64 / 700.0;
        let jitter = |random: u64| i32::try_from(random % 5).unwrap_or(0) - 2;
        if row % 50 == 0 {
            let stroke = i32::try_from((row - 50) / 100).unwrap_or(0);
            let class = Some(KeyClass::Letter);
            let what =
                What::Key { code: None, class, down: row % 100 == 50, stroke, inferred: false };
            made.push(Row::Event(Event { at, run: Run(1), device: DeviceId(1), what }));
        } else {
            let what = What::Motion {
                dx: (phase.cos() * 6.0) as i32 + jitter(next()),
                dy: (phase.sin() * 4.0) as i32 + jitter(next()),
            };
            made.push(Row::Event(Event { at, run: Run(2), device: DeviceId(2), what }));
        }
    }
    made
}

/// Processor time of all threads so far, ns: user, and user and system.
fn processor_ns() -> (i64, i64) {
    getrusage(UsageWho::RUSAGE_SELF).map_or((0, 0), |usage| {
        let (user, system) = (usage.user_time(), usage.system_time());
        (user.num_nanoseconds(), user.num_nanoseconds() + system.num_nanoseconds())
    })
}

/// A line of /proc/self/status, KiB. Source: proc(5).
fn memory_kib(line: &str) -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|found| found.strip_prefix(line));
    found.and_then(|found| found.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = PathBuf::from(arguments.next().ok_or("name a directory")?);
    let rows: u64 = arguments.next().map_or(Ok(1_000_000), |rows| rows.parse())?;
    let part: usize = arguments.next().map_or(Ok(3000), |rows| rows.parse())?;
    let provenance = Provenance {
        host: "measure".into(),
        boot: "boot".into(),
        subject: "subject".into(),
        session: "session".into(),
        anchor: Anchor { boot: BootUs::new(0), wall: WallUs::new(1_795_468_600_000_000) },
        clock: Clock::Recording,
        level: Level::default(),
        notice_sha256: None,
        acknowledgement_sha256: None,
        policy_sha256: None,
        ledger_head: None,
    };
    let made = desk(rows);
    let per_row = |(user, all): (i64, i64)| {
        let (user_now, all_now) = processor_ns();
        let per_row = |ns: i64| ns as f64 / rows as f64;
        format!(
            "{:.0} ns a row, {:.0} of it user",
            per_row(all_now - all),
            per_row(user_now - user)
        )
    };
    let before_kib = memory_kib("VmRSS");

    let keys = Keys::from_bytes([1; 32]);
    let keyring = Keyring::of(&keys);
    let encrypted = AtRest::default()
        .and(keys.own().public())
        .and(SecretKey::generate()?.public())
        .and(SecretKey::generate()?.public());
    let mut plain_bytes = None;
    for (name, at_rest) in [("plain", AtRest::Plain), ("encrypted", encrypted)] {
        let mut dataset = Dataset::create_or_open(&root.join(name))?;
        dataset.set_at_rest(at_rest);
        let since = processor_ns();
        let mut segment = SegmentWriter::begin(&dataset, SegmentId::of(b"x"), provenance.clone())?;
        segment.write_rows(&made)?;
        let files = segment.finish(&mut dataset)?;
        let bytes = files.iter().map(|file| file.bytes).sum::<u64>() as f64;
        let more = bytes / plain_bytes.unwrap_or(bytes) * 100.0 - 100.0;
        println!(
            "rows to Parquet, {name}: {}, {:.3} bytes a row, {more:.2} % more than plain",
            per_row(since),
            bytes / rows as f64
        );
        plain_bytes.get_or_insert(bytes);
        let since = processor_ns();
        inspect::stats(&root.join(name), &keyring)?;
        println!("read and counted, {name}: {}", per_row(since));
    }

    let config = Config {
        min_free_bytes: 0,
        flush_after: Duration::ZERO,
        ..Config::new(root.join("dataset"), root.join("journal"))
    };
    let (store, _) = recover(config, keys.clone(), &mut 3)?;
    let handle = Writer::spawn(store, Box::new(|_| {}))?;
    let since = processor_ns();
    let send =
        |command| handle.try_send(command).map_err(|_: SendError| "the writer takes nothing");
    send(Command::Begin(Box::new(provenance)))?;
    let mut sent = 0;
    for part in made.chunks(part) {
        let mut buffer = handle.buffer();
        buffer.extend_from_slice(part);
        send(Command::Rows(buffer))?;
        sent += part.len() as u64;
        while handle.counters().journal_rows < sent {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    handle.stop()?;
    println!("journal, sync and seal: {}", per_row(since));

    let (from_us, length_us) = (rows / 2 * 1000, 300_000_000);
    let (store, _) = recover(
        Config { min_free_bytes: 0, ..Config::new(root.join("dataset"), root.join("journal")) },
        keys,
        &mut 3,
    )?;
    let (sender, reports) = std::sync::mpsc::channel();
    let handle = Writer::spawn(store, Box::new(move |report| drop(sender.send(report))))?;
    let since = std::time::Instant::now();
    let wall_us = 1_795_468_600_000_000 + i64::try_from(from_us)?;
    let forget = Forget {
        ticket: 0,
        subjects: vec!["subject".into()],
        from_us: wall_us,
        until_us: wall_us + length_us,
        fresh_run: 10,
        runs: 10,
        reason: "person_asked",
        erase: false,
    };
    if handle.try_send(Command::Forget(Box::new(forget))).is_err() {
        return Err("the writer takes nothing".into());
    }
    let report = reports.recv()?;
    println!("forgetting 5 minutes in the middle: {:?}, {report:?}", since.elapsed());
    handle.stop()?;

    println!("memory besides the rows, at most: {} KiB", memory_kib("VmHWM") - before_kib);

    let since = processor_ns();
    let report = inspect::verify(&root.join("dataset"), &keyring)?;
    println!(
        "verify: {}, sound: {}, {:?}",
        per_row(since),
        report.is_sound(),
        report.problems.first()
    );
    let stats = inspect::stats(&root.join("dataset"), &keyring)?;
    println!(
        "bytes per kernel event, on the high side: {:.3}",
        stats.bytes_per_kernel_event.unwrap_or_default()
    );
    Ok(())
}
