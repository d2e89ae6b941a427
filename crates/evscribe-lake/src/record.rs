//! What the lake knows of its files: a record for each host, and who was erased.

use std::collections::BTreeMap;
use std::io;

use evscribe_sink::{SealedFile, Tombstone};
use serde::{Deserialize, Serialize};

use crate::{LakeError, Place};

/// Where the records are, in the lake.
const HOSTS: &str = "_evscribe/hosts";
const ERASED: &str = "_evscribe/erased.json";

/// The version of the records; a newer one is not read.
const VERSION: u32 = 1;

/// Largest record read or written, bytes: a host with half a million files has less.
const RECORD_MAX_BYTES: usize = 512 << 20;

/// How long a record may become by what its host offers, bytes.
const OFFER_MAX_BYTES: u64 = 256 << 20;

/// More than a line of what is offered takes in a record, bytes.
const LINE_MAX_BYTES: u64 = 16 << 10;

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

    /// Whether the record stays one that every program reads with these files and
    /// tombstones in it: what a host says may not keep others from being erased.
    pub(crate) fn has_room_for(&self, files: &[SealedFile], tombstones: &[Tombstone]) -> bool {
        self.has_room(files, tombstones, OFFER_MAX_BYTES)
    }

    fn has_room(&self, files: &[SealedFile], tombstones: &[Tombstone], max_bytes: u64) -> bool {
        let held: usize = self.files.values().map(|file| file.sources.len()).sum();
        let lines = held + self.tombstones.len() + files.len() + tombstones.len();
        if (lines as u64).saturating_mul(LINE_MAX_BYTES) <= max_bytes {
            return true;
        }
        // The path once more, and what the lake says of the file.
        let of_file = |file: &SealedFile| json_bytes(file) + file.path.len() as u64 + 300;
        let new = files.iter().map(of_file).chain(tombstones.iter().map(json_bytes));
        new.fold(json_bytes(self), u64::saturating_add) <= max_bytes
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
    place.write(path, encode(place, path, value, RECORD_MAX_BYTES)?).await
}

/// What nobody could read is not written.
fn encode(
    place: &Place,
    path: &str,
    value: &impl Serialize,
    max_bytes: usize,
) -> Result<Vec<u8>, LakeError> {
    let bad = |why: String| LakeError::Record { path: place.shown(path), why };
    let bytes = serde_json::to_vec(value).map_err(|error| bad(error.to_string()))?;
    if bytes.len() > max_bytes {
        return Err(bad(format!(
            "it would be longer than {max_bytes} bytes, so it was left as it was"
        )));
    }
    Ok(bytes)
}

/// How long it is as JSON.
fn json_bytes(value: &impl Serialize) -> u64 {
    struct Counted(u64);
    impl io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    // What cannot be written has no length that would do.
    serde_json::to_writer(&mut counted, value).map_or(u64::MAX, |()| counted.0)
}

#[cfg(test)]
mod tests {
    use evscribe_sink::Table;

    use super::*;

    fn sealed(number: usize) -> SealedFile {
        SealedFile {
            path: format!("events/date=2026-11-23/host=ab01/{number}.parquet"),
            sha256: "0".repeat(64),
            bytes: 1,
            rows: 1,
            table: Table::Events,
            host: "ab01".into(),
            boot: "b".repeat(128),
            subject: "\"".repeat(128),
            segment: "c".repeat(128),
            first_us: 1,
            last_us: 2,
            sealed_at: "d".repeat(128),
        }
    }

    fn tombstone(number: i64) -> Tombstone {
        Tombstone {
            file: "events/date=2026-11-23/host=ab01/0.parquet".into(),
            subject: "s".into(),
            host: "ab01".into(),
            from_us: number,
            until_us: 1,
            at: "t".into(),
            sha256: None,
        }
    }

    #[test]
    fn what_a_host_says_makes_no_record_that_is_too_long_to_be_read() {
        let max_bytes = 1 << 20;
        let mut record = HostRecord::new("ab01", "desk");
        let files: Vec<SealedFile> = (0..2_000).map(sealed).collect();
        let mut all = 0;
        for part in files.chunks(100) {
            if !record.has_room(part, &[], max_bytes) {
                break;
            }
            all += part.len();
            for file in part {
                let sources = vec![Source { sealed: file.clone() }];
                let (sha256, bytes) = (file.sha256.clone(), file.bytes);
                let file_of_lake = LakeFile { sha256, bytes, rows: 1, encrypted: true, sources };
                record.files.insert(file.path.clone(), file_of_lake);
            }
            assert!(json_bytes(&record) <= max_bytes);
        }
        assert!((500..1_500).contains(&all), "{all}");
        // Nor do tombstones, however many runs bring them.
        let mut record = HostRecord::new("ab01", "desk");
        let mut at = 0;
        loop {
            let more: Vec<Tombstone> = (at..at + 500).map(tombstone).collect();
            if !record.has_room(&[], &more, max_bytes) {
                break;
            }
            record.tombstones.extend(more);
            at += 500;
            assert!(json_bytes(&record) <= max_bytes && at < 100_000);
        }
        assert!(at > 2_000, "{at}");
        assert!(record.has_room(&files[..1], &[], max_bytes), "there is room for what is short");
    }

    #[tokio::test]
    async fn what_nobody_could_read_is_not_written() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::open(root.path().to_str().unwrap(), None).unwrap();
        let record = HostRecord::new("ab01", "desk");
        let long = usize::try_from(json_bytes(&record)).unwrap();
        assert!(encode(&place, "a", &record, long).is_ok());
        let error = encode(&place, "a", &record, long - 1).unwrap_err();
        assert!(matches!(error, LakeError::Record { .. }), "{error:?}");
    }
}
