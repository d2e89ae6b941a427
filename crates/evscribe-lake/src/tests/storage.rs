//! Storage that fails, and storage that keeps what was there before.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use super::lakes::{bring, for_team, hold, sealing, sitting, team};
use crate::pull::{HostList, Pull, Ssh};
use crate::{LakeError, Place, erase};

/// Storage in memory.
#[derive(Debug, Default)]
struct Storage {
    inner: InMemory,
    /// The part of each upload that fails, or that never ends.
    fails_at: Option<usize>,
    hangs_at: Option<usize>,
    /// Uploads that were begun and neither completed nor aborted.
    unfinished: Arc<AtomicUsize>,
    /// Whether it says a version of each object, as a bucket with versions does.
    has_versions: bool,
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storage")
    }
}

#[async_trait]
impl ObjectStore for Storage {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, bytes, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(at, how).await?;
        self.unfinished.fetch_add(1, Ordering::SeqCst);
        let unfinished = Arc::clone(&self.unfinished);
        let (fails_at, hangs_at) = (self.fails_at, self.hangs_at);
        Ok(Box::new(Upload { inner, parts: 0, fails_at, hangs_at, unfinished }))
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        let mut found = self.inner.get_opts(at, how).await?;
        found.meta.version = self.has_versions.then(|| "3".into());
        Ok(found)
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(below)
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(below).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    parts: usize,
    fails_at: Option<usize>,
    hangs_at: Option<usize>,
    unfinished: Arc<AtomicUsize>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, bytes: PutPayload) -> UploadPart {
        let (this, part) = (Some(self.parts), self.inner.put_part(bytes));
        self.parts += 1;
        if this == self.fails_at {
            let source = std::io::Error::other("the line broke").into();
            return Box::pin(async { Err(Error::Generic { store: "Storage", source }) });
        }
        if this == self.hangs_at { Box::pin(std::future::pending()) } else { part }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let done = self.inner.complete().await?;
        self.unfinished.fetch_sub(1, Ordering::SeqCst);
        Ok(done)
    }

    async fn abort(&mut self) -> Result<()> {
        self.unfinished.fetch_sub(1, Ordering::SeqCst);
        self.inner.abort().await
    }
}

/// A file of three parts.
fn large(work: &std::path::Path) -> std::path::PathBuf {
    let staged = work.join("staged");
    std::fs::write(&staged, vec![7; 20 << 20]).unwrap();
    staged
}

#[tokio::test]
async fn an_upload_that_fails_leaves_no_parts_in_the_storage() {
    for part in 0..4 {
        let work = tempfile::tempdir().unwrap();
        let storage = Arc::new(Storage { fails_at: Some(part), ..Storage::default() });
        let place = Place::of_store(Arc::clone(&storage) as _, work.path());
        let staged = large(work.path());
        let put = place.put(&staged, "events/a.parquet").await;
        assert_eq!(put.is_err(), part < 3, "{put:?}");
        assert_eq!(staged.exists(), part < 3, "it is there to be sent again");
        assert_eq!(storage.unfinished.load(Ordering::SeqCst), 0, "part {part}");
        let listed = place.list("").await.unwrap();
        let bytes: Vec<u64> = listed.iter().map(|file| file.bytes).collect();
        assert_eq!(bytes, if part < 3 { vec![] } else { vec![20 << 20] });
    }
}

#[tokio::test]
async fn an_upload_that_nobody_waits_for_any_more_leaves_no_parts_either() {
    let work = tempfile::tempdir().unwrap();
    let storage = Arc::new(Storage { hangs_at: Some(1), ..Storage::default() });
    let place = Place::of_store(Arc::clone(&storage) as _, work.path());
    let staged = large(work.path());
    let put = place.put(&staged, "events/a.parquet");
    tokio::time::timeout(Duration::from_millis(200), put).await.unwrap_err();
    for _ in 0..100 {
        if storage.unfinished.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("its parts are still there");
}

#[tokio::test]
async fn where_storage_keeps_older_versions_no_erasure_is_called_proven() {
    for has_versions in [false, true] {
        let (work, dataset) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let storage = Arc::new(Storage { has_versions, ..Storage::default() });
        let place = Place::of_store(storage, work.path());
        let files = sitting("ab01", "cafe", 0).seal(dataset.path(), for_team());
        bring(&place, dataset.path(), &files, true).await;
        let held = hold(&place).await;
        let keys = sealing(&place, &[team()]).await;
        let cafe = BTreeSet::from(["cafe".to_owned()]);
        let receipt = erase((&place, &held), &cafe, &keys).await.unwrap().remove(0);
        assert_eq!(receipt.erased.len(), 4);
        assert_eq!(receipt.proven, !has_versions, "{receipt:?}");
        let says_so = receipt.left.iter().any(|left| left.why.contains("keeps versions"));
        assert_eq!(says_so, has_versions);
        held.release().await;
    }
}

#[tokio::test]
async fn a_pull_that_cannot_begin_lets_the_lake_go() {
    let work = tempfile::tempdir().unwrap();
    let place = Place::of_store(Arc::new(Storage::default()), work.path());
    place.write("_evscribe/erased.json", b"{".to_vec()).await.unwrap();
    let pull = Pull {
        list: HostList::parse(b"desk.example"),
        jobs: 1,
        ssh: Ssh::default(),
        keys: super::lakes::ring(&[]),
        decrypt: false,
        timeout: Duration::from_secs(1),
        host_timeout: Duration::from_secs(1),
        skip_bad: false,
    };
    let done = pull.run(place.clone(), Box::new(|_| {}), std::future::pending()).await;
    assert!(matches!(done, Err(LakeError::Record { .. })), "{done:?}");
    hold(&place).await;
}
