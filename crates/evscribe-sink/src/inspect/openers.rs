//! Who opens which sealed file: by the footers alone, no row is read.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use parquet::{
    encryption::decrypt::{FileDecryptionProperties, KeyRetriever},
    errors::ParquetError,
    file::metadata::ParquetMetaDataReader,
};

use super::file::guarded;
use crate::{
    SinkError,
    crypt::{Keyring, is_encrypted, key_ids},
    dataset::Tree,
    error::At,
};

/// Who opens a sealed file.
#[derive(Debug)]
pub struct Openers {
    /// Its path in the dataset.
    pub path: String,
    /// Ids of the keys that it is encrypted for; `None` for a plain file.
    pub ids: Option<Vec<String>>,
    /// Why its footer does not open with the keys at hand, if so.
    pub closed: Option<SinkError>,
}

/// Looks who opens each file of the dataset at `directory`, in the order of their
/// paths. Takes no lock.
///
/// # Errors
/// Where the directory cannot be read.
pub fn openers(directory: &Path, keyring: &Keyring) -> Result<Vec<Openers>, SinkError> {
    let tree = Tree::of(directory)?;
    Ok(tree.files.into_iter().map(|path| openers_of(directory, path, keyring)).collect())
}

fn openers_of(directory: &Path, path: String, keyring: &Keyring) -> Openers {
    let asked = Arc::new(Asked { keyring: keyring.clone(), metadata: Mutex::default() });
    let closed = open(&directory.join(&path), &asked);
    let metadata = asked.metadata.lock().unwrap_or_else(PoisonError::into_inner);
    match (closed, metadata.as_deref().map(key_ids)) {
        (closed, Some(Ok(ids))) => Openers { path, ids: Some(ids), closed: closed.err() },
        (_, Some(Err(error))) => Openers { path, ids: Some(Vec::new()), closed: Some(error) },
        (closed, None) => Openers { path, ids: None, closed: closed.err() },
    }
}

fn open(path: &Path, asked: &Arc<Asked>) -> Result<(), SinkError> {
    guarded(path, || {
        let mut file = File::open(path).at("open", path)?;
        let parquet = |source| SinkError::Parquet { path: path.into(), source };
        let retriever: Arc<dyn KeyRetriever> = asked.clone();
        let keys = is_encrypted(&mut file)
            .at("read", path)?
            .then(|| FileDecryptionProperties::with_key_retriever(retriever).build())
            .transpose();
        let mut reader =
            ParquetMetaDataReader::new().with_decryption_properties(keys.map_err(parquet)?);
        reader.try_parse(&file).map_err(parquet)
    })
}

/// Keys, and the key metadata that one was asked for by.
struct Asked {
    keyring: Keyring,
    metadata: Mutex<Option<Vec<u8>>>,
}

impl KeyRetriever for Asked {
    fn retrieve_key(&self, metadata: &[u8]) -> Result<Vec<u8>, ParquetError> {
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = Some(metadata.to_vec());
        self.keyring.retrieve_key(metadata)
    }
}
