//! Whether the lake holds what its records say, and nothing else.
//!
//! Not checked here: what only a whole dataset of one workstation shows, runs,
//! strokes and contacts over files; `evscribe data verify` does, where the files
//! come from.

mod file;
mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use evscribe_sink::crypt::Keyring;
use evscribe_sink::{Table, Tombstone};
use futures::{StreamExt, stream};
use serde::Serialize;

use crate::erase::QUARANTINE;
use crate::place::blocking;
use crate::{DataPath, Erased, Held, HostRecord, LakeError, Place, recover};
use file::{Found, Known};

/// Problems listed at most; more are counted.
const MAX_PROBLEMS: usize = 1000;

/// Files read at once.
const AT_ONCE: usize = 4;

/// Something that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// The host: its name in the list it was pulled by, and its pseudonym; of
    /// nothing that a record knows, empty.
    pub host: String,
    /// The file, relative to the lake.
    pub path: String,
    /// What does not hold.
    pub what: String,
}

/// What [`verify`] found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LakeReport {
    /// Hosts that there are records of.
    pub hosts: u64,
    /// Files of the records that are there.
    pub files: u64,
    /// Their sources.
    pub sources: u64,
    /// Rows by table, as the records say.
    pub rows: BTreeMap<Table, u64>,
    /// Files that were read to the last row.
    pub read: u64,
    /// Encrypted ones that were not, since no key was given.
    pub encrypted: u64,
    /// Files in quarantine: no problem of the lake, but something did not come.
    pub quarantined: u64,
    /// Whether only sizes were compared.
    pub quick: bool,
    /// What is worth knowing and no problem: two hosts of one name.
    pub notes: Vec<Problem>,
    /// What does not hold, at most 1000.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problem_count: u64,
}

impl LakeReport {
    /// Whether everything holds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    fn problem(&mut self, host: &str, path: &str, what: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            let problem = Problem { host: host.into(), path: path.into(), what: what.into() };
            self.problems.push(problem);
        }
    }
}

/// Checks the lake, which must be held, against its records: that each file is
/// there with its bytes and nothing else is; then file by file footer, metadata,
/// schema, rows, order, and whose they are; that tombstones and erasures are
/// obeyed. `quick` compares sizes instead of reading files.
///
/// An encrypted file is opened where there are keys, and a problem where none of
/// these does; without any, it is counted. Memory: the names of all files, the
/// largest record, and a batch of each file that is read at once.
///
/// # Errors
/// [`LakeError::Io`], [`LakeError::Store`], [`LakeError::Lost`] where nothing can
/// be checked; all else is in the report.
pub async fn verify(
    (place, held): (&Place, &Held),
    keyring: &Keyring,
    quick: bool,
) -> Result<LakeReport, LakeError> {
    recover(place, held).await?;
    let mut report = LakeReport { quick, ..LakeReport::default() };
    let erased = match Erased::read(place).await {
        Err(LakeError::Record { path, why }) => {
            report.problem("", &path, why);
            Erased::default()
        }
        read => read?,
    };
    let mut there: BTreeMap<String, u64> = BTreeMap::new();
    for table in Table::ALL {
        let listed = place.list(table.name()).await?;
        there.extend(listed.into_iter().map(|listed| (listed.path, listed.bytes)));
    }
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for host in HostRecord::hosts(place).await? {
        let record = match HostRecord::read(place, &host).await {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            Err(LakeError::Record { path, why }) => {
                report.problem(&host, &path, why);
                // What it knows of is no stray.
                there.retain(|path, _| DataPath::parse(path).is_none_or(|p| p.host() != host));
                continue;
            }
            Err(error) => return Err(error),
        };
        report.hosts += 1;
        let shown = format!("{} ({host})", record.name);
        if record.host != host {
            report.problem(&shown, &host, format!("its record is of host {}", record.host));
        }
        if let Some(other) = names.insert(record.name.clone(), host.clone()) {
            let what = format!("host {other} has the same name: two machines, or one set up anew");
            report.notes.push(Problem { host: shown.clone(), path: String::new(), what });
        }
        record::check(&record, &erased, |path, what| report.problem(&shown, path, what));
        let present = present(&record, &shown, &mut there, &mut report);
        if !quick {
            read(place, (&record, &shown), present, keyring, &mut report).await?;
        }
        held.check()?;
    }
    for path in there.keys() {
        let what = match DataPath::parse(path) {
            Some(_) => "is in no record: left by an interrupted pull, or put there by hand",
            None => "is no part of a lake",
        };
        report.problem("", path, what);
    }
    let quarantined = place.list(QUARANTINE).await?;
    let is_file = |listed: &&crate::Listed| !listed.path.ends_with(".why.json");
    report.quarantined = quarantined.iter().filter(is_file).count() as u64;
    Ok(report)
}

/// The files of the record that are there and as long as they should be; takes
/// them out of what is there.
fn present(
    record: &HostRecord,
    shown: &str,
    there: &mut BTreeMap<String, u64>,
    report: &mut LakeReport,
) -> BTreeSet<String> {
    let mut present = BTreeSet::new();
    for (path, file) in &record.files {
        match there.remove(path) {
            None => report.problem(shown, path, "is missing"),
            Some(bytes) if bytes != file.bytes => {
                let what = format!("has {bytes} bytes, the record says {}", file.bytes);
                report.problem(shown, path, what);
            }
            Some(_) => {
                report.files += 1;
                report.sources += file.sources.len() as u64;
                if let Some(path) = DataPath::parse(path) {
                    *report.rows.entry(path.table()).or_default() += file.rows;
                }
                present.insert(path.clone());
            }
        }
    }
    present
}

async fn read(
    place: &Place,
    (record, shown): (&HostRecord, &str),
    present: BTreeSet<String>,
    keyring: &Keyring,
    report: &mut LakeReport,
) -> Result<(), LakeError> {
    let mut tombstones: HashMap<&str, Vec<Tombstone>> = HashMap::new();
    for line in &record.tombstones {
        tombstones.entry(&line.file).or_default().push(line.clone());
    }
    let known = |path: &String| {
        let file = record.files.get(path)?.clone();
        let of = file.sources.iter().filter_map(|source| {
            let path = &source.sealed.path;
            Some((path.clone(), tombstones.get(path.as_str())?.clone()))
        });
        Some(Known { path: path.clone(), tombstones: of.collect(), file })
    };
    let known: Vec<Known> = present.iter().filter_map(known).collect();
    let reads = known.into_iter().map(|known| read_one(place.clone(), known, keyring.clone()));
    let mut reads = stream::iter(reads).buffer_unordered(AT_ONCE);
    while let Some((known, found)) = reads.next().await {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                report.problem(shown, &known.path, error.chain());
                continue;
            }
        };
        match found.rows {
            Some(_) => report.read += 1,
            None if found.problems.is_empty() => report.encrypted += 1,
            None => {}
        }
        for what in found.problems {
            report.problem(shown, &known.path, what);
        }
    }
    Ok(())
}

async fn read_one(
    place: Place,
    known: Known,
    keyring: Keyring,
) -> (Known, Result<Found, LakeError>) {
    let fetched = match place.fetch(&known.path).await {
        Ok(fetched) => fetched,
        Err(error) => return (known, Err(error)),
    };
    let own = known.clone();
    let found = blocking(move || Ok(file::check(&fetched.root, &own, &keyring))).await;
    (known, found)
}
