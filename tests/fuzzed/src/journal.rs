//! Journals: what a crash or a bad disk left of what was not sealed yet.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::Path,
    sync::LazyLock,
};

use arbitrary::{Result, Unstructured};
use evscribe_model::*;
use evscribe_sink::bare_journal::{self, Piece};
use evscribe_sink::{Clock, Config, Damage, Keys, Provenance, SegmentId, SinkError, recover};
use tempfile::TempDir;

/// Bytes before a record's ciphertext and their last part, its length.
const RECORD_BYTES: usize = 24;
const RECORD_MAGIC: [u8; 8] = *b"\x8bEVJREC\n";

/// A journal beyond that is not harmed further.
const BYTES_MAX: usize = 128 * 1024;

/// Where journals lie: in memory, as a disk that syncs is slow.
static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a folder for journals")
});

/// Target `journal`: writes journals, harms the bytes of one and reads them.
///
/// What authenticates is read in order, once each; each byte of the rest is
/// reported, once.
pub fn journal(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(world) = World::new(&mut u) else { return };
    let is_sealed = u.ratio(1, 16).unwrap_or(false);
    let mut bytes = world.journals[0].bytes.clone();
    while !u.is_empty() && bytes.len() < BYTES_MAX && world.harm(&mut bytes, &mut u).is_ok() {}
    let rows = world.judge(&bytes);
    if let Some(rows) = rows.filter(|_| is_sealed) {
        seal(&bytes, rows);
    }
}

fn keys() -> Keys {
    Keys::from_bytes([1; 32])
}

/// A journal as it was written.
struct Written {
    bytes: Vec<u8>,
    /// Where its two headers end.
    headers: usize,
    /// Where each record ends, and how many rows it has; a journal that was
    /// ended has one more, without rows.
    records: Vec<(usize, u64)>,
    closed: bool,
}

impl Written {
    fn new(u: &mut Unstructured<'_>, name: &[u8]) -> Result<Self> {
        let closed = u.arbitrary()?;
        let mut batches = Vec::new();
        for number in 0..u.int_in_range(0..=7u64)? {
            let table = u.int_in_range(0..=3u8)?;
            // Sums tell which records were read.
            let rows = (0..1 << number).map(|row| row_of(table, 100 * number + row));
            batches.push(rows.collect::<Vec<_>>());
        }
        let id = SegmentId::of(name);
        let path =
            bare_journal::write(DIRECTORY.path(), id, &provenance(), &keys(), &batches, closed)
                .expect("a journal is written");
        let bytes = fs::read(&path).expect("a journal is there");
        fs::remove_file(path).expect("a journal goes");
        let headers = find(&bytes, &RECORD_MAGIC).unwrap_or(bytes.len());
        let mut ends = Vec::new();
        let mut at = headers;
        while let Some(length) = bytes.get(at + RECORD_BYTES - 4..at + RECORD_BYTES) {
            let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
            at += RECORD_BYTES + usize::try_from(length).expect("a record that is in memory");
            ends.push(at);
        }
        assert_eq!(ends.len(), batches.len() + usize::from(closed));
        let rows = batches.iter().map(|batch| batch.len() as u64).chain([0]);
        Ok(Self { bytes, headers, records: ends.into_iter().zip(rows).collect(), closed })
    }

    fn span(&self, record: usize) -> std::ops::Range<usize> {
        let start = record.checked_sub(1).map_or(self.headers, |before| self.records[before].0);
        start..self.records[record].0
    }
}

impl Written {
    /// The records that stand in `bytes`, in the order of the journal. One that
    /// begins inside another, where a last byte happens to be a first one, is none.
    fn found_in(&self, bytes: &[u8]) -> Vec<usize> {
        let (mut found, mut at) = (BTreeSet::new(), 0);
        while let Some(next) = find(&bytes[at..], &RECORD_MAGIC) {
            at += next;
            let is_here = |record: &usize| bytes[at..].starts_with(&self.bytes[self.span(*record)]);
            let record = (0..self.records.len()).find(is_here);
            at += record.map_or(1, |record| self.span(record).len());
            found.extend(record);
        }
        found.into_iter().collect()
    }
}

struct World {
    /// The one that is read, and a stranger under the same key.
    journals: [Written; 2],
}

