//! Which host of the list a pseudonym belongs to, where several say that they are
//! it: machines from one image share what pseudonyms are made of.
//!
//! | the lake's record | it belongs to |
//! |---|---|
//! | names a host of the list that says so, or cannot be asked | that one |
//! | anything else | the first that says so |
//!
//! Nobody waits but who says that it is a host that the record knows by another
//! name of the list: until that one is asked. What is new to the lake waits for no
//! other host, however long one takes to say its first word.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
/// one at place `known`; `first` said so before, in this run.
pub(super) fn decide(
    own: usize,
    host: &str,
    known: Option<usize>,
    first: Option<usize>,
    says: &[Says],
) -> Claim {
    if known == Some(own) {
        return Claim::Ours;
    }
    if let Some((place, of_known)) = known.and_then(|place| Some((place, says.get(place)?))) {
        match of_known {
            Says::Unasked => return Claim::Wait,
            Says::Nothing => return Claim::Theirs(place),
            Says::Is(other) if other == host => return Claim::Theirs(place),
            Says::Is(_) => {}
        }
    }
    first.filter(|first| *first != own).map_or(Claim::Ours, Claim::Theirs)
}

/// What all hosts of a list say.
#[derive(Debug)]
pub(super) struct Claims {
    said: Mutex<Said>,
    changed: Notify,
}

#[derive(Debug)]
struct Said {
    /// By place.
    says: Vec<Says>,
    /// Whose a pseudonym is, by the claims that were decided.
    owners: HashMap<String, usize>,
}

impl Claims {
    pub(super) fn new(hosts: usize) -> Self {
        let said = Said { says: vec![Says::Unasked; hosts], owners: HashMap::new() };
        Self { said: Mutex::new(said), changed: Notify::new() }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the host at that place says, or that it says nothing.
    pub(super) fn tell(&self, place: usize, says: Says) {
        let mut said = self.said();
        if let Some(slot) = said.says.get_mut(place).filter(|slot| **slot == Says::Unasked) {
            *slot = says;
        }
        drop(said);
        self.changed.notify_waiters();
    }

    /// Decides at once, see [`decide`]; what is ours is nobody else's from then on.
    pub(super) fn look(&self, own: usize, host: &str, known: Option<usize>) -> Claim {
        let mut said = self.said();
        let claim = decide(own, host, known, said.owners.get(host).copied(), &said.says);
        if claim == Claim::Ours {
            said.owners.insert(host.to_owned(), own);
        }
        claim
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
    fn the_first_to_say_so_is_pulled_and_waits_for_nobody() {
        let claims = Claims::new(3);
        // Places 0 and 2 are not asked yet: what is new has not to wait for them.
        claims.tell(1, is("x"));
        assert_eq!(claims.look(1, "x", None), Claim::Ours);
        claims.tell(2, is("x"));
        assert_eq!(claims.look(2, "x", None), Claim::Theirs(1));
        claims.tell(0, is("y"));
        assert_eq!(claims.look(0, "y", None), Claim::Ours);
    }

    #[test]
    fn who_was_pulled_before_stays_it_wherever_the_other_stands() {
        let says = [is("x"), is("x")];
        assert_eq!(decide(0, "x", Some(1), None, &says), Claim::Theirs(1));
        assert_eq!(decide(1, "x", Some(1), None, &says), Claim::Ours);
        assert_eq!(decide(1, "x", Some(1), None, &[Says::Unasked, is("x")]), Claim::Ours);
        // It cannot be asked today: it may be it all the same.
        assert_eq!(decide(0, "x", Some(1), None, &[is("x"), Says::Nothing]), Claim::Theirs(1));
        // It is somebody else now.
        assert_eq!(decide(0, "x", Some(1), None, &[is("x"), is("y")]), Claim::Ours);
        assert_eq!(decide(0, "x", Some(1), Some(2), &[is("x"), is("y")]), Claim::Theirs(2));
    }

    #[test]
    fn who_says_to_be_one_that_is_known_waits_for_it() {
        assert_eq!(decide(0, "x", Some(1), None, &[is("x"), Says::Unasked]), Claim::Wait);
    }

    #[tokio::test]
    async fn a_wait_ends_when_that_one_is_asked() {
        let claims = Claims::new(3);
        claims.tell(2, is("x"));
        let (claim, ()) = tokio::join!(claims.settle(2, "x", Some(1)), async {
            claims.tell(0, Says::Nothing);
            tokio::task::yield_now().await;
            claims.tell(1, is("x"));
        });
        assert_eq!(claim, Claim::Theirs(1));
    }
}
