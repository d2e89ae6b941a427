//! `evscribe acknowledge` and `evscribe level`: a person decides that they are
//! recorded, and how much of it is kept.

use std::process::ExitCode;

use anyhow::{Result, bail};
use evscribe_model::{KeyLevel, PointerLevel};
use serde_json::json;

use super::notice::Notice;
use super::{Me, say, terminal, words};
use crate::args::AcknowledgeArgs;
use crate::service::Service;

/// What takes an acknowledgement back, shown to who gave one.
const WAYS_BACK: &str = "  less      evscribe level timing, class or full; --pointer off or full
  a while   evscribe pause 15m, evscribe resume
  lately    evscribe forget 5m
  all       evscribe opt-out, and with --erase what was recorded goes too
  look      evscribe status, evscribe my-data show, evscribe ledger show";

pub(super) fn run(args: &AcknowledgeArgs, as_json: bool) -> Result<ExitCode> {
    let service = Service::connect()?;
    let notice = Notice::ask(&service)?;
    let version = &notice.version;
    match &args.notice {
        Some(named) if named != version => bail!(
            "the notice in force is {version}, not {named}, so nothing was acknowledged: read it \
             with evscribe notice, then evscribe acknowledge --notice {version}"
        ),
        Some(_) => {}
        None if !terminal::is_attended() => bail!(
            "there is no terminal to ask on, so nothing was acknowledged: read the notice with \
             evscribe notice, then evscribe acknowledge --notice {version}"
        ),
        None => {
            notice.print(&mut std::io::stderr().lock())?;
            notice.shown(&service)?;
            if !terminal::agrees("Do you acknowledge it, and may your input be recorded?")? {
                eprintln!("Nothing was acknowledged: nothing of you is read.");
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let (keys, pointer) = (word(args.keys), word(args.pointer));
    let level =
        service.ask(async |bus| bus.acknowledge(version, &notice.sha256, &keys, &pointer).await)?;
    let json = json!({ "acknowledged": version, "sha256": notice.sha256, "level": level });
    let kept = words::level_in_words(&level);
    say(
        as_json,
        &json,
        &format!(
            "You acknowledged notice {version}: you are recorded from now on, at {level} \
             ({kept}).\nYou can take it back at any time:\n{WAYS_BACK}"
        ),
    )
}

/// Shows or sets the level of who asks.
///
/// # Errors
/// What the service answers where it did not do it.
pub(super) fn level(
    keys: Option<KeyLevel>,
    pointer: Option<PointerLevel>,
    as_json: bool,
) -> Result<ExitCode> {
    let service = Service::connect()?;
    let now = Me::ask(&service)?;
    if keys.is_none() && pointer.is_none() {
        let json = json!({ "level": now.level, "standing": now.standing });
        let kept = words::level_in_words(&now.level);
        return say(as_json, &json, &format!("{} ({kept})", now.level));
    }
    // What is not named stays as it is.
    let before = words::level(&now.level);
    let keys = word(keys.or(before.map(|level| level.keys)));
    let pointer = word(pointer.or(before.map(|level| level.pointer)));
    let level = service.ask(async |bus| bus.set_level(&keys, &pointer).await)?;
    let json = json!({ "level": level, "before": now.level });
    let kept = words::level_in_words(&level);
    say(as_json, &json, &format!("From now on {level} ({kept}); it was {}.", now.level))
}

/// A level on the bus; no word leaves it to the policy.
fn word(level: Option<impl ToString>) -> String {
    level.map(|level| level.to_string()).unwrap_or_default()
}
