//! What must hold over all files of one host and boot.
//!
//! A stroke or contact without its other end is a fault, except:
//!
//! | missing | excused by |
//! |---|---|
//! | press, begin | files of that boot that retention removed; a loss before |
//! | release, end | no closing mark after it; a loss before the first closing mark |
//!
//! A closing mark is a `stop` whose reason is not `crash`, or an `unplug` of the
//! device. A loss is `stop` by a crash, `disk_full`, `forget`, or a `drop` outside
//! the kernel: after a drop in the kernel's buffer, held keys are read anew and
//! repaired, so nothing is missing. Not handled: whether a loss lies exactly
//! between the two ends.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use super::{
    VerifyReport,
    contacts::Contacts,
    files,
    strokes::{Edge, Half, Strokes},
};
use crate::{
    REASON_CRASH, SinkError, Table,
    crypt::Keyring,
    inspect::file::{Columns, Meta, Sealed, cell, flag},
};

/// Reason of a drop that the normaliser repairs.
const REASON_KERNEL_BUFFER: &str = "kernel_buffer";

/// A mark that ends or excuses something, on the boot clock.
#[derive(Clone, Copy, Debug)]
struct Cut {
    from_us: i64,
    to_us: i64,
    device: Option<i16>,
}

impl Cut {
    fn is_about(&self, device: i16) -> bool {
        self.device.is_none_or(|own| own == device)
    }
}

/// A run: its device, its first row, the file of that row.
#[derive(Clone, Copy, Debug)]
struct Run {
    device: i16,
    first_us: i64,
    file: usize,
}

/// Everything of one host and boot.
#[derive(Debug)]
pub(super) struct Boot {
    name: String,
    is_thinned: bool,
    files: Vec<String>,
    sessions: HashMap<String, u32>,
    strokes: Strokes,
    contacts: Contacts,
    runs: BTreeMap<i32, Run>,
    /// Runs that a mark begins, and when at the earliest.
    begun: HashMap<i32, i64>,
    devices: HashSet<i16>,
    used: BTreeMap<i16, usize>,
    closings: Vec<Cut>,
    losses: Vec<Cut>,
}

impl Boot {
    pub(super) fn new(name: String, is_thinned: bool) -> Self {
        Self {
            name,
            is_thinned,
            files: Vec::new(),
            sessions: HashMap::new(),
            strokes: Strokes::default(),
            contacts: Contacts::default(),
            runs: BTreeMap::new(),
            begun: HashMap::new(),
            devices: HashSet::new(),
            used: BTreeMap::new(),
            closings: Vec::new(),
            losses: Vec::new(),
        }
    }

    /// Reads one file; marks come before rows.
    pub(super) fn read(
        &mut self,
        (directory, keys): (&Path, &Keyring),
        path: &str,
        report: &mut VerifyReport,
    ) -> Result<(), SinkError> {
        let file = self.files.len();
        self.files.push(path.to_owned());
        let sealed = Sealed::open(directory, path, keys)?;
        let table = sealed.meta.table;
        sealed.read(files::columns(table), |meta, batch| {
            let columns = Columns(batch);
            let rows = batch.num_rows();
            match table {
                Table::Marks => self.marks(meta, &columns, rows, file, report),
                Table::Devices => {
                    for device in columns.int16("device")?.iter().flatten() {
                        if !self.devices.insert(device) {
                            let what = format!("device {device} is in table devices twice");
                            report.problem(self.path(file), what);
                        }
                    }
                    Ok(())
                }
                Table::Events => self.events(meta, &columns, rows, file, report),
                Table::Touch => self.touch(meta, &columns, rows, file, report),
            }
        })
    }

    fn path(&self, file: usize) -> &str {
        self.files.get(file).map_or(&self.name, String::as_str)
    }

