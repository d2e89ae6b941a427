//! What a file may hold at each level, stated once more and by hand: a column,
//! a metadata key or a value beyond it fails here before it reaches anybody.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::Path,
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::Int32Type,
};
use evscribe_model::{KeyClass, KeyLevel, Level, PointerLevel, Row, What};
use evscribe_policy::Redactor;
use evscribe_sink::{
    Command, Config, Dataset, Provenance, SealedFile, Table, crypt::AtRest, recover,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use support::*;

/// A name that no file below `full` may hold.
const NAME: &str = "Keyboard of somebody 11:22:33:44:55:66";

const METADATA: [&str; 15] = [
    "ARROW:schema",
    "evscribe.acknowledgement_sha256",
    "evscribe.anchor_boot_us",
    "evscribe.anchor_wall_us",
    "evscribe.boot",
    "evscribe.clock",
    "evscribe.host",
    "evscribe.ledger_head",
    "evscribe.level",
    "evscribe.notice_sha256",
    "evscribe.policy_sha256",
    "evscribe.schema_version",
    "evscribe.segment",
    "evscribe.table",
    "evscribe.writer_version",
];

const SOURCE: [&str; 5] = ["time", "subject", "session", "run", "device"];

/// The columns of a table, whatever the level.
fn columns(table: Table) -> Vec<&'static str> {
    let rest: &[&str] = match table {
        Table::Events => &[
            "kind",
            "dx",
            "dy",
            "wheel_v_120",
            "wheel_h_120",
            "down",
            "code",
            "key_class",
            "stroke",
            "inferred",
        ],
        Table::Touch => {
            &["contact", "phase", "x_um", "y_um", "x", "y", "pressure", "tool", "inferred"]
        }
        Table::Marks => {
            return vec![
                "time", "until", "subject", "session", "run", "device", "mark", "reason", "lost",
            ];
        }
        Table::Devices => {
            return vec![
                "time",
                "boot",
                "device",
                "name",
                "bus",
                "vendor",
                "product",
                "version",
                "has_keys",
                "has_motion",
                "has_wheel",
                "has_switches",
                "pointing",
                "multitouch",
                "origin",
                "counts_per_mm",
                "axes",
            ];
        }
    };
    [&SOURCE[..], rest].concat()
}

/// The columns that may hold something in a row of `events` of this kind; `None`
/// where there may be no such row.
fn filled(kind: &str, level: Level) -> Option<Vec<&'static str>> {
    let own: &[&str] = match kind {
        "key" => match level.keys {
            KeyLevel::Off => return None,
            KeyLevel::Timing => &["down", "stroke"],
            KeyLevel::Class => &["down", "stroke", "key_class"],
            KeyLevel::Full => &["down", "stroke", "key_class", "code"],
        },
        _ if level.pointer == PointerLevel::Off => return None,
        "motion" => &["dx", "dy"],
        "scroll" => &["wheel_v_120", "wheel_h_120"],
        "button" => &["down", "stroke", "code"],
        "switch" => &["down", "code"],
        _ => return None,
    };
    Some([&SOURCE[..], &["kind", "inferred"], own].concat())
}

/// A session in which everything is said that a device can say.
fn everything() -> Vec<Row> {
    let mut rows = session();
    for row in &mut rows {
        match row {
            Row::Device(row) => row.device.name = Some(NAME.into()),
            Row::Event(row) => {
                if let What::Key { code, class, .. } = &mut row.what {
                    (*code, *class) = (Some(30), Some(KeyClass::Letter));
                }
            }
            _ => {}
        }
    }
    rows
}

