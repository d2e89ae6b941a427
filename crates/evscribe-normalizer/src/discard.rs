//! Taking back what was not queued yet: it may be another person's.

use evscribe_model::{BootUs, Phase, Row, Run, Touch};
use zeroize::Zeroize;

use crate::open::{Stance, deduced, stance_after, stroke_of};
use crate::spot::leaves;
use crate::{Normalizer, Outlet};

impl Outlet {
    /// Takes back what was done at or after `since`, out of the rows that were
    /// made and not offered yet. Returns whether that was all of it: whether
    /// nothing done since then was left to be queued before.
    ///
    /// | row at or after `since` | what becomes of it |
    /// |---|---|
    /// | mark, device | stays: it tells of absence, not of a person |
    /// | motion, scroll, switch | goes |
    /// | press | goes, and so does its release, whenever it comes |
    /// | release of an earlier press | an inferred release at `since` |
    /// | of a contact that began since | goes, as does all that comes of it |
    /// | of an earlier contact | ends it, inferred, at `since`, where it was; nothing comes of it after |
    ///
    /// So strokes, contacts and runs stay whole, whether devices are closed
    /// before, after or not at all. What goes is overwritten in memory. Where
    /// something later than `since` was offered already, what is written here comes
    /// no earlier than that.
    ///
    /// Not handled: stamps that step back, as those of recordings may.
    pub fn discard_since(
        &self,
        since: BootUs,
        rows: &mut Vec<Row>,
        normalizer: &mut Normalizer,
    ) -> bool {
        let mut discard = Discard {
            outlet: self,
            since,
            begun: Vec::new(),
            strokes: Vec::new(),
            contacts: Vec::new(),
            before: Vec::new(),
            kept: Vec::with_capacity(rows.len()),
        };
        for row in rows.drain(..) {
            discard.judge(row);
        }
        rows.spare_capacity_mut().zeroize();
        normalizer.disown(&discard.strokes, &discard.contacts);
        *rows = discard.kept;
        self.done < since
    }
}

/// What was found out while rows are gone through, those of a device in order.
struct Discard<'a> {
    outlet: &'a Outlet,
    since: BootUs,
    /// Runs that began since.
    begun: Vec<(Run, BootUs)>,
    /// Strokes that were pressed since and not released.
    strokes: Vec<i32>,
    /// Contacts that did something since and have not ended.
    contacts: Vec<i32>,
    /// The last row before, of each contact that has one here.
    before: Vec<Touch>,
    kept: Vec<Row>,
}

impl Discard<'_> {
    fn judge(&mut self, row: Row) {
        let is_since = row.at() >= self.since;
        match row {
            Row::Event(mut event) if is_since => match stroke_of(&event.what) {
                None => {}
                Some((stroke, true)) => self.strokes.push(stroke),
                Some((stroke, false)) if take(&mut self.strokes, stroke) => {}
                Some((_, false)) => {
                    event.at = self.time(event.at, event.run);
                    event.what = deduced(event.what, false);
                    self.kept.push(Row::Event(event));
                }
            },
            Row::Touch(touch) if is_since => self.touch(&touch),
            Row::Touch(touch) => {
                match self.before.iter_mut().find(|last| last.contact == touch.contact) {
                    Some(last) => *last = touch,
                    None => self.before.push(touch),
                }
                self.kept.push(row);
            }
            Row::Mark(ref mark) => {
                if let Some(run) = mark.run.filter(|_| is_since) {
                    self.begun.push((run, mark.at));
                }
                self.kept.push(row);
            }
            Row::Event(_) | Row::Device(_) => self.kept.push(row),
        }
    }

    fn touch(&mut self, touch: &Touch) {
        let contact = touch.contact;
        let was_gone = take(&mut self.contacts, contact);
        if stance_after(touch) != Stance::Away {
            self.contacts.push(contact);
        }
        let before = self.before.iter().find(|last| last.contact == contact);
        let Some(&last) = before.or_else(|| self.outlet.contacts.last(contact)) else { return };
        if was_gone {
            return;
        }
        let phases = match stance_after(&last) {
            Stance::Touches => [Some(Phase::Up), leaves(last.tool).then_some(Phase::Leave)],
            Stance::Hovers => [Some(Phase::Leave), None],
            Stance::Away => [None, None],
        };
        let (at, run) = (self.time(touch.at, touch.run), touch.run);
        for phase in phases.into_iter().flatten() {
            self.kept.push(Row::Touch(Touch { at, run, phase, inferred: true, ..last }));
        }
    }

    /// When that is written which stands for a row of that time and run: as early
    /// as may be, so that it says nothing of the time since.
    fn time(&self, at: BootUs, run: Run) -> BootUs {
        let begun = self.begun.iter().find(|(begun, _)| *begun == run);
        let earliest = begun.map_or(self.since, |(_, begun)| self.since.max(*begun));
        earliest.max(self.outlet.last).min(at)
    }
}

/// Takes a number out. Returns whether it was there.
fn take(numbers: &mut Vec<i32>, number: i32) -> bool {
    let place = numbers.iter().position(|other| *other == number);
    place.map(|place| numbers.swap_remove(place)).is_some()
}
