//! Recordings that are wrong: an error that names file, line and cause, exit
//! code 1, nothing of them in the dataset, and the dataset holds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says plainly what it expects"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::{MOUSE, command, data, evscribe, files, import, recording, rows};
use tempfile::TempDir;

/// Behind a mouse that moved: a report of the year 287,000.
const FAR: &str = "E: 9000000000000.0 0002 0000 1\nE: 9000000000000.0 0000 0000 0\n";

/// How long an import that must not hang may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory with a recording in it, and the place of a dataset beside.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn dataset(&self) -> PathBuf {
        self.0.path().join("dataset")
    }

    /// Nothing was left behind, and what is there holds.
    fn holds_no_file(&self) {
        assert_eq!(files(&self.dataset()), <[PathBuf; 0]>::default());
        data("verify", &self.dataset(), &[]).succeeds();
    }
}

/// A mouse, and behind it a keyboard that breaks off in line 14.
fn second_device_breaks_off() -> String {
    let keyboard = "N: keyboard\nI: 0003 0001 0003 0001\nB: 01 fe ff ff ff ff ff ff ff\n\
                    E: 2.000000 0001 001e 0001\nE: 2.000000 0000 0000 0000\n\
                    E: 3.000000 0001 0030 0001\nE: 3.0000";
    format!("{MOUSE}{keyboard}")
}

#[test]
fn an_error_names_file_line_and_cause_and_nothing_is_imported() {
    let yaml = "# libinput record\nversion: 1\nndevices: 1\ndevices:\n- node: /dev/input/event4\n  \
                evdev:\n    id: [3, 1, 2, 1]\n  events:\n  - evdev:\n    - [0, 0, 2, 0, 1] # x\n    ";
    let cases: &[(String, &str)] = &[
        (format!("{MOUSE}E: 2.0 zz 0 1\n"), ":8: event type \"zz\" is not a number"),
        (format!("{MOUSE}E: 2.0 0002 0000\n"), ":8: event value is missing"),
        (format!("{MOUSE}E: -2.0 0002 0000 1\n"), ":8: event time -2 is not within"),
        (format!("{MOUSE}E: 2.0 0002 0000 99999999999\n"), ":8: event value 99999999999 is not"),
        (format!("{MOUSE}E: 2.0 0002 0000 1 1\n"), ":8: \"1\" is not expected here"),
        (format!("{MOUSE}E: 2.0 0002 0000 1\0\n"), ":8: event value \"1\\0\" is not a number"),
        (format!("{MOUSE}E: 2.0 0002 00"), ":8: the recording is cut short"),
        (format!("{MOUSE}E: 99999999999999.0 0002 0000 1\n"), ":8: event time 99999999999999"),
        (format!("{MOUSE}A: 00 0 1 0 0 1\n"), ":8: the device is described already"),
        (format!("{MOUSE}{}\n", "x".repeat(1 << 20)), ":8: the line is longer than"),
        ("# EVEMU 2.0\nN: x\n".into(), ":1: version 2.0 of the format is not known"),
        ("N: x\nI: 0003 0001\n".into(), ":2: product is missing"),
        (second_device_breaks_off(), ":14: the recording is cut short"),
        (format!("{yaml}- [0, 0, 0, 0]\n"), ":11: a comma between two numbers is missing"),
        (format!("{yaml}- [0, 0, 3, 47, 99999]\n"), ":11: slot 99999 is not within"),
        (format!("{yaml}- [0, 0, 0, 0, 0"), ":11: "),
        ("version: 7\n".into(), ":1: version 7 of the format is not known"),
    ];
    for (text, cause) in cases {
        let desk = Desk::new();
        let path = desk.put("wrong", text);
        let said = import(&[&path], &desk.dataset(), &[]);
        said.fails_with(&format!("{}{cause}", path.display()));
        desk.holds_no_file();
    }
}

