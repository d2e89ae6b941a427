//! Rows of the tables that have few, marks and devices, to Arrow record batches.
//!
//! Words from a closed set are constant dictionaries: only their keys are built.

mod devices;
mod marks;
mod words;

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, DictionaryArray, Int32Array, TimestampMicrosecondArray,
        TimestampMicrosecondBuilder,
    },
    datatypes::Int32Type,
    record_batch::RecordBatch,
};
use evscribe_model::{Anchor, BootUs, Row};

use crate::{Provenance, SinkError, Table, table::UTC};

pub(crate) use devices::DeviceCells;
pub(crate) use marks::MarkCells;
pub(crate) use words::KINDS;
#[cfg(test)]
pub(crate) use words::POINTINGS;
pub(crate) use words::Words;

/// Earliest wall time, 0001-01-01T00:00:00Z: what Python's datetime holds.
pub(crate) const FIRST_US: i64 = -62_135_596_800_000_000;

/// Latest wall time, 9998-12-31T23:59:59.999999Z: what jiff holds, in whole years.
pub(crate) const LAST_US: i64 = 253_370_764_799_999_999;

/// Rows of a batch.
pub(crate) const BATCH_ROWS: usize = 4096;

/// Wall time of a stamp, in microseconds.
///
/// # Errors
/// [`SinkError::Time`] outside the years 1 to 9998.
pub(crate) fn wall_us(anchor: &Anchor, at: BootUs) -> Result<i64, SinkError> {
    // Nearly always the plain sum holds it; `wall_of` says the same.
    let offset_us = i64::try_from(anchor.boot.get())
        .ok()
        .and_then(|boot_us| anchor.wall.get().checked_sub(boot_us));
    let sum_us = i64::try_from(at.get()).ok().zip(offset_us).and_then(|(a, b)| a.checked_add(b));
    let at_us = sum_us.unwrap_or_else(|| anchor.wall_of(at).get());
    if (FIRST_US..=LAST_US).contains(&at_us) { Ok(at_us) } else { Err(SinkError::Time { at_us }) }
}

/// The table of a row.
pub(crate) const fn table_of(row: &Row) -> Table {
    match row {
        Row::Event(_) => Table::Events,
        Row::Touch(_) => Table::Touch,
        Row::Mark(_) => Table::Marks,
        Row::Device(_) => Table::Devices,
    }
}

/// Collects marks and devices and makes batches of them. Times are by the
/// anchor of one provenance until the batches are finished.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    marks: marks::MarkRows,
    devices: devices::DeviceRows,
}

impl Encoder {
    pub(crate) fn push_mark(&mut self, row: &MarkCells, wall_us: i64, until_us: Option<i64>) {
        self.marks.push(row, wall_us, until_us);
    }

    pub(crate) fn push_device(&mut self, row: DeviceCells, wall_us: i64) {
        self.devices.push(row, wall_us);
    }

    /// Rows of `table` that wait.
    pub(crate) fn rows(&self, table: Table) -> usize {
        match table {
            Table::Events | Table::Touch => 0,
            Table::Marks => self.marks.rows(),
            Table::Devices => self.devices.rows(),
        }
    }

    /// The waiting rows of `table` as a batch; the builders are empty after.
    pub(crate) fn finish(
        &mut self,
        table: Table,
        provenance: &Provenance,
    ) -> Result<RecordBatch, SinkError> {
        let rows = self.rows(table);
        let subject = constant(&provenance.subject, rows);
        let session = constant(&provenance.session, rows);
        let columns = match table {
            Table::Events | Table::Touch => return Ok(RecordBatch::new_empty(table.schema())),
            Table::Marks => self.marks.finish(subject, session),
            Table::Devices => self.devices.finish(constant(&provenance.boot, rows)),
        };
        RecordBatch::try_new(table.schema(), columns)
            .map_err(|source| SinkError::Arrow { table, source })
    }
}

/// A dictionary column that says the same word in each row.
pub(crate) fn constant(word: &str, rows: usize) -> ArrayRef {
    let keys = Int32Array::from(vec![0; rows]);
    let values = Arc::new(arrow::array::StringArray::from(vec![word]));
    // Key 0 is inside a dictionary of one word: nothing to check.
    match DictionaryArray::<Int32Type>::try_new(keys, values) {
        Ok(array) => Arc::new(array),
        Err(_) => Arc::new(std::iter::repeat_n(word, rows).collect::<DictionaryArray<Int32Type>>()),
    }
}

/// A builder of times.
pub(crate) fn times(capacity: usize) -> TimestampMicrosecondBuilder {
    TimestampMicrosecondArray::builder(capacity).with_timezone(UTC)
}

/// An evdev code as the columns hold it; null where it is no code at all.
pub(crate) fn code(code: u16) -> Option<i16> {
    i16::try_from(code).ok()
}
