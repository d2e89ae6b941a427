//! The workstation's own secret and what is derived from it.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    SinkError,
    crypt::{SecretKey, read_secret},
    error::At,
};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

const PSEUDONYM_INFO: &[u8] = b"evscribe pseudonym v1";
const JOURNAL_INFO: &[u8] = b"evscribe journal v1";
pub(crate) const FILE_INFO: &[u8] = b"evscribe file key v1";

/// The workstation's key: the master, from which pseudonyms, the journals' keys
/// and the first secret of files are derived, and the secrets of files that
/// came later. Wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct Keys {
    master: Zeroizing<[u8; KEY_BYTES]>,
    /// Secrets of files, oldest first; the last is that of new ones.
    rotated: Vec<SecretKey>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self { master: Zeroizing::new(bytes), rotated: Vec::new() }
    }

    /// Reads a key file: [`KEY_BYTES`] raw bytes, and as many more for each
    /// rotation, readable by its owner only, or a systemd credential.
    ///
    /// # Errors
    /// [`SinkError::Io`] where it cannot be read, [`SinkError::Key`] where it
    /// is not such a file.
    pub fn from_file(path: &Path) -> Result<Self, SinkError> {
        let why = "it must hold exactly 32 bytes, and 32 more for each rotation";
        Self::parse(&read_secret(path)?).ok_or_else(|| SinkError::Key { path: path.into(), why })
    }

    /// As [`Keys::from_file`], of what the file holds; `None` where that is no key.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
        let (master, rotated) = keys.split_first().filter(|_| rest.is_empty())?;
        let rotated = rotated.iter().map(|key| SecretKey::from_bytes(Zeroizing::new(*key)));
        Some(Self { master: Zeroizing::new(*master), rotated: rotated.collect() })
    }

    /// The secret key of files that are sealed now.
    #[must_use]
    pub fn own(&self) -> SecretKey {
        self.rotated.last().cloned().unwrap_or_else(|| self.first())
    }

    /// Every secret key that files of this workstation were ever sealed for.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretKey> {
        std::iter::once(self.first()).chain(self.rotated.iter().cloned()).collect()
    }

    fn first(&self) -> SecretKey {
        SecretKey::from_bytes(self.derive(&[], FILE_INFO))
    }

    /// Makes a new key and writes it to a new file, mode 0600, durably.
    ///
    /// # Errors
    /// [`SinkError::Io`] where it cannot be written, also where it exists:
    /// a key is never overwritten.
    pub fn create(path: &Path) -> Result<Self, SinkError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random(bytes.as_mut_slice())?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .at("create", path)?;
        let written = file.write_all(bytes.as_slice()).and_then(|()| file.sync_all());
        if written.is_err() {
            // A key file that is not whole would stand in the way of the next try.
            drop(std::fs::remove_file(path));
        }
        written.at("write", path)?;
        crate::disk::sync_parent(path)?;
        Ok(Self { master: bytes, rotated: Vec::new() })
    }

    /// A stable name for `bytes` that tells nothing about them without the
    /// key: 16 hex digits. `what` keeps apart what is named: `host`, `subject`.
    ///
    /// The first digit is always a letter, so that no reader takes the name
    /// for a number. For one person per period, let `bytes` hold both.
    #[must_use]
    pub fn pseudonym(&self, what: &str, bytes: &[u8]) -> String {
        let [first, rest @ ..] = self.mac::<8>(what, bytes);
        let letter = 0xa + (first >> 4) % 6;
        format!("{:02x}{}", letter << 4 | (first & 0xf), hex(&rest))
    }

    /// The HMAC-SHA256 of `bytes`, 64 hex digits; `what` keeps apart what is hashed.
    #[must_use]
    pub fn keyed_sha256(&self, what: &str, bytes: &[u8]) -> String {
        hex(&self.mac::<32>(what, bytes))
    }

    fn mac<const N: usize>(&self, what: &str, bytes: &[u8]) -> [u8; N] {
        let key = self.derive(&[], PSEUDONYM_INFO);
        let mut digest = [0; N];
        // HMAC takes a key of any length: this always succeeds.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_slice()) {
            mac.update(what.as_bytes());
            mac.update(&[0]);
            mac.update(bytes);
            for (to, from) in digest.iter_mut().zip(mac.finalize().into_bytes()) {
                *to = from;
            }
        }
        digest
    }

    /// The key of the journal with that salt.
    pub(crate) fn journal(&self, salt: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        self.derive(salt, JOURNAL_INFO)
    }

    fn derive(&self, salt: &[u8], info: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut okm = Zeroizing::new([0; KEY_BYTES]);
        let expanded = Hkdf::<Sha256>::new(Some(salt), self.master.as_slice())
            .expand(info, okm.as_mut_slice());
        // HKDF-SHA256 gives up to 8,160 bytes: 32 never fail.
        debug_assert!(expanded.is_ok());
        okm
    }
}

/// Whether systemd put the file there: it guards these itself.
pub(crate) fn is_credential(path: &Path) -> bool {
    path.starts_with("/run/credentials")
        || std::env::var_os("CREDENTIALS_DIRECTORY")
            .is_some_and(|directory| path.starts_with(directory))
}

/// Fills `bytes` from the kernel's random numbers.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), SinkError> {
    getrandom::fill(bytes)
        .map_err(|error| std::io::Error::other(error.to_string()))
        .at("get random numbers from", Path::new("getrandom(2)"))
}

/// The SHA-256 of a file, in hex.
pub fn sha256_file(path: &Path) -> Result<(String, u64), SinkError> {
    use sha2::Digest;
    let mut file = File::open(path).at("open", path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok((hex(&hash.finalize()), bytes)),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).at("read", path),
        };
        hash.update(buffer.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
