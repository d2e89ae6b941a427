//! What the service shows, and until when it waits.

use std::time::{Duration, Instant};

use evscribe_sink::Report;

use super::collect::DISK_FULL;
use super::{SEND_AFTER, SETTLE_AFTER, Service, unix_now};
use crate::bus::Shown;
use crate::gate::{Because, Verdict};
use crate::status::{OpenDevice, State};

impl Service<'_> {
    /// Tells by the gate's verdict what is done and why.
    pub(super) fn tell(&mut self, verdict: Verdict) {
        self.has_news = true;
        let before = self.status.state;
        match verdict {
            Verdict::Open(person) => {
                (self.status.state, self.status.reason) = match (&self.stalled, self.gate.policy())
                {
                    (Some(why), _) => (State::Stalled, why.clone()),
                    (None, None) => {
                        (State::Collecting, "the person at the seat records themselves".into())
                    }
                    (None, Some(policy)) => {
                        let notice = &policy.notice_version;
                        let why = format!("the person at the seat acknowledged notice {notice}");
                        (State::Collecting, why)
                    }
                };
                self.status.keys = person.level.keys.to_string();
                self.status.pointer = person.level.pointer.to_string();
            }
            Verdict::Closed(closed) => {
                self.status.state = match closed.because {
                    Because::Paused => State::Paused,
                    _ => State::Waiting,
                };
                self.status.reason = closed.why;
                self.status.keys = "off".into();
                self.status.pointer = "off".into();
            }
        }
        self.status.notice = self.gate.policy().map(|policy| policy.notice_version.clone());
        if before != self.status.state {
            self.status.since_unix_s = unix_now();
        }
    }

    pub(super) fn read_reports(&mut self) {
        for report in self.reports.try_iter().collect::<Vec<_>>() {
            self.has_news = true;
            crate::report::say(&report);
            match &report {
                Report::Stalled { message, .. } => self.stalled = Some(message.clone()),
                Report::Resumed { .. } => self.stalled = None,
                _ => {}
            }
            match report {
                Report::Confirmed { ticket } => self.confirmed(ticket),
                Report::Forgotten { ticket, outcome } => {
                    self.forgotten(ticket, outcome);
                }
                Report::Pull { ticket, outcome, .. } => self.pulled(ticket, outcome),
                Report::Stalled { message, reason } if self.open.is_some() => {
                    self.status.state = State::Stalled;
                    self.status.reason = message;
                    let now = evscribe_reader::now().ok();
                    self.full_since = now.filter(|_| reason == DISK_FULL);
                }
                Report::Resumed { .. } if self.open.is_some() => {
                    self.status.state = State::Collecting;
                    self.status.reason = "the disk takes rows again".into();
                    self.mark_full();
                }
                Report::Sealed { files, .. } => {
                    self.status.sealed_files += files.len() as u64;
                    self.status.sealed_unix_s = Some(unix_now());
                }
                _ => {}
            }
            if self.stalled.is_some() {
                self.answer_stalled();
            }
        }
    }

    /// Takes over what was counted.
    pub(super) fn count(&mut self) {
        let counts = self.devices.pipeline().counts();
        self.status.count(counts, self.devices.kernel_drops());
    }

    /// Shows the status if it changed: news at once, counts a little later.
    pub(super) fn show(&mut self) {
        let now = self.now;
        self.has_news |= self.devices.take_grabs_changed();
        let is_late = self.shown_at + self.face.lag() <= now;
        if !(self.has_news || (self.has_counted && is_late)) {
            return;
        }
        self.count();
        self.status.devices = self
            .devices
            .list()
            .map(|(link, id, grabbed)| OpenDevice { link: link.into(), device: id.0, grabbed })
            .collect();
        self.status.refused = self.devices.refused().values().cloned().collect();
        if self.shown.as_ref() != Some(&self.status) {
            self.face.show(&self.status);
            self.shown = Some(self.status.clone());
        }
        self.show_on_bus();
        self.shown_at = now;
        (self.has_news, self.has_counted) = (false, false);
    }

    fn show_on_bus(&mut self) {
        let Some(bus) = &self.bus else { return };
        let status = &self.status;
        let today = jiff::ZonedDateTime::now().date();
        if self.today.0 != today {
            self.today = (today, status.losses());
        }
        let mut shown = Shown {
            state: status.state.name(),
            reason: status.reason.clone(),
            since_us: status.since_unix_s.saturating_mul(1_000_000),
            level: format!("keys={} pointer={}", status.keys, status.pointer),
            policy_error: status.policy_error.clone().unwrap_or_default(),
            dataset: status.dataset.display().to_string(),
            at_rest: status.at_rest.clone(),
            recipients: status
                .recipients
                .iter()
                .map(|recipient| (recipient.id.clone(), recipient.name.clone()))
                .collect(),
            pulls_paused: self.gate.pulls().err().unwrap_or_default(),
            losses_today: status.losses().saturating_sub(self.today.1),
            open_devices: u32::try_from(status.devices.len()).unwrap_or(u32::MAX),
            ..Shown::default()
        };
        if let Some(policy) = self.gate.policy() {
            shown.take_policy(policy);
        }
        if self.shown_on_bus.as_ref() != Some(&shown) {
            self.shown_on_bus = Some(shown.clone());
            bus.show(shown);
        }
    }

    /// When something is due, events aside.
    pub(super) fn due(&self) -> Instant {
        [
            self.dirty_since.map(|since| since + SEND_AFTER),
            self.split_since.map(|since| since + SETTLE_AFTER),
            self.segment_since.map(|since| since + self.settings.segment_age),
            self.has_counted.then(|| self.shown_at + self.face.lag()),
            self.decide_at,
            self.alive_at,
        ]
        .into_iter()
        .flatten()
        .fold(self.retain_at, Instant::min)
    }

    /// How long to wait for events at most: for ever, unless a device is left
    /// alone or has more to say.
    pub(super) fn timeout(&self) -> Option<Duration> {
        if self.devices.is_unfinished() { Some(Duration::ZERO) } else { self.devices.absence() }
    }
}
