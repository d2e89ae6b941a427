//! What people ask: done for who asks, written down, answered once it is
//! durable.

use anyhow::{Context, bail};
use async_channel::Sender;
use evscribe_model::MarkKind;
use evscribe_policy::People;
use evscribe_sink::{Command, Fact, Forget, Forgotten};

use super::asked::Step;
use super::{Service, clock_us};
use crate::bus::{Answer, Call, Outcome, Refusal};
use crate::devices::Unread;

/// The file of what people decided, in the state directory.
pub(crate) const PEOPLE: &str = "people.toml";

/// Calls that are answered in one turn: who asks without end waits.
const CALLS_A_TURN: usize = 8;

/// Run numbers kept free for what goes on behind a forgotten span: more than
/// devices are open at once.
const RUNS_OF_FORGET: i32 = 1 << 12;

/// A request that waits for the writer.
pub(super) struct Ticket {
    reply: Option<Sender<Outcome>>,
    answer: Answer,
    /// What who asked is told where the disk takes nothing.
    stalled: &'static str,
}

const IN_FORCE: &str = "it is in force, but the disk takes nothing now: it is written down as soon \
                        as it does, and a restart before that loses it; `evscribe status` shows \
                        how it stands";
const NOT_SETTLED: &str = "the disk takes nothing now, so what was collected last cannot be shown; \
                           ask again once it does, which `evscribe status` tells";
const NOT_NOTED: &str = "the disk takes nothing now, so no pull can be noted and none is served; try \
                         again later";
const NOT_FORGOTTEN: &str = "nothing is forgotten yet: the disk takes nothing now. It is done as \
                             soon as it does; after a restart before that, ask again";

impl Service<'_> {
    /// Answers what was asked, some of it in this turn.
    pub(super) fn answer_calls(&mut self) {
        for _ in 0..CALLS_A_TURN {
            let Some(call) = self.bus.as_ref().and_then(|bus| bus.calls.try_recv().ok()) else {
                return;
            };
            self.answer(call);
        }
        // There may be more, for which nobody wakes us again.
        let _ = self.waker.wake();
    }

    fn answer(&mut self, Call { uid, request, reply }: Call) {
        let (what, is_change) = (request.name(), request.is_change());
        let step = self.take(uid, request).unwrap_or_else(|why| {
            // How often one may look is not limited, so no line of it is kept.
            if is_change {
                let subject = self.subjects(uid).pop();
                self.note(Fact::Refused { subject, what: what.into(), why: why.clone() });
            }
            Step::Now(Err(Refusal::Refused(why)))
        });
        match step {
            // Whoever asked may be gone.
            Step::Now(outcome) => drop(reply.try_send(outcome)),
            Step::Durable(answer) => {
                let stalled = match answer {
                    Answer::Subjects(_) => NOT_SETTLED,
                    _ => IN_FORCE,
                };
                let ticket = self.ticket(Some(reply), answer, stalled);
                self.devices.pipeline().command(Command::Confirm(ticket));
            }
            Step::Pull { puller } => {
                let ticket = self.ticket(Some(reply), Answer::Done, NOT_NOTED);
                self.devices.pipeline().command(Command::NotePull { ticket, puller });
            }
            Step::Acknowledge { puller, sha256 } => {
                let ticket = self.ticket(Some(reply), Answer::Done, NOT_NOTED);
                let command = Command::AcknowledgePull { ticket, puller, sha256 };
                self.devices.pipeline().command(command);
            }
            Step::Forget { subjects, from_us, until_us, erase, reason } => {
                self.forget(Some(reply), subjects, (from_us, until_us), erase, reason);
            }
        }
        if self.stalled.is_some() {
            self.answer_stalled();
        }
    }

    fn ticket(
        &mut self,
        reply: Option<Sender<Outcome>>,
        answer: Answer,
        stalled: &'static str,
    ) -> u64 {
        self.last_ticket += 1;
        self.tickets.insert(self.last_ticket, Ticket { reply, answer, stalled });
        self.last_ticket
    }

    /// What that ticket waited for is durable.
    pub(super) fn confirmed(&mut self, ticket: u64) {
        if let Some(Ticket { reply: Some(reply), answer, .. }) = self.tickets.remove(&ticket) {
            let _ = reply.try_send(Ok(answer));
        }
    }

    /// The disk takes nothing: nobody who asked is left waiting for it.
    pub(super) fn answer_stalled(&mut self) {
        for ticket in self.tickets.values_mut() {
            if let Some(reply) = ticket.reply.take() {
                let _ = reply.try_send(Err(Refusal::Failed(ticket.stalled.into())));
            }
        }
    }

    /// What that ticket was to forget is gone, or why it is not.
    pub(super) fn forgotten(&mut self, ticket: u64, outcome: Result<Forgotten, String>) {
        let answer = outcome.map(|Forgotten { rows, files }| Answer::Gone {
            rows,
            files: u32::try_from(files).unwrap_or(u32::MAX),
        });
        self.reply(ticket, answer.map_err(Refusal::Failed));
    }

    /// Answers who waits with that ticket.
    pub(super) fn reply(&mut self, ticket: u64, outcome: Outcome) {
        if let Some(Ticket { reply: Some(reply), .. }) = self.tickets.remove(&ticket) {
            let _ = reply.try_send(outcome);
        }
    }

    /// Has the writer forget a span of these subjects. Devices that are open for
    /// one of them are closed and opened again: what goes on has new runs.
    fn forget(
        &mut self,
        reply: Option<Sender<Outcome>>,
        subjects: Vec<String>,
        span: (i64, i64),
        erase: bool,
        reason: &'static str,
    ) {
        if self.subject.as_ref().is_some_and(|subject| subjects.contains(subject)) {
            self.close(MarkKind::Stop, "forget", Unread::Read);
        }
        self.forget_span(reply, subjects, span, erase, reason);
        self.decide("forget");
    }

    /// The same, where no device is open for them.
    pub(super) fn forget_span(
        &mut self,
        reply: Option<Sender<Outcome>>,
        subjects: Vec<String>,
        (from_us, until_us): (i64, i64),
        erase: bool,
        reason: &'static str,
    ) {
        let ticket = self.ticket(reply, Answer::Done, NOT_FORGOTTEN);
        if erase {
            self.devices.describe_anew();
        }
        let fresh_run = self.devices.reserve_runs(RUNS_OF_FORGET);
        self.save_numbers();
        let forget = Forget {
            ticket,
            subjects,
            from_us,
            until_us,
            fresh_run,
            runs: RUNS_OF_FORGET,
            reason,
            erase,
        };
        self.devices.pipeline().command(Command::Forget(Box::new(forget)));
    }

    /// Writes down what that person decided, and does as it says.
    pub(super) fn decided(&mut self, uid: u32, fact: impl FnOnce(String) -> Fact) {
        // A person who has never been recorded gets their first pseudonym with
        // the first fact about them.
        let subject = self.subject_of(uid);
        self.note(fact(subject));
        self.save_people();
        self.decide("person");
        self.has_news = true;
    }

    /// The pseudonym of a person now; kept, so that they find what is theirs.
    pub(super) fn subject_of(&mut self, uid: u32) -> String {
        let period = self.gate.policy().and_then(|policy| crate::gate::period(policy, clock_us()));
        let mut bytes = uid.to_ne_bytes().to_vec();
        if let Some(period) = period {
            bytes.extend(period.to_ne_bytes());
        }
        let subject = self.settings.keys.pseudonym("subject", &bytes);
        if self.gate.people_mut().is_some_and(|people| people.has_subject(uid, &subject)) {
            self.save_people();
        }
        subject
    }

    pub(super) fn subjects(&self, uid: u32) -> Vec<String> {
        self.gate.people().map_or_else(Vec::new, |people| people.subjects(uid).to_vec())
    }

    pub(super) fn all_people(&mut self) -> Result<&mut People, String> {
        self.gate.people_mut().ok_or_else(|| "this collector serves one person".into())
    }

    /// Keeps what people decided, durably before what follows from it.
    pub(super) fn save_people(&mut self) {
        let bytes = match self.gate.people().map(People::to_bytes) {
            Some(Ok(bytes)) => bytes,
            Some(Err(why)) => {
                log::error!("what people decided holds until a restart and cannot be kept: {why}");
                return;
            }
            None => return,
        };
        let path = self.settings.state.join(PEOPLE);
        self.devices.pipeline().command(Command::SaveState { path, bytes });
    }

    /// Writes a fact into the ledger, where there is one.
    pub(super) fn note(&mut self, fact: Fact) {
        if self.gate.people().is_some() {
            self.devices.pipeline().command(Command::Note(Box::new(fact)));
        }
    }
}

