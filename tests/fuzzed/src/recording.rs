//! Recordings: text that a stranger made.

use std::io::Cursor;

use evscribe_model::DeviceId;
use evscribe_normalizer::{Counters, Normalizer};
use evscribe_reader::{Recording, RecordingError};

use crate::inputs::InputJudge;
use crate::rows::RowJudge;

/// Target `evemu`: reads evemu text and normalises what it says.
pub fn evemu(data: &[u8]) {
    // The other format has a target of its own.
    if !is_libinput(data) {
        read(data);
    }
}

/// Target `libinput`: reads the YAML of `libinput record` and normalises it.
pub fn libinput(data: &[u8]) {
    if is_libinput(data) {
        read(data);
    }
}

/// Whether the first line that says something names a version, as the YAML's does.
fn is_libinput(data: &[u8]) -> bool {
    let lines = data.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines
        .into_iter()
        .find(|line| !matches!(line, [] | [b'#', ..]))
        .is_some_and(|line| line.starts_with(b"version:"))
}

fn read(data: &[u8]) {
    let source = Cursor::new(data.to_vec());
    let mut recording = match Recording::from_reader("fuzzed", source, DeviceId(1)) {
        Ok(recording) => recording,
        Err(error) => return assert!(matches!(error, RecordingError::NotARecording { .. })),
    };
    let mut normalizer = Normalizer::new(Counters::default());
    let (mut inputs, mut judge) = (InputJudge::default(), RowJudge::default());
    let mut rows = Vec::new();
    loop {
        match recording.next() {
            Ok(Some(input)) => {
                inputs.read(&input);
                normalizer.feed(&input, &mut rows);
                judge.read(&rows);
                rows.clear();
            }
            Ok(None) => break,
            Err(error) => {
                assert!(matches!(error, RecordingError::Malformed { .. }), "{error:?}");
                let text = error.to_string();
                assert!(text.len() < 400 && !text.contains(char::is_control), "{text:?}");
                assert!(matches!(recording.next(), Ok(None)), "an error is told once");
                break;
            }
        }
        assert!(recording.progress_bytes() <= data.len() as u64);
    }
    inputs.finish();
    judge.finish();
}
