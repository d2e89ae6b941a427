//! How much there is of what.
//!
//! How kernel events are estimated from rows, on the low side, so that bytes
//! per kernel event are on the high side: one `SYN_REPORT` for each time and
//! device; one event for `dx` and `dy` each where not zero, for each direction
//! of a wheel, for a key, button or switch; one for `x` and `y` of a contact
//! each, and one for its pressure. Not counted: `MSC_SCAN`, tracking ids, slots,
//! the low-resolution twin of a wheel, auto-repeat, deduced rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use arrow::record_batch::RecordBatch;
use jiff::Timestamp;
use serde::Serialize;

use super::file::{Columns, Meta, Sealed, cell, flag};
use crate::{SinkError, Table, crypt::Keyring, dataset::Tree, manifest};

/// A device of the dataset.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct DeviceStats {
    /// Pseudonym of its host.
    pub host: String,
    /// Its number on that host.
    pub device: i16,
    /// Its name, where the level permitted it.
    pub name: Option<String>,
    /// Vendor number.
    pub vendor: i32,
    /// Product number.
    pub product: i32,
    /// What it can do: `keys`, `motion`, `wheel`, `switches`, and what its axes
    /// mean.
    pub can: Vec<String>,
    /// `physical`, `virtual`, `unknown`.
    pub origin: String,
}

/// Marks of one kind and reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct MarkStats {
    /// How many.
    pub marks: u64,
    /// How many rows they say are lost, where they say it.
    pub lost: u64,
}

/// What [`stats`] found.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Stats {
    /// Files.
    pub files: u64,
    /// And how many of them are encrypted.
    pub encrypted: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Rows by table.
    pub rows: BTreeMap<Table, u64>,
    /// Bytes by table.
    pub bytes_of: BTreeMap<Table, u64>,
    /// Rows of `events` by kind.
    pub events: BTreeMap<String, u64>,
    /// Rows of `touch` by phase.
    pub touch: BTreeMap<String, u64>,
    /// Marks by `mark reason`.
    pub marks: BTreeMap<String, MarkStats>,
    /// Devices, by host and number.
    pub devices: BTreeSet<DeviceStats>,
    /// Hosts.
    pub hosts: BTreeSet<String>,
    /// How many boots.
    pub boots: u64,
    /// How many subjects.
    pub subjects: u64,
    /// How many sessions.
    pub sessions: u64,
    /// Files by level.
    pub levels: BTreeMap<String, u64>,
    /// Time of the first row, RFC 3339.
    pub first: Option<String>,
    /// Time of the last row, RFC 3339.
    pub last: Option<String>,
    /// Bytes of all files by rows of `events` and `touch`.
    pub bytes_per_row: Option<f64>,
    /// Kernel events behind the rows, on the low side.
    pub kernel_events: u64,
    /// Bytes of all files by `kernel_events`.
    pub bytes_per_kernel_event: Option<f64>,
}

#[derive(Default)]
struct Seen {
    boots: BTreeSet<(String, String)>,
    subjects: BTreeSet<String>,
    sessions: BTreeSet<(String, String)>,
    span: Option<(i64, i64)>,
    frame: Option<(i64, i16)>,
}

/// Counts the dataset at `directory`.
///
/// # Errors
/// [`SinkError::NoDataset`], and whatever keeps a file from being read; the
/// error names it.
pub fn stats(directory: &Path, keys: &Keyring) -> Result<Stats, SinkError> {
    manifest::read(directory)?;
    let (mut stats, mut seen) = (Stats::default(), Seen::default());
    for path in Tree::of(directory)?.files {
        let file = Sealed::open(directory, &path, keys)?;
        let (meta, table) = (file.meta.clone(), file.meta.table);
        stats.files += 1;
        stats.encrypted += u64::from(file.is_encrypted());
        stats.bytes += file.bytes;
        *stats.rows.entry(table).or_default() += file.rows;
        *stats.bytes_of.entry(table).or_default() += file.bytes;
        *stats.levels.entry(meta.level).or_default() += 1;
        stats.hosts.insert(meta.host.clone());
        seen.boots.insert((meta.host, meta.boot));
        seen.frame = None;
        file.read(columns(table), |meta, batch| match table {
            Table::Events => stats.events(&mut seen, batch),
            Table::Touch => stats.touch(&mut seen, batch),
            Table::Marks => stats.marks(&mut seen, batch),
            Table::Devices => stats.devices(&mut seen, meta, batch),
        })?;
    }
    stats.boots = seen.boots.len() as u64;
    stats.subjects = seen.subjects.len() as u64;
    stats.sessions = seen.sessions.len() as u64;
    let time = |at_us| Timestamp::from_microsecond(at_us).ok().map(|at| format!("{at:.6}"));
    stats.first = seen.span.and_then(|(first_us, _)| time(first_us));
    stats.last = seen.span.and_then(|(_, last_us)| time(last_us));
    let rows = |table| stats.rows.get(&table).copied().unwrap_or(0);
    let per = |count: u64| (count > 0).then(|| stats.bytes as f64 / count as f64);
    stats.bytes_per_row = per(rows(Table::Events) + rows(Table::Touch));
    stats.bytes_per_kernel_event = per(stats.kernel_events);
    Ok(stats)
}

const fn columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => &[
            "time",
            "subject",
            "session",
            "device",
            "kind",
            "dx",
            "dy",
            "wheel_v_120",
            "wheel_h_120",
            "inferred",
        ],
        Table::Touch => {
            &["time", "subject", "session", "device", "phase", "x", "y", "pressure", "inferred"]
        }
        Table::Marks => &["time", "mark", "reason", "lost"],
        Table::Devices => &[
            "device",
            "name",
            "vendor",
            "product",
            "has_keys",
            "has_motion",
            "has_wheel",
            "has_switches",
            "pointing",
            "origin",
        ],
    }
}

