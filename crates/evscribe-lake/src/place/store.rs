//! A lake in storage that speaks S3: files go there in parts.

use std::path::{Path, PathBuf};

use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::LakeError;
use crate::error::{At, InStore};

/// Bytes of one part of an upload, and how many are under way at once.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;

/// Where the unit pulls: `StateDirectory` in evscribe-data-pull.service.
const OF_THE_UNIT: &str = "/var/lib/evscribe-data";

/// Where this machine keeps what is under way for lakes that are elsewhere.
///
/// # Errors
/// [`LakeError::NoPlace`] where nothing says it.
pub(super) fn state() -> Result<PathBuf, LakeError> {
    said().into_iter().next().ok_or_else(|| LakeError::NoPlace {
        text: "the folder for what is under way".into(),
        why: "neither STATE_DIRECTORY nor HOME is set: name one with --work".into(),
    })
}

/// Where that may be for who was started otherwise: by the timer, or by hand.
pub(super) fn states() -> Vec<PathBuf> {
    let of_the_unit = PathBuf::from(OF_THE_UNIT);
    said().into_iter().chain([of_the_unit]).collect()
}

fn said() -> Vec<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let below = |folder: PathBuf| folder.join("evscribe-data");
    let states = [
        set("STATE_DIRECTORY"),
        set("XDG_STATE_HOME").map(below),
        set("HOME").map(|home| below(home.join(".local/state"))),
    ];
    states.into_iter().flatten().collect()
}

/// The name of the folder for what is under way to that lake. One of the same name
/// at another address has the same: an address has several names, and what is to be
/// erased must be found.
pub(super) fn work_name(bucket: &str, prefix: &object_store::path::Path) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let name: String = format!("{bucket}/{prefix}").chars().map(plain).take(64).collect();
    let digest = Sha256::digest(format!("{bucket}/{prefix}").as_bytes());
    let id: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{id}", name.trim_end_matches('-'))
}

/// In parts, so that no more than a few of them are in memory; the object is
/// there only once all of them are. What was sent of one that fails goes.
pub(super) async fn upload(
    store: &dyn ObjectStore,
    key: &object_store::path::Path,
    path: &str,
    staged: &Path,
) -> Result<(), LakeError> {
    let file = tokio::fs::File::open(staged).await.at("open", staged)?;
    let upload = store.put_multipart(key).await.in_store("begin to write", path)?;
    let mut under_way = UnderWay { upload: Some(upload), sent: JoinSet::new() };
    let sent = under_way.send(file, (path, staged)).await;
    match sent {
        Ok(()) => under_way.upload = None,
        Err(_) => under_way.abort().await,
    }
    sent
}

/// An upload. Storage keeps the parts of one that is neither completed nor
/// aborted for ever, where nobody lists them.
struct UnderWay {
    /// `None` once there is nothing to abort.
    upload: Option<Box<dyn MultipartUpload>>,
    sent: JoinSet<object_store::Result<()>>,
}

impl UnderWay {
    async fn send(
        &mut self,
        mut file: tokio::fs::File,
        (path, staged): (&str, &Path),
    ) -> Result<(), LakeError> {
        let Some(upload) = &mut self.upload else { return Ok(()) };
        loop {
            let mut part = Vec::with_capacity(PART_BYTES);
            let read = (&mut file).take(PART_BYTES as u64).read_to_end(&mut part).await;
            if read.at("read", staged)? == 0 {
                break;
            }
            while self.sent.len() >= PARTS_AT_ONCE {
                one(&mut self.sent, path).await?;
            }
            self.sent.spawn(upload.put_part(part.into()));
        }
        while !self.sent.is_empty() {
            one(&mut self.sent, path).await?;
        }
        upload.complete().await.map(drop).in_store("write", path)
    }

    async fn abort(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            // A part that is under way could come after it.
            self.sent.shutdown().await;
            drop(upload.abort().await);
        }
    }
}

async fn one(sent: &mut JoinSet<object_store::Result<()>>, path: &str) -> Result<(), LakeError> {
    match sent.join_next().await {
        Some(Ok(done)) => done.in_store("write", path),
        Some(Err(error)) => Err(std::io::Error::other(error)).at("write", Path::new(path)),
        None => Ok(()),
    }
}

impl Drop for UnderWay {
    /// Where nobody waits for it any more: a host's time was over.
    fn drop(&mut self) {
        let upload = self.upload.take();
        if let (Some(upload), Ok(runtime)) = (upload, Handle::try_current()) {
            let mut left = Self { upload: Some(upload), sent: std::mem::take(&mut self.sent) };
            runtime.spawn(async move { left.abort().await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lake_has_a_folder_of_its_own_on_this_machine() {
        let name = |bucket, prefix: &str| work_name(bucket, &prefix.into());
        let names = [
            name("a", "b-c"),
            name("a-b", "c"),
            name("a", "b/c"),
            name("a", "b.c"),
            name("a", "b-c-"),
            name("a", ""),
        ];
        let unique: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{names:?}");
        assert!(names.iter().all(|name| name.starts_with('a') && !name.contains('/')));
        assert_eq!(name("a", "b-c"), name("a", "b-c/"));
    }
}
