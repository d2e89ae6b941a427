//! Where the rows of a query go: standard output, or a file that appears whole.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use super::output::Sink;
use super::spill::nameless;
use crate::whole::Whole;

/// Where rows go.
#[derive(Debug)]
pub(super) enum Delivery {
    /// To the file, once all of them are in it.
    File(Whole),
    /// To standard output, once all of them are there.
    Spooled(File),
    /// To standard output, as they come.
    Direct,
}

impl Delivery {
    /// To `out`, or else to standard output; by way of a file in `temp` where it
    /// `may_fail` after rows came.
    ///
    /// # Errors
    /// Where no file can be made there.
    pub(super) fn to(out: Option<&Path>, may_fail: bool, temp: &Path) -> Result<Self> {
        let Some(path) = out else {
            return match may_fail {
                true => Ok(Self::Spooled(nameless(temp).with_context(|| {
                    format!("{} cannot be used for what is too large", temp.display())
                })?)),
                false => Ok(Self::Direct),
            };
        };
        Ok(Self::File(Whole::begin(path)?))
    }

    /// A sink for the rows; `is_closed` is set where nobody reads them any more.
    ///
    /// # Errors
    /// Where the file cannot be opened again.
    pub(super) fn sink(&self, is_closed: &Arc<AtomicBool>) -> Result<Sink> {
        let inner: Sink = match self {
            Self::File(whole) => Box::new(io::BufWriter::new(whole.file().reopen()?)),
            Self::Spooled(file) => Box::new(io::BufWriter::new(file.try_clone()?)),
            Self::Direct => Box::new(io::BufWriter::new(io::stdout())),
        };
        Ok(Box::new(Watched { inner, is_closed: Arc::clone(is_closed) }))
    }

    /// Hands over what was written.
    ///
    /// # Errors
    /// Where that is not possible; a file of that name is then as it was.
    pub(super) fn deliver(self) -> Result<()> {
        match self {
            Self::File(whole) => whole.finish()?,
            Self::Spooled(mut file) => {
                file.rewind()?;
                io::copy(&mut file, &mut io::stdout().lock())?;
            }
            Self::Direct => {}
        }
        Ok(())
    }
}

/// Remembers that nobody reads any more, whatever the writer above makes of that
/// error.
struct Watched {
    inner: Sink,
    is_closed: Arc<AtomicBool>,
}

impl Watched {
    fn watch<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.is_closed.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.watch(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.watch(flushed)
    }
}
