//! What the service shows, and until when it waits.

use std::time::{Duration, Instant};

use evscribe_sink::Report;

use super::collect::DISK_FULL;
use super::{SEND_AFTER, SETTLE_AFTER, Service, unix_now};
use crate::gate::Verdict;
use crate::status::{OpenDevice, State};

impl Service<'_> {
    /// Tells by the gate's verdict what is done and why.
    pub(super) fn tell(&mut self, verdict: Verdict) {
        self.has_news = true;
        let before = self.status.state;
        match verdict {
            Verdict::Open(person) => {
                self.status.state = State::Collecting;
                self.status.reason = match &person.notice {
                    None => format!("{} records themselves", person.name),
                    Some(notice) => format!("{} acknowledged notice {notice}", person.name),
                };
                self.status.keys = person.level.keys.to_string();
                self.status.pointer = person.level.pointer.to_string();
                self.status.notice = person.notice;
                self.status.person = Some(person.name);
            }
            Verdict::Closed { why } => {
                self.status.state = State::Waiting;
                self.status.reason = why;
                self.status.keys = "off".into();
                self.status.pointer = "off".into();
                self.status.notice = None;
                self.status.person = None;
            }
        }
        if before != self.status.state {
            self.status.since_unix_s = unix_now();
        }
    }

    pub(super) fn read_reports(&mut self) {
        self.has_news = true;
        for report in self.reports.try_iter().collect::<Vec<_>>() {
            crate::report::say(&report);
            match report {
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
        self.shown_at = now;
        (self.has_news, self.has_counted) = (false, false);
    }

    /// When something is due, events aside.
    pub(super) fn due(&self) -> Instant {
        [
            self.dirty_since.map(|since| since + SEND_AFTER),
            self.split_since.map(|since| since + SETTLE_AFTER),
            self.segment_since.map(|since| since + self.settings.segment_age),
            self.has_counted.then(|| self.shown_at + self.face.lag()),
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
