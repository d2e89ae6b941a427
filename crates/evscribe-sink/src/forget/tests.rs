//! A kill between any two things that are done to the disk ends in forgotten.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use evscribe_model::{MarkKind, Phase, Row};
use serde_json::{Value, json};

use super::{Forget, Forgotten, Fulfilled, Intent};
use crate::support::*;
use crate::{
    Command, Config, Provenance, Table, disk, inspect,
    journal::{JournalWriter, WaitingRows},
    ledger, recover,
};

fn with_ledger(root: &Path) -> Config {
    Config { ledger: Some(root.join("ledger.jsonl")), ..config(root) }
}

/// Three segments of one session, then another person's.
fn scene(root: &Path) {
    let (store, _) = recover(with_ledger(root), keys(), &mut 1).unwrap();
    let (handle, _reports) = spawn(store);
    let send = |command| handle.try_send(command).unwrap();
    let begin = || send(Command::Begin(Box::new(provenance())));
    begin();
    let mut first = session();
    first.pop();
    let motions = |from: u64| (0..40).map(move |row| motion(from + row * 100, 2, 2));
    first.extend(motions(10_000));
    // Down in the span, up behind it; and the other way round.
    first.extend([key(15_000, 11, true), touch(15_100, 6, Phase::Down)]);
    send(Command::Rows(first));
    send(Command::Seal);
    begin();
    let mut second: Vec<Row> = motions(20_000).collect();
    second.extend([key(25_000, 12, true), touch(25_100, 7, Phase::Down), key(26_000, 11, false)]);
    second.extend([touch(26_100, 6, Phase::Move), touch(26_200, 6, Phase::Up)]);
    send(Command::Rows(second));
    send(Command::Seal);
    begin();
    let mut third: Vec<Row> = motions(30_000).collect();
    third.extend([key(35_000, 12, false), touch(35_100, 7, Phase::Move)]);
    third.extend([touch(35_200, 7, Phase::Up), key(36_000, 13, true), key(36_100, 13, false)]);
    third.push(mark(40_000, MarkKind::Switch, "switch", None, None));
    send(Command::Rows(third));
    let other = Provenance { subject: "beef".into(), session: "feed".into(), ..provenance() };
    send(Command::Begin(Box::new(other)));
    let plug = mark(50_000, MarkKind::Plug, "found", Some(9), Some(2));
    send(Command::Rows(vec![plug, motion(50_000, 9, 2), motion(51_000, 9, 2)]));
    handle.stop().unwrap();
}

fn wall(us: i64) -> i64 {
    WALL_US + us
}

fn forget(erase: bool) -> Forget {
    Forget {
        ticket: 7,
        subjects: vec!["cafe".into()],
        from_us: wall(20_000),
        until_us: wall(30_000),
        fresh_run: 100,
        runs: 10,
        reason: "person_asked",
        erase,
    }
}

/// All rows of a dataset, without their runs.
fn rows(root: &Path) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for table in Table::ALL {
        let head = inspect::head(&root.join("dataset"), usize::MAX, table, &keyring()).unwrap();
        let run = head.columns.iter().position(|column| column == "run");
        for mut row in head.rows {
            if let Some(run) = run {
                row[run] = Value::Null;
            }
            row.push(json!(table.name()));
            all.push(row);
        }
    }
    all.sort_by_key(|row| serde_json::to_string(row).unwrap());
    all
}

fn assert_whole(root: &Path) {
    let report = inspect::verify(&root.join("dataset"), &keyring()).unwrap();
    assert!(report.is_sound(), "{}: {:#?}", root.display(), report.problems);
    assert!(report.unfinished.is_empty());
    let left = fs::read_dir(root.join("forget")).map_or(0, |entries| {
        let whole = |entry: &fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
        entries.filter(|entry| whole(entry.as_ref().unwrap())).count()
    });
    assert_eq!(left, 0, "no intent is left in {}", root.display());
    let verified =
        ledger::verify_with_dataset(&root.join("ledger.jsonl"), &root.join("dataset"), &keyring());
    assert!(verified.is_ok(), "{}: {verified:?}", root.display());
}

