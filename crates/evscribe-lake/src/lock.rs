//! Who changes the lake: one program at a time.
//!
//! In a folder the kernel knows whether the holder lives. Storage does not: there
//! the lock is an object that says until when it is held, written anew while its
//! holder lives, and free for others after that. A holder that was asleep meanwhile
//! finds by the clock that it holds it no more.

use std::fs::{self, OpenOptions};
use std::path::{self, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use object_store::path::Path;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult, UpdateVersion,
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::LakeError;
use crate::error::{At, InStore};

/// How long a lease lasts, and how often it is made longer.
const LEASE: Duration = Duration::from_secs(600);
const RENEW_EVERY: Duration = Duration::from_secs(120);

/// How long before its end a holder trusts its lease no more: clocks differ, and
/// what it is about to write takes a while.
const MARGIN_MS: i64 = 30_000;

/// Of `until_ms`: another has the lake.
const LOST: i64 = i64::MIN;

/// A lake that is held; others can change it once this is let go.
#[derive(Debug)]
pub struct Held {
    lake: String,
    by: By,
    /// The work folder.
    work: Option<Flock<fs::File>>,
}

#[derive(Debug)]
enum By {
    Kernel(#[expect(dead_code, reason = "held as long as it lives")] Flock<fs::File>),
    Lease {
        store: Arc<dyn ObjectStore>,
        object: Path,
        renewal: JoinHandle<()>,
        /// As in [`Lease`], or [`LOST`].
        until_ms: Arc<AtomicI64>,
    },
}

/// What the object says.
#[derive(Debug, Serialize, Deserialize)]
struct Lease {
    holder: String,
    /// Until when it is held, ms since 1970-01-01 UTC.
    until_ms: i64,
}

impl Lease {
    fn new() -> Self {
        let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let holder = format!("process {} on {}", std::process::id(), machine.trim());
        Self { holder, until_ms: (Timestamp::now() + LEASE).as_millisecond() }
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Held {
    /// Whether the lake is still held; asked before each change of a record.
    ///
    /// # Errors
    /// [`LakeError::Lost`].
    pub fn check(&self) -> Result<(), LakeError> {
        match &self.by {
            By::Lease { until_ms, .. } if is_over(until_ms.load(Ordering::Acquire), MARGIN_MS) => {
                Err(LakeError::Lost { lake: self.lake.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Lets others change the lake. One that is not let go so is free once its
    /// process has ended, in S3 ten minutes later.
    pub async fn release(self) {
        if let By::Lease { store, object, renewal, .. } = &self.by {
            renewal.abort();
            // One that is over may be another's by now.
            if self.check().is_ok() {
                drop(store.delete(object).await);
            }
        }
    }

    /// Holds the work folder, too, as long.
    ///
    /// # Errors
    /// [`LakeError::Busy`], [`LakeError::Io`].
    pub(crate) fn work_in(&mut self, work: &path::Path) -> Result<(), LakeError> {
        self.work = Some(folder_of_work(work)?);
        Ok(())
    }
}

/// Holds a work folder as long as the result lives.
///
/// # Errors
/// [`LakeError::Busy`], [`LakeError::Io`].
pub(crate) fn folder_of_work(work: &path::Path) -> Result<Flock<fs::File>, LakeError> {
    let folder = fs::File::open(work).at("open", work)?;
    flock(folder, work, &work.display().to_string())
}

fn is_over(until_ms: i64, margin_ms: i64) -> bool {
    until_ms.saturating_sub(margin_ms) <= Timestamp::now().as_millisecond()
}

fn flock(file: fs::File, path: &path::Path, lake: &str) -> Result<Flock<fs::File>, LakeError> {
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(held) => Ok(held),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
            Err(LakeError::Busy { lake: lake.into(), holder: "another evscribe-data".into() })
        }
        Err((_, error)) => Err(error.into()).at("lock", path),
    }
}

/// Holds the lake whose own folder is `ours`.
///
/// # Errors
/// [`LakeError::Busy`], [`LakeError::Io`].
pub(crate) fn folder(ours: PathBuf, lake: String) -> Result<Held, LakeError> {
    let path = ours.join("lock");
    fs::create_dir_all(&ours).at("create", &ours)?;
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(&path);
    let held = flock(file.at("open", &path)?, &path, &lake)?;
    Ok(Held { lake, by: By::Kernel(held), work: None })
}

/// Holds the lake whose lock is that object.
///
/// # Errors
/// [`LakeError::Busy`], [`LakeError::Store`].
pub(crate) async fn store(
    store: Arc<dyn ObjectStore>,
    object: Path,
    lake: String,
) -> Result<Held, LakeError> {
    let (shown, lease) = (object.to_string(), Lease::new());
    let put = match put(store.as_ref(), &object, &lease, PutMode::Create).await {
        Err(Error::AlreadyExists { .. }) => {
            let found = store.get(&object).await.in_store("read", &shown)?;
            let version = UpdateVersion {
                e_tag: found.meta.e_tag.clone(),
                version: found.meta.version.clone(),
            };
            let bytes = found.bytes().await.in_store("read", &shown)?;
            let old = serde_json::from_slice::<Lease>(&bytes).ok();
            if let Some(old) = old.filter(|old| !is_over(old.until_ms, 0)) {
                return Err(LakeError::Busy { lake, holder: old.holder });
            }
            put(store.as_ref(), &object, &lease, PutMode::Update(version)).await
        }
        put => put,
    };
    let put = match put {
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
            return Err(LakeError::Busy { lake, holder: "another that just came".into() });
        }
        put => put.in_store("lock", &shown)?,
    };
    let until_ms = Arc::new(AtomicI64::new(lease.until_ms));
    let renewal =
        tokio::spawn(renew(Arc::clone(&store), object.clone(), put, Arc::clone(&until_ms)));
    Ok(Held { lake, by: By::Lease { store, object, renewal, until_ms }, work: None })
}

async fn put(
    store: &dyn ObjectStore,
    object: &Path,
    lease: &Lease,
    mode: PutMode,
) -> object_store::Result<PutResult> {
    store.put_opts(object, lease.bytes().into(), PutOptions::from(mode)).await
}

/// Makes the lease longer until it cannot, or is told to end.
async fn renew(
    store: Arc<dyn ObjectStore>,
    object: Path,
    mut last: PutResult,
    until_ms: Arc<AtomicI64>,
) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        let version = UpdateVersion { e_tag: last.e_tag.clone(), version: last.version.clone() };
        let lease = Lease::new();
        match put(store.as_ref(), &object, &lease, PutMode::Update(version)).await {
            Ok(renewed) => {
                last = renewed;
                until_ms.store(lease.until_ms, Ordering::Release);
            }
            // Storage that cannot be reached for a while: it may be back in time.
            Err(error)
                if !matches!(error, Error::Precondition { .. } | Error::NotFound { .. })
                    && !is_over(until_ms.load(Ordering::Acquire), 0) => {}
            Err(_) => {
                until_ms.store(LOST, Ordering::Release);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::tests::lakes::hold;

    fn until(held: &Held) -> &AtomicI64 {
        let By::Lease { until_ms, .. } = &held.by else { panic!("it is no lease") };
        until_ms
    }

    #[tokio::test]
    async fn who_slept_through_the_end_of_its_lease_changes_nothing_and_frees_no_other() {
        let storage: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (lock, lake) = (Path::from("lock"), || "s3://bucket".to_owned());
        let asleep = store(Arc::clone(&storage), lock.clone(), lake()).await.unwrap();
        asleep.check().unwrap();
        let busy = store(Arc::clone(&storage), lock.clone(), lake()).await.unwrap_err();
        assert!(matches!(busy, LakeError::Busy { .. }), "{busy}");
        // Ten minutes later, as all clocks say.
        let over = Lease { holder: "it".into(), until_ms: Timestamp::now().as_millisecond() };
        put(storage.as_ref(), &lock, &over, PutMode::Overwrite).await.unwrap();
        until(&asleep).store(over.until_ms, Ordering::Release);
        let other = store(Arc::clone(&storage), lock.clone(), lake()).await.unwrap();
        assert!(matches!(asleep.check(), Err(LakeError::Lost { .. })));
        asleep.release().await;
        other.check().unwrap();
        let busy = store(Arc::clone(&storage), lock.clone(), lake()).await.unwrap_err();
        assert!(matches!(busy, LakeError::Busy { .. }), "{busy}");
        other.release().await;
        store(storage, lock, lake()).await.unwrap();
    }

    #[tokio::test]
    async fn a_work_folder_is_of_one_lake_at_a_time() {
        let (work, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = |name: &str| {
            let lake = root.path().join(name);
            crate::Place::open(lake.to_str().unwrap(), Some(work.path())).unwrap()
        };
        let (one, other) = (place("one"), place("other"));
        let held = hold(&one).await;
        let error = other.hold().await.unwrap_err();
        assert!(error.to_string().contains(work.path().to_str().unwrap()), "{error}");
        held.release().await;
        hold(&other).await;
        // What is dropped is let go.
        hold(&one).await;
    }
}
