//! Whether keys and recipients are in order, and who opens which files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use evscribe_policy::{AtRest, Policy, PolicyError};
use evscribe_sink::crypt::{Keyring, PublicKey};
use evscribe_sink::inspect::{Openers, openers};
use serde::Serialize;

use super::place::Place;
use super::seal::SealedBy;
use super::store::{self, Kept};
use super::{in_words, recipients};
use crate::service::Service;

/// Where the service keeps its dataset.
const DATASET: &str = "var/lib/evscribe/dataset";

/// Files that are named; of more only the number is told.
const NAMED: usize = 10;

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Findings {
    /// Whether there is no problem.
    good: bool,
    /// What keeps somebody from reading or from being safe: exit code 1.
    problems: Vec<String>,
    /// What is as it was decided, and worth to know.
    notes: Vec<String>,
    /// Id of the workstation's key.
    workstation: Option<String>,
    recipients: Vec<String>,
    dataset: PathBuf,
    plain_files: usize,
    encrypted_files: usize,
    /// Of the encrypted ones, how many each key opens.
    files_by_key: BTreeMap<String, usize>,
    /// Encrypted files that no recipient on the list opens.
    for_no_recipient: usize,
    /// Files that a key opens that is on no list and not the workstation's.
    for_others: BTreeMap<String, usize>,
    /// Files that the workstation does not open.
    closed: Vec<String>,
}