/// Lines of the ledger that tell of what was forgotten, by file.
fn told(root: &Path) -> Vec<(Value, Value)> {
    let text = fs::read_to_string(root.join("ledger.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let about = |line: &Value| line["fact"] == "forgotten" || line["fact"] == "erased";
    lines.filter(about).map(|line| (line["file"].clone(), line["rows"].clone())).collect()
}

fn forget_watched(root: &Path, copies: &Path, erase: bool) -> (Forgotten, Vec<PathBuf>) {
    let (mut store, _) = recover(with_ledger(root), keys(), &mut 10).unwrap();
    let intent = Intent::new(&forget(erase)).unwrap();
    let mut done = None;
    let killed = disk::steps::copied(root, copies, || {
        store.save_intent(&intent).unwrap();
        done = Some(store.fulfil(&intent.id, None).unwrap());
    });
    let Some(Fulfilled::Done(forgotten)) = done else { panic!("{done:?}") };
    (forgotten, killed)
}

fn forgotten(root: &Path, erase: bool) -> Forgotten {
    let copies = tempfile::tempdir().unwrap();
    forget_watched(root, copies.path(), erase).0
}

#[test]
fn a_kill_at_any_step_ends_in_forgotten_and_never_in_half() {
    for erase in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let (place, copies) = (root.path().join("place"), root.path().join("copies"));
        scene(&place);
        assert_whole(&place);
        let before = rows(&place);
        let (forgotten, killed) = forget_watched(&place, &copies, erase);
        assert_whole(&place);
        let after = rows(&place);
        let told_once = told(&place);
        assert!(killed.len() > 20, "{}", killed.len());
        let mut is_forgotten = false;
        for (step, killed) in killed.iter().enumerate() {
            let is_intended = is_intended(killed);
            let (store, recovery) = recover(with_ledger(killed), keys(), &mut 10).unwrap();
            drop(store);
            assert_eq!(recovery.unforgotten, [""; 0], "step {step}");
            assert_eq!(recovery.forgotten, vec![forgotten; usize::from(is_intended)]);
            assert_whole(killed);
            is_forgotten |= is_intended;
            let expected = if is_forgotten { &after } else { &before };
            assert_eq!(&rows(killed), expected, "step {step}");
            if is_forgotten {
                assert_eq!(told(killed), told_once, "step {step}");
            }
        }
        assert!(is_forgotten);
    }
}

fn is_intended(root: &Path) -> bool {
    let Ok(entries) = fs::read_dir(root.join("forget")) else { return false };
    let mut names = entries.map(|entry| entry.unwrap().file_name());
    names.any(|name| !name.to_string_lossy().starts_with('.'))
}

#[test]
fn what_is_behind_the_span_has_other_runs_in_every_file_and_nothing_dangles() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let forgotten = forgotten(root.path(), false);
    let events =
        inspect::head(&root.path().join("dataset"), usize::MAX, Table::Events, &keyring()).unwrap();
    let touch =
        inspect::head(&root.path().join("dataset"), usize::MAX, Table::Touch, &keyring()).unwrap();
    let time = |row: &Vec<Value>| row[1].as_str().unwrap()[20..26].parse::<i64>().unwrap();
    let run = |row: &Vec<Value>| row[4].as_i64().unwrap();
    let of = |rows: &[Vec<Value>], is: &dyn Fn(i64) -> bool| -> BTreeSet<i64> {
        rows.iter().filter(|row| is(time(row))).map(run).collect()
    };
    assert!(of(&events.rows, &|at| (20_000..30_000).contains(&at)).is_empty());
    assert!(of(&touch.rows, &|at| (20_000..30_000).contains(&at)).is_empty());
    assert_eq!(of(&events.rows, &|at| at < 20_000), [1, 2].into());
    assert_eq!(of(&events.rows, &|at| (30_000..50_000).contains(&at)), [100, 101].into());
    assert_eq!(of(&events.rows, &|at| at >= 50_000), [9].into());
    // Stroke 11 was pressed before: its release in the span goes, the press
    // stays. Stroke 12 and contact 7 began in it: nothing of them is left.
    let strokes = |number: i64| {
        let is = |row: &&Vec<Value>| row[14] == json!(number);
        events.rows.iter().filter(is).map(|row| row[11] == json!(true)).collect::<Vec<_>>()
    };
    assert_eq!((strokes(11), strokes(12), strokes(13)), (vec![true], vec![], vec![true, false]));
    let contacts: BTreeSet<i64> = touch.rows.iter().map(|row| row[6].as_i64().unwrap()).collect();
    assert_eq!(contacts, [5, 6].into());
    // 40 motions, 2 keys and 3 touches in the span; a key and 2 touches behind.
    assert_eq!(forgotten, Forgotten { rows: 48, files: 4 });
    let marks =
        inspect::head(&root.path().join("dataset"), usize::MAX, Table::Marks, &keyring()).unwrap();
    let runs: Vec<&Value> = marks
        .rows
        .iter()
        .filter(|row| row[7] == json!("forget") && row[8] == json!("person_asked"))
        .map(|row| &row[5])
        .collect();
    assert_eq!(runs, [&Value::Null, &json!(100), &json!(101)]);
    let tombstones = crate::tombstones::read(&root.path().join("dataset")).unwrap();
    assert_eq!((tombstones.of.len(), tombstones.unreadable.len()), (4, 0));
    let gone = tombstones.of.values().filter(|of| of[0].sha256.is_none()).count();
    assert_eq!(gone, 3, "nothing is left of the second segment, nor of the third's touch");
}

