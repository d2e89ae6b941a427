//! The policy: `policy.toml` and its drop-ins, checked as a whole.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evscribe_model::{KeyLevel, Level};
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::at_rest::AtRest;
use crate::check::{Checker, PolicyError, Source};
use crate::file::PolicyToml;
use crate::ground::{Basis, Relationship, Renew};
use crate::hotkey::Hotkey;
use crate::notice;
use crate::schedule::Schedule;

/// Where the administrator's policy stands; drop-ins are `policy.d/*.toml`
/// beside it.
pub const DEFAULT_PATH: &str = "/etc/evscribe/policy.toml";

const DEFAULT_RETENTION_MIB: u32 = 4096;
const DEFAULT_SEGMENT_MINUTES: u32 = 60;
const DEFAULT_SEGMENT_MIB: u32 = 16;
const DEFAULT_HOTKEY_MINUTES: u32 = 15;
/// Longer than any lawful purpose we know of; a number above is a slip.
const MAX_RETENTION_DAYS: u32 = 3650;
const MAX_MIB: u32 = 1 << 30;
const MAX_SEGMENT_MINUTES: u32 = 24 * 60;
const MAX_COOLING_OFF_HOURS: u32 = 24 * 365;
/// Longer than any notice that people read.
const MAX_NOTICE_BYTES: u64 = 1 << 20;

/// How long and how much of the dataset stays on the workstation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// A file goes this many days after its last row.
    pub days: u32,
    /// Beyond this many bytes the oldest files go.
    pub bytes: u64,
}

/// When a segment of the dataset is closed and sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// This long after its first row.
    pub age: Duration,
    /// When its journal is this large, bytes.
    pub bytes: u64,
}

/// A checked policy.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// Who decides what is recorded and for what.
    pub controller: String,
    /// Where a person reaches them.
    pub contact: String,
    /// What it is recorded for.
    pub purpose: String,
    /// On what ground of GDPR article 6; at least one.
    pub lawful_basis: Vec<Basis>,
    /// What ties the recorded people to the controller.
    pub relationship: Relationship,
    /// Where the impact assessment is.
    pub dpia_reference: Option<String>,
    /// How sealed files lie on the disk.
    pub at_rest: AtRest,
    /// Version of the notice that people must have acknowledged.
    pub notice_version: String,
    /// The notice itself: a file's text, or one made from this policy.
    pub notice_text: String,
    /// SHA-256 of that text, lower-case hex.
    pub notice_sha256: String,
    /// How often people are shown the notice again.
    pub notice_renew: Renew,
    /// The most that may be kept of anybody.
    pub ceiling: Level,
    /// Why the ceiling for keys is `full`, if it is.
    pub keys_full_reason: Option<String>,
    /// The hours in which people may be recorded; `None` for all.
    pub schedule: Option<Schedule>,
    /// How long the dataset stays.
    pub retention: Retention,
    /// Files are to be pulled no sooner than this after they were sealed; nothing
    /// enforces it yet.
    pub cooling_off_hours: u32,
    /// Pseudonyms of people change after this many days; `None` for never.
    pub rotate_days: Option<u32>,
    /// The keys that pause.
    pub hotkey: Option<Hotkey>,
    /// When segments close.
    pub segment: Segment,
    /// SHA-256 of all files' bytes, lower-case hex.
    pub sha256: String,
}

impl Policy {
    /// Reads and checks the policy at `path` with its drop-ins.
    ///
    /// # Errors
    /// The first of [`Policy::check`]'s.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        Self::check(path).map_err(first)
    }

    /// Reads and checks the policy at `path` with its drop-ins.
    ///
    /// # Errors
    /// All that is wrong: [`PolicyError::Missing`] where there is no such file,
    /// [`PolicyError::Io`] where one cannot be read, [`PolicyError::Invalid`]
    /// with line and key for what cannot be followed.
    pub fn check(path: &Path) -> Result<Self, Vec<PolicyError>> {
        Self::of(&sources(path).map_err(|error| vec![error])?)
    }

    /// Checks the text of a policy without drop-ins; `path` is for the messages.
    /// Reads the notice that it names.
    ///
    /// # Errors
    /// The first of [`Policy::check`]'s.
    pub fn parse(path: &Path, text: &str) -> Result<Self, PolicyError> {
        Self::of(&[Source { path: path.into(), text: text.into() }]).map_err(first)
    }

    fn of(sources: &[Source]) -> Result<Self, Vec<PolicyError>> {
        let check = Checker::new(sources);
        let toml = check.parse();
        let policy = build(&check, &toml, sources);
        let errors = check.into_errors();
        if errors.is_empty() { Ok(policy) } else { Err(errors) }
    }
}

/// What [`Policy::of`] refuses has at least one error.
fn first(errors: Vec<PolicyError>) -> PolicyError {
    let missing = PolicyError::Missing { path: DEFAULT_PATH.into() };
    errors.into_iter().next().unwrap_or(missing)
}

