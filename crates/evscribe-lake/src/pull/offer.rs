//! What a host says that it offers: its manifest and its tombstones, which are
//! text from somewhere else. Nothing of it is believed that was not looked at.
//!
//! | limit | |
//! |---|---|
//! | bytes of a file | [`OFFER_MAX_BYTES`], kept by the process that fetches it |
//! | bytes of a line | [`LINE_MAX`] |
//! | lines | [`LINES_MAX`]: some years of a workstation |
//! | bytes of a data file | [`FILE_MAX_BYTES`] |

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use evscribe_sink::{Line, SCHEMA_VERSION, SealedFile, Tombstone};
use serde::Deserialize;

use crate::DataPath;
use crate::pull::error::HostError;

/// Longest manifest, and longest list of tombstones, bytes.
pub(super) const OFFER_MAX_BYTES: u64 = 128 << 20;

/// Longest line, bytes.
const LINE_MAX: u64 = 4_096;

/// Most lines of one file.
const LINES_MAX: usize = 200_000;

/// Longest data file that is taken, bytes; segments are sealed far below.
const FILE_MAX_BYTES: u64 = 4 << 30;

/// How many bad lines are told one by one.
const TOLD: usize = 5;

/// What a host offers, checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    /// Pseudonym of the host: a word, as in its paths.
    pub(super) host: String,
    /// By path, each of that host and at its place.
    pub(super) files: BTreeMap<String, SealedFile>,
    /// Lines that were left out, where that was asked for: number and why.
    pub(super) bad: BadLines,
}

/// Lines that say nothing that could be used.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct BadLines {
    pub(super) count: usize,
    /// The first few.
    pub(super) told: Vec<String>,
}

impl BadLines {
    fn push(&mut self, line: usize, why: &str) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(format!("line {line}: {why}"));
        }
    }
}

impl std::fmt::Display for BadLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told.join("; "))?;
        match self.count.saturating_sub(self.told.len()) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Reads a manifest. Lines that cannot be used are an error, or with `skip_bad`
/// left out and counted.
///
/// # Errors
/// [`HostError::HalfUpgraded`], [`HostError::Newer`], [`HostError::Manifest`].
pub(super) fn manifest(path: &Path, skip_bad: bool) -> Result<Offer, HostError> {
    let mut offer = Offer::default();
    lines(path, "manifest", |number, text| {
        if number == 1 {
            offer.host = host_of(text.unwrap_or_default())?;
            return Ok(());
        }
        match text.and_then(|text| file_of(text, &offer)) {
            Ok(file) => drop(offer.files.insert(file.path.clone(), file)),
            Err(why) => offer.bad.push(number, why),
        }
        stop_at_bad(&offer.bad, skip_bad)
    })?;
    if offer.host.is_empty() {
        return Err(HostError::Manifest("it is empty".into()));
    }
    refuse_bad(&offer.bad, skip_bad)?;
    Ok(offer)
}

/// Reads the tombstones of `host`; none where there is no file.
///
/// # Errors
/// [`HostError::Manifest`].
pub(super) fn tombstones(
    path: &Path,
    host: &str,
    skip_bad: bool,
) -> Result<(Vec<Tombstone>, BadLines), HostError> {
    let (mut found, mut bad) = (Vec::new(), BadLines::default());
    if !path.exists() {
        return Ok((found, bad));
    }
    lines(path, "list of tombstones", |number, text| {
        match text.and_then(|text| tombstone_of(text, host)) {
            Ok(tombstone) => found.push(tombstone),
            Err(why) => bad.push(number, why),
        }
        stop_at_bad(&bad, skip_bad)
    })?;
    refuse_bad(&bad, skip_bad)?;
    Ok((found, bad))
}

/// A hostile file is not read to its end only to count how bad it is.
fn stop_at_bad(bad: &BadLines, skip_bad: bool) -> Result<(), HostError> {
    if bad.count > TOLD { refuse_bad(bad, skip_bad) } else { Ok(()) }
}

fn refuse_bad(bad: &BadLines, skip_bad: bool) -> Result<(), HostError> {
    if bad.count == 0 || skip_bad { Ok(()) } else { Err(HostError::Manifest(bad.to_string())) }
}

