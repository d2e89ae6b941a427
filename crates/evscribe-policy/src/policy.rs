//! `policy.toml`: what it may say, with units in the keys, and its defaults.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use evscribe_model::{KeyLevel, Level, PointerLevel};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::check::{Checker, PolicyError};

/// Where the administrator's policy stands.
pub const DEFAULT_PATH: &str = "/etc/evscribe/policy.toml";

const DEFAULT_RETENTION_DAYS: u64 = 30;
const DEFAULT_RETENTION_MIB: u64 = 4096;
const DEFAULT_SEGMENT_MINUTES: u64 = 60;
const DEFAULT_SEGMENT_MIB: u64 = 16;
/// Longer than any lawful purpose we know of; a number above is a slip.
const MAX_RETENTION_DAYS: u64 = 3650;
const MAX_MIB: u64 = 1 << 30;
const MAX_SEGMENT_MINUTES: u64 = 24 * 60;
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

/// Whether a person may be recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// They acknowledged the current notice.
    Acknowledged {
        /// What is kept: the person's choice, at most the ceiling.
        level: Level,
        /// SHA-256 of what was acknowledged by whom, for the files' metadata.
        sha256: String,
    },
    /// They have not; nothing of theirs is opened.
    Not {
        /// Why, as a clause for the status.
        why: String,
    },
}

/// A checked `policy.toml`.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// Version of the notice that people must have acknowledged.
    pub notice_version: String,
    /// The text of the notice, where the policy names one.
    pub notice_file: Option<PathBuf>,
    /// The most that may be kept of anybody.
    pub ceiling: Level,
    /// How long the dataset stays.
    pub retention: Retention,
    /// When segments close.
    pub segment: Segment,
    /// SHA-256 of the notice: of its text where a file has it, else of its
    /// version; lower-case hex.
    pub notice_sha256: String,
    /// SHA-256 of the file's bytes, lower-case hex.
    pub sha256: String,
    acknowledged: Vec<Acknowledged>,
}

