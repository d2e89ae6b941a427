//! The gate: whether anybody may be recorded now, and whom.
//!
//! | policy | seat | the gate |
//! |---|---|---|
//! | none, unreadable, wrong | any | closed: nothing is opened |
//! | good | nobody active | closed |
//! | good | somebody who has not acknowledged the current notice | closed |
//! | good | somebody who has | open for them, at their level |
//! | wrong on reload | any | the policy before stays in force |
//!
//! Not handled yet: the locked screen, pauses and schedules. They need the bus.

use std::path::{Path, PathBuf};

use evscribe_model::{KeyLevel, Level, PointerLevel};
use evscribe_policy::{Policy, PolicyError, Standing, active_session};
use nix::unistd::{Uid, User};

/// Who is recorded, on what ground, and how much of it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Their user id.
    pub uid: u32,
    /// Their login name; for the status, never for the dataset.
    pub name: String,
    /// Their login session; unique within a boot.
    pub session: String,
    /// What is kept.
    pub level: Level,
    /// Version of the notice they acknowledged; `None` in the foreground.
    pub notice: Option<String>,
    /// SHA-256 of the notice they saw, in hex.
    pub notice_sha256: String,
    /// SHA-256 of their acknowledgement of it, in hex.
    pub acknowledgement_sha256: String,
    /// SHA-256 of the policy in force, in hex.
    pub policy_sha256: String,
}

/// What the gate says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// This person may be recorded.
    Open(Person),
    /// Nobody may.
    Closed {
        /// Why, as a clause for the status.
        why: String,
    },
}

/// On whose word the collector works.
#[derive(Debug)]
pub enum Gate {
    /// The service: the administrator's policy and the seat decide.
    Policy {
        /// Where the policy stands.
        path: PathBuf,
        /// The policy in force; an error where there is none.
        policy: Box<Result<Policy, PolicyError>>,
        /// The seat's file of logind.
        seat: PathBuf,
    },
    /// `evscribe record`: a person records themselves, in the foreground.
    Oneself {
        /// That person.
        person: Person,
        /// The seat's file of logind.
        seat: PathBuf,
    },
}

impl Gate {
    /// The gate of the service.
    #[must_use]
    pub fn by_policy(path: PathBuf, seats: &Path) -> Self {
        let policy = Box::new(Policy::load(&path));
        Self::Policy { path, policy, seat: seats.join("seat0") }
    }

    /// The gate of a person who records themselves.
    #[must_use]
    pub fn oneself(person: Person, seats: &Path) -> Self {
        Self::Oneself { person, seat: seats.join("seat0") }
    }

    /// Reads the policy again. A wrong one leaves the one before in force; a
    /// removed one closes the gate, for that is what its absence means.
    ///
    /// # Errors
    /// What is wrong with the new one.
    pub fn reload(&mut self) -> Result<(), String> {
        let Self::Policy { path, policy, .. } = self else { return Ok(()) };
        match Policy::load(path) {
            Ok(new) => **policy = Ok(new),
            Err(error) => {
                let said = chain(&error);
                if policy.is_err() || matches!(error, PolicyError::Missing { .. }) {
                    **policy = Err(error);
                }
                return Err(said);
            }
        }
        Ok(())
    }

    /// The policy in force, if the gate goes by one.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Policy { policy, .. } => policy.as_ref().as_ref().ok(),
            Self::Oneself { .. } => None,
        }
    }

    /// Who may be recorded now. Reads who is at the seat.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let closed = |why: String| Verdict::Closed { why };
        match self {
            Self::Policy { policy, seat, .. } => match policy.as_ref() {
                Err(error) => closed(chain(error)),
                Ok(policy) if policy.named() == 0 => {
                    closed("the policy names nobody who acknowledged the notice".into())
                }
                Ok(policy) => by_policy(policy, seat),
            },
            Self::Oneself { person, seat } => match std::fs::read_to_string(seat) {
                Ok(text) if active_session(&text).is_none_or(|active| active.uid != person.uid) => {
                    closed(format!("the seat is not {}'s now", person.name))
                }
                // Where no logind keeps seats, who started it sits there.
                _ => Verdict::Open(person.clone()),
            },
        }
    }
}

