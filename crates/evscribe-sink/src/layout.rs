//! How sealed files are laid out; every default is a named constant.
//!
//! Source: measured on recordings of real mice and touchpads, 2026.

use std::sync::Arc;

use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    encryption::encrypt::FileEncryptionProperties,
    errors::ParquetError,
    file::{
        metadata::{KeyValue, SortingColumn},
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder},
    },
    schema::types::ColumnPath,
};

use crate::{Provenance, SegmentId, Table, WRITER_VERSION, crypt::FileKey};

/// Rows of a row group: 10 k rows cost 8 % more bytes, 1 M save 1 %.
pub(crate) const ROW_GROUP_ROWS: usize = 64 * 1024;

/// More than the values of a column take in a row group.
const PAGE_BYTES: usize = 4 << 20;

/// Level of zstd: 9 saves 1 to 3 %.
pub(crate) const ZSTD_LEVEL: i32 = 3;

/// Columns that are delta-encoded: neighbours differ little. `pages` does it
/// for events and touch, [`properties`] for the others.
pub(crate) const DELTA: [&str; 5] = ["time", "until", "dx", "dy", "stroke"];

/// Columns that are split by byte: high bytes repeat, low ones do not. `pages`
/// does it for sealed files, [`concatenated`] for others.
pub(crate) const SPLIT: [&str; 2] = ["x", "y"];

/// Statistics by column chunk: enough to skip row groups, a page index is not
/// worth its bytes at 64 k rows.
pub(crate) const STATISTICS: EnabledStatistics = EnabledStatistics::Chunk;

/// How a table's pages are compressed: a handful of marks and devices not at
/// all, for zstd's frames would be larger than what they save.
///
/// # Errors
/// As [`properties`].
pub(crate) fn compression(table: Table) -> Result<Compression, ParquetError> {
    Ok(match table {
        Table::Events | Table::Touch => Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
        Table::Marks | Table::Devices => Compression::UNCOMPRESSED,
    })
}

/// The properties of one sealed file. Columns not named above are dictionary
/// encoded, truths a bit each. There are no bloom filters: an encrypted file
/// would show them.
///
/// With `crypt` crate parquet encrypts what its own writer writes; what `pages`
/// writes is encrypted there.
///
/// # Errors
/// Never with these constants: zstd refuses levels outside 1 to 22.
pub(crate) fn properties(
    table: Table,
    segment: SegmentId,
    provenance: &Provenance,
    crypt: Option<&FileKey>,
) -> Result<WriterProperties, ParquetError> {
    let metadata = provenance.metadata(table, segment);
    let metadata =
        metadata.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect();
    let mut builder = as_all(table)?.set_key_value_metadata(Some(metadata));
    if let Some(key) = crypt {
        builder = builder.with_file_encryption_properties(key.properties()?);
    }
    Ok(builder.build())
}

/// The properties of a file of rows of several sealed files, for crate parquet's
/// own writer: laid out as these are. It has no key-value metadata yet.
///
/// # Errors
/// Never so far: zstd refuses levels that are not used.
pub fn concatenated(
    table: Table,
    encryption: Option<Arc<FileEncryptionProperties>>,
) -> Result<WriterProperties, ParquetError> {
    let mut builder = as_all(table)?
        // A page a column chunk, as `pages` makes them.
        .set_data_page_row_count_limit(ROW_GROUP_ROWS)
        .set_data_page_size_limit(PAGE_BYTES);
    if let Some(encryption) = encryption {
        builder = builder.with_file_encryption_properties(encryption);
    }
    Ok(encoded(builder, table, &SPLIT, Encoding::BYTE_STREAM_SPLIT).build())
}

/// What all files of a table have alike.
fn as_all(table: Table) -> Result<WriterPropertiesBuilder, ParquetError> {
    let by_time = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
    let builder = WriterProperties::builder()
        .set_created_by(WRITER_VERSION.to_owned())
        .set_compression(compression(table)?)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(STATISTICS)
        .set_offset_index_disabled(true)
        .set_bloom_filter_enabled(false)
        .set_sorting_columns(Some(vec![by_time]));
    Ok(encoded(builder, table, &DELTA, Encoding::DELTA_BINARY_PACKED))
}

/// Has those of these columns that the table has encoded so, without a dictionary.
fn encoded(
    mut builder: WriterPropertiesBuilder,
    table: Table,
    names: &[&str],
    encoding: Encoding,
) -> WriterPropertiesBuilder {
    for name in names {
        if table.columns().iter().any(|column| column.name == *name) {
            let path = ColumnPath::from(*name);
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, encoding);
        }
    }
    builder
}
