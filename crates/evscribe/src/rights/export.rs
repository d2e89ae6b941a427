//! Copies of one's own files, each whole or not there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use evscribe_sink::crypt::{DataKey, Keyring};
use evscribe_sink::{SealedFile, Table, inspect};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::service::{Service, ServiceError};

/// How often a file is fetched that changes meanwhile: something is forgotten in
/// it, or it reaches the end of its retention.
const ATTEMPTS: u32 = 3;

/// Bytes copied at once.
const CHUNK: usize = 64 * 1024;

/// A file as the service lists it: its place, length, and SHA-256 in hex.
type Listed = (String, u64, String);

/// A file's data key.
type Key = Zeroizing<Vec<u8>>;

/// What was copied.
pub(super) struct Exported {
    /// By path.
    pub(super) files: Vec<SealedFile>,
    /// Files that were removed while the others were copied.
    pub(super) gone: Vec<String>,
    /// What opens the copies.
    pub(super) keys: Keyring,
}

/// Makes `directory` where it does not exist, for its owner alone.
///
/// # Errors
/// Where it cannot be made, or something is in it.
pub(super) fn prepare(directory: &Path) -> Result<()> {
    let made = match fs::read_dir(directory) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!(
                    "{} is not empty, and nothing was copied: name a directory that does not \
                     exist or is empty",
                    directory.display()
                );
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(directory),
        Err(error) => Err(error),
    };
    made.with_context(|| format!("{} cannot be used, nothing was copied", directory.display()))
}

fn make(directory: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Copies all files of who asks into `directory`, which is empty, and makes it a
/// dataset; a plain one, or one that [`Exported::keys`] opens.
///
/// # Errors
/// What the service answers; where a file cannot be written or is not what its
/// checksum says.
pub(super) fn copy_all(service: &Service, directory: &Path, plain: bool) -> Result<Exported> {
    let (mut gone, mut keys) = (Vec::new(), Keyring::default());
    let copied: Result<()> = list(service)?.into_iter().try_for_each(|listed| {
        let path = listed.0.clone();
        let Some(key) = copy(service, directory, listed)? else {
            gone.push(path);
            return Ok(());
        };
        if key.is_empty() {
            return Ok(());
        }
        keys.add_data_key(&path, DataKey::from_bytes(key)?);
        if plain {
            evscribe_sink::plain_copy(directory, &path, &keys, directory)?;
        }
        Ok(())
    });
    let files =
        copied.and_then(|()| Ok(inspect::make_part(directory, &keys)?)).with_context(|| {
            format!(
                "{} holds only some of your files: remove it, then export once more",
                directory.display()
            )
        })?;
    sync(directory)?;
    Ok(Exported { files, gone, keys })
}

fn list(service: &Service) -> Result<Vec<Listed>, ServiceError> {
    service.ask(async |bus| bus.my_files().await)
}

/// Copies one file. Returns its key, empty where it is plain; `None` where the
/// file is there no more.
fn copy(service: &Service, directory: &Path, mut listed: Listed) -> Result<Option<Key>> {
    let mut attempt = 1;
    loop {
        let error = match fetch(service, directory, &listed) {
            Ok(key) => return Ok(Some(key)),
            Err(error) => error,
        };
        let path = &listed.0;
        let Some(newer) = list(service)?.into_iter().find(|newer| &newer.0 == path) else {
            return Ok(None);
        };
        if newer == listed || attempt == ATTEMPTS {
            return Err(error);
        }
        listed = newer;
        attempt += 1;
    }
}

fn fetch(service: &Service, directory: &Path, (path, bytes, sha256): &Listed) -> Result<Key> {
    ensure!(is_sealed(path), "the service names a file that is none of a dataset: {path:?}");
    let (from, key) = service.ask(async |bus| bus.open_my_file(path).await)?;
    let (from, key) = (File::from(OwnedFd::from(from)), Zeroizing::new(key));
    let to = directory.join(path);
    let folder = to.parent().unwrap_or(directory);
    make(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let hidden = hidden(&to);
    let stored = store(from, &hidden, *bytes, sha256)
        .and_then(|()| Ok(fs::rename(&hidden, &to)?))
        .with_context(|| format!("{} was not copied", to.display()));
    if stored.is_err() {
        // What is left of it is no file of the dataset.
        let _ = fs::remove_file(&hidden);
    }
    stored?;
    sync(folder)?;
    Ok(key)
}

/// Whether a path stays inside the dataset, at a sealed file's place.
fn is_sealed(path: &str) -> bool {
    let is_plain = |part| match part {
        Component::Normal(name) => name.to_str().filter(|name| !name.starts_with('.')),
        _ => None,
    };
    let parts: Option<Vec<_>> = Path::new(path).components().map(is_plain).collect();
    parts.is_some_and(|parts| match parts.as_slice() {
        [table, date, host, name] => {
            Table::ALL.iter().any(|known| known.name() == *table)
                && date.starts_with("date=")
                && host.starts_with("host=")
                && name.ends_with(".parquet")
        }
        _ => false,
    })
}

fn hidden(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}"))
}

/// Writes what `from` holds, durably, if it is what length and checksum say.
fn store(from: impl Read, to: &Path, bytes: u64, sha256: &str) -> Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let mut from = from.take(bytes.saturating_add(1));
    let (mut hash, mut copied, mut buffer) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        hash.update(read);
        file.write_all(read)?;
        copied += read.len() as u64;
    }
    ensure!(copied == bytes, "it has not the {bytes} bytes that it was sealed with");
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(found == sha256, "its checksum is {found}, it was sealed with {sha256}");
    Ok(file.sync_all()?)
}

fn sync(directory: &Path) -> Result<()> {
    File::open(directory)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("{} is not surely on disk", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn nothing_is_written_outside_the_export() {
        assert!(is_sealed("events/date=2026-11-23/host=aa/x.parquet"));
        for wrong in [
            "",
            "/etc/passwd",
            "events/../../x/y.parquet",
            "events/date=2026-11-23/host=aa/.x.parquet",
            "events/date=2026-11-23/host=aa/x.txt",
            "secrets/date=2026-11-23/host=aa/x.parquet",
            "/events/date=2026-11-23/host=aa/x.parquet",
            "events/date=2026-11-23/x.parquet",
        ] {
            assert!(!is_sealed(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_copy_is_what_was_sealed_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("copy");
        store(&b"abc"[..], &to, 3, ABC_SHA256).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"abc");
        for (bytes, wrong) in [(&b"abd"[..], "checksum"), (b"ab", "3 bytes"), (b"abcd", "3 bytes")]
        {
            let error = store(bytes, &to, 3, ABC_SHA256).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn an_export_touches_nothing_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path()).unwrap();
        prepare(&folder.path().join("a/b")).unwrap();
        assert!(folder.path().join("a/b").is_dir());
        let error = prepare(folder.path()).unwrap_err().to_string();
        assert!(error.contains("not empty"), "{error}");
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(prepare(&folder.path().join("file")).is_err());
    }

    #[test]
    fn an_export_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("mine");
        prepare(&made).unwrap();
        store(&b"abc"[..], &made.join("x"), 3, ABC_SHA256).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
        assert_eq!((mode(&made), mode(&made.join("x"))), (0, 0));
    }
}
