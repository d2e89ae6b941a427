//! The file around the pages: magic, column chunks, row groups, footer.

use std::{io::Write, sync::Arc};

use bytes::Bytes;
use parquet::{
    arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata},
    basic::Encoding,
    column::page::{CompressedPage, Page, PageWriter},
    errors::ParquetError,
    file::{
        column_crypto_metadata::ColumnCryptoMetaData,
        metadata::{
            ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataWriter,
            RowGroupMetaData,
        },
        properties::WriterProperties,
        writer::{SerializedPageWriter, TrackedWrite},
    },
    schema::types::SchemaDescPtr,
};
use zstd::bulk::Compressor;

use super::column::Chunk;
use crate::{
    Table,
    crypt::modules::{ChunkPlace, Module, Modules},
    layout::compression,
};

/// What a plain Parquet file begins and ends with.
const MAGIC: &[u8; 4] = b"PAR1";
/// Magic and length, behind a plain footer.
const TAIL_BYTES: usize = 8;
/// More than the header of a page needs.
const HEADER_BYTES: usize = 64;

/// A Parquet file that takes column chunks, plain or encrypted.
pub(super) struct PagesFile<W: Write> {
    sink: TrackedWrite<W>,
    schema: SchemaDescPtr,
    properties: WriterProperties,
    crypt: Option<Modules>,
    groups: Vec<RowGroupMetaData>,
}

/// A row group whose column chunks come one after the other.
pub(super) struct Group<'a, W: Write> {
    file: &'a mut PagesFile<W>,
    zstd: Compressor<'static>,
    begin: i64,
    rows: u32,
    columns: Vec<ColumnChunkMetaData>,
}

/// Sizes of the pages of a column chunk, with their headers.
#[derive(Default)]
struct Sizes {
    plain: usize,
    stored: usize,
}

impl<W: Write> PagesFile<W> {
    pub(super) fn new(
        sink: W,
        table: Table,
        mut properties: WriterProperties,
        crypt: Option<Modules>,
    ) -> Result<Self, ParquetError> {
        let arrow = table.schema();
        let schema = Arc::new(ArrowSchemaConverter::new().convert(&arrow)?);
        add_encoded_arrow_schema_to_metadata(&arrow, &mut properties);
        let mut sink = TrackedWrite::new(sink);
        sink.write_all(if crypt.is_some() { crate::crypt::MAGIC } else { MAGIC })?;
        Ok(Self { sink, schema, properties, crypt, groups: Vec::new() })
    }

    /// Begins a row group of so many rows.
    pub(super) fn group(
        &mut self,
        rows: u32,
        zstd: Compressor<'static>,
    ) -> Result<Group<'_, W>, ParquetError> {
        let begin = offset(&self.sink)?;
        Ok(Group { file: self, zstd, begin, rows, columns: Vec::new() })
    }

    /// Ends the file.
    pub(super) fn into_inner(mut self) -> Result<W, ParquetError> {
        let metadata = FileMetaData::new(
            self.properties.writer_version().as_num(),
            self.groups.iter().map(RowGroupMetaData::num_rows).sum(),
            Some(self.properties.created_by().to_owned()),
            self.properties.key_value_metadata().cloned(),
            self.schema,
            None,
        );
        let metadata = ParquetMetaData::new(metadata, self.groups);
        let mut footer = Vec::new();
        ParquetMetaDataWriter::new(&mut footer, &metadata).finish()?;
        if let Some(crypt) = &mut self.crypt {
            footer.truncate(footer.len().saturating_sub(TAIL_BYTES));
            footer = crypt.footer(&footer)?;
        }
        self.sink.write_all(&footer)?;
        // So that what the disk says is not wrapped up in a text.
        self.sink.flush()?;
        self.sink.into_inner()
    }
}

fn offset(sink: &TrackedWrite<impl Write>) -> Result<i64, ParquetError> {
    i64::try_from(sink.bytes_written()).map_err(|_| ParquetError::General("offset".into()))
}

