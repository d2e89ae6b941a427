//! Where the rows of a segment come from: what every file's metadata says.

use std::{collections::HashMap, fmt};

use evscribe_model::{Anchor, BootUs, Level, WallUs};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{SCHEMA_VERSION, SinkError, Table};

/// What `evscribe.writer_version` says.
pub const WRITER_VERSION: &str = concat!("evscribe ", env!("CARGO_PKG_VERSION"));

/// Every metadata key of a sealed file, in the order of docs/FORMAT.md.
pub(crate) mod key {
    pub(crate) const SCHEMA_VERSION: &str = "evscribe.schema_version";
    pub(crate) const WRITER_VERSION: &str = "evscribe.writer_version";
    pub(crate) const TABLE: &str = "evscribe.table";
    pub(crate) const HOST: &str = "evscribe.host";
    pub(crate) const BOOT: &str = "evscribe.boot";
    pub(crate) const SEGMENT: &str = "evscribe.segment";
    pub(crate) const ANCHOR_BOOT_US: &str = "evscribe.anchor_boot_us";
    pub(crate) const ANCHOR_WALL_US: &str = "evscribe.anchor_wall_us";
    pub(crate) const CLOCK: &str = "evscribe.clock";
    pub(crate) const LEVEL: &str = "evscribe.level";
    pub(crate) const NOTICE: &str = "evscribe.notice_sha256";
    pub(crate) const ACKNOWLEDGEMENT: &str = "evscribe.acknowledgement_sha256";
    pub(crate) const POLICY: &str = "evscribe.policy_sha256";
    pub(crate) const LEDGER_HEAD: &str = "evscribe.ledger_head";

    #[cfg(test)]
    pub(crate) const ALL: [&str; 14] = [
        SCHEMA_VERSION,
        WRITER_VERSION,
        TABLE,
        HOST,
        BOOT,
        SEGMENT,
        ANCHOR_BOOT_US,
        ANCHOR_WALL_US,
        CLOCK,
        LEVEL,
        NOTICE,
        ACKNOWLEDGEMENT,
        POLICY,
        LEDGER_HEAD,
    ];
}

/// What the boot stamps of a segment count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// `CLOCK_BOOTTIME` of the recorded host.
    Boottime,
    /// Whatever a recording was stamped with.
    Recording,
}

impl Clock {
    /// The word in the metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boottime => "boottime",
            Self::Recording => "recording",
        }
    }
}

/// What is the same for all rows of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Provenance {
    /// Pseudonym of the host; stands in paths, so letters, digits, `-`, `_`.
    pub host: String,
    /// Pseudonym of the boot, or of the recording.
    pub boot: String,
    /// Pseudonym of the person.
    pub subject: String,
    /// Pseudonym of the login session.
    pub session: String,
    /// Ties the segment's boot stamps to wall time.
    pub anchor: Anchor,
    /// What the boot stamps count.
    pub clock: Clock,
    /// What was kept of keys and pointer.
    pub level: Level,
    /// SHA-256 of the notice the person saw, in hex; `None` for recordings.
    pub notice_sha256: Option<String>,
    /// SHA-256 of their acknowledgement, in hex; `None` for recordings.
    pub acknowledgement_sha256: Option<String>,
    /// SHA-256 of the policy in force, in hex; `None` for recordings.
    pub policy_sha256: Option<String>,
    /// Head of the ledger, in hex; `None` where there is no ledger.
    pub ledger_head: Option<String>,
}

/// A [`Provenance`] as the journal's header holds it.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema_version: u32,
    host: String,
    boot: String,
    subject: String,
    session: String,
    anchor_boot_us: u64,
    anchor_wall_us: i64,
    clock: Clock,
    keys: String,
    pointer: String,
    notice_sha256: Option<String>,
    acknowledgement_sha256: Option<String>,
    policy_sha256: Option<String>,
    ledger_head: Option<String>,
}

