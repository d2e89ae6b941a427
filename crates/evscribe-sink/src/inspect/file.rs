//! One sealed file, opened for reading; whatever it holds, an error, no panic.

use std::{
    collections::HashMap,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    str::FromStr,
};

use arrow::{
    array::{
        Array, AsArray, BooleanArray, DictionaryArray, Int16Array, Int32Array, Int64Array,
        RecordBatch, StringArray, TimestampMicrosecondArray,
    },
    datatypes::{Int16Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    errors::ParquetError,
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};

use crate::{
    Provenance, SCHEMA_VERSION, SinkError, Table,
    crypt::{self, Keyring, modules},
    error::{At, InFile},
    provenance::key,
};

/// Rows read at once.
const READ_ROWS: usize = 8192;

/// What a file's metadata says.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub(crate) table: Table,
    pub(crate) host: String,
    pub(crate) boot: String,
    pub(crate) segment: String,
    pub(crate) level: String,
    anchor_boot_us: i64,
    anchor_wall_us: i64,
}

impl Meta {
    /// Boot time of a wall time of this file; exact, and comparable between
    /// all files of one host and boot.
    pub(crate) fn boot_us(&self, wall_us: i64) -> i64 {
        wall_us.saturating_sub(self.anchor_wall_us).saturating_add(self.anchor_boot_us)
    }
}

/// A file whose footer, metadata and schema are in order.
#[derive(Debug)]
pub(crate) struct Sealed {
    path: PathBuf,
    pub(crate) meta: Meta,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// The file once more, where it is encrypted.
    encrypted: Option<File>,
    /// Head of the ledger it was sealed under.
    pub(crate) ledger_head: Option<String>,
    metadata: HashMap<String, String>,
    builder: ParquetRecordBatchReaderBuilder<File>,
}

fn malformed(path: &Path, why: impl Into<String>) -> SinkError {
    SinkError::Malformed { path: path.into(), why: why.into() }
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

impl Sealed {
    /// Opens the file at `place`, relative to `directory`, by whichever key of
    /// `keys` opens it, where it is encrypted.
    pub(crate) fn open(directory: &Path, place: &str, keys: &Keyring) -> Result<Self, SinkError> {
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
            let pairs: HashMap<&str, &str> = footer
                .key_value_metadata()
                .into_iter()
                .flatten()
                .filter_map(|pair| Some((pair.key.as_str(), pair.value.as_deref()?)))
                .collect();
            let meta = read_meta(&path, &pairs)?;
            let schema = meta.table.schema();
            if builder.schema().fields() != schema.fields() {
                let differs = schema
                    .fields()
                    .iter()
                    .find(|field| !builder.schema().fields().iter().any(|found| found == *field));
                let which = differs.map_or("a column too many or another order".into(), |field| {
                    format!("column `{}`", field.name())
                });
                return Err(malformed(
                    &path,
                    format!("schema is not that of table {}: {which}", meta.table.name()),
                ));
            }
            let rows = u64::try_from(footer.num_rows()).unwrap_or(0);
            let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
            let metadata: HashMap<String, String> = pairs.into_iter().map(own).collect();
            let ledger_head = metadata.get(key::LEDGER_HEAD).cloned();
            let path = path.clone();
            Ok(Self { path, meta, rows, bytes, encrypted, ledger_head, metadata, builder })
        })
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted.is_some()
    }

    /// What the metadata says of all rows; `subject` and `session` are columns.
    pub(crate) fn provenance(&self, subject: &str, session: &str) -> Result<Provenance, SinkError> {
        Provenance::from_metadata(&self.metadata, subject, session)
            .ok_or_else(|| malformed(&self.path, "its metadata cannot be read"))
    }

    /// Reads the columns, in batches; `each` may end it by an error.
    pub(crate) fn read(
        self,
        columns: &[&str],
        each: impl FnMut(&Meta, &RecordBatch) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        self.read_some(columns, usize::MAX, each)
    }

    /// As [`Sealed::read`], of the first `rows` rows.
    pub(crate) fn read_some(
        self,
        columns: &[&str],
        rows: usize,
        mut each: impl FnMut(&Meta, &RecordBatch) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        let Self { path, meta, builder, encrypted, .. } = self;
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
                each(&meta, &batch)?;
            }
            Ok(())
        })
    }
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

