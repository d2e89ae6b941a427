//! Everything of a person goes: their sources, wherever their rows are; what of
//! them is in quarantine, in work folders, and in files that no record knows. Then
//! what is left is read, and their rows counted.

mod proof;
mod receipt;
mod rest;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::change::{Change, change, partition};
use crate::place::blocking;
use crate::{Erased, Held, HostRecord, LakeError, LakeFile, Noted, Place, Sealing, look, recover};
pub use receipt::{ErasedSource, Proof, Receipt};
pub(crate) use rest::QUARANTINE;

/// Erases these people from the lake, which must be held; what is of them is
/// never pulled again. A receipt for each.
///
/// Files that are theirs alone go without being opened. A merged file that holds
/// rows of others too is written anew without theirs, for which a key has to open
/// it; where none does, it stays, and the receipt says so. Tombstones stay: they
/// hold pseudonyms and spans, and without them a copy of what was forgotten could
/// come back.
///
/// It may be interrupted at any moment and done again: the receipt says all of it.
///
/// # Errors
/// [`LakeError::Subject`]; [`LakeError::Io`], [`LakeError::Store`],
/// [`LakeError::Lost`], [`LakeError::Record`]: do it again. What cannot be erased
/// or read is in the receipts.
pub async fn erase(
    (place, held): (&Place, &Held),
    subjects: &BTreeSet<String>,
    sealing: &Sealing,
) -> Result<Vec<Receipt>, LakeError> {
    subjects.iter().try_for_each(|subject| check(subject))?;
    recover(place, held).await?;
    let mut receipts: BTreeMap<String, Receipt> = BTreeMap::new();
    for subject in subjects {
        let mut receipt = Receipt::of(place, subject).await?;
        receipt.left.clear();
        receipt.work.clear();
        receipts.insert(subject.clone(), receipt);
    }
    // From here on nothing of them comes, or is merged.
    let mut erased = Erased::read(place).await?;
    let now = Timestamp::now().to_string();
    for subject in subjects {
        erased.subjects.entry(subject.clone()).or_insert_with(|| now.clone());
    }
    erased.write(place).await?;
    let mut unknown: Vec<Noted> = Vec::new();
    for host in HostRecord::hosts(place).await? {
        held.check()?;
        let Some(mut record) = HostRecord::read(place, &host).await? else { continue };
        unknown.append(&mut resolve(place, &mut record, sealing).await?);
        let gone = plan(&record, &mut receipts);
        for receipt in receipts.values() {
            receipt.write(place).await?;
        }
        for gone in gone.into_values() {
            take_out((place, held), &mut record, gone, sealing, &mut receipts).await?;
        }
    }
    for receipt in receipts.values_mut() {
        rest::erase(place, receipt, &sealing.keyring).await?;
        receipt.write(place).await?;
        receipt.note_versions(place).await?;
        receipt.proof = proof::prove(place, receipt, &unknown, &sealing.keyring).await?;
        let Proof { rows, sources, not_opened, .. } = &receipt.proof;
        receipt.proven =
            *rows == 0 && *sources == 0 && not_opened.is_empty() && receipt.left.is_empty();
        receipt.ended_at = Timestamp::now().to_string();
        receipt.write(place).await?;
    }
    Ok(receipts.into_values().collect())
}

/// A pseudonym names a file of ours, so it is one word.
fn check(subject: &str) -> Result<(), LakeError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if subject.is_empty() || subject.len() > 128 || !subject.bytes().all(fits) {
        return Err(LakeError::Subject { text: subject.chars().take(200).collect() });
    }
    Ok(())
}

/// Fills in whose the sources are of which the manifest did not say it, and
/// returns the files that do not open for that.
async fn resolve(
    place: &Place,
    record: &mut HostRecord,
    sealing: &Sealing,
) -> Result<Vec<Noted>, LakeError> {
    let is_unknown = |file: &LakeFile| file.sources.iter().any(|s| s.sealed.subject.is_empty());
    let paths: Vec<String> = record
        .files
        .iter()
        .filter(|(_, file)| is_unknown(file))
        .map(|(path, _)| path.clone())
        .collect();
    let mut closed = Vec::new();
    for path in &paths {
        let Some(file) = record.files.get_mut(path) else { continue };
        let fetched = match place.fetch(path).await {
            Ok(fetched) => fetched,
            Err(error) => {
                closed.push(Noted { path: path.clone(), why: error.chain() });
                continue;
            }
        };
        let rows: Vec<u64> = file.sources.iter().map(|source| source.sealed.rows).collect();
        let (keyring, at) = (sealing.keyring.clone(), path.clone());
        let read = blocking(move || Ok(look::of_sources(&fetched.root, &at, &keyring, &rows)));
        match read.await? {
            Ok(subjects) => {
                for (source, subject) in file.sources.iter_mut().zip(subjects) {
                    if let (true, Some(subject)) = (source.sealed.subject.is_empty(), subject) {
                        source.sealed.subject = subject;
                    }
                }
            }
            Err(error) => {
                let why = LakeError::file(place, path, error).chain();
                closed.push(Noted { path: path.clone(), why });
            }
        }
    }
    // A segment is one person's: devices are theirs whose its other files are.
    let known: BTreeMap<String, String> = record
        .files
        .values()
        .flat_map(|file| &file.sources)
        .filter(|source| !source.sealed.subject.is_empty())
        .map(|source| (source.sealed.segment.clone(), source.sealed.subject.clone()))
        .collect();
    for (path, file) in &mut record.files {
        for source in file.sources.iter_mut().filter(|source| source.sealed.subject.is_empty()) {
            match known.get(&source.sealed.segment) {
                Some(subject) => source.sealed.subject.clone_from(subject),
                None if closed.iter().any(|noted| noted.path == *path) => {}
                None => closed.push(Noted {
                    path: path.clone(),
                    why: format!("nothing says whose {} is", source.sealed.path),
                }),
            }
        }
    }
    if !paths.is_empty() {
        record.write(place).await?;
    }
    Ok(closed)
}

