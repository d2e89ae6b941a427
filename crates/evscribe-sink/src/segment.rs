//! Writes the files of one segment: all of them appear, or none.

use std::{
    fs,
    path::{Path, PathBuf},
};

use arrow::{array::TimestampMicrosecondArray, record_batch::RecordBatch};
use evscribe_model::Row;
use jiff::{Timestamp, tz::TimeZone};
use parquet::arrow::ArrowWriter;

use crate::{
    Dataset, Provenance, SegmentId, SinkError, Table,
    disk::{self, HIDDEN, HiddenFile, WholeFile},
    encode::{self, BATCH_ROWS, Encoder},
    error::{At, InFile},
    layout,
    manifest::{self, Line, SealedFile},
};

const DAY_US: i64 = 86_400_000_000;

/// Writes the rows of one segment to Parquet, a file per table and UTC date.
///
/// Until [`SegmentWriter::finish`] the files have hidden names and are not
/// durable; a dropped writer removes them. Memory: one row group (64 k rows)
/// per table at most, some MiB.
#[derive(Debug)]
pub struct SegmentWriter {
    directory: PathBuf,
    id: SegmentId,
    provenance: Provenance,
    encoder: Encoder,
    pushed_us: [Option<i64>; 4],
    last_us: [Option<i64>; 4],
    open: [Option<OpenFile>; 4],
    whole: Vec<Whole>,
}

#[derive(Debug)]
struct OpenFile {
    writer: ArrowWriter<HiddenFile>,
    hidden: PathBuf,
    day: i64,
    rows: u64,
    first_us: i64,
    last_us: i64,
}

#[derive(Debug)]
struct Whole {
    file: WholeFile,
    sealed: SealedFile,
}

impl SegmentWriter {
    /// Begins the segment `id` of `dataset`.
    ///
    /// # Errors
    /// [`SinkError::Word`] where the host may not stand in a path.
    pub fn begin(
        dataset: &Dataset,
        id: SegmentId,
        provenance: Provenance,
    ) -> Result<Self, SinkError> {
        provenance.check()?;
        Ok(Self {
            directory: dataset.directory().into(),
            id,
            provenance,
            encoder: Encoder::default(),
            pushed_us: [None; 4],
            last_us: [None; 4],
            open: [const { None }; 4],
            whole: Vec::new(),
        })
    }

    /// Takes rows in, in the order of their time within each table.
    ///
    /// # Errors
    /// [`SinkError::Late`] and [`SinkError::Time`] for the first row that does
    /// not fit, the rows before it are taken; otherwise the segment is lost.
    pub fn write_rows(&mut self, rows: &[Row]) -> Result<(), SinkError> {
        for row in rows {
            let table = encode::table_of(row);
            let at_us = encode::wall_us(&self.provenance.anchor, row.at())?;
            if let Some(pushed_us) = self.pushed_us.get_mut(table as usize) {
                if let Some(last_us) = *pushed_us
                    && at_us < last_us
                {
                    return Err(SinkError::Late { table, at_us, last_us });
                }
                self.encoder.push(row, at_us, &self.provenance)?;
                *pushed_us = Some(at_us);
            }
            if self.encoder.rows(table) >= BATCH_ROWS {
                self.flush(table)?;
            }
        }
        Ok(())
    }

    /// Takes a batch of the table's schema in, ordered by time.
    ///
    /// # Errors
    /// [`SinkError::Late`] where it begins before the last row; otherwise the
    /// segment is lost.
    pub fn write_batch(&mut self, table: Table, batch: &RecordBatch) -> Result<(), SinkError> {
        self.flush(table)?;
        self.write(table, batch)
    }

    fn flush(&mut self, table: Table) -> Result<(), SinkError> {
        if self.encoder.rows(table) == 0 {
            return Ok(());
        }
        let batch = self.encoder.finish(table, &self.provenance)?;
        self.write(table, &batch)
    }

    fn write(&mut self, table: Table, batch: &RecordBatch) -> Result<(), SinkError> {
        let times = batch.column_by_name("time").and_then(|column| column.as_any().downcast_ref());
        let times: &TimestampMicrosecondArray = times.ok_or_else(|| SinkError::Arrow {
            table,
            source: arrow::error::ArrowError::SchemaError("no column `time`".into()),
        })?;
        let times = times.values();
        let mut last = self.last_us.get(table as usize).copied().flatten();
        for at_us in times.iter().copied() {
            if let Some(last_us) = last
                && at_us < last_us
            {
                return Err(SinkError::Late { table, at_us, last_us });
            }
            last = Some(at_us);
        }
        let mut from = 0;
        for part in times.chunk_by(|a, b| a.div_euclid(DAY_US) == b.div_euclid(DAY_US)) {
            if let [first_us, ..] = part {
                let last_us = part.last().copied().unwrap_or(*first_us);
                self.write_day(table, &batch.slice(from, part.len()), *first_us, last_us)?;
            }
            from += part.len();
        }
        if let (Some(slot), Some(pushed)) =
            (self.last_us.get_mut(table as usize), self.pushed_us.get_mut(table as usize))
        {
            *slot = last;
            *pushed = (*pushed).max(last);
        }
        Ok(())
    }

