//! What is said about rows that a journal lost.
//!
//! After a hole nobody may stitch: whatever run goes on behind it gets a fresh
//! number and a `drop` mark that begins it, unless a mark behind the hole begins
//! it anyway. One more `drop` mark without device stands for the hole itself.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, Int32Array, RecordBatch},
    compute::max,
    datatypes::{Int16Type, Int32Type, TimestampMicrosecondType},
    error::ArrowError,
};
use evscribe_model::{BootUs, DeviceId, Mark, MarkKind, Run};
use serde::Serialize;

use super::{REASON_CRASH, REASON_JOURNAL_DAMAGED};
use crate::{Provenance, SinkError, Table, encode::Encoder};

/// The highest numbers met; counters must go on above them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Highest {
    /// Of column `run`.
    pub run: Option<i32>,
    /// Of column `stroke`.
    pub stroke: Option<i32>,
    /// Of column `contact`.
    pub contact: Option<i32>,
    /// Of column `device`.
    pub device: Option<i16>,
}

impl Highest {
    fn see(&mut self, batch: &RecordBatch) {
        let int32 =
            |name| batch.column_by_name(name)?.as_primitive_opt::<Int32Type>().and_then(max);
        self.run = self.run.max(int32("run"));
        self.stroke = self.stroke.max(int32("stroke"));
        self.contact = self.contact.max(int32("contact"));
        let device = batch
            .column_by_name("device")
            .and_then(|column| column.as_primitive_opt::<Int16Type>());
        self.device = self.device.max(device.and_then(max));
    }

    /// The higher of both, number by number.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            run: self.run.max(other.run),
            stroke: self.stroke.max(other.stroke),
            contact: self.contact.max(other.contact),
            device: self.device.max(other.device),
        }
    }
}

/// A mark that a repair adds, on wall time.
#[derive(Clone, Copy, Debug)]
struct Added {
    at_us: i64,
    until_us: Option<i64>,
    run: Option<i32>,
    device: Option<i16>,
    kind: MarkKind,
    reason: &'static str,
}

/// Passes the batches of one journal on, repaired.
#[derive(Debug)]
pub(crate) struct Repair {
    first_run: i32,
    next_run: i32,
    /// Latest row so far.
    last_us: Option<i64>,
    /// Inside: the latest row before the last hole. Outside: no hole so far.
    hole: Option<Option<i64>>,
    /// The mark of the last hole, until the first row behind it is known.
    open_hole: bool,
    /// Runs that a mark behind the last hole begins.
    begun: HashSet<i32>,
    /// Runs behind the last hole, and their fresh numbers.
    fresh: HashMap<i32, i32>,
    added: Vec<Added>,
    highest: Highest,
}

impl Repair {
    pub(crate) fn new(first_run: i32) -> Self {
        Self {
            first_run,
            next_run: first_run,
            last_us: None,
            hole: None,
            open_hole: false,
            begun: HashSet::new(),
            fresh: HashMap::new(),
            added: Vec::new(),
            highest: Highest::default(),
        }
    }

    /// Records are missing here.
    pub(crate) fn hole(&mut self) {
        self.end_hole(None);
        self.hole = Some(self.last_us);
        self.open_hole = true;
        self.begun.clear();
        self.fresh.clear();
    }

    /// The journal ends without its writer having ended it.
    pub(crate) fn crash(&mut self) {
        if let Some(at_us) = self.last_us {
            let (kind, reason) = (MarkKind::Stop, REASON_CRASH);
            self.added.push(Added { at_us, until_us: None, run: None, device: None, kind, reason });
        }
    }

    pub(crate) fn fresh_runs(&self) -> i32 {
        self.next_run - self.first_run
    }

    /// Numbers of the rows as they were written, before any repair.
    pub(crate) fn highest(&self) -> Highest {
        self.highest
    }

