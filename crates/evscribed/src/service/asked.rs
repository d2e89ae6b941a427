//! What each request does, as far as the event loop does it.

use evscribe_model::{KeyLevel, PointerLevel};
use evscribe_policy::{People, Policy, Standing};
use evscribe_sink::Fact;

use super::rights::paused;
use super::{Service, clock_us};
use crate::bus::{Answer, Me, Outcome, Request};

/// A span that ends so little before now ends now, µs.
const NOW_US: i64 = 5_000_000;

/// What becomes of a request.
pub(super) enum Step {
    /// It is answered at once.
    Now(Outcome),
    /// It is answered once all that was told is durable.
    Durable(Answer),
    /// It is answered once it is noted that they pull.
    Pull { puller: String },
    /// It is answered once it is noted that they have what that manifest lists.
    Acknowledge { puller: String, sha256: String },
    /// It is answered once that is gone.
    Forget { subjects: Vec<String>, from_us: i64, until_us: i64, erase: bool, reason: &'static str },
}

impl Service<'_> {
    /// Does what is asked of that person.
    ///
    /// # Errors
    /// Why not, for who asked; nothing changed.
    pub(super) fn take(&mut self, uid: u32, request: Request) -> Result<Step, String> {
        let now_us = clock_us();
        Ok(match request {
            Request::Notice => {
                let (policy, _) = self.gate.rules()?;
                Step::Now(Ok(Answer::Notice {
                    version: policy.notice_version.clone(),
                    sha256: policy.notice_sha256.clone(),
                    text: policy.notice_text.clone(),
                }))
            }
            Request::Me => Step::Now(Ok(Answer::Me(Box::new(self.me(uid, now_us))))),
            Request::NoticeShown { version, sha256 } => {
                let (policy, people) = self.gate.rules()?;
                if (&version, &sha256) != (&policy.notice_version, &policy.notice_sha256) {
                    return Err("this is not the current notice: `evscribe notice` shows it".into());
                }
                people.notice_shown(uid, now_us);
                self.decided(uid, |subject| Fact::NoticeShown { subject, notice: version, sha256 });
                Step::Durable(Answer::Done)
            }
            Request::Acknowledge { version, sha256, keys, pointer } => {
                let keys = word::<KeyLevel>(&keys)?;
                let pointer = word::<PointerLevel>(&pointer)?;
                let (policy, people) = self.gate.rules()?;
                let level = people
                    .acknowledge(uid, &version, &sha256, keys, pointer, policy, now_us)
                    .map_err(|refused| refused.to_string())?;
                let level = level.to_string();
                let (notice, told) = (version, level.clone());
                self.decided(uid, |subject| Fact::Acknowledged {
                    subject,
                    notice,
                    sha256,
                    level: told,
                });
                Step::Durable(Answer::Level(level))
            }
            Request::SetLevel { keys, pointer } => {
                let keys = word::<KeyLevel>(&keys)?;
                let pointer = word::<PointerLevel>(&pointer)?;
                let (policy, people) = self.gate.rules()?;
                let level = people
                    .set_level(uid, keys, pointer, policy)
                    .map_err(|refused| refused.to_string())?;
                let level = level.to_string();
                let told = level.clone();
                self.decided(uid, |subject| Fact::LevelChanged { subject, level: told });
                Step::Durable(Answer::Level(level))
            }
            Request::OptOut { erase } => {
                self.all_people()?.opt_out(uid, now_us);
                self.decided(uid, |subject| Fact::OptedOut { subject, erase });
                if erase { self.erase(uid, "opt_out") } else { Step::Durable(gone_nothing()) }
            }
            Request::Pause { seconds } => {
                let until_us = match seconds {
                    0 => i64::MAX,
                    seconds => i64::try_from(seconds)
                        .ok()
                        .and_then(|seconds| now_us.checked_add(seconds.checked_mul(1_000_000)?))
                        .unwrap_or(i64::MAX),
                };
                self.all_people()?.pause(uid, until_us);
                self.decided(uid, |subject| paused(subject, until_us, "asked"));
                Step::Durable(Answer::Until(until_us))
            }
            Request::Resume => {
                self.all_people()?.resume(uid);
                self.decided(uid, |subject| Fact::Resumed { subject, reason: "asked" });
                Step::Durable(Answer::Done)
            }
            Request::Forget { from_us, until_us } => {
                if from_us >= until_us {
                    return Err("the span ends before it begins: say from when until when".into());
                }
                let subjects = self.subjects(uid);
                if subjects.is_empty() {
                    return Ok(Step::Now(Ok(gone_nothing())));
                }
                // To now means to the newest row, also where the clock was set back
                // since; a row that is yet to come is not forgotten.
                let is_to_now = until_us >= now_us.saturating_sub(NOW_US);
                let until_us = if is_to_now { i64::MAX } else { until_us };
                Step::Forget { subjects, from_us, until_us, erase: false, reason: "person_asked" }
            }
            Request::Settle => {
                if self.open.as_ref().is_some_and(|person| person.uid == uid) {
                    let waited = evscribe_reader::now().ok();
                    self.devices.settle();
                    self.send(waited);
                    self.seal();
                }
                Step::Durable(Answer::Subjects(self.subjects(uid)))
            }
            Request::Exported { files, bytes } => {
                if let Some(subject) = self.subjects(uid).pop() {
                    self.note(Fact::Exported { subject, files, bytes });
                }
                Step::Durable(Answer::Done)
            }
            Request::EraseOf { uid } => {
                self.all_people()?.opt_out(uid, now_us);
                self.decided(uid, |subject| Fact::OptedOut { subject, erase: true });
                self.erase(uid, "erasure_request")
            }
            Request::Denied { why, .. } => return Err(why),
            Request::NotePull { puller } => self.take_pull(puller),
            Request::AcknowledgePull { puller, sha256 } => Step::Acknowledge { puller, sha256 },
            Request::HoldAll { hold, why } => {
                if hold && why.trim().is_empty() {
                    return Err("say why: people read it".into());
                }
                self.all_people()?.held = hold.then(|| why.clone());
                self.note(Fact::Held { held: hold, why });
                self.save_people();
                self.offer();
                self.decide("hold");
                Step::Durable(Answer::Done)
            }
        })
    }

