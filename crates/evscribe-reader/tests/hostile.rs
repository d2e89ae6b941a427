//! Whatever a file says: an error at worst, never a panic, never much memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says plainly what it expects"
)]

mod support;

use std::fs;
use std::io::{self, Read};

use evscribe_model::DeviceId;
use evscribe_reader::Recording;
use proptest::prelude::*;
use support::dump;

/// A source that says `head` and then `body` again and again.
struct Endless {
    head: io::Cursor<Vec<u8>>,
    body: &'static [u8],
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.head.read(out)?;
        if count > 0 || out.is_empty() {
            return Ok(count);
        }
        for byte in out.iter_mut() {
            *byte = self.body[self.at];
            self.at = (self.at + 1) % self.body.len();
        }
        Ok(out.len())
    }
}

fn endless(head: &str, body: &'static str) -> Recording {
    let head = io::Cursor::new(head.as_bytes().to_vec());
    let source = Endless { head, body: body.as_bytes(), at: 0 };
    Recording::from_reader("x", source, DeviceId(1)).unwrap()
}

/// Reads until the error that must come.
fn error(mut recording: Recording) -> String {
    loop {
        match recording.next() {
            Ok(Some(_)) => {}
            Ok(None) => return "no error".into(),
            Err(error) => {
                assert!(matches!(recording.next(), Ok(None)), "an error is told once");
                return error.to_string();
            }
        }
    }
}

#[test]
fn a_line_that_never_ends_is_refused() {
    assert_eq!(error(endless("N: x\n", "y")), "x:2: the line is longer than 65536 bytes");
    assert_eq!(error(endless("version: 1\n", " ")), "x:2: the line is longer than 65536 bytes");
}

#[test]
fn devices_without_end_are_refused() {
    let expected = "there is no number left for another device";
    let message = error(endless("", "N: x\nI: 0 0 0 0\n"));
    assert!(message.ends_with(expected), "{message}");
    let message = error(endless("version: 1\ndevices:\n", "- node: x\n  evdev:\n"));
    assert!(message.ends_with(expected), "{message}");
}

#[test]
fn a_frame_that_never_ends_is_cut() {
    let mut recording = endless("", "E: 0.1 0002 0000 1\n");
    let mut events = 0;
    while events < 100_000 {
        if let Some(evscribe_model::Input::Frame(frame)) = recording.next().unwrap() {
            assert!(frame.events.len() <= 4096);
            events += frame.events.len();
        }
    }
}

#[test]
fn a_source_that_fails_is_an_error_after_what_came_before() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    let text = "E: 0.1 0002 0000 1\nE: 0.1 0000 0000 0\n".repeat(40_000);
    let source = io::Cursor::new(text).chain(Broken);
    let mut recording = Recording::from_reader("x", source, DeviceId(1)).unwrap();
    let mut frames = 0;
    while let Ok(Some(input)) = recording.next() {
        frames += usize::from(matches!(input, evscribe_model::Input::Frame(_)));
    }
    // All but the line that the failure cut.
    assert!(frames >= 39_999, "{frames}");
}

fn valid() -> Vec<Vec<u8>> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension != "said"));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn a_recording_cut_within_a_line_says_whole_frames_and_an_error() {
    for text in valid() {
        let whole = dump("x", text.clone());
        for length in (0..text.len()).step_by(7) {
            let last = text[..length].split(|byte| *byte == b'\n').next_back().unwrap_or(&[]);
            if matches!(last.trim_ascii_start(), [] | [b'#', ..]) {
                continue;
            }
            let cut = dump("x", &text[..length]);
            let frames = |said: &str| -> Vec<String> {
                said.lines().filter(|line| line.starts_with("frame")).map(String::from).collect()
            };
            let said = frames(&cut);
            assert_eq!(said[..], frames(&whole)[..said.len()], "{length}");
            assert!(cut.contains("error "), "{length}");
        }
    }
}

proptest! {
    #[test]
    fn prop_arbitrary_bytes_never_panic(bytes: Vec<u8>, head in 0usize..4) {
        let heads: [&[u8]; 4] = [b"", b"N: x\nI: 0 0 0 0\nE: ", b"version: 1\ndevices:\n- node: x\n  evdev:\n", b"E: 0.1 0001 "];
        dump("x", [heads[head], &bytes].concat());
    }

    #[test]
    fn prop_mutated_recordings_never_panic(
        which in 0usize..7,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..20),
    ) {
        let mut text = valid().swap_remove(which);
        for (place, byte, edit) in edits {
            let place = place.index(text.len().max(1));
            match edit {
                0 if place < text.len() => text[place] = byte,
                1 => text.insert(place.min(text.len()), byte),
                2 if place < text.len() => { text.remove(place); }
                _ => {
                    // A piece of it again, elsewhere.
                    let piece = text[place..(place + usize::from(byte)).min(text.len())].to_vec();
                    let to = place / 2;
                    text.splice(to..to, piece);
                }
            }
        }
        dump("x", text);
    }

    #[test]
    fn prop_lines_in_any_order_never_panic(
        which in 0usize..7,
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let text = valid().swap_remove(which);
        let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let shuffled: Vec<u8> = order.iter().flat_map(|place| lines[place.index(lines.len())].to_vec()).collect();
        dump("x", shuffled);
    }
}
