//! Table `touch`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Int16Builder, Int32Builder, TimestampMicrosecondBuilder,
};
use evscribe_model::Touch;

use super::{BATCH_ROWS, Words, times, words};

#[derive(Debug)]
pub(super) struct TouchRows {
    time: TimestampMicrosecondBuilder,
    run: Int32Builder,
    device: Int16Builder,
    contact: Int32Builder,
    phase: Int32Builder,
    x_um: Int32Builder,
    y_um: Int32Builder,
    x: Int32Builder,
    y: Int32Builder,
    pressure: Int32Builder,
    tool: Int32Builder,
    inferred: BooleanBuilder,
}

impl Default for TouchRows {
    fn default() -> Self {
        let int32 = || Int32Builder::with_capacity(BATCH_ROWS);
        Self {
            time: times(BATCH_ROWS),
            run: int32(),
            device: Int16Builder::with_capacity(BATCH_ROWS),
            contact: int32(),
            phase: int32(),
            x_um: int32(),
            y_um: int32(),
            x: int32(),
            y: int32(),
            pressure: int32(),
            tool: int32(),
            inferred: BooleanBuilder::with_capacity(BATCH_ROWS),
        }
    }
}

impl TouchRows {
    pub(super) fn rows(&self) -> usize {
        arrow::array::ArrayBuilder::len(&self.time)
    }

    pub(super) fn push(&mut self, row: &Touch, wall_us: i64) {
        self.time.append_value(wall_us);
        self.run.append_value(row.run.0);
        self.device.append_value(row.device.0);
        self.contact.append_value(row.contact);
        self.phase.append_value(words::phase(row.phase));
        self.x_um.append_option(row.x_um);
        self.y_um.append_option(row.y_um);
        self.x.append_option(row.x);
        self.y.append_option(row.y);
        self.pressure.append_option(row.pressure);
        self.tool.append_value(words::tool(row.tool));
        self.inferred.append_value(row.inferred);
    }

    pub(super) fn finish(&mut self, subject: ArrayRef, session: ArrayRef) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.time.finish()),
            subject,
            session,
            Arc::new(self.run.finish()),
            Arc::new(self.device.finish()),
            Arc::new(self.contact.finish()),
            Words::Phase.finish(&mut self.phase),
            Arc::new(self.x_um.finish()),
            Arc::new(self.y_um.finish()),
            Arc::new(self.x.finish()),
            Arc::new(self.y.finish()),
            Arc::new(self.pressure.finish()),
            Words::Tool.finish(&mut self.tool),
            Arc::new(self.inferred.finish()),
        ]
    }
}
