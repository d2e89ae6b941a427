//! Reading a journal back, whatever happened to it.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    CLOSED, Cipher, HEADER_BYTES, HEADER_MAGIC, Header, MAX_RECORD_BYTES, RECORD_BYTES,
    RECORD_MAGIC, RecordHead, RecordRows, TAG_BYTES, VERSION,
    order::{Authentic, Step, steps},
};
use crate::{Keys, Provenance, SCHEMA_VERSION, SegmentId, SinkError, error::At};

/// Bytes looked at in one step of a search.
const SEARCH_BYTES: u64 = 64 * 1024;

/// A place in a journal that is not as it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Damage {
    /// Where it begins, in bytes from the journal's start.
    pub at: u64,
    /// How many bytes are unusable; 0 where records are just missing.
    pub bytes: u64,
    /// What it means.
    pub kind: DamageKind,
}

/// What a damage means for the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DamageKind {
    /// Records are missing before the next one.
    Hole,
    /// Bytes that are no record, but none is missing.
    Stray,
    /// A record that is there once more, or of a write that was repeated; skipped.
    Repeated,
    /// The end is unusable: a write that did not finish, or was cut.
    Tail,
}

/// What comes next in a journal.
#[derive(Debug)]
pub(crate) enum Found {
    /// Rows, in [`JournalReader::rows`] until the next call.
    Rows,
    Damage(Damage),
    Closed,
}

/// Reads a journal from start to end.
#[derive(Debug)]
pub(crate) struct JournalReader {
    path: PathBuf,
    file: File,
    cipher: Cipher,
    id: SegmentId,
    provenance: Provenance,
    length: u64,
    at: u64,
    /// The last record read before any damage.
    sequence: u64,
    attempt: u32,
    damaged_from: Option<u64>,
    /// What is left to do, once the journal is known to be damaged.
    steps: Option<std::vec::IntoIter<Step>>,
    rows: RecordRows,
    buffer: Vec<u8>,
}

impl JournalReader {
    /// Opens a journal by the first of its headers that authenticates.
    ///
    /// # Errors
    /// [`SinkError::Journal`] where none does, [`SinkError::NewerSchema`],
    /// [`SinkError::Io`].
    pub(crate) fn open(path: &Path, keys: &Keys) -> Result<Self, SinkError> {
        let file = File::open(path).at("open", path)?;
        let length = file.metadata().at("read", path)?.len();
        let mut buffer = Vec::new();
        let mut at = 0;
        // Both headers are at the very start: no need to look further.
        let limit = length.min(2 * (HEADER_BYTES + MAX_RECORD_BYTES) as u64);
        while let Some(place) = find(&file, &HEADER_MAGIC, at, limit).at("read", path)? {
            if let Some((cipher, header)) =
                header_at(&file, keys, place, length, &mut buffer).at("read", path)?
            {
                let (version, provenance) =
                    Provenance::from_json(&buffer).ok_or_else(|| SinkError::Journal {
                        path: path.into(),
                        why: "its header is of another version",
                    })?;
                if version > SCHEMA_VERSION {
                    return Err(SinkError::NewerSchema { path: path.into(), found: version });
                }
                let bytes = HEADER_BYTES as u64 + u64::from(header.length);
                let mut at = place + bytes;
                let twin = header_at(&file, keys, at, length, &mut buffer).at("read", path)?;
                if twin.is_some_and(|(_, twin)| twin == header) {
                    at += bytes;
                }
                return Ok(Self {
                    path: path.into(),
                    file,
                    cipher,
                    id: header.id,
                    provenance,
                    length,
                    at,
                    sequence: 0,
                    attempt: 0,
                    damaged_from: (place > 0).then_some(0),
                    steps: None,
                    rows: RecordRows::default(),
                    buffer,
                });
            }
            at = place + 1;
        }
        if let Some(found) = other_version(&file).at("read", path)? {
            return Err(SinkError::JournalVersion { path: path.into(), found });
        }
        Err(SinkError::Journal {
            path: path.into(),
            why: "no header authenticates: it is damaged or was written under another key",
        })
    }

    pub(crate) fn id(&self) -> SegmentId {
        self.id
    }

    pub(crate) fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The rows that were found last; the caller may change them.
    pub(crate) fn rows(&mut self) -> &mut RecordRows {
        &mut self.rows
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// [`SinkError::Io`] where the disk fails; damage is no error.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, SinkError> {
        if self.steps.is_none() {
            if self.at == self.length && self.damaged_from.is_none() {
                return Ok(None);
            }
            let place = self.at;
            let record = match self.damaged_from {
                None => self.record_at(place).at("read", &self.path)?,
                Some(_) => None,
            };
            if let Some(Authentic { bytes, head, .. }) = record
                && head.sequence == self.sequence + 1
                && head.attempt >= self.attempt
            {
                self.at += bytes;
                (self.sequence, self.attempt) = (head.sequence, head.attempt);
                let lost = Damage { at: place, bytes, kind: DamageKind::Hole };
                return Ok(Some(self.content().unwrap_or(Found::Damage(lost))));
            }
            // From here on it is not as it was written.
            self.steps = Some(self.survey().at("read", &self.path)?.into_iter());
        }
        let Some(step) = self.steps.as_mut().and_then(Iterator::next) else { return Ok(None) };
        let Authentic { at, bytes, .. } = match step {
            Step::Report(damage) => return Ok(Some(Found::Damage(damage))),
            Step::Read(record) => record,
        };
        let lost = Damage { at, bytes, kind: DamageKind::Hole };
        let is_there = self.record_at(at).at("read", &self.path)?.is_some();
        let found = if is_there { self.content() } else { None };
        Ok(Some(found.unwrap_or(Found::Damage(lost))))
    }

