//! Whether the ledger holds, and whose lines are whose.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    fs::File,
    io::BufReader,
    path::Path,
};

use super::{FIRST_HEAD, chain, chain::Chain, fact::OF_EVERYBODY};
use crate::{SinkError, crypt::Keyring, error::At, inspect::file::Sealed, manifest};

/// Bytes of lines that [`lines_of`] keeps: the service, whose memory is limited
/// and locked, holds them all at once.
const LINES_OF_BYTES: usize = 8 * 1024 * 1024;

/// How many faults are named; more are counted.
const FAULTS_NAMED: usize = 20;

/// A ledger that holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Its lines.
    pub lines: u64,
    /// Hash of the last one; 64 zeros where there is none.
    pub head: String,
    /// Files of the dataset that were not asked for their head, because no key
    /// at hand opens them.
    pub unread: u64,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, head, unread } = self;
        write!(f, "{lines} lines, head {head}")?;
        match unread {
            0 => Ok(()),
            1 => f.write_str("; 1 file was not asked for its head: no key at hand opens it"),
            _ => write!(
                f,
                "; {unread} files were not asked for their heads: no key at hand opens them"
            ),
        }
    }
}

/// A line that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct LedgerFault {
    /// Its number in the file, from 1; 0 where the file cannot be read, one
    /// more than there are lines where the end is missing.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

impl LedgerFault {
    fn unread(error: &SinkError) -> Self {
        Self { line: 0, why: crate::recover::chain(error) }
    }
}

/// All lines that do not hold; at least one.
///
/// Behind each the chain goes on from what the line says of itself: one thing
/// that was done to a ledger may be two faults, and what was done later is found
/// too, also behind a break that the ledger itself tells of (`broken`).
#[derive(Clone, PartialEq, Eq, Debug, Default, thiserror::Error)]
#[error("{}{}", .first.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "), and_more(*.more))]
pub struct LedgerFaults {
    /// The first 20, by place.
    pub first: Vec<LedgerFault>,
    /// How many there are besides.
    pub more: u64,
}

impl LedgerFaults {
    fn push(&mut self, fault: LedgerFault) {
        if self.first.len() < FAULTS_NAMED {
            self.first.push(fault);
        } else {
            self.more += 1;
        }
    }
}

impl From<&SinkError> for LedgerFaults {
    fn from(error: &SinkError) -> Self {
        Self { first: vec![LedgerFault::unread(error)], more: 0 }
    }
}

fn and_more(more: u64) -> String {
    if more == 0 { String::new() } else { format!("; and {more} more") }
}

/// Checks the chain of the ledger at `path` from its first line to its last.
///
/// A flipped byte, a removed, repeated or reordered line is found. A cut-off
/// end is not: that takes [`verify_with_dataset`]. Takes no lock; a line that
/// is being written looks torn.
///
/// # Errors
/// The faults.
pub fn verify(path: &Path) -> Result<Verified, LedgerFaults> {
    let (verified, faults) = read(path, |_| ())?;
    if faults.first.is_empty() { Ok(verified) } else { Err(faults) }
}

/// As [`verify`], and looks for the head that each live file of the dataset at
/// `directory` that `keys` open was sealed under: one that is not in the ledger tells that the
/// ledger was cut or begun anew after that file was sealed.
///
/// The heads are read before the ledger: what is sealed meanwhile is no fault.
///
/// # Errors
/// The faults.
pub fn verify_with_dataset(
    path: &Path,
    directory: &Path,
    keys: &Keyring,
) -> Result<Verified, LedgerFaults> {
    let mut wanted: HashMap<String, String> = HashMap::new();
    let live = manifest::read(directory).map_err(|error| LedgerFaults::from(&error))?.live;
    let mut unread = 0;
    for file in live.keys() {
        match Sealed::open(directory, file, keys) {
            Ok(Sealed { ledger_head: Some(head), .. }) => {
                wanted.entry(head).or_insert_with(|| file.clone());
            }
            Err(error) if error.lacks_key() => unread += 1,
            // What is removed or damaged meanwhile is for the dataset's check to say.
            _ => {}
        }
    }
    wanted.remove(FIRST_HEAD);
    let (mut verified, mut faults) = read(path, |head| drop(wanted.remove(head)))?;
    verified.unread = unread;
    if let Some(file) = wanted.values().min() {
        faults.push(LedgerFault {
            line: verified.lines + 1,
            why: format!(
                "{file} was sealed under a head that no line has: the end was cut off, or \
                 another ledger put in its place"
            ),
        });
    }
    if faults.first.is_empty() { Ok(verified) } else { Err(faults) }
}

