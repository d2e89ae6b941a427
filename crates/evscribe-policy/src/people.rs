//! What each person decided: acknowledged, at which level, paused, opted out.
//!
//! | a person | stands |
//! |---|---|
//! | opted out | [`Standing::OptedOut`], until they acknowledge again |
//! | never acknowledged | [`Standing::Never`] |
//! | acknowledged another version or another text | [`Standing::NoticeChanged`] |
//! | paused, and the pause is not over | [`Standing::Paused`] |
//! | else | [`Standing::Acknowledged`] |
//!
//! Nothing here does IO: the service keeps the bytes.

use std::collections::BTreeMap;

use evscribe_model::{KeyLevel, Level, PointerLevel};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Policy, hex_sha256};

/// An acknowledgement of one text of the notice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// Version of the notice.
    pub version: String,
    /// SHA-256 of its text, lower-case hex.
    pub sha256: String,
    /// When, microseconds since 1970.
    pub at_us: i64,
}

/// What one person decided.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The notice they acknowledged last.
    pub acknowledgement: Option<Acknowledgement>,
    /// What may be kept of keys, by their own word; none: the default.
    keys: Option<String>,
    /// What may be kept of the pointer, by their own word.
    pointer: Option<String>,
    /// When they opted out, microseconds since 1970.
    pub opted_out_at_us: Option<i64>,
    /// Until when they paused, microseconds since 1970; `i64::MAX`: until they
    /// resume.
    pub paused_until_us: Option<i64>,
    /// When they were last shown the notice, microseconds since 1970.
    pub notice_shown_at_us: Option<i64>,
    /// The pseudonyms they had, the newest last.
    pub subjects: Vec<String>,
}

/// Whether a person may be recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// They acknowledged the current notice.
    Acknowledged {
        /// What is kept: the person's choice, at most the ceiling.
        level: Level,
        /// SHA-256 of what was acknowledged, for the files' metadata.
        sha256: String,
    },
    /// They never acknowledged a notice.
    Never,
    /// They acknowledged another notice than the current one.
    NoticeChanged,
    /// They opted out.
    OptedOut,
    /// They paused.
    Paused,
}

/// Why something was not done for a person; nothing changed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// What they acknowledge is not what is in force.
    #[error(
        "this is not the current notice, which is version {current}: read it with `evscribe notice`"
    )]
    OtherNotice {
        /// The version in force.
        current: String,
    },
    /// They ask for more than the policy permits.
    #[error("the policy permits at most keys={} pointer={}", ceiling.keys, ceiling.pointer)]
    AboveCeiling {
        /// The most that is permitted.
        ceiling: Level,
    },
    /// They have not acknowledged anything.
    #[error("there is no acknowledgement of yours: give one with `evscribe acknowledge`")]
    NotAcknowledged,
}

/// All people of a workstation, by user id.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// Why an administrator holds everybody; none: they do not.
    pub held: Option<String>,
    records: BTreeMap<u32, Record>,
}

impl Record {
    /// What they chose, at most `ceiling`. Who says nothing gets the default,
    /// which is never `full` keys.
    fn level(&self, ceiling: Level) -> Level {
        let word = |word: &Option<String>| word.as_deref().unwrap_or_default().to_owned();
        let keys = word(&self.keys).parse().unwrap_or_default();
        let pointer = word(&self.pointer).parse().unwrap_or_default();
        Level { keys, pointer }.at_most(ceiling)
    }

    fn choose(
        &mut self,
        keys: Option<KeyLevel>,
        pointer: Option<PointerLevel>,
        ceiling: Level,
    ) -> Result<Level, Refused> {
        if keys.is_some_and(|keys| keys > ceiling.keys)
            || pointer.is_some_and(|pointer| pointer > ceiling.pointer)
        {
            return Err(Refused::AboveCeiling { ceiling });
        }
        if let Some(keys) = keys {
            self.keys = Some(keys.to_string());
        }
        if let Some(pointer) = pointer {
            self.pointer = Some(pointer.to_string());
        }
        Ok(self.level(ceiling))
    }
}

