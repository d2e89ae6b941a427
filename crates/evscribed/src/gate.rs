//! The gate: whether anybody may be recorded now, and whom.
//!
//! Asked in this order; the first that says no closes it.
//!
//! | asked | no, if |
//! |---|---|
//! | policy | there is none, or it is wrong (a wrong one on reload leaves the one before) |
//! | hold | an administrator holds everybody |
//! | seat | greeter, lock, network, a switch under way, nobody, or nobody knows |
//! | schedule | the hour is not in it |
//! | person | they opted out, did not acknowledge the current notice, paused, chose `off` |

use std::path::PathBuf;
use std::time::Duration;

use evscribe_model::{KeyLevel, Level, MarkKind, PointerLevel};
use evscribe_policy::{People, Policy, PolicyError, Standing};

use crate::seat::{Seat, Session};

const DAY_US: i64 = 86_400_000_000;

/// Who is recorded, on what ground, and how much of it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Their user id.
    pub uid: u32,
    /// Their login session; unique within a boot.
    pub session: String,
    /// Which period of the policy's pseudonyms this is; `None` where they stay.
    pub period: Option<u32>,
    /// What is kept.
    pub level: Level,
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
    Closed(Closed),
}

impl Verdict {
    /// Whether nobody may be, because of this.
    #[must_use]
    pub fn is_of(&self, because: Because) -> bool {
        matches!(self, Self::Closed(closed) if closed.because == because)
    }
}

/// Why nobody may be recorded. It names no person: everybody may read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    /// What kind of reason it is.
    pub because: Because,
    /// The reason, as a clause.
    pub why: String,
}

/// The kinds of reasons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Because {
    /// There is no policy to go by.
    Policy,
    /// An administrator holds everybody.
    Held,
    /// The screen is locked.
    Locked,
    /// Nobody, somebody else, or nobody knows who is at the seat.
    Seat,
    /// The hour is not in the schedule.
    Schedule,
    /// The person has not acknowledged the current notice.
    Notice,
    /// The person opted out.
    OptedOut,
    /// The person paused.
    Paused,
    /// The level is off.
    Level,
}

impl Because {
    /// The mark that tells of it where collection ends.
    #[must_use]
    pub const fn mark(self) -> (MarkKind, &'static str) {
        match self {
            Self::Policy => (MarkKind::Stop, "policy"),
            Self::Held => (MarkKind::Stop, "held"),
            Self::Locked => (MarkKind::Lock, "screen_locked"),
            Self::Seat => (MarkKind::Switch, "seat"),
            Self::Schedule => (MarkKind::Stop, "schedule"),
            Self::Notice => (MarkKind::Stop, "notice"),
            Self::OptedOut => (MarkKind::Stop, "opted_out"),
            Self::Paused => (MarkKind::Pause, "person_asked"),
            Self::Level => (MarkKind::Stop, "level_off"),
        }
    }

    /// Whether what was said just before may be another's.
    #[must_use]
    pub const fn is_about_who(self) -> bool {
        matches!(self, Self::Locked | Self::Seat)
    }
}

/// On whose word the collector works.
#[derive(Debug)]
pub enum Gate {
    /// The service: policy, people and seat decide.
    Policy(Box<Rules>),
    /// `evscribe record`: a person records themselves, in the foreground.
    Oneself(Person),
}

/// What the service goes by.
#[derive(Debug)]
pub struct Rules {
    path: PathBuf,
    /// The policy in force; an error where there is none.
    policy: Result<Policy, PolicyError>,
    /// What each person decided.
    pub people: People,
}

impl Gate {
    /// The gate of the service.
    #[must_use]
    pub fn by_policy(path: PathBuf, people: People) -> Self {
        let policy = Policy::load(&path);
        Self::Policy(Box::new(Rules { path, policy, people }))
    }