#[derive(Clone, PartialEq, Debug)]
struct Acknowledged {
    user: String,
    notice: String,
    choice: Level,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyToml {
    notice: NoticeToml,
    #[serde(default)]
    level: LevelToml,
    #[serde(default)]
    acknowledged: Vec<AcknowledgedToml>,
    #[serde(default)]
    retention: RetentionToml,
    #[serde(default)]
    segment: SegmentToml,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticeToml {
    version: Spanned<String>,
    text_file: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LevelToml {
    keys: Option<Spanned<String>>,
    pointer: Option<Spanned<String>>,
    keys_full_reason: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcknowledgedToml {
    user: Spanned<String>,
    notice: Spanned<String>,
    keys: Option<Spanned<String>>,
    pointer: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RetentionToml {
    days: Option<Spanned<i64>>,
    max_mib: Option<Spanned<i64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct SegmentToml {
    max_minutes: Option<Spanned<i64>>,
    max_mib: Option<Spanned<i64>>,
}

impl Policy {
    /// Reads and checks the policy.
    ///
    /// # Errors
    /// [`PolicyError::Missing`] where there is no such file, [`PolicyError::Io`]
    /// where it cannot be read, [`PolicyError::Invalid`] with line and key where
    /// it says something that cannot be followed.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let text = fs::read_to_string(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => PolicyError::Missing { path: path.into() },
            _ => PolicyError::Io { path: path.into(), source },
        })?;
        Self::parse(path, &text)
    }

    /// Checks the text of a policy; `path` is for the messages. Reads the notice
    /// that it names.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`], as [`Policy::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, PolicyError> {
        let check = Checker::new(path, text);
        let toml: PolicyToml = check.parse()?;
        check.not_blank(&toml.notice.version)?;
        let notice_sha256 = match &toml.notice.text_file {
            None => hex_sha256(toml.notice.version.get_ref().as_bytes()),
            Some(file) if !file.get_ref().is_absolute() => {
                return Err(check.error(file.span(), "must be an absolute path"));
            }
            Some(file) => match notice(file.get_ref()) {
                Ok(text) => hex_sha256(&text),
                Err(error) => {
                    let why = format!("the notice cannot be read: {error}");
                    return Err(check.error(file.span(), &why));
                }
            },
        };
        let keys: KeyLevel = check.level(toml.level.keys.as_ref())?;
        let pointer: PointerLevel = check.level(toml.level.pointer.as_ref())?;
        let ceiling = Level { keys, pointer };
        if let (KeyLevel::Full, Some(at), None) =
            (keys, &toml.level.keys, &toml.level.keys_full_reason)
        {
            let why = "`full` keeps every key code, so it needs `keys_full_reason` beside it: \
                       say why classes do not serve the purpose";
            return Err(check.error(at.span(), why));
        }
        if let Some(reason) = &toml.level.keys_full_reason {
            check.not_blank(reason)?;
        }
        let mut acknowledged: Vec<Acknowledged> = Vec::new();
        for entry in &toml.acknowledged {
            check.not_blank(&entry.user)?;
            check.not_blank(&entry.notice)?;
            if acknowledged.iter().any(|known| known.user == *entry.user.get_ref()) {
                let why = format!("`{}` stands here twice: keep one", entry.user.get_ref());
                return Err(check.error(entry.user.span(), &why));
            }
            let choice = Level {
                keys: check.level(entry.keys.as_ref())?,
                pointer: check.level(entry.pointer.as_ref())?,
            };
            acknowledged.push(Acknowledged {
                user: entry.user.get_ref().clone(),
                notice: entry.notice.get_ref().clone(),
                choice,
            });
        }
        let days = check.number(
            toml.retention.days.as_ref(),
            DEFAULT_RETENTION_DAYS,
            1..=MAX_RETENTION_DAYS,
        )?;
        let keep_mib =
            check.number(toml.retention.max_mib.as_ref(), DEFAULT_RETENTION_MIB, 1..=MAX_MIB)?;
        let minutes = check.number(
            toml.segment.max_minutes.as_ref(),
            DEFAULT_SEGMENT_MINUTES,
            1..=MAX_SEGMENT_MINUTES,
        )?;
        let segment_mib =
            check.number(toml.segment.max_mib.as_ref(), DEFAULT_SEGMENT_MIB, 1..=1024)?;
        Ok(Self {
            notice_version: toml.notice.version.into_inner(),
            notice_file: toml.notice.text_file.map(Spanned::into_inner),
            ceiling,
            retention: Retention {
                days: u32::try_from(days).unwrap_or(u32::MAX),
                bytes: keep_mib << 20,
            },
            segment: Segment { age: Duration::from_secs(minutes * 60), bytes: segment_mib << 20 },
            notice_sha256,
            sha256: hex_sha256(text.as_bytes()),
            acknowledged,
        })
    }

    /// Whether `user` may be recorded, and how much of it is kept.
    #[must_use]
    pub fn standing(&self, user: &str) -> Standing {
        let Some(entry) = self.acknowledged.iter().find(|entry| entry.user == user) else {
            return Standing::Not { why: format!("{user} has not acknowledged the notice") };
        };
        if entry.notice != self.notice_version {
            return Standing::Not {
                why: format!(
                    "{user} acknowledged notice {}, but the current one is {}",
                    entry.notice, self.notice_version
                ),
            };
        }
        let level = entry.choice.at_most(self.ceiling);
        let words = format!("{user}\n{}\n{level}\n", entry.notice);
        Standing::Acknowledged { level, sha256: hex_sha256(words.as_bytes()) }
    }

    /// How many people the policy names as having acknowledged some notice.
    #[must_use]
    pub fn named(&self) -> usize {
        self.acknowledged.len()
    }
}

/// The text of the notice. What is no file is not opened: reading a pipe or a
/// device may never end.
fn notice(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = Vec::new();
    fs::File::open(path)?.take(MAX_NOTICE_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_NOTICE_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

/// SHA-256, lower-case hex.
#[must_use]
pub fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
