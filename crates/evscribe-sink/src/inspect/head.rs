//! The first rows of a table, as plain values.

use std::path::Path;

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::file::{Sealed, cell};
use crate::{SinkError, Table, dataset::Tree, manifest, table::Kind};

/// The first rows of a table: by file name, so by time within a host and date.
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
pub fn head(directory: &Path, rows: usize, table: Table) -> Result<Head, SinkError> {
    manifest::read(directory)?;
    let names: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
    let mut head = Head {
        columns: std::iter::once("host").chain(names.iter().copied()).map(str::to_owned).collect(),
        rows: Vec::new(),
    };
    let inside = format!("{}/", table.name());
    for path in Tree::of(directory)?.files.iter().filter(|path| path.starts_with(&inside)) {
        if head.rows.len() >= rows {
            break;
        }
        Sealed::open(directory, path)?.read(&names, |meta, batch| {
            let wanted = rows.saturating_sub(head.rows.len()).min(batch.num_rows());
            for row in 0..wanted {
                let values = table
                    .columns()
                    .iter()
                    .map(|column| value(batch, column.name, column.kind, row));
                head.rows.push(std::iter::once(json!(meta.host)).chain(values).collect());
            }
            Ok(())
        })?;
    }
    Ok(head)
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
