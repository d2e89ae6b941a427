//! Where a lake is: a folder, or a prefix of storage that speaks S3.
//!
//! | | folder | S3 |
//! |---|---|---|
//! | a file appears | renamed from `_evscribe/work`, synced | at the end of a multipart upload |
//! | work files | `_evscribe/work` | a folder of this machine |
//! | one at a time | a lock of the kernel | an object with a lease |

mod folder;
mod store;

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;
use url::Url;

use crate::error::{At, InStore};
use crate::steps::Steps;
use crate::{Held, LakeError, lock};

pub(crate) use folder::{make, prune, rename, sync_directory};
use folder::{unlink, walk};
use store::{state, upload};

/// What is ours in a lake.
const OURS: &str = "_evscribe";

/// Who may read the lake's files may read what it knows of them; less the umask.
const FILE_MODE: u32 = 0o644;

/// Where a lake is.
#[derive(Clone, Debug)]
pub struct Place {
    root: Root,
    /// Where files lie while they are worked on.
    work: PathBuf,
    steps: Steps,
}

#[derive(Clone, Debug)]
enum Root {
    Folder(PathBuf),
    Store { store: Arc<dyn ObjectStore>, prefix: object_store::path::Path, url: Url },
}

/// A file that was listed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Listed {
    /// Its path, relative to the lake.
    pub path: String,
    /// Its length.
    pub bytes: u64,
}

/// A file of the lake, to be read on this machine at `root` joined with its path:
/// encrypted files open at their place only. A copy goes when this is dropped.
#[derive(Debug)]
pub struct Fetched {
    /// The folder below which it stands at its path.
    pub root: PathBuf,
    copy: Option<PathBuf>,
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            drop(fs::remove_file(copy));
        }
    }
}

impl Place {
    /// The lake at `text`: a folder, made where there is none, or
    /// `s3://bucket/prefix`, whose keys and endpoint the environment says
    /// (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …). `work` is where files lie
    /// while they are worked on; without it `_evscribe/work` in a folder, and for
    /// S3 a folder below `$STATE_DIRECTORY`, `$XDG_STATE_HOME` or `~/.local/state`.
    ///
    /// # Errors
    /// [`LakeError::NoPlace`], [`LakeError::Io`].
    pub fn open(text: &str, work: Option<&Path>) -> Result<Self, LakeError> {
        let no_place = |why: String| LakeError::NoPlace { text: text.into(), why };
        let is_url = text.split_once("://");
        let (root, default_work) = match is_url {
            None => {
                let folder = PathBuf::from(text);
                fs::create_dir_all(&folder).at("create", &folder)?;
                let work = folder.join(OURS).join("work");
                (Root::Folder(folder), work)
            }
            Some(("s3", rest)) => {
                let url = Url::parse(text).map_err(|error| no_place(error.to_string()))?;
                let bucket = url.host_str().ok_or_else(|| no_place("it names no bucket".into()))?;
                let store = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .build()
                    .map_err(|error| no_place(error.to_string()))?;
                let prefix = object_store::path::Path::from_url_path(url.path())
                    .map_err(|error| no_place(error.to_string()))?;
                let name: String = rest
                    .chars()
                    .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
                    .collect();
                (Root::Store { store: Arc::new(store), prefix, url }, state()?.join(name))
            }
            Some((scheme, _)) => {
                return Err(no_place(format!("{scheme} is not known; name a folder or s3://…")));
            }
        };
        let work = work.map_or(default_work, Path::to_path_buf);
        fs::create_dir_all(&work).at("create", &work)?;
        Ok(Self { root, work, steps: Steps::default() })
    }

    /// The lake in that storage.
    #[cfg(test)]
    pub(crate) fn of_store(store: Arc<dyn ObjectStore>, work: &Path) -> Self {
        let url = Url::parse("s3://bucket/").unwrap();
        let root = Root::Store { store, prefix: object_store::path::Path::default(), url };
        Self { root, work: work.into(), steps: Steps::default() }
    }

    pub(crate) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// The lake's folder; `None` where it is elsewhere.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match &self.root {
            Root::Folder(folder) => Some(folder),
            Root::Store { .. } => None,
        }
    }

    /// A folder of this machine for files that are worked on; on the lake's own
    /// file system where it is a folder.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// `path` as people name it.
    #[must_use]
    pub fn shown(&self, path: &str) -> String {
        match &self.root {
            Root::Folder(folder) if path.is_empty() => folder.display().to_string(),
            Root::Folder(folder) => folder.join(path).display().to_string(),
            Root::Store { url, .. } if path.is_empty() => url.to_string(),
            Root::Store { url, .. } => format!("{}/{path}", url.as_str().trim_end_matches('/')),
        }
    }

    /// Takes the lake for changing it.
    ///
    /// # Errors
    /// [`LakeError::Busy`] where another has it.
    pub async fn hold(&self) -> Result<Held, LakeError> {
        match &self.root {
            Root::Folder(folder) => lock::folder(folder.join(OURS), self.shown("")),
            Root::Store { store, prefix, .. } => {
                let object = prefix.clone().join(OURS).join("lock");
                lock::store(Arc::clone(store), object, self.shown("")).await
            }
        }
    }

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

/// Runs what may wait for a disk where waiting harms nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LakeError> + Send + 'static,
) -> Result<T, LakeError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(io::Error::other(error)).at("finish work on", Path::new("the lake")),
    }
}