    fn write_day(
        &mut self,
        table: Table,
        batch: &RecordBatch,
        first_us: i64,
        last_us: i64,
    ) -> Result<(), SinkError> {
        let day = first_us.div_euclid(DAY_US);
        let Some(slot) = self.open.get_mut(table as usize) else { return Ok(()) };
        if slot.as_ref().is_some_and(|file| file.day != day)
            && let Some(file) = slot.take()
        {
            self.whole.push(file.complete(table, self.id, &self.provenance)?);
        }
        let file = match slot {
            Some(file) => file,
            None => slot.insert(OpenFile::create(
                &self.directory,
                table,
                self.id,
                &self.provenance,
                first_us,
            )?),
        };
        file.writer.write(batch).in_file(&file.hidden)?;
        file.rows += batch.num_rows() as u64;
        file.last_us = last_us;
        Ok(())
    }

    /// Makes everything durable, gives the files their names and enters them
    /// in the manifest. Without rows there are no files.
    ///
    /// A segment that is written again, after a crash, replaces its own files.
    ///
    /// # Errors
    /// [`SinkError::Io`], [`SinkError::Parquet`]; no file of the segment is
    /// left, except those that an earlier finish entered in the manifest.
    pub fn finish(mut self, dataset: &mut Dataset) -> Result<Vec<SealedFile>, SinkError> {
        for table in Table::ALL {
            self.flush(table)?;
            if let Some(file) = self.open.get_mut(table as usize).and_then(Option::take) {
                self.whole.push(file.complete(table, self.id, &self.provenance)?);
            }
        }
        if self.whole.is_empty() {
            return Ok(Vec::new());
        }
        let live = manifest::read(&self.directory)?.live;
        let named = self.name_all().and_then(|()| {
            let is_new = |file: &&SealedFile| {
                live.get(&file.path)
                    .is_none_or(|known| known.sha256 != file.sha256 || known.bytes != file.bytes)
            };
            let lines: Vec<Line> = self
                .whole
                .iter()
                .map(|whole| &whole.sealed)
                .filter(is_new)
                .cloned()
                .map(Line::Sealed)
                .collect();
            dataset.manifest.append(&lines)
        });
        if named.is_err() {
            for whole in self.whole.iter().filter(|whole| !live.contains_key(&whole.sealed.path)) {
                drop(fs::remove_file(self.directory.join(&whole.sealed.path)));
            }
        }
        named?;
        Ok(self.whole.into_iter().map(|whole| whole.sealed).collect())
    }

    fn name_all(&self) -> Result<(), SinkError> {
        for whole in &self.whole {
            let path = self.directory.join(&whole.sealed.path);
            fs::rename(&whole.file.path, &path).at("name", &path)?;
        }
        let mut directories: Vec<_> =
            self.whole.iter().filter_map(|whole| whole.file.path.parent()).collect();
        directories.sort();
        directories.dedup();
        directories.into_iter().try_for_each(disk::sync_directory)
    }
}

impl OpenFile {
    fn create(
        root: &Path,
        table: Table,
        id: SegmentId,
        provenance: &Provenance,
        first_us: i64,
    ) -> Result<Self, SinkError> {
        let day = first_us.div_euclid(DAY_US);
        let directory = root.join(partition(table, &provenance.host, first_us)?);
        disk::create_directories(root, &directory)?;
        let file = HiddenFile::create(directory.join(format!("{HIDDEN}{id}")))?;
        let hidden = file.path().to_path_buf();
        let properties = layout::properties(table, id, provenance).in_file(&hidden)?;
        let writer =
            ArrowWriter::try_new(file, table.schema(), Some(properties)).in_file(&hidden)?;
        Ok(Self { writer, hidden, day, rows: 0, first_us, last_us: first_us })
    }

    fn complete(
        self,
        table: Table,
        id: SegmentId,
        provenance: &Provenance,
    ) -> Result<Whole, SinkError> {
        let file = self.writer.into_inner().in_file(&self.hidden)?.complete()?;
        let partition = partition(table, &provenance.host, self.first_us)?;
        let sealed = SealedFile {
            path: format!("{partition}/{}-{id}.parquet", start(self.first_us)?),
            sha256: file.sha256.clone(),
            bytes: file.bytes,
            rows: self.rows,
            table,
            host: provenance.host.clone(),
            boot: provenance.boot.clone(),
            segment: id.to_string(),
            first_us: self.first_us,
            last_us: self.last_us,
            sealed_at: manifest::now(),
        };
        Ok(Whole { file, sealed })
    }
}

fn utc(at_us: i64) -> Result<jiff::civil::DateTime, SinkError> {
    let at = Timestamp::from_microsecond(at_us).map_err(|_| SinkError::Time { at_us })?;
    Ok(TimeZone::UTC.to_datetime(at))
}

/// `<table>/date=YYYY-MM-DD/host=<host>`.
pub(crate) fn partition(table: Table, host: &str, at_us: i64) -> Result<String, SinkError> {
    Ok(format!("{}/date={}/host={host}", table.name(), utc(at_us)?.date()))
}

/// The start of a file's name, for example `20261123T211640.123456Z`.
pub(crate) fn start(at_us: i64) -> Result<String, SinkError> {
    let at = utc(at_us)?;
    Ok(format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}.{:06}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at_us.rem_euclid(1_000_000),
    ))
}