fn by_policy(policy: &Policy, seat: &Path) -> Verdict {
    let seat = std::fs::read_to_string(seat).unwrap_or_default();
    let Some(active) = active_session(&seat) else {
        return Verdict::Closed { why: "nobody is logged in at the seat".into() };
    };
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(active.uid)) else {
        return Verdict::Closed { why: format!("user id {} has no name", active.uid) };
    };
    match policy.standing(&user.name) {
        Standing::Not { why } => Verdict::Closed { why },
        Standing::Acknowledged {
            level: Level { keys: KeyLevel::Off, pointer: PointerLevel::Off },
            ..
        } => Verdict::Closed { why: format!("the level for {} is off", user.name) },
        Standing::Acknowledged { level, sha256 } => Verdict::Open(Person {
            uid: active.uid,
            name: user.name,
            session: active.id,
            level,
            acknowledgement_sha256: sha256,
            policy_sha256: policy.sha256.clone(),
            notice: Some(policy.notice_version.clone()),
            notice_sha256: policy.notice_sha256.clone(),
        }),
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "[notice]\nversion = \"1\"\n";

    struct Site {
        folder: tempfile::TempDir,
    }

    impl Site {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap() }
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }

        fn gate(&self) -> Gate {
            Gate::by_policy(self.folder.path().join("policy.toml"), self.folder.path())
        }
    }

    fn acknowledged_root() -> String {
        format!("{POLICY}[[acknowledged]]\nuser = \"root\"\nnotice = \"1\"\n")
    }

    fn why(gate: &Gate) -> String {
        match gate.verdict() {
            Verdict::Closed { why } => why,
            Verdict::Open(person) => panic!("open for {}", person.name),
        }
    }

    #[test]
    fn without_a_policy_the_gate_is_closed_and_says_so() {
        let site = Site::new();
        assert!(why(&site.gate()).ends_with("policy.toml does not exist"));
        site.write("policy.toml", POLICY);
        assert_eq!(why(&site.gate()), "the policy names nobody who acknowledged the notice");
    }

    #[test]
    fn it_opens_only_for_who_is_at_the_seat_and_acknowledged() {
        let site = Site::new();
        site.write("policy.toml", &acknowledged_root());
        let gate = site.gate();
        assert_eq!(why(&gate), "nobody is logged in at the seat");
        site.write("seat0", "ACTIVE=1\nACTIVE_UID=1\n");
        assert!(why(&gate).ends_with("has not acknowledged the notice"));
        site.write("seat0", "ACTIVE=1\nACTIVE_UID=0\n");
        let Verdict::Open(person) = gate.verdict() else { panic!("root acknowledged") };
        assert_eq!((person.name.as_str(), person.session.as_str()), ("root", "1"));
    }

    #[test]
    fn a_wrong_policy_on_reload_leaves_the_one_before_in_force() {
        let site = Site::new();
        site.write("policy.toml", &acknowledged_root());
        site.write("seat0", "ACTIVE=1\nACTIVE_UID=0\n");
        let mut gate = site.gate();
        let before = gate.verdict();
        site.write("policy.toml", "[notice]\nversion = 3\n");
        assert!(gate.reload().unwrap_err().contains("policy.toml:2: notice.version"));
        assert_eq!(gate.verdict(), before);
    }

    #[test]
    fn a_removed_policy_closes_the_gate() {
        let site = Site::new();
        site.write("policy.toml", &acknowledged_root());
        site.write("seat0", "ACTIVE=1\nACTIVE_UID=0\n");
        let mut gate = site.gate();
        std::fs::remove_file(site.folder.path().join("policy.toml")).unwrap();
        assert!(gate.reload().is_err());
        assert!(why(&gate).ends_with("does not exist"));
    }
}
