//! A dataset made of some files of another.

use std::path::Path;

use super::file::{Columns, Sealed};
use crate::{
    SealedFile, SinkError,
    crypt::Keyring,
    dataset::Tree,
    keys,
    manifest::{self, Manifest},
};

/// Makes a dataset of the sealed files that lie at `directory` in their places
/// under the tables: writes the manifest that they lack. What it says is read
/// from the files, and that it is a part of another dataset, so that
/// [`verify`](super::verify) does not miss what is in files that are not here.
/// Returns the files, by name.
///
/// # Errors
/// Whatever keeps a file from being read, which the error names; then no
/// manifest is written. [`SinkError::Foreign`] where something else lies there.
pub fn make_part(directory: &Path, keys: &Keyring) -> Result<Vec<SealedFile>, SinkError> {
    let tree = Tree::of(directory)?;
    if let Some(entry) = tree.foreign.into_iter().chain(tree.hidden).next() {
        return Err(SinkError::Foreign { path: directory.into(), entry });
    }
    let sealed_at = manifest::now();
    let files = tree.files.iter().map(|path| describe((directory, keys), path, &sealed_at));
    let files: Vec<SealedFile> = files.collect::<Result<_, _>>()?;
    Manifest::create_part(directory, &files)?;
    Ok(files)
}

fn describe(
    (directory, keys): (&Path, &Keyring),
    path: &str,
    sealed_at: &str,
) -> Result<SealedFile, SinkError> {
    let (sha256, bytes) = keys::sha256_file(&directory.join(path))?;
    let file = Sealed::open(directory, path, keys)?;
    let (meta, rows) = (file.meta.clone(), file.rows);
    let (mut first_us, mut last_us) = (i64::MAX, i64::MIN);
    file.read(&["time"], |_, batch| {
        for at_us in Columns(batch).times("time")?.values() {
            first_us = first_us.min(*at_us);
            last_us = last_us.max(*at_us);
        }
        Ok(())
    })?;
    Ok(SealedFile {
        path: path.to_owned(),
        sha256,
        bytes,
        rows,
        table: meta.table,
        host: meta.host,
        boot: meta.boot,
        segment: meta.segment,
        // Whoever asks for it finds it in the rows.
        subject: String::new(),
        first_us,
        last_us,
        sealed_at: sealed_at.to_owned(),
    })
}
