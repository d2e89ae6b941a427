//! Looking through the files of one host and boot, for a plan.
//!
//! First the files that the span is in: what goes, and what of it is still down
//! or touching at its end. Then all from there on: what else goes with it, and
//! which runs go on.

mod behind;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    ops::Range,
    path::Path,
};

use super::{
    plan::{BootPlan, FreshRun, Hole, Stroke, Tail, Target, overlaps},
    subjects,
};
use crate::{
    Provenance, SealedFile, SinkError, Table,
    crypt::Keyring,
    inspect::file::{Columns, Meta, Sealed, cell, flag},
};

/// A file of theirs that can be read.
#[derive(Debug)]
struct File<'a> {
    sealed: &'a SealedFile,
    meta: Meta,
    session: String,
    provenance: Provenance,
    /// Rows that go.
    rows: u64,
    /// Whether rows are numbered afresh.
    is_changed: bool,
}

/// A contact at the end of the span.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// It touches, and went down in the span.
    is_down: bool,
    /// It was not there before the span, as far as can be told.
    began: bool,
    /// Rows of it behind the span stay.
    is_kept: bool,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    directory: &'a Path,
    keys: &'a Keyring,
    span: &'a Range<i64>,
    files: Vec<File<'a>>,
    /// Files that the span is in and that cannot be read.
    pub(super) unreadable: Vec<&'a SealedFile>,
    pressed: HashSet<Stroke>,
    held: HashMap<(String, i32), Held>,
    holes: Vec<Hole>,
    /// When a mark begins a run, at the earliest.
    begun: HashMap<i32, i64>,
    runs: BTreeMap<(i32, usize), i16>,
    tails: BTreeMap<(String, i32), (i64, i64)>,
}