    fn erase(&self, uid: u32, reason: &'static str) -> Step {
        let subjects = self.subjects(uid);
        if subjects.is_empty() {
            return Step::Durable(gone_nothing());
        }
        Step::Forget { subjects, from_us: i64::MIN, until_us: i64::MAX, erase: true, reason }
    }

    fn me(&self, uid: u32, now_us: i64) -> Me {
        let mut me = Me { uid, standing: "not_acknowledged", level: "off".into(), ..Me::default() };
        let (Some(people), policy) = (self.gate.people(), self.gate.policy()) else { return me };
        me.subjects = people.subjects(uid).to_vec();
        if let Some(record) = people.record(uid) {
            me.paused_until_us =
                record.paused_until_us.filter(|until_us| *until_us > now_us).unwrap_or_default();
            if let Some(given) = &record.acknowledgement {
                me.notice = given.version.clone();
                me.acknowledged_at_us = given.at_us;
            }
        }
        let Some(policy) = policy else { return me };
        me.notice_due = people.notice_due(uid, policy, now_us);
        self.stand(&mut me, people, policy, now_us);
        me
    }

    fn stand(&self, me: &mut Me, people: &People, policy: &Policy, now_us: i64) {
        let standing = people.standing(me.uid, policy, now_us);
        me.standing = match &standing {
            Standing::Acknowledged { .. } => "acknowledged",
            Standing::Never => "not_acknowledged",
            Standing::NoticeChanged => "notice_changed",
            Standing::OptedOut => "opted_out",
            Standing::Paused => "paused",
        };
        if let Standing::Acknowledged { level, .. } = standing {
            me.level = level.to_string();
        }
        let is_theirs = self.open.as_ref().is_some_and(|person| person.uid == me.uid);
        me.why = if is_theirs { "you are recorded now".into() } else { self.status.reason.clone() };
    }
}

fn gone_nothing() -> Answer {
    Answer::Gone { rows: 0, files: 0 }
}

/// The level that a word names; `None` for no word.
fn word<L: std::str::FromStr>(word: &str) -> Result<Option<L>, String>
where
    L::Err: std::fmt::Display,
{
    if word.is_empty() {
        return Ok(None);
    }
    word.parse().map(Some).map_err(|error: L::Err| error.to_string())
}