#[test]
fn what_is_no_recording_is_named() {
    let desk = Desk::new();
    let binary = fs::read(env!("CARGO_BIN_EXE_evscribe")).unwrap();
    for (name, content) in [("empty", &[][..]), ("binary", &binary), ("words", b"hello\n")] {
        let path = desk.put(name, content);
        let said = import(&[&path], &desk.dataset(), &[]);
        said.fails_with(&format!("{} is no recording", path.display()));
    }
    for path in [desk.0.path().join("missing"), desk.0.path().to_path_buf()] {
        let said = import(&[&path], &desk.dataset(), &[]);
        said.fails_with(&format!("{} cannot be read", path.display()));
    }
    desk.holds_no_file();
}

#[test]
fn a_file_without_end_is_refused() {
    let desk = Desk::new();
    let dataset = desk.dataset();
    let args = ["import", "/dev/zero", "--plain", "--out", dataset.to_str().unwrap()];
    let args = args.map(String::from);
    let (mut child, started) = (command(args).spawn().unwrap(), Instant::now());
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/dev/zero"), "{said}");
    desk.holds_no_file();
}

#[test]
fn the_other_recordings_of_a_command_are_imported() {
    let desk = Desk::new();
    let (before, wrong, behind) =
        (recording("mouse.evemu"), desk.put("wrong", "E: 1.0 x\n"), desk.put("right", MOUSE));
    let said = import(&[&before, &wrong, &behind], &desk.dataset(), &[]);
    let said = said.fails_with(&format!("{}:1: ", wrong.display()));
    assert_eq!(said.out.matches("1 devices").count(), 2, "{said:?}");
    data("verify", &desk.dataset(), &[]).succeeds();
    assert_eq!(rows(&desk.dataset(), "devices").len(), 2);
}

#[test]
fn partial_keeps_what_came_before() {
    let desk = Desk::new();
    let path = desk.put("wrong", second_device_breaks_off());
    let said = import(&[&path], &desk.dataset(), &["--partial", "--level", "full"]);
    said.fails_with(&format!("{}:14: the recording is cut short", path.display()));
    data("verify", &desk.dataset(), &[]).succeeds();
    let kept: Vec<_> = rows(&desk.dataset(), "events")
        .iter()
        .map(|row| (row["dx"].as_i64(), row["code"].as_i64(), row["inferred"].as_bool().unwrap()))
        .collect();
    // The key of the broken report is not kept; the one before is released.
    let expected = [(Some(3), None, false), (None, Some(0x1e), false), (None, Some(0x1e), true)];
    assert_eq!(kept, expected);
    let marks = rows(&desk.dataset(), "marks");
    assert!(marks.iter().any(|mark| mark["reason"] == "damaged_recording"), "{marks:?}");
}

#[test]
fn a_time_that_no_calendar_holds_names_the_recording() {
    for (tail, started_at) in [(FAR, "2026-11-23T12:00:00Z"), ("", "9998-12-31T23:59:59.5Z")] {
        let desk = Desk::new();
        let path = desk.put("far", format!("{MOUSE}{tail}"));
        let said = import(&[&path], &desk.dataset(), &["--started-at", started_at]);
        said.fails_with(&path.display().to_string());
        desk.holds_no_file();
    }
}

#[test]
fn partial_keeps_what_came_before_a_time_that_no_calendar_holds() {
    let desk = Desk::new();
    let path = desk.put("far", format!("{MOUSE}{FAR}"));
    let said = import(&[&path], &desk.dataset(), &["--partial"]);
    said.fails_with(&path.display().to_string());
    data("verify", &desk.dataset(), &[]).succeeds();
    assert_eq!(rows(&desk.dataset(), "events").len(), 1);
}

#[test]
fn importing_twice_leaves_it_once() {
    // Plain files are the same bytes again; encrypted ones are by another key.
    for extra in [&["--plain"][..], &[]] {
        let desk = Desk::new();
        let path = recording("desk-three-devices.libinput.yml");
        import(&[&path, &path], &desk.dataset(), extra).succeeds();
        let before = (files(&desk.dataset()), rows(&desk.dataset(), "events"));
        let manifest = || fs::read_to_string(desk.dataset().join("manifest.jsonl")).unwrap();
        let said = manifest();
        import(&[&path], &desk.dataset(), extra).succeeds();
        assert_eq!((files(&desk.dataset()), rows(&desk.dataset(), "events")), before);
        assert!(extra.is_empty() || manifest() == said);
        data("verify", &desk.dataset(), &[]).succeeds();
    }
}

