//! Forgetting through the writer: what goes, what stays, and that the dataset
//! holds afterwards.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::Path,
    time::Duration,
};

use evscribe_model::{MarkKind, Phase, Row, Tool, Touch, WallUs, What};
use evscribe_sink::{
    Command, Config, Forget, Forgotten, Report, SinkError, Table, WriterHandle, inspect, recover,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;

fn with_ledger(root: &Path) -> Config {
    Config { ledger: Some(root.join("ledger.jsonl")), ..config(root) }
}

fn forget(span: Range<u64>) -> Forget {
    let wall = |us: u64| WALL_US + i64::try_from(us).unwrap();
    Forget {
        ticket: 7,
        subjects: vec!["cafe".into()],
        from_us: wall(span.start),
        until_us: wall(span.end),
        fresh_run: 1000,
        runs: 100,
        reason: "person_asked",
        erase: false,
    }
}

fn send(handle: &WriterHandle, command: Command) {
    handle.try_send(command).unwrap();
}

fn outcome(reports: &std::sync::mpsc::Receiver<Report>) -> Result<Forgotten, String> {
    loop {
        match reports.recv_timeout(Duration::from_secs(30)).unwrap() {
            Report::Forgotten { ticket: 7, outcome } => return outcome,
            Report::Forgotten { .. } => panic!("another ticket"),
            _ => {}
        }
    }
}

/// Writes the segments, forgets, and ends the writer.
fn forgotten(root: &Path, segments: &[Vec<Row>], forget: Forget) -> Result<Forgotten, String> {
    let (store, _) = recover(with_ledger(root), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    for (place, rows) in segments.iter().enumerate() {
        send(&handle, Command::Begin(Box::new(provenance())));
        send(&handle, Command::Rows(rows.clone()));
        if place + 1 < segments.len() {
            send(&handle, Command::Seal);
        }
    }
    send(&handle, Command::Forget(Box::new(forget)));
    let outcome = outcome(&reports);
    handle.stop().unwrap();
    outcome
}

fn table(root: &Path, table: Table) -> Vec<Vec<Value>> {
    inspect::head(&root.join("dataset"), usize::MAX, table, &keyring()).unwrap().rows
}

/// Microseconds since the start, of a row of `head`.
fn time(row: &[Value]) -> u64 {
    let at: jiff::Timestamp = row[1].as_str().unwrap().parse().unwrap();
    u64::try_from(at.as_microsecond() - WALL_US).unwrap()
}

fn assert_sound(root: &Path) {
    let report = inspect::verify(&root.join("dataset"), &keyring()).unwrap();
    assert!(report.is_sound(), "{:#?}", report.problems);
    let ledger = evscribe_sink::ledger::verify_with_dataset(
        &root.join("ledger.jsonl"),
        &root.join("dataset"),
        &keyring(),
    );
    assert!(ledger.is_ok(), "{ledger:?}");
}

#[test]
fn what_is_only_in_the_journal_is_forgotten_too() {
    let root = tempfile::tempdir().unwrap();
    let outcome = forgotten(root.path(), &[session()], forget(2_000..4_200)).unwrap();
    // Motion, scroll, button down and up behind it, contact down, move and up,
    // key up; the press of the key stays.
    assert_eq!(outcome, Forgotten { rows: 8, files: 2 });
    assert_sound(root.path());
    let left: Vec<u64> = table(root.path(), Table::Events).iter().map(|row| time(row)).collect();
    assert_eq!(left, [1_000, 4_200]);
    assert!(table(root.path(), Table::Touch).is_empty());
}

#[test]
fn a_span_without_rows_changes_no_file_and_is_in_the_ledger() {
    let root = tempfile::tempdir().unwrap();
    let outcome = forgotten(root.path(), &[session()], forget(9_000_000..10_000_000)).unwrap();
    assert_eq!(outcome, Forgotten::default());
    assert!(!root.path().join("dataset/tombstones.jsonl").exists());
    let ledger = fs::read_to_string(root.path().join("ledger.jsonl")).unwrap();
    assert!(ledger.lines().last().unwrap().contains(r#""fact":"forgotten","subject":"cafe""#));
    assert_sound(root.path());
}

#[test]
fn a_span_without_end_tells_nothing_about_when_they_ended() {
    let root = tempfile::tempdir().unwrap();
    let everything = Forget { from_us: i64::MIN, until_us: i64::MAX, ..forget(0..1) };
    forgotten(root.path(), &[session()], everything).unwrap();
    assert_sound(root.path());
    assert!(table(root.path(), Table::Events).is_empty());
    let marks = table(root.path(), Table::Marks);
    let forget = marks.iter().find(|row| row[7] == json!("forget")).unwrap();
    assert_eq!((time(forget), forget[2].as_str().unwrap()), (0, "2026-11-23T21:16:40.007001Z"));
}

#[test]
fn to_now_reaches_what_a_clock_that_was_set_back_left_in_the_future() {
    let root = tempfile::tempdir().unwrap();
    let now_us = jiff::Timestamp::now().as_microsecond();
    let hour_us = 3_600_000_000;
    let mut ahead = provenance();
    ahead.anchor.wall = WallUs::new(now_us + hour_us);
    let (store, _) = recover(with_ledger(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    send(&handle, Command::Begin(Box::new(ahead)));
    send(&handle, Command::Rows(session()));
    let to_now = Forget { from_us: now_us - hour_us, until_us: i64::MAX, ..forget(0..1) };
    send(&handle, Command::Forget(Box::new(to_now)));
    assert!(outcome(&reports).unwrap().rows > 0);
    handle.stop().unwrap();
    assert_sound(root.path());
    assert!(table(root.path(), Table::Events).is_empty());
}

#[test]
fn a_pen_that_stays_near_over_the_span_loses_no_more_than_its_touch() {
    let root = tempfile::tempdir().unwrap();
    let pen = |us, phase| {
        let Row::Touch(like) = touch(us, 8, phase) else { panic!() };
        Row::Touch(Touch { tool: Tool::Pen, ..like })
    };
    let mut rows = session();
    rows.pop();
    rows.extend([
        pen(10_000, Phase::Hover),
        pen(20_000, Phase::Down),
        pen(30_000, Phase::Move),
        pen(30_500, Phase::Up),
        pen(31_000, Phase::Hover),
        pen(32_000, Phase::Down),
        pen(33_000, Phase::Up),
        pen(34_000, Phase::Leave),
    ]);
    forgotten(root.path(), &[rows], forget(15_000..25_000)).unwrap();
    assert_sound(root.path());
    let left: Vec<(u64, Value)> = table(root.path(), Table::Touch)
        .iter()
        .filter(|row| row[6] == json!(8))
        .map(|row| (time(row) / 1_000, row[7].clone()))
        .collect();
    let expected = [(10, "hover"), (31, "hover"), (32, "down"), (33, "up"), (34, "leave")];
    assert_eq!(left, expected.map(|(ms, phase)| (ms, json!(phase))));
}

#[test]
fn two_spans_one_after_the_other_leave_a_sound_dataset() {
    let root = tempfile::tempdir().unwrap();
    let rows = |from: u64| (0..100).map(move |row| motion(from + row * 100, 2, 2));
    let mut first = session();
    first.pop();
    first.extend(rows(10_000));
    forgotten(root.path(), &[first, rows(20_000).collect()], forget(12_000..14_000)).unwrap();
    let (store, _) = recover(with_ledger(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    let again = Forget { fresh_run: 2000, ..forget(13_000..22_000) };
    send(&handle, Command::Forget(Box::new(again)));
    assert_eq!(outcome(&reports).unwrap().rows, 80);
    handle.stop().unwrap();
    assert_sound(root.path());
    let runs: Vec<i64> = table(root.path(), Table::Events)
        .iter()
        .filter(|row| row[5] == json!(2) && time(row) >= 10_000)
        .map(|row| row[4].as_i64().unwrap())
        .collect();
    assert_eq!(runs, [vec![2; 20], vec![2000; 80]].concat());
}

#[test]
fn a_journal_found_damaged_does_not_bring_back_what_was_forgotten() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(with_ledger(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    send(&handle, Command::Begin(Box::new(provenance())));
    let mut sent = 0;
    let mut rows = session();
    rows.pop();
    for part in
        [rows, (0..50).map(|row| motion(10_000 + row, 2, 2)).collect(), vec![motion(20_000, 2, 2)]]
    {
        sent += part.len() as u64;
        send(&handle, Command::Rows(part));
        while handle.counters().journal_rows < sent {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let journal =
        fs::read_dir(root.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&journal, bytes).unwrap();
    send(&handle, Command::Forget(Box::new(forget(9_000..30_000))));
    assert!(outcome(&reports).is_ok());
    assert!(!journal.exists(), "it was sealed with fresh runs, not left for the next start");
    handle.stop().unwrap();
    assert_sound(root.path());
    assert!(table(root.path(), Table::Events).iter().all(|row| time(row) < 9_000));
}

#[test]
fn a_journal_that_cannot_be_read_keeps_it_from_being_called_forgotten() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(with_ledger(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    send(&handle, Command::Begin(Box::new(provenance())));
    send(&handle, Command::Rows(session()));
    send(&handle, Command::Seal);
    let aside = root.path().join("journal/0123456789abcdef.evj.unreadable");
    fs::write(&aside, b"sealed under another key").unwrap();
    send(&handle, Command::Forget(Box::new(forget(0..1_000_000))));
    let why = outcome(&reports).unwrap_err();
    assert!(why.contains("0123456789abcdef.evj.unreadable"), "{why}");
    handle.stop().unwrap();
    assert!(table(root.path(), Table::Events).is_empty(), "what can be read is gone at once");
    let (store, recovery) = recover(with_ledger(root.path()), keys(), &mut 1).unwrap();
    drop(store);
    assert_eq!((recovery.forgotten.len(), recovery.unforgotten.len()), (0, 1));
    fs::remove_file(aside).unwrap();
    let (store, recovery) = recover(with_ledger(root.path()), keys(), &mut 1).unwrap();
    drop(store);
    assert_eq!((recovery.forgotten.len(), recovery.unforgotten.len()), (1, 0));
    assert_sound(root.path());
}

#[test]
fn a_request_that_cannot_be_read_keeps_the_writer_from_starting_and_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let request = root.path().join("forget/0123456789abcdef.json");
    fs::create_dir(root.path().join("forget")).unwrap();
    for text in ["", "{\"id\":7}"] {
        fs::write(&request, text).unwrap();
        let error = recover(with_ledger(root.path()), keys(), &mut 1).unwrap_err();
        let words = error.to_string();
        assert!(matches!(error, SinkError::Intent { .. }));
        assert!(words.starts_with(request.to_str().unwrap()), "{words}");
        assert!(words.contains("nothing is recorded") && words.contains("ask again"), "{words}");
    }
    fs::remove_file(request).unwrap();
    assert!(recover(with_ledger(root.path()), keys(), &mut 1).is_ok());
}

/// What somebody does next, on one of three devices.
#[derive(Clone, Copy, Debug)]
enum Act {
    Move,
    Key,
    Finger,
    /// A loss: the device's next rows are of a fresh run.
    Loss(i16),
    Seal,
}

fn acts() -> impl Strategy<Value = Vec<(Act, u64)>> {
    let act = prop_oneof![
        8 => Just(Act::Move),
        6 => Just(Act::Key),
        6 => Just(Act::Finger),
        1 => (1..=3_i16).prop_map(Act::Loss),
        1 => Just(Act::Seal),
    ];
    prop::collection::vec((act, 1..900_u64), 1..150)
}

/// Segments of rows: a sound session of what was done.
fn played(acts: &[(Act, u64)]) -> Vec<Vec<Row>> {
    let mut segments = vec![session()[..7].to_vec()];
    let (mut at_us, mut runs, mut next_run) = (1_000, [1, 2, 3], 4);
    let (mut stroke, mut contact) = (100, 100);
    let (mut down, mut touching): (Vec<i32>, Option<i32>) = (Vec::new(), None);
    for (act, later_us) in acts {
        at_us += later_us;
        let row = match act {
            Act::Move => motion(at_us, runs[1], 2),
            Act::Key if down.len() < 2 => {
                stroke += 1;
                down.push(stroke);
                pressed(at_us, runs[0], stroke, true)
            }
            Act::Key => pressed(at_us, runs[0], down.remove(0), false),
            Act::Finger => {
                let phase = match touching {
                    None => Phase::Down,
                    Some(_) if at_us % 3 == 0 => Phase::Up,
                    Some(_) => Phase::Move,
                };
                contact += i32::from(phase == Phase::Down);
                touching = (phase != Phase::Up).then_some(contact);
                let Row::Touch(like) = touch(at_us, contact, phase) else { panic!() };
                Row::Touch(Touch { run: evscribe_model::Run(runs[2]), ..like })
            }
            Act::Loss(device) => {
                runs[usize::try_from(*device).unwrap() - 1] = next_run;
                next_run += 1;
                mark(at_us, MarkKind::Drop, "kernel_buffer", Some(next_run - 1), Some(*device))
            }
            Act::Seal => {
                segments.push(Vec::new());
                continue;
            }
        };
        segments.last_mut().unwrap().push(row);
    }
    segments.retain(|rows| !rows.is_empty());
    segments
}

fn pressed(us: u64, run: i32, stroke: i32, down: bool) -> Row {
    event(us, run, 1, What::Key { code: None, class: None, down, stroke, inferred: false })
}

/// What must be left: the time and number of each row, and its run before.
fn left(segments: &[Vec<Row>], span: &Range<u64>) -> BTreeMap<(u64, i16, i32), i32> {
    let mut left = BTreeMap::new();
    let (mut gone, mut lifted) = (BTreeSet::new(), BTreeSet::new());
    for row in segments.iter().flatten() {
        let us = row.at().get() - BOOT_US;
        let is_inside = span.contains(&us);
        match row {
            Row::Event(row) => {
                let stroke = match row.what {
                    What::Key { stroke, down, .. } => Some((stroke, down)),
                    _ => None,
                };
                if let Some((stroke, true)) = stroke
                    && is_inside
                {
                    gone.insert(stroke);
                }
                let goes = is_inside || stroke.is_some_and(|(s, down)| !down && gone.contains(&s));
                if !goes {
                    left.insert((us, row.device.0, stroke.map_or(0, |(s, _)| s)), row.run.0);
                }
            }
            Row::Touch(row) => {
                if is_inside && row.phase == Phase::Down {
                    lifted.insert(row.contact);
                }
                if !is_inside && !lifted.contains(&row.contact) {
                    left.insert((us, row.device.0, row.contact), row.run.0);
                }
            }
            _ => {}
        }
    }
    left
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn prop_exactly_the_span_and_what_dangles_goes(
        acts in acts(),
        begin in 0..60_000_u64,
        length in 1..30_000_u64,
    ) {
        let root = tempfile::tempdir().unwrap();
        let (segments, span) = (played(&acts), begin..begin + length);
        let outcome = forgotten(root.path(), &segments, forget(span.clone())).unwrap();
        let report = inspect::verify(&root.path().join("dataset"), &keyring()).unwrap();
        prop_assert!(report.is_sound(), "{:#?}", report.problems);
        let mut found = BTreeMap::new();
        for row in table(root.path(), Table::Events) {
            let stroke = row[14].as_i64().unwrap_or(0);
            found.insert((time(&row), row[5].as_i64().unwrap(), stroke), row[4].as_i64().unwrap());
        }
        for row in table(root.path(), Table::Touch) {
            let key = (time(&row), row[5].as_i64().unwrap(), row[6].as_i64().unwrap());
            found.insert(key, row[4].as_i64().unwrap());
        }
        let expected = left(&segments, &span);
        let keys = |of: (u64, i16, i32)| (of.0, i64::from(of.1), i64::from(of.2));
        prop_assert_eq!(
            found.keys().copied().collect::<Vec<_>>(),
            expected.keys().copied().map(keys).collect::<Vec<_>>()
        );
        let count = segments.iter().flatten().filter(|row| matches!(row, Row::Event(_) | Row::Touch(_))).count();
        prop_assert_eq!(outcome.rows, (count - expected.len()) as u64);
        // No run is on both sides, and behind it rows stay together as they were.
        let mut sides: BTreeMap<i64, BTreeSet<bool>> = BTreeMap::new();
        let mut pairs = BTreeSet::new();
        for ((key, run), was) in found.iter().zip(expected.values()) {
            let is_behind = key.0 >= span.end;
            sides.entry(*run).or_default().insert(is_behind);
            pairs.insert((is_behind, *was, *run));
        }
        if outcome.rows > 0 {
            prop_assert!(sides.values().all(|sides| sides.len() == 1), "{sides:?}");
        }
        let olds: BTreeSet<(bool, i32)> = pairs.iter().map(|(side, was, _)| (*side, *was)).collect();
        let news: BTreeSet<i64> = pairs.iter().map(|(_, _, run)| *run).collect();
        prop_assert_eq!((olds.len(), pairs.len()), (pairs.len(), if outcome.rows > 0 { news.len() } else { olds.len() }));
    }
}
