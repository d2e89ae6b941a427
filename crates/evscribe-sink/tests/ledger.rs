//! The ledger: what is told stands in it, what is done to it is found.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use evscribe_sink::{
    Command, Config, Fact, Report, Retention, inspect,
    ledger::{self, FIRST_HEAD},
    recover,
};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use serde_json::Value;
use support::*;

fn with_ledger(root: &Path) -> Config {
    Config { ledger: Some(root.join("ledger.jsonl")), ..config(root) }
}

fn facts() -> Vec<Fact> {
    let (ann, bob) = (|| "cafe".to_owned(), || "beef".to_owned());
    let sha256 = || "55".to_owned();
    vec![
        Fact::Started { version: "evscribe 0".into(), policy: Some(sha256()) },
        Fact::NoticeShown { subject: ann(), notice: "2".into(), sha256: sha256() },
        Fact::Acknowledged {
            subject: ann(),
            notice: "2".into(),
            sha256: sha256(),
            level: "keys=class pointer=full".into(),
        },
        Fact::LevelChanged { subject: bob(), level: "keys=off pointer=full".into() },
        Fact::Paused { subject: ann(), until_us: None, reason: "hotkey" },
        Fact::Resumed { subject: ann(), reason: "asked" },
        Fact::Refused { subject: Some(bob()), what: "Forget".into(), why: "x".repeat(999) },
        Fact::Refused { subject: None, what: "EraseOf".into(), why: "not permitted".into() },
        Fact::PolicyChanged { sha256: Some(sha256()) },
        Fact::Held { held: true, why: "audit".into() },
        Fact::OptedOut { subject: bob(), erase: true },
        Fact::Exported { subject: ann(), files: 2, bytes: 3 },
        Fact::Stopped { reason: "asked" },
    ]
}

