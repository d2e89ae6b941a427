//! What can be said of one file of the lake.

use std::collections::BTreeMap;
use std::path::Path;

use evscribe_sink::crypt::Keyring;
use evscribe_sink::inspect::TableFile;
use evscribe_sink::{SinkError, Table, Tombstone, sha256_file};

use crate::concat::{Piece, notes, place_of};
use crate::{DataPath, LakeFile, look};

/// A file, and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) path: String,
    pub(super) file: LakeFile,
    /// By path of the source.
    pub(super) tombstones: BTreeMap<String, Vec<Tombstone>>,
}

/// What was found of a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) problems: Vec<String>,
    /// Rows that were read; `None` where it is for other keys.
    pub(super) rows: Option<u64>,
}

impl Found {
    fn problem(&mut self, what: impl Into<String>) {
        self.problems.push(what.into());
    }
}

/// Reads the whole file: its bytes, its footer, its rows.
pub(super) fn check(root: &Path, known: &Known, keyring: &Keyring) -> Found {
    let mut found = Found::default();
    let Known { path, file, .. } = known;
    match sha256_file(&root.join(path)) {
        Ok((_, bytes)) if bytes != file.bytes => {
            found.problem(format!("has {bytes} bytes, the record says {}", file.bytes));
            return found;
        }
        Ok((sha256, _)) if sha256 != file.sha256 => {
            found.problem("its checksum is not the one that the record says");
            return found;
        }
        Ok(_) => {}
        Err(error) => {
            found.problem(text(&error));
            return found;
        }
    }
    let opened = TableFile::open(root, path, keyring);
    match opened {
        // Without a key at hand that is no news.
        Err(error) if error.lacks_key() && keyring.is_empty() => {}
        Err(error) => found.problem(text(&error)),
        Ok(opened) => inside(opened, known, &mut found),
    }
    found
}

fn inside(opened: TableFile, known: &Known, found: &mut Found) {
    let Known { path, file, .. } = known;
    if opened.is_encrypted() != file.encrypted {
        found.problem("is encrypted, or not, against what the record says");
    }
    if let Some(place) = DataPath::parse(path) {
        let host = opened.metadata().get("evscribe.host").map(String::as_str);
        if opened.table() != place.table() || host != Some(place.host()) {
            found.problem("its metadata names another table or host than its place");
        }
    }
    if opened.rows() != file.rows {
        let rows = opened.rows();
        found.problem(format!("holds {rows} rows, the record says {}", file.rows));
        return;
    }
    if let Err(why) = notes(&opened, &file.sources) {
        found.problem(why);
    }
    let piece = Piece::whole(path, file);
    let is_named = file.is_as_sealed(path)
        || place_of(&[piece]).is_some_and(|place| place.is_ok_and(|place| place == *path));
    if !is_named {
        found.problem("its name is not that of its sources");
    }
    rows(opened, known, found);
}

/// Where in the sources the rows have come to.
struct Walk<'a> {
    known: &'a Known,
    number: usize,
    /// Rows of the source that were seen, and the last one's time.
    seen: u64,
    last_us: i64,
    problems: Vec<String>,
}

fn rows(opened: TableFile, known: &Known, found: &mut Found) {
    let table = opened.table();
    let whose = look::says_whose(table);
    let columns: &[&str] = if whose { &["time", "subject"] } else { &["time"] };
    let mut walk = Walk { known, number: 0, seen: 0, last_us: i64::MIN, problems: Vec::new() };
    let mut count = 0;
    let read = opened.read(columns, |batch| {
        let times = look::times(batch).unwrap_or_default();
        let subjects = look::subjects(batch).unwrap_or_default();
        for (row, at_us) in times.iter().enumerate() {
            walk.row(*at_us, subjects.get(row).copied().flatten(), table);
        }
        count += times.len() as u64;
        Ok(())
    });
    if let Err(error) = read {
        found.problem(text(&error));
        return;
    }
    found.problems.append(&mut walk.problems);
    if count != known.file.rows {
        found.problem(format!("holds {count} rows, its footer says {}", known.file.rows));
    }
    found.rows = Some(count);
}

impl Walk<'_> {
    fn row(&mut self, at_us: i64, subject: Option<&str>, table: Table) {
        let Some(source) = self.known.file.sources.get(self.number) else { return };
        let of = &source.sealed;
        let mut problem = |what: String| {
            if !self.problems.contains(&what) {
                self.problems.push(what);
            }
        };
        if self.seen == 0 && at_us != of.first_us {
            problem(format!("rows of {} begin at another time than recorded", of.path));
        }
        if at_us < self.last_us {
            problem("its rows are not ordered by time".into());
        }
        if look::says_whose(table) && !of.subject.is_empty() && subject != Some(&of.subject) {
            problem(format!("rows of {} are another person's than recorded", of.path));
        }
        let has_content = matches!(table, Table::Events | Table::Touch);
        let forgotten = self.known.tombstones.get(&of.path);
        if has_content && forgotten.is_some_and(|spans| spans.iter().any(|t| t.contains(at_us))) {
            problem(format!("holds rows of {} of a span that was to be forgotten", of.path));
        }
        (self.last_us, self.seen) = (at_us, self.seen + 1);
        if self.seen == of.rows {
            if at_us != of.last_us {
                problem(format!("rows of {} end at another time than recorded", of.path));
            }
            (self.number, self.seen) = (self.number + 1, 0);
        }
    }
}

pub(super) fn text(error: &SinkError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.extend([": ", &error.to_string()]);
        cause = error.source();
    }
    text
}
