//! Sealed files, written once more without encryption.

use std::{fs, path::Path};

use crate::{
    SealedFile, SegmentId, SinkError, Table,
    crypt::{AtRest, Keyring},
    disk,
    error::At,
    forget::subjects,
    inspect::{
        decode,
        file::{Columns, Sealed},
    },
    segment::{OpenFile, Segment},
};

/// Writes the sealed file at `place` in the dataset `from`, which `keys` open,
/// plain to the same place under `to`, durably, and says what a manifest says of
/// it. `from` and `to` may be the same: then it takes the file's place.
///
/// What comes out is what would have been sealed plain, byte for byte, if this
/// version had sealed it. Memory: a row group.
///
/// # Errors
/// Whatever keeps the file from being read; what is at `to` is as it was.
pub fn plain_copy(
    from: &Path,
    place: &str,
    keys: &Keyring,
    to: &Path,
) -> Result<SealedFile, SinkError> {
    let malformed = |why: &str| SinkError::Malformed { path: from.join(place), why: why.into() };
    let sealed = Sealed::open(from, place, keys)?;
    let table = sealed.meta.table;
    let (subject, session) = match table {
        // A device is nobody's.
        Table::Devices => Default::default(),
        _ => subjects::of_file(from, place, keys)?
            .ok_or_else(|| malformed("it does not say whose it is"))?,
    };
    let provenance = sealed.provenance(&subject, &session)?;
    let id = SegmentId::parse(&sealed.meta.segment)
        .ok_or_else(|| malformed("its segment is no number"))?;
    let segment = Segment { root: to.into(), id, provenance, at_rest: AtRest::Plain };
    let columns: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
    let mut file: Option<OpenFile> = None;
    sealed.read(&columns, |meta, batch| {
        let times = Columns(batch).times("time")?.values();
        let ([first_us, ..], [.., last_us]) = (&**times, &**times) else { return Ok(()) };
        let file = match &mut file {
            Some(file) => file,
            None => file.insert(OpenFile::create(&segment, table, place.to_owned(), *first_us)?),
        };
        match table {
            Table::Events => decode::events(meta, batch, |row, at_us| file.push_event(&row, at_us)),
            Table::Touch => decode::touch(meta, batch, |row, at_us| file.push_touch(&row, at_us)),
            Table::Marks | Table::Devices => file.write(batch, *first_us, *last_us),
        }
    })?;
    let whole = file.ok_or_else(|| malformed("it holds no row"))?.complete(&segment)?;
    let path = to.join(place);
    fs::rename(&whole.file.path, &path).at("name", &path)?;
    disk::sync_parent(&path)?;
    Ok(whole.sealed.clone())
}
