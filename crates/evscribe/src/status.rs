//! `evscribe status`: what the service does, in words, and how who asks stands
//! with it.

mod file;
mod told;
mod you;

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use evscribed::Status;
use serde_json::{Value, json};

use crate::rights::{Me, words};
use crate::service::{Service, ServiceError};

use told::Told;

/// Where the service says what it does.
pub(crate) const RUNTIME_DIR: &str = "/run/evscribe";

/// Exit code where the service does not run, as `systemctl status` has it.
const NOT_RUNNING: u8 = 3;

pub(crate) fn run(as_json: bool) -> Result<ExitCode> {
    let asked = ask();
    let read = match Status::read(Path::new(RUNTIME_DIR)) {
        Ok(status) => Some(status),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // The bus says most of it, too.
        Err(_) if asked.is_ok() => None,
        Err(error) => {
            return Err(error).with_context(|| format!("{RUNTIME_DIR} does not say what is done"));
        }
    };
    let mut out = std::io::stdout().lock();
    if as_json {
        let json = to_json(asked.as_ref(), read.as_ref())?;
        writeln!(out, "{}", serde_json::to_string_pretty(&json)?)?;
    }
    let is_running = asked.is_ok() || read.is_some();
    if !as_json {
        match (&asked, &read) {
            (Ok((told, me)), read) => {
                told.print(&mut out)?;
                if let Some(status) = read {
                    file::devices(&mut out, status)?;
                }
                you::print(&mut out, me)?;
            }
            (Err(why), Some(status)) => {
                file::print(&mut out, status)?;
                writeln!(
                    out,
                    "\nThis is what the service left in {RUNTIME_DIR}, for it could not"
                )?;
                writeln!(out, "be asked, nor how you stand: {why}")?;
            }
            (Err(why), None) => {
                writeln!(out, "evscribed is not running: nothing is collected.")?;
                if let ServiceError::NotRunning = why {
                    writeln!(out, "An administrator starts it with systemctl start evscribed.")?;
                } else {
                    writeln!(out, "{RUNTIME_DIR} is not there, and {why}.")?;
                }
            }
        }
    }
    Ok(if is_running { ExitCode::SUCCESS } else { ExitCode::from(NOT_RUNNING) })
}

/// What the service says of itself and of who asks.
fn ask() -> Result<(Told, Me), ServiceError> {
    let service = Service::connect()?;
    let me = Me::ask(&service)?;
    Ok((Told::ask(&service)?, me))
}

/// The file as it is, with what the bus says as `service` and `you`; where it
/// could not be asked, why, as `service_error`.
fn to_json(asked: Result<&(Told, Me), &ServiceError>, read: Option<&Status>) -> Result<Value> {
    let mut json = match (read, asked) {
        (Some(status), _) => serde_json::to_value(status)?,
        (None, Ok((told, _))) => json!({ "state": told.state }),
        (None, Err(_)) => json!({ "state": "not_running" }),
    };
    if let Some(members) = json.as_object_mut() {
        match asked {
            Ok((told, me)) => {
                members.insert("service".into(), serde_json::to_value(told)?);
                members.insert("you".into(), me.to_json());
            }
            Err(why) => {
                members.insert("service_error".into(), why.to_string().into());
            }
        }
    }
    Ok(json)
}

/// What a level keeps of keys, as a person would ask.
pub(crate) fn keys_in_words(level: &str) -> &'static str {
    words::keys_kept(level.parse().unwrap_or_default())
}

/// A line of the sheet: what it is about, and what is so.
fn line(out: &mut impl Write, about: &str, what: &str) -> std::io::Result<()> {
    writeln!(out, "  {about:<10} {what}")
}
