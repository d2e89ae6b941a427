//! The footer of one file, opened and checked: whether it is what its place says.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use datafusion::parquet::file::statistics::Statistics;
use evscribe_sink::crypt::{Keyring, data_key_of};
use evscribe_sink::inspect::{FOOTER_MAX_BYTES, check_footer};
use evscribe_sink::{SCHEMA_VERSION, SinkError};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::Deserialize;

use super::fault::{Fault, GAVE_UP, guarded};
use super::listing::Found;

/// Read at first: nearly every footer is in it.
const TAIL_BYTES: u64 = 64 * 1024;
/// Length and magic, at the end of a file.
const END_BYTES: u64 = 8;
/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// What a footer says.
#[derive(Clone, Debug)]
pub(super) struct Footer {
    /// One; several where files of several levels were merged.
    pub(super) levels: BTreeSet<String>,
    pub(super) rows: usize,
    /// First and last time, µs, where the footer says them.
    pub(super) times: Option<(i64, i64)>,
}

/// Reads the footer of the file, by whichever of `keys` opens it at its place.
///
/// # Errors
/// What is wrong with the file, or what keeps it from being read.
pub(super) async fn load(
    store: &dyn ObjectStore,
    file: &ObjectMeta,
    keys: &Keyring,
) -> Result<Arc<ParquetMetaData>, Fault> {
    let tail = tail(store, file).await?;
    let place = file.location.as_ref();
    let key = data_key_of(&mut Cursor::new(&tail), place, keys).map_err(words)?;
    check_footer(&mut Cursor::new(&tail), Path::new(place), key.as_ref()).map_err(words)?;
    let decryption = key.as_ref().map(|key| key.decryption(place)).transpose();
    let decryption = decryption.map_err(|error| Fault::File(error.to_string()))?;
    let size = file.size;
    let parsed = guarded(move || {
        let mut reader = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Skip)
            .with_decryption_properties(decryption);
        reader.try_parse_sized(&tail, size)?;
        reader.finish()
    });
    match parsed {
        Ok(Ok(metadata)) => Ok(Arc::new(metadata)),
        Ok(Err(error)) if key.is_some() => {
            Err(words(SinkError::Tampered { what: error.to_string() }))
        }
        Ok(Err(error)) => Err(Fault::File(format!("its footer cannot be read: {error}"))),
        Err(_) => Err(Fault::File(GAVE_UP.into())),
    }
}

/// The end of a file, with the whole footer.
async fn tail(store: &dyn ObjectStore, file: &ObjectMeta) -> Result<Bytes, Fault> {
    let cut = || {
        Fault::File(
            "it is no Parquet file, or its end is missing, as of one that was copied by half"
                .into(),
        )
    };
    let size = file.size;
    if size < END_BYTES {
        return Err(cut());
    }
    let tail = store.get_range(&file.location, size - size.min(TAIL_BYTES)..size).await?;
    let Some([a, b, c, d, magic @ ..]) = tail.last_chunk::<8>() else { return Err(cut()) };
    if magic != b"PAR1" && magic != b"PARE" {
        return Err(cut());
    }
    let footer = u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + END_BYTES;
    if footer > size {
        return Err(cut());
    }
    if footer > FOOTER_MAX_BYTES + END_BYTES {
        return Err(Fault::File("its footer is too long to be one".into()));
    }
    if footer <= tail.len() as u64 {
        return Ok(tail);
    }
    Ok(store.get_range(&file.location, size - footer..size).await?)
}

fn words(error: SinkError) -> Fault {
    Fault::File(format!("{:#}", anyhow::Error::new(error)))
}

