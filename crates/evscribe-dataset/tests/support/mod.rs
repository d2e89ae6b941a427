//! Datasets to ask, and what the command says of them.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests; each uses a part"
)]

#[path = "../../../evscribe-sink/tests/support/mod.rs"]
mod sink;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use evscribe_model::{KeyLevel, Level, Row, WallUs};
use evscribe_sink::crypt::{AtRest, SecretKey};
use evscribe_sink::{Dataset, Provenance, SealedFile, SegmentId, SegmentWriter};
use serde_json::Value;

pub(crate) use sink::{DAY_US, WALL_US, motion, session};

/// The day of [`WALL_US`].
pub(crate) const DAY: &str = "2026-11-23";

/// What a run of the command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self
    }

    /// Demands exit code 1, nothing on standard output, and these words.
    pub(crate) fn fails_with(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.out.is_empty(), "{self:?}");
        self.says(words)
    }

    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is missing in {}", self.err);
        }
        self
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// What it said on standard error, with `--json`.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error}: {}", self.err))
    }

    /// Rows of `--format json`.
    pub(crate) fn rows(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// `evscribe-data query PLACE SQL EXTRA`.
pub(crate) fn query(place: &Path, sql: &str, extra: &[impl AsRef<OsStr>]) -> Said {
    let head = [place.as_os_str(), sql.as_ref()];
    ask(&head.into_iter().chain(extra.iter().map(AsRef::as_ref)).collect::<Vec<_>>())
}

/// `evscribe-data query ARGS`.
pub(crate) fn ask(args: &[impl AsRef<OsStr>]) -> Said {
    let output = command(args).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!err.contains("panicked"), "{err}");
    Said { code: output.status.code(), out: output.stdout, err }
}

/// `evscribe-data query ARGS`, to be run; signals end it, whoever started the tests.
pub(crate) fn command(args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_evscribe-data"), "query"]);
    command.args(args).stdin(Stdio::null());
    command
}

/// The one value that the query has.
pub(crate) fn value(place: &Path, sql: &str, extra: &[&str]) -> String {
    let said = query(place, sql, &[&["--format", "csv"], extra].concat()).succeeds();
    said.text().lines().nth(1).unwrap().to_owned()
}

/// A secret key, and its file in `folder`.
pub(crate) fn key(folder: &Path, name: &str) -> (SecretKey, PathBuf) {
    let key = SecretKey::generate().unwrap();
    let path = folder.join(name);
    fs::write(&path, key.to_text().as_bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (key, path)
}

/// Who and when of a segment: that host, so many days behind [`DAY`].
pub(crate) fn whose(host: &str, days: i64) -> Provenance {
    let mut provenance = sink::provenance();
    provenance.host = host.into();
    provenance.anchor.wall = WallUs::new(WALL_US + days * i64::try_from(DAY_US).unwrap());
    provenance
}

/// The same, with key codes.
pub(crate) fn in_full(mut provenance: Provenance) -> Provenance {
    provenance.level = Level { keys: KeyLevel::Full, ..Level::default() };
    provenance
}

/// Seals a segment with these rows.
pub(crate) fn seal(
    root: &Path,
    provenance: Provenance,
    at_rest: AtRest,
    rows: &[Row],
) -> Vec<SealedFile> {
    let mut dataset = Dataset::create_or_open(root).unwrap();
    dataset.set_at_rest(at_rest);
    let id = SegmentId::random().unwrap();
    let mut segment = SegmentWriter::begin(&dataset, id, provenance).unwrap();
    segment.write_rows(rows).unwrap();
    segment.finish(&mut dataset).unwrap()
}

/// Two hosts on two days each, plain: four segments of [`session`].
pub(crate) fn four(root: &Path) -> Vec<SealedFile> {
    let segment = |(host, days)| seal(root, whose(host, days), AtRest::Plain, &session());
    [("ab01", 0), ("ab01", 1), ("cd02", 0), ("cd02", 1)].into_iter().flat_map(segment).collect()
}

/// The file of `events` among these.
pub(crate) fn events(root: &Path, files: &[SealedFile]) -> PathBuf {
    let file = files.iter().find(|file| file.path.starts_with("events/"));
    root.join(&file.unwrap().path)
}