/// Checks all of it.
///
/// # Errors
/// Where it cannot be printed.
pub(super) fn run(place: &Place, dataset: Option<&Path>, as_json: bool) -> Result<ExitCode> {
    let mut found = Findings {
        dataset: dataset.map_or_else(|| place.below(DATASET), Path::to_path_buf),
        ..Findings::default()
    };
    let keyring = found.key(place);
    let listed = found.list(place);
    let at_rest = found.policy(place);
    found.files(&keyring, &listed, at_rest);
    if place.is_here() {
        found.service(&listed);
    }
    let mut out = std::io::stdout().lock();
    found.good = found.problems.is_empty();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
    } else {
        found.print(&mut out)?;
    }
    Ok(if found.good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Findings {
    fn problem(&mut self, what: impl Into<String>) {
        self.problems.push(what.into());
    }

    /// The workstation's key; what it cannot open stays closed.
    fn key(&mut self, place: &Place) -> Keyring {
        let (key, credential, drop_in) = (place.key(), place.credential(), place.drop_in());
        if key.exists() && credential.exists() {
            self.problem(format!(
                "the workstation's key is kept twice, in {} and {}: evscribe keys init takes the \
                 one away that the service does not load",
                key.display(),
                credential.display()
            ));
        } else if drop_in.exists() != credential.exists() {
            self.problem(format!(
                "{} and {} belong together, and one is missing: the service cannot start. evscribe \
                 keys init mends it",
                drop_in.display(),
                credential.display()
            ));
        }
        let loaded = store::find(place).and_then(|found| {
            let Some(found) = found else { return Ok(None) };
            Ok(Some((found.keys()?, found)))
        });
        match loaded {
            Ok(Some((keys, found))) => {
                self.workstation = Some(keys.own().public().id());
                if found.kept != Kept::Sealed(SealedBy::Tpm2) {
                    let why = "who has the disk has it too, unless the disk itself is encrypted";
                    self.notes
                        .push(format!("the workstation's key is {}: {why}", in_words(found.kept)));
                }
                Keyring::of(&keys)
            }
            Ok(None) => {
                self.problem("the workstation has no key: evscribe keys init makes one");
                Keyring::default()
            }
            Err(error) => {
                self.problem(format!("{error:#}"));
                Keyring::default()
            }
        }
    }

    fn list(&mut self, place: &Place) -> Vec<PublicKey> {
        let path = place.recipients();
        if let Ok(about) = fs::metadata(&path) {
            let shown = path.display();
            if about.mode() & 0o022 != 0 || about.uid() != 0 {
                self.problem(format!(
                    "{shown} can be written by others than root, who could add a key of theirs: \
                     chown root, chmod 0644, and read it through"
                ));
            }
            if about.mode() & 0o004 == 0 {
                self.problem(format!("{shown} cannot be read by the service: chmod 0644"));
            }
        }
        let listed = recipients::of(place).unwrap_or_else(|error| {
            self.problem(format!("{error:#}"));
            Vec::new()
        });
        self.recipients = listed.iter().map(PublicKey::id).collect();
        listed
    }

    fn policy(&mut self, place: &Place) -> Option<AtRest> {
        match Policy::load(&place.policy()) {
            Ok(policy) => {
                if policy.at_rest == AtRest::Plain {
                    self.notes.push("the policy has new files plain".into());
                } else if self.recipients.is_empty() {
                    self.notes.push(
                        "there is no recipient, so new files are readable only on this workstation"
                            .into(),
                    );
                }
                Some(policy.at_rest)
            }
            Err(PolicyError::Missing { .. }) => None,
            Err(error) => {
                self.problem(format!("the policy: {error}"));
                None
            }
        }
    }

    fn files(&mut self, keyring: &Keyring, listed: &[PublicKey], at_rest: Option<AtRest>) {
        if !self.dataset.exists() {
            self.notes.push(format!("{} is not there yet", self.dataset.display()));
            return;
        }
        let files = match openers(&self.dataset, keyring) {
            Ok(files) => files,
            Err(error) => return self.problem(format!("the dataset: {error}")),
        };
        let own: Vec<_> = keyring.ids().collect();
        let listed: Vec<_> = listed.iter().map(PublicKey::id).collect();
        for Openers { path, ids, closed } in files {
            if let Some(why) = closed {
                if self.closed.len() < NAMED {
                    self.problem(format!("{path} does not open here: {}", chain(&why)));
                }
                self.closed.push(path);
            }
            let Some(ids) = ids else {
                self.plain_files += 1;
                continue;
            };
            self.encrypted_files += 1;
            if !ids.iter().any(|id| listed.contains(id)) {
                self.for_no_recipient += 1;
            }
            for id in ids {
                if !listed.contains(&id) && !own.contains(&id.as_str()) {
                    *self.for_others.entry(id.clone()).or_default() += 1;
                }
                *self.files_by_key.entry(id).or_default() += 1;
            }
        }
        self.conclude(at_rest);
    }

    /// What the files' numbers mean.
    fn conclude(&mut self, at_rest: Option<AtRest>) {
        if self.closed.len() > NAMED {
            self.problem(format!("and {} more files do not open here", self.closed.len() - NAMED));
        }
        if self.plain_files > 0 && at_rest == Some(AtRest::Encrypted) {
            self.notes.push(format!(
                "{} sealed while the policy had them plain; they stay so until retention removes them",
                files(self.plain_files)
            ));
        }
        if self.for_no_recipient > 0 && !self.recipients.is_empty() {
            self.notes.push(format!(
                "{} sealed for no recipient on the list: only this workstation reads them",
                files(self.for_no_recipient)
            ));
        }
        for (id, count) in &self.for_others {
            self.notes.push(format!(
                "{} readable for the key {id} too, which is not on the list (any more)",
                files(*count)
            ));
        }
    }

    /// Whether the service goes by the list as it is now.
    fn service(&mut self, listed: &[PublicKey]) {
        let asked = Service::connect().and_then(|service| {
            service.ask(async |bus| Ok((bus.at_rest().await?, bus.recipients().await?)))
        });
        let Ok((at_rest, used)) = asked else {
            return self.notes.push("the service does not run, so it was not asked".into());
        };
        let mut used: Vec<_> = used.into_iter().map(|(id, _)| id).collect();
        let mut listed: Vec<_> = listed.iter().map(PublicKey::id).collect();
        used.sort();
        listed.sort();
        if at_rest == "encrypted" && used != listed {
            self.problem(
                "the service encrypts for other recipients than those on the list: systemctl reload \
                 evscribed, and its log says what is wrong if they still differ",
            );
        }
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let none = || "none".to_owned();
        writeln!(out, "workstation's key: {}", self.workstation.clone().unwrap_or_else(none))?;
        let listed = if self.recipients.is_empty() { none() } else { self.recipients.join(", ") };
        writeln!(out, "recipients: {listed}")?;
        let (encrypted, plain) = (self.encrypted_files, self.plain_files);
        writeln!(out, "{}: {encrypted} encrypted, {plain} plain", self.dataset.display())?;
        for (id, count) in &self.files_by_key {
            writeln!(out, "  {id} opens {}", crate::rights::words::count(*count as u64, "file"))?;
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        for problem in &self.problems {
            writeln!(out, "PROBLEM: {problem}")?;
        }
        writeln!(out, "{}", if self.good { "everything is in order" } else { "not in order" })
    }
}

fn files(count: usize) -> String {
    let plural = if count == 1 { " is" } else { "s are" };
    format!("{count} file{plural}")
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let said: Vec<_> = anyhow::Chain::new(error).map(ToString::to_string).collect();
    said.join(": ")
}
