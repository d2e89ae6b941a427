//! Who sits at the workstation: the active session of seat0.

/// The folder in which logind says who is active at which seat.
pub const SEATS_DIR: &str = "/run/systemd/seats";

/// The active session of a seat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActiveSession {
    /// logind's name for it, unique within a boot.
    pub id: String,
    /// Whose it is.
    pub uid: u32,
}

/// The seat's active session; `None` where there is none.
///
/// Source: the file that `sd_seat_get_active(3)` reads, lines `KEY=VALUE`.
#[must_use]
pub fn active_session(seat: &str) -> Option<ActiveSession> {
    let value = |name| seat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let id = value("ACTIVE").filter(|session| !session.is_empty())?;
    Some(ActiveSession { id: id.into(), uid: value("ACTIVE_UID")?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_session_is_found_among_others() {
        let seat = "IS_SEAT0=1\nACTIVE=c2\nACTIVE_UID=1001\nSESSIONS=1 c2\nUIDS=1000 1001\n";
        assert_eq!(active_session(seat), Some(ActiveSession { id: "c2".into(), uid: 1001 }));
    }

    #[test]
    fn a_seat_without_a_session_has_nobody() {
        assert_eq!(active_session("IS_SEAT0=1\nCAN_TTY=1\n"), None);
        assert_eq!(active_session(""), None);
    }
}