#[test]
fn who_is_erased_leaves_nothing_and_others_lose_nothing() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let before = rows(root.path());
    forgotten(root.path(), true);
    let is_theirs = |row: &&Vec<Value>| row.contains(&json!("beef"));
    let after = rows(root.path());
    assert_eq!(after, before.iter().filter(is_theirs).cloned().collect::<Vec<_>>());
    assert!(after.len() >= 3);
    assert!(inspect::verify(&root.path().join("dataset"), &keyring()).unwrap().is_sound());
    let files =
        crate::Dataset::files_of(&root.path().join("dataset"), &["cafe".into()], &keyring())
            .unwrap();
    assert!(files.is_empty());
}

#[test]
fn what_retention_removed_is_in_the_ledger_wherever_it_was_killed() {
    let root = tempfile::tempdir().unwrap();
    let (place, copies) = (root.path().join("place"), root.path().join("copies"));
    scene(&place);
    let (mut store, _) = recover(with_ledger(&place), keys(), &mut 10).unwrap();
    store.config.retention = crate::Retention { bytes: Some(0), ..crate::Retention::default() };
    let killed = disk::steps::copied(&place, &copies, || drop(store.retain().unwrap()));
    assert!(killed.len() > 10, "{}", killed.len());
    for (step, killed) in killed.iter().enumerate() {
        let (store, _) = recover(with_ledger(killed), keys(), &mut 10).unwrap();
        drop(store);
        let dataset = killed.join("dataset");
        let told = fs::read_to_string(killed.join("ledger.jsonl")).unwrap();
        for gone in crate::manifest::read(&dataset).unwrap().removed.keys() {
            let is_told = |line: &str| line.contains(r#""retained""#) && line.contains(gone);
            assert!(told.lines().any(is_told), "step {step}: {gone}");
        }
        assert!(inspect::verify(&dataset, &keyring()).unwrap().is_sound(), "step {step}");
    }
}

#[test]
fn many_files_are_removed_with_one_write_to_the_manifest() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let (mut store, _) = recover(with_ledger(root.path()), keys(), &mut 10).unwrap();
    let dataset = root.path().join("dataset");
    let files = crate::Dataset::files_of(&dataset, &["cafe".into()], &keyring()).unwrap();
    let paths: Vec<_> = files.iter().map(|file| (file.path.as_str(), "forgotten")).collect();
    let partitions: BTreeSet<_> = files.iter().map(|file| Path::new(&file.path).parent()).collect();
    assert!(paths.len() > partitions.len());
    let steps = Rc::new(RefCell::new(0));
    let count = Rc::clone(&steps);
    disk::steps::watch(Some(Box::new(move || *count.borrow_mut() += 1)));
    store.dataset.discard_all(&paths).unwrap();
    disk::steps::watch(None);
    assert_eq!(*steps.borrow(), 1 + paths.len() + partitions.len());
    store.dataset.discard_all(&paths).unwrap();
    drop(store);
    let left = crate::Dataset::files_of(&dataset, &["cafe".into()], &keyring()).unwrap();
    assert!(left.is_empty() && inspect::verify(&dataset, &keyring()).unwrap().is_sound());
}

#[test]
fn too_few_numbers_forget_nothing_now_and_all_at_the_next_start() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let before = rows(root.path());
    let (mut store, _) = recover(with_ledger(root.path()), keys(), &mut 10).unwrap();
    let intent = Intent::new(&Forget { runs: 1, ..forget(false) }).unwrap();
    store.save_intent(&intent).unwrap();
    assert!(matches!(store.fulfil(&intent.id, None).unwrap(), Fulfilled::Waits(_)));
    drop(store);
    assert_eq!(rows(root.path()), before);
    let mut next_run = 10;
    let (store, recovery) = recover(with_ledger(root.path()), keys(), &mut next_run).unwrap();
    drop(store);
    assert_eq!(recovery.forgotten[0].rows, 48);
    assert_eq!(next_run, 103, "the numbers it reserved and those it took are taken");
    assert_whole(root.path());
}