/// Checks that the file is what its place says: of the table, of the host and of
/// the day, with every column, in a version that is known, and whole.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(super) fn check(found: &Found, metadata: &ParquetMetaData) -> Result<Footer, String> {
    let footer = metadata.file_metadata();
    let get = |name: &str| {
        let pairs = footer.key_value_metadata().into_iter().flatten();
        let value = pairs.filter(|pair| pair.key == name).find_map(|pair| pair.value.clone());
        value.ok_or_else(|| format!("it is no file of evscribe: its metadata lacks `{name}`"))
    };
    let version = get("evscribe.schema_version")?;
    let known = version.parse().is_ok_and(|version: u32| version <= SCHEMA_VERSION);
    if !known {
        return Err(format!(
            "it has schema version {version}, this evscribe-data knows {SCHEMA_VERSION} at most: \
             update it"
        ));
    }
    for (name, expected) in
        [("evscribe.table", found.table.name()), ("evscribe.host", found.host.as_str())]
    {
        let said = get(name)?;
        if said != expected {
            return Err(format!("it stands at a wrong place: its `{name}` is {said}"));
        }
    }
    check_columns(found, metadata)?;
    let is_inside = |group: &RowGroupMetaData| {
        group.columns().iter().all(|column| {
            let (begin, length) = column.byte_range();
            begin.checked_add(length).is_some_and(|end| end <= found.meta.size)
        })
    };
    if !metadata.row_groups().iter().all(is_inside) {
        return Err("its footer tells of bytes that it does not have: it is damaged".into());
    }
    let times = times(metadata);
    let day = i64::from(found.date) * DAY_US;
    if times.is_some_and(|(first, last)| first < day || last >= day.saturating_add(DAY_US)) {
        return Err("it stands at a wrong place: it has rows of another day".into());
    }
    let levels = match get("evscribe.sources") {
        Ok(sources) => levels(&sources, get("evscribe.level").ok())?,
        Err(_) => BTreeSet::from([get("evscribe.level")?]),
    };
    let rows: i64 = metadata.row_groups().iter().map(RowGroupMetaData::num_rows).sum();
    let rows = usize::try_from(rows).map_err(|_| "its number of rows is below zero")?;
    Ok(Footer { levels, rows, times })
}

/// One element of `evscribe.sources`, as far as a query needs it.
#[derive(Deserialize)]
struct SourceNote {
    /// Where the sources differ in it.
    level: Option<String>,
}

/// The levels of a merged file, of which `common` stands for those that say none.
fn levels(sources: &str, common: Option<String>) -> Result<BTreeSet<String>, String> {
    let notes: Vec<SourceNote> = serde_json::from_str(sources)
        .map_err(|_| "what it was merged of, its `evscribe.sources`, cannot be read")?;
    let levels = notes.into_iter().map(|note| note.level.or_else(|| common.clone()));
    let levels: Option<BTreeSet<String>> = levels.collect();
    let levels = levels.filter(|levels| !levels.is_empty());
    levels.ok_or_else(|| "it was merged of files that say no level".into())
}

fn check_columns(found: &Found, metadata: &ParquetMetaData) -> Result<(), String> {
    let footer = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(footer.schema_descr(), footer.key_value_metadata())
        .map_err(|error| format!("its columns cannot be read: {error}"))?;
    for expected in found.table.schema().fields() {
        let name = expected.name();
        let field = schema
            .field_with_name(name)
            .map_err(|_| format!("column `{name}` of table {} is missing", found.table.name()))?;
        if plain(field.data_type()) != plain(expected.data_type()) {
            return Err(format!(
                "column `{name}` is {}, in table {} it is {}",
                field.data_type(),
                found.table.name(),
                expected.data_type()
            ));
        }
    }
    Ok(())
}

/// The type, whichever of several ways to lay it out a writer took.
fn plain(kind: &DataType) -> DataType {
    let field = |field: &Field| Field::new(field.name(), plain(field.data_type()), true);
    match kind {
        DataType::Dictionary(_, values) => plain(values),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::List(item) | DataType::LargeList(item) => {
            DataType::List(Arc::new(field(item).with_name("item")))
        }
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|inner| field(inner)).collect::<Fields>())
        }
        DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "+00:00" => {
            DataType::Timestamp(*unit, Some("UTC".into()))
        }
        other => other.clone(),
    }
}

/// First and last time by the statistics of each row group.
fn times(metadata: &ParquetMetaData) -> Option<(i64, i64)> {
    let schema = metadata.file_metadata().schema_descr();
    let time = (0..schema.num_columns()).find(|index| schema.column(*index).name() == "time")?;
    let of = |group: &RowGroupMetaData| match group.columns().get(time)?.statistics()? {
        Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
        _ => None,
    };
    let spans: Option<Vec<_>> = metadata.row_groups().iter().map(of).collect();
    spans?.into_iter().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}
