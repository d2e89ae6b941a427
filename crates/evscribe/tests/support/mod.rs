//! Runs the built command.
#![allow(dead_code, reason = "each test file uses what it needs of it")]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use evscribe_sink::crypt::SecretKey;
use serde_json::Value;
use tempfile::NamedTempFile;

/// The tables of a dataset.
pub(crate) const TABLES: [&str; 4] = ["events", "touch", "marks", "devices"];

/// A mouse that moved once, to the right; 7 lines.
pub(crate) const MOUSE: &str = "# EVEMU 1.3\nN: mouse\nI: 0003 0001 0002 0001\n\
                                B: 01 00 00 00 00 00 00 00 00\nB: 02 03 00 00 00 00 00 00 00\n\
                                E: 1.000000 0002 0000 0003\nE: 1.000000 0000 0000 0000\n";

/// What a run of the command said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// What it printed, as JSON and nothing else.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Demands exit code 0.
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Demands exit code 1 and these words on standard error.
    pub(crate) fn fails_with(self, words: &str) -> Self {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.err.contains(words), "`{words}` is missing in {self:?}");
        self
    }
}

/// A command that was not started yet.
pub(crate) fn command(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evscribe"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end; a panic fails whoever asked.
pub(crate) fn evscribe(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
    let output = command(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let said =
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!said.err.contains("panicked at"), "{said:?}");
    said
}

/// The secret key of who may read what the tests import; made once.
pub(crate) fn team() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("team.key");
    if !path.exists() {
        // Only its owner may read it, as keys have to be.
        let mut mine = NamedTempFile::new_in(path.parent().unwrap()).unwrap();
        mine.write_all(SecretKey::generate().unwrap().to_text().as_bytes()).unwrap();
        // Another test may have been first: then its key it is.
        let _ = mine.persist_noclobber(&path);
    }
    path
}

/// And the public one.
pub(crate) fn recipient() -> String {
    SecretKey::from_file(&team()).unwrap().public().to_string()
}

/// `evscribe import FILES --out OUT EXTRA`, encrypted where EXTRA does not say
/// otherwise.
pub(crate) fn import(files: &[&Path], out: &Path, extra: &[&str]) -> Said {
    let head = ["import".as_ref(), "--out".as_ref(), out.as_os_str()];
    let files = files.iter().map(|file| file.as_os_str());
    let recipient = recipient();
    let seal = if extra.contains(&"--plain") { vec![] } else { vec!["--recipient", &recipient] };
    evscribe(head.into_iter().chain(files).chain(seal.iter().chain(extra).map(AsRef::as_ref)))
}

/// `evscribe data VERB DIR EXTRA`.
pub(crate) fn data(verb: &str, dir: &Path, extra: &[&str]) -> Said {
    let team = team();
    let head =
        ["data".as_ref(), verb.as_ref(), dir.as_os_str(), "--key".as_ref(), team.as_os_str()];
    evscribe(head.into_iter().chain(extra.iter().map(AsRef::as_ref)))
}

/// All rows of a table.
pub(crate) fn rows(dir: &Path, table: &str) -> Vec<Value> {
    let said = data("head", dir, &["--json", "-n", "100000", "--table", table]).succeeds();
    said.json().as_array().unwrap().clone()
}

/// The files under the tables of a dataset, hidden ones too, sorted.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = TABLES.iter().map(|table| dir.join(table)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// A recording that the project made.
pub(crate) fn recording(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/recordings");
    path.join(name)
}
