//! The modules of an encrypted file: what is encrypted by itself.
//!
//! Crate parquet encrypts what its own writers write; our pages are made
//! elsewhere ([`crate::pages`]), and its encryptor is private. So is what a
//! file's modules have in common, so the footer of such a file is made here too.
//!
//! Source: the Parquet format, Encryption.md, "4.4 AAD" and "5.1 Encrypted
//! module serialization".

use std::{fs::File, io, os::unix::fs::FileExt};

use parquet::errors::ParquetError;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{DataKey, FileKey, MAGIC, footer::CryptoMetadata};
use crate::{SinkError, keys::random};

/// Of the length before a module.
const LENGTH_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Where a column chunk stands: row group and column, from 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkPlace {
    pub(crate) group: i16,
    pub(crate) column: i16,
}

/// What a module is. A column chunk of ours has one data page: page 0.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Module {
    Footer,
    DataPage(ChunkPlace),
    DictionaryPage(ChunkPlace),
    DataPageHeader(ChunkPlace),
    DictionaryPageHeader(ChunkPlace),
}

impl Module {
    /// What comes behind the file's AAD.
    fn suffix(self) -> Vec<u8> {
        let (kind, place, page) = match self {
            Self::Footer => return vec![0],
            Self::DataPage(place) => (2, place, true),
            Self::DictionaryPage(place) => (3, place, false),
            Self::DataPageHeader(place) => (4, place, true),
            Self::DictionaryPageHeader(place) => (5, place, false),
        };
        let mut suffix = vec![kind];
        suffix.extend(place.group.to_le_bytes());
        suffix.extend(place.column.to_le_bytes());
        if page {
            suffix.extend(0_i16.to_le_bytes());
        }
        suffix
    }
}

/// Whether the modules between two places of a file fill the room exactly, by
/// what they say of their lengths.
///
/// Nothing authenticates that, and crate parquet makes room for as much as is
/// said before it reads: for up to 4 GiB, after one flipped bit.
pub(crate) fn fill(file: &File, begin: u64, end: u64) -> io::Result<bool> {
    let mut at = begin;
    while at < end {
        let mut length = [0; LENGTH_BYTES];
        match file.read_exact_at(&mut length, at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        at = at.saturating_add(u64::from(u32::from_le_bytes(length)) + LENGTH_BYTES as u64);
    }
    Ok(at == end)
}

/// The thrift of a file's metadata, out of its encrypted footer: what stands before
/// its length and the magic. `None` where it is damaged, or of another key.
pub(crate) fn open_footer(footer: &[u8], key: &DataKey) -> Option<Vec<u8>> {
    let (metadata, module) = CryptoMetadata::parse(footer)?;
    let (_, module) = module.split_first_chunk::<LENGTH_BYTES>()?;
    let (nonce, ciphertext) = module.split_first_chunk::<NONCE_BYTES>()?;
    let key = key.as_bytes();
    let cipher = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    let key = LessSafeKey::new(UnboundKey::new(cipher, key).ok()?);
    let suffix = Module::Footer.suffix();
    let aad = [metadata.aad_prefix.as_slice(), &metadata.unique, &suffix].concat();
    let mut plain = ciphertext.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let bytes = key.open_in_place(nonce, Aad::from(aad), &mut plain).ok()?.len();
    plain.truncate(bytes);
    Some(plain)
}

/// Encrypts the modules of one file.
pub(crate) struct Modules {
    key: LessSafeKey,
    /// Of the next module. It begins anywhere and is counted up, so that none
    /// is used twice by one key.
    nonce: u128,
    metadata: CryptoMetadata,
    file_aad: Vec<u8>,
}

impl Modules {
    /// # Errors
    /// [`SinkError::Io`] where the kernel has no random numbers.
    pub(crate) fn new(file: FileKey) -> Result<Self, SinkError> {
        let FileKey { data_key, key_metadata, aad_prefix } = file;
        let key = data_key.as_bytes();
        let cipher = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let key = UnboundKey::new(cipher, key)
            .map_err(|_| SinkError::KeyMetadata { why: "its data key is not of 16 or 32 bytes" })?;
        let (mut nonce, mut unique) = ([0; 16], [0; 8]);
        random(&mut nonce)?;
        random(&mut unique)?;
        let file_aad = [aad_prefix.as_slice(), &unique].concat();
        let metadata = CryptoMetadata { aad_prefix, unique: unique.to_vec(), key_metadata };
        let nonce = u128::from_le_bytes(nonce);
        Ok(Self { key: LessSafeKey::new(key), nonce, metadata, file_aad })
    }

    /// Length, nonce, ciphertext and tag of a module.
    ///
    /// # Errors
    /// Where it is larger than a module may be: 4 GiB.
    pub(crate) fn seal(&mut self, module: Module, plain: &[u8]) -> Result<Vec<u8>, ParquetError> {
        let too_large = || ParquetError::General("a page is too large to be encrypted".into());
        let bytes = NONCE_BYTES + plain.len() + TAG_BYTES;
        let length = u32::try_from(bytes).map_err(|_| too_large())?;
        let aad = [self.file_aad.as_slice(), &module.suffix()].concat();
        let counted = self.nonce.to_le_bytes();
        self.nonce = self.nonce.wrapping_add(1);
        let nonce: [u8; NONCE_BYTES] = counted.first_chunk().copied().unwrap_or_default();
        let mut sealed = Vec::with_capacity(LENGTH_BYTES + bytes);
        sealed.extend(length.to_le_bytes());
        sealed.extend(nonce);
        let begin = sealed.len();
        sealed.extend(plain);
        let ciphertext = sealed.get_mut(begin..).unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(aad), ciphertext);
        sealed.extend(tag.map_err(|_| too_large())?.as_ref());
        Ok(sealed)
    }

    /// The end of the file, from the crypto metadata to the magic; `plain` is
    /// the thrift of its metadata.
    ///
    /// # Errors
    /// As [`Modules::seal`].
    pub(crate) fn footer(&mut self, plain: &[u8]) -> Result<Vec<u8>, ParquetError> {
        let mut footer = self.metadata.to_thrift();
        footer.extend(self.seal(Module::Footer, plain)?);
        let length = u32::try_from(footer.len())
            .map_err(|_| ParquetError::General("the footer is too large".into()))?;
        footer.extend(length.to_le_bytes());
        footer.extend(MAGIC);
        Ok(footer)
    }
}

/// The end of a file with that metadata, encrypted.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) fn seal_footer(file: FileKey, plain: &[u8]) -> Vec<u8> {
    Modules::new(file).unwrap().footer(plain).unwrap()
}
