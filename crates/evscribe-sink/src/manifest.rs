//! `manifest.jsonl`: what is in the dataset, one JSON object a line, append only.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Component, Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{SCHEMA_VERSION, SinkError, Table, disk, error::At};

/// Name of the manifest inside a dataset, and inside what may be pulled.
pub const MANIFEST: &str = "manifest.jsonl";

/// Why a file went before its time: those who pulled it have it.
pub(crate) const PULLED: &str = "pulled";

/// A sealed file, as its line in the manifest says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealedFile {
    /// Its place, relative to the dataset.
    pub path: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// How many rows it holds.
    pub rows: u64,
    /// Its table.
    pub table: Table,
    /// Pseudonym of the host.
    pub host: String,
    /// Pseudonym of the boot.
    pub boot: String,
    /// Pseudonym of the person; empty in lines of versions that did not say it.
    #[serde(default)]
    pub subject: String,
    /// Its segment, 16 hex digits.
    pub segment: String,
    /// Wall time of its first row, µs since 1970-01-01 UTC.
    pub first_us: i64,
    /// Wall time of its last row, µs since 1970-01-01 UTC.
    pub last_us: i64,
    /// When it was sealed, RFC 3339.
    pub sealed_at: String,
}

/// One line of a manifest; see docs/FORMAT.md.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Line {
    /// The first one: the dataset was made.
    Created {
        /// Version of its schema.
        schema_version: u32,
        /// When, RFC 3339.
        at: String,
        /// Files of another dataset, not all of them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        part: bool,
        /// Pseudonym of the one host that all files are from; only where a
        /// workstation offers its files.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        host: String,
    },
    /// A file was sealed; replaces an earlier line for the same path.
    Sealed(SealedFile),
    /// A file was removed.
    Removed {
        /// Its place, relative to the dataset.
        path: String,
        /// Why, in a word.
        reason: String,
        /// When, RFC 3339.
        at: String,
    },
}

/// What the lines add up to.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Files that are there, by path.
    pub(crate) live: BTreeMap<String, SealedFile>,
    /// Files that were there, by path.
    pub(crate) removed: BTreeMap<String, SealedFile>,
    /// Which of these went early, because they had been pulled.
    pub(crate) pulled: HashSet<String>,
    /// Numbers of lines that are no line of a manifest, from 1.
    pub(crate) unreadable: Vec<usize>,
    /// The dataset's schema version.
    pub(crate) schema_version: u32,
    /// Bytes after the last whole line.
    pub(crate) torn_bytes: u64,
    /// Whether it is a part of another dataset, so that files may lack what is in
    /// those that are not here.
    pub(crate) is_part: bool,
}

impl Contents {
    /// Hosts and boots of which files were removed.
    pub(crate) fn thinned(&self) -> HashSet<(String, String)> {
        self.removed.values().map(|file| (file.host.clone(), file.boot.clone())).collect()
    }
}

pub(crate) fn now() -> String {
    Timestamp::now().to_string()
}

/// Whether a path of the manifest stays inside the dataset, at a file's place.
pub(crate) fn is_inside(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    let table = matches!(parts.next(), Some(Component::Normal(name)) if name.to_str().is_some_and(|name| Table::named(name).is_some()));
    table && path.ends_with(".parquet") && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Reads the manifest of the dataset at `directory`; repairs nothing.
///
/// # Errors
/// [`SinkError::NoDataset`], [`SinkError::NewerSchema`], [`SinkError::Io`].
pub(crate) fn read(directory: &Path) -> Result<Contents, SinkError> {
    let path = directory.join(MANIFEST);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(SinkError::NoDataset { path: directory.into() });
        }
        Err(error) => return Err(error).at("open", &path),
    };
    let mut reader = BufReader::new(file);
    let mut contents = Contents { schema_version: SCHEMA_VERSION, ..Contents::default() };
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        if reader.read_until(b'\n', &mut text).at("read", &path)? == 0 {
            break;
        }
        let line = serde_json::from_slice::<Line>(&text);
        if !text.ends_with(b"\n") && line.is_err() {
            contents.torn_bytes = text.len() as u64;
            break;
        }
        match line {
            Ok(Line::Created { schema_version, part, .. }) => {
                contents.schema_version = schema_version;
                contents.is_part = part;
            }
            Ok(Line::Sealed(file)) if is_inside(&file.path) => {
                contents.removed.remove(&file.path);
                contents.live.insert(file.path.clone(), file);
            }
            Ok(Line::Removed { path, reason, .. }) => {
                if let Some(file) = contents.live.remove(&path) {
                    if reason == PULLED {
                        contents.pulled.insert(path.clone());
                    }
                    contents.removed.insert(path, file);
                }
            }
            Ok(Line::Sealed(_)) | Err(_) => contents.unreadable.push(number),
        }
    }
    if contents.schema_version > SCHEMA_VERSION {
        return Err(SinkError::NewerSchema {
            path: directory.into(),
            found: contents.schema_version,
        });
    }
    Ok(contents)
}

