//! Who started this command.

use anyhow::{Context, Result, bail};
use evscribe_model::Level;
use evscribe_policy::hex_sha256;
use evscribed::Person;
use nix::unistd::{Uid, User, getuid};

/// The user id that the kernel keeps of a login, also through sudo and su.
///
/// Source: proc(5), set by pam_loginuid(8).
const LOGIN_UID: &str = "/proc/self/loginuid";

/// What it says of who belongs to no login.
const NO_LOGIN: u32 = u32::MAX;

/// The person who started this, also through sudo, at the level they chose, and
/// their name. `notice` is what they are told; starting it acknowledges that.
///
/// # Errors
/// Where sudo names another person than who logged in; where their user id has
/// no name.
pub(crate) fn oneself(level: Level, notice: &str) -> Result<(Person, String)> {
    let sudo_uid = std::env::var("SUDO_UID").ok();
    // A kernel that keeps no logins knows of none.
    let login = std::fs::read_to_string(LOGIN_UID).ok().and_then(|text| text.trim().parse().ok());
    let uid = who(getuid(), sudo_uid.as_deref(), login)?;
    let name = User::from_uid(uid)
        .ok()
        .flatten()
        .with_context(|| format!("user id {uid} has no name on this machine"))?
        .name;
    Ok((person(uid, level, notice), name))
}

fn person(uid: Uid, level: Level, notice: &str) -> Person {
    // One run of the command is one session of its own.
    let session = format!("record {} {}", std::process::id(), jiff::Timestamp::now());
    let notice_sha256 = hex_sha256(notice.as_bytes());
    // No name, no user id: whoever has a file could try them all.
    let acknowledgement = format!("{session}\n{notice_sha256}\n");
    Person {
        uid: uid.as_raw(),
        level,
        period: None,
        acknowledgement_sha256: hex_sha256(acknowledgement.as_bytes()),
        policy_sha256: hex_sha256(level.to_string().as_bytes()),
        session,
        notice_sha256,
    }
}

/// Whose recording it is. Root counts as the person that sudo names only where
/// that person logged in: everybody can set a variable.
///
/// # Errors
/// Where they did not.
fn who(own: Uid, sudo_uid: Option<&str>, login: Option<u32>) -> Result<Uid> {
    let Some(named) = sudo_uid.filter(|_| own.is_root()) else { return Ok(own) };
    let named: u32 = named
        .parse()
        .with_context(|| format!("SUDO_UID is {named:?}, no user id, so nothing is recorded"))?;
    let login = login.filter(|login| *login != NO_LOGIN);
    // Root who names root takes nobody's name.
    if named != 0 && login != Some(named) {
        let login = login.map_or_else(
            || "this command belongs to no login".to_owned(),
            |login| format!("this login is {}'s", user(login)),
        );
        bail!(
            "SUDO_UID says user {}, but {login}, so nothing is recorded: each person records only \
             themselves; log in as that person",
            user(named)
        );
    }
    Ok(Uid::from_raw(named))
}

/// A user's name, or the number where there is none.
fn user(uid: u32) -> String {
    let found = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    found.map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Uid = Uid::from_raw(0);
    /// Nobody has this user id.
    const ANN: u32 = 54_321;

    #[test]
    fn sudo_names_a_person_only_where_they_logged_in() {
        assert_eq!(who(ROOT, Some("54321"), Some(ANN)).unwrap(), Uid::from_raw(ANN));
        let said = |login| who(ROOT, Some("54321"), login).unwrap_err().to_string();
        assert!(
            said(Some(54_322)).starts_with("SUDO_UID says user 54321, but this login is 54322's")
        );
        for none in [None, Some(NO_LOGIN)] {
            assert!(said(none).contains("but this command belongs to no login"), "{}", said(none));
        }
        assert!(said(Some(0)).contains("this login is root's"));
    }

    #[test]
    fn a_user_id_that_none_is_names_nobody() {
        for wrong in ["", "ann", "-1", "4294967295"] {
            assert!(who(ROOT, Some(wrong), Some(NO_LOGIN)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_sudo_everybody_is_who_they_are() {
        assert_eq!(who(ROOT, None, Some(ANN)).unwrap(), ROOT);
        assert_eq!(who(ROOT, Some("0"), Some(NO_LOGIN)).unwrap(), ROOT);
        let ann = Uid::from_raw(ANN);
        assert_eq!(who(ann, Some("1"), Some(1)).unwrap(), ann);
    }

    #[test]
    fn an_acknowledgement_is_another_at_each_run_and_64_digits() {
        let given = || person(ROOT, Level::default(), "notice").acknowledgement_sha256;
        let (first, second) = (given(), given());
        assert_eq!(first.len(), 64);
        assert_ne!(first, second);
    }
}