/// The pseudonym that the first line says.
fn host_of(text: &[u8]) -> Result<String, HostError> {
    #[derive(Deserialize)]
    struct Created {
        op: String,
        schema_version: u32,
        host: Option<String>,
    }
    let first: Created = serde_json::from_slice(text)
        .map_err(|_| HostError::Manifest("line 1 is no line of a manifest".into()))?;
    if first.op != "created" {
        return Err(HostError::Manifest("line 1 does not say what it is of".into()));
    }
    if first.schema_version > SCHEMA_VERSION {
        return Err(HostError::Newer { found: first.schema_version });
    }
    let host = first.host.filter(|host| !host.is_empty()).ok_or(HostError::HalfUpgraded)?;
    // A place with that host in it, so that one rule says what a host may be.
    match DataPath::parse(&format!("events/date=2026-01-01/host={host}/a.parquet")) {
        Some(_) => Ok(host),
        None => Err(HostError::Manifest("line 1: its host is no pseudonym".into())),
    }
}

/// The file that a line says, if it may be of that offer.
fn file_of(text: &[u8], offer: &Offer) -> Result<SealedFile, &'static str> {
    let file = match serde_json::from_slice::<Line>(text) {
        Ok(Line::Sealed(file)) => file,
        Ok(_) => return Err("on offer stand sealed files only"),
        Err(_) => return Err("it is no line of a manifest"),
    };
    let path = DataPath::parse(&file.path).ok_or("its path is no place of a data file")?;
    if path.host() != offer.host || file.host != offer.host {
        return Err("its file is another host's");
    }
    if path.table() != file.table {
        return Err("its table is not the one of its path");
    }
    if !is_sha256(&file.sha256) {
        return Err("its checksum is none");
    }
    if file.bytes == 0 || file.bytes > FILE_MAX_BYTES {
        return Err("its length is none that a file of a dataset has");
    }
    if file.rows == 0 || file.first_us > file.last_us {
        return Err("it says that it holds nothing");
    }
    if [&file.boot, &file.subject, &file.segment, &file.sealed_at].iter().any(|text| !is_tame(text))
    {
        return Err("it has characters that no pseudonym has");
    }
    if offer.files.contains_key(&file.path) {
        return Err("an earlier line has the same path");
    }
    Ok(file)
}

fn tombstone_of(text: &[u8], host: &str) -> Result<Tombstone, &'static str> {
    let tombstone: Tombstone =
        serde_json::from_slice(text).map_err(|_| "it is no line of a list of tombstones")?;
    let path = DataPath::parse(&tombstone.file).ok_or("its path is no place of a data file")?;
    if path.host() != host || tombstone.host != host {
        return Err("its file is another host's");
    }
    if tombstone.sha256.as_deref().is_some_and(|sha256| !is_sha256(sha256)) {
        return Err("its checksum is none");
    }
    if [&tombstone.subject, &tombstone.at].iter().any(|text| !is_tame(text)) {
        return Err("it has characters that no pseudonym has");
    }
    Ok(tombstone)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text may be shown and kept as it is; empty is.
fn is_tame(text: &str) -> bool {
    text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Hands over every line, without its end, or why it is none.
fn lines(
    path: &Path,
    what: &str,
    mut take: impl FnMut(usize, Result<&[u8], &'static str>) -> Result<(), HostError>,
) -> Result<(), HostError> {
    let failed = |error: io::Error| HostError::Here(format!("cannot read its {what}: {error}"));
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        if (&mut reader).take(LINE_MAX).read_until(b'\n', &mut text).map_err(failed)? == 0 {
            break;
        }
        if number > LINES_MAX {
            return Err(HostError::Manifest(format!(
                "its {what} has more than {LINES_MAX} lines: that is no workstation's"
            )));
        }
        match text.strip_suffix(b"\n") {
            Some(line) => take(number, Ok(line))?,
            None if text.len() as u64 == LINE_MAX => {
                take(number, Err("it is too long"))?;
                reader.skip_until(b'\n').map_err(failed)?;
            }
            None => take(number, Err("it has no end"))?,
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "offer_test.rs"]
mod tests;
