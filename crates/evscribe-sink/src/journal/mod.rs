//! The journal: what is not sealed yet, encrypted and authenticated from its
//! first byte on disk.
//!
//! ```text
//! file    = header header record*            two equal headers: one may be damaged
//! header  = magic[8] version:u16 0:u16 length:u32 segment[8] salt[32] ciphertext[length]
//! record  = magic[8] sequence:u64 attempt:u32 length:u32 ciphertext[length]
//! ```
//! Integers are little endian; `length` counts the ciphertext with its tag of
//! 16 bytes. The cipher is ChaCha20-Poly1305 under a key of this journal alone,
//! HKDF-SHA256(master key, salt, "evscribe journal v1"). The nonce is sequence
//! and attempt; the header's is zero, records count from 1. A failed write is
//! repeated under the next attempt, so no nonce ever sees two plaintexts. The
//! associated data are the header's fixed part and, for a record, all that
//! stands before its ciphertext.

pub mod bare;
mod bytes;
mod order;
mod read;
mod record;
mod section;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, Key, KeyInit, Nonce};

use crate::{Keys, SegmentId};

pub use read::{Damage, DamageKind};
pub(crate) use read::{Found, JournalReader};
pub(crate) use record::{RecordRows, WaitingRows};
pub(crate) use write::JournalWriter;

/// What journals end in.
pub(crate) const SUFFIX: &str = "evj";
/// What journals that cannot be read are renamed to end in.
pub(crate) const UNREADABLE: &str = "evj.unreadable";

const VERSION: u16 = 2;
const HEADER_MAGIC: [u8; 8] = *b"\x8bEVJHDR\n";
const RECORD_MAGIC: [u8; 8] = *b"\x8bEVJREC\n";
const HEADER_BYTES: usize = 56;
const RECORD_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Largest ciphertext of a record or header; whatever claims more is damaged.
pub(crate) const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// First byte of a payload that ends the journal properly.
const CLOSED: u8 = 0xff;

/// The fixed part of a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Header {
    length: u32,
    id: SegmentId,
    salt: [u8; 32],
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let parts = [
            HEADER_MAGIC.as_slice(),
            &VERSION.to_le_bytes(),
            &[0, 0],
            &self.length.to_le_bytes(),
            &self.id.to_bytes(),
            &self.salt,
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// `None` for what is no header of this version.
    fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first_chunk::<2>()?;
        let (zero, rest) = rest.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (id, rest) = rest.split_first_chunk::<8>()?;
        let (salt, _) = rest.split_first_chunk::<32>()?;
        // Bytes that are not kept are not authenticated either.
        let ours =
            *magic == HEADER_MAGIC && u16::from_le_bytes(*version) == VERSION && *zero == [0, 0];
        ours.then(|| Self {
            length: u32::from_le_bytes(*length),
            id: SegmentId::from_bytes(*id),
            salt: *salt,
        })
    }
}

/// What stands before a record's ciphertext.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct RecordHead {
    sequence: u64,
    attempt: u32,
    length: u32,
}

impl RecordHead {
    fn to_bytes(self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        let parts = [
            RECORD_MAGIC.as_slice(),
            &self.sequence.to_le_bytes(),
            &self.attempt.to_le_bytes(),
            &self.length.to_le_bytes(),
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (attempt, rest) = rest.split_first_chunk::<4>()?;
        let (length, _) = rest.split_first_chunk::<4>()?;
        (*magic == RECORD_MAGIC).then(|| Self {
            sequence: u64::from_le_bytes(*sequence),
            attempt: u32::from_le_bytes(*attempt),
            length: u32::from_le_bytes(*length),
        })
    }
}

/// The cipher of one journal.
struct Cipher {
    cipher: ChaCha20Poly1305,
    header: [u8; HEADER_BYTES],
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(…)")
    }
}

impl Cipher {
    fn new(keys: &Keys, header: Header) -> Self {
        let key = keys.journal(&header.salt);
        Self { cipher: ChaCha20Poly1305::new(&Key::from(*key)), header: header.to_bytes() }
    }

    fn nonce(sequence: u64, attempt: u32) -> Nonce {
        let mut nonce = [0; 12];
        for (to, from) in
            nonce.iter_mut().zip(sequence.to_le_bytes().into_iter().chain(attempt.to_le_bytes()))
        {
            *to = from;
        }
        Nonce::from(nonce)
    }

    /// The associated data of a record.
    fn associated(&self, head: RecordHead) -> [u8; HEADER_BYTES + RECORD_BYTES] {
        let mut data = [0; HEADER_BYTES + RECORD_BYTES];
        let (header, record) = data.split_at_mut(HEADER_BYTES);
        header.copy_from_slice(&self.header);
        record.copy_from_slice(&head.to_bytes());
        data
    }

    /// Encrypts in place and appends the tag; `None` stands for the header.
    fn seal(
        &self,
        head: Option<RecordHead>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), chacha20poly1305::Error> {
        match head {
            None => self.cipher.encrypt_in_place(&Self::nonce(0, 0), &self.header, buffer),
            Some(head) => {
                let nonce = Self::nonce(head.sequence, head.attempt);
                self.cipher.encrypt_in_place(&nonce, &self.associated(head), buffer)
            }
        }
    }

    /// Decrypts in place and takes the tag off; `buffer` is of no use where it
    /// does not authenticate.
    fn open(&self, head: Option<RecordHead>, buffer: &mut Vec<u8>) -> bool {
        let opened = match head {
            None => self.cipher.decrypt_in_place(&Self::nonce(0, 0), &self.header, buffer),
            Some(head) => {
                let nonce = Self::nonce(head.sequence, head.attempt);
                self.cipher.decrypt_in_place(&nonce, &self.associated(head), buffer)
            }
        };
        opened.is_ok()
    }
}

/// The journals in `directory`, oldest first.
pub(crate) fn leftovers(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|suffix| suffix == SUFFIX) && entry.file_type()?.is_file() {
            found.push((entry.metadata()?.modified()?, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}
