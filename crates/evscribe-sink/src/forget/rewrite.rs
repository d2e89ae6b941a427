//! One sealed file, written anew without what is to be forgotten.

use std::{
    collections::{HashMap, HashSet},
    fs,
    ops::Range,
};

use evscribe_model::{Phase, Run, What};

use super::{plan::BootPlan, subjects};
use crate::{
    Dataset, SealedFile, SegmentId, SinkError, Table,
    crypt::Keyring,
    disk,
    error::At,
    inspect::{decode, file::Sealed},
    keys,
    manifest::Line,
    segment::{OpenFile, Segment},
};

/// Why a file that is left without rows is removed, in the manifest.
const REASON: &str = "forgotten";

/// What goes and what changes, in the files of one host, boot and session.
#[derive(Debug)]
struct Cut<'a> {
    span: &'a Range<i64>,
    /// Where the holes of this session begin, on the boot clock, with their
    /// places.
    holes: Vec<(i64, usize)>,
    runs: HashMap<(i32, usize), i32>,
    strokes: HashSet<i32>,
    tails: HashMap<i32, Range<i64>>,
    /// The last run looked up; rows come in spans of one.
    last: Option<((i32, usize), i32)>,
}

impl<'a> Cut<'a> {
    fn of(plan: &BootPlan, session: &str, span: &'a Range<i64>) -> Self {
        let holes = plan.holes.iter().enumerate().filter(|(_, hole)| hole.session == session);
        let strokes = plan.strokes.iter().filter(|stroke| stroke.session == session);
        let tails = plan.tails.iter().filter(|tail| tail.session == session);
        Self {
            span,
            holes: holes.map(|(place, hole)| (hole.from_us, place)).collect(),
            runs: plan.runs.iter().map(|run| ((run.run, run.hole), run.fresh)).collect(),
            strokes: strokes.map(|stroke| stroke.stroke).collect(),
            tails: tails
                .map(|tail| (tail.contact, tail.from_us..tail.until_us.saturating_add(1)))
                .collect(),
            last: None,
        }
    }

    /// Whether the row is behind a hole: which one.
    fn hole(&self, boot_us: i64) -> Option<usize> {
        let holes = self.holes.iter().rev();
        holes.into_iter().find(|(from_us, _)| *from_us <= boot_us).map(|(_, place)| *place)
    }

    /// Gives a run behind a hole its number there; says whether it is another.
    fn number(&mut self, run: &mut Run, boot_us: i64) -> bool {
        let Some(place) = self.hole(boot_us) else { return false };
        let key = (run.0, place);
        let fresh = match self.last {
            Some((known, fresh)) if known == key => fresh,
            _ => self.runs.get(&key).copied().unwrap_or(run.0),
        };
        self.last = Some((key, fresh));
        std::mem::replace(&mut run.0, fresh) != fresh
    }

    fn takes_event(&self, what: What, at_us: i64, boot_us: i64) -> bool {
        let stroke = match what {
            What::Button { down: false, stroke, .. } | What::Key { down: false, stroke, .. } => {
                Some(stroke)
            }
            _ => None,
        };
        self.span.contains(&at_us)
            || stroke.is_some_and(|stroke| {
                self.strokes.contains(&stroke) && self.hole(boot_us).is_some()
            })
    }

    fn takes_touch(&self, (contact, phase): (i32, Phase), at_us: i64, boot_us: i64) -> bool {
        self.span.contains(&at_us)
            || (matches!(phase, Phase::Move | Phase::Up | Phase::Leave)
                && self.tails.get(&contact).is_some_and(|tail| tail.contains(&boot_us)))
    }
}

/// Writes the file at `path` without what goes and puts it in its place, sealed
/// as the dataset's files are now; where nothing is left of it, removes it.
/// Returns what the manifest says of it.
///
/// Memory: a row group. Done again, it changes nothing.
///
/// # Errors
/// The file is as it was, or already as it shall be.
pub(super) fn rewrite(
    (dataset, keyring): (&mut Dataset, &Keyring),
    path: &str,
    plan: &BootPlan,
    span: &Range<i64>,
) -> Result<Option<SealedFile>, SinkError> {
    let root = dataset.directory().to_path_buf();
    let place = root.join(path);
    // One that vanished since it was planned is gone: nobody need wait for it.
    let known = dataset.live(path)?.filter(|_| !matches!(place.try_exists(), Ok(false)));
    let Some(known) = known else {
        dataset.discard_all(&[(path, REASON)])?;
        return Ok(None);
    };
    let malformed = |why: &str| SinkError::Malformed { path: root.join(path), why: why.into() };
    let (subject, session) = subjects::of_file(&root, path, keyring)?
        .ok_or_else(|| malformed("it does not say whose it is"))?;
    let sealed = Sealed::open(&root, path, keyring)?;
    let provenance = sealed.provenance(&subject, &session)?;
    let id =
        SegmentId::parse(&known.segment).ok_or_else(|| malformed("its segment is no number"))?;
    let (table, mut cut) = (known.table, Cut::of(plan, &session, span));
    let at_rest = dataset.at_rest().clone();
    let segment = Segment { root: root.clone(), id, provenance, at_rest };
    let mut file = OpenFile::create(&segment, table, path.to_owned(), known.first_us)?;
    let columns: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
    let mut is_changed = false;
    sealed.read(&columns, |meta, batch| match table {
        Table::Events => decode::events(meta, batch, |mut row, at_us| {
            let boot_us = meta.boot_us(at_us);
            if cut.takes_event(row.what, at_us, boot_us) {
                is_changed = true;
                return Ok(());
            }
            is_changed |= cut.number(&mut row.run, boot_us);
            file.push_event(&row, at_us)
        }),
        Table::Touch => decode::touch(meta, batch, |mut row, at_us| {
            let boot_us = meta.boot_us(at_us);
            if cut.takes_touch((row.contact, row.phase), at_us, boot_us) {
                is_changed = true;
                return Ok(());
            }
            is_changed |= cut.number(&mut row.run, boot_us);
            file.push_touch(&row, at_us)
        }),
        Table::Marks | Table::Devices => Ok(()),
    })?;
    if file.rows == 0 {
        dataset.discard_all(&[(path, REASON)])?;
        return Ok(None);
    }
    // It was done before, and also got as far as the manifest: written once more
    // it would have other bytes, by another key.
    if !is_changed && keys::sha256_file(&place)? == (known.sha256.clone(), known.bytes) {
        return Ok(Some(known));
    }
    let mut whole = file.complete(&segment)?;
    whole.sealed.subject = subject;
    disk::step();
    fs::rename(&whole.file.path, &place).at("name", &place)?;
    disk::sync_parent(&place)?;
    dataset.manifest.append(&[Line::Sealed(whole.sealed.clone())])?;
    Ok(Some(whole.sealed))
}