    fn marks(
        &mut self,
        meta: &Meta,
        columns: &Columns<'_>,
        rows: usize,
        file: usize,
        report: &mut VerifyReport,
    ) -> Result<(), SinkError> {
        let (times, untils) = (columns.times("time")?, columns.times("until")?);
        let (runs, devices, lost) =
            (columns.int32("run")?, columns.int16("device")?, columns.int64("lost")?);
        let (marks, reasons) = (columns.words("mark")?, columns.words("reason")?);
        for row in 0..rows {
            let Some(at_us) = cell(times, row) else { continue };
            let until_us = cell(untils, row);
            let (mark, reason) =
                (marks.get(row).unwrap_or_default(), reasons.get(row).unwrap_or_default());
            if until_us.is_some_and(|until_us| until_us < at_us) {
                report.problem(
                    self.path(file),
                    format!("row {row}: a `{mark}` mark ends before it begins"),
                );
            }
            if cell(lost, row).is_some_and(|lost| lost < 0) {
                report.problem(
                    self.path(file),
                    format!("row {row}: a `{mark}` mark has lost fewer than no rows"),
                );
            }
            let from_us = meta.boot_us(at_us);
            if let Some(run) = cell(runs, row) {
                let begins_us = self.begun.entry(run).or_insert(from_us);
                *begins_us = from_us.min(*begins_us);
            }
            let to_us = until_us.map_or(from_us, |until_us| meta.boot_us(until_us));
            let cut = Cut { from_us, to_us, device: cell(devices, row) };
            match (mark, reason) {
                ("stop", REASON_CRASH) | ("disk_full" | "forget", _) => self.losses.push(cut),
                ("drop", reason) if reason != REASON_KERNEL_BUFFER => self.losses.push(cut),
                ("stop", _) => self.closings.push(Cut { device: None, ..cut }),
                ("unplug", _) if cut.device.is_some() => self.closings.push(cut),
                _ => {}
            }
        }
        Ok(())
    }

    /// The number of a session's word.
    fn session(&mut self, word: &str) -> u32 {
        if let Some(number) = self.sessions.get(word) {
            return *number;
        }
        let number = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        self.sessions.insert(word.to_owned(), number);
        number
    }

    fn run(&mut self, run: i32, device: i16, at_us: i64, file: usize, report: &mut VerifyReport) {
        self.used.entry(device).or_insert(file);
        let known = self.runs.entry(run).or_insert(Run { device, first_us: at_us, file });
        known.first_us = known.first_us.min(at_us);
        if known.device != device {
            let what = format!("run {run} is of device {} and of device {device}", known.device);
            known.device = device;
            report.problem(self.path(file), what);
        }
    }

    fn events(
        &mut self,
        meta: &Meta,
        columns: &Columns<'_>,
        rows: usize,
        file: usize,
        report: &mut VerifyReport,
    ) -> Result<(), SinkError> {
        let (times, runs, devices) =
            (columns.times("time")?, columns.int32("run")?, columns.int16("device")?);
        let (codes, strokes, downs) =
            (columns.int16("code")?, columns.int32("stroke")?, columns.flags("down")?);
        let (sessions, kinds) = (columns.words("session")?, columns.words("kind")?);
        for row in 0..rows {
            let (Some(at_us), Some(run), Some(device)) =
                (cell(times, row), cell(runs, row), cell(devices, row))
            else {
                continue;
            };
            let at_us = meta.boot_us(at_us);
            self.run(run, device, at_us, file, report);
            let Some(kind @ ("key" | "button")) = kinds.get(row) else { continue };
            let (Some(stroke), Some(down)) = (cell(strokes, row), flag(downs, row)) else {
                report.problem(
                    self.path(file),
                    format!("row {row}: a {kind} without stroke or direction"),
                );
                continue;
            };
            let session = self.session(sessions.get(row).unwrap_or_default());
            let edge = Edge { at_us, device, code: cell(codes, row), file };
            if let Some(what) = self.strokes.take(session, stroke, down, edge) {
                report.problem(self.path(file), what);
            }
        }
        Ok(())
    }

