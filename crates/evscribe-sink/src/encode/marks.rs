//! Table `marks`.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{
        ArrayRef, Int16Builder, Int32Builder, Int64Builder, StringDictionaryBuilder,
        TimestampMicrosecondBuilder,
    },
    datatypes::Int32Type,
};
use evscribe_model::{BootUs, DeviceId, Mark, MarkKind, Run};

use super::{Words, times, words};

/// A mark whose reason may come from a journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MarkCells {
    pub(crate) at: BootUs,
    pub(crate) until: Option<BootUs>,
    pub(crate) run: Option<Run>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) kind: MarkKind,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) lost: Option<u64>,
}

impl From<&Mark> for MarkCells {
    fn from(mark: &Mark) -> Self {
        let Mark { at, until, run, device, kind, reason, lost } = *mark;
        Self { at, until, run, device, kind, reason: reason.into(), lost }
    }
}

pub(super) struct MarkRows {
    time: TimestampMicrosecondBuilder,
    until: TimestampMicrosecondBuilder,
    run: Int32Builder,
    device: Int16Builder,
    mark: Int32Builder,
    reason: StringDictionaryBuilder<Int32Type>,
    lost: Int64Builder,
}

impl Default for MarkRows {
    fn default() -> Self {
        Self {
            time: times(0),
            until: times(0),
            run: Int32Builder::new(),
            device: Int16Builder::new(),
            mark: Int32Builder::new(),
            reason: StringDictionaryBuilder::new(),
            lost: Int64Builder::new(),
        }
    }
}

impl std::fmt::Debug for MarkRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MarkRows({})", self.rows())
    }
}

impl MarkRows {
    pub(super) fn rows(&self) -> usize {
        arrow::array::ArrayBuilder::len(&self.time)
    }

    pub(super) fn push(&mut self, row: &MarkCells, wall_us: i64, until_us: Option<i64>) {
        self.time.append_value(wall_us);
        self.until.append_option(until_us);
        self.run.append_option(row.run.map(|run| run.0));
        self.device.append_option(row.device.map(|device| device.0));
        self.mark.append_value(words::mark(row.kind));
        self.reason.append_value(&row.reason);
        self.lost.append_option(row.lost.map(|lost| i64::try_from(lost).unwrap_or(i64::MAX)));
    }

    pub(super) fn finish(&mut self, subject: ArrayRef, session: ArrayRef) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.time.finish()),
            Arc::new(self.until.finish()),
            subject,
            session,
            Arc::new(self.run.finish()),
            Arc::new(self.device.finish()),
            Words::Mark.finish(&mut self.mark),
            Arc::new(self.reason.finish()),
            Arc::new(self.lost.finish()),
        ]
    }
}
