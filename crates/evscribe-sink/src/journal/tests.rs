//! What is left of a journal after anything was done to it.

mod harms;

use std::{fs, path::Path, sync::LazyLock};

use evscribe_model::{
    Anchor, BootUs, Device, DeviceId, DeviceRow, Event, KeyClass, Level, Mark, MarkKind, Phase,
    Row, Run, Tool, Touch, WallUs, What,
};
use proptest::prelude::*;

use super::*;
use crate::{
    Clock, Provenance, SinkError,
    encode::{DeviceCells, MarkCells},
};
use harms::{Harm, apply, harm};

const RECORDS: u64 = 12;

fn provenance() -> Provenance {
    Provenance {
        host: "host".into(),
        boot: "boot".into(),
        subject: "subject".into(),
        session: "session".into(),
        anchor: Anchor { boot: BootUs::new(0), wall: WallUs::new(0) },
        clock: Clock::Boottime,
        level: Level::default(),
        notice_sha256: Some("aa".into()),
        acknowledgement_sha256: None,
        policy_sha256: None,
        ledger_head: None,
    }
}

fn events(at_us: u64) -> Vec<Event> {
    let at = BootUs::new(at_us);
    let what = What::Motion { dx: 1, dy: -1 };
    (0..=at_us % 3).map(|_| Event { at, run: Run(1), device: DeviceId(1), what }).collect()
}

fn waiting(rows: impl IntoIterator<Item = Row>) -> WaitingRows {
    let mut waiting = WaitingRows::default();
    rows.into_iter().for_each(|row| waiting.push(&row).unwrap());
    waiting
}

fn record(at_us: u64) -> WaitingRows {
    waiting(events(at_us).into_iter().map(Row::Event))
}

fn keys() -> Keys {
    Keys::from_bytes([1; 32])
}

/// A closed journal whose record n holds rows at time n, and where each record
/// ends; the first end is that of the headers.
static JOURNAL: LazyLock<(Vec<u8>, Vec<usize>)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let mut writer =
        JournalWriter::create(directory.path(), SegmentId::of(b"one"), &provenance(), &keys())
            .unwrap();
    let mut ends = vec![usize::try_from(writer.length()).unwrap()];
    for at_us in 1..=RECORDS {
        writer.append(&record(at_us)).unwrap();
        ends.push(usize::try_from(writer.length()).unwrap());
    }
    writer.close().unwrap();
    (fs::read(writer.path()).unwrap(), ends)
});

/// Another journal under the same key.
static OTHER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let id = SegmentId::of(b"other");
    let mut writer = JournalWriter::create(directory.path(), id, &provenance(), &keys()).unwrap();
    writer.append(&record(1)).unwrap();
    writer.append(&record(2)).unwrap();
    writer.close().unwrap();
    fs::read(writer.path()).unwrap()
});

/// What is read: the times of the records, the damages, whether it was closed.
fn read(directory: &Path, bytes: &[u8]) -> Result<(Vec<u64>, Vec<Damage>, bool), SinkError> {
    let path = directory.join("damaged.evj");
    fs::write(&path, bytes).unwrap();
    let mut reader = JournalReader::open(&path, &keys())?;
    let (mut times, mut damages, mut closed) = (Vec::new(), Vec::new(), false);
    while let Some(found) = reader.next()? {
        match found {
            Found::Rows => {
                let at_us = reader.rows().events[0].at.get();
                let expected = RecordRows { events: events(at_us), ..RecordRows::default() };
                assert_eq!(*reader.rows(), expected);
                times.push(at_us);
            }
            Found::Damage(damage) => damages.push(damage),
            Found::Closed => closed = true,
        }
    }
    Ok((times, damages, closed))
}

fn all() -> Vec<u64> {
    (1..=RECORDS).collect()
}

#[test]
fn a_whole_journal_gives_all_back_and_hides_its_words() {
    let directory = tempfile::tempdir().unwrap();
    let (bytes, _) = JOURNAL.clone();
    assert!(!bytes.windows(7).any(|window| window == b"subject" || window == b"session"));
    assert_eq!(read(directory.path(), &bytes).unwrap(), (all(), vec![], true));
}

#[test]
fn a_journal_without_its_end_is_not_closed() {
    let directory = tempfile::tempdir().unwrap();
    let (bytes, ends) = JOURNAL.clone();
    assert_eq!(
        read(directory.path(), &bytes[..ends[4]]).unwrap(),
        (vec![1, 2, 3, 4], vec![], false)
    );
    let torn = Damage { at: ends[4] as u64, bytes: 5, kind: DamageKind::Tail };
    assert_eq!(
        read(directory.path(), &bytes[..ends[4] + 5]).unwrap(),
        (vec![1, 2, 3, 4], vec![torn], false)
    );
}

