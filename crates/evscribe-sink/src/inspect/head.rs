//! The first and the last rows of a table, as plain values.

use std::{collections::VecDeque, path::Path};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::file::{Meta, Sealed, cell};
use crate::{SinkError, Table, crypt::Keyring, dataset::Tree, manifest, table::Kind};

/// Rows of a table: by file name, so by time within a host and date.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Head {
    /// Names of the columns; the first is `host`, from the file's metadata.
    pub columns: Vec<String>,
    /// A value per column; times as RFC 3339 in UTC.
    pub rows: Vec<Vec<Value>>,
}

/// The first `rows` rows of `table` in the dataset at `directory`.
///
/// # Errors
/// [`SinkError::NoDataset`], and whatever keeps a file from being read; the
/// error names it.
pub fn head(
    directory: &Path,
    rows: usize,
    table: Table,
    keys: &Keyring,
) -> Result<Head, SinkError> {
    let mut head = Head::of(directory, table)?;
    for path in files(directory, table)? {
        if head.rows.len() >= rows {
            break;
        }
        Sealed::open(directory, &path, keys)?.read(&names(table), |meta, batch| {
            let wanted = rows.saturating_sub(head.rows.len()).min(batch.num_rows());
            head.rows.extend((0..wanted).map(|row| values(table, meta, batch, row)));
            Ok(())
        })?;
    }
    Ok(head)
}

/// The last `rows` rows of `table` in the dataset at `directory`, oldest first.
///
/// Memory grows with `rows`, not with the dataset.
///
/// # Errors
/// As [`head`].
pub fn tail(
    directory: &Path,
    rows: usize,
    table: Table,
    keys: &Keyring,
) -> Result<Head, SinkError> {
    let mut tail = Head::of(directory, table)?;
    for path in files(directory, table)?.iter().rev() {
        let lacking = rows.saturating_sub(tail.rows.len());
        if lacking == 0 {
            break;
        }
        let mut last = VecDeque::new();
        Sealed::open(directory, path, keys)?.read(&names(table), |meta, batch| {
            let count = batch.num_rows();
            for row in count.saturating_sub(lacking)..count {
                if last.len() == lacking {
                    last.pop_front();
                }
                last.push_back(values(table, meta, batch, row));
            }
            Ok(())
        })?;
        last.extend(tail.rows);
        tail.rows = last.into();
    }
    Ok(tail)
}

impl Head {
    /// None yet, of a dataset that is one.
    fn of(directory: &Path, table: Table) -> Result<Self, SinkError> {
        manifest::read(directory)?;
        let columns = std::iter::once("host").chain(names(table)).map(str::to_owned).collect();
        Ok(Self { columns, rows: Vec::new() })
    }
}

fn names(table: Table) -> Vec<&'static str> {
    table.columns().iter().map(|column| column.name).collect()
}

/// The table's files, by name.
fn files(directory: &Path, table: Table) -> Result<Vec<String>, SinkError> {
    let mut files = Tree::of(directory)?.files;
    let inside = format!("{}/", table.name());
    files.retain(|path| path.starts_with(&inside));
    Ok(files)
}

fn values(table: Table, meta: &Meta, batch: &RecordBatch, row: usize) -> Vec<Value> {
    let columns = table.columns().iter();
    let values = columns.map(|column| value(batch, column.name, column.kind, row));
    std::iter::once(json!(meta.host)).chain(values).collect()
}

fn value(batch: &RecordBatch, name: &str, kind: Kind, row: usize) -> Value {
    batch
        .column_by_name(name)
        .and_then(|array| any(array.as_ref(), kind, row))
        .unwrap_or(Value::Null)
}

fn any(array: &dyn Array, kind: Kind, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    Some(match kind {
        Kind::Time => {
            let at_us = cell(array.as_primitive_opt::<TimestampMicrosecondType>()?, row)?;
            Timestamp::from_microsecond(at_us)
                .map_or_else(|_| json!(at_us), |at| json!(format!("{at:.6}")))
        }
        Kind::Word => {
            let array = array.as_dictionary_opt::<Int32Type>()?;
            let key = usize::try_from(cell(array.keys(), row)?).ok()?;
            let words = array.values().as_string_opt::<i32>()?;
            (key < words.len()).then(|| json!(words.value(key)))?
        }
        Kind::Text => json!(array.as_string_opt::<i32>()?.value(row)),
        Kind::Int16 => json!(cell(array.as_primitive_opt::<Int16Type>()?, row)?),
        Kind::Int32 => json!(cell(array.as_primitive_opt::<Int32Type>()?, row)?),
        Kind::Int64 => json!(cell(array.as_primitive_opt::<Int64Type>()?, row)?),
        Kind::Float => json!(cell(array.as_primitive_opt::<Float64Type>()?, row)?),
        Kind::Bool => json!(array.as_boolean_opt()?.value(row)),
        Kind::Axes => axes(array.as_list_opt::<i32>()?.value(row).as_ref()),
    })
}

fn axes(array: &dyn Array) -> Value {
    let Some(axes) = array.as_struct_opt() else { return Value::Null };
    let member = |field: &arrow::datatypes::FieldRef, row| {
        let kind = if field.data_type() == &DataType::Int16 { Kind::Int16 } else { Kind::Int32 };
        let array = axes.column_by_name(field.name());
        (
            field.name().clone(),
            array.and_then(|array| any(array.as_ref(), kind, row)).unwrap_or(Value::Null),
        )
    };
    let axis = |row| Value::Object(axes.fields().iter().map(|field| member(field, row)).collect());
    Value::Array((0..axes.len()).map(axis).collect())
}
