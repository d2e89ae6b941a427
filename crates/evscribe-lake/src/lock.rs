//! Who changes the lake: one program at a time.
//!
//! In a folder the kernel knows whether the holder lives. Storage does not: there
//! the lock is an object that says until when it is held, written anew while its
//! holder lives, and free for others after that.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// A lake that is held; others can change it once this is let go.
#[derive(Debug)]
pub struct Held {
    lake: String,
    by: By,
}

#[derive(Debug)]
enum By {
    Kernel(#[expect(dead_code, reason = "held as long as it lives")] Flock<fs::File>),
    Lease {
        store: Arc<dyn ObjectStore>,
        object: Path,
        renewal: JoinHandle<()>,
        is_lost: Arc<AtomicBool>,
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

    fn is_over(&self) -> bool {
        self.until_ms <= Timestamp::now().as_millisecond()
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
            By::Lease { is_lost, .. } if is_lost.load(Ordering::Acquire) => {
                Err(LakeError::Lost { lake: self.lake.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Lets others change the lake. One that is not let go so is free once its
    /// process has ended, in S3 ten minutes later.
    pub async fn release(self) {
        if let By::Lease { store, object, renewal, is_lost } = &self.by {
            renewal.abort();
            if !is_lost.load(Ordering::Acquire) {
                drop(store.delete(object).await);
            }
        }
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
    match Flock::lock(file.at("open", &path)?, FlockArg::LockExclusiveNonblock) {
        Ok(held) => Ok(Held { lake, by: By::Kernel(held) }),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
            Err(LakeError::Busy { lake, holder: "another evscribe-data".into() })
        }
        Err((_, error)) => Err(error.into()).at("lock", &path),
    }
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
            if let Some(old) = old.filter(|old| !old.is_over()) {
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
    let is_lost = Arc::new(AtomicBool::new(false));
    let renewal =
        tokio::spawn(renew(Arc::clone(&store), object.clone(), put, Arc::clone(&is_lost)));
    Ok(Held { lake, by: By::Lease { store, object, renewal, is_lost } })
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
    is_lost: Arc<AtomicBool>,
) {
    let mut held = Lease::new();
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        let version = UpdateVersion { e_tag: last.e_tag.clone(), version: last.version.clone() };
        let lease = Lease::new();
        match put(store.as_ref(), &object, &lease, PutMode::Update(version)).await {
            Ok(renewed) => (last, held) = (renewed, lease),
            // Storage that cannot be reached for a while: it may be back in time.
            Err(error)
                if !matches!(error, Error::Precondition { .. } | Error::NotFound { .. })
                    && !held.is_over() => {}
            Err(_) => {
                is_lost.store(true, Ordering::Release);
                return;
            }
        }
    }
}