#[test]
fn one_damaged_header_is_no_loss() {
    let directory = tempfile::tempdir().unwrap();
    let (mut bytes, ends) = JOURNAL.clone();
    bytes[20] ^= 4;
    let (times, damages, closed) = read(directory.path(), &bytes).unwrap();
    assert_eq!((times, closed), (all(), true));
    assert_eq!(damages, [Damage { at: 0, bytes: ends[0] as u64, kind: DamageKind::Stray }]);
    bytes[ends[0] / 2 + 20] ^= 4;
    assert!(matches!(read(directory.path(), &bytes), Err(SinkError::Journal { .. })));
}

#[test]
fn no_byte_of_a_header_changes_unnoticed() {
    let directory = tempfile::tempdir().unwrap();
    let (bytes, ends) = JOURNAL.clone();
    for at in 0..HEADER_BYTES {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let (times, damages, _) = read(directory.path(), &damaged).unwrap();
        let damage = Damage { at: 0, bytes: ends[0] as u64, kind: DamageKind::Stray };
        assert_eq!((times, damages), (all(), vec![damage]), "byte {at}");
    }
}

#[test]
fn a_failed_write_leaves_no_trace_and_no_nonce_is_used_twice() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer =
        JournalWriter::create(directory.path(), SegmentId::of(b"two"), &provenance(), &keys())
            .unwrap();
    writer.append(&record(1)).unwrap();
    let length = writer.length();
    let full = "/dev/full";
    let whole = writer.replace_file(fs::OpenOptions::new().write(true).open(full).unwrap());
    let error = writer.append(&record(2)).unwrap_err();
    assert_eq!(error.stall(), "disk_full");
    assert_eq!(writer.length(), length);
    drop(writer.replace_file(whole));
    writer.append(&record(3)).unwrap();
    writer.close().unwrap();
    let bytes = fs::read(writer.path()).unwrap();
    let head = RecordHead::from_bytes(
        bytes[usize::try_from(length).unwrap()..][..RECORD_BYTES].try_into().unwrap(),
    );
    assert_eq!(head.map(|head| (head.sequence, head.attempt)), Some((2, 1)));
    assert_eq!(read(directory.path(), &bytes).unwrap(), (vec![1, 3], vec![], true));
}

#[test]
fn rows_that_are_more_than_a_record_holds_are_split() {
    let directory = tempfile::tempdir().unwrap();
    let rows = (0..60_000).map(|at_us| {
        Row::Mark(Mark {
            at: BootUs::new(at_us),
            until: None,
            run: None,
            device: None,
            kind: MarkKind::Drop,
            reason: "some_reason_that_is_long",
            lost: Some(1),
        })
    });
    let mut writer =
        JournalWriter::create(directory.path(), SegmentId::of(b"three"), &provenance(), &keys())
            .unwrap();
    writer.append(&waiting(rows)).unwrap();
    let mut reader = JournalReader::open(writer.path(), &keys()).unwrap();
    let (mut rows, mut records) = (0, 0);
    while let Some(Found::Rows) = reader.next().unwrap() {
        rows += reader.rows().count();
        records += 1;
    }
    assert_eq!(rows, 60_000);
    assert!(records > 1);
}

#[test]
fn a_journal_of_another_version_is_told_from_a_damaged_one() {
    let directory = tempfile::tempdir().unwrap();
    let (mut bytes, ends) = JOURNAL.clone();
    for header in [0, ends[0] / 2] {
        bytes[header + HEADER_MAGIC.len()] = 1;
    }
    let read = read(directory.path(), &bytes);
    assert!(matches!(read, Err(SinkError::JournalVersion { found: 1, .. })), "{read:?}");
}

fn any_event() -> impl Strategy<Value = What> {
    let code = any::<u16>();
    let class = prop::option::of(prop::sample::select(KeyClass::ALL.to_vec()));
    prop_oneof![
        any::<(i32, i32)>().prop_map(|(dx, dy)| What::Motion { dx, dy }),
        (-70..70, -70..70).prop_map(|(dx, dy)| What::Motion { dx, dy }),
        any::<(i32, i32)>().prop_map(|(v_120, h_120)| What::Scroll { v_120, h_120 }),
        (code, any::<bool>(), any::<i32>(), any::<bool>()).prop_map(
            |(code, down, stroke, inferred)| What::Button { code, down, stroke, inferred }
        ),
        (prop::option::of(code), class, any::<bool>(), any::<i32>(), any::<bool>()).prop_map(
            |(code, class, down, stroke, inferred)| What::Key {
                code,
                class,
                down,
                stroke,
                inferred
            }
        ),
        (code, any::<bool>(), any::<bool>()).prop_map(|(code, down, inferred)| What::Switch {
            code,
            down,
            inferred
        }),
    ]
}

