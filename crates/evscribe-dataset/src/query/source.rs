//! Where a dataset or a lake is, for reading only.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use evscribe_sink::Table;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};
use url::Url;

/// How long a request is tried again that gets no answer, or a bad one.
const RETRY: Duration = Duration::from_secs(30);

/// What stands beside the tables, in a dataset of a workstation and in a lake.
const BESIDE: [&str; 2] = ["manifest.jsonl", "_evscribe"];

/// A dataset or a lake. Paths of its store are places in it.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) store: Arc<dyn ObjectStore>,
    root: Root,
    /// Requests that may be under way at once.
    pub(super) at_once: usize,
}

#[derive(Clone, Debug)]
enum Root {
    Folder(PathBuf),
    Url(String),
}

impl Source {
    /// The folder or the `s3://bucket/prefix` that `text` says. Credentials and
    /// endpoint of S3 come from the environment.
    ///
    /// # Errors
    /// Where nothing is there, or neither a dataset nor a lake.
    pub(super) async fn open(text: &str) -> Result<Self> {
        let source = match text.split_once("://") {
            None => Self::folder(PathBuf::from(text))?,
            Some(("s3", _)) => Self::bucket(text)?,
            Some((scheme, _)) => {
                bail!("{text}: {scheme}:// is not known; name a folder or s3://bucket/prefix")
            }
        };
        ensure!(
            source.has_tables().await?,
            "{text} is neither a dataset nor a lake: it holds none of events, touch, marks, devices"
        );
        Ok(source)
    }

    fn folder(folder: PathBuf) -> Result<Self> {
        let shown = folder.display();
        let about = std::fs::metadata(&folder).with_context(|| format!("{shown}"))?;
        ensure!(about.is_dir(), "{shown} is no folder");
        let store = LocalFileSystem::new_with_prefix(&folder)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { store: Arc::new(store), root: Root::Folder(folder), at_once: 2 * cores })
    }

    fn bucket(text: &str) -> Result<Self> {
        let url = Url::parse(text).with_context(|| format!("{text} is no address"))?;
        let bucket = url.host_str().with_context(|| format!("{text} names no bucket"))?;
        let prefix = Path::from_url_path(url.path())?;
        let retry = RetryConfig { retry_timeout: RETRY, ..RetryConfig::default() };
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_retry(retry)
            .build()
            .with_context(|| format!("{text} cannot be reached"))?;
        let store = PrefixStore::new(store, prefix);
        let root = Root::Url(text.trim_end_matches('/').to_owned());
        Ok(Self { store: Arc::new(store), root, at_once: 64 })
    }

    async fn has_tables(&self) -> Result<bool> {
        let top = self.store.list_with_delimiter(None).await;
        let top = top.with_context(|| format!("cannot list {}", self.shown("")))?;
        let mut names = top
            .common_prefixes
            .iter()
            .chain(top.objects.iter().map(|object| &object.location))
            .filter_map(Path::filename);
        Ok(names.any(|name| Table::named(name).is_some() || BESIDE.contains(&name)))
    }

    /// A place as people name it.
    pub(super) fn shown(&self, place: &str) -> String {
        match &self.root {
            Root::Folder(folder) => folder.join(place).display().to_string(),
            Root::Url(url) if place.is_empty() => url.clone(),
            Root::Url(url) => format!("{url}/{place}"),
        }
    }
}
