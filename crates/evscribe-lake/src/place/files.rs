//! The files of a lake: listed, read, brought in, removed.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use futures::TryStreamExt;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;

use super::folder::{rename, unlink, walk};
use super::store::upload;
use super::{Fetched, Listed, Place, Root, blocking};
use crate::LakeError;
use crate::error::{At, InStore};

/// Who may read the lake's files may read what it knows of them; less the umask.
const FILE_MODE: u32 = 0o644;

impl Place {
    /// Every file below that folder of the lake, sorted; none where there is no
    /// such folder. Names that begin with a dot are left out.
    ///
    /// # Errors
    /// [`LakeError::Io`], [`LakeError::Store`].
    pub async fn list(&self, below: &str) -> Result<Vec<Listed>, LakeError> {
        let mut files = match &self.root {
            Root::Folder(folder) => {
                let (root, below) = (folder.clone(), below.to_owned());
                blocking(move || walk(&root, &below)).await?
            }
            Root::Store { store, prefix, .. } => {
                let from = self.key(prefix, below);
                let all: Vec<_> =
                    store.list(Some(&from)).try_collect().await.in_store("list", below)?;
                let inside = |object: object_store::ObjectMeta| {
                    let parts: Option<Vec<_>> =
                        object.location.prefix_match(prefix).map(Iterator::collect);
                    let parts: Vec<String> =
                        parts?.iter().map(|part| part.as_ref().to_owned()).collect();
                    let path = parts.join("/");
                    let is_hidden = parts.iter().any(|part| part.starts_with('.'));
                    (!is_hidden).then_some(Listed { path, bytes: object.size })
                };
                all.into_iter().filter_map(inside).collect()
            }
        };
        files.sort();
        Ok(files)
    }