    /// Reads the policy again. A wrong one leaves the one before in force; a
    /// removed one closes the gate, for that is what its absence means.
    ///
    /// # Errors
    /// What is wrong with the new one.
    pub fn reload(&mut self) -> Result<(), String> {
        let Self::Policy(rules) = self else { return Ok(()) };
        match Policy::load(&rules.path) {
            Ok(new) => rules.policy = Ok(new),
            Err(error) => {
                let said = chain(&error);
                if rules.policy.is_err() || matches!(error, PolicyError::Missing { .. }) {
                    rules.policy = Err(error);
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
            Self::Policy(rules) => rules.policy.as_ref().ok(),
            Self::Oneself(_) => None,
        }
    }

    /// The policy in force and the people, to change.
    ///
    /// # Errors
    /// Why there is no policy, as a clause.
    pub fn rules(&mut self) -> Result<(&Policy, &mut People), String> {
        match self {
            Self::Policy(rules) => match &rules.policy {
                Ok(policy) => Ok((policy, &mut rules.people)),
                Err(error) => Err(chain(error)),
            },
            Self::Oneself(_) => Err("this collector serves one person".into()),
        }
    }

    /// What each person decided; `None` where one person records themselves.
    pub fn people_mut(&mut self) -> Option<&mut People> {
        match self {
            Self::Policy(rules) => Some(&mut rules.people),
            Self::Oneself(_) => None,
        }
    }

    /// The same, to look at.
    #[must_use]
    pub fn people(&self) -> Option<&People> {
        match self {
            Self::Policy(rules) => Some(&rules.people),
            Self::Oneself(_) => None,
        }
    }

    /// How long a sealed file cools off before it may be pulled.
    ///
    /// A hold is on everything: what is in dispute is neither recorded nor taken
    /// away. `[pull] paused` is on pulls alone.
    ///
    /// # Errors
    /// Why none may be pulled now, as a clause.
    pub fn pulls(&self) -> Result<Duration, String> {
        let Self::Policy(rules) = self else { return Err("nobody is served here".into()) };
        let policy = rules.policy.as_ref().map_err(|error| chain(error))?;
        if let Some(why) = &rules.people.held {
            return Err(format!("held by an administrator: {why}"));
        }
        if policy.pulls_paused {
            return Err("pulls are paused by the policy".into());
        }
        Ok(Duration::from_secs(60 * 60) * policy.cooling_off_hours)
    }

    /// Who may be recorded at `now_us`, microseconds since 1970. `vt` is the
    /// virtual terminal in front, where there are any.
    #[must_use]
    pub fn verdict(&self, seat: &Seat, vt: Option<u32>, now_us: i64) -> Verdict {
        let verdict = match self {
            Self::Policy(rules) => rules.person(seat, vt, now_us),
            // Where no bus tells who sits there, who started it does.
            Self::Oneself(person) if *seat == Seat::Absent => Ok(person.clone()),
            Self::Oneself(person) => oneself(person, seat, vt),
        };
        verdict.map_or_else(Verdict::Closed, Verdict::Open)
    }

    /// When time alone may change the verdict next, microseconds since 1970.
    #[must_use]
    pub fn changes_at(&self, seat: &Seat, now_us: i64) -> Option<i64> {
        let Self::Policy(rules) = self else { return None };
        let policy = rules.policy.as_ref().ok()?;
        let schedule = policy.schedule.as_ref().and_then(|schedule| {
            let now = jiff::Timestamp::from_microsecond(now_us).ok()?;
            Some(schedule.at(now).changes_at?.as_microsecond())
        });
        let rotation = policy.rotate_days.map(|days| {
            let length = i64::from(days) * DAY_US;
            (now_us.div_euclid(length) + 1).saturating_mul(length)
        });
        let person = match seat {
            Seat::Session(session) => rules.people.next_change_us(session.uid, now_us),
            _ => None,
        };
        [schedule, rotation, person].into_iter().flatten().min()
    }
}

impl Rules {
    fn person(&self, seat: &Seat, vt: Option<u32>, now_us: i64) -> Result<Person, Closed> {
        let policy = self
            .policy
            .as_ref()
            .map_err(|error| Closed { because: Because::Policy, why: chain(error) })?;
        if let Some(why) = &self.people.held {
            let why = format!("held by an administrator: {why}");
            return Err(Closed { because: Because::Held, why });
        }
        let session = at_seat(seat, vt)?;
        if let Some(schedule) = &policy.schedule {
            let now = jiff::Timestamp::from_microsecond(now_us).unwrap_or_default();
            if !schedule.at(now).open {
                let why = "the schedule leaves this hour out".into();
                return Err(Closed { because: Because::Schedule, why });
            }
        }
        let (because, why) = match self.people.standing(session.uid, policy, now_us) {
            Standing::Acknowledged { level, sha256 } => {
                if level == (Level { keys: KeyLevel::Off, pointer: PointerLevel::Off }) {
                    let why = "the person at the seat chose that nothing is kept".into();
                    return Err(Closed { because: Because::Level, why });
                }
                return Ok(Person {
                    uid: session.uid,
                    session: session.id.clone(),
                    period: period(policy, now_us),
                    level,
                    notice_sha256: policy.notice_sha256.clone(),
                    acknowledgement_sha256: sha256,
                    policy_sha256: policy.sha256.clone(),
                });
            }
            Standing::Never | Standing::NoticeChanged => {
                (Because::Notice, "the person at the seat has not acknowledged the current notice")
            }
            Standing::OptedOut => (Because::OptedOut, "the person at the seat opted out"),
            Standing::Paused => (Because::Paused, "the person at the seat paused"),
        };
        Err(Closed { because, why: why.into() })
    }
}

fn at_seat(seat: &Seat, vt: Option<u32>) -> Result<&Session, Closed> {
    seat.person(vt).map_err(|why| {
        let is_locked = matches!(seat, Seat::Session(Session { locked: true, .. }));
        Closed { because: if is_locked { Because::Locked } else { Because::Seat }, why }
    })
}

fn oneself(person: &Person, seat: &Seat, vt: Option<u32>) -> Result<Person, Closed> {
    let session = at_seat(seat, vt)?;
    if session.uid != person.uid {
        let why = "somebody else is at the seat".into();
        return Err(Closed { because: Because::Seat, why });
    }
    Ok(person.clone())
}

/// Which period of pseudonyms it is.
pub(crate) fn period(policy: &Policy, now_us: i64) -> Option<u32> {
    let length = i64::from(policy.rotate_days?) * DAY_US;
    u32::try_from(now_us.div_euclid(length)).ok()
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
mod tests;
