//! What an administrator may do for all: nobody is recorded for a while, or
//! somebody's data goes because they asked. polkit decides who may.

use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::unistd::User;
use serde_json::json;

use super::{forget, say};
use crate::service::Service;

/// Has nobody recorded.
///
/// # Errors
/// What the service answers.
pub(super) fn hold(why: &str, as_json: bool) -> Result<ExitCode> {
    let service = Service::connect()?;
    service.ask(async |bus| bus.hold_all(true, why).await)?;
    say(
        as_json,
        &json!({ "held": true, "why": why }),
        &format!("Nobody is recorded: {why}. evscribe release ends it."),
    )
}

/// Ends a hold.
///
/// # Errors
/// What the service answers.
pub(super) fn release(as_json: bool) -> Result<ExitCode> {
    let service = Service::connect()?;
    service.ask(async |bus| bus.hold_all(false, "").await)?;
    say(
        as_json,
        &json!({ "held": false }),
        "The hold is over: who acknowledged the notice is recorded again.",
    )
}

/// Erases what was recorded of that user.
///
/// # Errors
/// Where there is no such user; what the service answers.
pub(super) fn erase_of(user: &str, yes: bool, as_json: bool) -> Result<ExitCode> {
    let uid = uid_of(user)?;
    let what = format!(
        "All that was recorded of {user} (user id {uid}) is erased and cannot come back, and they \
         count as opted out."
    );
    if !forget::confirmed(yes, &what)? {
        return Ok(ExitCode::FAILURE);
    }
    let gone = forget::insist(async |bus| bus.erase_of(uid).await)?;
    let json = json!({
        "user": user,
        "uid": uid,
        "rows": gone.rows,
        "files": gone.files,
        "attempts": gone.attempts,
    });
    let words = format!("What was recorded of {user} is erased: {}.", gone.in_words());
    say(as_json, &json, &words)
}

/// The number of a user, also of one who is gone from this machine.
fn uid_of(user: &str) -> Result<u32> {
    match User::from_name(user) {
        Ok(Some(found)) => Ok(found.uid.as_raw()),
        _ => user
            .parse()
            .ok()
            .with_context(|| format!("{user} is no user of this machine, and no user id")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_or_number() {
        assert_eq!(uid_of("root").unwrap(), 0);
        assert_eq!(uid_of("54321").unwrap(), 54321);
        assert!(uid_of("-1").is_err());
        assert!(uid_of("nobody-has-this-name").is_err());
    }
}
