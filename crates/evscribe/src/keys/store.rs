//! The workstation's key: the master from which pseudonyms and journal keys
//! come, and one more secret for each rotation. Kept as a file, or sealed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use evscribe_sink::Keys;
use serde::Serialize;
use zeroize::Zeroizing;

use super::place::{self, Place};
use super::seal::{self, SealedBy};

/// Bytes of the master and of each secret behind it.
const SECRET_BYTES: usize = 32;

/// Who may read it: its owner, root.
const MODE: u32 = 0o400;

/// How the key is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kept", content = "sealed_by")]
pub(crate) enum Kept {
    /// As bytes in a file that only root reads.
    Plain,
    /// Sealed for this machine.
    Sealed(SealedBy),
}

/// The key as it was found.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) kept: Kept,
    bytes: Zeroizing<Vec<u8>>,
}

impl Found {
    /// How many secrets it has: one, and one for each rotation.
    pub(crate) fn secrets(&self) -> usize {
        self.bytes.len() / SECRET_BYTES
    }

    /// # Errors
    /// Where these are not the bytes of a key.
    pub(crate) fn keys(&self) -> Result<Keys> {
        Keys::parse(&self.bytes)
            .with_context(|| format!("{} is no workstation key", self.path.display()))
    }
}

/// The key that the service loads; `None` where none was made.
///
/// # Errors
/// Where it is there and cannot be used.
pub(crate) fn find(place: &Place) -> Result<Option<Found>> {
    let (key, credential) = (place.key(), place.credential());
    // While one takes the other's place both are there, and the unit says which counts.
    let is_sealed = place.drop_in().exists() || !key.exists();
    if is_sealed && credential.exists() { sealed(&credential).map(Some) } else { plain(&key) }
}

fn plain(path: &Path) -> Result<Option<Found>> {
    if !path.exists() {
        return Ok(None);
    }
    // Its reader looks at mode and length.
    Keys::from_file(path)?;
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Some(Found { path: path.into(), kept: Kept::Plain, bytes: Zeroizing::new(bytes) }))
}

fn sealed(path: &Path) -> Result<Found> {
    let text =
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let bytes = seal::open(&text).with_context(|| {
        format!(
            "{} cannot be opened here. If this machine's TPM or host key is another now, move it \
             away, put a copy of the key at /etc/evscribe/evscribe.key, mode 0400, and run \
             `evscribe keys init --keep-as sealed`",
            path.display()
        )
    })?;
    Ok(Found { path: path.into(), kept: Kept::Sealed(SealedBy::of(&text)), bytes })
}

/// What became of the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Became {
    /// There was none: one was made.
    Made,
    /// It was kept otherwise before.
    Moved,
    /// It was there and stays as it is.
    Stays,
}

/// Makes a key where there is none, and keeps it as asked; not asked, sealed
/// where this machine can, and one that is there stays as it is.
///
/// # Errors
/// Where it cannot be kept so; a key that was there is still there.
pub(crate) fn init(place: &Place, asked: Option<KeepAs>) -> Result<(Found, Became)> {
    let can_seal = seal::is_possible();
    let found = find(place)?;
    let (bytes, before) = match &found {
        Some(found) => (found.bytes.clone(), Some(found.kept)),
        None => (random()?, None),
    };
    let seals = match (asked, before) {
        (Some(KeepAs::Plain), _) | (None, Some(Kept::Plain)) => false,
        (Some(KeepAs::Sealed), _) | (None, Some(Kept::Sealed(_))) => true,
        // What another machine is to open is not sealed for this one.
        (None, None) => can_seal && place.runs(),
    };
    if seals && !matches!(before, Some(Kept::Sealed(_))) && !can_seal {
        bail!(
            "this machine has neither a TPM nor a host key to seal with, so nothing was changed; \
             `systemd-creds setup` makes a host key"
        );
    }
    if seals == matches!(before, Some(Kept::Sealed(_))) && before.is_some() {
        settle(place, seals, &bytes)?;
        return found.context("the key went away").map(|found| (found, Became::Stays));
    }
    keep(place, seals, &bytes)?;
    settle(place, seals, &bytes)?;
    let found = find(place)?.context("the key went away while it was made")?;
    ensure!(found.bytes == bytes, "{} does not hold what was written", found.path.display());
    Ok((found, if before.is_some() { Became::Moved } else { Became::Made }))
}

