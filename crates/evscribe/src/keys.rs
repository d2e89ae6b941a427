//! `evscribe keys`: the workstation's own key, and the public keys of who reads
//! its files. docs/SECURITY.md says who holds which.

mod check;
mod generate;
mod list;
mod place;
mod recipients;
mod seal;
mod store;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use evscribe_sink::crypt::Keyring;
use serde_json::json;

pub(crate) use store::KeepAs;

use crate::args::{KeysArgs, KeysCommand};
use crate::rights::say;
use place::Place;
use store::{Became, Found, Kept};

/// How the service comes to use another key.
const RESTART: &str = "evscribed uses it from its next start: systemctl restart evscribed";

pub(crate) fn run(args: &KeysArgs, as_json: bool) -> Result<ExitCode> {
    let place = Place::new(&args.root);
    match &args.command {
        KeysCommand::Init { keep_as } => init(&place, *keep_as, as_json),
        KeysCommand::Generate { file, name } => generate::run(file, name.as_deref(), as_json),
        KeysCommand::AddRecipient { key, name } => {
            recipients::add(&place, key, name.as_deref(), as_json)
        }
        KeysCommand::RemoveRecipient { id } => recipients::remove(&place, id, as_json),
        KeysCommand::List => list::run(&place, as_json),
        KeysCommand::Rotate => rotate(&place, as_json),
        KeysCommand::Check { dataset } => check::run(&place, dataset.as_deref(), as_json),
    }
}

fn init(place: &Place, keep_as: Option<KeepAs>, as_json: bool) -> Result<ExitCode> {
    let _lock = place.lock()?;
    let (found, became) = store::init(place, keep_as)?;
    let id = found.keys()?.own().public().id();
    let (path, kept) = (found.path.display(), in_words(found.kept));
    let did = match became {
        Became::Made => format!(
            "Made the workstation's key {id}: {path}, {kept}.\n\
             Keep a copy of it where this machine's administrators alone can read: without it \
             nobody can tell who is who in the dataset, and only recipients read its files.{}{}",
            copy_hint(&found),
            if place.runs() { "" } else { IMAGE_HINT }
        ),
        Became::Moved => format!("The workstation's key {id} is now in {path}, {kept}.\n{RESTART}"),
        Became::Stays => format!("The workstation's key {id} is in {path}, {kept}; it stays so."),
    };
    let json = json!({
        "id": id,
        "file": found.path,
        "made": became == Became::Made,
        "moved": became == Became::Moved,
        "key": found.kept,
    });
    say(as_json, &json, &did)
}

/// Where a key was made in a system that does not run.
const IMAGE_HINT: &str = "\nIf this becomes the image of more than one machine, remove the key: \
                          each makes its own when evscribed first starts there.";

/// How a copy of a sealed key is taken: elsewhere the sealed one opens nothing.
fn copy_hint(found: &Found) -> String {
    match found.kept {
        Kept::Plain => String::new(),
        Kept::Sealed(_) => format!(
            "\nA copy that another machine can use: systemd-creds decrypt --name=evscribe.key {} COPY",
            found.path.display()
        ),
    }
}

fn rotate(place: &Place, as_json: bool) -> Result<ExitCode> {
    let _lock = place.lock()?;
    let found = store::rotate(place)?;
    let id = found.keys()?.own().public().id();
    let older = found.secrets() - 1;
    let words = format!(
        "New files are to be sealed for the workstation's new secret {id}; {} to open older files \
         with. {} was replaced.\n{RESTART}\nA copy that you keep needs to be made anew.{}",
        match older {
            1 => "1 older one is kept".into(),
            _ => format!("{older} older ones are kept"),
        },
        found.path.display(),
        copy_hint(&found)
    );
    let json = json!({
        "id": id,
        "file": found.path,
        "key": found.kept,
        "secrets": found.secrets(),
    });
    say(as_json, &json, &words)
}

fn in_words(kept: Kept) -> &'static str {
    match kept {
        Kept::Plain => "a file that only root reads",
        Kept::Sealed(by) => by.in_words(),
    }
}

/// The workstation's keys, where this machine has any and who asks may read them.
///
/// # Errors
/// Where they are there and cannot be used.
pub(crate) fn of_this_machine() -> Result<Option<Keyring>> {
    let found = store::find(&Place::new(Path::new("/")))?;
    found.map(|found| Ok(Keyring::of(&found.keys()?))).transpose()
}
