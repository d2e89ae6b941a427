//! Files that are written whole or not at all, and who else writes them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::statvfs::{FsFlags, statvfs},
};
use sha2::{Digest, Sha256};

use crate::{SinkError, error::At, keys::hex};

/// What every file is called before it is whole.
pub(crate) const HIDDEN: &str = ".tmp-";

/// A moment at which a kill would leave the disk as it is now: between two of
/// the things that are done to it. Tests take a copy there.
#[cfg(not(test))]
pub(crate) const fn step() {}

#[cfg(test)]
pub(crate) use steps::step;

#[cfg(test)]
pub(crate) mod steps {
    use std::cell::RefCell;
    use std::path::{Path, PathBuf};
    use std::rc::Rc;

    use crate::support::copy;

    type Hook = Box<dyn FnMut()>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    pub(crate) fn step() {
        HOOK.with_borrow_mut(|hook| hook.iter_mut().for_each(|hook| hook()));
    }

    /// Has `hook` called at each step of this thread.
    pub(crate) fn watch(hook: Option<Hook>) {
        HOOK.set(hook);
    }

    /// Does it, and copies all of `root` at each step into a folder of its own below
    /// `copies`. These, in order: what a kill there would have left.
    pub(crate) fn copied(root: &Path, copies: &Path, act: impl FnOnce()) -> Vec<PathBuf> {
        let taken = Rc::new(RefCell::new(Vec::new()));
        let (from, to, all) = (root.to_path_buf(), copies.to_path_buf(), Rc::clone(&taken));
        watch(Some(Box::new(move || {
            let copied = to.join(all.borrow().len().to_string());
            copy(&from, &copied);
            all.borrow_mut().push(copied);
        })));
        act();
        watch(None);
        taken.take()
    }
}

/// Makes the names in `directory` durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), SinkError> {
    step();
    File::open(directory).and_then(|file| file.sync_all()).at("make durable", directory)
}

/// Makes the name `path` durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), SinkError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

/// Makes `directory` and what is missing above it, down from `root`; durable.
pub(crate) fn create_directories(root: &Path, directory: &Path) -> Result<(), SinkError> {
    let Ok(below) = directory.strip_prefix(root) else {
        return fs::create_dir_all(directory).at("create", directory);
    };
    let mut path = root.to_path_buf();
    for part in below {
        let parent = path.clone();
        path.push(part);
        match fs::create_dir(&path) {
            Ok(()) => sync_directory(&parent)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).at("create", &path),
        }
    }
    Ok(())
}

/// Replaces `path` by `bytes`: whole or not at all, durable. Mode 0640.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SinkError> {
    replace_as(path, bytes, 0o640)
}

/// The same, with another mode.
pub(crate) fn replace_as(path: &Path, bytes: &[u8], mode: u32) -> Result<(), SinkError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = path.with_file_name(format!("{HIDDEN}{name}"));
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&hidden)?;
        step();
        file.write_all(bytes)?;
        file.sync_all()?;
        step();
        fs::rename(&hidden, path)
    };
    let written = write();
    if written.is_err() {
        drop(fs::remove_file(&hidden));
    }
    written.at("write", path)?;
    sync_parent(path)
}

/// Bytes an unprivileged process may still write at `path`.
///
/// # Errors
/// `EROFS` where the file system is read-only: ext4, once it was remounted so by
/// force, takes what is written to open files and lets each sync succeed, but
/// keeps it in memory. Source: `ext4_sync_file` in fs/ext4/fsync.c.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, SinkError> {
    let stat = statvfs(path).at("look at", path)?;
    if stat.flags().contains(FsFlags::ST_RDONLY) {
        return Err(io::Error::from(Errno::EROFS)).at("write to", path);
    }
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// Whether both are on one file system; false where that cannot be told.
pub(crate) fn same_file_system(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => one.dev() == other.dev(),
        _ => false,
    }
}

/// Holds a directory for one process, until dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code, reason = "held for its drop")] Flock<File>);

impl Lock {
    /// # Errors
    /// [`SinkError::Busy`] where another process holds it.
    pub(crate) fn of(directory: &Path) -> Result<Self, SinkError> {
        let file = File::open(directory).at("open", directory)?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map(Self).map_err(|(file, errno)| {
            if errno == Errno::EWOULDBLOCK {
                SinkError::Busy { path: directory.into(), pid: holder(&file) }
            } else {
                SinkError::Io { doing: "lock", path: directory.into(), source: errno.into() }
            }
        })
    }
}

/// Who holds the lock. Source: proc(5), `/proc/locks`.
fn holder(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let (major, minor) =
        (nix::sys::stat::major(metadata.dev()), nix::sys::stat::minor(metadata.dev()));
    let wanted = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let line = locks
        .lines()
        .find(|line| line.contains("FLOCK") && line.split(' ').any(|word| word == wanted))?;
    line.split_whitespace().nth(4)?.parse().ok().filter(|pid| *pid != 0)
}

/// A file under a hidden name that is hashed as it is written and appears
/// under its own name only when whole. Removed when dropped before that.
#[derive(Debug)]
pub(crate) struct HiddenFile {
    path: PathBuf,
    file: Option<File>,
    hash: Sha256,
    bytes: u64,
}

/// A [`HiddenFile`] that is whole and durable but still hidden.
#[derive(Debug)]
pub(crate) struct WholeFile {
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

impl HiddenFile {
    pub(crate) fn create(path: PathBuf) -> Result<Self, SinkError> {
        step();
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(&path)
            .at("create", &path)?;
        Ok(Self { path, file: Some(file), hash: Sha256::new(), bytes: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes what was written durable.
    pub(crate) fn complete(mut self) -> Result<WholeFile, SinkError> {
        step();
        if let Some(file) = &self.file {
            file.sync_all().at("make durable", &self.path)?;
        }
        self.file = None;
        let hash = std::mem::take(&mut self.hash);
        Ok(WholeFile { path: self.path.clone(), sha256: hex(&hash.finalize()), bytes: self.bytes })
    }
}

impl Write for HiddenFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let written = file.write(buffer)?;
        self.hash.update(buffer.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for HiddenFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        // After its rename the hidden name is gone and this does nothing.
        drop(fs::remove_file(&self.path));
    }
}
