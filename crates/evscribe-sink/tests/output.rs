//! What is refused as an output, and what verify finds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use evscribe_model::{MarkKind, Phase, Row, WallUs};
use evscribe_sink::{
    Dataset, Keys, Provenance, SegmentId, SegmentWriter, SinkError, Table, crypt::AtRest, inspect,
};
use support::*;

fn refusal(path: &Path) -> String {
    let error = Dataset::create_or_open(path).unwrap_err();
    error.to_string().replace(path.to_str().unwrap(), "OUT")
}

/// Writes the rows as one segment; a fresh dataset each time.
fn dataset(root: &Path, provenance: Provenance, rows: &[Row]) {
    let mut dataset = open(root);
    let id = SegmentId::random().unwrap();
    let mut segment = SegmentWriter::begin(&dataset, id, provenance).unwrap();
    segment.write_rows(rows).unwrap();
    segment.finish(&mut dataset).unwrap();
}

fn problems(root: &Path) -> Vec<String> {
    inspect::verify(root, &keyring())
        .unwrap()
        .problems
        .into_iter()
        .map(|problem| problem.what)
        .collect()
}

#[test]
fn an_output_that_is_no_place_for_a_dataset_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    assert_eq!(
        refusal(&file),
        "OUT is not a directory: name an empty or new directory, or a dataset"
    );
    assert!(refusal(&file.join("below")).starts_with("OUT is not a directory"));
    let other = root.path().join("other");
    fs::create_dir_all(other.join("holiday")).unwrap();
    assert_eq!(
        refusal(&other),
        "OUT holds `holiday`, which is no part of a dataset: name an empty or new directory, or a dataset"
    );
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
    let newer = root.path().join("newer");
    fs::create_dir(&newer).unwrap();
    fs::write(
        newer.join("manifest.jsonl"),
        "{\"op\":\"created\",\"schema_version\":99,\"at\":\"\"}\n",
    )
    .unwrap();
    assert_eq!(
        refusal(&newer),
        "OUT has schema version 99, this evscribe knows 1 at most: update evscribe"
    );
    assert_eq!(refusal(Path::new("/proc/evscribe")), "OUT cannot be written");
    assert!(matches!(inspect::verify(root.path(), &keyring()), Err(SinkError::NoDataset { .. })));
}

#[test]
fn an_empty_directory_and_a_dataset_are_taken_and_held_for_one_writer() {
    let root = tempfile::tempdir().unwrap();
    let first = Dataset::create_or_open(root.path()).unwrap();
    assert!(matches!(Dataset::create_or_open(root.path()), Err(SinkError::Busy { .. })));
    drop(first);
    assert!(Dataset::create_or_open(root.path()).is_ok());
}

#[test]
fn a_torn_manifest_is_repaired_and_a_lost_line_end_is_no_loss() {
    let root = tempfile::tempdir().unwrap();
    dataset(root.path(), provenance(), &session());
    let manifest = root.path().join("manifest.jsonl");
    let whole = fs::read(&manifest).unwrap();
    fs::write(&manifest, [whole.as_slice(), b"{\"op\":\"sea"].concat()).unwrap();
    assert_eq!(problems(root.path()), ["its last line is torn: 10 bytes"]);
    assert_eq!(Dataset::create_or_open(root.path()).unwrap().torn_bytes(), 10);
    assert_eq!(fs::read(&manifest).unwrap(), whole);
    fs::write(&manifest, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(Dataset::create_or_open(root.path()).unwrap().torn_bytes(), 0);
    assert_eq!(fs::read(&manifest).unwrap(), whole);
}

#[test]
fn a_dropped_segment_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let dataset = open(root.path());
    let mut segment = SegmentWriter::begin(&dataset, SegmentId::of(b"x"), provenance()).unwrap();
    let rows: Vec<Row> = (0..10_000).map(|row| motion(row * 1000, 2, 2)).collect();
    segment.write_rows(&rows).unwrap();
    assert_eq!(inspect::verify(root.path(), &keyring()).unwrap().unfinished.len(), 1);
    drop(segment);
    let report = inspect::verify(root.path(), &keyring()).unwrap();
    assert!(report.is_sound() && report.unfinished.is_empty() && report.files == 0);
}

#[test]
fn a_segment_written_twice_stands_once() {
    // Encrypted again, the same rows are other bytes: the manifest says so.
    let own = AtRest::default().and(keys().own().public());
    for (at_rest, lines) in [(AtRest::Plain, 1 + 4), (own, 1 + 2 * 4)] {
        let root = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let mut dataset = Dataset::create_or_open(root.path()).unwrap();
            dataset.set_at_rest(at_rest.clone());
            let mut segment =
                SegmentWriter::begin(&dataset, SegmentId::of(b"recording"), provenance()).unwrap();
            segment.write_rows(&session()).unwrap();
            assert_eq!(segment.finish(&mut dataset).unwrap().len(), 4);
        }
        let report = inspect::verify(root.path(), &keyring()).unwrap();
        assert!(report.is_sound(), "{:?}", report.problems);
        assert_eq!(report.rows.values().sum::<u64>(), session().len() as u64);
        let manifest = fs::read_to_string(root.path().join("manifest.jsonl")).unwrap();
        assert_eq!(manifest.lines().count(), lines);
    }
}

