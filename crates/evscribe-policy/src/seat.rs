//! Who sits at the workstation: the active session of seat0.

/// Where logind says who is active at the seat; replaced as a whole on each
/// change.
pub const SEAT_FILE: &str = "/run/systemd/seats/seat0";

/// The user id of the seat's active session; `None` where there is none.
///
/// Source: the file that `sd_seat_get_active(3)` reads, lines `KEY=VALUE`.
#[must_use]
pub fn active_uid(seat: &str) -> Option<u32> {
    let value = |name| seat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value("ACTIVE").filter(|session| !session.is_empty())?;
    value("ACTIVE_UID")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_sessions_user_is_found_among_others() {
        let seat =
            "IS_SEAT0=1\nCAN_TTY=1\nACTIVE=2\nACTIVE_UID=1001\nSESSIONS=1 2\nUIDS=1000 1001\n";
        assert_eq!(active_uid(seat), Some(1001));
    }

    #[test]
    fn a_seat_without_a_session_has_nobody() {
        assert_eq!(active_uid("IS_SEAT0=1\nCAN_TTY=1\n"), None);
        assert_eq!(active_uid(""), None);
    }
}
