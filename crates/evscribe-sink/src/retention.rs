//! Retention: what is older than the policy keeps, or more than it keeps, goes.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Dataset, SealedFile, SinkError, Table,
    manifest::{self, Contents, PULLED},
};

const DAY_US: i64 = 86_400_000_000;

/// How long and how much sealed data is kept; `None` is without limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Days since a file's last row.
    pub days: Option<u32>,
    /// Bytes of all sealed files together; the oldest go first.
    pub bytes: Option<u64>,
    /// Hours since everybody who pulled a file acknowledged that they have it.
    /// Without an acknowledgement nothing goes by it, nor does table `devices`.
    pub after_pull_hours: Option<u32>,
}

/// A file that retention removed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RemovedFile {
    /// Its place, relative to the dataset.
    pub path: String,
    /// Pseudonym of the person; empty where the manifest does not say it.
    pub subject: String,
    /// Its length.
    pub bytes: u64,
    /// `age`, `bytes` or `pulled`.
    pub reason: &'static str,
}

impl Dataset {
    /// Removes what `retention` does not keep and says so in the manifest; `noted`
    /// is told of it before. Interrupted in between, it is told again: a line of
    /// the ledger too many is harmless, one that is missing is not.
    ///
    /// Those in `early` go before their time.
    ///
    /// A file of table `devices` goes only when no other file of its host and
    /// boot is left, and never early. What is not in the manifest is never touched.
    ///
    /// # Errors
    /// [`SinkError::Io`]; what the manifest says is removed then goes when the
    /// dataset is opened again.
    pub(crate) fn retain(
        &mut self,
        retention: &Retention,
        early: &BTreeSet<String>,
        noted: impl FnOnce(&[RemovedFile]) -> Result<(), SinkError>,
    ) -> Result<Vec<RemovedFile>, SinkError> {
        if *retention == Retention::default() {
            return Ok(Vec::new());
        }
        let contents = manifest::read(self.directory())?;
        let removed = plan(&contents, retention, early, Timestamp::now().as_microsecond());
        noted(&removed)?;
        let files: Vec<_> = removed.iter().map(|file| (file.path.as_str(), file.reason)).collect();
        self.discard_all(&files)?;
        Ok(removed)
    }
}

/// Which files go, oldest first.
fn plan(
    contents: &Contents,
    retention: &Retention,
    early: &BTreeSet<String>,
    now_us: i64,
) -> Vec<RemovedFile> {
    let is_old = |file: &SealedFile| {
        retention
            .days
            .is_some_and(|days| now_us.saturating_sub(file.last_us) > i64::from(days) * DAY_US)
    };
    let mut bytes: u64 = contents.live.values().map(|file| file.bytes).sum();
    let is_too_much = |bytes: u64| retention.bytes.is_some_and(|limit| bytes > limit);
    let mut removed = Vec::new();
    let mut remove = |file: &SealedFile, reason, bytes: &mut u64| {
        *bytes = bytes.saturating_sub(file.bytes);
        let (path, subject) = (file.path.clone(), file.subject.clone());
        removed.push(RemovedFile { path, subject, bytes: file.bytes, reason });
    };
    let (devices, mut others): (Vec<_>, Vec<_>) =
        contents.live.values().partition(|file| file.table == Table::Devices);
    others.sort_by_key(|file| file.last_us);
    let mut left: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    // What went early says nothing against the descriptions of its devices.
    let mut thinned: HashSet<(&str, &str)> = contents
        .removed
        .values()
        .filter(|file| !contents.pulled.contains(&file.path))
        .map(|file| (file.host.as_str(), file.boot.as_str()))
        .collect();
    for file in others {
        let boot = (file.host.as_str(), file.boot.as_str());
        if is_old(file) || is_too_much(bytes) {
            remove(file, if is_old(file) { "age" } else { "bytes" }, &mut bytes);
            thinned.insert(boot);
        } else if early.contains(&file.path) {
            remove(file, PULLED, &mut bytes);
        } else {
            *left.entry(boot).or_default() += 1;
        }
    }
    for file in devices {
        let boot = (file.host.as_str(), file.boot.as_str());
        if left.contains_key(&boot) {
            continue;
        }
        if is_old(file) {
            remove(file, "age", &mut bytes);
        } else if is_too_much(bytes) || thinned.contains(&boot) {
            remove(file, "bytes", &mut bytes);
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(
        name: &str,
        table: Table,
        boot: &str,
        last_day: i64,
        bytes: u64,
    ) -> (String, SealedFile) {
        let sealed = SealedFile {
            path: name.into(),
            sha256: String::new(),
            bytes,
            rows: 1,
            table,
            host: "h".into(),
            boot: boot.into(),
            subject: String::new(),
            segment: String::new(),
            first_us: 0,
            last_us: last_day * DAY_US,
            sealed_at: String::new(),
        };
        (name.to_owned(), sealed)
    }

    fn paths(removed: &[RemovedFile]) -> Vec<(&str, &str)> {
        removed.iter().map(|file| (file.path.as_str(), file.reason)).collect()
    }

    #[test]
    fn the_oldest_go_first_and_devices_with_the_last_of_their_boot() {
        let live = [
            file("d1", Table::Devices, "a", 1, 10),
            file("e1", Table::Events, "a", 1, 100),
            file("e2", Table::Events, "a", 5, 100),
            file("d2", Table::Devices, "b", 8, 10),
            file("e3", Table::Events, "b", 9, 100),
        ];
        let contents = Contents { live: live.into(), ..Contents::default() };
        let now_us = 10 * DAY_US;
        let by = |days, bytes| {
            let retention = Retention { days, bytes, ..Retention::default() };
            plan(&contents, &retention, &BTreeSet::new(), now_us)
        };
        let by_age = |days| by(Some(days), None);
        assert_eq!(paths(&by_age(8)), [("e1", "age")]);
        assert_eq!(paths(&by_age(4)), [("e1", "age"), ("e2", "age"), ("d1", "age")]);
        let by_bytes = |bytes| by(None, Some(bytes));
        assert_eq!(paths(&by_bytes(320)), []);
        assert_eq!(paths(&by_bytes(250)), [("e1", "bytes")]);
        assert_eq!(paths(&by_bytes(120)), [("e1", "bytes"), ("e2", "bytes"), ("d1", "bytes")]);
    }

    #[test]
    fn what_was_pulled_goes_early_but_for_the_devices() {
        let live = [
            file("d1", Table::Devices, "a", 9, 10),
            file("e1", Table::Events, "a", 9, 100),
            file("e2", Table::Events, "b", 9, 100),
        ];
        let mut contents = Contents { live: live.into(), ..Contents::default() };
        let early = ["d1".to_owned(), "e1".to_owned()].into();
        let retention =
            Retention { days: Some(30), after_pull_hours: Some(1), ..Retention::default() };
        let planned = |contents: &Contents| plan(contents, &retention, &early, 10 * DAY_US);
        assert_eq!(paths(&planned(&contents)), [("e1", "pulled")]);
        // As the manifest says it afterwards.
        let gone = contents.live.remove("e1").unwrap();
        contents.removed.insert("e1".into(), gone);
        contents.pulled.insert("e1".into());
        assert_eq!(paths(&planned(&contents)), []);
    }
}
