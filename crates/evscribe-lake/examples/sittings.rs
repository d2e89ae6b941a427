//! Makes a lake of people who sat at workstations one after the other, as pulling
//! would have left it: to try and to measure merging, erasing, checking.
//!
//! ```text
//! sittings FOLDER HOSTS SITTINGS ROWS [PUBLIC-KEY]
//! ```
//! Each host has so many sittings of so many motions, 8 bytes a row; of two people,
//! by turns. Encrypted for that key and for the workstation's own, or plain.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a tool of the tests")]

use std::path::Path;

use evscribe_lake::{HostRecord, LakeFile, Place, Source};
use evscribe_model::{
    Anchor, BootUs, Device, DeviceId, DeviceRow, Event, Level, Mark, MarkKind, Row, Run, WallUs,
    What,
};
use evscribe_sink::crypt::{AtRest, SecretKey};
use evscribe_sink::{Clock, Dataset, Provenance, SegmentId, SegmentWriter};

/// 2026-11-23T00:00:00Z.
const WALL_US: i64 = 1_795_392_000_000_000;

/// What no compression makes smaller.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> i32 {
        // Source: Marsaglia, Xorshift RNGs, 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as i32
    }
}

fn provenance(host: &str, subject: &str) -> Provenance {
    Provenance {
        host: host.into(),
        boot: format!("b{host}"),
        subject: subject.into(),
        session: format!("s{subject}"),
        anchor: Anchor { boot: BootUs::new(0), wall: WallUs::new(WALL_US) },
        clock: Clock::Boottime,
        level: Level::default(),
        notice_sha256: Some("11".into()),
        acknowledgement_sha256: Some("22".into()),
        policy_sha256: Some("33".into()),
        ledger_head: None,
    }
}

fn mark(at_us: u64, kind: MarkKind, run: Option<i32>) -> Row {
    let device = run.map(|_| DeviceId(1));
    let (at, run) = (BootUs::new(at_us), run.map(Run));
    Row::Mark(Mark { at, until: None, run, device, kind, reason: "asked", lost: None })
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| given[at].parse::<u64>().unwrap();
    let (hosts, sittings, rows) = (number(1), number(2), number(3));
    let at_rest = match given.get(4) {
        None => AtRest::Plain,
        Some(key) => {
            let own = SecretKey::generate().unwrap().public();
            AtRest::default().and(key.parse().unwrap()).and(own)
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let lake = Path::new(&given[0]);
    for host in 0..hosts {
        let name = format!("a{host:03}");
        let mut record = HostRecord::new(&name, &format!("{name}.example"));
        let own = tempfile::tempdir_in(lake.parent().unwrap()).unwrap();
        let mut dataset = Dataset::create_or_open(own.path()).unwrap();
        dataset.set_at_rest(at_rest.clone());
        for sitting in 0..sittings {
            let subject = format!("{name}p{}", sitting % 2);
            let id = SegmentId::of(format!("{name} {sitting}").as_bytes());
            let mut segment =
                SegmentWriter::begin(&dataset, id, provenance(&name, &subject)).unwrap();
            let from_us = sitting * (rows + 10) * 100;
            let mut noise = Noise(from_us + host + 1);
            let run = i32::try_from(sitting).unwrap() + 1;
            let device = Device::empty(DeviceId(1));
            let at = BootUs::new(from_us);
            segment
                .write_rows(&[
                    Row::Device(Box::new(DeviceRow { at, device })),
                    mark(from_us, MarkKind::Start, None),
                    mark(from_us, MarkKind::Plug, Some(run)),
                ])
                .unwrap();
            let motion = |row: u64| {
                let what = What::Motion { dx: noise.next(), dy: noise.next() };
                let at = BootUs::new(from_us + 100 + row * 100);
                Row::Event(Event { at, run: Run(run), device: DeviceId(1), what })
            };
            let motions: Vec<Row> = (0..rows).map(motion).collect();
            segment.write_rows(&motions).unwrap();
            segment.write_rows(&[mark(from_us + (rows + 5) * 100, MarkKind::Stop, None)]).unwrap();
            for sealed in segment.finish(&mut dataset).unwrap() {
                let to = lake.join(&sealed.path);
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::rename(own.path().join(&sealed.path), to).unwrap();
                let file = LakeFile {
                    sha256: sealed.sha256.clone(),
                    bytes: sealed.bytes,
                    rows: sealed.rows,
                    encrypted: at_rest != AtRest::Plain,
                    sources: vec![Source { sealed: sealed.clone() }],
                };
                record.files.insert(sealed.path, file);
            }
        }
        let place = Place::open(&given[0], None).unwrap();
        runtime.block_on(record.write(&place)).unwrap();
    }
}
