//! Writes the files of one segment: all of them appear, or none.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use arrow::{array::TimestampMicrosecondArray, record_batch::RecordBatch};
use evscribe_model::{BootUs, Event, Row, Touch};
use jiff::{Timestamp, tz::TimeZone};
use parquet::arrow::ArrowWriter;

use crate::{
    Dataset, Provenance, SegmentId, SinkError, Table,
    disk::{self, HIDDEN, HiddenFile, WholeFile},
    encode::{self, BATCH_ROWS, DeviceCells, Encoder, MarkCells},
    error::{At, InFile},
    layout,
    manifest::{self, Line, SealedFile},
    pages::PagesWriter,
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
    last_us: [Option<i64>; 4],
    open: [Option<OpenFile>; 4],
    whole: Vec<Whole>,
}

#[derive(Debug)]
struct OpenFile {
    content: Content,
    hidden: PathBuf,
    /// The microseconds of its day.
    day: Range<i64>,
    rows: u64,
    first_us: i64,
    last_us: i64,
}

/// Tables of few rows are written from batches, the others page by page.
#[derive(Debug)]
enum Content {
    Batches(Box<ArrowWriter<HiddenFile>>),
    Pages(Box<PagesWriter<HiddenFile>>),
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
            match row {
                Row::Event(row) => self.write_event(row)?,
                Row::Touch(row) => self.write_touch(row)?,
                Row::Mark(row) => self.write_mark(&row.into())?,
                Row::Device(row) => self.write_device(DeviceCells::of(row))?,
            }
        }
        Ok(())
    }

    pub(crate) fn write_event(&mut self, row: &Event) -> Result<(), SinkError> {
        let at_us = self.next_us(Table::Events, row.at)?;
        self.write_page_row(Table::Events, at_us, |pages| pages.push_event(row, at_us))
    }

    pub(crate) fn write_touch(&mut self, row: &Touch) -> Result<(), SinkError> {
        let at_us = self.next_us(Table::Touch, row.at)?;
        self.write_page_row(Table::Touch, at_us, |pages| pages.push_touch(row, at_us))
    }

    #[inline]
    fn write_page_row(
        &mut self,
        table: Table,
        at_us: i64,
        push: impl FnOnce(&mut PagesWriter<HiddenFile>),
    ) -> Result<(), SinkError> {
        let file = match self.open.get_mut(table as usize) {
            // Nearly always: the file is there, the day is the same.
            Some(Some(file)) if file.day.contains(&at_us) => {
                file.rows += 1;
                file.last_us = at_us;
                file
            }
            _ => self.file(table, at_us, at_us, 1)?,
        };
        if let Content::Pages(pages) = &mut file.content {
            push(pages);
            if pages.is_full() {
                pages.end_group().in_file(&file.hidden)?;
            }
        }
        Ok(())
    }

    pub(crate) fn write_mark(&mut self, row: &MarkCells) -> Result<(), SinkError> {
        let anchor = self.provenance.anchor;
        let until_us = row.until.map(|until| encode::wall_us(&anchor, until)).transpose()?;
        let at_us = self.next_us(Table::Marks, row.at)?;
        self.encoder.push_mark(row, at_us, until_us);
        self.flush_full(Table::Marks)
    }

    pub(crate) fn write_device(&mut self, row: DeviceCells) -> Result<(), SinkError> {
        let at_us = self.next_us(Table::Devices, row.at())?;
        self.encoder.push_device(row, at_us);
        self.flush_full(Table::Devices)
    }

    /// Wall time of the next row of `table`, which must not be before the last.
    fn next_us(&mut self, table: Table, at: BootUs) -> Result<i64, SinkError> {
        let at_us = encode::wall_us(&self.provenance.anchor, at)?;
        if let Some(last) = self.last_us.get_mut(table as usize) {
            if let Some(last_us) = *last
                && at_us < last_us
            {
                return Err(SinkError::Late { table, at_us, last_us });
            }
            *last = Some(at_us);
        }
        Ok(at_us)
    }

    fn flush_full(&mut self, table: Table) -> Result<(), SinkError> {
        if self.encoder.rows(table) < BATCH_ROWS { Ok(()) } else { self.flush(table) }
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
        let mut from = 0;
        for part in times.chunk_by(|a, b| a.div_euclid(DAY_US) == b.div_euclid(DAY_US)) {
            if let [first_us, ..] = part {
                let last_us = part.last().copied().unwrap_or(*first_us);
                let batch = batch.slice(from, part.len());
                let file = self.file(table, *first_us, last_us, part.len() as u64)?;
                if let Content::Batches(writer) = &mut file.content {
                    writer.write(&batch).in_file(&file.hidden)?;
                }
            }
            from += part.len();
        }
        Ok(())
    }

    /// The file that takes the next `rows` of `table`, all of one day.
    fn file(
        &mut self,
        table: Table,
        first_us: i64,
        last_us: i64,
        rows: u64,
    ) -> Result<&mut OpenFile, SinkError> {
        let Some(slot) = self.open.get_mut(table as usize) else {
            return Err(SinkError::TooLarge { table });
        };
        if slot.as_ref().is_some_and(|file| !file.day.contains(&first_us))
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
        file.rows += rows;
        file.last_us = last_us;
        Ok(file)
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
        let begin_us = first_us.div_euclid(DAY_US) * DAY_US;
        let day = begin_us..begin_us + DAY_US;
        let directory = root.join(partition(table, &provenance.host, first_us)?);
        disk::create_directories(root, &directory)?;
        let file = HiddenFile::create(directory.join(format!("{HIDDEN}{id}")))?;
        let hidden = file.path().to_path_buf();
        let properties = layout::properties(table, id, provenance).in_file(&hidden)?;
        let writer =
            ArrowWriter::try_new(file, table.schema(), Some(properties)).in_file(&hidden)?;
        let content = match table {
            Table::Events | Table::Touch => {
                let pages = PagesWriter::new(writer, provenance).in_file(&hidden)?;
                Content::Pages(Box::new(pages))
            }
            Table::Marks | Table::Devices => Content::Batches(Box::new(writer)),
        };
        Ok(Self { content, hidden, day, rows: 0, first_us, last_us: first_us })
    }

    fn complete(
        self,
        table: Table,
        id: SegmentId,
        provenance: &Provenance,
    ) -> Result<Whole, SinkError> {
        let file = match self.content {
            Content::Batches(writer) => writer.into_inner(),
            Content::Pages(pages) => pages.into_inner(),
        };
        let file = file.in_file(&self.hidden)?.complete()?;
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
