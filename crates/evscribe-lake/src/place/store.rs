//! A lake in storage that speaks S3: files go there in parts.

use std::path::{Path, PathBuf};

use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use tokio::io::AsyncReadExt;

use crate::LakeError;
use crate::error::{At, InStore};

/// Bytes of one part of an upload, and how many are under way at once.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;

/// Where this machine keeps what is under way for lakes that are elsewhere.
pub(super) fn state() -> Result<PathBuf, LakeError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let below = |folder: PathBuf| folder.join("evscribe-data");
    set("STATE_DIRECTORY")
        .or_else(|| set("XDG_STATE_HOME").map(below))
        .or_else(|| set("HOME").map(|home| below(home.join(".local/state"))))
        .ok_or_else(|| LakeError::NoPlace {
            text: "the folder for what is under way".into(),
            why: "neither STATE_DIRECTORY nor HOME is set: name one with --work".into(),
        })
}

/// In parts, so that no more than a few of them are in memory; the object is
/// there only once all of them are.
pub(super) async fn upload(
    store: &dyn ObjectStore,
    key: &object_store::path::Path,
    path: &str,
    staged: &Path,
) -> Result<(), LakeError> {
    let mut file = tokio::fs::File::open(staged).await.at("open", staged)?;
    let under_way = store.put_multipart(key).await.in_store("begin to write", path)?;
    let mut write = WriteMultipart::new_with_chunk_size(under_way, PART_BYTES);
    let mut buffer = vec![0; 1 << 20];
    loop {
        write.wait_for_capacity(PARTS_AT_ONCE).await.in_store("write", path)?;
        let read = match file.read(&mut buffer).await {
            Ok(read) => read,
            Err(error) => {
                drop(write.abort().await);
                return Err(error).at("read", staged);
            }
        };
        match buffer.get(..read) {
            Some(bytes) if read > 0 => write.write(bytes),
            _ => break,
        }
    }
    write.finish().await.map(drop).in_store("write", path)
}
