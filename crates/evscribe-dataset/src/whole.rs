//! A file that appears whole, or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

/// A file that is being written under another name, beside its place; gone with
/// this. Only its owner may read it.
#[derive(Debug)]
pub(crate) struct Whole {
    path: PathBuf,
    hidden: NamedTempFile,
}

impl Whole {
    /// # Errors
    /// Where it cannot be written, or where anything but a file has that name: a
    /// device or a pipe is not replaced.
    pub(crate) fn begin(path: &Path) -> Result<Self> {
        let shown = path.display();
        match fs::symlink_metadata(path) {
            Ok(there) if !there.is_file() => {
                bail!("{shown} is no regular file and would be replaced by one: name another")
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{shown} cannot be written"));
            }
            _ => {}
        }
        let hidden = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder(path));
        let hidden = hidden.with_context(|| format!("{shown} cannot be written"))?;
        Ok(Self { path: path.to_owned(), hidden })
    }

    /// The file, to be written to.
    pub(crate) const fn file(&self) -> &NamedTempFile {
        &self.hidden
    }

    /// Gives it its name, durably; what had it is replaced.
    ///
    /// # Errors
    /// Where that is not possible; a file of that name is then as it was.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { path, hidden } = self;
        let done = hidden.as_file().sync_all();
        done.and_then(|()| hidden.persist(&path).map_err(|error| error.error))
            .and_then(|_| File::open(folder(&path))?.sync_all())
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