/// The lines of the ledger at `path`, oldest first and as they stand, that are
/// about one of `subjects`, and those without a subject that concern everybody:
/// `started`, `stopped`, `policy_changed`, `held`, `repaired`, `broken`.
///
/// A line that cannot be read is nobody's.
///
/// Of more than 8 MiB the newest are kept, whole; a line before them, the only
/// one that does not stand in the ledger, says how many are missing:
/// `{"fact":"older_left_out","lines":…}`.
///
/// # Errors
/// [`SinkError::Io`].
pub fn lines_of(path: &Path, subjects: &[String]) -> Result<Vec<String>, SinkError> {
    newest_lines_of(path, subjects, LINES_OF_BYTES)
}

fn newest_lines_of(
    path: &Path,
    subjects: &[String],
    limit_bytes: usize,
) -> Result<Vec<String>, SinkError> {
    let mut reader = BufReader::new(File::open(path).at("open", path)?);
    let (mut lines, mut text) = (VecDeque::new(), Vec::new());
    let (mut bytes, mut left_out) = (0, 0_u64);
    while chain::next_line(&mut reader, &mut text).at("read", path)? > 0 {
        if text.pop() != Some(b'\n') {
            break;
        }
        let Ok(line) = chain::Line::parse(&text) else { continue };
        let is_theirs = match &line.subject {
            Some(subject) => subjects.contains(subject),
            None => OF_EVERYBODY.contains(&line.fact.as_str()),
        };
        if is_theirs && let Ok(text) = std::str::from_utf8(&text) {
            bytes += text.len();
            lines.push_back(text.to_owned());
            while bytes > limit_bytes
                && let Some(oldest) = lines.pop_front()
            {
                bytes -= oldest.len();
                left_out += 1;
            }
        }
    }
    if left_out > 0 {
        lines.push_front(format!("{{\"fact\":\"older_left_out\",\"lines\":{left_out}}}"));
    }
    Ok(lines.into())
}

/// Checks all lines; `each` gets the hash that each says it has, also where it
/// does not hold: that fault is found at its own line.
fn read(path: &Path, mut each: impl FnMut(&str)) -> Result<(Verified, LedgerFaults), LedgerFaults> {
    let unread = |error: SinkError| LedgerFaults::from(&error);
    let mut reader = BufReader::new(File::open(path).at("open", path).map_err(unread)?);
    let (mut chain, mut faults) = (Chain::default(), LedgerFaults::default());
    let mut text = Vec::new();
    while chain::next_line(&mut reader, &mut text).at("read", path).map_err(unread)? > 0 {
        if text.pop() != Some(b'\n') {
            faults.push(LedgerFault {
                line: chain.lines + 1,
                why: "it has no end: a power cut, or it is being written; the service repairs it \
                      when it starts"
                    .to_owned(),
            });
            break;
        }
        if let Err(fault) = chain.take(&text) {
            faults.push(fault);
        }
        each(&chain.head);
    }
    Ok((Verified { lines: chain.lines, head: chain.head, unread: 0 }, faults))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fact, ledger::Ledger};

    #[test]
    fn of_too_many_lines_the_newest_are_kept_and_the_rest_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("ledger.jsonl");
        let (mut ledger, _) = Ledger::open(&path).unwrap();
        for files in 0..100 {
            for subject in ["cafe".to_owned(), "beef".to_owned()] {
                ledger.append(&[Fact::Exported { subject, files, bytes: 0 }]).unwrap();
            }
        }
        let of = |limit_bytes| newest_lines_of(&path, &["cafe".into()], limit_bytes).unwrap();
        let all = of(usize::MAX);
        assert_eq!(all.len(), 100);
        let newest: usize = all[93..].iter().map(String::len).sum();
        let kept = of(newest);
        assert_eq!(kept[0], r#"{"fact":"older_left_out","lines":93}"#);
        assert_eq!(kept[1..], all[93..]);
        assert_eq!(of(newest - 1).len(), 1 + 6);
        assert_eq!(ledger.lines_of_request("none").unwrap(), 0);
    }
}