    fn touch(
        &mut self,
        meta: &Meta,
        columns: &Columns<'_>,
        rows: usize,
        file: usize,
        report: &mut VerifyReport,
    ) -> Result<(), SinkError> {
        let (times, runs, devices) =
            (columns.times("time")?, columns.int32("run")?, columns.int16("device")?);
        let contacts = columns.int32("contact")?;
        let (phases, tools, sessions) =
            (columns.words("phase")?, columns.words("tool")?, columns.words("session")?);
        for row in 0..rows {
            let (Some(at_us), Some(run), Some(device)) =
                (cell(times, row), cell(runs, row), cell(devices, row))
            else {
                continue;
            };
            let (Some(contact), Some(phase)) = (cell(contacts, row), phases.get(row)) else {
                continue;
            };
            let at_us = meta.boot_us(at_us);
            self.run(run, device, at_us, file, report);
            let session = self.session(sessions.get(row).unwrap_or_default());
            let excused = self.may_lack_begin(device, at_us);
            let step = (phase, tools.get(row).unwrap_or_default());
            if let Some(what) =
                self.contacts.take((session, contact), step, (at_us, device, file), excused)
            {
                report.problem(self.path(file), what);
            }
        }
        Ok(())
    }

    fn may_lack_begin(&self, device: i16, at_us: i64) -> bool {
        self.is_thinned
            || self.losses.iter().any(|loss| loss.is_about(device) && loss.from_us <= at_us)
    }

    /// Whether something that began at `at_us` had to end.
    fn must_end(&self, device: i16, at_us: i64) -> bool {
        let closings = self
            .closings
            .iter()
            .filter(|closing| closing.is_about(device) && closing.from_us >= at_us);
        let Some(closing_us) = closings.map(|closing| closing.from_us).min() else { return false };
        let is_between =
            |loss: &Cut| loss.is_about(device) && loss.to_us >= at_us && loss.from_us <= closing_us;
        !self.is_thinned && !self.losses.iter().any(is_between)
    }

    /// Says what is left open, and gives the runs with their devices and files.
    pub(super) fn finish(self, report: &mut VerifyReport) -> Vec<(i32, (i16, String))> {
        for (stroke, half) in self.strokes.halves() {
            match half {
                Half::Press(press) if self.must_end(press.device, press.at_us) => {
                    report.problem(
                        self.path(press.file),
                        format!("stroke {stroke} is never released, though its device was closed"),
                    );
                }
                Half::Release(release) if !self.may_lack_begin(release.device, release.at_us) => {
                    report.problem(
                        self.path(release.file),
                        format!("stroke {stroke} is released but never pressed"),
                    );
                }
                _ => {}
            }
        }
        for (number, contact) in self.contacts.open() {
            if self.must_end(contact.device, contact.last_us) {
                report.problem(
                    self.path(contact.file),
                    format!("contact {number} never ends, though its device was closed"),
                );
            }
        }
        for (run, found) in &self.runs {
            let excused = self.is_thinned;
            match self.begun.get(run) {
                None if !excused => report
                    .problem(self.path(found.file), format!("run {run} begins without a mark")),
                Some(begins_us) if *begins_us > found.first_us => {
                    report.problem(
                        self.path(found.file),
                        format!("run {run} has rows before the mark that begins it"),
                    );
                }
                _ => {}
            }
        }
        let has_lost = self.losses.iter().any(|loss| loss.device.is_none());
        for (device, file) in &self.used {
            if !self.devices.contains(device) && !has_lost && !self.is_thinned {
                report
                    .problem(self.path(*file), format!("device {device} is not in table devices"));
            }
        }
        report.strokes += self.strokes.count();
        report.contacts += self.contacts.count();
        self.runs
            .iter()
            .map(|(run, found)| (*run, (found.device, self.path(found.file).to_owned())))
            .collect()
    }
}