impl<W: Write> Group<'_, W> {
    /// Writes the next column.
    pub(super) fn append(&mut self, chunk: Chunk) -> Result<(), ParquetError> {
        let general = |why: &str| ParquetError::General(why.into());
        let number = self.columns.len();
        let column = self.file.schema.columns().get(number).cloned();
        let column = column.ok_or_else(|| general("a column too many"))?;
        let ordinal = |number| i16::try_from(number).map_err(|_| general("too many row groups"));
        let place =
            ChunkPlace { group: ordinal(self.file.groups.len())?, column: ordinal(number)? };
        let mut sizes = Sizes::default();
        let mut encodings = vec![chunk.encoding, Encoding::RLE];
        let mut dictionary_at = None;
        if let Some((plain, num_values)) = chunk.dictionary {
            let encoding = Encoding::PLAIN;
            let page = |buf| Page::DictionaryPage { buf, num_values, encoding, is_sorted: false };
            let modules = (Module::DictionaryPageHeader(place), Module::DictionaryPage(place));
            dictionary_at = Some(self.page(&plain, modules, page, &mut sizes)?);
            encodings.push(encoding);
        }
        let page = |buf| Page::DataPage {
            buf,
            num_values: chunk.rows,
            encoding: chunk.encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let modules = (Module::DataPageHeader(place), Module::DataPage(place));
        let data_at = self.page(&chunk.data, modules, page, &mut sizes)?;
        let size = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        let by_footer_key = ColumnCryptoMetaData::ENCRYPTION_WITH_FOOTER_KEY;
        self.columns.push(
            ColumnChunkMetaData::builder(column)
                .set_encodings(encodings)
                .set_compression(compression(Table::Events)?)
                .set_num_values(chunk.rows.into())
                .set_total_compressed_size(size(sizes.stored))
                .set_total_uncompressed_size(size(sizes.plain))
                .set_dictionary_page_offset(dictionary_at)
                .set_data_page_offset(data_at)
                .set_statistics(chunk.statistics)
                .set_column_crypto_metadata(self.file.crypt.as_ref().map(|_| by_footer_key))
                .build()?,
        );
        Ok(())
    }

    /// Writes a page behind its header; says where they begin.
    fn page(
        &mut self,
        plain: &[u8],
        (header, body): (Module, Module),
        page: impl FnOnce(Bytes) -> Page,
        sizes: &mut Sizes,
    ) -> Result<i64, ParquetError> {
        let PagesFile { sink, crypt, .. } = &mut *self.file;
        let begin = offset(sink)?;
        let mut stored = self.zstd.compress(plain)?;
        if let Some(crypt) = crypt {
            stored = crypt.seal(body, &stored)?;
        }
        // Crate parquet knows how a header is written, but writes it with its page.
        let stored = Bytes::from(stored);
        let mut written = TrackedWrite::new(Vec::with_capacity(stored.len() + HEADER_BYTES));
        let page = CompressedPage::new(page(stored.clone()), plain.len());
        SerializedPageWriter::new(&mut written).write_page(page)?;
        let written = written.into_inner()?;
        let header_bytes = written.len().saturating_sub(stored.len());
        let (plain_header, _) = written.split_at_checked(header_bytes).unwrap_or_default();
        let sealed = crypt.as_mut().map(|crypt| crypt.seal(header, plain_header)).transpose()?;
        let header = sealed.as_deref().unwrap_or(plain_header);
        sink.write_all(header)?;
        sink.write_all(&stored)?;
        sizes.plain += header.len() + plain.len();
        sizes.stored += header.len() + stored.len();
        Ok(begin)
    }

    /// Ends it: all columns are written.
    pub(super) fn close(self) -> Result<(), ParquetError> {
        let groups = &mut self.file.groups;
        let ordinal = i16::try_from(groups.len())
            .map_err(|_| ParquetError::General("too many row groups".into()))?;
        let plain_bytes = self.columns.iter().map(ColumnChunkMetaData::uncompressed_size).sum();
        let group = RowGroupMetaData::builder(Arc::clone(&self.file.schema))
            .set_column_metadata(self.columns)
            .set_total_byte_size(plain_bytes)
            .set_num_rows(self.rows.into())
            .set_sorting_columns(self.file.properties.sorting_columns().cloned())
            .set_ordinal(ordinal)
            .set_file_offset(self.begin)
            .build()?;
        groups.push(group);
        Ok(())
    }
}
