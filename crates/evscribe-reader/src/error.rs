//! Why a device cannot be read.

use std::path::{Path, PathBuf};

use nix::libc::{ENODEV, ENOENT, ENXIO};
use thiserror::Error;

/// Why a device cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It was unplugged or its descriptor was revoked: close it.
    #[error("device {} is gone", path.display())]
    Gone {
        /// Which node.
        path: PathBuf,
    },
    /// The kernel refused; what was read before is valid.
    #[error("device {} cannot be read", path.display())]
    Io {
        /// Which node.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl ReadError {
    /// What the kernel's answer means for the device at `path`.
    pub(crate) fn of(path: &Path, source: std::io::Error) -> Self {
        match source.raw_os_error() {
            Some(ENODEV | ENXIO | ENOENT) => Self::Gone { path: path.into() },
            _ => Self::Io { path: path.into(), source },
        }
    }
}
