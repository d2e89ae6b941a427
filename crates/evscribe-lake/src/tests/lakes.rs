//! Lakes to test with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use evscribe_model::{Level, MarkKind, Phase, Row};
use evscribe_sink::crypt::{AtRest, Keyring, SecretKey};
use evscribe_sink::inspect::TableFile;
use evscribe_sink::{Dataset, SealedFile, SegmentId, SegmentWriter, Table};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::support::{self, device, key, mark, motion, provenance, touch};
use crate::{Held, HostRecord, LakeError, LakeFile, Place, Sealing, Source, Wanted};

/// One segment of somebody on some host, from so many µs on: six rows of events in
/// 5 ms, and some of every other table.
#[derive(Clone, Debug)]
pub(crate) struct Sitting {
    pub(crate) host: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) from_us: u64,
    pub(crate) level: Level,
}

pub(crate) fn sitting(host: &'static str, subject: &'static str, from_us: u64) -> Sitting {
    Sitting { host, subject, from_us, level: Level::default() }
}

impl Sitting {
    fn rows(&self) -> Vec<Row> {
        let at = self.from_us;
        let number = i32::try_from(at / 1000).unwrap();
        let mut rows = vec![
            device(at, 1),
            mark(at, MarkKind::Start, "asked", None, None),
            key(at + 500, number, true),
            touch(at + 600, number, Phase::Down),
        ];
        rows.extend((1..5).map(|row| motion(at + 1000 * row, 2, 2)));
        rows.push(touch(at + 4500, number, Phase::Up));
        rows.push(key(at + 5000, number, false));
        rows.push(mark(at + 5000, MarkKind::Stop, "asked", None, None));
        rows
    }

    /// Seals it into the dataset at `root`.
    pub(crate) fn seal(&self, root: &Path, at_rest: AtRest) -> Vec<SealedFile> {
        let mut dataset = Dataset::create_or_open(root).unwrap();
        dataset.set_at_rest(at_rest);
        let id = SegmentId::of(format!("{self:?}").as_bytes());
        let mut provenance = provenance();
        provenance.host = self.host.into();
        provenance.subject = self.subject.into();
        provenance.level = self.level;
        provenance.ledger_head = Some(format!("{}", self.from_us));
        let mut segment = SegmentWriter::begin(&dataset, id, provenance).unwrap();
        segment.write_rows(&self.rows()).unwrap();
        segment.finish(&mut dataset).unwrap()
    }
}

/// The data team's key.
pub(crate) fn team() -> SecretKey {
    thread_local!(static TEAM: SecretKey = SecretKey::generate().unwrap());
    TEAM.with(Clone::clone)
}

pub(crate) fn ring(keys: &[SecretKey]) -> Keyring {
    let mut ring = Keyring::default();
    keys.iter().cloned().for_each(|key| ring.add(key));
    ring
}

/// For the data team and the workstation, as a workstation seals.
pub(crate) fn for_team() -> AtRest {
    AtRest::default().and(team().public()).and(support::keys().own().public())
}

/// Holds a lake that nobody else holds. A child that another test starts has for a
/// moment what this one had open: what was just let go of may be locked that long.
pub(crate) async fn hold(place: &Place) -> Held {
    let patience = Instant::now() + Duration::from_secs(1);
    loop {
        match place.hold().await {
            Err(LakeError::Busy { .. }) if Instant::now() < patience => {
                sleep(Duration::from_millis(10)).await;
            }
            held => return held.unwrap(),
        }
    }
}

/// A lake, and the dataset its files come from.
pub(crate) struct Lake {
    pub(crate) place: Place,
    pub(crate) dataset: TempDir,
    pub(crate) root: TempDir,
}

