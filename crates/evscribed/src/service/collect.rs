//! Opens and closes as the gate says, and begins segments as the clocks say.

use anyhow::Context;
use evscribe_model::{BootUs, Mark, MarkKind, Row};
use evscribe_sink::{Command, Provenance};

use super::{Service, Settings};
use crate::devices::Unread;
use crate::gate::{Person, Verdict};

/// Why the writer stands still, and the reason of the mark that says so.
pub(super) const DISK_FULL: &str = "disk_full";

impl Service<'_> {
    /// Asks the gate, and opens or closes as it says. `reason` is what made it ask.
    pub(super) fn decide(&mut self, reason: &'static str) {
        let verdict = self.gate.verdict();
        let wanted = match &verdict {
            Verdict::Open(person) => Some(person),
            Verdict::Closed { .. } => None,
        };
        if wanted != self.open.as_ref() {
            // What waits in the kernel when another took the seat may be theirs.
            match reason {
                "seat" => self.close(MarkKind::Switch, reason, Unread::Discard),
                _ => self.close(MarkKind::Stop, reason, Unread::Read),
            }
            if let Some(person) = wanted {
                self.open_for(person.clone(), reason);
            }
        }
        self.tell(verdict);
    }

    pub(super) fn open_for(&mut self, person: Person, reason: &'static str) {
        self.devices.set_level(person.level);
        self.open = Some(person);
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
        self.save_numbers();
    }

    /// Begins a segment with a fresh anchor; the one before is sealed.
    pub(super) fn begin(&mut self) {
        let Some(person) = &self.open else { return };
        let anchor = match self.clock.anchor() {
            Ok(anchor) => anchor,
            Err(error) => {
                log::error!("the clocks cannot be read, the last anchor stays: {error}");
                return;
            }
        };
        let Settings { keys, host, .. } = &self.settings;
        let session = format!("{}\0{}", host.boot, person.session);
        let provenance = Provenance {
            host: host.name.clone(),
            boot: host.boot.clone(),
            subject: keys.pseudonym("subject", &person.uid.to_ne_bytes()),
            session: keys.pseudonym("session", session.as_bytes()),
            anchor,
            clock: evscribe_sink::Clock::Boottime,
            level: person.level,
            notice_sha256: Some(person.notice_sha256.clone()),
            acknowledgement_sha256: Some(person.acknowledgement_sha256.clone()),
            policy_sha256: Some(person.policy_sha256.clone()),
            ledger_head: None,
        };
        self.devices.pipeline().command(Command::Begin(Box::new(provenance)));
    }

    pub(super) fn clock_changed(&mut self) -> anyhow::Result<()> {
        let change = self.clock.changed().context("the wall clock's timer")?;
        if change.slept.is_none() && change.stepped_us.is_none() {
            return Ok(());
        }
        if self.open.is_none() {
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
