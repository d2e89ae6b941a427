//! Who started this command.

use anyhow::{Context, Result};
use evscribe_model::Level;
use evscribed::Person;
use nix::unistd::{Uid, User, getuid};

/// The person who started this, also through sudo, and the level they chose.
///
/// # Errors
/// Where their user id has no name.
pub(crate) fn oneself(level: Level) -> Result<Person> {
    let through_sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    let uid = through_sudo.filter(|_| getuid().is_root()).map_or_else(getuid, Uid::from_raw);
    let user = User::from_uid(uid)
        .ok()
        .flatten()
        .with_context(|| format!("user id {uid} has no name on this machine"))?;
    Ok(Person {
        uid: uid.as_raw(),
        name: user.name,
        // One run of the command is one session of its own.
        session: format!("record {} {}", std::process::id(), jiff::Timestamp::now()),
        level,
        acknowledgement_sha256: String::new(),
        policy_sha256: String::new(),
        notice: String::new(),
    })
}