impl Seen {
    fn times(&mut self, columns: &Columns<'_>) -> Result<(), SinkError> {
        for at_us in columns.times("time")?.values() {
            let (first_us, last_us) = self.span.unwrap_or((*at_us, *at_us));
            self.span = Some((first_us.min(*at_us), last_us.max(*at_us)));
        }
        Ok(())
    }

    /// Subject and session are the same in a whole file: the first row says them.
    fn people(&mut self, columns: &Columns<'_>) -> Result<(), SinkError> {
        let (subjects, sessions) = (columns.words("subject")?, columns.words("session")?);
        if let (Some(subject), Some(session)) = (subjects.get(0), sessions.get(0)) {
            self.subjects.insert(subject.to_owned());
            self.sessions.insert((subject.to_owned(), session.to_owned()));
        }
        Ok(())
    }

    /// 1 where a frame begins: its `SYN_REPORT`.
    fn syn(&mut self, at_us: Option<i64>, device: Option<i16>) -> u64 {
        let frame = at_us.zip(device);
        let is_new = frame != self.frame;
        self.frame = frame;
        u64::from(is_new)
    }
}

impl Stats {
    fn events(&mut self, seen: &mut Seen, batch: &RecordBatch) -> Result<(), SinkError> {
        let columns = Columns(batch);
        seen.times(&columns)?;
        seen.people(&columns)?;
        let (times, devices, kinds) =
            (columns.times("time")?, columns.int16("device")?, columns.words("kind")?);
        let values = [
            columns.int32("dx")?,
            columns.int32("dy")?,
            columns.int32("wheel_v_120")?,
            columns.int32("wheel_h_120")?,
        ];
        let inferred = columns.flags("inferred")?;
        for row in 0..batch.num_rows() {
            let kind = kinds.get(row).unwrap_or_default();
            count(&mut self.events, kind);
            if flag(inferred, row) == Some(true) {
                continue;
            }
            let moved = values
                .iter()
                .filter(|values| cell(values, row).is_some_and(|value| value != 0))
                .count() as u64;
            let own = if matches!(kind, "motion" | "scroll") { moved } else { 1 };
            self.kernel_events += own + seen.syn(cell(times, row), cell(devices, row));
        }
        Ok(())
    }

    fn touch(&mut self, seen: &mut Seen, batch: &RecordBatch) -> Result<(), SinkError> {
        let columns = Columns(batch);
        seen.times(&columns)?;
        seen.people(&columns)?;
        let (times, devices, phases) =
            (columns.times("time")?, columns.int16("device")?, columns.words("phase")?);
        let values = [columns.int32("x")?, columns.int32("y")?, columns.int32("pressure")?];
        let inferred = columns.flags("inferred")?;
        for row in 0..batch.num_rows() {
            let phase = phases.get(row).unwrap_or_default();
            count(&mut self.touch, phase);
            if flag(inferred, row) == Some(true) {
                continue;
            }
            let stated = values.iter().filter(|values| cell(values, row).is_some()).count() as u64;
            let own = if matches!(phase, "up" | "leave") { 1 } else { stated };
            self.kernel_events += own + seen.syn(cell(times, row), cell(devices, row));
        }
        Ok(())
    }

    fn marks(&mut self, seen: &mut Seen, batch: &RecordBatch) -> Result<(), SinkError> {
        let columns = Columns(batch);
        seen.times(&columns)?;
        let (marks, reasons, lost) =
            (columns.words("mark")?, columns.words("reason")?, columns.int64("lost")?);
        for row in 0..batch.num_rows() {
            let name = format!(
                "{} {}",
                marks.get(row).unwrap_or_default(),
                reasons.get(row).unwrap_or_default()
            );
            let entry = self.marks.entry(name.trim_end().to_owned()).or_default();
            entry.marks += 1;
            entry.lost += cell(lost, row).and_then(|lost| u64::try_from(lost).ok()).unwrap_or(0);
        }
        Ok(())
    }

    fn devices(
        &mut self,
        _seen: &mut Seen,
        meta: &Meta,
        batch: &RecordBatch,
    ) -> Result<(), SinkError> {
        let columns = Columns(batch);
        let (numbers, names, origins) =
            (columns.int16("device")?, columns.texts("name")?, columns.words("origin")?);
        let (vendors, products, pointing) =
            (columns.int32("vendor")?, columns.int32("product")?, columns.words("pointing")?);
        let flags = [
            ("keys", columns.flags("has_keys")?),
            ("motion", columns.flags("has_motion")?),
            ("wheel", columns.flags("has_wheel")?),
            ("switches", columns.flags("has_switches")?),
        ];
        for row in 0..batch.num_rows() {
            let can = flags
                .iter()
                .filter(|(_, flags)| flag(flags, row) == Some(true))
                .map(|(name, _)| *name);
            self.devices.insert(DeviceStats {
                host: meta.host.clone(),
                device: cell(numbers, row).unwrap_or_default(),
                name: arrow::array::Array::is_valid(names, row)
                    .then(|| names.value(row).to_owned()),
                vendor: cell(vendors, row).unwrap_or_default(),
                product: cell(products, row).unwrap_or_default(),
                can: can.chain(pointing.get(row)).map(str::to_owned).collect(),
                origin: origins.get(row).unwrap_or_default().to_owned(),
            });
        }
        Ok(())
    }
}

fn count(counts: &mut BTreeMap<String, u64>, word: &str) {
    if let Some(count) = counts.get_mut(word) {
        *count += 1;
    } else {
        counts.insert(word.to_owned(), 1);
    }
}
