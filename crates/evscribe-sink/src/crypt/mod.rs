//! Encryption of sealed files: whose keys open them, and how.
//!
//! ```text
//! file ◄─ AES-256-GCM ─ data key, fresh for each file
//!                          └─ HPKE, once for each recipient ─► key metadata of the file (PKMT1)
//! secret keys ─► Keyring ─► data key ─► the file
//! ```
//! A file needs no network and no service to be written or read: who is to read
//! it holds a secret key, who writes it knows the public ones. docs/FORMAT.md
//! has the bytes.
//!
//! Not handled: who wrote a file. Anybody may encrypt for a public key; that
//! nobody did is what the manifest's checksums and the ledger are for.

mod footer;
mod key;
mod keyring;
pub(crate) mod modules;
mod recipients;
#[cfg(test)]
mod tests;
mod wrap;

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use parquet::{encryption::encrypt::FileEncryptionProperties, errors::ParquetError};

use crate::{SinkError, error::At};

pub(crate) use footer::CryptoMetadata;
pub(crate) use key::read_secret;
pub use key::{PublicKey, SecretKey};
pub use keyring::{DataKey, Keyring};
pub(crate) use modules::open_footer;
#[cfg(test)]
pub(crate) use modules::seal_footer;
pub use recipients::recipients;
pub use wrap::MAX_RECIPIENTS;
pub(crate) use wrap::key_ids;

/// What an encrypted Parquet file ends with.
pub(crate) const MAGIC: &[u8; 4] = b"PARE";

/// Before the place, in the AAD of every module of a file.
const AAD_PREFIX: &str = "evscribe/1/";

/// How files are sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AtRest {
    /// As anybody can read them who can open them.
    Plain,
    /// Encrypted for these. Without any, nothing can be sealed: what is kept
    /// must be readable for somebody.
    Encrypted {
        /// Who can read them.
        recipients: Vec<PublicKey>,
    },
}

impl Default for AtRest {
    /// For nobody yet: whoever seals says for whom, or that it may be plain.
    fn default() -> Self {
        Self::Encrypted { recipients: Vec::new() }
    }
}

/// How one file is encrypted.
#[derive(Debug)]
pub(crate) struct FileKey {
    pub(crate) data_key: DataKey,
    pub(crate) key_metadata: Vec<u8>,
    pub(crate) aad_prefix: Vec<u8>,
}

impl AtRest {
    /// The same, and readable for `recipient`; plain files stay plain.
    #[must_use]
    pub fn and(mut self, recipient: PublicKey) -> Self {
        if let Self::Encrypted { recipients } = &mut self
            && !recipients.contains(&recipient)
        {
            recipients.push(recipient);
        }
        self
    }

    /// A fresh data key for the file at `place`, a path in the dataset, and who
    /// may have it, as the writer of crate parquet wants it; `None` for plain.
    ///
    /// # Errors
    /// [`SinkError::NoRecipient`]; [`SinkError::Io`] where the kernel has no
    /// random numbers.
    pub fn encryption(
        &self,
        place: &str,
    ) -> Result<Option<Arc<FileEncryptionProperties>>, SinkError> {
        let Some(key) = self.file_key(place)? else { return Ok(None) };
        let properties = key.properties();
        properties.map(Some).map_err(|source| SinkError::Parquet { path: place.into(), source })
    }

    /// Whether anything can be sealed by it.
    ///
    /// # Errors
    /// [`SinkError::NoRecipient`], [`SinkError::Recipients`].
    pub(crate) fn check(&self) -> Result<(), SinkError> {
        match self {
            Self::Plain => Ok(()),
            Self::Encrypted { recipients } => wrap::check(recipients),
        }
    }

    pub(crate) fn file_key(&self, place: &str) -> Result<Option<FileKey>, SinkError> {
        let Self::Encrypted { recipients } = self else { return Ok(None) };
        let data_key = DataKey::random()?;
        let key_metadata = wrap::key_metadata(&data_key, recipients)?;
        Ok(Some(FileKey { data_key, key_metadata, aad_prefix: aad_prefix(place) }))
    }
}

impl FileKey {
    pub(crate) fn properties(&self) -> Result<Arc<FileEncryptionProperties>, ParquetError> {
        FileEncryptionProperties::builder(self.data_key.as_bytes().to_vec())
            .with_footer_key_metadata(self.key_metadata.clone())
            .with_aad_prefix(self.aad_prefix.clone())
            .with_aad_prefix_storage(true)
            .build()
    }
}

/// What binds a file to its place, a path in the dataset: moved to another, or
/// taken for another, it does not authenticate.
#[must_use]
pub fn aad_prefix(place: &str) -> Vec<u8> {
    [AAD_PREFIX.as_bytes(), place.as_bytes()].concat()
}

/// The data key of a file that stands at `place` in its dataset, by whichever of
/// `keys` opens it; `None` for a plain file. The end of it, from the footer on, is
/// all of `file` that is read.
///
/// # Errors
/// [`SinkError::NoKey`], [`SinkError::OtherPlace`], [`SinkError::KeyMetadata`],
/// [`SinkError::Tampered`]; [`SinkError::Io`] where it cannot be read.
pub fn data_key_of(
    file: &mut (impl Read + Seek),
    place: &str,
    keys: &Keyring,
) -> Result<Option<DataKey>, SinkError> {
    if !is_encrypted(file).at("read", Path::new(place))? {
        return Ok(None);
    }
    let metadata = CryptoMetadata::read(file).at("read", Path::new(place))?;
    let metadata = metadata
        .ok_or_else(|| SinkError::Tampered { what: "what says how it is encrypted".into() })?;
    if metadata.aad_prefix != aad_prefix(place) {
        let sealed_for = String::from_utf8_lossy(&metadata.aad_prefix);
        let place = sealed_for.strip_prefix(AAD_PREFIX).unwrap_or("not one of a dataset");
        return Err(SinkError::OtherPlace { place: place.chars().take(400).collect() });
    }
    keys.key_at(place, &metadata.key_metadata).map(Some)
}

/// Ids of the keys that a file is encrypted for, in its order: the workstation's
/// own last; `None` for a plain file. The end of it, from the footer on, is all
/// that is read. Nobody vouches for them: they are in the clear.
///
/// # Errors
/// Those of reading; inside, [`SinkError::Tampered`] or [`SinkError::KeyMetadata`]
/// where the file does not say it.
pub fn recipient_ids(
    file: &mut (impl Read + Seek),
) -> io::Result<Result<Option<Vec<String>>, SinkError>> {
    if !is_encrypted(file)? {
        return Ok(Ok(None));
    }
    let damaged = || SinkError::Tampered { what: "what says how it is encrypted".into() };
    let metadata = CryptoMetadata::read(file)?.ok_or_else(damaged);
    Ok(metadata.and_then(|metadata| key_ids(&metadata.key_metadata)).map(Some))
}

/// Whether it is a Parquet file with an encrypted footer; what is too short to
/// be any is not. Leaves the position where it likes.
///
/// # Errors
/// Those of reading.
pub fn is_encrypted(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? < MAGIC.len() as u64 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-4))?;
    let mut magic = [0; 4];
    file.read_exact(&mut magic)?;
    Ok(&magic == MAGIC)
}
