//! Opens and closes, and begins segments as the clocks say.

use std::time::Instant;

use anyhow::Context;
use evscribe_model::{BootUs, Mark, MarkKind, Row};
use evscribe_sink::{Command, Provenance};

use super::{RESERVED, RESERVED_RUNS, SEND_AFTER, Service, Settings, clock_us};
use crate::devices::Unread;
use crate::gate::Person;
use crate::saved::{self, Saved};

/// Why the writer stands still, and the reason of the mark that says so.
pub(super) const DISK_FULL: &str = "disk_full";

impl Service<'_> {
    pub(super) fn open_for(&mut self, person: Person, reason: &'static str) {
        let subject = self.subject_of(person.uid);
        self.devices.set_person(&subject, person.level);
        let hotkey = self.gate.policy().and_then(|policy| policy.hotkey.as_ref());
        self.devices.set_hotkey(hotkey.map(|hotkey| hotkey.keys.clone()));
        self.open = Some(person);
        self.subject = Some(subject);
        self.mark(MarkKind::Start, reason, None);
        self.save_numbers();
        self.links_changed();
    }

    /// Closes every device; what they said is sealed.
    pub(super) fn close(&mut self, kind: MarkKind, reason: &'static str, unread: Unread) {
        if self.open.is_none() {
            return;
        }
        self.devices.close_all(kind, reason, unread);
        self.mark_full();
        self.mark(kind, reason, None);
        self.send(None);
        self.seal();
        self.dirty_since = None;
        self.open = None;
        self.subject = None;
        self.save_numbers();
    }

    pub(super) fn send_if_due(&mut self, waited: BootUs, now: Instant) {
        if self.segment_since.is_some_and(|since| since + self.settings.segment_age <= now) {
            self.seal();
        }
        if !self.devices.pipeline().is_dirty() {
            return;
        }
        let since = *self.dirty_since.get_or_insert(now);
        let due = since + SEND_AFTER <= now;
        if due {
            self.devices.settle();
        }
        if due || self.devices.pipeline().is_full() {
            self.send(Some(waited));
            self.dirty_since = self.devices.pipeline().is_dirty().then_some(now);
        }
    }

    /// Sends what waits, into a segment that begins now if none is under way.
    pub(super) fn send(&mut self, waited: Option<BootUs>) {
        if self.segment_since.is_none() && self.begin() {
            self.segment_since = Some(self.now);
        }
        self.devices.send(waited);
        if !self.devices.pipeline().is_dirty() {
            // Else its time would be over for ever, and no wait would wait.
            self.dirty_since = None;
        }
        self.has_counted = true;
        let (next, _) = self.devices.kept();
        let spent = next.run >= self.reserved.run
            || next.stroke >= self.reserved.stroke
            || next.contact >= self.reserved.contact;
        // A new device counts as known once its row is on its way.
        if self.devices.take_known_changed() || spent {
            self.save_numbers();
        }
    }

    pub(super) fn seal(&mut self) {
        self.devices.pipeline().command(Command::Seal);
        self.segment_since = None;
    }

    /// Keeps the numbers for the next run: while devices are read, a block is
    /// reserved, so that a crash does not make them be given twice.
    pub(super) fn save_numbers(&mut self) {
        let (mut counters, registry) = self.devices.kept();
        if self.open.is_some() {
            counters.run = counters.run.saturating_add(RESERVED_RUNS);
            counters.stroke = counters.stroke.saturating_add(RESERVED);
            counters.contact = counters.contact.saturating_add(RESERVED);
        }
        self.reserved = counters;
        let bytes = Saved::bytes(&self.settings.host.boot, counters, registry);
        let path = self.settings.state.join(saved::FILE);
        self.devices.pipeline().command(Command::SaveState { path, bytes });
    }

    /// Begins a segment of who is recorded, with a fresh anchor, which takes in
    /// what NTP slewed. Returns whether one began: rows without are refused.
    fn begin(&mut self) -> bool {
        let (Some(person), Some(subject)) = (&self.open, &self.subject) else { return false };
        let anchor = match self.clock.anchor() {
            Ok(anchor) => anchor,
            Err(error) => {
                log::error!("the clocks cannot be read, so nothing can be dated: {error}");
                return false;
            }
        };
        let Settings { keys, host, .. } = &self.settings;
        let session = format!("{}\0{}", host.boot, person.session);
        // Keyed and per pseudonym: the plain hash would join a person's periods.
        let acknowledged = format!("{subject}\0{}", person.acknowledgement_sha256).into_bytes();
        let provenance = Provenance {
            host: host.name.clone(),
            boot: host.boot.clone(),
            subject: subject.clone(),
            session: keys.pseudonym("session", session.as_bytes()),
            anchor,
            clock: evscribe_sink::Clock::Boottime,
            level: person.level,
            notice_sha256: Some(person.notice_sha256.clone()),
            acknowledgement_sha256: Some(keys.keyed_sha256("acknowledgement", &acknowledged)),
            policy_sha256: Some(person.policy_sha256.clone()),
            ledger_head: None,
        };
        self.devices.pipeline().command(Command::Begin(Box::new(provenance)));
        true
    }

    pub(super) fn clock_changed(&mut self) -> anyhow::Result<()> {
        let change = self.clock.changed().context("the wall clock's timer")?;
        if change.slept.is_none() && change.stepped_us.is_none() {
            return Ok(());
        }
        if change.slept.is_some() {
            self.give_seat_time();
        }
        // Its timers slept too; and what a set clock must not shorten is kept.
        self.retain();
        if let Some(step_us) = change.stepped_us
            && let Some(people) = self.gate.people_mut()
        {
            people.shift_pauses(step_us, clock_us().saturating_sub(step_us));
            self.save_people();
        }
        if self.open.is_none() {
            // Another hour: a pause may be over, the schedule may allow it.
            self.decide("clock");
            return Ok(());
        }
        if let Some(slept) = change.slept {
            let now = evscribe_reader::now()?;
            self.mark(MarkKind::Suspend, "machine_slept", Some(now.earlier_by(slept)));
        }
        if change.stepped_us.is_some() {
            self.mark(MarkKind::Clock, "wall_clock_set", None);
        }
        // What was read so far belongs to the anchor before; also what the kernel
        // let go of when the machine fell asleep, in frames that it does not end.
        self.devices.settle();
        self.send(Some(evscribe_reader::now()?));
        self.seal();
        self.decide("clock");
        Ok(())
    }

    /// Marks how long the disk was full, if it was; until now.
    pub(super) fn mark_full(&mut self) {
        if let Some(since) = self.full_since.take() {
            self.mark(MarkKind::DiskFull, DISK_FULL, Some(since));
        }
    }

    /// A mark of the collector itself, now or from `since` until now.
    pub(super) fn mark(&mut self, kind: MarkKind, reason: &'static str, since: Option<BootUs>) {
        let now = evscribe_reader::now().unwrap_or_default();
        self.devices.push(Row::Mark(Mark {
            at: since.unwrap_or(now),
            until: since.map(|_| now),
            run: None,
            device: None,
            kind,
            reason,
            lost: None,
        }));
    }
}
