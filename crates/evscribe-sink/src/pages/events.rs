//! Table `events`, column by column.

use evscribe_model::{Event, KeyClass, What};
use parquet::errors::ParquetError;

use super::column::{self, Chunk, Presence, Spans};
use crate::encode::{KINDS, code};

/// Places of the words of column `kind`.
const MOTION: u8 = 0;
const BUTTON: u8 = 1;
const KEY: u8 = 2;
const SCROLL: u8 = 3;
const SWITCH: u8 = 4;

/// The rows of one row group.
#[derive(Debug, Default)]
pub(super) struct EventColumns {
    time: Vec<i64>,
    run: Spans<i32>,
    device: Spans<i32>,
    kind: Spans<u8>,
    has_motion: Presence,
    dx: Vec<i32>,
    dy: Vec<i32>,
    has_scroll: Presence,
    wheel_v_120: Spans<i32>,
    wheel_h_120: Spans<i32>,
    has_down: Presence,
    down: Spans<bool>,
    has_code: Presence,
    code: Spans<i32>,
    has_class: Presence,
    key_class: Spans<KeyClass>,
    has_stroke: Presence,
    stroke: Vec<i32>,
    inferred: Spans<bool>,
}

impl EventColumns {
    pub(super) fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    pub(super) fn push(&mut self, row: &Event, wall_us: i64) {
        self.time.push(wall_us);
        self.run.push(row.run.0);
        self.device.push(row.device.0.into());
        match row.what {
            What::Motion { dx, dy } => {
                self.kind.push(MOTION);
                self.dx.push(dx);
                self.dy.push(dy);
                self.rest(true, false, None, None, None, false);
            }
            What::Scroll { v_120, h_120 } => {
                self.kind.push(SCROLL);
                self.wheel_v_120.push(v_120);
                self.wheel_h_120.push(h_120);
                self.rest(false, true, None, None, None, false);
            }
            What::Button { code: button, down, stroke, inferred } => {
                self.kind.push(BUTTON);
                self.down.push(down);
                self.rest(false, false, code(button), None, Some(stroke), inferred);
            }
            What::Key { code: key, class, down, stroke, inferred } => {
                self.kind.push(KEY);
                self.down.push(down);
                self.rest(false, false, key.and_then(code), class, Some(stroke), inferred);
            }
            What::Switch { code: switch, down, inferred } => {
                self.kind.push(SWITCH);
                self.down.push(down);
                self.rest(false, false, code(switch), None, None, inferred);
            }
        }
    }

    /// What every kind of row has or has not.
    fn rest(
        &mut self,
        motion: bool,
        scroll: bool,
        code: Option<i16>,
        class: Option<KeyClass>,
        stroke: Option<i32>,
        inferred: bool,
    ) {
        self.has_motion.push(motion);
        self.has_scroll.push(scroll);
        self.has_down.push(!motion && !scroll);
        self.has_code.push(code.is_some());
        self.has_class.push(class.is_some());
        self.has_stroke.push(stroke.is_some());
        self.inferred.push(inferred);
        if let Some(code) = code {
            self.code.push(code.into());
        }
        if let Some(class) = class {
            self.key_class.push(class);
        }
        self.stroke.extend(stroke);
    }

    /// Hands the columns on, in the order of the schema, and forgets them.
    pub(super) fn chunks(
        &mut self,
        subject: &str,
        session: &str,
        rows: u32,
        mut append: impl FnMut(Chunk) -> Result<(), ParquetError>,
    ) -> Result<(), ParquetError> {
        let kind = |kind: u8| KINDS.get(usize::from(kind)).copied().unwrap_or_default();
        append(column::times(&self.time))?;
        append(column::constant(subject, rows))?;
        append(column::constant(session, rows))?;
        append(column::numbers(&self.run, None))?;
        append(column::numbers(&self.device, None))?;
        append(column::words(&self.kind, None, kind))?;
        append(column::deltas(&self.dx, &self.has_motion))?;
        append(column::deltas(&self.dy, &self.has_motion))?;
        append(column::numbers(&self.wheel_v_120, Some(&self.has_scroll)))?;
        append(column::numbers(&self.wheel_h_120, Some(&self.has_scroll)))?;
        append(column::bits(&self.down, Some(&self.has_down)))?;
        append(column::numbers(&self.code, Some(&self.has_code)))?;
        append(column::words(&self.key_class, Some(&self.has_class), KeyClass::name))?;
        append(column::deltas(&self.stroke, &self.has_stroke))?;
        append(column::bits(&self.inferred, None))?;
        *self = Self::default();
        Ok(())
    }
}
