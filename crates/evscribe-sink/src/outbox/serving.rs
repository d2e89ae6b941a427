//! Who is served now: for each puller a file, which every pull of theirs holds
//! locked.
//!
//! The lock is one of an open file description, so it lasts as long as any process
//! has that descriptor: rsync itself, whatever became of who started it, and of
//! this service. The kernel lets go of it when the last of them ends. Nobody waits
//! for it, and nobody takes it alone.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};

use super::is_puller;
use crate::{SinkError, error::At};

/// A pull of `puller` begins: what is returned is to be open in whatever serves
/// them, as long as it does. `directory` is [`Outbox::serving`](super::Outbox).
///
/// # Errors
/// Where the file cannot be made, opened or locked; then nothing may be served.
pub fn begin_pull(directory: &Path, puller: &str) -> io::Result<File> {
    if !is_puller(puller) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let path = directory.join(puller);
    OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    // Open for reading, it can be locked only beside others.
    let file = File::open(&path)?;
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock_of(libc::F_RDLCK)))?;
    Ok(file)
}

/// The names of who is served now, as the locks in `directory` say.
///
/// # Errors
/// [`SinkError::Io`]; then anybody may be.
pub fn served_now(directory: &Path) -> Result<BTreeSet<String>, SinkError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.at("read", directory)?,
    };
    let mut served = BTreeSet::new();
    for entry in entries {
        let path = entry.at("read", directory)?.path();
        let file = File::open(&path).at("open", &path)?;
        let mut lock = lock_of(libc::F_WRLCK);
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock))
            .map_err(io::Error::from)
            .at("look at", &path)?;
        if i32::from(lock.l_type) != libc::F_UNLCK {
            served.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    Ok(served)
}

/// A lock of the whole file.
const fn lock_of(kind: i32) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(directory: &Path) -> Vec<String> {
        served_now(directory).unwrap().into_iter().collect()
    }

    #[test]
    fn a_puller_is_served_until_their_last_pull_ends() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("serving");
        assert!(served(&directory).is_empty());
        let one = begin_pull(&directory, "lake").unwrap();
        let two = begin_pull(&directory, "lake").unwrap();
        let other = begin_pull(&directory, "other").unwrap();
        assert_eq!(served(&directory), ["lake", "other"]);
        drop(one);
        drop(other);
        assert_eq!(served(&directory), ["lake"]);
        drop(two);
        assert!(served(&directory).is_empty());
    }
}
