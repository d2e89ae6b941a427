//! Which virtual terminal is active: the first to know that another person may
//! be at the keyboard.
//!
//! The kernel tells of a switch when it makes it, before the session manager
//! hears of it. Source: `redraw_screen` in `drivers/tty/vt/vt.c`, which notifies
//! the attribute `active` of `tty0`; `Documentation/ABI/testing/sysfs-tty`.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;

/// Where the kernel says it.
const ACTIVE: &str = "/sys/class/tty/tty0/active";

/// The terminal that the kernel puts in front while the machine falls asleep; when
/// it wakes the one before comes back. Source: `SUSPEND_CONSOLE` in
/// `kernel/power/console.c`.
const SLEEP: u32 = 63;

/// More than the name of a terminal and its line end, bytes.
const NAME_BYTES: usize = 64;

/// Watches the active virtual terminal.
///
/// Wait for priority data (`POLLPRI`), which always comes with an error
/// (`POLLERR`) that means nothing here. Readiness is edge-triggered: call
/// [`Vt::changed`] at each wake-up.
#[derive(Debug)]
pub(crate) struct Vt {
    file: File,
    active: String,
}

impl Vt {
    /// Begins to watch; `None` on a machine without virtual terminals.
    ///
    /// # Errors
    /// Where the kernel has the file and it cannot be read.
    pub(crate) fn new() -> io::Result<Option<Self>> {
        let file = match File::open(ACTIVE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut vt = Self { file, active: String::new() };
        vt.changed()?;
        Ok(Some(vt))
    }

    /// The descriptor to wait on.
    pub(crate) fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Reads which terminal is active. Returns whether it is another than when
    /// last read.
    ///
    /// A wake-up alone says that there was a switch, if only there and back: what
    /// was typed meanwhile may be another's also where this is `false`.
    ///
    /// # Errors
    /// Where it cannot be read; the last name stays.
    pub(crate) fn changed(&mut self) -> io::Result<bool> {
        let mut bytes = [0; NAME_BYTES];
        // From the beginning: that is what has the kernel look anew, and tell anew.
        let length = self.file.read_at(&mut bytes, 0)?;
        let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
        let name = text.trim_end();
        let is_other = name != self.active;
        if is_other {
            self.active = name.into();
        }
        Ok(is_other)
    }

    /// Whether the machine is falling asleep, unless somebody chose that terminal.
    pub(crate) fn is_sleep(&self) -> bool {
        self.number() == Some(SLEEP)
    }

    /// Number of the active terminal when last read, 1 for `tty1`; `None` for what
    /// has none.
    pub(crate) fn number(&self) -> Option<u32> {
        self.active.strip_prefix("tty")?.parse().ok()
    }
}
