//! How the person who asks stands with the service.

use std::collections::HashMap;

use nix::unistd::{Uid, User};
use serde_json::{Value, json};
use zbus::OwnedVariant;

use super::words;
use crate::service::{Service, ServiceError};

/// One person, as the service knows them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Me {
    /// As the bus states it.
    pub(crate) uid: u32,
    /// `acknowledged`, `not_acknowledged`, `notice_changed`, `opted_out`, `paused`.
    pub(crate) standing: String,
    /// Whether they are recorded now, or why nobody is.
    pub(crate) why: String,
    /// Version of the notice that they acknowledged.
    pub(crate) notice: String,
    /// When they did, microseconds since 1970; 0: never.
    pub(crate) acknowledged_at_us: i64,
    /// What may be kept of them.
    pub(crate) level: String,
    /// Until when nothing is, microseconds since 1970; 0: no pause.
    pub(crate) paused_until_us: i64,
    /// The notice is to be shown to them.
    pub(crate) notice_due: bool,
    /// Their pseudonyms.
    pub(crate) subjects: Vec<String>,
    /// How many sealed files are theirs.
    pub(crate) files: u32,
    /// And of how many bytes.
    pub(crate) bytes: u64,
    /// Who may have pulled files of theirs: name, when last, how many.
    pub(crate) pulls: Vec<(String, i64, u64)>,
}

impl Me {
    /// Asks the service about whoever started this.
    ///
    /// # Errors
    /// As [`Service::ask`].
    pub(crate) fn ask(service: &Service) -> Result<Self, ServiceError> {
        Ok(Self::of(service.ask(async |bus| bus.me().await)?))
    }

    /// What a newer service says besides is left out; what an older one does not
    /// say is as for nobody.
    fn of(mut said: HashMap<String, OwnedVariant>) -> Self {
        fn take<T: TryFrom<OwnedVariant> + Default>(
            said: &mut HashMap<String, OwnedVariant>,
            name: &str,
        ) -> T {
            said.remove(name).and_then(|value| T::try_from(value).ok()).unwrap_or_default()
        }
        let said = &mut said;
        Self {
            uid: take(said, "uid"),
            standing: take(said, "standing"),
            why: take(said, "why"),
            notice: take(said, "notice"),
            acknowledged_at_us: take(said, "acknowledged_at"),
            level: take(said, "level"),
            paused_until_us: take(said, "paused_until"),
            notice_due: take(said, "notice_due"),
            subjects: take(said, "subjects"),
            files: take(said, "files"),
            bytes: take(said, "bytes"),
            pulls: take(said, "pulls"),
        }
    }

    /// Whether the current notice waits for them.
    pub(crate) fn must_acknowledge(&self) -> bool {
        matches!(self.standing.as_str(), "not_acknowledged" | "notice_changed")
    }

    /// Their name on this machine, else their number.
    pub(crate) fn user(&self) -> String {
        let user = User::from_uid(Uid::from_raw(self.uid)).ok().flatten();
        user.map_or_else(|| self.uid.to_string(), |user| user.name)
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "uid": self.uid,
            "user": self.user(),
            "standing": self.standing,
            "why": self.why,
            "notice": self.notice,
            "acknowledged_at": words::rfc3339(self.acknowledged_at_us),
            "level": self.level,
            "paused": self.paused_until_us != 0,
            "paused_until": words::rfc3339(self.paused_until_us),
            "notice_due": self.notice_due,
            "subjects": self.subjects,
            "files": self.files,
            "bytes": self.bytes,
            "pulls": self.pulls.iter().map(pull_to_json).collect::<Vec<_>>(),
        })
    }
}

fn pull_to_json((puller, last_us, files): &(String, i64, u64)) -> Value {
    json!({ "by": puller, "last": words::rfc3339(*last_us), "files": files })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_does_not_say_is_as_for_nobody() {
        let said = HashMap::from([
            ("uid".to_owned(), OwnedVariant::from(1000_u32)),
            ("notice_due".to_owned(), OwnedVariant::from(true)),
            ("level".to_owned(), OwnedVariant::from(7_u64)),
            ("something_newer".to_owned(), OwnedVariant::from(true)),
        ]);
        let expected = Me { uid: 1000, notice_due: true, ..Me::default() };
        assert_eq!(Me::of(said), expected);
    }

    #[test]
    fn a_pause_without_an_end_is_a_pause_for_programs_too() {
        let me = Me { paused_until_us: i64::MAX, ..Me::default() };
        assert_eq!(me.to_json()["paused"], true);
        assert_eq!(me.to_json()["paused_until"], Value::Null);
        assert_eq!(Me::default().to_json()["paused"], false);
    }
}
