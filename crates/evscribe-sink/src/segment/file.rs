//! One file of a segment, being written under a hidden name.

use std::{ops::Range, path::PathBuf};

use arrow::record_batch::RecordBatch;
use evscribe_model::{Event, Touch};
use jiff::{Timestamp, tz::TimeZone};
use parquet::arrow::ArrowWriter;

use super::{DAY_US, Segment};
use crate::{
    SealedFile, SinkError, Table,
    crypt::modules::Modules,
    disk::{self, HIDDEN, HiddenFile, WholeFile},
    error::InFile,
    layout, manifest,
    pages::PagesWriter,
};

/// A file that takes rows of one table and UTC date.
#[derive(Debug)]
pub(crate) struct OpenFile {
    table: Table,
    content: Content,
    hidden: PathBuf,
    /// Where it will be, in the dataset; it is encrypted for this place.
    place: String,
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
    /// Begins the file at `place`, which takes rows of the date of `first_us`.
    pub(crate) fn create(
        segment: &Segment,
        table: Table,
        place: String,
        first_us: i64,
    ) -> Result<Self, SinkError> {
        let Segment { root, id, provenance, at_rest } = segment;
        let begin_us = first_us.div_euclid(DAY_US) * DAY_US;
        let day = begin_us..begin_us + DAY_US;
        let mut directory = root.join(&place);
        directory.pop();
        disk::create_directories(root, &directory)?;
        let file = HiddenFile::create(directory.join(format!("{HIDDEN}{id}")))?;
        let hidden = file.path().to_path_buf();
        let key = at_rest.file_key(&place)?;
        let properties = |key| layout::properties(table, *id, provenance, key).in_file(&hidden);
        let content = match table {
            Table::Events | Table::Touch => {
                let (properties, crypt) = (properties(None)?, key.map(Modules::new).transpose()?);
                let pages = PagesWriter::new(file, table, properties, crypt, provenance);
                Content::Pages(Box::new(pages.in_file(&hidden)?))
            }
            Table::Marks | Table::Devices => {
                let properties = Some(properties(key.as_ref())?);
                let writer = ArrowWriter::try_new(file, table.schema(), properties);
                Content::Batches(Box::new(writer.in_file(&hidden)?))
            }
        };
        Ok(Self { table, content, hidden, place, day, rows: 0, first_us, last_us: first_us })
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
    pub(crate) fn write(
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

    /// Makes it whole and durable.
    pub(crate) fn complete(self, segment: &Segment) -> Result<Whole, SinkError> {
        let Segment { id, provenance, .. } = segment;
        let file = match self.content {
            Content::Batches(writer) => writer.into_inner(),
            Content::Pages(pages) => pages.into_inner(),
        };
        let file = file.in_file(&self.hidden)?.complete()?;
        let sealed = SealedFile {
            path: self.place,
            sha256: file.sha256.clone(),
            bytes: file.bytes,
            rows: self.rows,
            table: self.table,
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

/// Where the file of a segment is whose first row is at `first_us`, µs since
/// 1970-01-01 UTC.
///
/// # Errors
/// [`SinkError::Time`] where that is no time.
pub fn place(table: Table, host: &str, segment: &str, first_us: i64) -> Result<String, SinkError> {
    let partition = partition(table, host, first_us)?;
    Ok(format!("{partition}/{}-{segment}.parquet", start(first_us)?))
}

/// The start of a file's name, for example `20261123T211640.123456Z`.
fn start(at_us: i64) -> Result<String, SinkError> {
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
