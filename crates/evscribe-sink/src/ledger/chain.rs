//! The chain, read line by line.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{FIRST_HEAD, LedgerFault};
use crate::keys::hex;

/// What stands between what is hashed and the hash.
pub(super) const HASH_FIELD: &[u8] = b",\"hash\":\"";

/// Longest line read; whatever is longer is no line.
const LINE_MAX: u64 = 64 * 1024;

/// Hash of a line, from its bytes before [`HASH_FIELD`].
pub(super) fn hash(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// What a line says besides its own fields.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    pub(super) n: u64,
    pub(super) fact: String,
    pub(super) subject: Option<String>,
    prev: String,
    hash: String,
}

impl Line {
    /// Reads a line without its end; `Err` says why it is none.
    pub(super) fn parse(text: &[u8]) -> Result<Self, (Option<Self>, &'static str)> {
        let line: Self =
            serde_json::from_slice(text).map_err(|_| (None, "it is no line of a ledger"))?;
        let body = text
            .strip_suffix(b"\"}")
            .and_then(|text| text.strip_suffix(line.hash.as_bytes()))
            .and_then(|text| text.strip_suffix(HASH_FIELD));
        match body {
            Some(body) if hash(body) == line.hash => Ok(line),
            _ => Err((Some(line), "its hash is not that of its content")),
        }
    }
}

/// Checks lines one after the other and finds the first that does not hold.
#[derive(Debug)]
pub(super) struct Chain {
    /// Lines so far.
    pub(super) lines: u64,
    /// Hash of the last line.
    pub(super) head: String,
    /// What `n` of the next line must be.
    pub(super) next_n: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self { lines: 0, head: FIRST_HEAD.to_owned(), next_n: 1 }
    }
}

impl Chain {
    /// Takes a line in. After a fault the chain goes on from what the line says
    /// of itself, so that one fault is found once.
    pub(super) fn take(&mut self, text: &[u8]) -> Result<Line, LedgerFault> {
        self.lines += 1;
        let (line, mut why) = match Line::parse(text) {
            Ok(line) => (line, None),
            // Its number may be what is wrong with it.
            Err((Some(line), why)) => (Line { n: self.next_n, ..line }, Some(why.to_owned())),
            Err((None, why)) => {
                self.next_n += 1;
                return Err(LedgerFault { line: self.lines, why: why.to_owned() });
            }
        };
        if why.is_none() && line.n != self.next_n {
            why = Some(format!(
                "it is number {} where number {} belongs: lines were removed, repeated or reordered",
                line.n, self.next_n
            ));
        }
        if why.is_none() && line.prev != self.head {
            why = Some("it does not follow from the line before".to_owned());
        }
        // No ledger has so many lines that this stops them.
        self.next_n = line.n.min(u64::MAX >> 1) + 1;
        self.head.clone_from(&line.hash);
        why.map_or(Ok(line), |why| Err(LedgerFault { line: self.lines, why }))
    }
}

/// What [`read`] found.
#[derive(Debug)]
pub(super) struct Found {
    /// What `n` of the next line must be.
    pub(super) next_n: u64,
    pub(super) head: String,
    /// Up to the end of the last whole line.
    pub(super) whole_bytes: u64,
    /// What stands behind it.
    pub(super) torn_bytes: u64,
    /// What stands behind it is a line but for its end, and counted as one.
    pub(super) lacks_end: bool,
    /// The first fault after the last one that the ledger itself names.
    pub(super) fault: Option<LedgerFault>,
}

/// Reads a whole ledger, past its faults.
pub(super) fn read(file: &mut (impl Read + Seek)) -> io::Result<Found> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let (mut chain, mut fault) = (Chain::default(), None);
    let (mut whole_bytes, mut torn_bytes, mut lacks_end) = (0, 0, false);
    let mut text = Vec::new();
    loop {
        let read = next_line(&mut reader, &mut text)?;
        if read == 0 {
            break;
        }
        if text.last() == Some(&b'\n') {
            text.pop();
        } else if Line::parse(&text).is_ok_and(|line| line.n == chain.next_n) {
            lacks_end = true;
        } else {
            torn_bytes = read;
            break;
        }
        whole_bytes += read;
        match chain.take(&text) {
            // The ledger knows of what is wrong before this line.
            Ok(line) if line.fact == "broken" => fault = None,
            Ok(_) => {}
            Err(found) => drop(fault.get_or_insert(found)),
        }
    }
    Ok(Found { next_n: chain.next_n, head: chain.head, whole_bytes, torn_bytes, lacks_end, fault })
}

/// Reads up to a line end into `text`; of a line that is too long only its
/// beginning is kept. Returns how many bytes it has.
pub(super) fn next_line(reader: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<u64> {
    text.clear();
    let mut bytes = reader.take(LINE_MAX).read_until(b'\n', text)? as u64;
    if bytes == LINE_MAX && text.last() != Some(&b'\n') {
        let mut rest = Vec::new();
        loop {
            rest.clear();
            let more = reader.take(LINE_MAX).read_until(b'\n', &mut rest)? as u64;
            bytes += more;
            if more == 0 {
                break;
            }
            if rest.last() == Some(&b'\n') {
                text.push(b'\n');
                break;
            }
        }
    }
    Ok(bytes)
}
