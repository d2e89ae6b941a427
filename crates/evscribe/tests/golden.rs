//! What becomes of a recording, compared whole.
//!
//! A case is a directory below `golden`: a `recording.*`, or `input` with the
//! path of one; `args` for `evscribe import`; `expected.json` with every row of
//! every table. Values that all rows of a table share stand in `every_row`.
//! `EVSCRIBE_BLESS=1` writes what is expected anew: read it before it is kept.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says plainly what it expects"
)]

mod support;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use support::{TABLES, data, import, rows};

#[test]
fn every_recording_becomes_the_rows_expected() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<_> = fs::read_dir(golden).unwrap().map(|e| e.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 14, "cases are missing: {cases:?}");
    let bless = std::env::var_os("EVSCRIBE_BLESS").is_some();
    let wrong: Vec<_> = cases.iter().filter_map(|case| check(case, bless).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(case: &Path, bless: bool) -> Result<(), String> {
    let actual = run(case);
    let path = case.join("expected.json");
    if bless {
        fs::write(&path, &actual).unwrap();
        return Ok(());
    }
    let expected = fs::read_to_string(&path)
        .map_err(|error| format!("{}: {error}; EVSCRIBE_BLESS=1 writes it", path.display()))?;
    if expected == actual {
        return Ok(());
    }
    let lines = expected.lines().zip(actual.lines());
    let same = lines.take_while(|(expected, actual)| expected == actual).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("the end").to_owned();
    Err(format!(
        "{}:{}: expected\n  {}\nbut there is\n  {}",
        path.display(),
        same + 1,
        line(&expected),
        line(&actual)
    ))
}

/// Imports the case's recording and says what is in the dataset then.
fn run(case: &Path) -> String {
    let out = tempfile::tempdir().unwrap();
    let dataset = out.path().join("dataset");
    let args = fs::read_to_string(case.join("args")).unwrap();
    let args: Vec<_> = args.split_whitespace().chain(["--json"]).collect();
    let mut said = import(&[&input(case)], &dataset, &args).succeeds().json();
    let imported = said[0].as_object_mut().unwrap();
    imported.remove("file");
    imported["files"] = imported["files"].as_array().unwrap().len().into();
    data("verify", &dataset, &[]).succeeds();
    let mut text = format!("{{\n\"import\": {}", Value::Object(imported.clone()));
    for table in TABLES {
        write!(text, ",\n\"{table}\": {}", compact(&rows(&dataset, table))).unwrap();
    }
    text + "\n}\n"
}

fn input(case: &Path) -> PathBuf {
    let mut own = fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    own.find(|path| path.file_stem().is_some_and(|stem| stem == "recording"))
        .unwrap_or_else(|| case.join(fs::read_to_string(case.join("input")).unwrap().trim_end()))
}

/// Rows as a table, a line each, without what all of them share.
fn compact(rows: &[Value]) -> String {
    let rows: Vec<&Map<String, Value>> = rows.iter().map(|row| row.as_object().unwrap()).collect();
    let Some((first, rest)) = rows.split_first() else { return "[]".into() };
    let is_shared = |name: &String| rest.iter().all(|row| row.get(name) == first.get(name));
    let (shared, own): (Vec<_>, Vec<_>) = first.keys().partition(|name| is_shared(name));
    let every: Map<String, Value> =
        shared.into_iter().map(|name| (name.clone(), first[name].clone())).collect();
    // What happened comes first, when and where.
    let mut own = own;
    own.sort_by_key(|name| (*name != "time", *name != "device", *name != "run"));
    let values = |row: &Map<String, Value>| {
        Value::from(own.iter().map(|name| row[*name].clone()).collect::<Vec<_>>()).to_string()
    };
    let lines: Vec<_> = rows.iter().map(|row| values(row)).collect();
    let columns = Value::from(own.iter().map(|name| name.as_str()).collect::<Vec<_>>());
    let every = Value::Object(every);
    format!(
        "{{\"every_row\": {every},\n\"columns\": {columns},\n\"rows\": [\n{}\n]}}",
        lines.join(",\n")
    )
}
