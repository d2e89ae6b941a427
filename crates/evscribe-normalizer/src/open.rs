//! What is open at an outlet: as it was written, and as it is.

use evscribe_model::{BootUs, DeviceId, Event, Phase, Row, Run, Touch, What};

use crate::spot::leaves;

/// The strokes whose press was written, or took place in a hole.
#[derive(Debug, Default)]
pub(crate) struct Strokes(Vec<Stroke>);

#[derive(Debug)]
struct Stroke {
    number: i32,
    /// As the press was offered: with what the level permits of it.
    press: Event,
    written: bool,
    ended: bool,
}

impl Strokes {
    /// Notes an event that is written.
    pub(crate) fn written(&mut self, event: &Event) {
        let Some((number, down)) = stroke_of(&event.what) else { return };
        match self.find(number) {
            None if down => self.begin(number, event, true),
            Some(index) if !down => drop(self.0.swap_remove(index)),
            _ => {}
        }
    }

    /// Notes an event that is lost.
    pub(crate) fn lost(&mut self, event: &Event) {
        let Some((number, down)) = stroke_of(&event.what) else { return };
        match self.find(number) {
            None if down => self.begin(number, event, false),
            Some(index) if !down => {
                if let Some(stroke) = self.0.get_mut(index).filter(|stroke| stroke.written) {
                    stroke.ended = true;
                } else {
                    self.0.swap_remove(index);
                }
            }
            _ => {}
        }
    }

    /// Writes what the hole swallowed of a device's strokes.
    pub(crate) fn repair(&mut self, device: DeviceId, at: BootUs, run: Run, out: &mut Vec<Row>) {
        self.0.retain_mut(|stroke| {
            if stroke.press.device != device || (stroke.written && !stroke.ended) {
                return true;
            }
            let down = !stroke.ended;
            let what = deduced(stroke.press.what, down);
            out.push(Row::Event(Event { at, run, device, what }));
            stroke.written = true;
            down
        });
    }

    fn find(&self, number: i32) -> Option<usize> {
        self.0.iter().position(|stroke| stroke.number == number)
    }

    fn begin(&mut self, number: i32, event: &Event, written: bool) {
        self.0.push(Stroke { number, press: *event, written, ended: false });
    }
}

/// The stroke's number and whether it is pressed, for a key or button.
pub(crate) fn stroke_of(what: &What) -> Option<(i32, bool)> {
    match *what {
        What::Key { stroke, down, .. } | What::Button { stroke, down, .. } => Some((stroke, down)),
        What::Motion { .. } | What::Scroll { .. } | What::Switch { .. } => None,
    }
}

/// The same key or button, down or up, inferred.
pub(crate) fn deduced(what: What, down: bool) -> What {
    match what {
        What::Key { code, class, stroke, .. } => {
            What::Key { code, class, down, stroke, inferred: true }
        }
        What::Button { code, stroke, .. } => What::Button { code, down, stroke, inferred: true },
        other => other,
    }
}

/// The contacts that began in what was written, or in a hole.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Vec<Contact>);

#[derive(Debug)]
struct Contact {
    /// As the last row that was written left it.
    written: Stance,
    /// As the last row that was offered left it.
    now: Stance,
    last: Touch,
}

/// How a contact stands to its surface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stance {
    Away,
    Hovers,
    Touches,
}

impl Contacts {
    /// Notes a row that is written.
    pub(crate) fn written(&mut self, touch: &Touch) {
        self.note(touch, true);
    }

    /// Notes a row that is lost.
    pub(crate) fn lost(&mut self, touch: &Touch) {
        self.note(touch, false);
    }

    /// Writes what the hole swallowed of a device's contacts: where they are
    /// now, not the way there.
    pub(crate) fn repair(&mut self, device: DeviceId, at: BootUs, run: Run, out: &mut Vec<Row>) {
        self.0.retain_mut(|contact| {
            if contact.last.device != device {
                return true;
            }
            let leaves = contact.now == Stance::Away && leaves(contact.last.tool);
            let phases = match (contact.written, contact.now) {
                (Stance::Touches, Stance::Away) => {
                    [Some(Phase::Up), leaves.then_some(Phase::Leave)]
                }
                (Stance::Touches, Stance::Hovers) => [Some(Phase::Up), None],
                (Stance::Hovers, Stance::Away) => [Some(Phase::Leave), None],
                (Stance::Away, Stance::Hovers) => [Some(Phase::Hover), None],
                (Stance::Away | Stance::Hovers, Stance::Touches) => [Some(Phase::Down), None],
                _ => [None, None],
            };
            for phase in phases.into_iter().flatten() {
                out.push(Row::Touch(Touch { at, run, phase, inferred: true, ..contact.last }));
            }
            contact.written = contact.now;
            contact.now != Stance::Away
        });
    }

    /// The last row that was offered of a contact that is open.
    pub(crate) fn last(&self, contact: i32) -> Option<&Touch> {
        self.0.iter().map(|open| &open.last).find(|last| last.contact == contact)
    }

    fn note(&mut self, touch: &Touch, written: bool) {
        let now = stance_after(touch);
        let index = self.0.iter().position(|contact| contact.last.contact == touch.contact);
        let Some(contact) = index.and_then(|index| self.0.get_mut(index)) else {
            if now != Stance::Away {
                let before = if written { now } else { Stance::Away };
                self.0.push(Contact { written: before, now, last: *touch });
            }
            return;
        };
        contact.now = now;
        contact.last = *touch;
        if written {
            contact.written = now;
        }
        if now == Stance::Away
            && contact.written == Stance::Away
            && let Some(index) = index
        {
            self.0.swap_remove(index);
        }
    }
}

/// How a contact stands after a row of it.
pub(crate) fn stance_after(touch: &Touch) -> Stance {
    match touch.phase {
        Phase::Down | Phase::Move => Stance::Touches,
        Phase::Hover => Stance::Hovers,
        Phase::Up if leaves(touch.tool) => Stance::Hovers,
        Phase::Up | Phase::Leave => Stance::Away,
    }
}

/// The switches that were turned in a hole.
#[derive(Debug, Default)]
pub(crate) struct Turns(Vec<Turn>);

#[derive(Debug)]
struct Turn {
    device: DeviceId,
    code: u16,
    first: bool,
    last: bool,
}

impl Turns {
    /// Notes an event that is lost.
    pub(crate) fn lost(&mut self, event: &Event) {
        let What::Switch { code, down, .. } = event.what else { return };
        let device = event.device;
        match self.0.iter_mut().find(|turn| turn.device == device && turn.code == code) {
            Some(turn) => turn.last = down,
            None => self.0.push(Turn { device, code, first: down, last: down }),
        }
    }

    /// Writes the switches that stand otherwise than before the hole.
    pub(crate) fn repair(&self, device: DeviceId, at: BootUs, run: Run, out: &mut Vec<Row>) {
        for turn in &self.0 {
            if turn.device == device && turn.first == turn.last {
                let what = What::Switch { code: turn.code, down: turn.last, inferred: true };
                out.push(Row::Event(Event { at, run, device, what }));
            }
        }
    }
}