/// What goes of a host, by partition of the lake; noted in the receipts.
fn plan(
    record: &HostRecord,
    receipts: &mut BTreeMap<String, Receipt>,
) -> BTreeMap<String, Vec<(String, BTreeSet<String>)>> {
    let mut gone: BTreeMap<String, Vec<(String, BTreeSet<String>)>> = BTreeMap::new();
    for (path, file) in &record.files {
        let mut of_file = BTreeSet::new();
        for source in &file.sources {
            let of = &source.sealed;
            let Some(receipt) = receipts.get_mut(&of.subject) else { continue };
            of_file.insert(of.path.clone());
            let erased = ErasedSource {
                path: of.path.clone(),
                sha256: of.sha256.clone(),
                table: of.table,
                host: record.host.clone(),
                rows: of.rows,
                was_in: (path.clone(), file.sha256.clone()),
            };
            receipt.erased.insert(of.path.clone(), erased);
        }
        if !of_file.is_empty() {
            let at = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            gone.entry(at.to_owned()).or_default().push((path.clone(), of_file));
        }
    }
    gone
}

/// Takes that out of one partition: all at once, or, where a file does not open,
/// file by file.
async fn take_out(
    (place, held): (&Place, &Held),
    record: &mut HostRecord,
    gone: Vec<(String, BTreeSet<String>)>,
    sealing: &Sealing,
    receipts: &mut BTreeMap<String, Receipt>,
) -> Result<(), LakeError> {
    let all: BTreeSet<String> = gone.iter().flat_map(|(_, sources)| sources.clone()).collect();
    let single = gone.len() == 1;
    match try_out((place, held), record, &gone, all, sealing, receipts).await? {
        None => return Ok(()),
        Some(_) if !single => {}
        Some(why) => {
            note_left(record, &gone, &why, receipts);
            return Ok(());
        }
    }
    for file in gone {
        let file = [file];
        let sources = file.iter().flat_map(|(_, sources)| sources.clone()).collect();
        let tried = try_out((place, held), record, &file, sources, sealing, receipts).await?;
        if let Some(why) = tried {
            note_left(record, &file, &why, receipts);
        }
    }
    Ok(())
}

/// Why it could not be done, if so.
async fn try_out(
    (place, held): (&Place, &Held),
    record: &mut HostRecord,
    of: &[(String, BTreeSet<String>)],
    gone: BTreeSet<String>,
    sealing: &Sealing,
    receipts: &mut BTreeMap<String, Receipt>,
) -> Result<Option<String>, LakeError> {
    for (path, _) in of {
        partition(place, path)?;
    }
    let subjects: BTreeSet<String> = gone
        .iter()
        .filter_map(|path| receipts.values().find(|receipt| receipt.erased.contains_key(path)))
        .map(|receipt| receipt.subject.clone())
        .collect();
    let what = Change { gone, ..Change::default() };
    match change((place, held), record, what, sealing).await {
        Ok(changed) => {
            for receipt in receipts.values_mut().filter(|r| subjects.contains(&r.subject)) {
                receipt.rewritten.extend(changed.rewritten.iter().cloned());
            }
            Ok(None)
        }
        Err(error @ (LakeError::File { .. } | LakeError::Recipients { .. })) => {
            Ok(Some(error.chain()))
        }
        Err(error) => Err(error),
    }
}

fn note_left(
    record: &HostRecord,
    of: &[(String, BTreeSet<String>)],
    why: &str,
    receipts: &mut BTreeMap<String, Receipt>,
) {
    for (path, sources) in of {
        let is_there = record.files.contains_key(path);
        for receipt in receipts.values_mut().filter(|_| is_there) {
            let before = receipt.erased.len();
            receipt.erased.retain(|source, _| !sources.contains(source));
            if receipt.erased.len() < before {
                receipt.left.push(Noted { path: path.clone(), why: why.to_owned() });
            }
        }
    }
}
