//! The list of those whom files are encrypted for: who is put on it, and taken
//! off. Comments in it stay.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use evscribe_sink::crypt::{self, MAX_RECIPIENTS, PublicKey};
use serde_json::json;

use super::place::{self, Place};
use super::store;
use crate::rights::say;

/// How every public key begins; what does not is a file.
const PUBLIC: &str = "evscribe-recipient-";
/// How every secret key begins.
const SECRET: &str = "EVSCRIBE-SECRET-KEY-";

/// A file of a key is a line.
const FILE_MAX: u64 = 64 * 1024;

/// Everybody may know for whom files are encrypted.
const MODE: u32 = 0o644;

const HEADER: &str = "# Public keys that evscribe encrypts sealed files for, one a line, with a name.\n\
                      # `evscribe keys add-recipient` writes it; `systemctl reload evscribed` puts a\n\
                      # change in force.\n";

const RELOAD: &str = "systemctl reload evscribed puts it in force, for files sealed from then on.";

/// Those on the list; none where there is no list.
///
/// # Errors
/// Where a line of it is no public key.
pub(super) fn of(place: &Place) -> Result<Vec<PublicKey>> {
    let path = place.recipients();
    if path.exists() { Ok(crypt::recipients(&path)?) } else { Ok(Vec::new()) }
}

/// Puts a key on the list.
///
/// # Errors
/// Where it is no public key, or on the list; the list is as it was.
pub(super) fn add(place: &Place, key: &str, name: Option<&str>, as_json: bool) -> Result<ExitCode> {
    let _lock = place.lock()?;
    let mut key = parse(key)?;
    if let Some(name) = name {
        key = key.named(name)?;
    }
    let there = of(place)?;
    if there.contains(&key) {
        bail!("the key {} is a recipient already; nothing was changed", key.id());
    }
    if there.len() + 1 >= MAX_RECIPIENTS {
        bail!("there are {} recipients, and no room for more; nothing was changed", there.len());
    }
    let own = store::find(place).ok().flatten().and_then(|found| found.keys().ok());
    if own.is_some_and(|own| own.secrets().iter().any(|secret| secret.public() == key)) {
        bail!("that is this workstation's own key, which opens every file anyway");
    }
    let path = place.recipients();
    let mut text = read(&path)?.unwrap_or_else(|| HEADER.into());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("{key}\n"));
    place::replace(&path, text.as_bytes(), MODE)?;
    let (id, name) = (key.id(), key.name().unwrap_or_default());
    let who = if name.is_empty() { id.clone() } else { format!("{name} ({id})") };
    let json = json!({ "id": id, "name": name, "recipients": there.len() + 1 });
    say(as_json, &json, &format!("{who} is a recipient now. {RELOAD}"))
}

/// Takes a key off the list.
///
/// # Errors
/// Where none has that id; the list is as it was.
pub(super) fn remove(place: &Place, id: &str, as_json: bool) -> Result<ExitCode> {
    let _lock = place.lock()?;
    let path = place.recipients();
    let there = of(place)?;
    if !there.iter().any(|key| key.id() == id) {
        let ids: Vec<_> = there.iter().map(PublicKey::id).collect();
        bail!(
            "no recipient has the id {id}, so nothing was changed; there {}",
            if ids.is_empty() { "is none".into() } else { format!("are: {}", ids.join(", ")) }
        );
    }
    let is_that = |line: &&str| line.parse::<PublicKey>().is_ok_and(|key| key.id() == id);
    let text = read(&path)?.unwrap_or_default();
    let left: String =
        text.lines().filter(|line| !is_that(line)).map(|line| format!("{line}\n")).collect();
    place::replace(&path, left.as_bytes(), MODE)?;
    let left = there.len() - 1;
    let words = format!(
        "{id} is no recipient any more. {RELOAD} What was encrypted for it before, it still opens.{}",
        if left == 0 {
            " Without a recipient the files are readable only on this workstation."
        } else {
            ""
        }
    );
    say(as_json, &json!({ "id": id, "recipients": left }), &words)
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// A public key, or the one in a file.
fn parse(key_or_file: &str) -> Result<PublicKey> {
    if key_or_file.trim_start().starts_with(SECRET) {
        bail!(
            "that is a secret key, which belongs on no workstation, and this one has seen it now: \
             nothing was changed. Make another pair, and give its public key"
        );
    }
    if key_or_file.starts_with(PUBLIC) {
        return Ok(key_or_file.parse()?);
    }
    let about = fs::metadata(key_or_file).with_context(|| {
        format!("{key_or_file} is neither a public key ({PUBLIC}1:…) nor a file that holds one")
    })?;
    if !about.is_file() || about.len() > FILE_MAX {
        bail!("{key_or_file} is no file of a public key");
    }
    let text =
        fs::read_to_string(key_or_file).with_context(|| format!("{key_or_file} cannot be read"))?;
    let mut lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().with_context(|| format!("{key_or_file} holds no key"))?;
    if line.starts_with(SECRET) {
        bail!(
            "{key_or_file} holds a secret key, which belongs on no workstation: nothing was \
             changed. Take it away from here, and give the public one: {key_or_file}.pub"
        );
    }
    if lines.next().is_some() {
        bail!("{key_or_file} holds more than one key: give one at a time");
    }
    line.parse().with_context(|| format!("{key_or_file} is no file of a public key"))
}
