//! `evscribe forget` and `evscribe opt-out`: what was recorded goes.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{say, terminal, time, words};
use crate::args::ForgetArgs;
use crate::service::{CollectorProxy, Service, ServiceError};

/// How long a service that went away is waited for: systemd starts it again
/// within seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two attempts.
const BETWEEN: Duration = Duration::from_millis(500);

/// Forgets a span.
///
/// # Errors
/// Where the span cannot be read; what the service answers.
pub(super) fn run(args: &ForgetArgs, as_json: bool) -> Result<ExitCode> {
    let span = time::span(args, Timestamp::now(), &TimeZone::system())?;
    let time::Span { from_us, until_us } = span;
    let gone = insist(async |bus| bus.forget(from_us, until_us).await)?;
    let json = json!({
        "from": words::rfc3339(from_us),
        "until": words::rfc3339(until_us),
        "rows": gone.rows,
        "files": gone.files,
        "attempts": gone.attempts,
    });
    let (from, until) = (words::moment(from_us), words::moment(until_us));
    say(as_json, &json, &format!("Forgotten from {from} until {until}: {}.", gone.in_words()))
}

/// Opts out, and with `erase` has all that was recorded erased.
///
/// # Errors
/// Where nobody confirms the erasing; what the service answers.
pub(super) fn opt_out(erase: bool, yes: bool, as_json: bool) -> Result<ExitCode> {
    if erase && !confirmed(yes, "All that was recorded of you is erased and cannot come back.")? {
        return Ok(ExitCode::FAILURE);
    }
    let gone = insist(async |bus| bus.opt_out(erase).await)?;
    let json = json!({
        "opted_out": true,
        "erased": erase,
        "rows": gone.rows,
        "files": gone.files,
        "attempts": gone.attempts,
    });
    let what = if erase {
        format!("What was recorded of you is erased: {}.", gone.in_words())
    } else {
        "What was recorded of you before stays: evscribe opt-out --erase erases it.".into()
    };
    say(
        as_json,
        &json,
        &format!("You opted out: nothing of you is read. evscribe acknowledge ends that.\n{what}"),
    )
}

/// Whether what cannot come back is to be done: `--yes`, or asked for.
///
/// # Errors
/// Where there is nobody to ask.
pub(super) fn confirmed(yes: bool, what: &str) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if !terminal::is_attended() {
        bail!("there is no terminal to ask on, so nothing was changed. {what} If so: --yes");
    }
    let agreed = terminal::agrees(what)?;
    if !agreed {
        eprintln!("Nothing was changed.");
    }
    Ok(agreed)
}

/// What is gone.
pub(super) struct Gone {
    pub(super) rows: u64,
    pub(super) files: u32,
    /// How often it was asked for.
    pub(super) attempts: u32,
}

impl Gone {
    /// How much it is, and what that does not count.
    pub(super) fn in_words(&self) -> String {
        let rows = words::count(self.rows, "row");
        let files = words::count(self.files.into(), "file");
        let mut words = format!("{rows} in {files}");
        if self.attempts > 1 {
            words += ", counted at the last attempt alone, for the service went away in between";
        }
        words
    }
}

/// Asks for what may be asked for twice until it is done, also of a service that
/// is killed meanwhile and comes back.
///
/// # Errors
/// What the service answers; [`ServiceError::Broken`] where it does not come back
/// in time.
pub(super) fn insist(
    question: impl AsyncFn(&CollectorProxy<'static>) -> zbus::Result<(u64, u32)>,
) -> Result<Gone, ServiceError> {
    let mut until = None;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let answer = Service::connect().and_then(|service| service.ask(&question));
        let error = match answer {
            Ok((rows, files)) => return Ok(Gone { rows, files, attempts }),
            Err(error) => error,
        };
        let lost = until.is_some();
        if !is_worth_another(&error, lost) {
            return Err(error);
        }
        if !lost {
            eprintln!("evscribe: the service went away before it was done; asking it again …");
        }
        if Instant::now() >= *until.get_or_insert_with(|| Instant::now() + PATIENCE) {
            return Err(if error.is_absence() { ServiceError::Broken } else { error });
        }
        std::thread::sleep(BETWEEN);
    }
}

/// Whether asking again may help. `lost`: the service went away meanwhile, so
/// that it or the bus may still be on its way back. What it could not do it
/// answers with how far it came; asking again would only lose that.
const fn is_worth_another(error: &ServiceError, lost: bool) -> bool {
    match error {
        ServiceError::Broken | ServiceError::Stopping(_) => true,
        error => lost && error.is_absence(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_never_ran_is_not_waited_for() {
        assert!(!is_worth_another(&ServiceError::NotRunning, false));
        assert!(is_worth_another(&ServiceError::NotRunning, true));
    }

    #[test]
    fn a_service_that_goes_away_is_asked_again() {
        for lost in [false, true] {
            assert!(is_worth_another(&ServiceError::Broken, lost));
            assert!(is_worth_another(&ServiceError::Stopping("ask again".into()), lost));
        }
    }

    #[test]
    fn what_the_service_refuses_or_cannot_do_is_not_asked_twice() {
        for lost in [false, true] {
            assert!(!is_worth_another(&ServiceError::Refused("no".into()), lost));
            assert!(!is_worth_another(&ServiceError::Failed("the disk is full".into()), lost));
        }
    }

    #[test]
    fn rows_of_several_attempts_are_not_passed_off_as_all() {
        let once = Gone { rows: 1, files: 2, attempts: 1 };
        assert_eq!(once.in_words(), "1 row in 2 files");
        assert!(Gone { attempts: 2, ..once }.in_words().contains("last attempt"));
    }
}
