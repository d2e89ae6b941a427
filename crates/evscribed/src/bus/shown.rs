//! What the service shows everybody: the properties of Collector1. They tell
//! what is done at this workstation and why, and name no person.

use evscribe_policy::Policy;
use zbus::Variant;

/// The properties, in the order of their names on the bus.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) state: &'static str,
    pub(crate) reason: String,
    /// Since when, microseconds since 1970.
    pub(crate) since_us: i64,
    pub(crate) level: String,
    pub(crate) controller: String,
    pub(crate) contact: String,
    pub(crate) purpose: String,
    pub(crate) lawful_basis: Vec<String>,
    pub(crate) relationship: String,
    pub(crate) notice_version: String,
    pub(crate) notice_sha256: String,
    pub(crate) policy_sha256: String,
    pub(crate) policy_error: String,
    pub(crate) dataset: String,
    pub(crate) retention_days: u32,
    pub(crate) cooling_off_hours: u32,
    pub(crate) at_rest: String,
    /// Id and name of each key that new files are encrypted for.
    pub(crate) recipients: Vec<(String, String)>,
    pub(crate) losses_today: u64,
    pub(crate) open_devices: u32,
}

impl Shown {
    fn values(&self) -> [(&'static str, Variant<'_>); 20] {
        [
            ("State", self.state.into()),
            ("Reason", self.reason.as_str().into()),
            ("Since", self.since_us.into()),
            ("Level", self.level.as_str().into()),
            ("Controller", self.controller.as_str().into()),
            ("Contact", self.contact.as_str().into()),
            ("Purpose", self.purpose.as_str().into()),
            ("LawfulBasis", self.lawful_basis.clone().into()),
            ("Relationship", self.relationship.as_str().into()),
            ("NoticeVersion", self.notice_version.as_str().into()),
            ("NoticeSha256", self.notice_sha256.as_str().into()),
            ("PolicySha256", self.policy_sha256.as_str().into()),
            ("PolicyError", self.policy_error.as_str().into()),
            ("Dataset", self.dataset.as_str().into()),
            ("RetentionDays", self.retention_days.into()),
            ("CoolingOffHours", self.cooling_off_hours.into()),
            ("AtRest", self.at_rest.as_str().into()),
            ("Recipients", self.recipients.clone().into()),
            ("LossesToday", self.losses_today.into()),
            ("OpenDevices", self.open_devices.into()),
        ]
    }

    /// Takes over what the policy says of itself.
    pub(crate) fn take_policy(&mut self, policy: &Policy) {
        self.controller.clone_from(&policy.controller);
        self.contact.clone_from(&policy.contact);
        self.purpose.clone_from(&policy.purpose);
        self.lawful_basis = policy.lawful_basis.iter().map(ToString::to_string).collect();
        self.relationship = policy.relationship.to_string();
        self.notice_version.clone_from(&policy.notice_version);
        self.notice_sha256.clone_from(&policy.notice_sha256);
        self.policy_sha256.clone_from(&policy.sha256);
        self.retention_days = policy.retention.days;
        self.cooling_off_hours = policy.cooling_off_hours;
    }

    /// The properties that are not as in `before`.
    pub(crate) fn changed<'a>(&'a self, before: &Self) -> Vec<(&'static str, Variant<'a>)> {
        let pairs = self.values().into_iter().zip(before.values());
        pairs.filter(|(new, old)| new != old).map(|(new, _)| new).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let before = Shown { state: "waiting", reason: "nobody".into(), ..Shown::default() };
        let after = Shown { state: "collecting", open_devices: 2, ..before.clone() };
        let names: Vec<_> = after.changed(&before).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["State", "OpenDevices"]);
        assert!(after.changed(&after).is_empty());
    }
}