/// What people decided, as the last run kept it. What is damaged is put aside,
/// and everybody is held: nobody knows who had left.
///
/// # Errors
/// Where it is there and cannot be read: the next change would replace it.
pub fn people(state: &std::path::Path) -> anyhow::Result<People> {
    let path = state.join(PEOPLE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(People::default()),
        Err(error) => bail!(
            "what people decided cannot be read from {} ({error}), so nobody is recorded: make it \
             readable for the user evscribe, and start the service again",
            path.display()
        ),
    };
    People::from_bytes(&bytes).or_else(|error| {
        let aside = path.with_extension("damaged");
        std::fs::rename(&path, &aside)
            .with_context(|| format!("{} is damaged and cannot be put aside", path.display()))?;
        log::error!(
            "{} is damaged ({error}): it is kept as {}, everybody has to acknowledge again, and \
             nobody is recorded until an administrator says `evscribe release`",
            path.display(),
            aside.display(),
        );
        let mut people = People::default();
        people.held = Some("the file of what people decided was damaged".into());
        Ok(people)
    })
}

/// The fact that somebody paused; `i64::MAX`: until they resume.
pub(super) fn paused(subject: String, until_us: i64, reason: &'static str) -> Fact {
    let until_us = (until_us != i64::MAX).then_some(until_us);
    Fact::Paused { subject, until_us, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_nobody_decided_anything() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(people(folder.path()).unwrap(), People::default());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        // Of root every file can be read, but no folder can.
        std::fs::create_dir(folder.path().join(PEOPLE)).unwrap();
        let why = people(folder.path()).unwrap_err().to_string();
        assert!(why.contains("cannot be read") && why.contains("nobody is recorded"), "{why}");
    }

    #[test]
    fn a_damaged_file_is_kept_and_holds_everybody() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PEOPLE), "held = [").unwrap();
        assert!(people(folder.path()).unwrap().held.is_some());
        let kept = std::fs::read_to_string(folder.path().join("people.damaged")).unwrap();
        assert_eq!(kept, "held = [");
    }
}