/// Any row of any table, at any time: the journal does not ask for an order.
fn any_row() -> impl Strategy<Value = Row> {
    let at = || prop_oneof![0..20_000_u64, any::<u64>()].prop_map(BootUs::new);
    let run = || prop_oneof![Just(1), any::<i32>()].prop_map(Run);
    let device = || prop_oneof![Just(1), any::<i16>()].prop_map(DeviceId);
    let phase = prop::sample::select(Phase::ALL.to_vec());
    let tool = prop::sample::select(Tool::ALL.to_vec());
    let mark = prop::sample::select(MarkKind::ALL.to_vec());
    let place = || any::<Option<i32>>();
    let places = (place(), place(), place(), place(), place());
    use prop::option::of;
    prop_oneof![
        4 => (at(), run(), device(), any_event())
            .prop_map(|(at, run, device, what)| Row::Event(Event { at, run, device, what })),
        2 => (at(), run(), device(), any::<i32>(), phase, places, tool, any::<bool>()).prop_map(
            |(at, run, device, contact, phase, (x, y, x_um, y_um, pressure), tool, inferred)| {
                Row::Touch(Touch {
                    at, run, device, contact, phase, x, y, x_um, y_um, pressure, tool, inferred,
                })
            }
        ),
        1 => (at(), of(at()), of(run()), of(device()), mark, any::<Option<u64>>())
            .prop_map(|(at, until, run, device, kind, lost)| {
                Row::Mark(Mark { at, until, run, device, kind, reason: "reason", lost })
            }),
        1 => (at(), device(), any::<Option<String>>()).prop_map(|(at, id, name)| {
            let device = Device { name, ..Device::empty(id) };
            Row::Device(Box::new(DeviceRow { at, device }))
        }),
    ]
}

fn split(rows: &[Row]) -> RecordRows {
    let mut split = RecordRows::default();
    for row in rows {
        match row {
            Row::Event(row) => split.events.push(*row),
            Row::Touch(row) => split.touch.push(*row),
            Row::Mark(row) => split.marks.push(MarkCells::from(row)),
            Row::Device(row) => split.devices.push(DeviceCells::of(row)),
        }
    }
    split
}

/// The journal's records in that order, then its end.
fn reordered(order: &[usize]) -> Vec<u8> {
    let (bytes, ends) = &*JOURNAL;
    let mut out = bytes[..ends[0]].to_vec();
    order.iter().for_each(|record| out.extend(&bytes[ends[record - 1]..ends[*record]]));
    out.extend(&bytes[ends[RECORDS as usize]..]);
    out
}

#[test]
fn a_record_that_stands_elsewhere_is_read_in_its_turn() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = reordered(&[1, 2, 12, 4, 5, 6, 7, 3, 8, 9, 10, 11]);
    assert_eq!(read(directory.path(), &bytes).unwrap(), (all(), vec![], true));
}

#[test]
fn a_late_record_that_stands_early_once_more_costs_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = reordered(&[12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let (times, damages, closed) = read(directory.path(), &bytes).unwrap();
    assert_eq!((times, closed), (all(), true));
    let [damage] = damages[..] else { panic!("{damages:?}") };
    let (_, ends) = &*JOURNAL;
    let twelfth = (ends[12] - ends[11]) as u64;
    assert_eq!(damage, Damage { at: ends[12] as u64, bytes: twelfth, kind: DamageKind::Repeated });
}

#[test]
fn another_journal_behind_this_one_is_reported_and_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let (mut bytes, _) = JOURNAL.clone();
    let at = bytes.len() as u64;
    bytes.extend(&*OTHER);
    let kind = DamageKind::Tail;
    let damage = Damage { at, bytes: OTHER.len() as u64, kind };
    assert_eq!(read(directory.path(), &bytes).unwrap(), (all(), vec![damage], true));
}

/// The records that stand whole somewhere in `bytes`, by number.
fn whole(bytes: &[u8]) -> Vec<u64> {
    let (journal, ends) = &*JOURNAL;
    let is_there = |record: &[u8]| bytes.windows(record.len()).any(|window| window == record);
    let spans = ends.windows(2).zip(1..);
    spans
        .filter(|(span, _)| is_there(&journal[span[0]..span[1]]))
        .map(|(_, number)| number)
        .collect()
}

