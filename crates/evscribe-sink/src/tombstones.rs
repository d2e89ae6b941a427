//! `tombstones.jsonl`: which files were changed or removed because a person had
//! something forgotten, for those who pulled them earlier. No content.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{SinkError, disk, error::At};

/// Name of the tombstones inside a dataset, and inside what may be pulled.
pub const TOMBSTONES: &str = "tombstones.jsonl";

/// One line: one file that was touched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tombstone {
    /// Its place, relative to the dataset.
    pub file: String,
    /// Pseudonym of the person.
    pub subject: String,
    /// Pseudonym of the host.
    pub host: String,
    /// What was forgotten, by `time`: from when, µs since 1970-01-01 UTC.
    pub from_us: i64,
    /// Until before when.
    pub until_us: i64,
    /// When it was asked for, RFC 3339.
    pub at: String,
    /// SHA-256 of the file as it is now; `None` where it was removed.
    pub sha256: Option<String>,
}

impl Tombstone {
    /// Whether rows of that time were forgotten.
    #[must_use]
    pub fn contains(&self, at_us: i64) -> bool {
        (self.from_us..self.until_us).contains(&at_us)
    }
}

/// All lines, by file, oldest first; and the numbers of those that are none.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    pub(crate) of: BTreeMap<String, Vec<Tombstone>>,
    pub(crate) unreadable: Vec<usize>,
}

/// Reads the tombstones of the dataset at `directory`; without any there is no
/// file.
///
/// # Errors
/// [`SinkError::Io`].
pub(crate) fn read(directory: &Path) -> Result<Tombstones, SinkError> {
    Ok(read_whole(directory)?.0)
}

/// As [`read`], and up to where the lines are whole.
fn read_whole(directory: &Path) -> Result<(Tombstones, u64), SinkError> {
    let path = directory.join(TOMBSTONES);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        text => text.at("read", &path)?,
    };
    let mut found = Tombstones::default();
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    for (number, line) in (1..).zip(text.get(..whole).unwrap_or_default().split(|b| *b == b'\n')) {
        match serde_json::from_slice::<Tombstone>(line) {
            Ok(line) => found.of.entry(line.file.clone()).or_default().push(line),
            Err(_) if line.is_empty() => {}
            Err(_) => found.unreadable.push(number),
        }
    }
    Ok((found, whole as u64))
}

/// Appends those lines that are not there yet, durably. A torn last line, of an
/// append that was interrupted, is cut off first.
///
/// Where all are there they are made durable all the same: whoever wrote them
/// may have been interrupted before.
///
/// # Errors
/// [`SinkError::Io`]; doing it again is harmless.
pub(crate) fn append(directory: &Path, tombstones: &[Tombstone]) -> Result<(), SinkError> {
    if tombstones.is_empty() {
        return Ok(());
    }
    let (known, whole) = read_whole(directory)?;
    let is_new = |line: &&Tombstone| !known.of.get(&line.file).is_some_and(|of| of.contains(line));
    let path = directory.join(TOMBSTONES);
    let mut bytes = Vec::new();
    for line in tombstones.iter().filter(is_new) {
        serde_json::to_writer(&mut bytes, line).map_err(io::Error::from).at("append to", &path)?;
        bytes.push(b'\n');
    }
    disk::step();
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640);
    let mut file = options.open(&path).at("open", &path)?;
    file.set_len(whole).at("repair", &path)?;
    let written = file.write_all(&bytes).and_then(|()| {
        disk::step();
        file.sync_all()
    });
    if written.is_err() {
        // What arrived of it is cut off here, or before the next write.
        drop(file.set_len(whole));
    }
    written.at("append to", &path)?;
    disk::sync_directory(directory)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use super::*;

    fn tombstone(file: &str) -> Tombstone {
        Tombstone {
            file: file.into(),
            subject: "cafe".into(),
            host: "ab01".into(),
            from_us: 1,
            until_us: 2,
            at: "2026-11-23T21:16:40Z".into(),
            sha256: None,
        }
    }

    fn steps_of(act: impl FnOnce()) -> u32 {
        let steps = Rc::new(Cell::new(0));
        let count = Rc::clone(&steps);
        disk::steps::watch(Some(Box::new(move || count.set(count.get() + 1))));
        act();
        disk::steps::watch(None);
        steps.get()
    }

    #[test]
    fn what_is_there_already_is_made_durable_and_not_repeated() {
        let root = tempfile::tempdir().unwrap();
        let append = |files: &[&str]| {
            let tombstones: Vec<_> = files.iter().map(|file| tombstone(file)).collect();
            steps_of(|| append(root.path(), &tombstones).unwrap())
        };
        let text = || std::fs::read(root.path().join(TOMBSTONES)).unwrap();
        assert_eq!(append(&[]), 0);
        assert!(!root.path().join(TOMBSTONES).exists(), "without any there is no file");
        let steps = append(&["a", "b"]);
        let before = text();
        assert_eq!(append(&["a", "b"]), steps, "written, synced, its name synced");
        assert_eq!(text(), before);
        std::fs::write(root.path().join(TOMBSTONES), [&before[..], b"{\"file\":\"c"].concat())
            .unwrap();
        append(&["c"]);
        let found = read(root.path()).unwrap();
        assert_eq!((found.of.len(), found.unreadable.len()), (3, 0));
        assert!(text().starts_with(&before));
    }
}
