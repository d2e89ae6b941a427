//! Who opens which sealed file: by the footers alone, no row is read.

use std::{fs::File, path::Path};

use super::file::Sealed;
use crate::{
    SinkError,
    crypt::{Keyring, recipient_ids},
    dataset::Tree,
    error::At,
};

/// Who opens a sealed file.
#[derive(Debug)]
pub struct Openers {
    /// Its path in the dataset.
    pub path: String,
    /// Ids of the keys that it is encrypted for; `None` for a plain file, none
    /// where that cannot be read.
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
    let of = |path: String| Openers {
        ids: ids(&directory.join(&path)).unwrap_or(Some(Vec::new())),
        closed: Sealed::open(directory, &path, keyring).err(),
        path,
    };
    Ok(tree.files.into_iter().map(of).collect())
}

fn ids(path: &Path) -> Result<Option<Vec<String>>, SinkError> {
    recipient_ids(&mut File::open(path).at("open", path)?).at("read", path)?
}