fn read_meta(path: &Path, pairs: &HashMap<&str, &str>) -> Result<Meta, SinkError> {
    let get = |key: &str| {
        pairs
            .get(key)
            .copied()
            .ok_or_else(|| malformed(path, format!("metadata `{key}` is missing")))
    };
    let version: u32 = number(path, key::SCHEMA_VERSION, get(key::SCHEMA_VERSION)?)?;
    if version > SCHEMA_VERSION {
        return Err(SinkError::NewerSchema { path: path.into(), found: version });
    }
    get(key::WRITER_VERSION)?;
    let clock = get(key::CLOCK)?;
    if clock == "boottime" {
        for key in [key::NOTICE, key::ACKNOWLEDGEMENT, key::POLICY] {
            get(key)?;
        }
    } else if clock != "recording" {
        return Err(malformed(
            path,
            format!("metadata `{}` is `{clock}`: no known clock", key::CLOCK),
        ));
    }
    let table = get(key::TABLE)?;
    Ok(Meta {
        table: Table::named(table)
            .ok_or_else(|| malformed(path, format!("there is no table `{table}`")))?,
        host: get(key::HOST)?.to_owned(),
        boot: get(key::BOOT)?.to_owned(),
        segment: get(key::SEGMENT)?.to_owned(),
        level: get(key::LEVEL)?.to_owned(),
        anchor_boot_us: number(path, key::ANCHOR_BOOT_US, get(key::ANCHOR_BOOT_US)?)?,
        anchor_wall_us: number(path, key::ANCHOR_WALL_US, get(key::ANCHOR_WALL_US)?)?,
    })
}

fn number<T: FromStr>(path: &Path, key: &str, text: &str) -> Result<T, SinkError> {
    text.parse().map_err(|_| malformed(path, format!("metadata `{key}` is `{text}`: no number")))
}

/// The columns of a batch by name; all are there once the schema was checked.
pub(crate) struct Columns<'a>(pub(crate) &'a RecordBatch);

impl<'a> Columns<'a> {
    fn column<T>(
        &self,
        name: &str,
        of: impl FnOnce(&'a dyn Array) -> Option<T>,
    ) -> Result<T, SinkError> {
        let column = self.0.column_by_name(name).and_then(|column| of(column.as_ref()));
        column.ok_or_else(|| malformed(Path::new(name), "the column is missing"))
    }

    pub(crate) fn times(&self, name: &str) -> Result<&'a TimestampMicrosecondArray, SinkError> {
        self.column(name, |column| column.as_primitive_opt::<TimestampMicrosecondType>())
    }

    pub(crate) fn int16(&self, name: &str) -> Result<&'a Int16Array, SinkError> {
        self.column(name, |column| column.as_primitive_opt::<Int16Type>())
    }

    pub(crate) fn int32(&self, name: &str) -> Result<&'a Int32Array, SinkError> {
        self.column(name, |column| column.as_primitive_opt::<Int32Type>())
    }

    pub(crate) fn int64(&self, name: &str) -> Result<&'a Int64Array, SinkError> {
        self.column(name, |column| column.as_primitive_opt::<Int64Type>())
    }

    pub(crate) fn flags(&self, name: &str) -> Result<&'a BooleanArray, SinkError> {
        self.column(name, AsArray::as_boolean_opt)
    }

    pub(crate) fn texts(&self, name: &str) -> Result<&'a StringArray, SinkError> {
        self.column(name, |column| column.as_string_opt::<i32>())
    }

    pub(crate) fn words(&self, name: &str) -> Result<WordColumn<'a>, SinkError> {
        let array: &DictionaryArray<Int32Type> =
            self.column(name, |column| column.as_dictionary_opt::<Int32Type>())?;
        let values = array.values().as_string_opt::<i32>();
        let values =
            values.ok_or_else(|| malformed(Path::new(name), "its words are no strings"))?;
        Ok(WordColumn { keys: array.keys(), values })
    }
}

/// A column of words.
pub(crate) struct WordColumn<'a> {
    keys: &'a Int32Array,
    values: &'a StringArray,
}

impl<'a> WordColumn<'a> {
    /// The word of a row; `None` for null.
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        let key = usize::try_from(cell(self.keys, row)?).ok()?;
        (key < self.values.len() && self.values.is_valid(key)).then(|| self.values.value(key))
    }
}

/// The value of a row; `None` for null.
pub(crate) fn cell<T: arrow::datatypes::ArrowPrimitiveType>(
    array: &arrow::array::PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    (row < array.len() && array.is_valid(row)).then(|| array.value(row))
}

/// The flag of a row; `None` for null.
pub(crate) fn flag(array: &BooleanArray, row: usize) -> Option<bool> {
    (row < array.len() && array.is_valid(row)).then(|| array.value(row))
}
