//! Tables of many rows as Parquet pages.
//!
//! Nearly all rows are motion: of fifteen columns four hold anything, the rest
//! says the same in row after row. The Arrow writer of crate parquet looks at
//! each of them in each row (1,900 instructions a row); here a column is kept as
//! spans of equal values and costs nothing until it changes. Headers of pages and
//! the footer's bytes are still the crate's.
//!
//! Memory: the values of one row group of [`ROW_GROUP_ROWS`], about 1.5 MiB,
//! and the largest of its columns twice more, while it is encoded.

mod column;
mod delta;
mod events;
mod file;
mod hybrid;
#[cfg(test)]
mod tests;
mod touch;

use std::io::Write;

use evscribe_model::{Event, Touch};
use parquet::{errors::ParquetError, file::properties::WriterProperties};
use zstd::bulk::Compressor;

use crate::{
    Provenance, Table,
    crypt::modules::Modules,
    layout::{ROW_GROUP_ROWS, ZSTD_LEVEL},
};
use column::Chunk;
use events::EventColumns;
use file::PagesFile;
use touch::TouchColumns;

/// One file of table `events` or `touch`, being written.
pub(crate) struct PagesWriter<W: Write> {
    file: PagesFile<W>,
    subject: String,
    session: String,
    // Of the two the one of the file's table is filled.
    events: EventColumns,
    touch: TouchColumns,
    rows: usize,
}

impl<W: Write> PagesWriter<W> {
    /// Begins a file with these properties, encrypted by `crypt` or plain.
    pub(crate) fn new(
        sink: W,
        table: Table,
        properties: WriterProperties,
        crypt: Option<Modules>,
        provenance: &Provenance,
    ) -> Result<Self, ParquetError> {
        Ok(Self {
            file: PagesFile::new(sink, table, properties, crypt)?,
            subject: provenance.subject.clone(),
            session: provenance.session.clone(),
            events: EventColumns::default(),
            touch: TouchColumns::default(),
            rows: 0,
        })
    }

    /// Takes a row of table `events` in; `wall_us` is its time.
    pub(crate) fn push_event(&mut self, row: &Event, wall_us: i64) {
        self.events.push(row, wall_us);
        self.rows += 1;
    }

    /// Takes a row of table `touch` in; `wall_us` is its time.
    pub(crate) fn push_touch(&mut self, row: &Touch, wall_us: i64) {
        self.touch.push(row, wall_us);
        self.rows += 1;
    }

    /// Whether a row group is full: end it before the next row.
    pub(crate) fn is_full(&self) -> bool {
        self.rows >= ROW_GROUP_ROWS
    }

    /// Writes the rows that wait as a row group.
    pub(crate) fn end_group(&mut self) -> Result<(), ParquetError> {
        let rows = u32::try_from(std::mem::take(&mut self.rows)).unwrap_or(u32::MAX);
        if rows == 0 {
            return Ok(());
        }
        let mut group = self.file.group(rows, Compressor::new(ZSTD_LEVEL)?)?;
        let mut append = |chunk: Chunk| group.append(chunk);
        let (subject, session) = (&self.subject, &self.session);
        if self.events.is_empty() {
            self.touch.chunks(subject, session, rows, &mut append)?;
        } else {
            self.events.chunks(subject, session, rows, &mut append)?;
        }
        group.close()
    }

    /// Ends the file.
    pub(crate) fn into_inner(mut self) -> Result<W, ParquetError> {
        self.end_group()?;
        self.file.into_inner()
    }
}

impl<W: Write> std::fmt::Debug for PagesWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PagesWriter({})", self.rows)
    }
}
