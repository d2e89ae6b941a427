//! What is said about rows that a journal lost.
//!
//! After a hole nobody may stitch: whatever run goes on behind it gets a fresh
//! number and a `drop` mark that begins it, unless a mark behind the hole begins
//! it anyway. One more `drop` mark without device stands for the hole itself.

use std::collections::{HashMap, HashSet};

use evscribe_model::{BootUs, DeviceId, MarkKind, Run, What};
use serde::Serialize;

use super::{REASON_CRASH, REASON_JOURNAL_DAMAGED};
use crate::{encode::MarkCells, journal::RecordRows};

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
    fn see(&mut self, rows: &RecordRows) {
        let RecordRows { devices, marks, events, touch } = rows;
        for row in events {
            self.run = self.run.max(Some(row.run.0));
            self.device = self.device.max(Some(row.device.0));
            if let What::Button { stroke, .. } | What::Key { stroke, .. } = row.what {
                self.stroke = self.stroke.max(Some(stroke));
            }
        }
        for row in touch {
            self.run = self.run.max(Some(row.run.0));
            self.device = self.device.max(Some(row.device.0));
            self.contact = self.contact.max(Some(row.contact));
        }
        for row in marks {
            self.run = self.run.max(row.run.map(|run| run.0));
            self.device = self.device.max(row.device.map(|device| device.0));
        }
        for row in devices {
            self.device = self.device.max(Some(row.device()));
        }
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

/// Passes the rows of one journal on, repaired.
#[derive(Debug)]
pub(crate) struct Repair {
    first_run: i32,
    next_run: i32,
    /// Latest row so far.
    last: Option<BootUs>,
    /// Inside: the latest row before the last hole. Outside: no hole so far.
    hole: Option<Option<BootUs>>,
    /// The mark of the last hole, until the first row behind it is known.
    open_hole: bool,
    /// Runs that a mark behind the last hole begins.
    begun: HashSet<Run>,
    /// Runs behind the last hole, and their fresh numbers.
    fresh: HashMap<Run, Run>,
    added: Vec<MarkCells>,
    highest: Highest,
}

impl Repair {
    pub(crate) fn new(first_run: i32) -> Self {
        Self {
            first_run,
            next_run: first_run,
            last: None,
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
        self.hole = Some(self.last);
        self.open_hole = true;
        self.begun.clear();
        self.fresh.clear();
    }

    /// The journal ends without its writer having ended it.
    pub(crate) fn crash(&mut self) {
        if let Some(at) = self.last {
            let (kind, reason) = (MarkKind::Stop, REASON_CRASH.into());
            let (until, run, device, lost) = (None, None, None, None);
            self.added.push(MarkCells { at, until, run, device, kind, reason, lost });
        }
    }

    pub(crate) fn fresh_runs(&self) -> i32 {
        self.next_run - self.first_run
    }

    /// Numbers of the rows as they were written, before any repair.
    pub(crate) fn highest(&self) -> Highest {
        self.highest
    }

    /// Gives the rows of the next record fresh runs where need be.
    pub(crate) fn pass(&mut self, rows: &mut RecordRows) {
        self.highest.see(rows);
        self.see_times(rows);
        let Some(before) = self.hole else { return };
        self.begun.extend(rows.marks.iter().filter_map(|mark| mark.run));
        // Rows come in spans of one run: it is looked up once for each.
        let mut known = None;
        let mut number = |run: &mut Run, at, device| {
            let fresh = match known {
                Some((of, fresh)) if of == *run => fresh,
                _ => self.number(*run, at, device, before),
            };
            known = Some((*run, fresh));
            *run = fresh;
        };
        rows.events.iter_mut().for_each(|row| number(&mut row.run, row.at, row.device));
        rows.touch.iter_mut().for_each(|row| number(&mut row.run, row.at, row.device));
    }

    /// Ends the hole at the first row behind it that is no device's, and keeps
    /// the latest time.
    fn see_times(&mut self, rows: &RecordRows) {
        let RecordRows { devices, marks, events, touch } = rows;
        let firsts = [
            marks.first().map(|row| row.at),
            events.first().map(|row| row.at),
            touch.first().map(|row| row.at),
        ];
        if let Some(first) = firsts.into_iter().flatten().next() {
            self.end_hole(Some(first));
        }
        // Within a table rows are in the order of their time.
        let lasts = [
            devices.last().map(|row| row.at()),
            marks.last().map(|row| row.at),
            events.last().map(|row| row.at),
            touch.last().map(|row| row.at),
        ];
        self.last = self.last.max(lasts.into_iter().flatten().max());
    }

    fn end_hole(&mut self, until: Option<BootUs>) {
        let before = self.hole.flatten();
        if let (true, Some(at)) = (self.open_hole, before.or(until)) {
            let until = until.map(|until| until.max(at));
            let (kind, reason) = (MarkKind::Drop, REASON_JOURNAL_DAMAGED.into());
            let (run, device, lost) = (None, None, None);
            self.added.push(MarkCells { at, until, run, device, kind, reason, lost });
        }
        self.open_hole = false;
    }

    fn number(&mut self, run: Run, at: BootUs, device: DeviceId, before: Option<BootUs>) -> Run {
        if self.begun.contains(&run) {
            return run;
        }
        if let Some(fresh) = self.fresh.get(&run) {
            return *fresh;
        }
        let fresh = Run(self.next_run);
        self.next_run = self.next_run.saturating_add(1);
        self.fresh.insert(run, fresh);
        self.added.push(MarkCells {
            at: before.map_or(at, |before| before.min(at)),
            until: Some(at),
            run: Some(fresh),
            device: Some(device),
            kind: MarkKind::Drop,
            reason: REASON_JOURNAL_DAMAGED.into(),
            lost: None,
        });
        fresh
    }

    /// The marks that were added.
    pub(crate) fn into_marks(mut self) -> Vec<MarkCells> {
        self.end_hole(None);
        self.added
    }
}
