//! What the service says of itself on the bus: what is done here, why, and on
//! whose behalf.

use std::io::Write;

use evscribe_model::Level;
use evscribed::Recipient;
use serde::Serialize;

use super::line;
use crate::rights::words;
use crate::service::{Service, ServiceError};

/// The service's properties.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Told {
    pub(super) state: String,
    reason: String,
    #[serde(rename = "since", serialize_with = "as_rfc3339")]
    since_us: i64,
    level: String,
    controller: String,
    contact: String,
    purpose: String,
    lawful_basis: Vec<String>,
    relationship: String,
    notice_version: String,
    notice_sha256: String,
    policy_sha256: String,
    policy_error: String,
    dataset: String,
    retention_days: u32,
    cooling_off_hours: u32,
    at_rest: String,
    recipients: Vec<Recipient>,
    losses_today: u64,
    open_devices: u32,
}

fn as_rfc3339<S: serde::Serializer>(at_us: &i64, to: S) -> Result<S::Ok, S::Error> {
    words::rfc3339(*at_us).serialize(to)
}

impl Told {
    /// # Errors
    /// As [`Service::ask`].
    pub(super) fn ask(service: &Service) -> Result<Self, ServiceError> {
        service.ask(async |bus| {
            Ok(Self {
                state: bus.state().await?,
                reason: bus.reason().await?,
                since_us: bus.since().await?,
                level: bus.level().await?,
                controller: bus.controller().await?,
                contact: bus.contact().await?,
                purpose: bus.purpose().await?,
                lawful_basis: bus.lawful_basis().await?,
                relationship: bus.relationship().await?,
                notice_version: bus.notice_version().await?,
                notice_sha256: bus.notice_sha256().await?,
                policy_sha256: bus.policy_sha256().await?,
                policy_error: bus.policy_error().await?,
                dataset: bus.dataset().await?,
                retention_days: bus.retention_days().await?,
                cooling_off_hours: bus.cooling_off_hours().await?,
                at_rest: bus.at_rest().await?,
                recipients: bus.recipients().await?.into_iter().map(Recipient::from).collect(),
                losses_today: bus.losses_today().await?,
                open_devices: bus.open_devices().await?,
            })
        })
    }

    /// In words, a line each.
    pub(super) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "evscribed is {}.", self.doing())?;
        for (about, what) in self.lines() {
            line(out, about, &what)?;
        }
        Ok(())
    }

    /// What it does now, as a clause.
    fn doing(&self) -> String {
        let Self { reason, level, .. } = self;
        let devices = words::count(self.open_devices.into(), "device");
        match self.state.as_str() {
            "collecting" => format!("collecting at {level}, from {devices}: {reason}"),
            "stalled" => {
                format!(
                    "collecting at {level}, from {devices}, but the disk takes nothing: {reason}"
                )
            }
            "waiting" => format!("waiting, nothing is opened: {reason}"),
            "paused" => format!("paused, nothing is opened: {reason}"),
            state => format!("{state}: {reason}"),
        }
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("since", words::moment(self.since_us))];
        if let Some(Level { keys, pointer }) = words::level(&self.level) {
            lines.push(("of keys", words::keys_kept(keys).into()));
            lines.push(("of pointer", words::pointer_kept(pointer).into()));
        }
        // Without a policy nobody has said any of this, and nothing is collected.
        let mut policy = |about, what: String| {
            if !what.is_empty() {
                lines.push((about, what));
            }
        };
        policy("for", self.purpose.clone());
        policy("by", listed(&[&self.controller, &self.contact]));
        let basis = self.lawful_basis.join(", ").replace('_', " ");
        policy("on ground", listed(&[&basis, &self.relationship]));
        policy("notice", self.notice_version.clone());
        policy("goes to", self.destination());
        policy("on disk", self.at_rest());
        if self.retention_days > 0 {
            let days = words::count(self.retention_days.into(), "day");
            policy("kept", format!("{days}, then removed"));
        }
        policy("lost today", losses(self.losses_today));
        if !self.policy_error.is_empty() {
            let error = &self.policy_error;
            policy("policy", format!("the new one is wrong, so the one before stays: {error}"));
        }
        lines
    }

    fn at_rest(&self) -> String {
        let keys = self.recipients.iter().map(|key| (key.id.as_str(), key.name.as_str()));
        words::at_rest(&self.at_rest, keys)
    }

    fn destination(&self) -> String {
        let here = format!("{}, on this machine; nothing is sent anywhere", self.dataset);
        match self.cooling_off_hours {
            _ if self.dataset.is_empty() => String::new(),
            0 => here,
            hours => {
                let hours = words::count(hours.into(), "hour");
                format!("{here}, and by the policy nobody is to fetch it before it is {hours} old")
            }
        }
    }
}

