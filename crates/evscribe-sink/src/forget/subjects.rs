//! Whose a file is, where the manifest does not say it yet.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
};

use crate::{
    SealedFile, SinkError, Table,
    crypt::Keyring,
    inspect::file::{Columns, Sealed},
};

/// Fills in the subjects that lines of earlier versions lack, from the files
/// themselves: all rows of a segment have one. What cannot be read stays
/// nobody's.
pub(crate) fn state(
    directory: &Path,
    keys: &Keyring,
    live: &mut BTreeMap<String, SealedFile>,
) -> Result<(), SinkError> {
    let mut of_segments: HashMap<String, String> = HashMap::new();
    for file in live.values().filter(|file| !file.subject.is_empty()) {
        of_segments.insert(file.segment.clone(), file.subject.clone());
    }
    for file in live.values().filter(|file| file.subject.is_empty()) {
        if file.table == Table::Devices || of_segments.contains_key(&file.segment) {
            continue;
        }
        if let Some((subject, _)) = of_file(directory, &file.path, keys)? {
            of_segments.insert(file.segment.clone(), subject);
        }
    }
    for file in live.values_mut().filter(|file| file.subject.is_empty()) {
        if let Some(subject) = of_segments.get(&file.segment) {
            file.subject.clone_from(subject);
        }
    }
    Ok(())
}

/// Subject and session of a file's first row; `None` where they cannot be read.
pub(crate) fn of_file(
    directory: &Path,
    path: &str,
    keys: &Keyring,
) -> Result<Option<(String, String)>, SinkError> {
    let mut found = None;
    let read = Sealed::open(directory, path, keys).and_then(|sealed| {
        sealed.read_some(&["subject", "session"], 1, |_, batch| {
            let columns = Columns(batch);
            let first = |name: &str| Ok(columns.words(name)?.get(0).map(str::to_owned));
            found = first("subject")?.zip(first("session")?);
            Ok(())
        })
    });
    match read {
        Err(SinkError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error @ SinkError::Io { .. }) => Err(error),
        _ => Ok(found),
    }
}
