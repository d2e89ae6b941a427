//! Whether a login session's first process lives. A session that closes stays
//! the active one while any of its processes lives on, and logind tells nobody;
//! at the console the next name and password are typed meanwhile.
//!
//! Source: pidfd_open(2): readable once the process ended.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Watches a session's first process; readable once it ended.
#[derive(Debug)]
pub(crate) struct Leader(OwnedFd);

impl Leader {
    /// Begins to watch; `None` where it has ended.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub(crate) fn of(pid: u32) -> io::Result<Option<Self>> {
        let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Ok(Some(Self(fd))),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The descriptor to wait on.
    pub(crate) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_that_ended_is_not_watched() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        assert!(Leader::of(pid).unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Leader::of(pid).unwrap().is_none());
    }
}
