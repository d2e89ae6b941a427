//! What may be pulled, and who says that they do: told the writer, answered once
//! it is written down.

use evscribe_sink::{Command, Fact};

use super::Service;
use super::asked::Step;
use crate::bus::{Answer, Refusal, Request};

impl Service<'_> {
    /// Tells the writer what may be pulled now, where that changed.
    pub(super) fn offer(&mut self) {
        let offered = self.gate.pulls().ok();
        if self.offered != offered {
            self.offered = offered;
            self.devices.pipeline().command(Command::Offer(offered));
        }
        self.has_news = true;
    }

    /// Whether that puller may pull now. A refusal is a fact, too.
    pub(super) fn take_pull(&mut self, puller: String) -> Step {
        if let Err(why) = self.gate.pulls() {
            let what = Request::NotePull { puller: String::new() }.name().into();
            self.note(Fact::Refused { subject: None, what, why: format!("{puller}: {why}") });
            return Step::Now(Err(Refusal::Paused(format!("{why}; nothing is served"))));
        }
        Step::Pull { puller }
    }

    /// That ticket's puller was noted, or what they acknowledged; or why not.
    pub(super) fn pulled(&mut self, ticket: u64, outcome: Result<u64, String>) {
        let answer = outcome.map(|files| Answer::Files(u32::try_from(files).unwrap_or(u32::MAX)));
        self.reply(ticket, answer.map_err(Refusal::Failed));
    }
}
