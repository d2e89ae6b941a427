//! Rows that do not fit into memory, in files without a name: the kernel takes them
//! back however this program ends, and nobody else can open them meanwhile.
//!
//! Where a file system has no files without a name, they lose it at once.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::{Stream, stream};
use tokio::task::spawn_blocking;

use super::listing::external;

/// Read at once.
const CHUNK_BYTES: usize = 128 << 10;

/// Such a file in `folder`, for its owner.
///
/// # Errors
/// Where none can be made there.
pub(super) fn nameless(folder: &Path) -> io::Result<File> {
    let file = tempfile::tempfile_in(folder)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Makes such files in one folder.
#[derive(Debug)]
pub(super) struct Spills(PathBuf);

impl Spills {
    /// # Errors
    /// Where no file can be made in `folder`.
    pub(super) fn below(folder: &Path) -> io::Result<Self> {
        nameless(folder)?;
        Ok(Self(folder.to_owned()))
    }
}

impl TempFileFactory for Spills {
    fn create_temp_file(&self, _: &str) -> Result<Arc<dyn SpillFile>> {
        let file = Arc::new(nameless(&self.0)?);
        Ok(Arc::new(Spill { file, bytes: Arc::default() }))
    }
}

struct Spill {
    file: Arc<File>,
    bytes: Arc<AtomicU64>,
}

impl SpillFile for Spill {
    fn size(&self) -> Option<u64> {
        Some(self.bytes.load(Ordering::Relaxed))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let file = Arc::clone(&self.file);
        let chunk = move |at: u64| {
            let file = Arc::clone(&file);
            async move {
                // By position: readers and the writer share one file without a name.
                let read = spawn_blocking(move || {
                    let mut chunk = vec![0; CHUNK_BYTES];
                    let length = file.read_at(&mut chunk, at)?;
                    chunk.truncate(length);
                    io::Result::Ok(chunk)
                });
                let chunk = read.await.map_err(external)??;
                let next = at + chunk.len() as u64;
                Ok::<_, DataFusionError>((!chunk.is_empty()).then(|| (Bytes::from(chunk), next)))
            }
        };
        Ok(Box::pin(stream::try_unfold(0, chunk)))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(Writer { file: Arc::clone(&self.file), bytes: Arc::clone(&self.bytes) }))
    }
}

struct Writer {
    file: Arc<File>,
    bytes: Arc<AtomicU64>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = (&*self.file).write(bytes)?;
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
