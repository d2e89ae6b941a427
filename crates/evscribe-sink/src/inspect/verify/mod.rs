//! Whether a dataset holds what it promises.

mod boot;
mod contacts;
mod files;
mod strokes;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use serde::Serialize;

use crate::{
    SinkError, Table,
    crypt::Keyring,
    dataset::Tree,
    manifest,
    tombstones::{self, TOMBSTONES},
};

use boot::Boot;
use files::Checked;

/// Problems listed at most; more are counted.
const MAX_PROBLEMS: usize = 1000;

/// Something that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// The file, relative to the dataset; or host and boot.
    pub path: String,
    /// What does not hold.
    pub what: String,
}

/// What [`verify`] found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct VerifyReport {
    /// Files that were read.
    pub files: u64,
    /// Rows by table.
    pub rows: BTreeMap<Table, u64>,
    /// Hosts and boots.
    pub boots: u64,
    /// Pairs of press and release.
    pub strokes: u64,
    /// Contacts from begin to end.
    pub contacts: u64,
    /// Runs.
    pub runs: u64,
    /// Hidden files: a writer is at work, or was interrupted; no problem.
    pub unfinished: Vec<String>,
    /// What does not hold, at most 1000.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problem_count: u64,
}

impl VerifyReport {
    /// Whether everything holds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    fn problem(&mut self, path: &str, what: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { path: path.to_owned(), what: what.into() });
        }
    }
}

/// Checks the dataset at `directory`: that files and manifest agree byte for
/// byte, then file by file footer, metadata, schema, order and place, and that
/// nothing is left in it of what its tombstones say was forgotten; then over all
/// files of a host and boot runs, strokes, contacts and marks. An encrypted file
/// that `keys` do not open is a problem.
///
/// Memory grows with the strokes that are not released, the contacts of one
/// boot and the runs of a host, and by one bit per stroke.
///
/// # Errors
/// [`SinkError::NoDataset`], [`SinkError::NewerSchema`] and [`SinkError::Io`]
/// where nothing can be checked; all else is in the report.
pub fn verify(directory: &Path, keys: &Keyring) -> Result<VerifyReport, SinkError> {
    let contents = manifest::read(directory)?;
    let tree = Tree::of(directory)?;
    let mut report = VerifyReport { unfinished: tree.hidden.clone(), ..VerifyReport::default() };
    if contents.torn_bytes > 0 {
        report.problem(
            manifest::MANIFEST,
            format!("its last line is torn: {} bytes", contents.torn_bytes),
        );
    }
    for line in &contents.unreadable {
        report.problem(manifest::MANIFEST, format!("line {line} is no line of a manifest"));
    }
    let tombstones = tombstones::read(directory)?;
    for line in &tombstones.unreadable {
        report.problem(TOMBSTONES, format!("line {line} is no tombstone"));
    }
    for path in &tree.foreign {
        report.problem(path, "is no part of a dataset");
    }
    for path in contents.live.keys().filter(|path| tree.files.binary_search(path).is_err()) {
        report.problem(path, "is in the manifest but missing");
    }
    let mut boots: BTreeMap<(String, String), Vec<Checked>> = BTreeMap::new();
    for path in &tree.files {
        let known = contents.live.get(path);
        if known.is_none() {
            report.problem(
                path,
                "is not in the manifest: left by an interrupted import or put there by hand",
            );
        }
        let forgotten = tombstones.of.get(path).map_or(&[][..], Vec::as_slice);
        match files::check((directory, keys), path, (known, forgotten), &mut report) {
            Ok(Some(checked)) => {
                report.files += 1;
                *report.rows.entry(checked.meta.table).or_default() += checked.rows;
                let boot = (checked.meta.host.clone(), checked.meta.boot.clone());
                boots.entry(boot).or_default().push(checked);
            }
            Ok(None) => {}
            Err(error) => report.problem(path, crate::recover::chain(&error)),
        }
    }
    report.boots = boots.len() as u64;
    let thinned = contents.thinned();
    let mut runs_of_hosts: HashMap<String, HashMap<i32, (i16, String)>> = HashMap::new();
    for ((host, boot), mut files) in boots {
        // Marks first: they say what the rows may lack.
        let place = |table| {
            [Table::Marks, Table::Devices, Table::Events, Table::Touch]
                .iter()
                .position(|t| *t == table)
        };
        files.sort_by_key(|file| (place(file.meta.table), file.first_us));
        let is_thinned = contents.is_part || thinned.contains(&(host.clone(), boot.clone()));
        let mut state = Boot::new(format!("host={host} boot={boot}"), is_thinned);
        for file in &files {
            if let Err(error) = state.read((directory, keys), &file.path, &mut report) {
                report.problem(&file.path, crate::recover::chain(&error));
            }
        }
        let runs = runs_of_hosts.entry(host).or_default();
        for (run, (device, other)) in state.finish(&mut report) {
            let known = runs.entry(run).or_insert((device, boot.clone()));
            if known.1 != boot {
                report.problem(&other, format!("run {run} is also one of boot {}", known.1));
            }
        }
        let count = runs.len() as u64;
        report.runs = report.runs.max(count);
    }
    report.runs = runs_of_hosts.values().map(|runs| runs.len() as u64).sum();
    Ok(report)
}
