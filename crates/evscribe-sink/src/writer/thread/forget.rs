//! Forgetting, between two commands.

use super::{Report, SealReason, Thread};
use crate::{
    Forget, Forgotten,
    forget::{Fulfilled, Intent},
    recover::chain,
};

impl Thread {
    /// Forgets and reports it. Nothing else is done meanwhile; it stands still
    /// as for anything else that the disk does not take.
    pub(super) fn forget(&mut self, forget: &Forget) {
        let outcome = self.forgotten(forget);
        (self.report)(Report::Forgotten { ticket: forget.ticket, outcome });
    }

    fn forgotten(&mut self, forget: &Forget) -> Result<Forgotten, String> {
        let intent = Intent::new(forget)
            .map_err(|error| format!("nothing was forgotten: {}; ask again", chain(&error)))?;
        let later = || {
            Err("the service ends before it is done: it is forgotten when it starts next".into())
        };
        if self.insist(|this| this.store.save_intent(&intent)).is_none() {
            return Err("the disk takes nothing and the service ends: nothing was forgotten; ask \
                        again once it runs"
                .into());
        }
        // From here on nothing of theirs is on offer.
        if self.insist(|this| this.store.withdraw()).is_none() {
            return later();
        }
        self.close(SealReason::Asked);
        if self.journal.is_some() || !self.store.pending.is_empty() || self.waiting.rows() > 0 {
            return later();
        }
        let fulfilled = self.insist(|this| this.store.fulfil(&intent.id, None));
        // What is gone is nowhere to be pulled from.
        if self.insist(|this| this.store.withdraw()).is_none() {
            return later();
        }
        // What is left of theirs is, as soon as it can be.
        self.offer();
        match fulfilled {
            Some(Fulfilled::Done(forgotten)) => Ok(forgotten),
            Some(Fulfilled::Waits(why)) => Err(why),
            None => later(),
        }
    }

    /// What the start could not forget because journals had to be sealed first.
    pub(super) fn forget_leftovers(&mut self) {
        if !self.store.pending.is_empty() {
            return;
        }
        let Some(intents) = self.insist(|this| this.store.intents()) else { return };
        for intent in intents.iter().filter(|intent| intent.tries == 0) {
            self.insist(|this| this.store.fulfil(&intent.id, None));
        }
    }
}
