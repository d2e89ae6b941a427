//! Taking sources out of the lake, and bringing new ones in.

use std::collections::{BTreeMap, BTreeSet};

use crate::concat::{Piece, concat, place_of};
use crate::intent::{Incoming, Turn};
use crate::{DataPath, Held, HostRecord, LakeError, LakeFile, Place, Sealing};

/// What shall be another way with the files of one host.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Paths of sources, as on the workstation, whose rows go; wherever they are.
    /// Those that the lake does not have are gone already.
    pub gone: BTreeSet<String>,
    /// Files that come, by their path in the lake; what stands there is replaced.
    pub new: BTreeMap<String, Incoming>,
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changed {
    /// Files of the lake that are gone.
    pub removed: Vec<(String, LakeFile)>,
    /// Files that were written anew without some of their sources: path before
    /// and after.
    pub rewritten: Vec<(String, String)>,
}

/// Carries out `change`, partition by partition, each as one step that a reader
/// sees whole or not at all (on S3: first what comes, then what was there goes),
/// and writes `record` with each. The lake must have been brought in order by
/// [`recover`](crate::recover) since it is held.
///
/// A merged file of which a source goes is written anew without it, for the keys
/// that it was for. For that it has to be opened. Where no key at hand opens it
/// ([`LakeError::lacks_key`]), or it cannot be used, nothing of its partition
/// changes, the others are gone on with, and the error comes last: what is to be
/// forgotten is then still there, so acknowledge nothing, and do it again with a
/// key. Files that are a source by themselves go without being opened.
///
/// Tombstones: give what they remove or replace as `gone`, the replacements as
/// `new` at their own path, and add them to the record afterwards.
///
/// # Errors
/// [`LakeError::File`], [`LakeError::Recipients`], the first of them: that partition
/// is as it was, all others are done, and `record` says what is so.
/// [`LakeError::Io`], [`LakeError::Store`], [`LakeError::Lost`]: leave this host
/// alone until the lake is held anew.
pub async fn change(
    (place, held): (&Place, &Held),
    record: &mut HostRecord,
    change: Change,
    sealing: &Sealing,
) -> Result<Changed, LakeError> {
    let mut turns: BTreeMap<String, Turn> = BTreeMap::new();
    let mut of_partition: BTreeMap<String, Vec<(String, LakeFile)>> = BTreeMap::new();
    for (path, file) in &record.files {
        let is_hit = file.sources.iter().any(|source| change.gone.contains(&source.sealed.path));
        if is_hit && !change.new.contains_key(path) {
            let at = partition(place, path)?;
            of_partition.entry(at).or_default().push((path.clone(), file.clone()));
        }
    }
    for (path, new) in change.new {
        let at = partition(place, &path)?;
        turns.entry(at).or_default().add.insert(path, new);
    }
    for at in of_partition.keys() {
        turns.entry(at.clone()).or_default();
    }
    let mut done = Changed::default();
    let mut failed = None;
    for (at, turn) in turns {
        let files = of_partition.remove(&at).unwrap_or_default();
        match prepare(place, turn, &at, (files, &change.gone), sealing).await {
            Ok((turn, mut step)) => {
                turn.carry_out(place, held, record).await?;
                done.removed.append(&mut step.removed);
                done.rewritten.append(&mut step.rewritten);
            }
            Err(error @ (LakeError::File { .. } | LakeError::Recipients { .. })) => {
                failed.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    failed.map_or(Ok(done), Err)
}

/// Writes what the files of a partition become without the sources that go.
async fn prepare(
    place: &Place,
    mut turn: Turn,
    at: &str,
    (files, gone): (Vec<(String, LakeFile)>, &BTreeSet<String>),
    sealing: &Sealing,
) -> Result<(Turn, Changed), LakeError> {
    let mut step = Changed::default();
    for (path, file) in files {
        let keep = file.sources.iter().map(|source| !gone.contains(&source.sealed.path));
        let piece = Piece { keep: keep.collect(), path: path.clone(), file: file.clone() };
        if let Some(to) = place_of(std::slice::from_ref(&piece)) {
            let to = to?;
            turn.add.insert(to.clone(), without(place, piece, &to, sealing).await?);
            step.rewritten.push((path.clone(), to));
        } else {
            step.removed.push((path.clone(), file));
        }
        turn.remove.insert(path);
    }
    turn.partition = at.into();
    Ok((turn, step))
}

/// The file that stands at `to` for the piece.
async fn without(
    place: &Place,
    piece: Piece,
    to: &str,
    sealing: &Sealing,
) -> Result<Incoming, LakeError> {
    let (readers, _) = sealing.readers(place, &piece.path, &piece.file).await?;
    let at_rest = sealing.at_rest(&readers, &piece.path)?;
    let (staged, file) = concat(place, (&[piece], to), (&at_rest, &sealing.keyring)).await?;
    Ok(Incoming { staged, file })
}

/// The partition of a path; no other place is ever written to.
pub(crate) fn partition(place: &Place, path: &str) -> Result<String, LakeError> {
    let parsed = DataPath::parse(path);
    let parsed = parsed.ok_or_else(|| LakeError::bad(place, path, "it is no place of a file"))?;
    Ok(parsed.partition().to_owned())
}
