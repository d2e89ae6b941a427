//! The ledger: what was done with people's data, one line a fact, append only,
//! each line chained to the one before.
//!
//! ```text
//! line = {"n":1,"at":"2026-11-24T09:00:00.000000Z","fact":"started",…,"prev":"<64 hex>","hash":"<64 hex>"}\n
//! ```
//! `hash` is the SHA-256 of the line's own bytes from its `{` to right before
//! `,"hash":`; `prev` is the `hash` of the line before, 64 zeros in the first;
//! `n` counts the lines from 1. Nothing is rewritten in order to check it: what
//! stands in the file is what was hashed. The *head* is the last line's hash.
//!
//! Whoever may write the file may write another chain; so each sealed file
//! carries the head of its time, and [`verify_with_dataset`] finds a ledger that
//! was cut or begun anew.

mod chain;
mod fact;
mod verify;

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{BufReader, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{SinkError, disk, error::At};

pub use fact::Fact;
pub use verify::{LedgerFault, LedgerFaults, Verified, lines_of, verify, verify_with_dataset};

/// `prev` of the first line, and the head of a ledger without lines.
pub const FIRST_HEAD: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The ledger, open for appending.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    /// Up to where it is whole; what stands behind is of a failed write.
    length: u64,
    /// Number of the next line.
    next_n: u64,
    head: String,
}

/// What was wrong with the ledger when it was opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Opened {
    /// Bytes of a torn last line, cut off.
    pub(crate) torn_bytes: u64,
    /// The first line that does not hold and was not known before.
    pub(crate) broken: Option<LedgerFault>,
}

/// A line but for its hash.
#[derive(Serialize)]
struct Body<'a> {
    n: u64,
    at: String,
    #[serde(flatten)]
    fact: &'a Fact,
    prev: &'a str,
}

impl Ledger {
    /// Opens the ledger at `path`, or begins one, mode 0600. The whole chain is
    /// checked, line by line: a year has some MB.
    ///
    /// A torn last line is cut off, a broken chain is left as it is; both are
    /// said in the ledger itself.
    ///
    /// # Errors
    /// [`SinkError::Io`].
    pub(crate) fn open(path: &Path) -> Result<(Self, Opened), SinkError> {
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).append(true).create(true).mode(0o600).open(path).at("open", path)?;
        if is_new {
            disk::sync_parent(path)?;
        }
        let found = chain::read(&mut file).at("read", path)?;
        let mut ledger = Self {
            path: path.into(),
            file,
            length: found.whole_bytes,
            next_n: found.next_n,
            head: found.head,
        };
        let mut opened = Opened { torn_bytes: found.torn_bytes, broken: found.fault };
        if found.lacks_end {
            // Only its end was missing.
            ledger.write(b"\n")?;
            opened.torn_bytes = 0;
        } else if found.torn_bytes > 0 {
            ledger.cut()?;
        }
        let mut facts = Vec::new();
        if opened.torn_bytes > 0 {
            facts.push(Fact::Repaired { bytes: opened.torn_bytes });
        }
        if let Some(fault) = &opened.broken {
            facts.push(Fact::Broken { line: fault.line, why: fault.why.clone() });
        }
        ledger.append(&facts)?;
        Ok((ledger, opened))
    }

    /// Hash of the last line.
    pub(crate) fn head(&self) -> &str {
        &self.head
    }

    /// Appends the facts, all or none, durably.
    ///
    /// # Errors
    /// [`SinkError::Io`]; nothing was appended.
    pub(crate) fn append(&mut self, facts: &[Fact]) -> Result<(), SinkError> {
        if facts.is_empty() {
            return Ok(());
        }
        let (mut bytes, mut head) = (Vec::new(), self.head.clone());
        let at = format!("{:.6}", Timestamp::now());
        for (n, fact) in (self.next_n..).zip(facts) {
            let body = Body { n, at: at.clone(), fact, prev: &head };
            let mut body = serde_json::to_vec(&body)
                .map_err(std::io::Error::from)
                .at("append to", &self.path)?;
            // Its closing brace comes after the hash.
            body.pop();
            head = chain::hash(&body);
            bytes.append(&mut body);
            bytes.extend_from_slice(chain::HASH_FIELD);
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(b"\"}\n");
        }
        self.write(&bytes)?;
        self.next_n += facts.len() as u64;
        self.head = head;
        Ok(())
    }

    /// How many lines of that request are there already. Memory: a line.
    ///
    /// # Errors
    /// [`SinkError::Io`].
    pub(crate) fn lines_of_request(&mut self, request: &str) -> Result<usize, SinkError> {
        // Within a text of a line its quotes would be escaped.
        let wanted = format!("\"request\":\"{request}\"");
        self.file.seek(SeekFrom::Start(0)).at("read", &self.path)?;
        let mut reader = BufReader::new(&self.file);
        let (mut found, mut text) = (0, Vec::new());
        while chain::next_line(&mut reader, &mut text).at("read", &self.path)? > 0 {
            let is_there = text.windows(wanted.len()).any(|window| window == wanted.as_bytes());
            found += usize::from(is_there);
        }
        Ok(found)
    }

    /// Which of these files were pulled, by the facts about them. Memory: a line.
    ///
    /// # Errors
    /// [`SinkError::Io`].
    pub(crate) fn pulled(
        &mut self,
        files: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, SinkError> {
        #[derive(Deserialize)]
        struct Line {
            fact: String,
            file: Option<String>,
        }
        self.file.seek(SeekFrom::Start(0)).at("read", &self.path)?;
        let mut reader = BufReader::new(&self.file);
        let (mut found, mut text) = (BTreeSet::new(), Vec::new());
        while chain::next_line(&mut reader, &mut text).at("read", &self.path)? > 0 {
            let Ok(Line { fact, file: Some(file) }) = serde_json::from_slice(&text) else {
                continue;
            };
            if fact == "pulled" && files.contains(&file) {
                found.insert(file);
            }
        }
        Ok(found)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        disk::step();
        if self.file.metadata().at("read", &self.path)?.len() != self.length {
            self.cut()?;
        }
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        if written.is_err() {
            // What arrived of it is cut off here, or before the next write.
            drop(self.cut());
        }
        written.at("append to", &self.path)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off what stands behind the last whole line.
    fn cut(&mut self) -> Result<(), SinkError> {
        self.file.set_len(self.length).and_then(|()| self.file.sync_all()).at("repair", &self.path)
    }
}
