//! What keys there are, and where.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use evscribe_sink::crypt::PublicKey;
use serde_json::{Value, json};

use super::place::Place;
use super::{in_words, recipients, store};
use crate::table;

/// Shows the workstation's key and the recipients.
///
/// # Errors
/// Where the list of recipients cannot be read.
pub(super) fn run(place: &Place, as_json: bool) -> Result<ExitCode> {
    let listed = recipients::of(place)?;
    let (own, words) = workstation(place);
    let mut out = std::io::stdout().lock();
    if as_json {
        let listed: Vec<_> = listed
            .iter()
            .map(|key| json!({ "id": key.id(), "name": key.name(), "public": key.to_string() }))
            .collect();
        let json = json!({
            "workstation": own,
            "recipients": listed,
            "recipients_file": place.recipients(),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&json)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "workstation: {words}")?;
    if listed.is_empty() {
        writeln!(
            out,
            "recipients:  none, so the files are readable only on this workstation; evscribe keys \
             add-recipient names one"
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "recipients:  {}", place.recipients().display())?;
    table::print(
        &mut out,
        &["ID", "NAME", "PUBLIC KEY"],
        &listed.iter().map(row).collect::<Vec<_>>(),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn row(key: &PublicKey) -> [String; 3] {
    let public = key.to_string();
    let bare = public.split_once(' ').map_or(public.as_str(), |(bare, _)| bare).to_owned();
    [key.id(), key.name().unwrap_or_default().into(), bare]
}

/// The workstation's key as JSON and in words. Who may not read it is shown the
/// rest all the same.
fn workstation(place: &Place) -> (Value, String) {
    let found = store::find(place).and_then(|found| {
        let Some(found) = found else { return Ok(None) };
        let keys = found.keys()?;
        let ids: Vec<_> = keys.secrets().iter().rev().map(|secret| secret.public().id()).collect();
        Ok(Some((found, keys.own().public(), ids)))
    });
    match found {
        Ok(None) => (Value::Null, "no key yet; evscribe keys init makes one".into()),
        Err(error) => (json!({ "error": format!("{error:#}") }), format!("{error:#}")),
        Ok(Some((found, public, ids))) => {
            let [now, older @ ..] = ids.as_slice() else { return (Value::Null, "no key".into()) };
            let json = json!({
                "id": now,
                "public": public.to_string(),
                "older": older,
                "file": found.path,
                "key": found.kept,
            });
            let older = match older {
                [] => String::new(),
                older => format!("; older: {}", older.join(", ")),
            };
            (json, format!("{now}, in {}, {}{older}", found.path.display(), in_words(found.kept)))
        }
    }
}