/// A loss may be of rows that nobody counted, so it is not said how many.
fn losses(count: u64) -> String {
    match count {
        1 => "1 loss since the service started today; it has a mark".into(),
        _ => format!("{count} losses since the service started today; each has a mark"),
    }
}

/// What is there of these, the second and later in brackets.
fn listed(parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => String::new(),
        [first] => (*first).into(),
        [first, others @ ..] => format!("{first} ({})", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(told: &Told) -> String {
        let mut out = Vec::new();
        told.print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn everything_a_person_asks_has_a_line() {
        let told = Told {
            state: "collecting".into(),
            reason: "the person at the seat acknowledged notice 3".into(),
            level: "keys=class pointer=full".into(),
            controller: "Example Ltd".into(),
            contact: "privacy@example.org".into(),
            purpose: "how forms are filled in".into(),
            lawful_basis: vec!["legitimate_interest".into()],
            relationship: "employment".into(),
            notice_version: "3".into(),
            dataset: "/var/lib/evscribe/dataset".into(),
            retention_days: 30,
            cooling_off_hours: 24,
            at_rest: "encrypted".into(),
            recipients: vec![Recipient { id: "00ff".into(), name: "data team".into() }],
            losses_today: 2,
            open_devices: 1,
            ..Told::default()
        };
        let said = printed(&told);
        for expected in [
            "collecting at keys=class pointer=full, from 1 device: the person at the seat",
            "  since      1970-01-01",
            "  of keys    when, and what class",
            "  of pointer all of it",
            "  for        how forms are filled in",
            "  by         Example Ltd (privacy@example.org)",
            "  on ground  legitimate interest (employment)",
            "  notice     3",
            "  goes to    /var/lib/evscribe/dataset, on this machine",
            "and by the policy nobody is to fetch it before it is 24 hours old",
            "  on disk    encrypted; readable for data team (key 00ff) and on this workstation",
            "  kept       30 days",
            "  lost today 2 losses since the service started today; each has a mark",
        ] {
            assert!(said.contains(expected), "{expected}\nin\n{said}");
        }
        assert!(!said.contains("\n  policy"), "{said}");
    }

    #[test]
    fn one_loss_is_no_losses() {
        assert!(losses(0).starts_with("0 losses since"));
        assert_eq!(losses(1), "1 loss since the service started today; it has a mark");
    }

    #[test]
    fn without_a_policy_nobody_is_named() {
        let told = Told {
            state: "waiting".into(),
            reason: "/etc/evscribe/policy.toml does not exist".into(),
            level: "off".into(),
            ..Told::default()
        };
        let said = printed(&told);
        assert!(said.starts_with("evscribed is waiting, nothing is opened: /etc/"), "{said}");
        for absent in ["  by ", "  for ", "  of keys", "  goes to", "  on disk", "  kept"] {
            assert!(!said.contains(absent), "{absent}\nin\n{said}");
        }
    }

    #[test]
    fn a_wrong_policy_is_shown_with_what_stays() {
        let told = Told { policy_error: "line 3: purpose is missing".into(), ..Told::default() };
        let said = printed(&told);
        assert!(said.contains("the one before stays: line 3: purpose is missing"), "{said}");
    }
}
