//! Appending to a journal.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    CLOSED, Cipher, HEADER_BYTES, Header, MAX_RECORD_BYTES, RecordHead, SUFFIX, TAG_BYTES,
    WaitingRows,
};
use crate::{
    Keys, Provenance, SegmentId, SinkError,
    disk::{self, HIDDEN},
    error::At,
};

/// A journal that is being written.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    path: PathBuf,
    file: File,
    cipher: Cipher,
    /// Where the next record goes: all before it is durable.
    length: u64,
    sequence: u64,
    attempt: u32,
    /// One payload, then its ciphertext.
    payload: Vec<u8>,
    /// The records of one append.
    buffer: Vec<u8>,
}

impl JournalWriter {
    /// Makes the journal of segment `id`. It appears under its name only with
    /// a whole header.
    pub(crate) fn create(
        directory: &Path,
        id: SegmentId,
        provenance: &Provenance,
        keys: &Keys,
    ) -> Result<Self, SinkError> {
        let path = directory.join(format!("{id}.{SUFFIX}"));
        let mut text = provenance.to_json().map_err(std::io::Error::from).at("describe", &path)?;
        let length = text.len() + TAG_BYTES;
        if length > MAX_RECORD_BYTES {
            return Err(SinkError::Journal { path, why: "its provenance is too long" });
        }
        let mut header =
            Header { length: u32::try_from(length).unwrap_or(u32::MAX), id, salt: [0; 32] };
        crate::keys::random(&mut header.salt)?;
        let cipher = Cipher::new(keys, header);
        cipher.seal(None, &mut text).map_err(std::io::Error::other).at("encrypt", &path)?;
        let mut buffer = Vec::with_capacity(2 * (HEADER_BYTES + length));
        for _ in 0..2 {
            buffer.extend(header.to_bytes());
            buffer.extend(&text);
        }
        let hidden = directory.join(format!("{HIDDEN}{id}"));
        let file = create(&hidden, &path, &buffer);
        if file.is_err() {
            drop(fs::remove_file(&hidden));
        }
        let file = file.at("create", &path)?;
        disk::sync_directory(directory)?;
        let length = buffer.len() as u64;
        Ok(Self {
            path,
            file,
            cipher,
            length,
            sequence: 1,
            attempt: 0,
            payload: Vec::new(),
            buffer,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are durable.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Appends the rows and makes them durable: all or none. After a failure
    /// the same or other rows may be tried again.
    pub(crate) fn append(&mut self, rows: &WaitingRows) -> Result<(), SinkError> {
        self.buffer.clear();
        let mut sequence = self.sequence;
        for payload in rows.payloads() {
            self.payload.clear();
            payload.put(&mut self.payload);
            self.record(sequence)?;
            sequence += 1;
        }
        self.write(sequence)
    }

    /// Ends the journal properly: what is recovered from it is no crash.
    pub(crate) fn close(&mut self) -> Result<(), SinkError> {
        self.buffer.clear();
        self.payload.clear();
        self.payload.push(CLOSED);
        self.record(self.sequence)?;
        self.write(self.sequence + 1)
    }

    /// Puts another file in the place of the journal's; for tests of failures.
    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// Puts the payload behind what is to be written, as a record.
    fn record(&mut self, sequence: u64) -> Result<(), SinkError> {
        let length = u32::try_from(self.payload.len() + TAG_BYTES).unwrap_or(u32::MAX);
        let head = RecordHead { sequence, attempt: self.attempt, length };
        self.cipher
            .seal(Some(head), &mut self.payload)
            .map_err(std::io::Error::other)
            .at("encrypt", &self.path)?;
        self.buffer.extend_from_slice(&head.to_bytes());
        self.buffer.extend_from_slice(&self.payload);
        Ok(())
    }

    /// Makes the records durable; `sequence` is what comes behind them.
    fn write(&mut self, sequence: u64) -> Result<(), SinkError> {
        let written =
            self.file.write_all_at(&self.buffer, self.length).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // What arrived of it must not be read as records, and its nonces
            // are spent. A failed sync says nothing about what is on disk, so
            // all of it is written again.
            drop(self.file.set_len(self.length));
            self.attempt = self.attempt.saturating_add(1);
        }
        written.at("append to", &self.path)?;
        self.length += self.buffer.len() as u64;
        self.sequence = sequence;
        Ok(())
    }
}

fn create(hidden: &Path, path: &Path, header: &[u8]) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(hidden)?;
    file.write_all_at(header, 0)?;
    file.sync_all()?;
    fs::rename(hidden, path)?;
    Ok(file)
}