/// Where the first header of `journal` stands whole in `bytes`; behind it, if none.
fn begins(bytes: &[u8], journal: &[u8]) -> usize {
    let header = &journal[..JOURNAL.1[0] / 2];
    bytes.windows(header.len()).position(|window| window == header).unwrap_or(bytes.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn prop_rows_come_back_from_a_payload(rows in prop::collection::vec(any_row(), 1..40), noise in any::<(usize, u8)>()) {
        let waiting = waiting(rows.iter().cloned());
        let mut payload = Vec::new();
        waiting.payloads().for_each(|part| part.put(&mut payload));
        let mut back = RecordRows::default();
        prop_assert_eq!(back.unpack(&payload), Some(()));
        prop_assert_eq!(&back, &split(&rows));
        let place = noise.0 % payload.len();
        payload[place] ^= noise.1;
        let _ = back.unpack(&payload);
    }

    #[test]
    fn prop_what_authenticates_is_kept_in_order_and_the_rest_is_reported(harms in prop::collection::vec(harm(JOURNAL.0.len()), 1..4)) {
        let directory = tempfile::tempdir().unwrap();
        let (bytes, _) = JOURNAL.clone();
        let mut damaged = bytes.clone();
        harms.iter().for_each(|harm| apply(&mut damaged, harm));
        // Whose it is is told by the first header that is whole, a stranger's too.
        prop_assume!(begins(&damaged, &bytes) < begins(&damaged, &OTHER));
        let Ok((times, damages, closed)) = read(directory.path(), &damaged) else {
            return Ok(());
        };
        // What stands before the header is not looked at.
        let behind = &damaged[begins(&damaged, &bytes)..];
        prop_assert_eq!(&times, &whole(behind), "what stands whole is read in order, once: {:?}", damages);
        if damaged != bytes {
            // Unless all that changed is the order, which is put right, or that one of
            // two equal headers is gone.
            let spare = JOURNAL.1[0] / 2;
            let is_all_there = times == all() && [0, spare].contains(&bytes.len().abs_diff(damaged.len()));
            prop_assert!(!damages.is_empty() || !closed || is_all_there, "the damage is reported");
        }
        if times != all() {
            let hole = damages.iter().any(|damage| matches!(damage.kind, DamageKind::Hole | DamageKind::Tail));
            prop_assert!(hole || !closed, "the loss is reported: {times:?} {damages:?}");
        }
        for (before, after) in damages.iter().zip(damages.iter().skip(1)) {
            prop_assert!(before.at + before.bytes <= after.at || before.at > after.at, "{damages:?}");
        }
        // Each byte is of a header, of a record that was read, or reported.
        let read: usize = times.iter().map(|time| JOURNAL.1[*time as usize] - JOURNAL.1[*time as usize - 1]).sum();
        let closing = if closed { bytes.len() - JOURNAL.1[RECORDS as usize] } else { 0 };
        let reported: u64 = damages.iter().map(|damage| damage.bytes).sum();
        let headers = damaged.len() - read - closing - reported as usize;
        prop_assert!([0, JOURNAL.1[0] / 2, JOURNAL.1[0]].contains(&headers), "{headers} bytes are told nowhere: {damages:?}");
    }

    #[test]
    fn prop_records_that_were_not_touched_are_kept(at in 0..20_000_usize, count in 0..1500_usize, bit in 0..8_u8) {
        let directory = tempfile::tempdir().unwrap();
        let (bytes, ends) = JOURNAL.clone();
        let at = ends[0] + at % (bytes.len() - ends[0]);
        let mut damaged = bytes.clone();
        // Without a count it is a flip, otherwise a cut.
        let harm = if count == 0 { Harm::Flip(at, bit) } else { Harm::Cut(at, count) };
        apply(&mut damaged, &harm);
        let (times, _, _) = read(directory.path(), &damaged).unwrap();
        for (record, span) in ends.windows(2).enumerate() {
            // Of two that are cut into each other one may come out whole.
            let bytes = &bytes[span[0]..span[1]];
            let whole = damaged.windows(bytes.len()).any(|window| window == bytes);
            prop_assert_eq!(times.contains(&(record as u64 + 1)), whole, "record {} {:?}", record + 1, span);
        }
    }

    #[test]
    fn prop_noise_is_no_journal_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let directory = tempfile::tempdir().unwrap();
        prop_assert!(read(directory.path(), &bytes).is_err());
        let (mut whole, ends) = JOURNAL.clone();
        whole.truncate(ends[0]);
        whole.extend(&bytes);
        let (times, ..) = read(directory.path(), &whole).unwrap();
        prop_assert!(times.is_empty());
    }
}
