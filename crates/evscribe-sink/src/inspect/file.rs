//! One sealed file, opened for reading; whatever it holds, an error, no panic.

use std::{collections::HashMap, path::Path, str::FromStr};

use arrow::{
    array::{
        Array, AsArray, BooleanArray, DictionaryArray, Int16Array, Int32Array, Int64Array,
        RecordBatch, StringArray, TimestampMicrosecondArray,
    },
    datatypes::{Int16Type, Int32Type, Int64Type, TimestampMicrosecondType},
};

use super::table_file::TableFile;
use crate::{Provenance, SinkError, Table, crypt::Keyring, provenance::key};

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

/// A sealed file whose footer, metadata and schema are in order.
#[derive(Debug)]
pub(crate) struct Sealed {
    file: TableFile,
    pub(crate) meta: Meta,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Head of the ledger it was sealed under.
    pub(crate) ledger_head: Option<String>,
}

impl Sealed {
    /// Opens the file at `place`, relative to `directory`, by whichever key of
    /// `keys` opens it, where it is encrypted.
    pub(crate) fn open(directory: &Path, place: &str, keys: &Keyring) -> Result<Self, SinkError> {
        let file = TableFile::open(directory, place, keys)?;
        let meta = read_meta(file.path(), file.table(), file.metadata())?;
        let (rows, bytes) = (file.rows(), file.bytes());
        let ledger_head = file.metadata().get(key::LEDGER_HEAD).cloned();
        Ok(Self { file, meta, rows, bytes, ledger_head })
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.file.is_encrypted()
    }

    /// What the metadata says of all rows; `subject` and `session` are columns.
    pub(crate) fn provenance(&self, subject: &str, session: &str) -> Result<Provenance, SinkError> {
        Provenance::from_metadata(self.file.metadata(), subject, session)
            .ok_or_else(|| malformed(self.file.path(), "its metadata cannot be read"))
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
        let Self { file, meta, .. } = self;
        file.read_some(columns, rows, |batch| each(&meta, batch))
    }
}

pub(super) fn malformed(path: &Path, why: impl Into<String>) -> SinkError {
    SinkError::Malformed { path: path.into(), why: why.into() }
}

fn read_meta(
    path: &Path,
    table: Table,
    pairs: &HashMap<String, String>,
) -> Result<Meta, SinkError> {
    let get = |key: &str| {
        let value = pairs.get(key).map(String::as_str);
        value.ok_or_else(|| malformed(path, format!("metadata `{key}` is missing")))
    };
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
    Ok(Meta {
        table,
        host: get(key::HOST)?.to_owned(),
        boot: get(key::BOOT)?.to_owned(),
        segment: get(key::SEGMENT)?.to_owned(),
        level: get(key::LEVEL)?.to_owned(),
        anchor_boot_us: number(path, key::ANCHOR_BOOT_US, get(key::ANCHOR_BOOT_US)?)?,
        anchor_wall_us: number(path, key::ANCHOR_WALL_US, get(key::ANCHOR_WALL_US)?)?,
    })
}

pub(super) fn number<T: FromStr>(path: &Path, key: &str, text: &str) -> Result<T, SinkError> {
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
