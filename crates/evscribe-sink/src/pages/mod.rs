//! Tables of many rows as Parquet pages.
//!
//! Nearly all rows are motion: of fifteen columns four hold anything, the rest
//! says the same in row after row. The Arrow writer of crate parquet looks at
//! each of them in each row (1,900 instructions a row); here a column is kept as
//! spans of equal values and costs nothing until it changes. Files, row groups,
//! page headers and the footer are still the crate's.
//!
//! Memory: the values of one row group of [`ROW_GROUP_ROWS`], about 1.5 MiB,
//! and the largest of its columns twice more, while it is encoded.

mod column;
mod delta;
mod events;
mod hybrid;
#[cfg(test)]
mod tests;
mod touch;

use std::io::Write;

use bytes::Bytes;
use evscribe_model::{Event, Touch};
use parquet::{
    arrow::ArrowWriter,
    basic::Encoding,
    column::{
        page::{CompressedPage, Page, PageWriter},
        writer::ColumnCloseResult,
    },
    errors::ParquetError,
    file::{
        metadata::ColumnChunkMetaData,
        writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite},
    },
};
use zstd::bulk::Compressor;

use crate::{
    Provenance, Table,
    layout::{ROW_GROUP_ROWS, ZSTD_LEVEL, compression},
};
use column::Chunk;
use events::EventColumns;
use touch::TouchColumns;

/// One file of table `events` or `touch`, being written.
pub(crate) struct PagesWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    subject: String,
    session: String,
    // Of the two the one of the file's table is filled.
    events: EventColumns,
    touch: TouchColumns,
    rows: usize,
}

impl<W: Write + Send> PagesWriter<W> {
    /// Goes on where `writer` stands: at the beginning.
    pub(crate) fn new(
        writer: ArrowWriter<W>,
        provenance: &Provenance,
    ) -> Result<Self, ParquetError> {
        let (file, _) = writer.into_serialized_writer()?;
        Ok(Self {
            file,
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
        let schema = self.file.schema_descr().columns().to_vec();
        let mut zstd = Compressor::new(ZSTD_LEVEL)?;
        let mut group = self.file.next_row_group()?;
        let mut columns = schema.into_iter();
        let mut append = |chunk: Chunk| {
            let (page, close) = match columns.next() {
                Some(column) => pages(column, chunk, &mut zstd)?,
                None => return Err(ParquetError::General("a column too many".into())),
            };
            group.append_column(&page, close)
        };
        let (subject, session) = (&self.subject, &self.session);
        if self.events.is_empty() {
            self.touch.chunks(subject, session, rows, &mut append)?;
        } else {
            self.events.chunks(subject, session, rows, &mut append)?;
        }
        group.close()?;
        Ok(())
    }

    /// Ends the file.
    pub(crate) fn into_inner(mut self) -> Result<W, ParquetError> {
        self.end_group()?;
        self.file.into_inner()
    }
}

impl<W: Write + Send> std::fmt::Debug for PagesWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PagesWriter({})", self.rows)
    }
}

/// The pages of a column chunk, and what the footer says of them.
fn pages(
    column: parquet::schema::types::ColumnDescPtr,
    chunk: Chunk,
    zstd: &mut Compressor<'_>,
) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
    let mut compress = |plain: &[u8]| zstd.compress(plain).map(Bytes::from);
    let mut sink = TrackedWrite::new(Vec::new());
    let mut pages = SerializedPageWriter::new(&mut sink);
    let (mut plain_bytes, mut bytes) = (0, 0);
    let mut put = |page, size| {
        let spec = pages.write_page(CompressedPage::new(page, size))?;
        plain_bytes += spec.uncompressed_size;
        bytes += spec.compressed_size;
        i64::try_from(spec.offset).map_err(|_| ParquetError::General("offset".into()))
    };
    let mut encodings = vec![chunk.encoding, Encoding::RLE];
    let mut dictionary_at = None;
    if let Some((plain, num_values)) = chunk.dictionary {
        let (buf, encoding) = (compress(&plain)?, Encoding::PLAIN);
        let page = Page::DictionaryPage { buf, num_values, encoding, is_sorted: false };
        dictionary_at = Some(put(page, plain.len())?);
        encodings.push(Encoding::PLAIN);
    }
    let page = Page::DataPage {
        buf: compress(&chunk.data)?,
        num_values: chunk.rows,
        encoding: chunk.encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    let data_at = put(page, chunk.data.len())?;
    let size = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    let metadata = ColumnChunkMetaData::builder(column)
        .set_encodings(encodings)
        .set_compression(compression(Table::Events)?)
        .set_num_values(chunk.rows.into())
        .set_total_compressed_size(size(bytes))
        .set_total_uncompressed_size(size(plain_bytes))
        .set_dictionary_page_offset(dictionary_at)
        .set_data_page_offset(data_at)
        .set_statistics(chunk.statistics)
        .build()?;
    let close = ColumnCloseResult {
        bytes_written: bytes as u64,
        rows_written: chunk.rows.into(),
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    Ok((sink.into_inner()?.into(), close))
}
