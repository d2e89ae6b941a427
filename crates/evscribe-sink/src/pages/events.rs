//! Table `events`, column by column.

use evscribe_model::{Event, KeyClass, What};
use parquet::errors::ParquetError;

use super::column::{self, Chunk, Spans};
use crate::encode::{KINDS, code};

/// What a row has, apart from its values: mostly as the row before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    kind: Kind,
    /// Key, button, switch: whether it went down or on.
    down: bool,
    inferred: bool,
    has_code: bool,
    has_class: bool,
}

/// Places of the words of column `kind`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Motion,
    Button,
    Key,
    Scroll,
    Switch,
}

impl Kind {
    fn word(self) -> &'static str {
        KINDS.get(self as usize).copied().unwrap_or_default()
    }

    fn has_down(self) -> bool {
        matches!(self, Self::Button | Self::Key | Self::Switch)
    }

    fn has_stroke(self) -> bool {
        matches!(self, Self::Button | Self::Key)
    }
}

/// The rows of one row group.
#[derive(Debug, Default)]
pub(super) struct EventColumns {
    time: Vec<i64>,
    /// Run and device: a run is of one device.
    source: Spans<(i32, i16)>,
    shape: Spans<Shape>,
    dx: Vec<i32>,
    dy: Vec<i32>,
    wheel_v_120: Spans<i32>,
    wheel_h_120: Spans<i32>,
    code: Spans<i32>,
    key_class: Spans<KeyClass>,
    stroke: Vec<i32>,
}

impl EventColumns {
    pub(super) fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    pub(super) fn push(&mut self, row: &Event, wall_us: i64) {
        self.time.push(wall_us);
        self.source.push((row.run.0, row.device.0));
        let shape = match row.what {
            What::Motion { dx, dy } => {
                self.dx.push(dx);
                self.dy.push(dy);
                Shape::still(Kind::Motion)
            }
            What::Scroll { v_120, h_120 } => {
                self.wheel_v_120.push(v_120);
                self.wheel_h_120.push(h_120);
                Shape::still(Kind::Scroll)
            }
            What::Button { code: button, down, stroke, inferred } => {
                self.stroke.push(stroke);
                let has_code = self.push_code(Some(button));
                Shape { down, inferred, has_code, ..Shape::still(Kind::Button) }
            }
            What::Key { code: key, class, down, stroke, inferred } => {
                self.stroke.push(stroke);
                if let Some(class) = class {
                    self.key_class.push(class);
                }
                let (has_code, has_class) = (self.push_code(key), class.is_some());
                Shape { kind: Kind::Key, down, inferred, has_code, has_class }
            }
            What::Switch { code: switch, down, inferred } => {
                let has_code = self.push_code(Some(switch));
                Shape { down, inferred, has_code, ..Shape::still(Kind::Switch) }
            }
        };
        self.shape.push(shape);
    }

    fn push_code(&mut self, said: Option<u16>) -> bool {
        let code = said.and_then(code);
        if let Some(code) = code {
            self.code.push(code.into());
        }
        code.is_some()
    }

    /// Hands the columns on, in the order of the schema, and forgets them.
    pub(super) fn chunks(
        &mut self,
        subject: &str,
        session: &str,
        rows: u32,
        mut append: impl FnMut(Chunk) -> Result<(), ParquetError>,
    ) -> Result<(), ParquetError> {
        let Self { source, shape, .. } = self;
        let has = |is: fn(Shape) -> bool| shape.map(is);
        let motion = has(|row| row.kind == Kind::Motion);
        let scroll = Some(has(|row| row.kind == Kind::Scroll));
        let (code, class) = (Some(has(|row| row.has_code)), Some(has(|row| row.has_class)));
        let has_down = Some(has(|row| row.kind.has_down()));
        let down = shape.filter(|row| row.kind.has_down()).map(|row| row.down);
        append(column::times(&self.time))?;
        append(column::constant(subject, rows))?;
        append(column::constant(session, rows))?;
        append(column::numbers(&source.map(|(run, _)| run), None))?;
        append(column::numbers(&source.map(|(_, device)| device.into()), None))?;
        append(column::words(&shape.map(|row| row.kind), None, Kind::word))?;
        append(column::deltas(&self.dx, &motion))?;
        append(column::deltas(&self.dy, &motion))?;
        append(column::numbers(&self.wheel_v_120, scroll.as_ref()))?;
        append(column::numbers(&self.wheel_h_120, scroll.as_ref()))?;
        append(column::bits(&down, has_down.as_ref()))?;
        append(column::numbers(&self.code, code.as_ref()))?;
        append(column::words(&self.key_class, class.as_ref(), KeyClass::name))?;
        append(column::deltas(&self.stroke, &has(|row| row.kind.has_stroke())))?;
        append(column::bits(&has(|row| row.inferred), None))?;
        self.clear();
        Ok(())
    }

    /// Forgets the rows; their room is used again.
    fn clear(&mut self) {
        self.time.clear();
        self.source.clear();
        self.shape.clear();
        self.dx.clear();
        self.dy.clear();
        self.wheel_v_120.clear();
        self.wheel_h_120.clear();
        self.code.clear();
        self.key_class.clear();
        self.stroke.clear();
    }
}

impl Shape {
    /// Of a row that says nothing but its kind and its numbers.
    const fn still(kind: Kind) -> Self {
        Self { kind, down: false, inferred: false, has_code: false, has_class: false }
    }
}
