//! Where a lake is: a folder, or a prefix of storage that speaks S3.
//!
//! | | folder | S3 |
//! |---|---|---|
//! | a file appears | renamed from `_evscribe/work`, synced | at the end of a multipart upload |
//! | work files | `_evscribe/work` | a folder of this machine |
//! | one at a time | a lock of the kernel | an object with a lease |

mod files;
mod folder;
mod store;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use tokio::task::spawn_blocking;
use url::Url;

use crate::error::At;
use crate::steps::Steps;
use crate::{Held, LakeError, lock};

pub(crate) use folder::{make, prune, rename, sync_directory};

/// What is ours in a lake.
const OURS: &str = "_evscribe";

/// Where a lake is.
#[derive(Clone, Debug)]
pub struct Place {
    root: Root,
    /// Where files lie while they are worked on: here, and, of commands that were
    /// told or started otherwise, there.
    work: PathBuf,
    elsewhere: Vec<PathBuf>,
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
        let (root, default, mut elsewhere) = match is_url {
            None => {
                let folder = PathBuf::from(text);
                fs::create_dir_all(&folder).at("create", &folder)?;
                let own = folder.join(OURS).join("work");
                (Root::Folder(folder), Ok(own.clone()), vec![own])
            }
            Some(("s3", _)) => {
                let url = Url::parse(text).map_err(|error| no_place(error.to_string()))?;
                let bucket = url.host_str().ok_or_else(|| no_place("it names no bucket".into()))?;
                let prefix = object_store::path::Path::from_url_path(url.path())
                    .map_err(|error| no_place(error.to_string()))?;
                let storage = AmazonS3Builder::from_env().with_bucket_name(bucket);
                let store = storage.build().map_err(|error| no_place(error.to_string()))?;
                let name = store::work_name(bucket, &prefix);
                let default = store::state().map(|state| state.join(&name));
                let others = store::states().into_iter().map(|state| state.join(&name));
                (Root::Store { store: Arc::new(store), prefix, url }, default, others.collect())
            }
            Some((scheme, _)) => {
                return Err(no_place(format!("{scheme} is not known; name a folder or s3://…")));
            }
        };
        let work = work.map_or(default, |work| Ok(work.to_path_buf()))?;
        fs::create_dir_all(&work).at("create", &work)?;
        // By whichever path: held once, it cannot be held again.
        let own = fs::canonicalize(&work).at("open", &work)?;
        elsewhere.retain(|other| fs::canonicalize(other).map_or(true, |other| other != own));
        elsewhere.dedup();
        Ok(Self { root, work, elsewhere, steps: Steps::default() })
    }

    /// The lake in that storage.
    #[cfg(test)]
    pub(crate) fn of_store(store: Arc<dyn ObjectStore>, work: &Path) -> Self {
        let url = Url::parse("s3://bucket/").unwrap();
        let root = Root::Store { store, prefix: object_store::path::Path::default(), url };
        Self { root, work: work.into(), elsewhere: Vec::new(), steps: Steps::default() }
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

    /// Folders of this machine where other commands may have worked on this lake:
    /// those that were started by the timer, by hand, or without `--work`.
    pub(crate) fn worked_elsewhere(&self) -> &[PathBuf] {
        &self.elsewhere
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

    /// Takes the lake for changing it, and the work folder: what lies there is of
    /// one lake at a time.
    ///
    /// # Errors
    /// [`LakeError::Busy`] where another has it.
    pub async fn hold(&self) -> Result<Held, LakeError> {
        let mut held = match &self.root {
            Root::Folder(folder) => lock::folder(folder.join(OURS), self.shown(""))?,
            Root::Store { store, prefix, .. } => {
                let object = prefix.clone().join(OURS).join("lock");
                lock::store(Arc::clone(store), object, self.shown("")).await?
            }
        };
        match held.work_in(&self.work) {
            Ok(()) => Ok(held),
            Err(error) => {
                held.release().await;
                Err(error)
            }
        }
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