    /// Looks through all that is not read yet.
    fn survey(&mut self) -> io::Result<Vec<Step>> {
        let (mut records, mut unusable) = (Vec::new(), Vec::new());
        let mut damaged_from = self.damaged_from.take();
        while self.at < self.length {
            if let Some(record) = self.record_at(self.at)? {
                unusable.extend(damaged_from.take().map(|from| from..record.at));
                self.at += record.bytes;
                records.push(record);
            } else {
                damaged_from.get_or_insert(self.at);
                let next = find(&self.file, &RECORD_MAGIC, self.at + 1, self.length)?;
                self.at = next.unwrap_or(self.length);
            }
        }
        unusable.extend(damaged_from.map(|from| from..self.length));
        Ok(steps(records, unusable, (self.sequence, self.attempt), self.length))
    }
}

impl JournalReader {
    /// The record at `place`, its plaintext in the buffer; `None` where none
    /// authenticates.
    fn record_at(&mut self, place: u64) -> io::Result<Option<Authentic>> {
        let mut head = [0; RECORD_BYTES];
        if !read_exact(&self.file, &mut head, place)? {
            return Ok(None);
        }
        let Some(head) = RecordHead::from_bytes(&head) else { return Ok(None) };
        let from = place + RECORD_BYTES as u64;
        if !ciphertext(&self.file, from, head.length, self.length, &mut self.buffer)? {
            return Ok(None);
        }
        let bytes = RECORD_BYTES as u64 + u64::from(head.length);
        let record = Authentic { at: place, bytes, head };
        Ok(self.cipher.open(Some(head), &mut self.buffer).then_some(record))
    }

    fn content(&mut self) -> Option<Found> {
        match self.buffer.as_slice() {
            [CLOSED] => Some(Found::Closed),
            payload => self.rows.unpack(payload).map(|()| Found::Rows),
        }
    }
}

/// The header at `place`, its provenance in `buffer`; `None` where none
/// authenticates.
fn header_at(
    file: &File,
    keys: &Keys,
    place: u64,
    end: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<(Cipher, Header)>> {
    let mut fixed = [0; HEADER_BYTES];
    if !read_exact(file, &mut fixed, place)? {
        return Ok(None);
    }
    let Some(header) = Header::from_bytes(&fixed) else { return Ok(None) };
    if !ciphertext(file, place + HEADER_BYTES as u64, header.length, end, buffer)? {
        return Ok(None);
    }
    let cipher = Cipher::new(keys, header);
    Ok(cipher.open(None, buffer).then_some((cipher, header)))
}

/// The version that the first header says, where it is not ours.
fn other_version(file: &File) -> io::Result<Option<u16>> {
    let mut fixed = [0; HEADER_MAGIC.len() + 2];
    if !read_exact(file, &mut fixed, 0)? {
        return Ok(None);
    }
    let [magic @ .., low, high] = fixed;
    let version = u16::from_le_bytes([low, high]);
    Ok((magic == HEADER_MAGIC && version != VERSION).then_some(version))
}

/// Reads `length` bytes into `buffer`; false where the length cannot be true.
fn ciphertext(
    file: &File,
    from: u64,
    length: u32,
    end: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<bool> {
    let fits = from.checked_add(u64::from(length)).is_some_and(|to| to <= end);
    let length = length as usize;
    if !fits || !(TAG_BYTES..=MAX_RECORD_BYTES).contains(&length) {
        return Ok(false);
    }
    buffer.clear();
    buffer.resize(length, 0);
    read_exact(file, buffer, from)
}

/// Fills `buffer`; false where the file ends before.
fn read_exact(file: &File, buffer: &mut [u8], from: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, from) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The first place of `magic` from `from` on, wholly before `end`.
fn find(file: &File, magic: &[u8; 8], from: u64, end: u64) -> io::Result<Option<u64>> {
    let mut chunk = Vec::new();
    let mut at = from;
    while at + magic.len() as u64 <= end {
        let bytes = (end - at).min(SEARCH_BYTES);
        chunk.resize(usize::try_from(bytes).unwrap_or(0), 0);
        if !read_exact(file, &mut chunk, at)? {
            return Ok(None);
        }
        if let Some(place) = chunk.windows(magic.len()).position(|window| window == magic) {
            return Ok(Some(at + place as u64));
        }
        // A magic may lie across two chunks.
        at += bytes - (magic.len() as u64 - 1);
    }
    Ok(None)
}