/// Runs a writer that is told these commands.
fn told(root: &Path, commands: Vec<Command>) -> Vec<Report> {
    let (store, _) = recover(with_ledger(root), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    for command in commands {
        handle.try_send(command).unwrap();
    }
    handle.stop().unwrap();
    reports.iter().collect()
}

fn sessions(root: &Path) {
    let mut commands: Vec<Command> =
        facts().into_iter().map(|fact| Command::Note(Box::new(fact))).collect();
    commands.insert(1, Command::Begin(Box::new(provenance())));
    commands.insert(2, Command::Rows(session()));
    commands.insert(6, Command::Seal);
    told(root, commands);
}

fn lines(root: &Path) -> Vec<String> {
    let text = fs::read_to_string(root.join("ledger.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn write(root: &Path, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(root.join("ledger.jsonl"), text).unwrap();
}

#[test]
fn what_is_told_stands_in_it_in_order_and_files_carry_the_head_of_their_seal() {
    let root = tempfile::tempdir().unwrap();
    sessions(root.path());
    let path = root.path().join("ledger.jsonl");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let lines: Vec<Value> =
        lines(root.path()).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |line: &Value| line["fact"].as_str().unwrap().to_owned();
    let told: Vec<String> = lines.iter().map(of).filter(|fact| fact != "sealed").collect();
    let expected: Vec<String> =
        facts().iter().map(|f| of(&serde_json::to_value(f).unwrap())).collect();
    assert_eq!(told, expected);
    let sealed: Vec<&Value> = lines.iter().filter(|line| line["fact"] == "sealed").collect();
    assert_eq!(sealed.len(), 4);
    assert_eq!(lines[0]["prev"], FIRST_HEAD);
    let dataset = root.path().join("dataset");
    let files = evscribe_sink::Dataset::files_of(&dataset, &["cafe".into()], &keyring()).unwrap();
    for file in &files {
        let line = sealed.iter().find(|line| line["file"] == file.path.as_str()).unwrap();
        assert_eq!(
            (&line["sha256"], &line["subject"]),
            (&file.sha256.clone().into(), &"cafe".into())
        );
        let head = head_of(&dataset.join(&file.path));
        assert_eq!(head, sealed[0]["prev"].as_str().unwrap(), "as it was right before");
    }
    let verified = ledger::verify_with_dataset(&path, &dataset, &keyring()).unwrap();
    assert_eq!(verified.lines, 17);
    assert_eq!(verified.head, lines[16]["hash"].as_str().unwrap());
    assert!(lines.iter().all(|line| line.to_string().len() < 1000), "what is too long is cut");
}

fn head_of(path: &Path) -> String {
    let file = fs::File::open(path).unwrap();
    let metadata = ArrowReaderMetadata::load(&file, reading()).unwrap();
    let pairs = metadata.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let pair = pairs.into_iter().find(|pair| pair.key == "evscribe.ledger_head");
    pair.unwrap().value.unwrap()
}

#[test]
fn any_flipped_bit_is_found_at_its_line() {
    let root = tempfile::tempdir().unwrap();
    sessions(root.path());
    let path = root.path().join("ledger.jsonl");
    let whole = fs::read(&path).unwrap();
    for (place, byte) in whole.iter().enumerate() {
        let mut bytes = whole.clone();
        bytes[place] = byte ^ (1 << (place % 8));
        fs::write(&path, &bytes).unwrap();
        let fault = &ledger::verify(&path).unwrap_err().first[0];
        let line = whole[..place].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        // A line that is made two by a flip, or two that are made one.
        assert!(fault.line == line, "byte {place}: {fault} instead of line {line}");
    }
}

#[test]
fn a_removed_repeated_or_reordered_line_is_found_where_it_is() {
    let root = tempfile::tempdir().unwrap();
    sessions(root.path());
    let path = root.path().join("ledger.jsonl");
    let whole = lines(root.path());
    let fault = |lines: &[String]| {
        write(root.path(), lines);
        ledger::verify(&path).unwrap_err().first[0].line
    };
    for place in 0..whole.len() - 1 {
        let mut removed = whole.clone();
        removed.remove(place);
        assert_eq!(fault(&removed), place as u64 + 1);
        let mut swapped = whole.clone();
        swapped.swap(place, place + 1);
        assert_eq!(fault(&swapped), place as u64 + 1);
        let mut repeated = whole.clone();
        repeated.insert(place + 1, whole[place].clone());
        assert_eq!(fault(&repeated), place as u64 + 2);
    }
}

#[test]
fn a_cut_off_end_is_found_by_the_files_that_were_sealed_later() {
    let root = tempfile::tempdir().unwrap();
    sessions(root.path());
    let (path, dataset) = (root.path().join("ledger.jsonl"), root.path().join("dataset"));
    let whole = lines(root.path());
    let sealed = whole.iter().position(|line| line.contains("\"sealed\"")).unwrap();
    for kept in 0..whole.len() {
        write(root.path(), &whole[..kept]);
        assert!(ledger::verify(&path).is_ok(), "by itself it holds");
        let found = ledger::verify_with_dataset(&path, &dataset, &keyring());
        match found {
            Err(faults) if kept < sealed => assert_eq!(faults.first[0].line, kept as u64 + 1),
            Ok(verified) if kept >= sealed => assert_eq!(verified.lines, kept as u64),
            other => panic!("{kept} lines kept: {other:?}"),
        }
    }
}

#[test]
fn a_torn_last_line_is_cut_off_and_said_so_wherever_it_tore() {
    let root = tempfile::tempdir().unwrap();
    sessions(root.path());
    let path = root.path().join("ledger.jsonl");
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for length in last + 1..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (store, recovery) = recover(with_ledger(root.path()), keys(), &mut 1).unwrap();
        drop(store);
        assert!(recovery.ledger_broken.is_none());
        let verified = ledger::verify(&path).unwrap();
        if length == whole.len() - 1 {
            assert_eq!((recovery.ledger_torn_bytes, verified.lines), (0, 17), "but for its end");
        } else {
            assert_eq!(recovery.ledger_torn_bytes, (length - last) as u64);
            assert_eq!(verified.lines, 17, "one was torn, one says so");
            assert!(lines(root.path())[16].contains(r#""fact":"repaired""#));
        }
    }
}

/// The lines that do not hold.
fn faults_of(path: &Path) -> Vec<u64> {
    let faults = ledger::verify(path).unwrap_err();
    assert_eq!(faults.more, 0);
    faults.first.iter().map(|fault| fault.line).collect()
}

#[test]
fn behind_a_break_that_the_ledger_tells_of_new_ones_are_found() {
    let root = tempfile::tempdir().unwrap();
    sessions(root.path());
    let (path, dataset) = (root.path().join("ledger.jsonl"), root.path().join("dataset"));
    let mut broken = lines(root.path());
    broken[4] = broken[4].replace("\"cafe\"", "\"f00d\"");
    write(root.path(), &broken);
    told(root.path(), facts().into_iter().map(|fact| Command::Note(Box::new(fact))).collect());
    assert_eq!(faults_of(&path), [5], "it is told of, and still a fault");
    let mut again = lines(root.path());
    assert!(again[17].contains(r#""fact":"broken""#));
    again[20] = again[20].replace("\"cafe\"", "\"f00d\"");
    again.remove(25);
    write(root.path(), &again);
    assert_eq!(faults_of(&path), [5, 21, 26]);
    let words = ledger::verify(&path).unwrap_err().to_string();
    assert!(words.starts_with("line 5: its hash") && words.contains("; line 26: it is"), "{words}");
    assert_eq!(
        ledger::verify_with_dataset(&path, &dataset, &keyring()).unwrap_err().first.len(),
        3
    );
    // Cut off before the first seal: the heads are compared too.
    broken.truncate(3);
    broken[1] = broken[1].replace("\"cafe\"", "\"f00d\"");
    write(root.path(), &broken);
    let faults = ledger::verify_with_dataset(&path, &dataset, &keyring()).unwrap_err();
    assert_eq!((faults.first.len(), faults.first[0].line), (2, 2));
    assert!(faults.first[1].why.contains("no line has"), "{faults}");
}

#[test]
fn of_many_faults_the_first_are_named_and_the_rest_is_counted() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("ledger.jsonl"), "no line\n".repeat(50)).unwrap();
    let faults = ledger::verify(&root.path().join("ledger.jsonl")).unwrap_err();
    assert_eq!((faults.first.len(), faults.more), (20, 30));
    assert!(faults.to_string().ends_with("; and 30 more"));
}

#[test]
fn a_broken_chain_stops_nothing_and_is_named_once() {
    let root = tempfile::tempdir().unwrap();
    sessions(root.path());
    let path = root.path().join("ledger.jsonl");
    let mut broken = lines(root.path());
    broken[4] = broken[4].replace("\"cafe\"", "\"f00d\"");
    broken.remove(8);
    write(root.path(), &broken);
    for start in 0..3 {
        let (store, recovery) = recover(with_ledger(root.path()), keys(), &mut 1).unwrap();
        drop(store);
        assert_eq!(recovery.ledger_broken.is_some(), start == 0);
    }
    told(root.path(), facts().into_iter().map(|fact| Command::Note(Box::new(fact))).collect());
    let lines = lines(root.path());
    assert_eq!(lines.len(), 16 + 1 + facts().len());
    let said: Value = serde_json::from_str(&lines[16]).unwrap();
    assert_eq!((&said["fact"], &said["line"]), (&"broken".into(), &5.into()));
    assert_eq!(faults_of(&path), [5, 9]);
    // What was appended since holds by itself: only the old faults are left.
    let last: Value = serde_json::from_str(&lines[lines.len() - 1]).unwrap();
    assert_eq!(last["n"], 17 + 1 + facts().len() as u64);
}

#[test]
fn a_person_sees_all_about_themselves_and_nothing_of_others() {
    let root = tempfile::tempdir().unwrap();
    sessions(root.path());
    let of = |subjects: &[&str]| -> Vec<String> {
        let subjects: Vec<String> = subjects.iter().map(|&subject| subject.to_owned()).collect();
        ledger::lines_of(&root.path().join("ledger.jsonl"), &subjects).unwrap()
    };
    let facts = |lines: &[String]| -> Vec<String> {
        let fact = |line: &String| serde_json::from_str::<Value>(line).unwrap()["fact"].clone();
        lines.iter().map(|line| fact(line).as_str().unwrap().to_owned()).collect()
    };
    let everybody = ["started", "policy_changed", "held", "stopped"];
    assert_eq!(facts(&of(&["nobody"])), everybody);
    assert_eq!(
        facts(&of(&["beef"])),
        ["started", "level_changed", "refused", "policy_changed", "held", "opted_out", "stopped"]
    );
    assert!(of(&["cafe"]).iter().all(|line| !line.contains("beef")));
    assert_eq!(of(&["beef", "cafe"]).len(), 16, "but for the refusal of nobody known");
    let all = lines(root.path());
    assert!(of(&["cafe"]).iter().all(|line| all.contains(line)), "as they stand");
}

#[test]
fn what_retention_removes_is_told_of_also_where_a_file_does_not_go() {
    let root = tempfile::tempdir().unwrap();
    sessions(root.path());
    let dataset = root.path().join("dataset");
    let files = evscribe_sink::Dataset::files_of(&dataset, &["cafe".into()], &keyring()).unwrap();
    // What stands there is no file: it cannot be removed as one.
    let stuck = dataset.join(&files[0].path);
    fs::remove_file(&stuck).unwrap();
    fs::create_dir(&stuck).unwrap();
    let keep_nothing = Retention { bytes: Some(0), ..Retention::default() };
    let reports = told(root.path(), vec![Command::Retain(keep_nothing)]);
    assert!(
        matches!(&reports[0], Report::RetentionFailed { message } if message.contains("remove"))
    );
    for file in &files {
        let line = lines(root.path())
            .into_iter()
            .find(|line| line.contains(r#""fact":"retained""#) && line.contains(&file.path));
        assert!(line.is_some(), "{}", file.path);
    }
    assert!(files[1..].iter().all(|file| !dataset.join(&file.path).exists()));
    assert!(ledger::verify(&root.path().join("ledger.jsonl")).is_ok());
}

#[test]
fn what_is_confirmed_is_on_disk() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(with_ledger(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    let state = root.path().join("state.json");
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    handle.try_send(Command::Rows(session())).unwrap();
    handle.try_send(Command::Note(Box::new(facts().remove(2)))).unwrap();
    handle.try_send(Command::SaveState { path: state.clone(), bytes: b"x".to_vec() }).unwrap();
    handle.try_send(Command::Confirm(41)).unwrap();
    let report = reports.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(report, Report::Confirmed { ticket: 41 });
    assert_eq!(handle.counters().journal_rows, session().len() as u64);
    assert!(lines(root.path())[0].contains("acknowledged") && state.exists());
    handle.stop().unwrap();
    assert!(inspect::verify(&root.path().join("dataset"), &keyring()).unwrap().is_sound());
}