impl Provenance {
    /// Whether its host may stand in a path.
    ///
    /// # Errors
    /// [`SinkError::Word`] names the word that may not.
    pub fn check(&self) -> Result<(), SinkError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.host.is_empty()
            || self.host.starts_with('.')
            || self.host.len() > 64
            || !self.host.chars().all(fits)
        {
            return Err(SinkError::Word { what: "host", word: self.host.clone() });
        }
        Ok(())
    }

    /// The key-value metadata of a file of this segment and table.
    #[must_use]
    pub fn metadata(&self, table: Table, segment: SegmentId) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            (key::SCHEMA_VERSION, SCHEMA_VERSION.to_string()),
            (key::WRITER_VERSION, WRITER_VERSION.to_owned()),
            (key::TABLE, table.name().to_owned()),
            (key::HOST, self.host.clone()),
            (key::BOOT, self.boot.clone()),
            (key::SEGMENT, segment.to_string()),
            (key::ANCHOR_BOOT_US, self.anchor.boot.get().to_string()),
            (key::ANCHOR_WALL_US, self.anchor.wall.get().to_string()),
            (key::CLOCK, self.clock.name().to_owned()),
            (key::LEVEL, self.level.to_string()),
        ];
        let optional = [
            (key::NOTICE, &self.notice_sha256),
            (key::ACKNOWLEDGEMENT, &self.acknowledgement_sha256),
            (key::POLICY, &self.policy_sha256),
            (key::LEDGER_HEAD, &self.ledger_head),
        ];
        pairs.extend(optional.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
        pairs
    }

    /// Reads what [`Provenance::metadata`] says; `None` where it lacks something.
    pub(crate) fn from_metadata(
        pairs: &HashMap<String, String>,
        subject: &str,
        session: &str,
    ) -> Option<Self> {
        let get = |key: &str| pairs.get(key).cloned();
        let level = get(key::LEVEL)?;
        let (keys, pointer) = level.split_once(' ')?;
        Some(Self {
            host: get(key::HOST)?,
            boot: get(key::BOOT)?,
            subject: subject.to_owned(),
            session: session.to_owned(),
            anchor: Anchor {
                boot: BootUs::new(get(key::ANCHOR_BOOT_US)?.parse().ok()?),
                wall: WallUs::new(get(key::ANCHOR_WALL_US)?.parse().ok()?),
            },
            clock: [Clock::Boottime, Clock::Recording]
                .into_iter()
                .find(|clock| pairs.get(key::CLOCK).is_some_and(|word| word == clock.name()))?,
            level: Level {
                keys: keys.strip_prefix("keys=")?.parse().ok()?,
                pointer: pointer.strip_prefix("pointer=")?.parse().ok()?,
            },
            notice_sha256: get(key::NOTICE),
            acknowledgement_sha256: get(key::ACKNOWLEDGEMENT),
            policy_sha256: get(key::POLICY),
            ledger_head: get(key::LEDGER_HEAD),
        })
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Stored {
            schema_version: SCHEMA_VERSION,
            host: self.host.clone(),
            boot: self.boot.clone(),
            subject: self.subject.clone(),
            session: self.session.clone(),
            anchor_boot_us: self.anchor.boot.get(),
            anchor_wall_us: self.anchor.wall.get(),
            clock: self.clock,
            keys: self.level.keys.to_string(),
            pointer: self.level.pointer.to_string(),
            notice_sha256: self.notice_sha256.clone(),
            acknowledgement_sha256: self.acknowledgement_sha256.clone(),
            policy_sha256: self.policy_sha256.clone(),
            ledger_head: self.ledger_head.clone(),
        })
    }

    /// Reads what [`Provenance::to_json`] wrote, with its schema version.
    pub(crate) fn from_json(bytes: &[u8]) -> Option<(u32, Self)> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let provenance = Self {
            host: stored.host,
            boot: stored.boot,
            subject: stored.subject,
            session: stored.session,
            anchor: Anchor {
                boot: BootUs::new(stored.anchor_boot_us),
                wall: WallUs::new(stored.anchor_wall_us),
            },
            clock: stored.clock,
            level: Level { keys: stored.keys.parse().ok()?, pointer: stored.pointer.parse().ok()? },
            notice_sha256: stored.notice_sha256,
            acknowledgement_sha256: stored.acknowledgement_sha256,
            policy_sha256: stored.policy_sha256,
            ledger_head: stored.ledger_head,
        };
        Some((stored.schema_version, provenance))
    }
}

/// Names a segment: 16 hex digits in the name of each of its files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SegmentId(u64);

impl SegmentId {
    /// A new one, from the kernel's random numbers.
    ///
    /// # Errors
    /// [`SinkError::Io`] where the kernel has none.
    pub fn random() -> Result<Self, SinkError> {
        let mut bytes = [0; 8];
        crate::keys::random(&mut bytes)?;
        Ok(Self(u64::from_be_bytes(bytes)))
    }

    /// The one that belongs to `bytes`, for example to a recording's content:
    /// importing it again gives the same file names.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Self(digest.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }

    /// Reads 16 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits =
            text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }

    pub(crate) const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    pub(crate) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
