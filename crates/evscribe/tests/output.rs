//! What the command prints for programs, and to pipes that are closed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says plainly what it expects"
)]

mod support;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use support::{TABLES, command, data, evscribe, import, recording, rows};
use tempfile::TempDir;

/// A dataset with more rows than a pipe holds.
fn dataset() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset");
    let names = ["mouse.evemu", "keyboard.evemu", "abs-mouse.libinput.yml"].map(recording);
    let paths: Vec<&Path> = names.iter().map(PathBuf::as_path).collect();
    import(&paths, &dataset, &["--level", "full", "--plain"]).succeeds();
    (folder, dataset)
}

#[test]
fn import_says_as_json_what_became_of_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (recording("mouse.evemu"), folder.path().join("missing"));
    let said = import(&[&right, &wrong], &folder.path().join("dataset"), &["--json"]);
    assert_eq!(said.code, Some(1));
    let all = said.json();
    assert_eq!(all[0]["file"], right.to_str().unwrap());
    assert_eq!((&all[0]["devices"], &all[0]["rows"]), (&1.into(), &264.into()));
    assert_eq!(all[0]["files"].as_array().unwrap().len(), 3);
    assert!(all[0].get("error").is_none());
    assert!(all[1]["error"].as_str().unwrap().contains("missing"));
}

#[test]
fn data_says_as_json_what_it_says_in_words() {
    let (_folder, dataset) = dataset();
    let verdict = data("verify", &dataset, &["--json"]).succeeds().json();
    assert_eq!((&verdict["holds"], &verdict["report"]["problem_count"]), (&true.into(), &0.into()));
    let stats = data("stats", &dataset, &["--json"]).succeeds().json();
    for table in TABLES {
        let count = rows(&dataset, table).len();
        assert_eq!(stats["rows"][table].as_u64().unwrap_or(0), count as u64, "{table}");
        assert_eq!(verdict["report"]["rows"][table], stats["rows"][table], "{table}");
    }
    let events: u64 =
        stats["events"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(stats["rows"]["events"], events);
}

#[test]
fn head_shows_as_many_rows_as_asked() {
    let (_folder, dataset) = dataset();
    for rows in [0, 1, 7] {
        let count = rows.to_string();
        let json = data("head", &dataset, &["--json", "-n", &count]).succeeds().json();
        assert_eq!(json.as_array().unwrap().len(), rows);
        let text = data("head", &dataset, &["-n", &count]).succeeds().out;
        assert_eq!(text.lines().count(), rows + 1, "{text}");
    }
    let said = data("head", &dataset, &["--table", "secrets"]);
    assert_eq!(said.code, Some(2));
}

#[test]
fn an_empty_dataset_is_a_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset");
    import(&[&folder.path().join("missing")], &dataset, &[]).fails_with("cannot be read");
    for extra in [&[][..], &["--json"]] {
        data("verify", &dataset, extra).succeeds();
        data("stats", &dataset, extra).succeeds();
        data("head", &dataset, extra).succeeds();
    }
    assert_eq!(rows(&dataset, "events").len(), 0);
}

#[test]
fn devices_are_listed_as_json() {
    let devices = evscribe(["devices", "--json"]).succeeds().json();
    for device in devices.as_array().unwrap() {
        assert!(device["node"].is_string() && device["why"].is_string(), "{device}");
        assert!(device["selected"].is_boolean(), "{device}");
    }
    evscribe(["devices"]).succeeds();
}

#[test]
fn status_exits_with_3_where_no_service_runs() {
    let runs = Path::new("/run/evscribe").exists();
    let said = evscribe(["status", "--json"]);
    assert!(said.json()["state"].is_string(), "{said:?}");
    let expected = if runs { 0 } else { 3 };
    assert_eq!(said.code, Some(expected), "{said:?}");
    let said = evscribe(["status"]);
    assert_eq!(said.code, Some(expected), "{said:?}");
    if !runs {
        let first = said.out.lines().next();
        assert_eq!(first, Some("evscribed is not running: nothing is collected."));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (_folder, dataset) = dataset();
    let dir = dataset.to_str().unwrap();
    for args in [
        &["data", "head", dir, "-n", "100000"][..],
        &["data", "head", dir, "-n", "100000", "--json"],
        &["data", "stats", dir],
        &["data", "stats", dir, "--json"],
        &["data", "verify", dir],
        &["devices"],
        &["--help"],
    ] {
        let mut child = command(args).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn an_output_that_takes_nothing_is_an_error() {
    let (_folder, dataset) = dataset();
    let dir = dataset.to_str().unwrap();
    for args in [&["data", "head", dir][..], &["data", "stats", dir, "--json"], &["status"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command(args).stdout(Stdio::from(full)).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?} {err}");
        assert!(err.contains("No space left"), "{args:?} {err}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for args in
        [&["--help"][..], &["--version"], &["import", "--help"], &["data", "head", "--help"]]
    {
        let said = evscribe(args).succeeds();
        assert!(!said.out.is_empty() && said.err.is_empty(), "{said:?}");
    }
}
