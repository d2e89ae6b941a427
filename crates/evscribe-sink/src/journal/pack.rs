//! Batches to the payload of a record, and back.
//!
//! ```text
//! payload = table:u8 0[3] length:u32 message[length] body
//! ```
//! `message` and `body` are an Arrow IPC record batch (metadata V5, buffers
//! aligned to 8). Its columns are the table's, without those that the header
//! says once for all (`subject`, `session`, `boot`); words from a closed set
//! are their keys, other words are strings. The schema is fixed by the schema
//! version in the header, so no record depends on another.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, AsArray, DictionaryArray, RecordBatch},
    buffer::Buffer,
    compute::cast,
    datatypes::{DataType, Field, Int32Type, Schema, SchemaRef},
    error::ArrowError,
    ipc::{
        MetadataVersion,
        reader::read_record_batch,
        root_as_message,
        writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions},
    },
};

use super::{CLOSED, MAX_RECORD_BYTES, TAG_BYTES};
use crate::{
    Provenance, SinkError, Table,
    encode::{Words, constant},
    table::{Column, Kind},
};

const ALIGNMENT: usize = 8;

/// A batch on its way into a journal.
#[derive(Clone, Debug)]
pub(crate) struct JournalBatch {
    pub(crate) table: Table,
    pub(crate) batch: RecordBatch,
}

/// How a column stands in the journal.
enum Form {
    /// Not at all: the header says it.
    Header(fn(&Provenance) -> &str),
    /// As the keys of its words.
    Keys(Words),
    /// As strings.
    Strings,
    /// As it is.
    Plain,
}

fn form(column: &Column) -> Form {
    match (column.name, column.kind, Words::of(column.name)) {
        ("subject", ..) => Form::Header(|provenance| &provenance.subject),
        ("session", ..) => Form::Header(|provenance| &provenance.session),
        ("boot", ..) => Form::Header(|provenance| &provenance.boot),
        (_, Kind::Word, Some(words)) => Form::Keys(words),
        (_, Kind::Word, None) => Form::Strings,
        _ => Form::Plain,
    }
}

static SCHEMAS: LazyLock<[SchemaRef; 4]> = LazyLock::new(|| {
    Table::ALL.map(|table| {
        let schema = table.schema();
        let field = |(column, field): (&Column, &Arc<Field>)| match form(column) {
            Form::Header(_) => None,
            Form::Keys(_) => {
                Some(Arc::new(Field::new(column.name, DataType::Int32, column.nullable)))
            }
            Form::Strings => {
                Some(Arc::new(Field::new(column.name, DataType::Utf8, column.nullable)))
            }
            Form::Plain => Some(Arc::clone(field)),
        };
        Arc::new(Schema::new(
            table.columns().iter().zip(schema.fields()).filter_map(field).collect::<Vec<_>>(),
        ))
    })
});

fn schema(table: Table) -> Option<SchemaRef> {
    SCHEMAS.get(table as usize).map(Arc::clone)
}

/// The payloads of one batch, each small enough for a record.
pub(super) fn pack(batch: &JournalBatch) -> Result<Vec<Vec<u8>>, SinkError> {
    let table = batch.table;
    let payload = encode(batch).map_err(|source| SinkError::Arrow { table, source })?;
    if payload.len() + TAG_BYTES <= MAX_RECORD_BYTES {
        return Ok(vec![payload]);
    }
    let rows = batch.batch.num_rows();
    let half = rows / 2;
    if half == 0 {
        return Err(SinkError::TooLarge { table });
    }
    let part = |from, length| JournalBatch { table, batch: batch.batch.slice(from, length) };
    let mut payloads = pack(&part(0, half))?;
    payloads.append(&mut pack(&part(half, rows - half))?);
    Ok(payloads)
}

/// The payload that ends a journal.
pub(super) fn closing() -> Vec<u8> {
    vec![CLOSED]
}

fn encode(batch: &JournalBatch) -> Result<Vec<u8>, ArrowError> {
    let lean = lean(batch)?;
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let mut tracker = DictionaryTracker::new(false);
    let (_, data) = IpcDataGenerator::default().encode(
        &lean,
        &mut tracker,
        &options,
        &mut Default::default(),
    )?;
    let length = u32::try_from(data.ipc_message.len())
        .map_err(|_| ArrowError::IpcError("message is larger than 4 GiB".into()))?;
    let mut payload =
        Vec::with_capacity(8 + data.ipc_message.len() + data.arrow_data.len() + TAG_BYTES);
    payload.extend([batch.table as u8, 0, 0, 0]);
    payload.extend(length.to_le_bytes());
    payload.extend(&data.ipc_message);
    payload.extend(&data.arrow_data);
    Ok(payload)
}

/// The batch in the journal's schema.
fn lean(batch: &JournalBatch) -> Result<RecordBatch, ArrowError> {
    let missing = || ArrowError::SchemaError("a column is missing".into());
    let mut columns: Vec<ArrayRef> = Vec::new();
    for column in batch.table.columns() {
        let array = batch.batch.column_by_name(column.name).ok_or_else(missing)?;
        match form(column) {
            Form::Header(_) => {}
            Form::Keys(_) => {
                let words = array.as_dictionary_opt::<Int32Type>().ok_or_else(missing)?;
                columns.push(Arc::new(words.keys().clone()));
            }
            Form::Strings => columns.push(cast(array, &DataType::Utf8)?),
            Form::Plain => columns.push(Arc::clone(array)),
        }
    }
    RecordBatch::try_new(schema(batch.table).ok_or_else(missing)?, columns)
}

/// The batch of a payload, in the table's own schema; `None` for a payload
/// that no writer of this version makes.
pub(crate) fn unpack(payload: &[u8], provenance: &Provenance) -> Option<JournalBatch> {
    let (head, rest) = payload.split_first_chunk::<8>()?;
    let [place, _, _, _, length @ ..] = head;
    let table = Table::ALL.into_iter().find(|table| *table as u8 == *place)?;
    let (message, body) =
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let message = root_as_message(message).ok()?;
    let header = message.header_as_record_batch()?;
    let body = Buffer::from(body.to_vec());
    let lean = read_record_batch(
        &body,
        header,
        schema(table)?,
        &Default::default(),
        None,
        &message.version(),
    )
    .ok()?;
    let batch = full(table, &lean, provenance).ok()?;
    Some(JournalBatch { table, batch })
}

/// The batch in the table's schema.
fn full(
    table: Table,
    lean: &RecordBatch,
    provenance: &Provenance,
) -> Result<RecordBatch, ArrowError> {
    let missing = || ArrowError::SchemaError("a column is missing".into());
    let mut columns: Vec<ArrayRef> = Vec::new();
    for column in table.columns() {
        let array = lean.column_by_name(column.name).ok_or_else(missing);
        columns.push(match form(column) {
            Form::Header(word) => constant(word(provenance), lean.num_rows()),
            Form::Keys(words) => {
                words.column(array?.as_primitive_opt::<Int32Type>().ok_or_else(missing)?.clone())?
            }
            Form::Strings => {
                let strings = array?.as_string_opt::<i32>().ok_or_else(missing)?;
                Arc::new(strings.iter().collect::<DictionaryArray<Int32Type>>())
            }
            Form::Plain => Arc::clone(array?),
        });
    }
    RecordBatch::try_new(table.schema(), columns)
}
