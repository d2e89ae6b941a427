//! Devices coming and going: inotify on the folder of links.
//!
//! A udev monitor is deaf without a network namespace of its own, so the folder
//! that udev fills is watched instead. It may not exist yet, and udev removes it
//! with its last link: then its nearest parent is watched until it is back.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// Watches one folder, whether it exists or not.
#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
    folder: PathBuf,
    armed: Option<WatchDescriptor>,
}

impl Watch {
    /// Watches `folder`.
    ///
    /// # Errors
    /// Where the kernel gives no more inotify instances or watches.
    pub fn new(folder: &Path) -> std::io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let mut watch = Self { inotify, folder: folder.into(), armed: None };
        watch.arm()?;
        Ok(watch)
    }

    /// The descriptor to wait on; it is readable when something changed.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.inotify.as_fd().as_raw_fd()
    }

    /// Empties the queue of changes and watches on. What is there now is for
    /// [`Watch::entries`] to say: the folder itself is the truth, not the events.
    ///
    /// # Errors
    /// Where the folder can no longer be watched.
    pub fn drain(&mut self) -> std::io::Result<()> {
        loop {
            match self.inotify.read_events() {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(nix::Error::EAGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.arm()
    }

    /// What is in the folder now, sorted; nothing where there is no folder.
    ///
    /// Hidden names are left out: udev makes a link under one first and then
    /// gives it its own.
    #[must_use]
    pub fn entries(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries
            .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        paths
    }

    /// Watches the folder, or the nearest of its parents that exists.
    fn arm(&mut self) -> std::io::Result<()> {
        let flags = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        // The watch is laid first and looked past after: a folder made between
        // the two would otherwise be missed.
        loop {
            let mut path: &Path = &self.folder;
            let watch = loop {
                match self.inotify.add_watch(path, flags) {
                    Ok(watch) => break watch,
                    Err(nix::Error::ENOENT | nix::Error::ENOTDIR) => match path.parent() {
                        Some(parent) => path = parent,
                        None => return Err(nix::Error::ENOENT.into()),
                    },
                    Err(error) => return Err(error.into()),
                }
            };
            if let Some(old) = self.armed.replace(watch)
                && old != watch
            {
                // A folder that is gone took its watch with it.
                let _ = self.inotify.rm_watch(old);
            }
            let next = self.folder.ancestors().take_while(|known| *known != path).last();
            if next.is_none_or(|next| !next.is_dir()) {
                return Ok(());
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, poll};

    fn wakes(watch: &Watch) -> bool {
        poll(&mut [PollFd::new(watch.as_fd(), PollFlags::POLLIN)], 200_u16).unwrap() == 1
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_is_noticed_when_it_comes() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("input/evscribe");
        let mut watch = Watch::new(&folder).unwrap();
        assert!(watch.entries().is_empty());
        std::fs::create_dir_all(&folder).unwrap();
        assert!(wakes(&watch));
        watch.drain().unwrap();
        std::fs::write(folder.join("event3"), "").unwrap();
        assert!(wakes(&watch));
        watch.drain().unwrap();
        assert_eq!(watch.entries(), [folder.join("event3")]);
    }

    #[test]
    fn a_folder_that_goes_and_comes_back_is_watched_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("evscribe");
        std::fs::create_dir(&folder).unwrap();
        let mut watch = Watch::new(&folder).unwrap();
        std::fs::remove_dir(&folder).unwrap();
        assert!(wakes(&watch));
        watch.drain().unwrap();
        std::fs::create_dir(&folder).unwrap();
        assert!(wakes(&watch));
        watch.drain().unwrap();
        std::fs::write(folder.join("event0"), "").unwrap();
        assert!(wakes(&watch));
    }

    #[test]
    fn a_link_in_the_making_is_no_entry() {
        let root = tempfile::tempdir().unwrap();
        let watch = Watch::new(root.path()).unwrap();
        std::fs::write(root.path().join(".#event4b0a5"), "").unwrap();
        assert!(watch.entries().is_empty());
        let link = root.path().join("event4");
        std::fs::rename(root.path().join(".#event4b0a5"), &link).unwrap();
        assert_eq!(watch.entries(), [link]);
    }

    #[test]
    fn nothing_wakes_it_while_nothing_changes() {
        let root = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(root.path()).unwrap();
        watch.drain().unwrap();
        assert!(!wakes(&watch));
    }
}
