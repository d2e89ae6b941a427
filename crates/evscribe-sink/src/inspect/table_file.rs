//! A Parquet file of one of our tables, whoever put it together: sealed by a
//! workstation, or merged of such in a lake. Whatever it holds, an error, no panic.

use std::{
    collections::HashMap,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use arrow::array::RecordBatch;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    errors::ParquetError,
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};

use super::{
    file::{malformed, number},
    footer::check_footer,
};
use crate::{
    SCHEMA_VERSION, SinkError, Table,
    crypt::{self, Keyring, modules},
    error::{At, InFile},
    provenance::key,
};

/// Rows read at once.
const READ_ROWS: usize = 8192;

/// A file whose footer opens, and whose schema is that of the table it names.
#[derive(Debug)]
pub struct TableFile {
    path: PathBuf,
    table: Table,
    rows: u64,
    bytes: u64,
    /// The file once more, where it is encrypted.
    encrypted: Option<File>,
    metadata: HashMap<String, String>,
    builder: ParquetRecordBatchReaderBuilder<File>,
}

fn tampered(path: &Path, error: &dyn std::fmt::Display) -> SinkError {
    let source = Box::new(SinkError::Tampered { what: error.to_string() });
    SinkError::Decrypt { path: path.into(), source }
}

/// Keeps a fault of the Parquet reader on hostile bytes from ending the process.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, SinkError>) -> Result<T, SinkError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(malformed(path, "the parquet reader gives it up")))
}

impl TableFile {
    /// Opens the file at `place`, relative to `directory`, by whichever key of
    /// `keys` opens it, where it is encrypted.
    ///
    /// # Errors
    /// [`SinkError::Io`]; [`SinkError::Decrypt`], also of what
    /// [lacks a key](SinkError::lacks_key); [`SinkError::NewerSchema`];
    /// [`SinkError::Parquet`], [`SinkError::Malformed`] for what is none of our
    /// tables.
    pub fn open(directory: &Path, place: &str, keys: &Keyring) -> Result<Self, SinkError> {
        let path = directory.join(place);
        guarded(&path, || {
            let mut file = File::open(&path).at("open", &path)?;
            let bytes = file.metadata().at("read", &path)?.len();
            let key = crypt::data_key_of(&mut file, place, keys).map_err(|error| match error {
                SinkError::Io { doing, source, .. } => {
                    SinkError::Io { doing, path: path.clone(), source }
                }
                error => SinkError::Decrypt { path: path.clone(), source: Box::new(error) },
            })?;
            check_footer(&mut file, &path, key.as_ref()).map_err(|error| match error {
                SinkError::Tampered { what } => tampered(&path, &what),
                error => error,
            })?;
            let mut options = ArrowReaderOptions::new();
            if let Some(key) = &key {
                let decryption = key.decryption(place).in_file(&path)?;
                options = options.with_file_decryption_properties(decryption);
            }
            let is_encrypted = key.is_some();
            let encrypted = is_encrypted.then(|| file.try_clone().at("open", &path)).transpose()?;
            let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
                .map_err(|source| match source {
                    // The disk is at fault, not what is on it.
                    ParquetError::External(_) => SinkError::Parquet { path: path.clone(), source },
                    source if is_encrypted => tampered(&path, &source),
                    source => SinkError::Parquet { path: path.clone(), source },
                })?;
            let footer = builder.metadata().file_metadata();
            let metadata: HashMap<String, String> = footer
                .key_value_metadata()
                .into_iter()
                .flatten()
                .filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?)))
                .collect();
            let table = read_table(&path, &metadata)?;
            check_schema(&path, table, &builder)?;
            let rows = u64::try_from(footer.num_rows()).unwrap_or(0);
            let path = path.clone();
            Ok(Self { path, table, rows, bytes, encrypted, metadata, builder })
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The table that it says it is of.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table
    }

    /// How many rows its footer says it holds.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Its length.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted.is_some()
    }

    /// The key-value metadata of its footer; docs/FORMAT.md has the keys.
    #[must_use]
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// Reads the columns, in batches; `each` may end it by an error.
    ///
    /// # Errors
    /// [`SinkError::Decrypt`], [`SinkError::Malformed`] for what does not read;
    /// that of `each`.
    pub fn read(
        self,
        columns: &[&str],
        each: impl FnMut(&RecordBatch) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        self.read_some(columns, usize::MAX, each)
    }

    /// As [`TableFile::read`], of the first `rows` rows.
    pub(crate) fn read_some(
        self,
        columns: &[&str],
        rows: usize,
        mut each: impl FnMut(&RecordBatch) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        let Self { path, builder, encrypted, .. } = self;
        guarded(&path, || {
            if let Some(file) = &encrypted {
                check_lengths(file, &path, builder.metadata())?;
            }
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            let reader = builder
                .with_projection(mask)
                .with_batch_size(READ_ROWS.min(rows))
                .with_limit(rows)
                .build();
            for batch in
                reader.map_err(|source| SinkError::Parquet { path: path.clone(), source })?
            {
                let batch = batch.map_err(|error| {
                    if encrypted.is_some() {
                        tampered(&path, &error)
                    } else {
                        malformed(&path, error.to_string())
                    }
                })?;
                each(&batch)?;
            }
            Ok(())
        })
    }
}

fn read_table(path: &Path, pairs: &HashMap<String, String>) -> Result<Table, SinkError> {
    let get = |key: &str| {
        pairs.get(key).ok_or_else(|| malformed(path, format!("metadata `{key}` is missing")))
    };
    let version: u32 = number(path, key::SCHEMA_VERSION, get(key::SCHEMA_VERSION)?)?;
    if version > SCHEMA_VERSION {
        return Err(SinkError::NewerSchema { path: path.into(), found: version });
    }
    get(key::WRITER_VERSION)?;
    let table = get(key::TABLE)?;
    Table::named(table).ok_or_else(|| malformed(path, format!("there is no table `{table}`")))
}

fn check_schema(
    path: &Path,
    table: Table,
    builder: &ParquetRecordBatchReaderBuilder<File>,
) -> Result<(), SinkError> {
    let schema = table.schema();
    if builder.schema().fields() == schema.fields() {
        return Ok(());
    }
    let differs = schema
        .fields()
        .iter()
        .find(|field| !builder.schema().fields().iter().any(|found| found == *field));
    let which = differs.map_or("a column too many or another order".into(), |field| {
        format!("column `{}`", field.name())
    });
    Err(malformed(path, format!("schema is not that of table {}: {which}", table.name())))
}

/// Checks what no key checks in an encrypted file: the lengths of its modules.
fn check_lengths(file: &File, path: &Path, metadata: &ParquetMetaData) -> Result<(), SinkError> {
    for column in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let (begin, length) = column.byte_range();
        if !modules::fill(file, begin, begin.saturating_add(length)).at("read", path)? {
            return Err(tampered(path, &"the lengths of its pages"));
        }
    }
    Ok(())
}
