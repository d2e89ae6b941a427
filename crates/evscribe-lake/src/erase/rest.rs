//! What of a person is not among the lake's files: in quarantine, in work folders,
//! and in files that no record knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use evscribe_sink::crypt::Keyring;
use serde::Deserialize;

use super::Receipt;
use crate::error::At;
use crate::place::blocking;
use crate::swap::remove_all;
use crate::{DataPath, HostRecord, LakeError, Noted, Place, lock, look};

/// Where files are that did not pass, each with a `….why.json` beside it.
pub(crate) const QUARANTINE: &str = "_evscribe/quarantine";
const WHY: &str = ".why.json";
const WHY_MAX_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Why {
    manifest: Manifest,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    subject: String,
}

/// The hosts that had rows of that person.
pub(super) fn hosts(receipt: &Receipt) -> BTreeSet<String> {
    let erased = receipt.erased.values().map(|source| source.host.clone());
    // What is left says its host in its path.
    let left = receipt
        .left
        .iter()
        .filter_map(|noted| DataPath::parse(&noted.path).map(|path| path.host().to_owned()));
    erased.chain(left).collect()
}

pub(super) async fn erase(
    place: &Place,
    receipt: &mut Receipt,
    keyring: &Keyring,
) -> Result<(), LakeError> {
    let hosts = hosts(receipt);
    quarantine(place, receipt, &hosts).await?;
    work(place, receipt, &hosts).await?;
    strays(place, receipt, &hosts, keyring).await
}

/// Of files in quarantine the line of the manifest says whose they are; of the
/// person's hosts also those go of which it does not.
async fn quarantine(
    place: &Place,
    receipt: &mut Receipt,
    hosts: &BTreeSet<String>,
) -> Result<(), LakeError> {
    let listed = place.list(QUARANTINE).await?;
    for listed in &listed {
        let file = listed.path.strip_suffix(WHY).unwrap_or(&listed.path);
        let why = place.read(&format!("{file}{WHY}"), WHY_MAX_BYTES).await?;
        let why = why.and_then(|why| serde_json::from_slice::<Why>(&why).ok());
        let goes = match why {
            Some(why) if !why.manifest.subject.is_empty() => {
                why.manifest.subject == receipt.subject
            }
            _ => hosts.is_empty() || hosts.iter().any(|host| is_of(file, host)),
        };
        if !goes {
            continue;
        }
        receipt.others.push(file.to_owned());
        // What says whose it is goes last: an interrupted erasure still finds it.
        place.remove(file).await?;
        place.remove(&format!("{file}{WHY}")).await?;
    }
    receipt.others.sort();
    receipt.others.dedup();
    Ok(())
}

fn is_of(path: &str, host: &str) -> bool {
    path.split('/').any(|part| part.strip_prefix("host=") == Some(host))
}

/// What arrived of files that were not in the lake yet is fetched again, but for
/// that person's.
async fn work(
    place: &Place,
    receipt: &mut Receipt,
    hosts: &BTreeSet<String>,
) -> Result<(), LakeError> {
    let works = [place.work()].into_iter().chain(place.worked_elsewhere().iter().map(Path::new));
    for work in works {
        let (at, hosts) = (work.to_owned(), hosts.clone());
        let is_own = work == place.work();
        let cleared = blocking(move || {
            let mut gone = Vec::new();
            let done = clear(&at, is_own, &hosts, &mut gone);
            Ok((gone, done))
        });
        let (gone, done) = cleared.await?;
        receipt.others.extend(gone);
        let shown = work.display().to_string();
        match done {
            Ok(true) => drop(receipt.work.insert(shown)),
            Ok(false) => {}
            Err(error) => receipt.left.push(noted(&shown, &error)),
        }
    }
    Ok(())
}

/// False where there is no such folder.
fn clear(
    work: &Path,
    is_own: bool,
    hosts: &BTreeSet<String>,
    gone: &mut Vec<String>,
) -> Result<bool, LakeError> {
    if entries(work)?.is_none() {
        return Ok(false);
    }
    let _held = if is_own { None } else { Some(lock::folder_of_work(work)?) };
    for folder in ["merge", "fetched"].map(|name| work.join(name)) {
        remove_all(&folder)?;
    }
    for (pull, _) in entries(&work.join("pull"))?.unwrap_or_default() {
        remove_all(&pull.join("placing"))?;
        let files = pull.join("files");
        let is_theirs =
            |file: &String| hosts.is_empty() || hosts.iter().any(|host| is_of(file, host));
        for file in below(&files, 4)?.into_iter().filter(is_theirs) {
            let path = files.join(file);
            fs::remove_file(&path).at("remove", &path)?;
            gone.push(path.display().to_string());
        }
    }
    Ok(true)
}

/// What is in a folder, and whether it is a folder; `None` where there is none.
fn entries(folder: &Path) -> Result<Option<Vec<(PathBuf, bool)>>, LakeError> {
    let list = || fs::read_dir(folder)?.map(|entry| entry.and_then(kind)).collect();
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        listed => listed.map(Some).at("list", folder),
    }
}

fn kind(entry: fs::DirEntry) -> io::Result<(PathBuf, bool)> {
    Ok((entry.path(), entry.file_type()?.is_dir()))
}

/// Files up to so many folders below `root`, relative to it.
fn below(root: &Path, depth: u8) -> Result<Vec<String>, LakeError> {
    let mut files = Vec::new();
    for (path, is_folder) in entries(root)?.unwrap_or_default() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_folder {
            files.push(name);
        } else if depth > 0 {
            let inside = below(&path, depth - 1)?.into_iter();
            files.extend(inside.map(|path| format!("{name}/{path}")));
        }
    }
    Ok(files)
}

/// Files under the tables that no record knows: of that person's hosts they are
/// left over from an interrupted pull, which brings what is needed again. Others
/// are read, if they can be.
async fn strays(
    place: &Place,
    receipt: &mut Receipt,
    hosts: &BTreeSet<String>,
    keyring: &Keyring,
) -> Result<(), LakeError> {
    let of = BTreeSet::from([receipt.subject.clone()]);
    for path in unknown(place).await? {
        let parsed = DataPath::parse(&path);
        let is_left_over = parsed.is_some_and(|parsed| hosts.contains(parsed.host()));
        let goes = is_left_over || {
            let fetched = place.fetch(&path).await?;
            let (at, keyring, of) = (path.clone(), keyring.clone(), of.clone());
            let read = blocking(move || Ok(look::count(&fetched.root, &at, &keyring, &of)));
            matches!(read.await?, Ok(rows) if rows > 0)
        };
        if goes {
            place.remove(&path).await?;
            receipt.others.push(path);
        }
    }
    Ok(())
}

/// Files under the tables that no record knows.
pub(super) async fn unknown(place: &Place) -> Result<Vec<String>, LakeError> {
    let mut known: BTreeMap<String, ()> = BTreeMap::new();
    for host in HostRecord::hosts(place).await? {
        let record = HostRecord::read(place, &host).await?;
        let paths = record.into_iter().flat_map(|record| record.files.into_keys());
        known.extend(paths.map(|path| (path, ())));
    }
    let mut unknown = Vec::new();
    for table in evscribe_sink::Table::ALL {
        let listed = place.list(table.name()).await?;
        let new = listed.into_iter().filter(|listed| !known.contains_key(&listed.path));
        unknown.extend(new.map(|listed| listed.path));
    }
    Ok(unknown)
}

/// A note, of what could not be read.
pub(super) fn noted(path: &str, error: &LakeError) -> Noted {
    Noted { path: path.into(), why: error.chain() }
}
