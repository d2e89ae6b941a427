//! The writer thread, from rows to a sound dataset, and after every crash.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use evscribe_model::{MarkKind, Row};
use evscribe_sink::{
    Command, Keys, Report, Retention, SealReason, SendError, SinkError, Table, inspect, recover,
};
use support::*;

fn wait_journaled(handle: &evscribe_sink::WriterHandle, rows: u64) {
    let since = Instant::now();
    while handle.counters().journal_rows < rows {
        assert!(since.elapsed() < Duration::from_secs(60), "rows do not become durable");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn assert_sound(root: &Path) -> inspect::VerifyReport {
    let report = inspect::verify(&root.join("dataset"), &keyring()).unwrap();
    assert!(report.is_sound(), "{:#?}", report.problems);
    report
}

fn rows(root: &Path, table: Table) -> Vec<Vec<serde_json::Value>> {
    inspect::head(&root.join("dataset"), usize::MAX, table, &keyring()).unwrap().rows
}

#[test]
fn every_kind_of_row_goes_round() {
    let root = tempfile::tempdir().unwrap();
    let (store, recovery) = recover(config(root.path()), keys(), &mut 1).unwrap();
    assert!(recovery.journals.is_empty());
    let (handle, _reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    handle.try_send(Command::Rows(session())).unwrap();
    handle.stop().unwrap();
    let report = assert_sound(root.path());
    assert_eq!((report.strokes, report.contacts, report.runs, report.boots), (2, 1, 3, 1));
    let events = rows(root.path(), Table::Events);
    let text: Vec<String> = events.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    assert_eq!(
        text[0],
        r#"["ab01","2026-11-23T21:16:40.001000Z","cafe","d00d",1,1,"key",null,null,null,null,true,null,"letter",10,false]"#
    );
    assert_eq!(
        text[2],
        r#"["ab01","2026-11-23T21:16:40.002500Z","cafe","d00d",2,2,"scroll",null,null,-120,0,null,null,null,null,false]"#
    );
    assert_eq!(
        text[3],
        r#"["ab01","2026-11-23T21:16:40.003000Z","cafe","d00d",2,2,"button",null,null,null,null,true,272,null,1,false]"#
    );
    let touch = serde_json::to_string(&rows(root.path(), Table::Touch)[2]).unwrap();
    assert_eq!(
        touch,
        r#"["ab01","2026-11-23T21:16:40.005000Z","cafe","d00d",3,3,5,"up",1200,null,-5,600,40,"finger",true]"#
    );
    let device = serde_json::to_string(&rows(root.path(), Table::Devices)[0]).unwrap();
    assert_eq!(
        device,
        concat!(
            r#"["ab01","2026-11-23T21:16:40.000000Z","b007",1,null,3,65535,0,0,false,true,true,false,null,false,"virtual","#,
            r#"39.37007874015748,[{"code":0,"flat":0,"fuzz":0,"max":10,"min":-1,"resolution":40}]]"#
        )
    );
    let stats = inspect::stats(&root.path().join("dataset"), &keyring()).unwrap();
    assert_eq!(stats.events["key"], 2);
    assert_eq!(stats.marks["plug found"].marks, 3);
    assert_eq!((stats.subjects, stats.sessions, stats.boots), (1, 1, 1));
    assert!(stats.kernel_events > 8 && stats.bytes_per_row.is_some());
}

#[test]
fn without_a_wait_rows_are_durable_when_no_command_waits() {
    let root = tempfile::tempdir().unwrap();
    let mut config = config(root.path());
    config.flush_after = Duration::ZERO;
    let (store, _) = recover(config, keys(), &mut 1).unwrap();
    let (handle, _reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    let mut sent = 0;
    for part in session().chunks(3) {
        handle.try_send(Command::Rows(part.to_vec())).unwrap();
        sent += part.len() as u64;
        wait_journaled(&handle, sent);
    }
    handle.stop().unwrap();
    assert_sound(root.path());
}

#[test]
fn rows_are_durable_soon_and_sealed_on_asking() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    let rows = session();
    let count = rows.len() as u64;
    handle.try_send(Command::Rows(rows)).unwrap();
    wait_journaled(&handle, count);
    assert!(handle.buffer().capacity() > 0, "the used buffer comes back");
    handle.try_send(Command::Seal).unwrap();
    match reports.recv_timeout(Duration::from_secs(60)).unwrap() {
        Report::Sealed { files, reason: SealReason::Asked } => assert_eq!(files.len(), 4),
        other => panic!("{other:?}"),
    }
    assert_eq!(handle.counters().sealed_rows, count);
    assert_eq!(fs::read_dir(root.path().join("journal")).unwrap().count(), 0);
    handle.stop().unwrap();
    assert_sound(root.path());
}

#[test]
fn a_late_row_begins_a_new_segment() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    let mut rows = session();
    rows.push(motion(2_100, 2, 2));
    handle.try_send(Command::Rows(rows)).unwrap();
    handle.stop().unwrap();
    let reasons: Vec<_> = reports
        .iter()
        .filter_map(
            |report| if let Report::Sealed { reason, .. } = report { Some(reason) } else { None },
        )
        .collect();
    assert_eq!(reasons, [SealReason::Late, SealReason::Stop]);
    assert_sound(root.path());
}

#[test]
fn a_segment_over_midnight_has_a_file_per_date() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    let (handle, _reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    let mut rows = session();
    rows.push(motion(DAY_US, 2, 2));
    rows.push(motion(DAY_US + 5, 2, 2));
    handle.try_send(Command::Rows(rows)).unwrap();
    handle.stop().unwrap();
    assert_sound(root.path());
    let dates: BTreeSet<_> = fs::read_dir(root.path().join("dataset/events"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(dates.into_iter().collect::<Vec<_>>(), ["date=2026-11-23", "date=2026-11-24"]);
}

/// Leaves a journal behind as kill -9 would.
fn killed(root: &Path) -> u64 {
    let (store, _) = recover(config(root), keys(), &mut 1).unwrap();
    let (handle, _reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    let mut rows = session();
    rows.pop();
    let mut count = rows.len() as u64;
    handle.try_send(Command::Rows(rows)).unwrap();
    wait_journaled(&handle, count);
    for part in 1..20 {
        let from = 10_000 * part;
        let rows: Vec<Row> = (0..50).map(|row| motion(from + row * 100, 2, 2)).collect();
        count += rows.len() as u64;
        handle.try_send(Command::Rows(rows)).unwrap();
        wait_journaled(&handle, count);
    }
    let kept = root.join("kept");
    copy(&root.join("journal"), &kept);
    handle.stop().unwrap();
    fs::remove_dir_all(root.join("dataset")).unwrap();
    fs::remove_dir_all(root.join("journal")).unwrap();
    fs::rename(kept, root.join("journal")).unwrap();
    count
}

fn total(report: &inspect::VerifyReport) -> u64 {
    report.rows.values().sum()
}

#[test]
fn a_kill_loses_nothing_that_was_durable() {
    let root = tempfile::tempdir().unwrap();
    let count = killed(root.path());
    let mut next_run = 1;
    let (store, recovery) = recover(config(root.path()), keys(), &mut next_run).unwrap();
    drop(store);
    assert!(!recovery.journals[0].closed && recovery.journals[0].damages.is_empty());
    assert_eq!(recovery.highest.run, Some(3));
    assert_eq!(
        (recovery.highest.stroke, recovery.highest.contact, recovery.highest.device),
        (Some(10), Some(5), Some(3))
    );
    assert_eq!(next_run, 4);
    // One more: the mark that says it was a crash.
    assert_eq!(total(&assert_sound(root.path())), count + 1);
    let marks = rows(root.path(), Table::Marks);
    assert_eq!(
        marks.last().unwrap()[7..9],
        [serde_json::json!("stop"), serde_json::json!("crash")]
    );
}

#[test]
fn a_seal_interrupted_anywhere_gives_the_same_files_once() {
    let root = tempfile::tempdir().unwrap();
    killed(root.path());
    let journal = root.path().join("before");
    copy(&root.path().join("journal"), &journal);
    let (store, recovery) = recover(config(root.path()), keys(), &mut 1).unwrap();
    drop(store);
    let whole = assert_sound(root.path());
    let dataset = root.path().join("dataset");
    let manifest = fs::read(dataset.join("manifest.jsonl")).unwrap();
    let created = manifest.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let paths: Vec<&str> = recovery.sealed.iter().map(|file| file.path.as_str()).collect();
    // How many files had their names, how many of these lie under hidden ones
    // too, and how much of the manifest was on disk when it stopped.
    let mut states = Vec::new();
    for named in 0..=paths.len() {
        states.push((named, created));
    }
    for length in (created..=manifest.len()).step_by(97).chain([manifest.len()]) {
        states.push((paths.len(), length));
    }
    for (place, (named, length)) in states.into_iter().enumerate() {
        let crashed = root.path().join(format!("crash-{place}"));
        copy(&journal, &crashed.join("journal"));
        fs::create_dir_all(crashed.join("dataset")).unwrap();
        fs::write(crashed.join("dataset/manifest.jsonl"), &manifest[..length]).unwrap();
        for (number, path) in paths.iter().enumerate() {
            let to = crashed.join("dataset").join(path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            if number < named {
                fs::copy(dataset.join(path), to).unwrap();
            } else {
                fs::write(to.with_file_name(".tmp-0123456789abcdef"), b"half").unwrap();
            }
        }
        let (store, _) = recover(config(&crashed), keys(), &mut 1).unwrap();
        drop(store);
        let report = assert_sound(&crashed);
        assert_eq!(report.rows, whole.rows, "state {named} {length}");
        assert!(report.unfinished.is_empty());
        assert_eq!(fs::read_dir(crashed.join("journal")).unwrap().count(), 0);
    }
}

#[test]
fn a_hole_in_the_journal_is_marked_and_nobody_stitches_across_it() {
    let root = tempfile::tempdir().unwrap();
    let count = killed(root.path());
    let path = fs::read_dir(root.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut next_run = 100;
    let (store, recovery) = recover(config(root.path()), keys(), &mut next_run).unwrap();
    drop(store);
    assert_eq!(recovery.journals[0].damages.len(), 1);
    assert_eq!(next_run, 101);
    let report = assert_sound(root.path());
    assert_eq!(total(&report), count - 50 + 3, "one record is lost, three marks are added");
    let runs: BTreeSet<i64> =
        rows(root.path(), Table::Events).iter().map(|row| row[4].as_i64().unwrap()).collect();
    assert_eq!(runs.into_iter().collect::<Vec<_>>(), [1, 2, 100]);
    let stats = inspect::stats(&root.path().join("dataset"), &keyring()).unwrap();
    assert_eq!(stats.marks["drop journal_damaged"].marks, 2);
}

#[test]
fn a_journal_under_another_key_is_kept_aside() {
    let root = tempfile::tempdir().unwrap();
    killed(root.path());
    let (store, recovery) =
        recover(config(root.path()), Keys::from_bytes([8; 32]), &mut 1).unwrap();
    drop(store);
    assert_eq!(recovery.unreadable.len(), 1);
    assert!(recovery.unreadable[0].0.exists() && recovery.unreadable[0].1.contains("another key"));
}

#[test]
fn a_journal_that_turns_out_to_be_of_another_version_holds_nobody_up() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    handle.try_send(Command::Rows(session())).unwrap();
    wait_journaled(&handle, session().len() as u64);
    let path = fs::read_dir(root.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    let magic = bytes[..8].to_vec();
    // Both headers say version 9.
    let headers: Vec<usize> =
        (0..bytes.len() - 8).filter(|place| bytes[*place..*place + 8] == magic[..]).collect();
    headers.iter().for_each(|place| bytes[place + 8] = 9);
    fs::write(&path, bytes).unwrap();
    handle.try_send(Command::Seal).unwrap();
    match reports.recv_timeout(Duration::from_secs(60)).unwrap() {
        Report::Abandoned { path: abandoned, message } => {
            assert!(abandoned == path && message.contains("is of version 9"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    handle.try_send(Command::Rows(session())).unwrap();
    handle.stop().unwrap();
    assert!(path.exists(), "it stays for the version that can seal it");
    assert_eq!(total(&assert_sound(root.path())), session().len() as u64);
}

#[test]
fn two_writers_never_share_a_journal() {
    let root = tempfile::tempdir().unwrap();
    let (_store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    match recover(config(root.path()), keys(), &mut 1) {
        Err(SinkError::Busy { pid, .. }) => {
            assert!(pid.is_none_or(|pid| pid == std::process::id()))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_queue_gives_the_rows_back() {
    let root = tempfile::tempdir().unwrap();
    let mut config = config(root.path());
    config.min_free_bytes = u64::MAX;
    config.queue = 2;
    let (store, _) = recover(config, keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    handle.try_send(Command::Rows(session())).unwrap();
    let mut sent = session().len() as u64;
    match reports.recv_timeout(Duration::from_secs(60)).unwrap() {
        Report::Stalled { reason, .. } => assert_eq!(reason, "disk_full"),
        other => panic!("{other:?}"),
    }
    assert!(handle.counters().stalled);
    let refused =
        (0..10).find_map(|_| match handle.try_send(Command::Rows(vec![motion(8_000, 2, 2)])) {
            Ok(()) => {
                sent += 1;
                None
            }
            Err(SendError::Full(Command::Rows(rows))) => Some(rows.len()),
            Err(other) => panic!("{other:?}"),
        });
    assert_eq!(refused, Some(1));
    handle.stop().unwrap();
    let unwritten: u64 = reports
        .iter()
        .filter_map(
            |report| if let Report::Unwritten { rows } = report { Some(rows) } else { None },
        )
        .sum();
    assert_eq!(unwritten, sent, "each row that was taken is counted");
}

#[test]
fn rows_that_come_without_a_begin_are_refused_also_after_a_seal() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    let stray = || Command::Rows(vec![motion(8_000, 2, 2)]);
    for command in [
        stray(),
        Command::Begin(Box::new(provenance())),
        Command::Rows(session()),
        Command::Seal,
        stray(),
    ] {
        handle.try_send(command).unwrap();
    }
    handle.stop().unwrap();
    let reports: Vec<Report> = reports.iter().collect();
    let refused = Report::Refused {
        rows: 1,
        message: "rows came before a segment was begun for anybody; they were not kept".into(),
    };
    assert!(reports.len() == 3 && reports[0] == refused && reports[2] == refused, "{reports:?}");
    assert!(matches!(&reports[1], Report::Sealed { files, .. } if files.len() == 4));
    assert_eq!(total(&assert_sound(root.path())), session().len() as u64);
}

#[test]
fn state_is_replaced_whole() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    let (handle, _reports) = spawn(store);
    let path = root.path().join("state.json");
    for text in ["one", "two"] {
        handle.try_send(Command::SaveState { path: path.clone(), bytes: text.into() }).unwrap();
    }
    handle.stop().unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "two");
}

#[test]
fn retention_removes_only_what_the_manifest_names() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    handle.try_send(Command::Rows(session())).unwrap();
    handle.try_send(Command::Seal).unwrap();
    assert!(matches!(
        reports.recv_timeout(Duration::from_secs(60)).unwrap(),
        Report::Sealed { .. }
    ));
    let stranger = root.path().join("dataset/events/date=2026-11-23/host=ab01/stranger.parquet");
    fs::write(&stranger, b"PAR1").unwrap();
    handle.try_send(Command::Retain(Retention { bytes: Some(0), ..Retention::default() })).unwrap();
    handle.stop().unwrap();
    let removed = reports.iter().find_map(|report| {
        if let Report::Retained { removed } = report { Some(removed) } else { None }
    });
    assert_eq!(removed.unwrap().len(), 4);
    assert!(stranger.exists());
    assert!(!root.path().join("dataset/marks/date=2026-11-23").exists(), "empty partitions go too");
    let report = inspect::verify(&root.path().join("dataset"), &keyring()).unwrap();
    assert_eq!(
        report.problems.iter().filter(|problem| problem.path.ends_with("stranger.parquet")).count(),
        2
    );
}

#[test]
fn a_crash_excuses_a_press_that_a_stop_does_not() {
    for (is_crash, sound) in [(true, true), (false, false)] {
        let root = tempfile::tempdir().unwrap();
        let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
        let (handle, _reports) = spawn(store);
        handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
        let mut rows = session();
        rows.truncate(7);
        rows.push(key(10, 77, true));
        if is_crash {
            rows.push(mark(20, MarkKind::Stop, "crash", None, None));
        }
        rows.push(mark(30, MarkKind::Stop, "asked", None, None));
        handle.try_send(Command::Rows(rows)).unwrap();
        handle.stop().unwrap();
        let report = inspect::verify(&root.path().join("dataset"), &keyring()).unwrap();
        assert_eq!(report.is_sound(), sound, "{:?}", report.problems);
    }
}
