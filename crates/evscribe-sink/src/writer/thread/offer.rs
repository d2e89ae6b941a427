//! What may be pulled, between two commands.

use std::time::{Duration, Instant};

use super::{Report, Thread};
use crate::recover::chain;

/// An outbox that cannot be brought in line is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(60);

impl Thread {
    /// Brings the outbox in line; what changed is reported, and a failure once.
    /// Recording goes on all the same: a pull tries again before it is served.
    pub(super) fn offer(&mut self) {
        let (on_offer, after) = match self.store.offer() {
            Ok((on_offer, after)) => (Some(on_offer), after),
            Err(error) => {
                if self.on_offer.is_some() {
                    (self.report)(Report::OfferFailed { message: chain(&error) });
                }
                (None, Some(RETRY_AFTER))
            }
        };
        self.offer_at = after.and_then(|after| Instant::now().checked_add(after));
        if on_offer != self.on_offer {
            on_offer.into_iter().for_each(|on_offer| (self.report)(Report::Offered(on_offer)));
            self.on_offer = on_offer;
        }
    }

    pub(super) fn note_pull(&mut self, ticket: u64, puller: String) {
        let noted = self.store.note_pull(&puller);
        let outcome = noted.map_err(|error| {
            format!("it cannot be noted who pulls ({}), so nothing is served", chain(&error))
        });
        (self.report)(Report::Pull { ticket, puller, outcome });
    }

    /// What is acknowledged may be done with.
    pub(super) fn acknowledge_pull(&mut self, ticket: u64, puller: String, sha256: &str) {
        let outcome = self.store.acknowledge_pull(&puller, sha256).unwrap_or_else(|error| {
            Err(format!("it cannot be written down ({}); say so again", chain(&error)))
        });
        let is_taken = outcome.is_ok();
        (self.report)(Report::Pull { ticket, puller, outcome });
        if is_taken && self.store.config.retention.after_pull_hours.is_some() {
            self.retain();
        }
    }
}
