//! Many small files become few large ones.

mod plan;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use evscribe_sink::Tombstone;
use evscribe_sink::crypt::AtRest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::concat::{Piece, concat, place_of};
use crate::intent::{Incoming, Turn};
use crate::place::blocking;
use crate::swap::remove_all;
use crate::{DataPath, Erased, Held, HostRecord, LakeError, Place, Sealing, Source, recover};
use plan::{Unit, chains};

/// What is merged, and into what.
#[derive(Clone, Debug)]
pub struct Merging {
    /// Only partitions of these dates, `2026-11-23`; all where there is none.
    pub dates: BTreeSet<String>,
    /// What the sources of a merged file may have together, bytes.
    pub max_bytes: u64,
    /// How many files become one at least.
    pub min_files: usize,
    /// Leaves files that cannot be used as they are, instead of stopping.
    pub skip_bad: bool,
}

impl Default for Merging {
    fn default() -> Self {
        Self { dates: BTreeSet::new(), max_bytes: 512 << 20, min_files: 2, skip_bad: false }
    }
}

/// A merged file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Merged {
    /// Its path in the lake.
    pub path: String,
    /// How many files it took the place of.
    pub files: usize,
    /// How many sources it has.
    pub sources: usize,
    /// How many rows.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
}

/// A file, and what is the matter with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Noted {
    /// Its path in the lake.
    pub path: String,
    /// What.
    pub why: String,
}

/// What [`merge`] did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct MergeReport {
    /// Files that were looked at.
    pub files_before: usize,
    /// How many there are in their place.
    pub files_after: usize,
    /// The merged ones.
    pub merged: Vec<Merged>,
    /// Sources that are in the lake no more, since a tombstone or an erasure says
    /// so.
    pub dropped: Vec<Noted>,
    /// Files that cannot be used; they are as they were.
    pub bad: Vec<Noted>,
    /// Ids of the workstations' own keys, which open what was merged no more.
    pub left_out: BTreeSet<String>,
}

/// Merges the files of each table, date and host. The lake must be held.
///
/// A second run does nothing. Each partition changes as one step, as in
/// [`change`](crate::change()). Memory: one row group, and the largest record.
///
/// # Errors
/// [`LakeError::File`] for the first file that cannot be used, unless bad ones
/// are skipped; [`LakeError::Recipients`]. Nothing of that partition changes then.
/// [`LakeError::Io`], [`LakeError::Store`], [`LakeError::Lost`],
/// [`LakeError::Record`].
pub async fn merge(
    (place, held): (&Place, &Held),
    merging: &Merging,
    sealing: &Sealing,
) -> Result<MergeReport, LakeError> {
    recover(place, held).await?;
    let staging = place.work().join("merge");
    blocking(move || remove_all(&staging)).await?;
    let erased = Erased::read(place).await?;
    let mut report = MergeReport::default();
    for host in HostRecord::hosts(place).await? {
        let Some(mut record) = HostRecord::read(place, &host).await? else { continue };
        let mut partitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in record.files.keys() {
            let Some(parsed) = DataPath::parse(path) else {
                let error = LakeError::bad(place, path, "it is no place of a file");
                report.skip(merging, path, error)?;
                continue;
            };
            if merging.dates.is_empty() || merging.dates.contains(parsed.date()) {
                let at = parsed.partition().to_owned();
                partitions.entry(at).or_default().push(path.clone());
            }
        }
        for (at, paths) in partitions {
            let merge = Partition { place, merging, sealing, erased: &erased };
            merge.run(held, &mut record, (at, paths), &mut report).await?;
        }
    }
    Ok(report)
}

impl MergeReport {
    fn skip(&mut self, merging: &Merging, path: &str, error: LakeError) -> Result<(), LakeError> {
        if !merging.skip_bad || !matches!(error, LakeError::File { .. }) {
            return Err(error);
        }
        self.bad.push(Noted { path: path.into(), why: error.chain() });
        Ok(())
    }
}

/// What says which sources may not be in the lake.
#[derive(Debug)]
pub(crate) struct Unwanted<'a> {
    erased: &'a Erased,
    /// The last one of each file.
    tombstones: HashMap<&'a str, &'a Tombstone>,
}

impl<'a> Unwanted<'a> {
    pub(crate) fn of(tombstones: &'a [Tombstone], erased: &'a Erased) -> Self {
        let tombstones = tombstones.iter().map(|line| (line.file.as_str(), line)).collect();
        Self { erased, tombstones }
    }

    /// Why that source may not be there, if so.
    pub(crate) fn why(&self, source: &Source) -> Option<String> {
        let of = &source.sealed;
        if self.erased.subjects.contains_key(&of.subject) {
            return Some(format!("its person, {}, was erased", of.subject));
        }
        let last = self.tombstones.get(of.path.as_str())?;
        let time = |text: &str| text.parse::<Timestamp>().ok();
        // One that was sealed later came with a tombstone that is not recorded yet.
        let is_newer =
            time(&of.sealed_at).zip(time(&last.at)).is_some_and(|(sealed, asked)| sealed > asked);
        match &last.sha256 {
            Some(sha256) if *sha256 == of.sha256 || is_newer => None,
            Some(_) => Some(format!("it was written anew on {}, to forget", last.at)),
            None => Some(format!("it was removed on {}, to forget", last.at)),
        }
    }
}

struct Partition<'a> {
    place: &'a Place,
    merging: &'a Merging,
    sealing: &'a Sealing,
    erased: &'a Erased,
}