/// How an administrator wants the key kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum KeepAs {
    /// Sealed for this machine by its TPM or by systemd's host key.
    Sealed,
    /// As a file that only root reads.
    Plain,
}

/// Appends a fresh secret: new files are sealed with it, older ones still open.
///
/// # Errors
/// Where there is no key or the new one cannot be written; the one before stays.
pub(crate) fn rotate(place: &Place) -> Result<Found> {
    let Some(found) = find(place)? else {
        bail!("there is no key to rotate: `evscribe keys init` makes one");
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(found.bytes.len() + SECRET_BYTES));
    bytes.extend_from_slice(&found.bytes);
    bytes.extend_from_slice(&random()?);
    let seals = matches!(found.kept, Kept::Sealed(_));
    // Only of the same key what is left can be told from another's.
    settle(place, seals, &found.bytes)?;
    keep(place, seals, &bytes)?;
    find(place)?.context("the key went away while it was rotated")
}

/// Writes the key, whole or not at all.
fn keep(place: &Place, seals: bool, bytes: &[u8]) -> Result<()> {
    if seals {
        place::replace(&place.credential(), seal::seal(bytes)?.as_bytes(), MODE)
    } else {
        place::replace(&place.key(), bytes, MODE)
    }
}

/// Has the unit load the key that is kept so.
fn load(place: &Place, seals: bool) -> Result<()> {
    let (drop_in, text) = (place.drop_in(), Place::drop_in_text());
    match (seals, fs::read_to_string(&drop_in)) {
        (true, Ok(there)) if there == text => return Ok(()),
        (true, _) => place::replace(&drop_in, text.as_bytes(), 0o644)?,
        (false, Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        (false, _) => place::remove(&drop_in)?,
    }
    place.reload_units();
    Ok(())
}

/// Has the unit load the key, and takes away what an earlier way to keep it
/// left, also where a kill came in between. Another key is not taken away.
fn settle(place: &Place, seals: bool, bytes: &[u8]) -> Result<()> {
    load(place, seals)?;
    let (key, credential) = (place.key(), place.credential());
    let other = if seals {
        plain(&key)
    } else {
        credential.exists().then(|| sealed(&credential)).transpose()
    };
    let path = if seals { &key } else { &credential };
    match other {
        Ok(None) => return Ok(()),
        Ok(Some(other)) if other.bytes.as_slice() == bytes => {}
        Ok(Some(_)) => bail!(
            "{} holds another key than the one that the service loads; put it elsewhere, for what \
             it opens nothing else does",
            path.display()
        ),
        Err(error) => {
            return Err(error).with_context(|| {
                format!("{} is of no use and in the way: put it elsewhere", path.display())
            });
        }
    }
    if seals {
        overwrite(&key);
    }
    place::remove(path)
}

/// What is removed stays on the disk until something else is written there. A
/// disk that writes elsewhere keeps it all the same, so a failure changes little.
fn overwrite(path: &Path) {
    let Ok(length) = fs::metadata(path).map(|about| about.len()) else { return };
    if let Ok(mut file) = OpenOptions::new().write(true).open(path) {
        let nothing = vec![0; usize::try_from(length).unwrap_or(SECRET_BYTES)];
        let _ = file.write_all(&nothing).and_then(|()| file.sync_all());
    }
}

fn random() -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES]);
    getrandom::fill(&mut bytes).context("the kernel gives no random numbers")?;
    Ok(bytes)
}