impl People {
    /// Reads what [`People::to_bytes`] wrote.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
        toml::from_str(text).map_err(|error| error.to_string().trim_end().replace('\n', " "))
    }

    /// The bytes to keep: TOML, a table for each person.
    ///
    /// # Errors
    /// What cannot be written, which strings, numbers and tables always can;
    /// then what was kept before must stay, for it says who opted out.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        toml::to_string(self).map(String::into_bytes).map_err(|error| error.to_string())
    }

    /// What that person decided; none: nothing yet.
    #[must_use]
    pub fn record(&self, uid: u32) -> Option<&Record> {
        self.records.get(&uid)
    }

    /// The pseudonyms of a person, the newest last.
    #[must_use]
    pub fn subjects(&self, uid: u32) -> &[String] {
        self.records.get(&uid).map_or(&[], |record| &record.subjects)
    }

    /// Keeps a pseudonym of a person as their newest. Returns whether it is new.
    pub fn has_subject(&mut self, uid: u32, subject: &str) -> bool {
        let subjects = &mut self.records.entry(uid).or_default().subjects;
        if subjects.last().is_some_and(|newest| newest == subject) {
            return false;
        }
        subjects.retain(|known| known != subject);
        subjects.push(subject.to_owned());
        true
    }

    /// How a person stands at `now_us`, microseconds since 1970.
    #[must_use]
    pub fn standing(&self, uid: u32, policy: &Policy, now_us: i64) -> Standing {
        let Some(record) = self.records.get(&uid) else { return Standing::Never };
        if record.opted_out_at_us.is_some() {
            return Standing::OptedOut;
        }
        let Some(given) = &record.acknowledgement else { return Standing::Never };
        if (&given.version, &given.sha256) != (&policy.notice_version, &policy.notice_sha256) {
            return Standing::NoticeChanged;
        }
        if record.paused_until_us.is_some_and(|until_us| now_us < until_us) {
            return Standing::Paused;
        }
        let level = record.level(policy.ceiling);
        // No user id: whoever pulls the files could try them all.
        let words = format!("{}\n{}\n{level}\n{}\n", given.version, given.sha256, given.at_us);
        Standing::Acknowledged { level, sha256: hex_sha256(words.as_bytes()) }
    }

    /// When time alone changes how a person stands next, microseconds since 1970.
    #[must_use]
    pub fn next_change_us(&self, uid: u32, now_us: i64) -> Option<i64> {
        let until_us = self.records.get(&uid)?.paused_until_us?;
        (now_us < until_us && until_us != i64::MAX).then_some(until_us)
    }

    /// Whether the notice is to be shown to a person: they have not acknowledged
    /// the current one, or the policy's time since it was last shown is over.
    #[must_use]
    pub fn notice_due(&self, uid: u32, policy: &Policy, now_us: i64) -> bool {
        match self.standing(uid, policy, now_us) {
            Standing::OptedOut => false,
            Standing::Never | Standing::NoticeChanged => true,
            Standing::Acknowledged { .. } | Standing::Paused => {
                let shown = self.records.get(&uid).and_then(|record| record.notice_shown_at_us);
                policy.notice_renew.after_us().is_some_and(|after_us| {
                    shown.is_none_or(|at_us| at_us.saturating_add(after_us) <= now_us)
                })
            }
        }
    }

    /// A person was shown the current notice.
    pub fn notice_shown(&mut self, uid: u32, now_us: i64) {
        self.records.entry(uid).or_default().notice_shown_at_us = Some(now_us);
    }

    /// A person acknowledges a notice, at a level of their choice. Whoever had
    /// opted out is back with it, and a pause is over.
    ///
    /// # Errors
    /// [`Refused::OtherNotice`], [`Refused::AboveCeiling`].
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the acknowledgement")]
    pub fn acknowledge(
        &mut self,
        uid: u32,
        version: &str,
        sha256: &str,
        keys: Option<KeyLevel>,
        pointer: Option<PointerLevel>,
        policy: &Policy,
        now_us: i64,
    ) -> Result<Level, Refused> {
        if (version, sha256) != (policy.notice_version.as_str(), policy.notice_sha256.as_str()) {
            return Err(Refused::OtherNotice { current: policy.notice_version.clone() });
        }
        let mut record = self.records.get(&uid).cloned().unwrap_or_default();
        let level = record.choose(keys, pointer, policy.ceiling)?;
        record.acknowledgement = Some(Acknowledgement {
            version: version.to_owned(),
            sha256: sha256.to_owned(),
            at_us: now_us,
        });
        record.opted_out_at_us = None;
        record.paused_until_us = None;
        record.notice_shown_at_us = Some(now_us);
        self.records.insert(uid, record);
        Ok(level)
    }

    /// A person chooses another level.
    ///
    /// # Errors
    /// [`Refused::NotAcknowledged`], [`Refused::AboveCeiling`].
    pub fn set_level(
        &mut self,
        uid: u32,
        keys: Option<KeyLevel>,
        pointer: Option<PointerLevel>,
        policy: &Policy,
    ) -> Result<Level, Refused> {
        let record = self.records.get_mut(&uid).ok_or(Refused::NotAcknowledged)?;
        if record.acknowledgement.is_none() {
            return Err(Refused::NotAcknowledged);
        }
        record.choose(keys, pointer, policy.ceiling)
    }

    /// A person is not recorded any more.
    pub fn opt_out(&mut self, uid: u32, now_us: i64) {
        let record = self.records.entry(uid).or_default();
        record.acknowledgement = None;
        record.opted_out_at_us = Some(now_us);
    }

    /// A person pauses until `until_us`; `i64::MAX`: until they resume.
    pub fn pause(&mut self, uid: u32, until_us: i64) {
        self.records.entry(uid).or_default().paused_until_us = Some(until_us);
    }

    /// The wall clock was stepped by `by_us` and said `now_us` before: each pause
    /// that runs and has an end is moved with it, for a pause is a duration.
    pub fn shift_pauses(&mut self, by_us: i64, now_us: i64) {
        for until_us in
            self.records.values_mut().filter_map(|record| record.paused_until_us.as_mut())
        {
            if *until_us > now_us && *until_us != i64::MAX {
                *until_us = until_us.saturating_add(by_us);
            }
        }
    }

    /// A person ends their pause.
    pub fn resume(&mut self, uid: u32) {
        if let Some(record) = self.records.get_mut(&uid) {
            record.paused_until_us = None;
        }
    }
}

#[cfg(test)]
mod tests;
