//! Who started this command.

use anyhow::{Context, Result};
use evscribe_model::Level;
use evscribe_policy::hex_sha256;
use evscribed::Person;
use nix::unistd::{Uid, User, getuid};

/// The person who started this, also through sudo, and the level they chose.
/// `notice` is what they are told; starting it acknowledges that.
///
/// # Errors
/// Where their user id has no name.
pub(crate) fn oneself(level: Level, notice: &str) -> Result<Person> {
    let through_sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    let uid = through_sudo.filter(|_| getuid().is_root()).map_or_else(getuid, Uid::from_raw);
    let user = User::from_uid(uid)
        .ok()
        .flatten()
        .with_context(|| format!("user id {uid} has no name on this machine"))?;
    let notice_sha256 = hex_sha256(notice.as_bytes());
    Ok(Person {
        uid: uid.as_raw(),
        // One run of the command is one session of its own.
        session: format!("record {} {}", std::process::id(), jiff::Timestamp::now()),
        level,
        notice: None,
        acknowledgement_sha256: hex_sha256(format!("{}\n{notice_sha256}\n", user.name).as_bytes()),
        policy_sha256: hex_sha256(level.to_string().as_bytes()),
        notice_sha256,
        name: user.name,
    })
}