impl World {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self { journals: [Written::new(u, b"one")?, Written::new(u, b"other")?] })
    }

    /// Harms `bytes` in one way.
    fn harm(&self, bytes: &mut Vec<u8>, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=7)? {
            0 => {
                let (at, flips) = (place(u, bytes.len())?, u.arbitrary::<u8>()?);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= flips;
                }
            }
            1 => {
                let range = range(u, bytes.len())?;
                bytes.drain(range);
            }
            2 => {
                let copy = bytes[range(u, bytes.len())?].to_vec();
                let to = place(u, bytes.len())?;
                bytes.splice(to..to, copy);
            }
            3 => {
                // One over the other, as a disk mixes up its blocks.
                let copy = bytes[range(u, bytes.len())?].to_vec();
                let to = place(u, bytes.len())?;
                let end = (to + copy.len()).min(bytes.len());
                bytes.splice(to..end, copy);
            }
            4 | 5 => {
                // A whole record, of either, at some record's place.
                let from = u.choose(&self.journals)?;
                if from.records.is_empty() || self.journals[0].records.is_empty() {
                    return Ok(());
                }
                let copy = from.bytes[from.span(u.choose_index(from.records.len())?)].to_vec();
                let before = u.choose_index(self.journals[0].records.len())?;
                let to = self.journals[0].span(before).start.min(bytes.len());
                let end = if u.arbitrary()? { to } else { (to + copy.len()).min(bytes.len()) };
                bytes.splice(to..end, copy);
            }
            6 => {
                let to = place(u, bytes.len())?;
                let other = &self.journals[u.choose_index(2)?].bytes;
                let from = place(u, other.len())?;
                bytes.splice(to..to, other[from..].iter().copied());
            }
            _ => {
                let to = place(u, bytes.len())?;
                let count = u.int_in_range(0..=64)?;
                let noise = u.bytes(count.min(u.len()))?.to_vec();
                bytes.splice(to..to, noise);
            }
        }
        Ok(())
    }

    /// Reads what is left; returns how many rows, where it can be read at all.
    fn judge(&self, bytes: &[u8]) -> Option<u64> {
        let one = &self.journals[0];
        let path = DIRECTORY.path().join(format!("{}.evj", std::process::id()));
        let pieces = read(&path, bytes);
        let pieces = match pieces {
            Ok(pieces) => pieces,
            Err(SinkError::Journal { .. } | SinkError::JournalVersion { .. }) => {
                assert!(bytes != one.bytes, "a journal cannot be read");
                return None;
            }
            Err(error) => panic!("{error:?}"),
        };
        // Whose it is is told by the first header that is whole, a stranger's too.
        let whole = |journal: &Written| -> Option<Vec<usize>> {
            let header = &journal.bytes[..journal.headers / 2];
            let at = find(bytes, header)?;
            Some(journal.found_in(&bytes[at + header.len()..]))
        };
        let first = |journal: &Written| find(bytes, &journal.bytes[..journal.headers / 2]);
        let [one, other] = &self.journals;
        let whose = match (first(one), first(other)) {
            (Some(at), Some(before)) if before < at => other,
            (None, Some(_)) => other,
            _ => one,
        };
        let expected = whole(whose).expect("a header is whole, as the journal was read");
        let rows: Vec<u64> = expected
            .iter()
            .map(|record| whose.records[*record].1)
            .filter(|rows| *rows > 0)
            .collect();
        let read = pieces.iter().filter_map(|piece| match piece {
            Piece::Rows(rows) => Some(*rows),
            _ => None,
        });
        assert_eq!(read.collect::<Vec<_>>(), rows, "what is whole is read in order: {pieces:?}");
        let ends = whose.closed && expected.last() == Some(&(whose.records.len() - 1));
        assert_eq!(pieces.contains(&Piece::Closed), ends, "{pieces:?}");
        places(&pieces, whose, &expected, bytes.len());
        Some(rows.iter().sum())
    }
}