    /// Takes the next batch; it comes back with fresh runs where need be.
    pub(crate) fn pass(
        &mut self,
        table: Table,
        batch: RecordBatch,
    ) -> Result<RecordBatch, ArrowError> {
        self.highest.see(&batch);
        let missing = || ArrowError::SchemaError("a column is missing".into());
        let times = batch.column_by_name("time").ok_or_else(missing)?;
        let times = times.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(missing)?;
        let last_us = times.values().iter().copied().max();
        if table != Table::Devices {
            self.end_hole(times.values().first().copied());
        }
        let batch = match (table, self.hole) {
            (Table::Events | Table::Touch, Some(before_us)) => self.renumber(&batch, before_us)?,
            (Table::Marks, Some(_)) => {
                let runs = batch
                    .column_by_name("run")
                    .and_then(|column| column.as_primitive_opt::<Int32Type>());
                self.begun.extend(runs.ok_or_else(missing)?.iter().flatten());
                batch
            }
            _ => batch,
        };
        self.last_us = self.last_us.max(last_us);
        Ok(batch)
    }

    fn end_hole(&mut self, until_us: Option<i64>) {
        let before_us = self.hole.flatten();
        if let (true, Some(at_us)) = (self.open_hole, before_us.or(until_us)) {
            let until_us = until_us.map(|until_us| until_us.max(at_us));
            let (kind, reason) = (MarkKind::Drop, REASON_JOURNAL_DAMAGED);
            self.added.push(Added { at_us, until_us, run: None, device: None, kind, reason });
        }
        self.open_hole = false;
    }

    fn renumber(
        &mut self,
        batch: &RecordBatch,
        before_us: Option<i64>,
    ) -> Result<RecordBatch, ArrowError> {
        let missing = || ArrowError::SchemaError("a column is missing".into());
        let schema = batch.schema();
        let place = schema.index_of("run")?;
        let runs = batch.column(place).as_primitive_opt::<Int32Type>().ok_or_else(missing)?;
        let times =
            batch.column(schema.index_of("time")?).as_primitive_opt::<TimestampMicrosecondType>();
        let devices = batch.column(schema.index_of("device")?).as_primitive_opt::<Int16Type>();
        let (times, devices) = (times.ok_or_else(missing)?, devices.ok_or_else(missing)?);
        let mut numbers = Vec::with_capacity(runs.len());
        for ((run, time), device) in runs.values().iter().zip(times.values()).zip(devices.values())
        {
            numbers.push(self.number(*run, *time, *device, before_us));
        }
        let mut columns = batch.columns().to_vec();
        if let Some(column) = columns.get_mut(place) {
            *column = Arc::new(Int32Array::from(numbers)) as ArrayRef;
        }
        RecordBatch::try_new(schema, columns)
    }

    fn number(&mut self, run: i32, at_us: i64, device: i16, before_us: Option<i64>) -> i32 {
        if self.begun.contains(&run) {
            return run;
        }
        if let Some(fresh) = self.fresh.get(&run) {
            return *fresh;
        }
        let fresh = self.next_run;
        self.next_run = self.next_run.saturating_add(1);
        self.fresh.insert(run, fresh);
        let begins_us = before_us.map_or(at_us, |before_us| before_us.min(at_us));
        self.added.push(Added {
            at_us: begins_us,
            until_us: Some(at_us),
            run: Some(fresh),
            device: Some(device),
            kind: MarkKind::Drop,
            reason: REASON_JOURNAL_DAMAGED,
        });
        fresh
    }

    /// The marks that were added, as a batch; `None` where there are none.
    pub(crate) fn into_marks(
        mut self,
        provenance: &Provenance,
    ) -> Result<Option<RecordBatch>, SinkError> {
        self.end_hole(None);
        if self.added.is_empty() {
            return Ok(None);
        }
        let mut encoder = Encoder::default();
        for added in &self.added {
            let mark = Mark {
                at: BootUs::default(),
                until: None,
                run: added.run.map(Run),
                device: added.device.map(DeviceId),
                kind: added.kind,
                reason: added.reason,
                lost: None,
            };
            encoder.push_mark(&mark, added.at_us, added.until_us);
        }
        encoder.finish(Table::Marks, provenance).map(Some)
    }
}