#[test]
fn a_journal_that_can_never_be_sealed_makes_nobody_insist() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let (mut store, _) = recover(with_ledger(root.path()), keys(), &mut 10).unwrap();
    // Out of order, as no writer leaves it: it can be read and not be sealed.
    let (id, directory) = (crate::SegmentId::of(b"late"), root.path().join("journal"));
    let mut journal = JournalWriter::create(&directory, id, &provenance(), &keys()).unwrap();
    for at_us in [26_000, 25_000] {
        let mut waiting = WaitingRows::default();
        waiting.push(&motion(at_us, 2, 2)).unwrap();
        journal.append(&waiting).unwrap();
    }
    let intent = Intent::new(&forget(false)).unwrap();
    store.save_intent(&intent).unwrap();
    let done = store.fulfil(&intent.id, None).unwrap();
    let Fulfilled::Waits(why) = done else { panic!("{done:?}") };
    assert!(why.contains("48 rows") && why.contains(journal.path().to_str().unwrap()), "{why}");
    drop(store);
    let (store, recovery) = recover(with_ledger(root.path()), keys(), &mut 10).unwrap();
    drop(store);
    assert_eq!((recovery.pending, recovery.unreadable.len()), (0, 1), "nothing waits behind it");
    assert_eq!((recovery.forgotten.len(), recovery.unforgotten.len()), (0, 1));
    fs::remove_file(journal.path()).unwrap();
    let (store, recovery) = recover(with_ledger(root.path()), keys(), &mut 10).unwrap();
    drop(store);
    assert_eq!((recovery.forgotten.len(), recovery.unforgotten.len()), (1, 0));
    assert_whole(root.path());
}

#[test]
fn a_file_that_vanishes_is_gone_and_nobody_waits_for_it() {
    for is_planned in [false, true] {
        let root = tempfile::tempdir().unwrap();
        scene(root.path());
        let (mut store, _) = recover(with_ledger(root.path()), keys(), &mut 10).unwrap();
        let dataset = root.path().join("dataset");
        let files = crate::Dataset::files_of(&dataset, &["cafe".into()], &keyring()).unwrap();
        let is_meant = |file: &&crate::SealedFile| {
            file.table == Table::Events && file.first_us == wall(20_000)
        };
        let vanishing = dataset.join(&files.iter().find(is_meant).unwrap().path);
        let intent = Intent::new(&forget(false)).unwrap();
        store.save_intent(&intent).unwrap();
        let (path, saved) =
            (vanishing.clone(), store.config.forget.join(format!("{}.json", intent.id)));
        let vanish = move || {
            let is_there = fs::read_to_string(&saved).is_ok_and(|text| text.contains("\"plan\":{"));
            if is_there || !is_planned {
                drop(fs::remove_file(&path));
            }
        };
        if is_planned {
            disk::steps::watch(Some(Box::new(vanish)));
        } else {
            vanish();
        }
        let done = store.fulfil(&intent.id, None).unwrap();
        disk::steps::watch(None);
        drop(store);
        assert!(matches!(done, Fulfilled::Done(_)), "{done:?}");
        assert!(!vanishing.exists());
        assert_whole(root.path());
    }
}

#[test]
fn each_try_has_its_own_lines_in_the_ledger() {
    let root = tempfile::tempdir().unwrap();
    let (mut store, _) = recover(with_ledger(root.path()), keys(), &mut 10).unwrap();
    fs::write(root.path().join("journal/0123456789abcdef.evj.unreadable"), b"?").unwrap();
    let intent = Intent::new(&forget(true)).unwrap();
    store.save_intent(&intent).unwrap();
    for at_us in [21_000_u64, 22_000, 23_000, 24_000] {
        let id = crate::SegmentId::of(&at_us.to_le_bytes());
        let mut segment = crate::SegmentWriter::begin(&store.dataset, id, provenance()).unwrap();
        segment.write_rows(&[motion(at_us, 2, 2)]).unwrap();
        segment.finish(&mut store.dataset).unwrap();
        assert!(matches!(store.fulfil(&intent.id, None).unwrap(), Fulfilled::Waits(_)));
    }
    let told = told(root.path());
    assert_eq!(told.len(), 4);
    assert!(told.iter().all(|(file, rows)| file.is_string() && *rows == 1), "{told:?}");
}

#[test]
fn a_file_that_cannot_be_read_goes_whole() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let dataset = root.path().join("dataset");
    let files = crate::Dataset::files_of(&dataset, &["cafe".into()], &keyring()).unwrap();
    let is_meant =
        |file: &&crate::SealedFile| file.table == Table::Events && file.first_us == wall(20_000);
    let damaged: PathBuf = dataset.join(&files.iter().find(is_meant).unwrap().path);
    fs::write(&damaged, b"PAR1 and nothing else PAR1").unwrap();
    let forgotten = forgotten(root.path(), false);
    assert!(!damaged.exists() && forgotten.rows >= 42);
    assert!(inspect::verify(&dataset, &keyring()).unwrap().is_sound());
}
