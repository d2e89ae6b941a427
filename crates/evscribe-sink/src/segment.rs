//! Writes the files of one segment: all of them appear, or none.

mod file;

use std::{fs, path::PathBuf};

use arrow::{array::TimestampMicrosecondArray, record_batch::RecordBatch};
use evscribe_model::{BootUs, Event, Row, Touch};

use crate::{
    Dataset, Provenance, SegmentId, SinkError, Table,
    crypt::AtRest,
    disk,
    encode::{self, BATCH_ROWS, DeviceCells, Encoder, MarkCells},
    error::At,
    manifest::{self, Line, SealedFile},
};
pub use file::place;
pub(crate) use file::{OpenFile, Whole, partition};

const DAY_US: i64 = 86_400_000_000;

/// Writes the rows of one segment to Parquet, a file per table and UTC date.
///
/// Until [`SegmentWriter::finish`] the files have hidden names and are not
/// durable; a dropped writer removes them. Memory: one row group (64 k rows)
/// per table at most, some MiB.
#[derive(Debug)]
pub struct SegmentWriter {
    segment: Segment,
    encoder: Encoder,
    last_us: [Option<i64>; 4],
    open: [Option<OpenFile>; 4],
    whole: Vec<Whole>,
}

/// What the files of a segment have in common.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Where the dataset is.
    pub(crate) root: PathBuf,
    pub(crate) id: SegmentId,
    pub(crate) provenance: Provenance,
    pub(crate) at_rest: AtRest,
}

impl Segment {
    /// Where a file of it is whose first row is at `first_us`.
    fn place(&self, table: Table, first_us: i64) -> Result<String, SinkError> {
        place(table, &self.provenance.host, &self.id.to_string(), first_us)
    }
}

impl SegmentWriter {
    /// Begins the segment `id` of `dataset`; its files are encrypted as the
    /// dataset says now.
    ///
    /// # Errors
    /// [`SinkError::Word`] where the host may not stand in a path,
    /// [`SinkError::NoRecipient`] where nobody said for whom.
    pub fn begin(
        dataset: &Dataset,
        id: SegmentId,
        provenance: Provenance,
    ) -> Result<Self, SinkError> {
        provenance.check()?;
        let (root, at_rest) = (dataset.directory().into(), dataset.at_rest().clone());
        at_rest.check()?;
        Ok(Self {
            segment: Segment { root, id, provenance, at_rest },
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
        self.file(Table::Events, at_us)?.push_event(row, at_us)
    }

    pub(crate) fn write_touch(&mut self, row: &Touch) -> Result<(), SinkError> {
        let at_us = self.next_us(Table::Touch, row.at)?;
        self.file(Table::Touch, at_us)?.push_touch(row, at_us)
    }

    pub(crate) fn write_mark(&mut self, row: &MarkCells) -> Result<(), SinkError> {
        let anchor = self.segment.provenance.anchor;
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
        let at_us = encode::wall_us(&self.segment.provenance.anchor, at)?;
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
        let batch = self.encoder.finish(table, &self.segment.provenance)?;
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
                self.file(table, *first_us)?.write(&batch, *first_us, last_us)?;
            }
            from += part.len();
        }
        Ok(())
    }

    /// The file that takes the next rows of `table`, from `at_us` on.
    #[inline]
    fn file(&mut self, table: Table, at_us: i64) -> Result<&mut OpenFile, SinkError> {
        let Some(slot) = self.open.get_mut(table as usize) else {
            return Err(SinkError::TooLarge { table });
        };
        if slot.as_ref().is_some_and(|file| !file.day.contains(&at_us))
            && let Some(file) = slot.take()
        {
            self.whole.push(file.complete(&self.segment)?);
        }
        match slot {
            // Nearly always: the file is there, the day is the same.
            Some(file) => Ok(file),
            None => {
                let place = self.segment.place(table, at_us)?;
                Ok(slot.insert(OpenFile::create(&self.segment, table, place, at_us)?))
            }
        }
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
                self.whole.push(file.complete(&self.segment)?);
            }
        }
        if self.whole.is_empty() {
            return Ok(Vec::new());
        }
        let live = manifest::read(&self.segment.root)?.live;
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
                drop(fs::remove_file(self.segment.root.join(&whole.sealed.path)));
            }
        }
        named?;
        Ok(self.whole.into_iter().map(|whole| whole.sealed).collect())
    }

    fn name_all(&self) -> Result<(), SinkError> {
        for whole in &self.whole {
            let path = self.segment.root.join(&whole.sealed.path);
            disk::step();
            fs::rename(&whole.file.path, &path).at("name", &path)?;
        }
        let mut directories: Vec<_> =
            self.whole.iter().filter_map(|whole| whole.file.path.parent()).collect();
        directories.sort();
        directories.dedup();
        directories.into_iter().try_for_each(disk::sync_directory)
    }
}
