//! Which host of the list a pseudonym belongs to, where several say that they are
//! it: machines from one image share what pseudonyms are made of.
//!
//! | the lake's record | it belongs to |
//! |---|---|
//! | names a host of the list that says so, or cannot be asked | that one |
//! | anything else | the first of the list that says so |
//!
//! Who says so waits until those are known that may go before it; a known host
//! that says what it always said waits for nobody.

use std::sync::Mutex;

use tokio::sync::Notify;

/// What is known of a host of the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Says {
    /// It was not asked yet.
    Unasked,
    /// Its pseudonym.
    Is(String),
    /// It could not be asked.
    Nothing,
}

/// What comes of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    Ours,
    /// It belongs to the host at that place of the list.
    Theirs(usize),
    /// Not known yet.
    Wait,
}

/// Whether the host at place `own` may be `host`, which was last pulled from the
/// one at place `known`.
pub(super) fn decide(own: usize, host: &str, known: Option<usize>, says: &[Says]) -> Claim {
    let is_it = |says: &Says| matches!(says, Says::Is(other) if other == host);
    if known == Some(own) {
        return Claim::Ours;
    }
    if let Some((place, of_known)) = known.and_then(|place| Some((place, says.get(place)?))) {
        match of_known {
            Says::Unasked => return Claim::Wait,
            Says::Nothing => return Claim::Theirs(place),
            says if is_it(says) => return Claim::Theirs(place),
            Says::Is(_) => {}
        }
    }
    for (place, earlier) in says.iter().enumerate().take(own) {
        match earlier {
            Says::Unasked => return Claim::Wait,
            says if is_it(says) => return Claim::Theirs(place),
            _ => {}
        }
    }
    Claim::Ours
}

/// What all hosts of a list say.
#[derive(Debug)]
pub(super) struct Claims {
    says: Mutex<Vec<Says>>,
    changed: Notify,
}

impl Claims {
    pub(super) fn new(hosts: usize) -> Self {
        Self { says: Mutex::new(vec![Says::Unasked; hosts]), changed: Notify::new() }
    }

    /// Takes in what the host at that place says, or that it says nothing.
    pub(super) fn tell(&self, place: usize, says: Says) {
        let mut all = self.says.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(slot) = all.get_mut(place).filter(|slot| **slot == Says::Unasked) {
            *slot = says;
        }
        drop(all);
        self.changed.notify_waiters();
    }

    /// Decides at once: see [`decide`].
    pub(super) fn look(&self, own: usize, host: &str, known: Option<usize>) -> Claim {
        let all = self.says.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        decide(own, host, known, &all)
    }

    /// Waits until it is decided; never [`Claim::Wait`].
    pub(super) async fn settle(&self, own: usize, host: &str, known: Option<usize>) -> Claim {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.look(own, host, known) {
                Claim::Wait => changed.await,
                claim => return claim,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(host: &str) -> Says {
        Says::Is(host.into())
    }

    #[test]
    fn the_first_of_two_with_one_pseudonym_is_pulled() {
        let says = [is("a"), is("x"), Says::Nothing, is("x")];
        assert_eq!(decide(1, "x", None, &says), Claim::Ours);
        assert_eq!(decide(3, "x", None, &says), Claim::Theirs(1));
    }

    #[test]
    fn who_was_pulled_before_stays_it_wherever_the_other_stands() {
        let says = [is("x"), is("x")];
        assert_eq!(decide(0, "x", Some(1), &says), Claim::Theirs(1));
        assert_eq!(decide(1, "x", Some(1), &says), Claim::Ours);
        assert_eq!(decide(1, "x", Some(1), &[Says::Unasked, is("x")]), Claim::Ours);
        // It cannot be asked today: it may be it all the same.
        assert_eq!(decide(0, "x", Some(1), &[is("x"), Says::Nothing]), Claim::Theirs(1));
        // It is somebody else now.
        assert_eq!(decide(0, "x", Some(1), &[is("x"), is("y")]), Claim::Ours);
    }

    #[test]
    fn nobody_is_decided_on_before_those_who_may_go_first_are_known() {
        assert_eq!(decide(1, "x", None, &[Says::Unasked, is("x")]), Claim::Wait);
        assert_eq!(decide(0, "x", None, &[is("x"), Says::Unasked]), Claim::Ours);
        assert_eq!(decide(0, "x", Some(1), &[is("x"), Says::Unasked]), Claim::Wait);
    }

    #[tokio::test]
    async fn a_wait_ends_when_all_is_known() {
        let claims = Claims::new(3);
        claims.tell(2, is("x"));
        let (claim, ()) = tokio::join!(claims.settle(2, "x", None), async {
            claims.tell(0, Says::Nothing);
            tokio::task::yield_now().await;
            claims.tell(1, is("x"));
        });
        assert_eq!(claim, Claim::Theirs(1));
    }
}
