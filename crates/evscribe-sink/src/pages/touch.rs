//! Table `touch`, column by column.

use evscribe_model::{Phase, Tool, Touch};
use parquet::errors::ParquetError;

use super::column::{self, Chunk, Presence, Spans};

/// A column that may be absent, by spans.
#[derive(Debug, Default)]
struct Sparse {
    present: Presence,
    values: Spans<i32>,
}

impl Sparse {
    fn push(&mut self, value: Option<i32>) {
        self.present.push(value.is_some());
        if let Some(value) = value {
            self.values.push(value);
        }
    }

    fn chunk(&self) -> Chunk {
        column::numbers(&self.values, Some(&self.present))
    }
}

/// The rows of one row group.
#[derive(Debug, Default)]
pub(super) struct TouchColumns {
    time: Vec<i64>,
    run: Spans<i32>,
    device: Spans<i32>,
    contact: Spans<i32>,
    phase: Spans<Phase>,
    x_um: Sparse,
    y_um: Sparse,
    has_x: Presence,
    x: Vec<i32>,
    has_y: Presence,
    y: Vec<i32>,
    pressure: Sparse,
    tool: Spans<Tool>,
    inferred: Spans<bool>,
}

impl TouchColumns {
    pub(super) fn push(&mut self, row: &Touch, wall_us: i64) {
        self.time.push(wall_us);
        self.run.push(row.run.0);
        self.device.push(row.device.0.into());
        self.contact.push(row.contact);
        self.phase.push(row.phase);
        self.x_um.push(row.x_um);
        self.y_um.push(row.y_um);
        self.has_x.push(row.x.is_some());
        self.x.extend(row.x);
        self.has_y.push(row.y.is_some());
        self.y.extend(row.y);
        self.pressure.push(row.pressure);
        self.tool.push(row.tool);
        self.inferred.push(row.inferred);
    }

    /// Hands the columns on, in the order of the schema, and forgets them.
    pub(super) fn chunks(
        &mut self,
        subject: &str,
        session: &str,
        rows: u32,
        mut append: impl FnMut(Chunk) -> Result<(), ParquetError>,
    ) -> Result<(), ParquetError> {
        append(column::times(&self.time))?;
        append(column::constant(subject, rows))?;
        append(column::constant(session, rows))?;
        append(column::numbers(&self.run, None))?;
        append(column::numbers(&self.device, None))?;
        append(column::numbers(&self.contact, None))?;
        append(column::words(&self.phase, None, Phase::name))?;
        append(self.x_um.chunk())?;
        append(self.y_um.chunk())?;
        append(column::split(&self.x, &self.has_x))?;
        append(column::split(&self.y, &self.has_y))?;
        append(self.pressure.chunk())?;
        append(column::words(&self.tool, None, Tool::name))?;
        append(column::bits(&self.inferred, None))?;
        *self = Self::default();
        Ok(())
    }
}