impl<'a> Scan<'a> {
    /// # Errors
    /// [`SinkError::Io`].
    pub(super) fn of(
        (directory, keys): (&'a Path, &'a Keyring),
        files: &[&'a SealedFile],
        span: &'a Range<i64>,
    ) -> Result<Self, SinkError> {
        let mut scan = Self {
            directory,
            keys,
            span,
            files: Vec::new(),
            unreadable: Vec::new(),
            pressed: HashSet::new(),
            held: HashMap::new(),
            holes: Vec::new(),
            begun: HashMap::new(),
            runs: BTreeMap::new(),
            tails: BTreeMap::new(),
        };
        for sealed in files.iter().filter(|file| file.table != Table::Devices) {
            match File::open((directory, keys), sealed)? {
                Some(file) => scan.files.push(file),
                None if overlaps(sealed, span) => scan.unreadable.push(sealed),
                None => {}
            }
        }
        scan.files.sort_by_key(|file| file.meta.boot_us(file.sealed.first_us));
        let mut read = std::mem::take(&mut scan.files);
        for file in read.iter_mut().filter(|file| overlaps(file.sealed, span)) {
            match scan.look_inside(file) {
                Err(error @ SinkError::Io { .. }) => return Err(error),
                Err(_) => {
                    file.rows = 0;
                    scan.unreadable.push(file.sealed);
                }
                Ok(()) => {}
            }
        }
        read.retain(|file| !scan.unreadable.contains(&file.sealed));
        scan.make_holes(&read);
        if !scan.holes.is_empty() {
            // What cannot be read behind the span stays as it is. Marks first:
            // they say which runs begin behind it.
            read.sort_by_key(|file| file.sealed.table != Table::Marks);
            for file in &mut read {
                match scan.look_behind(file) {
                    Err(error @ SinkError::Io { .. }) => return Err(error),
                    Err(_) => file.is_changed = false,
                    Ok(()) => {}
                }
            }
        }
        scan.files = read;
        Ok(scan)
    }

    /// Rows in the span.
    fn look_inside(&mut self, file: &mut File<'_>) -> Result<(), SinkError> {
        let Self { directory, keys, span, pressed, held, .. } = self;
        let session = file.session.clone();
        Sealed::open(directory, &file.sealed.path, keys)?.read(
            columns(file.sealed.table),
            |_, batch| {
                let columns = Columns(batch);
                let times = columns.times("time")?.values();
                // Rows are in the order of their time.
                let first = times.partition_point(|time| *time < span.start);
                let end = times.partition_point(|time| *time < span.end).max(first);
                file.rows += (end - first) as u64;
                if file.sealed.table == Table::Events {
                    let (strokes, downs) = (columns.int32("stroke")?, columns.flags("down")?);
                    for row in first..end {
                        let Some(stroke) = cell(strokes, row) else { continue };
                        let stroke = Stroke { session: session.clone(), stroke };
                        if flag(downs, row) == Some(true) {
                            pressed.insert(stroke);
                        } else {
                            pressed.remove(&stroke);
                        }
                    }
                    return Ok(());
                }
                let (contacts, phases) = (columns.int32("contact")?, columns.words("phase")?);
                for row in first..end {
                    let Some(contact) = cell(contacts, row) else { continue };
                    let phase = phases.get(row).unwrap_or_default();
                    let held = held.entry((session.clone(), contact)).or_insert(Held {
                        began: matches!(phase, "down" | "hover"),
                        ..Held::default()
                    });
                    held.is_down = phase == "down" || (phase == "move" && held.is_down);
                }
                Ok(())
            },
        )
    }

    /// One hole for each session and anchor that loses rows, no longer than its
    /// files reach: a span without end says nothing about when they ended.
    fn make_holes(&mut self, files: &[File<'_>]) {
        for file in files.iter().filter(|file| file.rows > 0) {
            let like = |other: &&File<'_>| {
                (&other.session, other.provenance.anchor, &other.sealed.subject)
                    == (&file.session, file.provenance.anchor, &file.sealed.subject)
            };
            let with = || files.iter().filter(like).map(|file| file.sealed);
            let first_us = with().map(|file| file.first_us).min().unwrap_or(file.sealed.first_us);
            let last_us = with().map(|file| file.last_us).max().unwrap_or(file.sealed.last_us);
            let until_us = self.span.end.min(last_us.saturating_add(1));
            let mut provenance = file.provenance.clone();
            provenance.ledger_head = None;
            let Ok(provenance) = provenance.to_json() else { continue };
            let hole = Hole {
                session: file.session.clone(),
                from_us: file.meta.boot_us(self.span.start.max(first_us)),
                until_us: file.meta.boot_us(until_us),
                provenance: String::from_utf8(provenance).unwrap_or_default(),
            };
            let is_known = |known: &Hole| {
                known.session == hole.session
                    && known.from_us == hole.from_us
                    && known.until_us == hole.until_us
            };
            if !self.holes.iter().any(is_known) {
                self.holes.push(hole);
            }
        }
        self.holes.sort_by_key(|hole| hole.from_us);
    }

    /// What is to be done, where anything is.
    pub(super) fn into_plan(self) -> Option<BootPlan> {
        if self.holes.is_empty() {
            return None;
        }
        let touched = |file: &&File<'_>| file.rows > 0 || file.is_changed;
        let files = self.files.iter().filter(touched);
        let run = |((run, hole), device)| FreshRun { run, hole, device, fresh: 0 };
        let tail = |((session, contact), (from_us, until_us))| Tail {
            session,
            contact,
            from_us,
            until_us,
        };
        let mut strokes: Vec<Stroke> = self.pressed.into_iter().collect();
        strokes.sort();
        Some(BootPlan {
            files: files.map(|file| Target::of(file.sealed, file.rows)).collect(),
            holes: self.holes,
            runs: self.runs.into_iter().map(run).collect(),
            strokes,
            tails: self.tails.into_iter().map(tail).collect(),
        })
    }
}

impl<'a> File<'a> {
    /// `None` where it cannot be read.
    fn open(
        (directory, keys): (&Path, &Keyring),
        sealed: &'a SealedFile,
    ) -> Result<Option<Self>, SinkError> {
        let opened = || {
            let file = Sealed::open(directory, &sealed.path, keys)?;
            let Some((_, session)) = subjects::of_file(directory, &sealed.path, keys)? else {
                return Ok(None);
            };
            let provenance = file.provenance(&sealed.subject, &session)?;
            let meta = file.meta.clone();
            Ok(Some(Self { sealed, meta, session, provenance, rows: 0, is_changed: false }))
        };
        match opened() {
            Err(SinkError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error @ SinkError::Io { .. }) => Err(error),
            opened => Ok(opened.ok().flatten()),
        }
    }
}

/// The columns that a plan needs.
const fn columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => &["time", "run", "device", "stroke", "down"],
        Table::Touch => &["time", "run", "device", "contact", "phase"],
        Table::Marks => &["time", "run"],
        Table::Devices => &["time"],
    }
}