/// The manifest, open for appending.
#[derive(Debug)]
pub(crate) struct Manifest {
    path: PathBuf,
    file: File,
}

impl Manifest {
    /// Makes the manifest of a new dataset, whole or not at all.
    pub(crate) fn create(directory: &Path) -> Result<(), SinkError> {
        disk::replace(&directory.join(MANIFEST), &to_lines(&[Self::created(false)])?)
    }

    /// Makes the manifest of a dataset that is part of another and has these
    /// files, whole or not at all.
    pub(crate) fn create_part(directory: &Path, files: &[SealedFile]) -> Result<(), SinkError> {
        let mut lines = vec![Self::created(true)];
        lines.extend(files.iter().cloned().map(Line::Sealed));
        disk::replace(&directory.join(MANIFEST), &to_lines(&lines)?)
    }

    fn created(part: bool) -> Line {
        Line::Created { schema_version: SCHEMA_VERSION, at: now(), part, host: String::new() }
    }

    /// Opens it; a torn last line is cut off, or ended where only its end was
    /// missing. Returns how many bytes were cut.
    pub(crate) fn open(directory: &Path) -> Result<(Self, u64), SinkError> {
        let path = directory.join(MANIFEST);
        let file = OpenOptions::new().read(true).append(true).open(&path).at("open", &path)?;
        let mut manifest = Self { path, file };
        let torn = manifest.repair()?;
        Ok((manifest, torn))
    }

    fn repair(&mut self) -> Result<u64, SinkError> {
        let length = self.file.metadata().at("read", &self.path)?.len();
        let torn = self.last_line(length).at("read", &self.path)?;
        if torn.is_empty() {
            return Ok(0);
        }
        if serde_json::from_slice::<Line>(&torn).is_ok() {
            self.append_bytes(b"\n")?;
            return Ok(0);
        }
        let torn = torn.len() as u64;
        self.file
            .set_len(length - torn)
            .and_then(|()| self.file.sync_all())
            .at("repair", &self.path)?;
        Ok(torn)
    }

    /// What stands after the last line end.
    fn last_line(&mut self, length: u64) -> std::io::Result<Vec<u8>> {
        const STEP: u64 = 4096;
        let mut tail = Vec::new();
        let mut from = length;
        while from > 0 {
            let step = from.min(STEP);
            from -= step;
            self.file.seek(SeekFrom::Start(from))?;
            let mut chunk = Vec::new();
            (&self.file).take(step).read_to_end(&mut chunk)?;
            if let Some(end) = chunk.iter().rposition(|byte| *byte == b'\n') {
                chunk.drain(..=end);
                chunk.append(&mut tail);
                return Ok(chunk);
            }
            chunk.append(&mut tail);
            tail = chunk;
        }
        Ok(tail)
    }

    /// Appends the lines, all or none, durably.
    pub(crate) fn append(&mut self, lines: &[Line]) -> Result<(), SinkError> {
        if lines.is_empty() {
            return Ok(());
        }
        self.append_bytes(&to_lines(lines)?)
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        disk::step();
        let length = self.file.metadata().at("read", &self.path)?.len();
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        if written.is_err() {
            // Whatever arrived of it would be a torn line in the middle later.
            drop(self.file.set_len(length));
        }
        written.at("append to", &self.path)
    }
}

pub(crate) fn to_lines(lines: &[Line]) -> Result<Vec<u8>, SinkError> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line)
            .map_err(std::io::Error::from)
            .at("append to", Path::new(MANIFEST))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}