fn build(check: &Checker<'_>, toml: &PolicyToml, sources: &[Source]) -> Policy {
    if let Some(at) = &toml.acknowledged {
        let why = "people acknowledge the notice themselves, with `evscribe acknowledge`; nobody \
                   does it for them: take this table out";
        check.error(at.span(), why);
    }
    let level =
        Level { keys: check.word(&toml.level.keys), pointer: check.word(&toml.level.pointer) };
    let reason = toml.level.keys_full_reason.as_ref().map(Spanned::get_ref);
    if level.keys == KeyLevel::Full && reason.is_none_or(|reason| reason.trim().is_empty()) {
        let why = "`full` keeps every key code, so it needs `keys_full_reason` beside it: say why \
                   classes do not serve the purpose";
        check.error(toml.level.keys.as_ref().map_or(0..0, Spanned::span), why);
    }
    let mut policy = Policy {
        controller: check.text(
            &toml.controller.name,
            "controller.name",
            "say who decides about it",
        ),
        contact: check.text(
            &toml.controller.contact,
            "controller.contact",
            "say where people reach the controller",
        ),
        purpose: check.text(&toml.purpose, "purpose", "say what the data is for"),
        lawful_basis: Basis::checked(check, toml),
        relationship: check.word(&toml.relationship),
        dpia_reference: toml.dpia_reference.as_ref().map(|text| text.get_ref().clone()),
        at_rest: check.word(&toml.at_rest),
        notice_version: check.text(
            &toml.notice.version,
            "notice.version",
            "people acknowledge a version of the notice",
        ),
        notice_text: String::new(),
        notice_sha256: String::new(),
        notice_renew: check.word(&toml.notice.renew),
        ceiling: level,
        keys_full_reason: reason.cloned(),
        schedule: Schedule::checked(check, &toml.schedule),
        retention: Retention {
            days: check.number(&toml.retention.days, 1..=MAX_RETENTION_DAYS).unwrap_or(1),
            bytes: mib(check.number(&toml.retention.max_mib, 1..=MAX_MIB), DEFAULT_RETENTION_MIB),
        },
        cooling_off_hours: check
            .number(&toml.pull.cooling_off_hours, 0..=MAX_COOLING_OFF_HOURS)
            .unwrap_or(0),
        rotate_days: check.number(&toml.pseudonyms.rotate_days, 1..=MAX_RETENTION_DAYS),
        hotkey: hotkey(check, toml),
        segment: Segment {
            age: Duration::from_secs(60)
                * check
                    .number(&toml.segment.max_minutes, 1..=MAX_SEGMENT_MINUTES)
                    .unwrap_or(DEFAULT_SEGMENT_MINUTES),
            bytes: mib(check.number(&toml.segment.max_mib, 1..=1024), DEFAULT_SEGMENT_MIB),
        },
        sha256: hex_sha256(
            &sources.iter().flat_map(|source| source.text.bytes()).collect::<Vec<_>>(),
        ),
    };
    if toml.relationship.is_none() {
        check.missing("relationship", "`employment`, `study` or `self`");
    }
    if toml.retention.days.is_none() {
        check.missing("retention.days", "say after how many days files go");
    }
    policy.notice_text = match &toml.notice.text_file {
        None => notice::of(&policy),
        Some(file) => notice_of_file(check, file),
    };
    policy.notice_sha256 = hex_sha256(policy.notice_text.as_bytes());
    policy
}

fn mib(number: Option<u32>, default: u32) -> u64 {
    u64::from(number.unwrap_or(default)) << 20
}

fn hotkey(check: &Checker<'_>, toml: &PolicyToml) -> Option<Hotkey> {
    let minutes = check.number(&toml.hotkey.minutes, 1..=24 * 60).unwrap_or(DEFAULT_HOTKEY_MINUTES);
    let words = toml.hotkey.pause.as_ref()?;
    let hotkey = Hotkey::parse(words.get_ref(), minutes * 60);
    hotkey.map_err(|why| check.error(words.span(), &why)).ok()
}

fn notice_of_file(check: &Checker<'_>, file: &Spanned<PathBuf>) -> String {
    if !file.get_ref().is_absolute() {
        check.error(file.span(), "must be an absolute path");
        return String::new();
    }
    read_notice(file.get_ref()).unwrap_or_else(|error| {
        check.error(file.span(), &format!("the notice cannot be read: {error}"));
        String::new()
    })
}

/// The text of the notice. What is no file is not opened: reading a pipe or a
/// device may never end.
fn read_notice(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_NOTICE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_NOTICE_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

/// The policy's file and its drop-ins, by name.
fn sources(path: &Path) -> Result<Vec<Source>, PolicyError> {
    let mut sources = vec![source(path)?];
    let folder = path.with_extension("d");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(sources),
        Err(source) => return Err(PolicyError::Io { path: folder, source }),
    };
    let mut drop_ins: Vec<PathBuf> = entries
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| PolicyError::Io { path: folder.clone(), source })?
        .iter()
        .map(fs::DirEntry::path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    drop_ins.sort();
    for drop_in in drop_ins {
        sources.push(source(&drop_in)?);
    }
    Ok(sources)
}

fn source(path: &Path) -> Result<Source, PolicyError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => PolicyError::Missing { path: path.into() },
        _ => PolicyError::Io { path: path.into(), source },
    };
    let about = fs::metadata(path).map_err(failed)?;
    if about.mode() & 0o002 != 0 {
        let why = "everybody may write it: chmod o-w, and read it through";
        return Err(failed(io::Error::other(why)));
    }
    Ok(Source { path: path.into(), text: fs::read_to_string(path).map_err(failed)? })
}

/// SHA-256, lower-case hex.
#[must_use]
pub fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
