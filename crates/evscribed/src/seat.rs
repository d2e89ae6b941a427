//! Who sits at the workstation, as logind tells it.

/// What is known of seat0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seat {
    /// This machine has no system bus, so nobody keeps seats.
    Absent,
    /// It cannot be told; why, as a clause.
    Unknown(String),
    /// Nobody's session is active there.
    Nobody,
    /// This session is.
    Session(Session),
}

/// The active session of seat0.
///
/// Source: org.freedesktop.login1(5), properties of `Session`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// logind's name for it, unique within a boot.
    pub id: String,
    /// Whose it is.
    pub uid: u32,
    /// `user`, `greeter`, `lock-screen`, …
    pub class: String,
    /// Number of its virtual terminal; 0 where it has none.
    pub vt: u32,
    /// Its screen is locked.
    pub locked: bool,
    /// It comes over a network.
    pub remote: bool,
    /// Its first process, which ends with it; 0 where it has none.
    pub leader: u32,
}

impl Seat {
    /// The session of a person who sits there and sees the desktop; else why
    /// there is none, as a clause. `vt` is the terminal in front, where the
    /// kernel tells it.
    ///
    /// # Errors
    /// The clause.
    pub fn person(&self, vt: Option<u32>) -> Result<&Session, String> {
        let session = match self {
            Self::Absent => return Err("this machine has no system bus to ask who is there".into()),
            Self::Unknown(why) => return Err(why.clone()),
            Self::Nobody => return Err("nobody is logged in at the seat".into()),
            Self::Session(session) => session,
        };
        if session.remote {
            return Err("the session at the seat comes over a network".into());
        }
        match session.class.as_str() {
            "user" => {}
            "greeter" => return Err("the login screen is shown".into()),
            other => {
                return Err(format!("the session at the seat is of class {other}, no person's"));
            }
        }
        if session.locked {
            return Err("the screen is locked".into());
        }
        // logind's word may be older than the switch that the kernel told of.
        if session.vt != 0 && vt.is_some_and(|vt| vt != session.vt) {
            return Err("the seat is being switched".into());
        }
        Ok(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            id: "1".into(),
            uid: 1000,
            class: "user".into(),
            vt: 2,
            locked: false,
            remote: false,
            leader: 0,
        }
    }

    fn why(session: Session, vt: Option<u32>) -> String {
        Seat::Session(session).person(vt).map(|session| session.uid).unwrap_err()
    }

    #[test]
    fn a_person_before_their_own_desktop_is_somebody() {
        for vt in [Some(2), None] {
            assert_eq!(Seat::Session(session()).person(vt), Ok(&session()));
        }
        let graphical = Session { vt: 0, ..session() };
        assert_eq!(Seat::Session(graphical.clone()).person(Some(7)), Ok(&graphical));
    }

    #[test]
    fn greeter_lock_and_network_are_nobody() {
        let greeter = Session { class: "greeter".into(), ..session() };
        assert_eq!(why(greeter, Some(2)), "the login screen is shown");
        assert_eq!(why(Session { locked: true, ..session() }, Some(2)), "the screen is locked");
        let remote = Session { remote: true, ..session() };
        assert_eq!(why(remote, Some(2)), "the session at the seat comes over a network");
        let manager = Session { class: "manager".into(), ..session() };
        assert!(why(manager, Some(2)).contains("class manager"));
    }

    #[test]
    fn a_session_whose_terminal_is_not_in_front_is_nobody() {
        assert_eq!(why(session(), Some(1)), "the seat is being switched");
    }

    #[test]
    fn without_word_from_logind_there_is_nobody() {
        for seat in [Seat::Absent, Seat::Unknown("logind is gone".into()), Seat::Nobody] {
            assert!(seat.person(Some(2)).is_err());
        }
    }
}
