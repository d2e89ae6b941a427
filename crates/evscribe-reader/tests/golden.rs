//! Whole recordings against what they must say.
//!
//! `EVSCRIBE_BLESS=1 cargo test -p evscribe-reader --test golden` writes the
//! expectations anew; read the difference before it is kept.
#![allow(clippy::unwrap_used, reason = "a test says plainly what it expects")]

mod support;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;

use evscribe_model::DeviceId;
use evscribe_reader::Recording;

/// Every recording under `tests/recordings`; beside each stands what it says,
/// as `.said`.
const CASES: [&str; 7] = [
    "evemu-1.0.evemu",
    "evemu-1.1.evemu",
    "evemu-1.2.evemu",
    "evemu-1.3.evemu",
    "evemu-bare.evemu",
    "libinput-keyboard.yml",
    "libinput-two-devices.yml",
];

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

#[test]
fn each_recording_says_what_it_must() {
    for case in CASES {
        let path = directory().join(case);
        let said = support::dump_recording(Recording::open(&path, DeviceId(1)).unwrap());
        let expected = path_of(&format!("{case}.said"));
        if env::var_os("EVSCRIBE_BLESS").is_some() {
            fs::write(&expected, &said).unwrap();
        }
        assert_eq!(said, fs::read_to_string(&expected).unwrap(), "{case}");
    }
}

#[test]
fn no_recording_is_left_out() {
    let found: BTreeSet<_> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let listed =
        CASES.iter().flat_map(|case| [(*case).to_owned(), format!("{case}.said")]).collect();
    assert_eq!(found, listed);
}

#[test]
fn the_name_of_a_file_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    for case in CASES {
        let other = directory.path().join("recording.txt");
        fs::copy(path_of(case), &other).unwrap();
        let said = support::dump_recording(Recording::open(&other, DeviceId(1)).unwrap());
        assert!(!said.contains("error"), "{case}: {said}");
    }
}

#[test]
fn devices_are_numbered_from_the_first_that_is_given() {
    let path = path_of("libinput-two-devices.yml");
    let said = support::dump_recording(Recording::open(&path, DeviceId(40)).unwrap());
    assert!(said.contains("open 40 at") && said.contains("open 41 at"), "{said}");
    let said = support::dump_recording(Recording::open(&path, DeviceId(i16::MAX)).unwrap());
    assert!(said.ends_with("there is no number left for another device\n"), "{said}");
}

#[test]
fn progress_reaches_the_size_of_the_file() {
    for case in CASES {
        let path = path_of(case);
        let mut recording = Recording::open(&path, DeviceId(1)).unwrap();
        assert_eq!(recording.progress_bytes(), 0);
        while recording.next().unwrap().is_some() {}
        assert_eq!(recording.progress_bytes(), fs::metadata(&path).unwrap().len());
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for path in ["/nonexistent/x.evemu", "/proc"] {
        let error = Recording::open(path, DeviceId(1)).err().unwrap();
        assert_eq!(error.to_string(), format!("cannot read {path}"));
    }
}

fn path_of(case: &str) -> PathBuf {
    directory().join(case)
}