impl Lake {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let place = Place::open(root.path().to_str().unwrap(), None).unwrap();
        Self { place, dataset: tempfile::tempdir().unwrap(), root }
    }

    /// A folder with these sittings, for the team and the workstation.
    pub(crate) async fn of(sittings: &[Sitting]) -> Self {
        let lake = Self::new();
        for sitting in sittings {
            lake.pull(sitting, for_team()).await;
        }
        lake
    }

    /// Seals it on the workstation and brings it in, as pulling would.
    pub(crate) async fn pull(&self, sitting: &Sitting, at_rest: AtRest) -> Vec<SealedFile> {
        let is_encrypted = matches!(at_rest, AtRest::Encrypted { .. });
        let files = sitting.seal(self.dataset.path(), at_rest);
        self.bring(&files, is_encrypted).await;
        files
    }

    pub(crate) async fn bring(&self, files: &[SealedFile], encrypted: bool) {
        bring(&self.place, self.dataset.path(), files, encrypted).await;
    }

    pub(crate) async fn hold(&self) -> Held {
        hold(&self.place).await
    }

    pub(crate) async fn sealing(&self) -> Sealing {
        sealing(&self.place, &[team()]).await
    }

    pub(crate) async fn record(&self, host: &str) -> HostRecord {
        HostRecord::read(&self.place, host).await.unwrap().unwrap()
    }

    pub(crate) async fn rows(&self) -> Vec<String> {
        rows(&self.place, &ring(&[team()])).await
    }

    /// Paths of all data files.
    pub(crate) async fn files(&self) -> Vec<String> {
        files(&self.place).await
    }
}

pub(crate) async fn bring(place: &Place, from: &Path, files: &[SealedFile], encrypted: bool) {
    for sealed in files {
        let staged = place.work().join("staged");
        fs::copy(from.join(&sealed.path), &staged).unwrap();
        place.put(&staged, &sealed.path).await.unwrap();
        let read = HostRecord::read(place, &sealed.host).await.unwrap();
        let name = format!("{}.example", sealed.host);
        let mut record = read.unwrap_or_else(|| HostRecord::new(&sealed.host, &name));
        let file = LakeFile {
            sha256: sealed.sha256.clone(),
            bytes: sealed.bytes,
            rows: sealed.rows,
            encrypted,
            sources: vec![Source { sealed: sealed.clone() }],
        };
        record.files.insert(sealed.path.clone(), file);
        record.write(place).await.unwrap();
    }
}

pub(crate) async fn sealing(place: &Place, keys: &[SecretKey]) -> Sealing {
    Sealing::new(place, ring(keys), Wanted::Same).await.unwrap()
}

pub(crate) async fn files(place: &Place) -> Vec<String> {
    let mut paths = Vec::new();
    for table in Table::ALL {
        paths.extend(place.list(table.name()).await.unwrap().into_iter().map(|file| file.path));
    }
    paths
}

/// Every row of the lake as a reader sees it who lists it and opens what is there:
/// table, host, and its values; sorted.
pub(crate) async fn rows(place: &Place, keys: &Keyring) -> Vec<String> {
    let mut rows = Vec::new();
    for path in files(place).await {
        let fetched = place.fetch(&path).await.unwrap();
        rows.extend(rows_of(&fetched.root, &path, keys));
    }
    rows.sort();
    rows
}

pub(crate) fn rows_of(root: &Path, path: &str, keys: &Keyring) -> Vec<String> {
    let mut rows = Vec::new();
    let file = TableFile::open(root, path, keys).unwrap();
    let start = format!("{} {}", file.table().name(), file.metadata()["evscribe.host"]);
    let schema = file.table().schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    file.read(&names, |batch| {
        let options = FormatOptions::default();
        // Times as numbers: names of zones are not known here.
        let plain = batch.columns().iter().map(|column| match column.data_type() {
            DataType::Timestamp(..) => cast(column, &DataType::Int64).unwrap(),
            _ => Arc::clone(column),
        });
        let plain: Vec<_> = plain.collect();
        let columns: Vec<ArrayFormatter<'_>> =
            plain.iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> =
                columns.iter().map(|column| column.value(row).to_string()).collect();
            rows.push(format!("{start} {}", values.join(" ")));
        }
        Ok(())
    })
    .unwrap();
    rows
}

/// The sources of all records, each once: their paths.
pub(crate) async fn sources(place: &Place) -> Vec<String> {
    let mut paths = Vec::new();
    for host in HostRecord::hosts(place).await.unwrap() {
        let record = HostRecord::read(place, &host).await.unwrap().unwrap();
        let sources = record.files.values().flat_map(|file| &file.sources);
        paths.extend(sources.map(|source| source.sealed.path.clone()));
    }
    paths.sort();
    let unique: BTreeSet<&String> = paths.iter().collect();
    assert_eq!(unique.len(), paths.len(), "a source is there twice");
    paths
}
