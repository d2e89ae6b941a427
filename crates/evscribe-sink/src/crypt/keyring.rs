//! The keys that are at hand, and the data keys they open.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use parquet::{
    encryption::decrypt::{FileDecryptionProperties, KeyRetriever},
    errors::ParquetError,
};
use zeroize::Zeroizing;

use super::{
    PublicKey, SecretKey, aad_prefix,
    key::{SECRET, read_secret},
    wrap,
};
use crate::{
    Keys, SinkError,
    keys::{KEY_BYTES, random},
};

/// The key that a file's pages and footer are encrypted by: wiped from memory
/// when dropped, never printed.
#[derive(Clone)]
pub struct DataKey(Zeroizing<Vec<u8>>);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl DataKey {
    pub(super) fn random() -> Result<Self, SinkError> {
        let mut bytes = Zeroizing::new(vec![0; KEY_BYTES]);
        random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The key of these bytes.
    ///
    /// # Errors
    /// [`SinkError::KeyMetadata`] where they are not 16 or 32.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Self, SinkError> {
        match bytes.len() {
            16 | 32 => Ok(Self(bytes)),
            _ => Err(wrap::malformed("its data key is not of 16 or 32 bytes")),
        }
    }

    /// Its bytes: 32 for AES-256, 16 for AES-128.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What crate parquet needs to read the file with this key at `place`, and
    /// nowhere else.
    ///
    /// # Errors
    /// Never so far; crate parquet reserves it.
    pub fn decryption(&self, place: &str) -> Result<Arc<FileDecryptionProperties>, ParquetError> {
        FileDecryptionProperties::builder(self.0.to_vec())
            .with_aad_prefix(aad_prefix(place))
            .build()
    }
}

/// Secret keys, by id, and data keys of single files. Empty, it reads what is
/// plain.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    secrets: Arc<BTreeMap<String, SecretKey>>,
    /// By the place of their file.
    opened: Arc<BTreeMap<String, DataKey>>,
}

impl Keyring {
    /// Adds a key.
    pub fn add(&mut self, key: SecretKey) {
        Arc::make_mut(&mut self.secrets).insert(key.public().id(), key);
    }

    /// Adds the keys of another.
    pub fn join(&mut self, other: &Self) {
        for (id, key) in other.secrets.iter() {
            Arc::make_mut(&mut self.secrets).insert(id.clone(), key.clone());
        }
        for (place, key) in other.opened.iter() {
            self.add_data_key(place, key.clone());
        }
    }

    /// Adds the data key of the one file at `place`, a path in its dataset: for
    /// who may read that file and no other.
    pub fn add_data_key(&mut self, place: &str, key: DataKey) {
        Arc::make_mut(&mut self.opened).insert(place.to_owned(), key);
    }

    /// The keys of these files: secret key files, or a workstation's
    /// `evscribe.key`.
    ///
    /// # Errors
    /// Those of [`SecretKey::from_file`], of the first that cannot be read.
    pub fn from_files(paths: &[impl AsRef<Path>]) -> Result<Self, SinkError> {
        let mut keyring = Self::default();
        for path in paths {
            let path = path.as_ref();
            let bytes = read_secret(path)?;
            if bytes.starts_with(SECRET.as_bytes()) {
                keyring.add(SecretKey::parse(path, &bytes)?);
                continue;
            }
            let keys = Keys::parse(&bytes).ok_or_else(|| SinkError::Key {
                path: path.into(),
                why: "it is neither a secret key file nor a workstation's key",
            })?;
            keys.secrets().into_iter().for_each(|key| keyring.add(key));
        }
        Ok(keyring)
    }

    /// What a workstation can open: its own key, and those before it.
    #[must_use]
    pub fn of(keys: &Keys) -> Self {
        let mut keyring = Self::default();
        keys.secrets().into_iter().for_each(|key| keyring.add(key));
        keyring
    }

    /// Whether no key is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.opened.is_empty()
    }

    /// Ids of the secret keys, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.secrets.keys().map(String::as_str)
    }

    /// Their public keys, without names.
    #[must_use]
    pub fn publics(&self) -> Vec<PublicKey> {
        self.secrets.values().map(SecretKey::public).collect()
    }

    /// The data key of a file with that key metadata.
    ///
    /// # Errors
    /// [`SinkError::NoKey`] where it is for others, [`SinkError::KeyMetadata`]
    /// where it is damaged or of another kind.
    pub fn data_key(&self, key_metadata: &[u8]) -> Result<DataKey, SinkError> {
        let wrapped = wrap::wrapped_keys(key_metadata)?;
        let known =
            |(id, wrapped): &(String, Vec<u8>)| Some((self.secrets.get(id)?, wrapped.clone()));
        let ours: Vec<_> = wrapped.iter().filter_map(known).collect();
        if ours.is_empty() {
            let ids = wrapped.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
            return Err(SinkError::NoKey { recipients: ids.join(", ") });
        }
        let mut unwrapped = ours.iter().filter_map(|(key, wrapped)| wrap::unwrap(wrapped, key));
        let key = unwrapped.next();
        DataKey::from_bytes(key.ok_or_else(|| {
            wrap::malformed("its wrapped key does not open by the key it names: it is damaged")
        })?)
    }

    /// As [`Keyring::data_key`], of the file at `place`.
    pub(super) fn key_at(&self, place: &str, key_metadata: &[u8]) -> Result<DataKey, SinkError> {
        match self.opened.get(place) {
            Some(key) => Ok(key.clone()),
            None => self.data_key(key_metadata),
        }
    }

    /// What crate parquet, or an engine on top of it, needs to read any file
    /// that these keys open. It checks no place: see [`DataKey::decryption`].
    ///
    /// # Errors
    /// [`SinkError::KeyMetadata`], never so far; crate parquet reserves it.
    pub fn decryption(&self) -> Result<Arc<FileDecryptionProperties>, SinkError> {
        FileDecryptionProperties::with_key_retriever(Arc::new(self.clone()))
            .build()
            .map_err(|_| wrap::malformed("crate parquet refuses to read by it"))
    }
}

impl KeyRetriever for Keyring {
    fn retrieve_key(&self, key_metadata: &[u8]) -> Result<Vec<u8>, ParquetError> {
        let key = self.data_key(key_metadata);
        key.map(|key| key.as_bytes().to_vec())
            .map_err(|error| ParquetError::External(Box::new(error)))
    }
}