/// Each byte is of a header, of a record that was read, or reported, once.
fn places(pieces: &[Piece], whose: &Written, read: &[usize], length: usize) {
    let damages = pieces.iter().filter_map(|piece| match piece {
        Piece::Damage(damage) => Some(*damage),
        _ => None,
    });
    let mut damages: Vec<Damage> = damages.collect();
    damages.sort_by_key(|damage| (damage.at, damage.bytes));
    let apart = |pair: &[Damage]| pair[0].at + pair[0].bytes <= pair[1].at;
    assert!(damages.windows(2).all(apart), "reported twice: {damages:?}");
    assert!(damages.last().is_none_or(|last| last.at + last.bytes <= length as u64));
    let unique: HashSet<_> = damages.iter().map(|damage| (damage.at, damage.bytes)).collect();
    assert_eq!(unique.len(), damages.len());
    let read: usize = read.iter().map(|record| whose.span(*record).len()).sum();
    let reported: u64 = damages.iter().map(|damage| damage.bytes).sum();
    let headers = length - read - usize::try_from(reported).expect("a length in memory");
    let possible = [0, whose.headers / 2, whose.headers];
    assert!(possible.contains(&headers), "{headers} bytes are told nowhere: {damages:?}");
}

/// The whole way at a start: what was read is sealed, and nothing is left to do.
fn seal(bytes: &[u8], rows: u64) {
    let root = TempDir::new_in(DIRECTORY.path()).expect("a folder for a dataset");
    let (dataset, journals) = (root.path().join("dataset"), root.path().join("journal"));
    fs::create_dir(&journals).expect("a folder for journals");
    fs::write(journals.join("left.evj"), bytes).expect("a journal is written");
    let config = Config { min_free_bytes: 0, ..Config::new(dataset, journals) };
    let start = || recover(config.clone(), keys(), &mut 1).expect("a start").1;
    let recovery = start();
    assert!(recovery.pending == 0 && recovery.unreadable.is_empty(), "{recovery:?}");
    let [journal] = &recovery.journals[..] else { panic!("{recovery:?}") };
    assert_eq!(journal.rows, rows);
    // Marks are added for what is missing.
    let sealed: u64 = recovery.sealed.iter().map(|file| file.rows).sum();
    let is_whole = journal.closed && journal.damages.is_empty();
    assert!(sealed >= rows && (sealed == rows || !is_whole), "{recovery:?}");
    let again = start();
    assert!(again.journals.is_empty() && again.sealed.is_empty(), "{again:?}");
}

fn read(path: &Path, bytes: &[u8]) -> std::result::Result<Vec<Piece>, SinkError> {
    fs::write(path, bytes).expect("a journal is written");
    bare_journal::read(path, &keys())
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, part)
}

fn place(u: &mut Unstructured<'_>, length: usize) -> Result<usize> {
    Ok(usize::from(u.arbitrary::<u16>()?) % (length + 1))
}

fn range(u: &mut Unstructured<'_>, length: usize) -> Result<std::ops::Range<usize>> {
    let (from, count) = (place(u, length)?, usize::from(u.arbitrary::<u16>()?));
    Ok(from..(from + count).min(length))
}

fn row_of(table: u8, at_us: u64) -> Row {
    let (at, run, device) = (BootUs::new(at_us), Run(1), DeviceId(1));
    match table {
        0 => Row::Event(Event { at, run, device, what: What::Motion { dx: 1, dy: -1 } }),
        1 => Row::Touch(Touch {
            at,
            run,
            device,
            contact: 1,
            phase: Phase::Move,
            x: Some(1),
            y: None,
            x_um: None,
            y_um: None,
            pressure: None,
            tool: Tool::Finger,
            inferred: false,
        }),
        2 => Row::Mark(Mark {
            at,
            until: None,
            run: None,
            device: Some(device),
            kind: MarkKind::Pause,
            reason: "asked",
            lost: None,
        }),
        _ => Row::Device(Box::new(DeviceRow { at, device: Device::empty(device) })),
    }
}

fn provenance() -> Provenance {
    Provenance {
        host: "host".into(),
        boot: "boot".into(),
        subject: "subject".into(),
        session: "session".into(),
        anchor: Anchor { boot: BootUs::new(0), wall: WallUs::new(0) },
        clock: Clock::Boottime,
        level: Level::default(),
        notice_sha256: None,
        acknowledgement_sha256: None,
        policy_sha256: None,
        ledger_head: None,
    }
}
