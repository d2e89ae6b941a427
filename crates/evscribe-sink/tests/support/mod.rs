//! Rows, provenances and places for the tests.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "tests; each uses a part")]

use std::{path::Path, sync::mpsc, time::Duration};

use evscribe_model::{
    Anchor, Axis, BootUs, Device, DeviceId, DeviceRow, Event, KeyClass, Level, Mark, MarkKind,
    Origin, Phase, Row, Run, Tool, Touch, WallUs, What, codes,
};
use evscribe_sink::{
    Clock, Config, Dataset, Keys, Provenance, Report, Store, Writer, WriterHandle,
    crypt::{AtRest, Keyring},
};
use parquet::arrow::arrow_reader::ArrowReaderOptions;

/// 2026-11-23T21:16:40Z.
pub const WALL_US: i64 = 1_795_468_600_000_000;
pub const BOOT_US: u64 = 1_000_000_000;
pub const DAY_US: u64 = 86_400_000_000;

pub fn keys() -> Keys {
    Keys::from_bytes([7; 32])
}

/// What opens what is sealed with [`keys`].
pub fn keyring() -> Keyring {
    Keyring::of(&keys())
}

/// The dataset at `root`, whose files are encrypted for the owner of [`keys`].
pub fn open(root: &Path) -> Dataset {
    let mut dataset = Dataset::create_or_open(root).unwrap();
    dataset.set_at_rest(AtRest::default().and(keys().own().public()));
    dataset
}

/// What crate parquet, or an engine on top of it, reads our files with.
pub fn reading() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_file_decryption_properties(keyring().decryption().unwrap())
}

pub fn provenance() -> Provenance {
    Provenance {
        host: "ab01".into(),
        boot: "b007".into(),
        subject: "cafe".into(),
        session: "d00d".into(),
        anchor: Anchor { boot: BootUs::new(BOOT_US), wall: WallUs::new(WALL_US) },
        clock: Clock::Boottime,
        level: Level::default(),
        notice_sha256: Some("11".into()),
        acknowledgement_sha256: Some("22".into()),
        policy_sha256: Some("33".into()),
        ledger_head: None,
    }
}

pub fn at(us: u64) -> BootUs {
    BootUs::new(BOOT_US + us)
}

pub fn mark(
    us: u64,
    kind: MarkKind,
    reason: &'static str,
    run: Option<i32>,
    device: Option<i16>,
) -> Row {
    Row::Mark(Mark {
        at: at(us),
        until: None,
        run: run.map(Run),
        device: device.map(DeviceId),
        kind,
        reason,
        lost: None,
    })
}

pub fn event(us: u64, run: i32, device: i16, what: What) -> Row {
    Row::Event(Event { at: at(us), run: Run(run), device: DeviceId(device), what })
}

pub fn motion(us: u64, run: i32, device: i16) -> Row {
    let dx = i32::try_from(us / 1000 % 17).unwrap() - 8;
    event(us, run, device, What::Motion { dx, dy: 3 })
}

pub fn key(us: u64, stroke: i32, down: bool) -> Row {
    event(
        us,
        1,
        1,
        What::Key { code: None, class: Some(KeyClass::Letter), down, stroke, inferred: false },
    )
}

pub fn touch(us: u64, contact: i32, phase: Phase) -> Row {
    Row::Touch(Touch {
        at: at(us),
        run: Run(3),
        device: DeviceId(3),
        contact,
        phase,
        x: Some(-5),
        y: Some(600),
        x_um: Some(1200),
        y_um: None,
        pressure: Some(40),
        tool: Tool::Finger,
        inferred: phase == Phase::Up,
    })
}

pub fn device(us: u64, id: i16) -> Row {
    let mut device = Device::empty(DeviceId(id));
    device.bus = 3;
    device.vendor = 0xffff;
    device.dpi = Some(1000);
    device.origin = Origin::Virtual;
    device.rels.set(codes::REL_X, true);
    device.rels.set(codes::REL_WHEEL, true);
    device.axes =
        vec![Axis { code: codes::ABS_X, min: -1, max: 10, fuzz: 0, flat: 0, resolution: 40 }];
    Row::Device(Box::new(DeviceRow { at: at(us), device }))
}

/// A sound session with a row of every variant, ordered by time.
pub fn session() -> Vec<Row> {
    let button = |us, down| {
        event(us, 2, 2, What::Button { code: codes::BTN_LEFT, down, stroke: 1, inferred: !down })
    };
    vec![
        device(0, 1),
        device(0, 2),
        device(0, 3),
        mark(0, MarkKind::Start, "asked", None, None),
        mark(0, MarkKind::Plug, "found", Some(1), Some(1)),
        mark(0, MarkKind::Plug, "found", Some(2), Some(2)),
        mark(0, MarkKind::Plug, "found", Some(3), Some(3)),
        key(1_000, 10, true),
        motion(2_000, 2, 2),
        event(2_500, 2, 2, What::Scroll { v_120: -120, h_120: 0 }),
        button(3_000, true),
        touch(3_500, 5, Phase::Down),
        key(4_000, 10, false),
        event(4_200, 1, 1, What::Switch { code: 0, down: true, inferred: false }),
        touch(4_500, 5, Phase::Move),
        touch(5_000, 5, Phase::Up),
        button(6_000, false),
        mark(7_000, MarkKind::Stop, "asked", None, None),
    ]
}

pub fn config(root: &Path) -> Config {
    let mut config = Config::new(root.join("dataset"), root.join("journal"));
    config.flush_after = Duration::from_millis(5);
    config.retry_after = Duration::from_millis(20);
    config.min_free_bytes = 0;
    config
}

pub fn spawn(store: Store) -> (WriterHandle, mpsc::Receiver<Report>) {
    let (reports, received) = mpsc::channel();
    let report = move |report| drop(reports.send(report));
    (Writer::spawn(store, Box::new(report)).unwrap(), received)
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
