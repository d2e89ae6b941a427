//! What a line of the ledger can say.

use serde::{Serialize, Serializer};

/// Characters kept of words that somebody chose: `why`, `what`.
const WORDS_MAX: usize = 200;

/// One fact. Who it is about is a pseudonym; no name, uid or host name and
/// nothing that was typed may stand in any field.
///
/// In a line the variant's name in snake case is `fact`, its fields follow
/// under their own names. Times are µs since 1970-01-01 UTC, hashes hex.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A person was shown a notice.
    NoticeShown {
        /// Pseudonym of the person.
        subject: String,
        /// Version of the notice.
        notice: String,
        /// SHA-256 of its text.
        sha256: String,
    },
    /// A person acknowledged a notice.
    Acknowledged {
        /// Pseudonym of the person.
        subject: String,
        /// Version of the notice.
        notice: String,
        /// SHA-256 of its text.
        sha256: String,
        /// The level from then on, `keys=class pointer=full`.
        level: String,
    },
    /// A person chose another level.
    LevelChanged {
        /// Pseudonym of the person.
        subject: String,
        /// The level from then on.
        level: String,
    },
    /// A person opted out.
    OptedOut {
        /// Pseudonym of the person.
        subject: String,
        /// Whether they asked that everything be erased.
        erase: bool,
    },
    /// The service started.
    Started {
        /// The program and its version.
        version: String,
        /// SHA-256 of the policy in force, where one could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
    },
    /// The service stopped.
    Stopped {
        /// Why, in one fixed word.
        reason: &'static str,
    },
    /// Collection was paused.
    Paused {
        /// Pseudonym of the person.
        subject: String,
        /// Until when; `None` until resumed.
        #[serde(skip_serializing_if = "Option::is_none")]
        until_us: Option<i64>,
        /// By what, in one fixed word: `asked`, `hotkey`.
        reason: &'static str,
    },
    /// Collection goes on after a pause.
    Resumed {
        /// Pseudonym of the person.
        subject: String,
        /// By what, in one fixed word: `asked`, `over`.
        reason: &'static str,
    },
    /// A file was sealed; the writer notes it.
    Sealed {
        /// Pseudonym of the person.
        subject: String,
        /// Its place in the dataset.
        file: String,
        /// SHA-256 of its bytes.
        sha256: String,
        /// Its rows.
        rows: u64,
    },
    /// Rows of a span were taken out of a file; the writer notes it.
    Forgotten {
        /// Pseudonym of the person.
        subject: String,
        /// The file; `None` where the span held nothing.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// From when.
        from_us: i64,
        /// Until before when.
        until_us: i64,
        /// How many rows.
        rows: u64,
        /// SHA-256 of the file as it is since then; `None` where it was removed.
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        /// Why, in one fixed word.
        reason: String,
        /// Which request: the lines of one have the same.
        request: String,
    },
    /// A file of a person was removed whole, at their wish; the writer notes it.
    Erased {
        /// Pseudonym of the person.
        subject: String,
        /// The file; `None` where there was none.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// How many rows.
        rows: u64,
        /// Why, in one fixed word.
        reason: String,
        /// Which request: the lines of one have the same.
        request: String,
    },
    /// Retention removed a file; the writer notes it.
    Retained {
        /// Pseudonym of the person.
        subject: String,
        /// The file.
        file: String,
        /// `age`, `bytes` or `pulled`.
        reason: &'static str,
    },
    /// A file may be pulled by somebody who was not noted for it before: what
    /// they could take, noted before they can; the writer notes it.
    Pulled {
        /// Pseudonym of the person.
        subject: String,
        /// Name of who pulls.
        puller: String,
        /// The file.
        file: String,
        /// SHA-256 of its bytes.
        sha256: String,
    },
    /// Who pulled says that they have what a manifest lists, verified; the writer
    /// notes it.
    AcknowledgedPull {
        /// Name of who pulled.
        puller: String,
        /// SHA-256 of the manifest.
        manifest_sha256: String,
        /// How many of its files are here still.
        files: u64,
    },
    /// Another policy is in force, or none any more.
    PolicyChanged {
        /// SHA-256 of the policy; none: it was withdrawn.
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// A request was refused.
    Refused {
        /// Pseudonym of who asked, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// What was asked, without its content: a method's name.
        #[serde(serialize_with = "short")]
        what: String,
        /// Why not.
        #[serde(serialize_with = "short")]
        why: String,
    },
    /// Collection was held for everybody, or goes on for everybody.
    Held {
        /// Held, or no longer.
        held: bool,
        /// Why, as the administrator put it; cut after 200 characters.
        #[serde(serialize_with = "short")]
        why: String,
    },
    /// A person took a copy of their data.
    Exported {
        /// Pseudonym of the person.
        subject: String,
        /// How many files.
        files: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// A torn last line was cut off when the ledger was opened.
    Repaired {
        /// Its bytes.
        bytes: u64,
    },
    /// The chain was found broken when the ledger was opened; it goes on here.
    Broken {
        /// The first line that does not hold, from 1.
        line: u64,
        /// Why not.
        why: String,
    },
}

fn short<S: Serializer>(words: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&words.chars().take(WORDS_MAX).collect::<String>())
}

/// Facts without a subject that concern everybody, as lines name them.
pub(super) const OF_EVERYBODY: [&str; 7] =
    ["started", "stopped", "policy_changed", "held", "acknowledged_pull", "repaired", "broken"];