#[test]
fn nothing_is_imported_before_it_is_said_who_may_read_it() {
    let desk = Desk::new();
    let (file, dataset) = (recording("mouse.evemu"), desk.dataset());
    let [file, out] = [&file, &dataset].map(|path| path.to_str().unwrap());
    let import = |extra: &[&str]| evscribe([&["import", file, "--out", out], extra].concat());
    let said = import(&[]).fails_with("nothing was imported: say who is to read it");
    assert!(said.err.contains("--recipient") && said.err.contains("--plain"), "{said:?}");
    import(&["--recipient", "evscribe-recipient-1:AAAA"]).fails_with("is no public key");
    import(&["--recipient", "nowhere"]).fails_with("--recipient takes a public key");
    import(&["--recipient", file]).fails_with("line 40: `N:");
    assert!(!dataset.exists());
    assert_eq!(import(&["--plain", "--recipient", "x"]).code, Some(2));
}

/// Whether replaced or refused: no stroke, no device stands there twice.
#[test]
fn importing_again_at_another_level_or_time_leaves_a_dataset_that_holds() {
    for again in
        [["--level", "full"], ["--pointer", "off"], ["--started-at", "2026-11-23T12:00:00Z"]]
    {
        for name in ["keyboard.evemu", "mouse.evemu"] {
            let desk = Desk::new();
            import(&[&recording(name)], &desk.dataset(), &[]).succeeds();
            import(&[&recording(name)], &desk.dataset(), &again);
            data("verify", &desk.dataset(), &[]).succeeds();
            assert_eq!(rows(&desk.dataset(), "devices").len(), 1, "{name} {again:?}");
        }
    }
}

#[test]
fn a_recording_cut_anywhere_is_imported_or_leaves_nothing() {
    let desk = Desk::new();
    let mut cut = Vec::new();
    for name in ["keyboard.evemu", "touchpad.libinput.yml", "desk-three-devices.libinput.yml"] {
        let whole = fs::read(recording(name)).unwrap();
        for tenth in 1..10 {
            let end = whole.len() * tenth / 10;
            cut.push(desk.put(&format!("{tenth}-{name}"), &whole[..end]));
        }
    }
    each_is_imported_or_leaves_nothing(&desk, &cut);
}

#[test]
fn a_recording_with_bytes_changed_is_imported_or_leaves_nothing() {
    let desk = Desk::new();
    let mut changed = Vec::new();
    // A fixed sequence: a failure can be looked at again. Knuth's MMIX numbers.
    let mut state = 20_261_123_u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for name in ["keyboard.evemu", "touchpad.evemu", "abs-mouse.libinput.yml"] {
        let whole = fs::read(recording(name)).unwrap();
        for round in 0..20 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                let place = next(bytes.len());
                bytes.splice(place..=place, [b"0123456789-.,:[]#\n \0"[next(20)]]);
            }
            changed.push(desk.put(&format!("{round}-{name}"), bytes));
        }
    }
    each_is_imported_or_leaves_nothing(&desk, &changed);
}

/// One command for all: each has files, or an error that names it.
fn each_is_imported_or_leaves_nothing(desk: &Desk, recordings: &[PathBuf]) {
    let paths: Vec<&Path> = recordings.iter().map(PathBuf::as_path).collect();
    let said = import(&paths, &desk.dataset(), &["--json"]);
    let all = said.json();
    let mut named = 0;
    for (path, of) in paths.iter().zip(all.as_array().unwrap()) {
        named += of["files"].as_array().unwrap().len();
        let Some(error) = of.get("error") else { continue };
        assert!(error.as_str().unwrap().contains(&path.display().to_string()), "{error}");
        assert_eq!(of["files"], serde_json::json!([]), "{error}");
    }
    assert_eq!(all.as_array().unwrap().len(), paths.len());
    assert_eq!(files(&desk.dataset()).len(), named, "a file too many or too few");
    data("verify", &desk.dataset(), &[]).succeeds();
}
