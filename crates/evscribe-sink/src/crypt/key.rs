//! X25519 keys and their text forms.

use std::{
    fmt,
    fs::{File, OpenOptions},
    hash::{Hash, Hasher},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    str::FromStr,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hpke::{Deserializable, Kem as _, Serializable};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::wrap::{self, Kem};
use crate::{
    SinkError,
    error::At,
    keys::{KEY_BYTES, hex, is_credential, random},
};

/// Before the secret key in its file.
pub(super) const SECRET: &str = "EVSCRIBE-SECRET-KEY-1 ";
/// Before a public key.
pub(super) const PUBLIC: &str = "evscribe-recipient-1:";
/// A secret key file is a line; nothing needs a larger one.
const FILE_BYTES: u64 = 64 * 1024;

/// The secret key of a recipient: wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, …)", self.public().id())
    }
}

impl SecretKey {
    /// A new one.
    ///
    /// # Errors
    /// [`SinkError::Io`] where the kernel has no random numbers.
    pub fn generate() -> Result<Self, SinkError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// Reads a secret key file: the line of [`SecretKey::to_text`], readable by
    /// its owner only, or a systemd credential.
    ///
    /// # Errors
    /// [`SinkError::Io`] where it cannot be read, [`SinkError::Key`] where it
    /// is not such a file.
    pub fn from_file(path: &Path) -> Result<Self, SinkError> {
        Self::parse(path, &read_secret(path)?)
    }

    /// As [`SecretKey::from_file`], of what the file holds.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SinkError> {
        let why = "it must hold one line, `EVSCRIBE-SECRET-KEY-1` and the key";
        let line = str::from_utf8(bytes).ok().and_then(|text| text.trim_end().strip_prefix(SECRET));
        let key = line.and_then(|line| decode(line.trim()));
        Ok(Self(key.ok_or_else(|| SinkError::Key { path: path.into(), why })?))
    }

    /// What its file holds: one line.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()));
        Zeroizing::new(format!("{SECRET}{}\n", key.as_str()))
    }

    /// Its public key, without a name.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; KEY_BYTES];
        // 32 bytes are always a secret key: X25519 clamps them.
        if let Ok(secret) = self.kem() {
            Kem::sk_to_pk(&secret).write_exact(&mut bytes);
        }
        PublicKey { bytes, name: None }
    }

    pub(super) fn kem(&self) -> Result<<Kem as hpke::Kem>::PrivateKey, hpke::HpkeError> {
        <Kem as hpke::Kem>::PrivateKey::from_bytes(self.0.as_slice())
    }
}

/// Whom files are encrypted for, with a name for people where it has one. Equal
/// to another where the key is, whatever the names.
#[derive(Clone, Debug)]
pub struct PublicKey {
    bytes: [u8; KEY_BYTES],
    name: Option<String>,
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl PublicKey {
    /// Its short name, from the key itself: 16 hex digits.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = hex(&Sha256::digest(self.bytes));
        id.truncate(16);
        id
    }

    /// The name behind it, for people.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The same key under another name.
    ///
    /// # Errors
    /// [`SinkError::PublicKey`] where it is no name: it must be of one line.
    pub fn named(&self, name: &str) -> Result<Self, SinkError> {
        let key = Self { bytes: self.bytes, name: None };
        format!("{key} {name}").parse()
    }

    pub(super) fn kem(&self) -> Result<<Kem as hpke::Kem>::PublicKey, hpke::HpkeError> {
        <Kem as hpke::Kem>::PublicKey::from_bytes(&self.bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", URL_SAFE_NO_PAD.encode(self.bytes))?;
        match &self.name {
            Some(name) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}

impl FromStr for PublicKey {
    type Err = SinkError;

    fn from_str(text: &str) -> Result<Self, SinkError> {
        let text = text.trim();
        let error = |why| {
            // Whoever took the wrong file is not shown its secret again.
            let text = if text.starts_with(SECRET.trim_end()) { "a secret key" } else { text };
            SinkError::PublicKey { text: text.chars().take(80).collect(), why }
        };
        let (key, name) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let key = key.strip_prefix(PUBLIC).ok_or_else(|| {
            error("it begins with `evscribe-recipient-1:`; `evscribe keys` makes and shows them")
        })?;
        let bytes = decode(key).ok_or_else(|| error("the key is 43 letters of base64url"))?;
        let name = name.trim();
        if name.chars().any(char::is_control) {
            return Err(error("its name may hold no control characters"));
        }
        let name = (!name.is_empty()).then(|| name.to_owned());
        let key = Self { bytes: *bytes, name };
        // A point of low order is none anybody has a secret key for.
        wrap::wrap(&[0; KEY_BYTES], &key)
            .map_err(|_| error("nobody can hold the secret key of it"))?;
        Ok(key)
    }
}

fn decode(text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    Some(Zeroizing::new(decoded.as_slice().try_into().ok()?))
}

/// Reads a file that only its owner may read, or a systemd credential.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    let key_error = |why| SinkError::Key { path: path.into(), why };
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).at("open", path)?;
    let metadata = file.metadata().at("read", path)?;
    if !metadata.is_file() {
        return Err(key_error("it is not a regular file"));
    }
    if metadata.mode() & 0o077 != 0 && !is_credential(path) {
        return Err(key_error("others may read it: chmod 600"));
    }
    if metadata.len() > FILE_BYTES {
        return Err(key_error("it is far too large for a key"));
    }
    read(file, metadata.len()).at("read", path)
}

fn read(file: File, length: u64) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // Reserved in full: a vector that grows leaves copies behind.
    let room = usize::try_from(length.min(FILE_BYTES)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