impl Partition<'_> {
    async fn run(
        &self,
        held: &Held,
        record: &mut HostRecord,
        (partition, paths): (String, Vec<String>),
        report: &mut MergeReport,
    ) -> Result<(), LakeError> {
        report.files_before += paths.len();
        report.files_after += paths.len();
        let mut dropped = Vec::new();
        let mut pieces: BTreeMap<String, Piece> = BTreeMap::new();
        let unwanted = Unwanted::of(&record.tombstones, self.erased);
        for path in paths {
            let Some(file) = record.files.get(&path) else { continue };
            let mut piece = Piece::whole(&path, file);
            for (keep, source) in piece.keep.iter_mut().zip(&file.sources) {
                if let Some(why) = unwanted.why(source) {
                    *keep = false;
                    dropped.push((path.clone(), source.sealed.path.clone(), why));
                }
            }
            pieces.insert(path, piece);
        }
        // Each bad file is found once, then all is planned anew without it.
        let (turn, merged, left_out) = loop {
            let (bad, error) = match self.stage(&pieces).await? {
                Ok(staged) => break staged,
                Err(bad) => bad,
            };
            report.skip(self.merging, &bad, error)?;
            pieces.remove(&bad);
            dropped.retain(|(path, ..)| *path != bad);
        };
        let mut turn = turn;
        turn.partition = partition;
        let (gone, come) = (turn.remove.len(), turn.add.len());
        turn.carry_out(self.place, held, record).await?;
        report.files_after = report.files_after + come - gone;
        report.merged.extend(merged);
        report.left_out.extend(left_out);
        report.dropped.extend(dropped.into_iter().map(|(_, path, why)| Noted { path, why }));
        Ok(())
    }

    /// Writes what the pieces become; or says which one cannot be used.
    async fn stage(
        &self,
        pieces: &BTreeMap<String, Piece>,
    ) -> Result<Result<(Turn, Vec<Merged>, BTreeSet<String>), (String, LakeError)>, LakeError> {
        let (mut turn, mut merged, mut left_out) = (Turn::default(), Vec::new(), BTreeSet::new());
        let is_cut = |piece: &Piece| piece.keep.contains(&false);
        let units: Vec<Unit> = pieces.values().filter_map(unit).collect();
        let is_pointless = |chain: &Vec<Unit>| {
            chain.len() < self.merging.min_files
                && !chain.iter().any(|unit| pieces.get(&unit.path).is_some_and(is_cut))
        };
        for piece in pieces.values().filter(|piece| piece.kept().next().is_none()) {
            turn.remove.insert(piece.path.clone());
        }
        // Nothing is read of a partition that has nothing to merge, whoever may
        // read its files.
        if chains(units.clone(), self.merging.max_bytes).iter().all(is_pointless) {
            return Ok(Ok((turn, merged, left_out)));
        }
        let mut wanted = Vec::new();
        for mut unit in units {
            let Some(piece) = pieces.get(&unit.path) else { continue };
            match self.sealing.readers(self.place, &unit.path, &piece.file).await {
                Ok((readers, own)) => {
                    unit.readers = readers;
                    wanted.push((unit, own));
                }
                Err(error @ LakeError::File { .. }) => return Ok(Err((unit.path, error))),
                Err(error) => return Err(error),
            }
        }
        let own: BTreeMap<String, String> = wanted
            .iter()
            .filter_map(|(unit, own)| Some((unit.path.clone(), own.clone()?)))
            .collect();
        let units = wanted.into_iter().map(|(unit, _)| unit).collect();
        for chain in chains(units, self.merging.max_bytes) {
            if is_pointless(&chain) {
                continue;
            }
            let parts: Vec<Piece> =
                chain.iter().filter_map(|unit| pieces.get(&unit.path).cloned()).collect();
            let (Some(to), Some(first)) = (place_of(&parts), chain.first()) else { continue };
            let to = to?;
            let at_rest: AtRest = self.sealing.at_rest(&first.readers, &first.path)?;
            self.sealing.keep(self.place, &at_rest).await?;
            let keyring = &self.sealing.keyring;
            let (staged, file) = match concat(self.place, (&parts, &to), (&at_rest, keyring)).await
            {
                Err(error @ LakeError::File { .. }) => {
                    let bad = parts.iter().find(|piece| error.is_of(self.place, &piece.path));
                    let bad = bad.map(|piece| piece.path.clone()).unwrap_or_default();
                    return Ok(Err((bad, error)));
                }
                written => written?,
            };
            merged.push(Merged {
                path: to.clone(),
                files: parts.len(),
                sources: file.sources.len(),
                rows: file.rows,
                bytes: file.bytes,
            });
            left_out.extend(chain.iter().filter_map(|unit| own.get(&unit.path).cloned()));
            turn.remove.extend(parts.into_iter().map(|piece| piece.path));
            turn.add.insert(to, Incoming { staged, file });
        }
        Ok(Ok((turn, merged, left_out)))
    }
}

/// What is planned of a piece; `None` where nothing of it is wanted.
fn unit(piece: &Piece) -> Option<Unit> {
    let kept = || piece.kept().map(|source| &source.sealed);
    Some(Unit {
        path: piece.path.clone(),
        first_us: kept().next()?.first_us,
        last_us: kept().last()?.last_us,
        bytes: kept().map(|sealed| sealed.bytes).sum(),
        readers: None,
    })
}
