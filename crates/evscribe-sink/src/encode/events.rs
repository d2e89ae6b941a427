//! Table `events`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Int16Builder, Int32Builder, TimestampMicrosecondBuilder,
};
use evscribe_model::{Event, What};

use super::{BATCH_ROWS, Words, times, words};

/// Places of the words of column `kind`.
#[derive(Clone, Copy)]
enum EventKind {
    Motion,
    Button,
    Key,
    Scroll,
    Switch,
}

#[derive(Debug)]
pub(super) struct EventRows {
    time: TimestampMicrosecondBuilder,
    run: Int32Builder,
    device: Int16Builder,
    kind: Int32Builder,
    dx: Int32Builder,
    dy: Int32Builder,
    wheel_v_120: Int32Builder,
    wheel_h_120: Int32Builder,
    down: BooleanBuilder,
    code: Int16Builder,
    key_class: Int32Builder,
    stroke: Int32Builder,
    inferred: BooleanBuilder,
}

impl Default for EventRows {
    fn default() -> Self {
        let int32 = || Int32Builder::with_capacity(BATCH_ROWS);
        let int16 = || Int16Builder::with_capacity(BATCH_ROWS);
        let boolean = || BooleanBuilder::with_capacity(BATCH_ROWS);
        Self {
            time: times(BATCH_ROWS),
            run: int32(),
            device: int16(),
            kind: int32(),
            dx: int32(),
            dy: int32(),
            wheel_v_120: int32(),
            wheel_h_120: int32(),
            down: boolean(),
            code: int16(),
            key_class: int32(),
            stroke: int32(),
            inferred: boolean(),
        }
    }
}

/// The columns that differ from kind to kind.
#[derive(Default)]
struct Cells {
    motion: Option<(i32, i32)>,
    scroll: Option<(i32, i32)>,
    down: Option<bool>,
    code: Option<i16>,
    key_class: Option<i32>,
    stroke: Option<i32>,
    inferred: bool,
}

fn cells(what: What) -> (EventKind, Cells) {
    match what {
        What::Motion { dx, dy } => {
            (EventKind::Motion, Cells { motion: Some((dx, dy)), ..Cells::default() })
        }
        What::Scroll { v_120, h_120 } => {
            (EventKind::Scroll, Cells { scroll: Some((v_120, h_120)), ..Cells::default() })
        }
        What::Button { code, down, stroke, inferred } => (
            EventKind::Button,
            Cells {
                down: Some(down),
                code: super::code(code),
                stroke: Some(stroke),
                inferred,
                ..Cells::default()
            },
        ),
        What::Key { code, class, down, stroke, inferred } => (
            EventKind::Key,
            Cells {
                down: Some(down),
                code: code.and_then(super::code),
                key_class: class.map(words::key_class),
                stroke: Some(stroke),
                inferred,
                ..Cells::default()
            },
        ),
        What::Switch { code, down, inferred } => (
            EventKind::Switch,
            Cells { down: Some(down), code: super::code(code), inferred, ..Cells::default() },
        ),
    }
}

impl EventRows {
    pub(super) fn rows(&self) -> usize {
        arrow::array::ArrayBuilder::len(&self.time)
    }

    pub(super) fn push(&mut self, row: &Event, wall_us: i64) {
        let (kind, cells) = cells(row.what);
        self.time.append_value(wall_us);
        self.run.append_value(row.run.0);
        self.device.append_value(row.device.0);
        self.kind.append_value(kind as i32);
        self.dx.append_option(cells.motion.map(|(dx, _)| dx));
        self.dy.append_option(cells.motion.map(|(_, dy)| dy));
        self.wheel_v_120.append_option(cells.scroll.map(|(v, _)| v));
        self.wheel_h_120.append_option(cells.scroll.map(|(_, h)| h));
        self.down.append_option(cells.down);
        self.code.append_option(cells.code);
        self.key_class.append_option(cells.key_class);
        self.stroke.append_option(cells.stroke);
        self.inferred.append_value(cells.inferred);
    }

    pub(super) fn finish(&mut self, subject: ArrayRef, session: ArrayRef) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.time.finish()),
            subject,
            session,
            Arc::new(self.run.finish()),
            Arc::new(self.device.finish()),
            Words::Kind.finish(&mut self.kind),
            Arc::new(self.dx.finish()),
            Arc::new(self.dy.finish()),
            Arc::new(self.wheel_v_120.finish()),
            Arc::new(self.wheel_h_120.finish()),
            Arc::new(self.down.finish()),
            Arc::new(self.code.finish()),
            Words::KeyClass.finish(&mut self.key_class),
            Arc::new(self.stroke.finish()),
            Arc::new(self.inferred.finish()),
        ]
    }
}
