//! That nothing of a person is left: their rows are counted in everything that
//! could hold some.

use std::collections::BTreeSet;

use evscribe_sink::crypt::Keyring;
use futures::{StreamExt, TryStreamExt, stream};

use super::rest::{hosts, noted, unknown};
use super::{Proof, Receipt};
use crate::place::blocking;
use crate::{DataPath, HostRecord, LakeError, Noted, Place, look};

/// Files read at once.
const AT_ONCE: usize = 4;

/// A pseudonym is made with a workstation's key: other hosts than those that had
/// rows of that person cannot have any. Where none had, all of them are read.
pub(super) async fn prove(
    place: &Place,
    receipt: &Receipt,
    closed: &[Noted],
    keyring: &Keyring,
) -> Result<Proof, LakeError> {
    let mut proof = Proof::default();
    let of = BTreeSet::from([receipt.subject.clone()]);
    let mut hosts = hosts(receipt);
    for noted in closed {
        // Of these nobody knows whose they are.
        hosts.extend(DataPath::parse(&noted.path).map(|path| path.host().to_owned()));
    }
    let all = HostRecord::hosts(place).await?;
    if hosts.is_empty() {
        hosts.extend(all.iter().cloned());
    }
    let mut paths = unknown(place).await?;
    for host in &all {
        let Some(record) = HostRecord::read(place, host).await? else { continue };
        let sources = record.files.values().flat_map(|file| &file.sources);
        let is_theirs = |source: &&crate::Source| source.sealed.subject == receipt.subject;
        proof.sources += sources.filter(is_theirs).count() as u64;
        if hosts.contains(host) {
            paths.extend(record.files.into_keys());
        }
    }
    let read = stream::iter(paths.into_iter().map(|path| {
        let (keyring, of) = (keyring.clone(), of.clone());
        read(place, path, keyring, of)
    }));
    let mut read = read.buffer_unordered(AT_ONCE);
    while let Some((path, counted)) = read.try_next().await? {
        match counted {
            Ok(Some(rows)) => {
                proof.files += 1;
                proof.rows += rows;
            }
            Ok(None) => proof.by_manifest += 1,
            Err(error) => proof.not_opened.push(noted(&path, &error)),
        }
    }
    let of_devices = closed.iter().filter(|noted| noted.path.starts_with("devices/"));
    proof.not_opened.extend(of_devices.cloned());
    proof.not_opened.sort_by(|a, b| a.path.cmp(&b.path));
    proof.not_opened.dedup();
    proof.hosts = hosts.into_iter().collect();
    Ok(proof)
}

type Counted = Result<Option<u64>, LakeError>;

async fn read(
    place: &Place,
    path: String,
    keyring: Keyring,
    of: BTreeSet<String>,
) -> Result<(String, Counted), LakeError> {
    let is_devices = DataPath::parse(&path).is_some_and(|path| !look::says_whose(path.table()));
    if is_devices {
        return Ok((path, Ok(None)));
    }
    let fetched = match place.fetch(&path).await {
        Ok(fetched) => fetched,
        Err(error) => return Ok((path, Err(error))),
    };
    let at = path.clone();
    let counted = blocking(move || Ok(look::count(&fetched.root, &at, &keyring, &of))).await?;
    let counted = counted.map(Some).map_err(|error| LakeError::file(place, &path, error));
    Ok((path, counted))
}
