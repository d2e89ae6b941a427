//! `evscribe notice`: the notice, shown.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{Me, say};
use crate::service::{Service, ServiceError};

/// The notice in force.
pub(super) struct Notice {
    pub(super) version: String,
    pub(super) sha256: String,
    pub(super) text: String,
}

impl Notice {
    /// # Errors
    /// As [`Service::ask`].
    pub(super) fn ask(service: &Service) -> Result<Self, ServiceError> {
        let (version, sha256, text) = service.ask(async |bus| bus.notice().await)?;
        Ok(Self { version, sha256, text })
    }

    /// Tells the service that the person has it before their eyes.
    ///
    /// # Errors
    /// As [`Service::ask`].
    pub(super) fn shown(&self, service: &Service) -> Result<(), ServiceError> {
        service.ask(async |bus| bus.notice_shown(&self.version, &self.sha256).await)
    }

    /// The text under its version.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "Notice {} on the recording of input at this workstation", self.version)?;
        writeln!(out, "\n{}\n", self.text.trim_end())
    }
}

pub(super) fn run(if_due: bool, as_json: bool) -> Result<ExitCode> {
    match show(if_due, as_json) {
        // A login is not the place to say that nothing is recorded.
        Err(error) if if_due && error.downcast_ref().is_some_and(ServiceError::is_absence) => {
            Ok(ExitCode::SUCCESS)
        }
        outcome => outcome,
    }
}

fn show(if_due: bool, as_json: bool) -> Result<ExitCode> {
    let service = Service::connect()?;
    let me = Me::ask(&service)?;
    if if_due && !me.notice_due && !me.must_acknowledge() {
        return Ok(ExitCode::SUCCESS);
    }
    let notice = Notice::ask(&service)?;
    if as_json {
        let Notice { version, sha256, text } = &notice;
        let json = json!({ "version": version, "sha256": sha256, "text": text });
        say(as_json, &json, "")?;
    } else {
        let mut out = std::io::stdout().lock();
        notice.print(&mut out)?;
        writeln!(out, "{}", standing(&me))?;
        out.flush()?;
    }
    if let Err(error) = notice.shown(&service) {
        eprintln!("evscribe: the service did not note that you were shown it: {error}");
    }
    Ok(ExitCode::SUCCESS)
}

/// What follows for the person.
fn standing(me: &Me) -> &'static str {
    match me.standing.as_str() {
        "acknowledged" => {
            "You acknowledged it. evscribe status shows how you stand; evscribe pause, forget and \
             opt-out take it back."
        }
        "paused" => {
            "You acknowledged it and paused: nothing of you is read. evscribe resume ends it."
        }
        "notice_changed" => {
            "It is not the one that you acknowledged, so nothing of you is read until you \
             acknowledge this one: evscribe acknowledge"
        }
        "opted_out" => "You opted out: nothing of you is read. evscribe acknowledge ends that.",
        _ => "Nothing of you is read until you acknowledge it: evscribe acknowledge",
    }
}
