//! What stands in the clear before an encrypted footer: `FileCryptoMetaData`.
//!
//! Crate parquet writes and reads it, but shows it to nobody: here it is written
//! for our own pages, and read to say what is wrong with a file.
//!
//! Source: the Parquet format, parquet.thrift; Thrift's compact protocol.

use std::io::{Read, Seek, SeekFrom};

use super::MAGIC;

/// How much of it is read: key metadata and place are far shorter.
const MAX_BYTES: u64 = 128 * 1024;
/// Magic and length, at the end of a file.
const TAIL_BYTES: u64 = 8;

// Types of Thrift's compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BINARY: u8 = 8;
const STRUCT: u8 = 12;
const STOP: u8 = 0;

/// What says how a file was encrypted, by AES_GCM_V1 and with its place stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct CryptoMetadata {
    pub(crate) aad_prefix: Vec<u8>,
    /// Tells this file from every other at that place.
    pub(crate) unique: Vec<u8>,
    pub(crate) key_metadata: Vec<u8>,
}

impl CryptoMetadata {
    pub(super) fn to_thrift(&self) -> Vec<u8> {
        // Each field is the first or the next: its number is a step of one.
        let field = |kind| 1 << 4 | kind;
        // encryption_algorithm, of which AES_GCM_V1.
        let mut thrift = vec![field(STRUCT), field(STRUCT)];
        for bytes in [&self.aad_prefix, &self.unique] {
            thrift.push(field(BINARY));
            put_binary(bytes, &mut thrift);
        }
        // supply_aad_prefix.
        thrift.extend([field(FALSE), STOP, STOP, field(BINARY)]);
        put_binary(&self.key_metadata, &mut thrift);
        thrift.push(STOP);
        thrift
    }

    /// Reads it from the end of a file that [is encrypted](super::is_encrypted);
    /// `None` where it is malformed or of another kind, or where the footer
    /// behind it is not as long as it says.
    pub(crate) fn read(file: &mut (impl Read + Seek)) -> std::io::Result<Option<Self>> {
        let length = file.seek(SeekFrom::End(0))?;
        let Some(end) = length.checked_sub(TAIL_BYTES) else { return Ok(None) };
        file.seek(SeekFrom::Start(end))?;
        let mut tail = [0; 8];
        file.read_exact(&mut tail)?;
        let [a, b, c, d, magic @ ..] = tail;
        let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
        let Some(begin) = end.checked_sub(footer).filter(|_| &magic == MAGIC) else {
            return Ok(None);
        };
        file.seek(SeekFrom::Start(begin))?;
        let mut thrift = Vec::new();
        file.take(footer.min(MAX_BYTES)).read_to_end(&mut thrift)?;
        let Some((metadata, rest)) = Self::parse(&thrift) else { return Ok(None) };
        let Some(length) = rest.first_chunk() else { return Ok(None) };
        let behind = footer - (thrift.len() - rest.len()) as u64;
        let is_whole = u64::from(u32::from_le_bytes(*length)) + length.len() as u64 == behind;
        Ok(is_whole.then_some(metadata))
    }

    /// And what is behind it.
    pub(super) fn parse(thrift: &[u8]) -> Option<(Self, &[u8])> {
        let mut thrift = Thrift(thrift);
        let (mut metadata, mut has_algorithm) = (Self::default(), false);
        let mut outer = 0;
        while let Some(kind) = thrift.field(&mut outer)? {
            match (outer, kind) {
                (1, STRUCT) => {
                    has_algorithm = thrift.algorithm(&mut metadata)?;
                }
                (2, BINARY) => metadata.key_metadata = thrift.binary()?.to_vec(),
                _ => return None,
            }
        }
        has_algorithm.then_some((metadata, thrift.0))
    }
}

fn put_binary(bytes: &[u8], out: &mut Vec<u8>) {
    let mut length = bytes.len();
    while length > 0x7f {
        out.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or_default());
    out.extend(bytes);
}

/// What is left to be read.
struct Thrift<'a>(&'a [u8]);

impl<'a> Thrift<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// The type of the next field, and its number; `Some(None)` where the struct
    /// ends.
    fn field(&mut self, number: &mut u8) -> Option<Option<u8>> {
        let head = self.byte()?;
        if head == STOP {
            return Some(None);
        }
        // No field of these is 16 or more behind the one before.
        let step = Some(head >> 4).filter(|step| *step > 0)?;
        *number = number.checked_add(step)?;
        Some(Some(head & 0xf))
    }

    fn binary(&mut self) -> Option<&'a [u8]> {
        let mut length = 0_usize;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                return Some(bytes);
            }
        }
        None
    }

    /// The union of algorithms: whether it is AES_GCM_V1.
    fn algorithm(&mut self, metadata: &mut CryptoMetadata) -> Option<bool> {
        let (mut is_gcm, mut which) = (false, 0);
        while let Some(kind) = self.field(&mut which)? {
            if (which, kind) != (1, STRUCT) {
                return None;
            }
            is_gcm = true;
            let mut number = 0;
            while let Some(kind) = self.field(&mut number)? {
                match (number, kind) {
                    (1, BINARY) => metadata.aad_prefix = self.binary()?.to_vec(),
                    (2, BINARY) => metadata.unique = self.binary()?.to_vec(),
                    // supply_aad_prefix: a struct's truths are in their type.
                    (3, FALSE | TRUE) => {}
                    _ => return None,
                }
            }
        }
        Some(is_gcm)
    }
}