/// Seals what the level leaves of it, as the service does.
fn sealed(root: &Path, level: Level) -> Vec<SealedFile> {
    // Plain: what is looked for would not be found in an encrypted file.
    let (ledger, at_rest) = (Some(root.join("ledger.jsonl")), AtRest::Plain);
    let config = Config { ledger, at_rest, ..config(root) };
    let (store, _) = recover(config, keys(), &mut 1).unwrap();
    let (handle, _reports) = spawn(store);
    let provenance = Provenance { level, ..provenance() };
    handle.try_send(Command::Begin(Box::new(provenance))).unwrap();
    let mut rows = everything();
    Redactor::new(level).reduce(&mut rows);
    handle.try_send(Command::Rows(rows)).unwrap();
    handle.stop().unwrap();
    Dataset::files_of(&root.join("dataset"), &["cafe".into()], &keyring()).unwrap()
}

fn kinds(batch: &RecordBatch) -> Vec<String> {
    let kinds = batch.column_by_name("kind").unwrap().as_dictionary::<Int32Type>();
    let words = kinds.values().as_string::<i32>();
    (0..batch.num_rows()).map(|row| words.value(kinds.key(row).unwrap()).to_owned()).collect()
}

#[test]
fn no_file_holds_more_than_its_level() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for keys in [KeyLevel::Off, KeyLevel::Timing, KeyLevel::Class, KeyLevel::Full] {
        for pointer in [PointerLevel::Off, PointerLevel::Full] {
            let level = Level { keys, pointer };
            let root = tempfile::tempdir().unwrap();
            for sealed in sealed(root.path(), level) {
                let path = root.path().join("dataset").join(&sealed.path);
                let what = format!("{level} {}", sealed.table.name());
                if keys < KeyLevel::Full {
                    let bytes = fs::read(&path).unwrap();
                    let holds = bytes.windows(NAME.len()).any(|part| part == NAME.as_bytes());
                    assert!(!holds, "{what}: a device's name");
                }
                let builder =
                    ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
                let footer = builder.metadata().file_metadata();
                let mut pairs: Vec<&str> = footer
                    .key_value_metadata()
                    .unwrap()
                    .iter()
                    .map(|pair| pair.key.as_str())
                    .collect();
                pairs.sort_unstable();
                assert_eq!(pairs, METADATA, "{what}");
                let names: Vec<String> =
                    builder.schema().fields().iter().map(|field| field.name().clone()).collect();
                assert_eq!(names, columns(sealed.table), "{what}");
                for batch in builder.build().unwrap() {
                    let found = seen.entry(what.clone()).or_default();
                    check(&batch.unwrap(), sealed.table, level, found);
                }
            }
        }
    }
    // That it is there where it may be says that the test sees it.
    let full = &seen["keys=full pointer=full events"];
    assert!(full.contains("key code") && full.contains("button code"), "{full:?}");
    assert!(seen["keys=full pointer=full devices"].contains("name"));
    assert!(seen["keys=class pointer=off events"].contains("key key_class"));
    assert!(!seen.contains_key("keys=off pointer=off events"));
    assert!(!seen.contains_key("keys=full pointer=off touch"));
}

/// Checks what is not null; `found` gets what was seen.
fn check(batch: &RecordBatch, table: Table, level: Level, found: &mut BTreeSet<String>) {
    let has = |name: &str, row: usize| batch.column_by_name(name).unwrap().is_valid(row);
    if table == Table::Touch {
        assert_eq!(level.pointer, PointerLevel::Full);
    }
    if table == Table::Devices {
        for row in (0..batch.num_rows()).filter(|row| has("name", *row)) {
            assert_eq!(level.keys, KeyLevel::Full, "row {row} has a name");
            found.insert("name".into());
        }
    }
    if table != Table::Events {
        return;
    }
    for (row, kind) in kinds(batch).iter().enumerate() {
        let permitted = filled(kind, level);
        let permitted = permitted.unwrap_or_else(|| panic!("{level}: a row of kind {kind}"));
        for name in columns(table).into_iter().filter(|name| has(name, row)) {
            assert!(permitted.contains(&name), "{level}: a {kind} has {name}");
            found.insert(format!("{kind} {name}"));
        }
    }
}
