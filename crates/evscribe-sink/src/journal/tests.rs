//! What is left of a journal after anything was done to it.

mod harms;

use std::{fs, path::Path, sync::LazyLock};

use arrow::{array::AsArray, datatypes::TimestampMicrosecondType};
use evscribe_model::{
    Anchor, BootUs, DeviceId, Event, Level, Mark, MarkKind, Row, Run, WallUs, What,
};
use proptest::prelude::*;

use super::*;
use crate::{
    Clock, Provenance, SinkError, Table,
    encode::{Encoder, wall_us},
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

fn batch(at_us: u64) -> JournalBatch {
    let mut encoder = Encoder::default();
    let at = BootUs::new(at_us);
    let what = What::Motion { dx: 1, dy: -1 };
    for _ in 0..=at_us % 3 {
        let row = Row::Event(Event { at, run: Run(1), device: DeviceId(1), what });
        encoder.push(&row, wall_us(&provenance().anchor, at).unwrap(), &provenance()).unwrap();
    }
    JournalBatch {
        table: Table::Events,
        batch: encoder.finish(Table::Events, &provenance()).unwrap(),
    }
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
        writer.append(&[batch(at_us)]).unwrap();
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
    writer.append(&[batch(1), batch(2)]).unwrap();
    writer.close().unwrap();
    fs::read(writer.path()).unwrap()
});

/// What is read: the times of the batches, the damages, whether it was closed.
fn read(directory: &Path, bytes: &[u8]) -> Result<(Vec<i64>, Vec<Damage>, bool), SinkError> {
    let path = directory.join("damaged.evj");
    fs::write(&path, bytes).unwrap();
    let mut reader = JournalReader::open(&path, &keys())?;
    let (mut times, mut damages, mut closed) = (Vec::new(), Vec::new(), false);
    while let Some(found) = reader.next()? {
        match found {
            Found::Batch(found) => {
                let column = found.batch.column(0).as_primitive::<TimestampMicrosecondType>();
                assert_eq!(found.batch, batch(u64::try_from(column.value(0)).unwrap()).batch);
                times.push(column.value(0));
            }
            Found::Damage(damage) => damages.push(damage),
            Found::Closed => closed = true,
        }
    }
    Ok((times, damages, closed))
}

fn all() -> Vec<i64> {
    (1..=i64::try_from(RECORDS).unwrap()).collect()
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
    writer.append(&[batch(1)]).unwrap();
    let length = writer.length();
    let full = "/dev/full";
    let whole = writer.replace_file(fs::OpenOptions::new().write(true).open(full).unwrap());
    let error = writer.append(&[batch(2)]).unwrap_err();
    assert_eq!(error.stall(), "disk_full");
    assert_eq!(writer.length(), length);
    drop(writer.replace_file(whole));
    writer.append(&[batch(3)]).unwrap();
    writer.close().unwrap();
    let bytes = fs::read(writer.path()).unwrap();
    let head = RecordHead::from_bytes(
        bytes[usize::try_from(length).unwrap()..][..RECORD_BYTES].try_into().unwrap(),
    );
    assert_eq!(head.map(|head| (head.sequence, head.attempt)), Some((2, 1)));
    assert_eq!(read(directory.path(), &bytes).unwrap(), (vec![1, 3], vec![], true));
}

#[test]
fn a_batch_larger_than_a_record_is_split() {
    let directory = tempfile::tempdir().unwrap();
    let mut encoder = Encoder::default();
    for at_us in 0..40_000 {
        let mark = Mark {
            at: BootUs::new(at_us),
            until: None,
            run: None,
            device: None,
            kind: MarkKind::Drop,
            reason: "some_reason",
            lost: Some(1),
        };
        encoder.push_mark(&mark, i64::try_from(at_us).unwrap(), None);
    }
    let batch = encoder.finish(Table::Marks, &provenance()).unwrap();
    let mut writer =
        JournalWriter::create(directory.path(), SegmentId::of(b"three"), &provenance(), &keys())
            .unwrap();
    writer.append(&[JournalBatch { table: Table::Marks, batch }]).unwrap();
    let mut reader = JournalReader::open(writer.path(), &keys()).unwrap();
    let mut rows = 0;
    let mut records = 0;
    while let Some(Found::Batch(found)) = reader.next().unwrap() {
        rows += found.batch.num_rows();
        records += 1;
    }
    assert_eq!(rows, 40_000);
    assert!(records > 1);
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
fn whole(bytes: &[u8]) -> Vec<i64> {
    let (journal, ends) = &*JOURNAL;
    let is_there = |record: &[u8]| bytes.windows(record.len()).any(|window| window == record);
    let spans = ends.windows(2).zip(1..);
    spans
        .filter(|(span, _)| is_there(&journal[span[0]..span[1]]))
        .map(|(_, number)| number)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prop_what_authenticates_is_kept_in_order_and_the_rest_is_reported(harms in prop::collection::vec(harm(JOURNAL.0.len()), 1..4)) {
        let directory = tempfile::tempdir().unwrap();
        let (bytes, _) = JOURNAL.clone();
        let mut damaged = bytes.clone();
        harms.iter().for_each(|harm| apply(&mut damaged, harm));
        let Ok((times, damages, closed)) = read(directory.path(), &damaged) else {
            return Ok(());
        };
        prop_assert_eq!(&times, &whole(&damaged), "what stands whole is read in order, once: {:?}", damages);
        if damaged != bytes {
            // Unless all that changed is the order, which is put right.
            let is_all_there = times == all() && damaged.len() == bytes.len();
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
        let touched = at..at + count.max(1);
        for (record, span) in ends.windows(2).enumerate() {
            let whole = span[1] <= touched.start || span[0] >= touched.end;
            prop_assert_eq!(times.contains(&(record as i64 + 1)), whole, "record {} {:?} {:?}", record + 1, span, touched.clone());
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
