//! Rows behind the span: what goes with what is in it, and which runs go on.

use super::{File, Scan, columns};
use crate::{
    SinkError, Table,
    forget::plan::Stroke,
    inspect::file::{Columns, Sealed, cell, flag},
};

impl Scan<'_> {
    /// Reads a file for what is behind the first hole.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) fn look_behind(&mut self, file: &mut File<'_>) -> Result<(), SinkError> {
        let Some(first_us) = self.holes.first().map(|hole| hole.from_us) else { return Ok(()) };
        let table = file.sealed.table;
        if table != Table::Marks && file.meta.boot_us(file.sealed.last_us) < first_us {
            return Ok(());
        }
        let sealed = Sealed::open(self.directory, &file.sealed.path, self.keys)?;
        sealed.read(columns(table), |meta, batch| {
            let columns = Columns(batch);
            let times = columns.times("time")?.values();
            if table == Table::Marks {
                return self.marks(&columns, times.iter().map(|at_us| meta.boot_us(*at_us)));
            }
            // Rows are in the order of their time.
            let first = times.partition_point(|at_us| meta.boot_us(*at_us) < first_us);
            let inside = times.partition_point(|at_us| *at_us < self.span.start)
                ..times.partition_point(|at_us| *at_us < self.span.end);
            let behind = (first..times.len()).filter(|row| !inside.contains(row));
            let boot_us = |row: usize| times.get(row).map_or(0, |at_us| meta.boot_us(*at_us));
            if table == Table::Events {
                self.events(file, &columns, behind, boot_us)
            } else {
                self.touch(file, &columns, behind, boot_us)
            }
        })
    }

    fn marks(
        &mut self,
        columns: &Columns<'_>,
        times: impl Iterator<Item = i64>,
    ) -> Result<(), SinkError> {
        let runs = columns.int32("run")?;
        for (row, at_us) in times.enumerate() {
            if let Some(run) = cell(runs, row) {
                let begun_us = self.begun.entry(run).or_insert(at_us);
                *begun_us = at_us.min(*begun_us);
            }
        }
        Ok(())
    }

    fn events(
        &mut self,
        file: &mut File<'_>,
        columns: &Columns<'_>,
        behind: impl Iterator<Item = usize>,
        boot_us: impl Fn(usize) -> i64,
    ) -> Result<(), SinkError> {
        let (runs, devices) = (columns.int32("run")?, columns.int16("device")?);
        let (strokes, downs) = (columns.int32("stroke")?, columns.flags("down")?);
        let mut last = None;
        for row in behind {
            if let Some(stroke) = cell(strokes, row)
                && flag(downs, row) == Some(false)
                && !self.pressed.is_empty()
                && self.pressed.contains(&Stroke { session: file.session.clone(), stroke })
            {
                file.rows += 1;
                continue;
            }
            let run = (cell(runs, row), cell(devices, row));
            self.goes_on(file, run, boot_us(row), &mut last);
        }
        Ok(())
    }

    fn touch(
        &mut self,
        file: &mut File<'_>,
        columns: &Columns<'_>,
        behind: impl Iterator<Item = usize>,
        boot_us: impl Fn(usize) -> i64,
    ) -> Result<(), SinkError> {
        let (runs, devices) = (columns.int32("run")?, columns.int16("device")?);
        let (contacts, phases) = (columns.int32("contact")?, columns.words("phase")?);
        let mut last = None;
        for row in behind {
            let Some(contact) = cell(contacts, row) else { continue };
            let key = (file.session.clone(), contact);
            if let Some(held) = self.held.get_mut(&key) {
                let phase = phases.get(row).unwrap_or_default();
                let goes = match phase {
                    "move" | "up" => held.is_down,
                    // It would be all that is left of the contact.
                    "leave" => held.began && !held.is_kept,
                    _ => false,
                };
                held.is_down &= phase == "move";
                held.is_kept |= !goes;
                if goes {
                    let at_us = boot_us(row);
                    self.tails.entry(key).or_insert((at_us, at_us)).1 = at_us;
                    file.rows += 1;
                    continue;
                }
            }
            let run = (cell(runs, row), cell(devices, row));
            self.goes_on(file, run, boot_us(row), &mut last);
        }
        Ok(())
    }

    /// A row of this run stays behind a hole: unless a mark behind the hole
    /// begins the run, it gets another number.
    fn goes_on(
        &mut self,
        file: &mut File<'_>,
        (run, device): (Option<i32>, Option<i16>),
        at_us: i64,
        last: &mut Option<(i32, Option<usize>)>,
    ) {
        let (Some(run), Some(device)) = (run, device) else { return };
        let is_before = |from_us: i64| from_us <= at_us;
        let hole = self
            .holes
            .iter()
            .rposition(|hole| hole.session == file.session && is_before(hole.from_us));
        // Rows come in spans of one run.
        if *last == Some((run, hole)) {
            return;
        }
        *last = Some((run, hole));
        let Some((place, hole)) = hole.and_then(|place| Some((place, self.holes.get(place)?)))
        else {
            return;
        };
        let is_affected = self.begun.get(&run).is_none_or(|begun_us| *begun_us < hole.until_us);
        if is_affected {
            self.runs.entry((run, place)).or_insert(device);
            file.is_changed = true;
        }
    }
}
