//! One file of a segment, being written under a hidden name.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use arrow::record_batch::RecordBatch;
use evscribe_model::{Event, Touch};
use jiff::{Timestamp, tz::TimeZone};
use parquet::arrow::ArrowWriter;

use super::DAY_US;
use crate::{
    Provenance, SealedFile, SegmentId, SinkError, Table,
    disk::{self, HIDDEN, HiddenFile, WholeFile},
    error::InFile,
    layout, manifest,
    pages::PagesWriter,
};

/// A file that takes rows of one table and UTC date.
#[derive(Debug)]
pub(crate) struct OpenFile {
    content: Content,
    hidden: PathBuf,
    /// The microseconds of its day.
    pub(super) day: Range<i64>,
    pub(crate) rows: u64,
    first_us: i64,
    last_us: i64,
}

/// Tables of few rows are written from batches, the others page by page.
#[derive(Debug)]
enum Content {
    Batches(Box<ArrowWriter<HiddenFile>>),
    Pages(Box<PagesWriter<HiddenFile>>),
}

/// A file that is whole and durable but still hidden.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) file: WholeFile,
    pub(crate) sealed: SealedFile,
}

impl OpenFile {
    /// Begins a file that takes rows of the date of `first_us`.
    pub(crate) fn create(
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

    /// Takes a row of table `events` in; `at_us` is its time.
    #[inline]
    pub(crate) fn push_event(&mut self, row: &Event, at_us: i64) -> Result<(), SinkError> {
        self.push(at_us, |pages| pages.push_event(row, at_us))
    }

    /// Takes a row of table `touch` in; `at_us` is its time.
    #[inline]
    pub(crate) fn push_touch(&mut self, row: &Touch, at_us: i64) -> Result<(), SinkError> {
        self.push(at_us, |pages| pages.push_touch(row, at_us))
    }

    #[inline]
    fn push(
        &mut self,
        at_us: i64,
        push: impl FnOnce(&mut PagesWriter<HiddenFile>),
    ) -> Result<(), SinkError> {
        if self.rows == 0 {
            self.first_us = at_us;
        }
        self.rows += 1;
        self.last_us = at_us;
        if let Content::Pages(pages) = &mut self.content {
            push(pages);
            if pages.is_full() {
                pages.end_group().in_file(&self.hidden)?;
            }
        }
        Ok(())
    }

    /// Takes a batch in, whose first and last time are these.
    pub(super) fn write(
        &mut self,
        batch: &RecordBatch,
        first_us: i64,
        last_us: i64,
    ) -> Result<(), SinkError> {
        if self.rows == 0 {
            self.first_us = first_us;
        }
        self.rows += batch.num_rows() as u64;
        self.last_us = last_us;
        match &mut self.content {
            Content::Batches(writer) => writer.write(batch).in_file(&self.hidden),
            Content::Pages(_) => Ok(()),
        }
    }

    /// Makes it whole and durable; its name is that of its first row.
    pub(crate) fn complete(
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
            subject: provenance.subject.clone(),
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