#[test]
fn impossible_times_and_hosts_are_errors() {
    let root = tempfile::tempdir().unwrap();
    let dataset = open(root.path());
    let mut wild = provenance();
    wild.anchor.wall = WallUs::new(i64::MAX);
    let mut segment = SegmentWriter::begin(&dataset, SegmentId::of(b"x"), wild).unwrap();
    assert!(matches!(segment.write_rows(&[motion(0, 1, 1)]), Err(SinkError::Time { .. })));
    let mut segment = SegmentWriter::begin(&dataset, SegmentId::of(b"y"), provenance()).unwrap();
    let late = segment.write_rows(&[motion(5, 1, 1), motion(4, 1, 1)]);
    assert!(matches!(late, Err(SinkError::Late { .. })));
    for host in ["", "../x", ".x", "a/b", "a b"] {
        let odd = Provenance { host: host.into(), ..provenance() };
        assert!(matches!(
            SegmentWriter::begin(&dataset, SegmentId::of(b"z"), odd),
            Err(SinkError::Word { .. })
        ));
    }
}

#[test]
fn verify_names_what_does_not_hold() {
    let base = || session()[..7].to_vec();
    let cases: Vec<(Vec<Row>, &str)> = vec![
        (vec![key(1, 9, false)], "stroke 9 is released but never pressed"),
        (vec![key(1, 9, true), key(2, 9, true)], "stroke 9 is pressed twice"),
        (vec![key(1, 9, true), key(2, 9, false), key(3, 9, false)], "stroke 9 is released twice"),
        (vec![touch(1, 4, Phase::Move)], "contact 4 begins with `move`"),
        (
            vec![touch(1, 4, Phase::Down), touch(2, 4, Phase::Up), touch(3, 4, Phase::Move)],
            "contact 4 goes on after its end",
        ),
        (vec![motion(1, 50, 2)], "run 50 begins without a mark"),
        (vec![motion(1, 2, 1)], "device"),
        (
            vec![touch(1, 4, Phase::Down), mark(9, MarkKind::Unplug, "gone", None, Some(3))],
            "contact 4 never ends, though its device was closed",
        ),
    ];
    for (rows, what) in cases {
        let root = tempfile::tempdir().unwrap();
        let mut all = base();
        all.extend(rows);
        all.push(motion(20, 2, 2));
        dataset(root.path(), provenance(), &all);
        let found = problems(root.path());
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert!(found[0].contains(what), "{found:?}");
    }
}

#[test]
fn damaged_and_foreign_files_are_named_and_never_a_panic() {
    let root = tempfile::tempdir().unwrap();
    dataset(root.path(), provenance(), &session());
    let files: Vec<String> = fs::read_to_string(root.path().join("manifest.jsonl"))
        .unwrap()
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["path"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    let path = root.path().join(files.iter().find(|path| path.starts_with("events")).unwrap());
    let whole = fs::read(&path).unwrap();
    let mut state = 1_u64;
    for round in 0..400 {
        let mut bytes = whole.clone();
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 33).unwrap() % bytes.len();
        if round % 4 == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << (state >> 29 & 7);
        }
        fs::write(&path, &bytes).unwrap();
        assert_eq!(
            inspect::verify(root.path(), &keyring()).unwrap().problem_count > 0,
            bytes != whole
        );
        for error in [
            inspect::stats(root.path(), &keyring()).err(),
            inspect::head(root.path(), 9, Table::Events, &keyring()).err(),
        ]
        .into_iter()
        .flatten()
        {
            assert!(error.to_string().contains("/events/"), "{error}");
        }
    }
    fs::write(&path, &whole).unwrap();
    fs::write(root.path().join("notes.txt"), "x").unwrap();
    fs::remove_file(root.path().join(files.iter().find(|path| path.starts_with("touch")).unwrap()))
        .unwrap();
    assert_eq!(
        problems(root.path()),
        ["is no part of a dataset", "is in the manifest but missing"]
    );
}

#[test]
fn key_files_are_private_whole_and_never_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("key");
    let made = Keys::create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(Keys::create(&path), Err(SinkError::Io { .. })));
    let read = Keys::from_file(&path).unwrap();
    assert_eq!(made.pseudonym("host", b"x"), read.pseudonym("host", b"x"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(
        Keys::from_file(&path).unwrap_err().to_string().ends_with("others may read it: chmod 600")
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, [0; 33]).unwrap();
    assert!(
        Keys::from_file(&path)
            .unwrap_err()
            .to_string()
            .ends_with("it must hold exactly 32 bytes, and 32 more for each rotation")
    );
    assert!(
        Keys::from_file(root.path()).unwrap_err().to_string().ends_with("it is not a regular file")
    );
}

#[test]
fn pseudonyms_are_stable_apart_and_never_look_like_numbers() {
    let keys = keys();
    assert_eq!(keys.pseudonym("host", b"machine"), keys.pseudonym("host", b"machine"));
    assert_ne!(keys.pseudonym("host", b"machine"), keys.pseudonym("subject", b"machine"));
    assert_ne!(
        keys.pseudonym("host", b"machine"),
        Keys::from_bytes([9; 32]).pseudonym("host", b"machine")
    );
    for number in 0..500_u32 {
        let name = keys.pseudonym("subject", &number.to_le_bytes());
        assert!(name.len() == 16 && name.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(name.chars().all(|c| c.is_ascii_hexdigit()));
    }
    assert_eq!(format!("{keys:?}"), "Keys(…)");
}