    /// A small file's bytes; `None` where there is none.
    ///
    /// # Errors
    /// [`LakeError::Record`] where it is longer than `max_bytes`; [`LakeError::Io`],
    /// [`LakeError::Store`].
    pub async fn read(&self, path: &str, max_bytes: usize) -> Result<Option<Vec<u8>>, LakeError> {
        let too_long = || LakeError::Record {
            path: self.shown(path),
            why: format!("it is longer than {max_bytes} bytes"),
        };
        match &self.root {
            Root::Folder(folder) => {
                let file = folder.join(path);
                let read = blocking(move || match File::open(&file) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    opened => {
                        let mut bytes = Vec::new();
                        let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
                        let read = opened.and_then(|file| file.take(limit).read_to_end(&mut bytes));
                        read.at("read", &file)?;
                        Ok(Some(bytes))
                    }
                });
                match read.await? {
                    Some(bytes) if bytes.len() > max_bytes => Err(too_long()),
                    read => Ok(read),
                }
            }
            Root::Store { store, prefix, .. } => match store.get(&self.key(prefix, path)).await {
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Ok(found) if found.meta.size > max_bytes as u64 => Err(too_long()),
                found => {
                    let bytes = found.in_store("read", path)?.bytes().await;
                    Ok(Some(bytes.in_store("read", path)?.to_vec()))
                }
            },
        }
    }

    /// The last `bytes` bytes of the file at `path`; all where it is shorter.
    ///
    /// # Errors
    /// [`LakeError::Io`], [`LakeError::Store`].
    pub async fn tail(&self, path: &str, bytes: u64) -> Result<Vec<u8>, LakeError> {
        match &self.root {
            Root::Folder(folder) => {
                let path = folder.join(path);
                blocking(move || {
                    let mut tail = Vec::new();
                    let read = File::open(&path).and_then(|mut file| {
                        let length = file.metadata()?.len();
                        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
                        file.take(bytes).read_to_end(&mut tail)
                    });
                    read.at("read", &path)?;
                    Ok(tail)
                })
                .await
            }
            Root::Store { store, prefix, .. } => {
                let range = Some(GetRange::Suffix(bytes));
                let options = GetOptions { range, ..GetOptions::default() };
                let found = store.get_opts(&self.key(prefix, path), options).await;
                let found = found.in_store("read", path)?.bytes().await;
                Ok(found.in_store("read", path)?.to_vec())
            }
        }
    }

    /// Whether the storage keeps, of what is removed or replaced, what was there
    /// before: as it says of the file at `path`. A folder does not.
    ///
    /// # Errors
    /// [`LakeError::Store`]; also where there is no such file.
    pub(crate) async fn keeps_versions(&self, path: &str) -> Result<bool, LakeError> {
        match &self.root {
            Root::Folder(_) => Ok(false),
            Root::Store { store, prefix, .. } => {
                let about = store.head(&self.key(prefix, path)).await;
                Ok(about.in_store("look at", path)?.version.is_some())
            }
        }
    }

    /// Replaces a small file by `bytes`: whole or not at all, durably.
    ///
    /// # Errors
    /// [`LakeError::Io`], [`LakeError::Store`]; the file is as it was.
    pub async fn write(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        self.steps.step();
        match &self.root {
            Root::Folder(folder) => {
                let (root, to, work) = (folder.clone(), folder.join(path), self.work.clone());
                blocking(move || {
                    let mut builder = tempfile::Builder::new();
                    let hidden = builder.permissions(Permissions::from_mode(FILE_MODE));
                    let hidden = hidden.tempfile_in(&work).at("create", &work)?;
                    fs::write(hidden.path(), bytes).at("write", hidden.path())?;
                    let (_, staged) = hidden.keep().map_err(|error| error.error).at("keep", &to)?;
                    rename(&root, &staged, &to)
                })
                .await
            }
            Root::Store { store, prefix, .. } => {
                let put = store.put(&self.key(prefix, path), bytes.into()).await;
                put.map(drop).in_store("write", path)
            }
        }
    }

    /// Brings a whole file in at `path`, from `staged` on this machine, durably;
    /// what was there is replaced, and `staged` is gone afterwards.
    ///
    /// # Errors
    /// [`LakeError::Io`], [`LakeError::Store`]; what was there is as it was.
    pub async fn put(&self, staged: &Path, path: &str) -> Result<(), LakeError> {
        self.steps.step();
        match &self.root {
            Root::Folder(folder) => {
                let (root, from, to) = (folder.clone(), staged.to_owned(), folder.join(path));
                blocking(move || rename(&root, &from, &to)).await
            }
            Root::Store { store, prefix, .. } => {
                upload(store.as_ref(), &self.key(prefix, path), path, staged).await?;
                tokio::fs::remove_file(staged).await.at("remove", staged)
            }
        }
    }

    /// The file at `path`, to be read on this machine: itself in a folder, else a
    /// copy in the work folder.
    ///
    /// # Errors
    /// [`LakeError::Io`], [`LakeError::Store`].
    pub async fn fetch(&self, path: &str) -> Result<Fetched, LakeError> {
        match &self.root {
            Root::Folder(folder) => Ok(Fetched { root: folder.clone(), copy: None }),
            Root::Store { store, prefix, .. } => {
                let root = self.work.join("fetched");
                let copy = root.join(path);
                let parent = copy.parent().unwrap_or(&root);
                tokio::fs::create_dir_all(parent).await.at("create", parent)?;
                let fetched = Fetched { root, copy: Some(copy.clone()) };
                let found = store.get(&self.key(prefix, path)).await.in_store("read", path)?;
                let mut file = tokio::fs::File::create(&copy).await.at("create", &copy)?;
                let mut bytes = found.into_stream();
                while let Some(chunk) = bytes.try_next().await.in_store("read", path)? {
                    file.write_all(&chunk).await.at("write", &copy)?;
                }
                file.flush().await.at("write", &copy)?;
                Ok(fetched)
            }
        }
    }

    /// Removes the file at `path`, durably; one that is not there is gone.
    /// Folders that are left empty go, too.
    ///
    /// # Errors
    /// [`LakeError::Io`], [`LakeError::Store`].
    pub async fn remove(&self, path: &str) -> Result<(), LakeError> {
        self.steps.step();
        match &self.root {
            Root::Folder(folder) => {
                let (root, path) = (folder.clone(), folder.join(path));
                blocking(move || unlink(&root, &path)).await
            }
            Root::Store { store, prefix, .. } => {
                match store.delete(&self.key(prefix, path)).await {
                    Err(object_store::Error::NotFound { .. }) => Ok(()),
                    deleted => deleted.in_store("remove", path),
                }
            }
        }
    }

    fn key(&self, prefix: &object_store::path::Path, path: &str) -> object_store::path::Path {
        path.split('/')
            .filter(|part| !part.is_empty())
            .fold(prefix.clone(), |key, part| key.join(part))
    }
}
