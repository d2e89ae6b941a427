//! Whom a file of the lake that is written anew is for.
//!
//! Nobody gains or loses what they could read without being named: files are
//! merged with those that are for the same keys, and the result is for these. The
//! workstation's own key, the last in a file that it sealed, is left out: a
//! workstation never reads a lake.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use evscribe_sink::crypt::{AtRest, Keyring, PublicKey, recipient_ids};

use crate::{LakeError, LakeFile, Place};

/// Public keys that files of this lake were written for: a line each.
const RECIPIENTS: &str = "_evscribe/recipients";
const RECIPIENTS_MAX_BYTES: usize = 1 << 20;

/// How much of a file's end is read for its recipients, at first and at most.
const TAIL_BYTES: u64 = 256 << 10;
const TAIL_MAX_BYTES: u64 = 64 << 20;

/// How files that are written anew are sealed.
#[derive(Clone, Debug, Default)]
pub enum Wanted {
    /// For whom they were.
    #[default]
    Same,
    /// As anybody can read them.
    Plain,
    /// For these and nobody else.
    For(Vec<PublicKey>),
}

/// The keys at hand, secret and public.
#[derive(Clone, Debug)]
pub struct Sealing {
    pub(crate) keyring: Keyring,
    known: BTreeMap<String, PublicKey>,
    wanted: Wanted,
}

/// Whom files are for that may be merged: none for plain ones, else ids of keys.
pub(crate) type Readers = Option<BTreeSet<String>>;

impl Sealing {
    /// With these secret keys, sealing as is `wanted`. Public keys are known of
    /// the secret ones and of all that files of this lake were merged for.
    ///
    /// # Errors
    /// Those of [`Place::read`].
    pub async fn new(place: &Place, keyring: Keyring, wanted: Wanted) -> Result<Self, LakeError> {
        let mut sealing = Self { known: BTreeMap::new(), keyring, wanted };
        let text = place.read(RECIPIENTS, RECIPIENTS_MAX_BYTES).await?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().filter_map(|line| line.parse().ok()).for_each(|key| sealing.know(key));
        sealing.keyring.publics().into_iter().for_each(|key| sealing.know(key));
        if let Wanted::For(keys) = &sealing.wanted {
            keys.clone().into_iter().for_each(|key| sealing.know(key));
        }
        Ok(sealing)
    }

    fn know(&mut self, key: PublicKey) {
        self.known.entry(key.id()).or_insert(key);
    }

    /// Who reads that file, and which key is left out of it.
    ///
    /// # Errors
    /// [`LakeError::File`] where it does not say it, is not there, or cannot be
    /// read; [`LakeError::Store`].
    pub(crate) async fn readers(
        &self,
        place: &Place,
        path: &str,
        file: &LakeFile,
    ) -> Result<(Readers, Option<String>), LakeError> {
        match &self.wanted {
            Wanted::Plain => return Ok((None, None)),
            Wanted::For(keys) => {
                return Ok((Some(keys.iter().map(PublicKey::id).collect()), None));
            }
            Wanted::Same => {}
        }
        let mut length = TAIL_BYTES;
        let ids = loop {
            let tail = place.tail(path, length).await;
            let tail = tail.map_err(|error| error.of_reading(place, path))?;
            let is_whole = (tail.len() as u64) < length || length >= TAIL_MAX_BYTES;
            let said = recipient_ids(&mut Cursor::new(tail));
            match said {
                Ok(Ok(ids)) => break ids,
                Ok(Err(_)) | Err(_) if !is_whole => length *= 16,
                Ok(Err(source)) => return Err(LakeError::file(place, path, source)),
                Err(_) => return Err(LakeError::bad(place, path, "it is no whole file")),
            }
        };
        let Some(mut ids) = ids else { return Ok((None, None)) };
        let is_sealed = file.is_as_sealed(path);
        let own = if is_sealed && ids.len() > 1 { ids.pop() } else { None };
        Ok((Some(ids.into_iter().collect()), own))
    }

    /// How a file for these is sealed.
    ///
    /// # Errors
    /// [`LakeError::Recipients`] names the keys of which only the id is known.
    pub(crate) fn at_rest(&self, readers: &Readers, path: &str) -> Result<AtRest, LakeError> {
        let Some(ids) = readers else { return Ok(AtRest::Plain) };
        let missing: Vec<_> = ids.iter().filter(|id| !self.known.contains_key(*id)).collect();
        if !missing.is_empty() {
            let missing = missing.into_iter().cloned().collect::<Vec<_>>().join(", ");
            return Err(LakeError::Recipients { path: path.into(), missing });
        }
        let recipients = ids.iter().filter_map(|id| self.known.get(id).cloned()).collect();
        Ok(AtRest::Encrypted { recipients })
    }

    /// Keeps the public keys of `at_rest` for those who write its file anew.
    ///
    /// # Errors
    /// Those of [`Place::write`].
    pub(crate) async fn keep(&self, place: &Place, at_rest: &AtRest) -> Result<(), LakeError> {
        let AtRest::Encrypted { recipients } = at_rest else { return Ok(()) };
        let text = place.read(RECIPIENTS, RECIPIENTS_MAX_BYTES).await?.unwrap_or_default();
        let mut text = String::from_utf8_lossy(&text).into_owned();
        let is_new = |key: &&PublicKey| {
            !text
                .lines()
                .filter_map(|line| line.parse().ok())
                .any(|known: PublicKey| known == **key)
        };
        let new: Vec<String> =
            recipients.iter().filter(is_new).map(|key| format!("{key}\n")).collect();
        if new.is_empty() {
            return Ok(());
        }
        text.extend(new);
        place.write(RECIPIENTS, text.into_bytes()).await
    }
}
