//! What the lake knows of its files: a record for each host, and who was erased.

use std::collections::BTreeMap;

use evscribe_sink::{SealedFile, Tombstone};
use serde::{Deserialize, Serialize};

use crate::{LakeError, Place};

/// Where the records are, in the lake.
const HOSTS: &str = "_evscribe/hosts";
const ERASED: &str = "_evscribe/erased.json";

/// The version of the records; a newer one is not read.
const VERSION: u32 = 1;

/// Largest record read, bytes: a host with half a million files has less.
const RECORD_MAX_BYTES: usize = 512 << 20;

/// A file as the workstation sealed it, whose rows the lake has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Source {
    /// As the workstation's manifest said; checked when it was pulled.
    #[serde(flatten)]
    pub sealed: SealedFile,
}

/// A file of the lake.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LakeFile {
    /// SHA-256 of its bytes as they lie in the lake, hex: another one than its
    /// source's where it was decrypted or merged.
    pub sha256: String,
    /// Its length in the lake.
    pub bytes: u64,
    /// How many rows it holds: those of its sources, in their order.
    pub rows: u64,
    /// Whether it is encrypted in the lake.
    pub encrypted: bool,
    /// What it was made of, at least one. They follow each other in time, so that
    /// the rows of each are together, in this order.
    pub sources: Vec<Source>,
}

impl LakeFile {
    /// Whether it is, at `path`, the file that the workstation sealed, or that one
    /// decrypted; not one that was merged.
    #[must_use]
    pub fn is_as_sealed(&self, path: &str) -> bool {
        matches!(&*self.sources, [source] if source.sealed.path == path)
    }
}

/// What the lake holds of one host: `_evscribe/hosts/<host>.json`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HostRecord {
    version: u32,
    /// Pseudonym of the host.
    pub host: String,
    /// What it is called in the list of hosts that it was last pulled by.
    pub name: String,
    /// Checksum of the manifest that was last pulled whole, hex.
    pub manifest_sha256: Option<String>,
    /// Whether the host was told that all of that manifest arrived.
    pub acknowledged: bool,
    /// The files of the lake, by their path in it.
    pub files: BTreeMap<String, LakeFile>,
    /// All tombstones that were applied, oldest first.
    pub tombstones: Vec<Tombstone>,
}

impl HostRecord {
    /// The record of a host that the lake has nothing of.
    #[must_use]
    pub fn new(host: &str, name: &str) -> Self {
        Self { version: VERSION, host: host.into(), name: name.into(), ..Self::default() }
    }

    /// Reads the record of that host; `None` where the lake has nothing of it.
    ///
    /// # Errors
    /// [`LakeError::Record`] where it is damaged or newer; those of [`Place::read`].
    pub async fn read(place: &Place, host: &str) -> Result<Option<Self>, LakeError> {
        read_json(place, &format!("{HOSTS}/{host}.json"), |record: &Self| record.version).await
    }

    /// Replaces the record, whole and durably.
    ///
    /// # Errors
    /// Those of [`Place::write`].
    pub async fn write(&self, place: &Place) -> Result<(), LakeError> {
        write_json(place, &format!("{HOSTS}/{}.json", self.host), self).await
    }

    /// Pseudonyms of all hosts of which the lake has a record, sorted.
    ///
    /// # Errors
    /// Those of [`Place::list`].
    pub async fn hosts(place: &Place) -> Result<Vec<String>, LakeError> {
        let files = place.list(HOSTS).await?;
        let name = |path: &str| Some(path.rsplit('/').next()?.strip_suffix(".json")?.to_owned());
        let mut hosts: Vec<String> = files.iter().filter_map(|file| name(&file.path)).collect();
        hosts.sort();
        Ok(hosts)
    }

    /// All sources, by their path on the workstation, each with the path of the
    /// file of the lake that has its rows.
    #[must_use]
    pub fn sources(&self) -> BTreeMap<&str, (&str, &Source)> {
        let of = |(path, file)| -> (&String, &LakeFile) { (path, file) };
        let files = self.files.iter().map(of);
        files
            .flat_map(|(path, file)| {
                file.sources
                    .iter()
                    .map(move |source| (source.sealed.path.as_str(), (path.as_str(), source)))
            })
            .collect()
    }
}

/// Who was erased: their pseudonyms, and when. What is of them is never pulled
/// again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Erased {
    version: u32,
    /// When, RFC 3339, by pseudonym.
    pub subjects: BTreeMap<String, String>,
}

impl Erased {
    /// Reads who was erased from that lake.
    ///
    /// # Errors
    /// As [`HostRecord::read`].
    pub async fn read(place: &Place) -> Result<Self, LakeError> {
        let read = read_json(place, ERASED, |erased: &Self| erased.version).await?;
        Ok(read.unwrap_or_else(|| Self { version: VERSION, ..Self::default() }))
    }

    /// Replaces the list, whole and durably.
    ///
    /// # Errors
    /// Those of [`Place::write`].
    pub async fn write(&self, place: &Place) -> Result<(), LakeError> {
        write_json(place, ERASED, self).await
    }
}

pub(crate) async fn read_json<T: for<'de> Deserialize<'de>>(
    place: &Place,
    path: &str,
    version: impl Fn(&T) -> u32,
) -> Result<Option<T>, LakeError> {
    let Some(bytes) = place.read(path, RECORD_MAX_BYTES).await? else { return Ok(None) };
    let unreadable = |why: String| LakeError::Record { path: place.shown(path), why };
    let value: T = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    match version(&value) {
        VERSION => Ok(Some(value)),
        newer => Err(unreadable(format!(
            "it has version {newer}, this evscribe-data knows {VERSION}: update it"
        ))),
    }
}

pub(crate) async fn write_json(
    place: &Place,
    path: &str,
    value: &impl Serialize,
) -> Result<(), LakeError> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| LakeError::Record { path: place.shown(path), why: error.to_string() })?;
    place.write(path, bytes).await
}
