//! One file of the lake, read once: what its rows say against what is known of it.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use evscribe_sink::crypt::Keyring;
use evscribe_sink::inspect::TableFile;
use evscribe_sink::{SinkError, Table};

/// The subjects of a batch, by row, as the words of its dictionary.
pub(crate) fn subjects(batch: &RecordBatch) -> Option<Vec<Option<&str>>> {
    let column = batch.column_by_name("subject")?.as_dictionary_opt::<Int32Type>()?;
    let words = column.values().as_string_opt::<i32>()?;
    let word = |key: Option<i32>| {
        let key = usize::try_from(key?).ok()?;
        (key < words.len() && words.is_valid(key)).then(|| words.value(key))
    };
    Some(column.keys().iter().map(word).collect())
}

/// The times of a batch, by row.
pub(crate) fn times(batch: &RecordBatch) -> Option<&[i64]> {
    let times = batch.column_by_name("time")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    Some(times.values())
}

/// Whether rows of that table say whose they are.
pub(crate) fn says_whose(table: Table) -> bool {
    table != Table::Devices
}

/// How many rows of these subjects the file at `place` below `root` holds.
pub(crate) fn count(
    root: &Path,
    place: &str,
    keyring: &Keyring,
    of: &BTreeSet<String>,
) -> Result<u64, SinkError> {
    let file = TableFile::open(root, place, keyring)?;
    let mut found = 0;
    if !says_whose(file.table()) {
        return Ok(0);
    }
    file.read(&["subject"], |batch| {
        let is_one = |subject: &Option<&str>| subject.is_some_and(|subject| of.contains(subject));
        let subjects = subjects(batch).unwrap_or_default();
        found += subjects.iter().filter(|subject| is_one(subject)).count() as u64;
        Ok(())
    })?;
    Ok(found)
}

/// Whose the sources are that have so many rows, one after the other: the subject
/// of the first row of each; none in a table that does not say it.
pub(crate) fn of_sources(
    root: &Path,
    place: &str,
    keyring: &Keyring,
    rows: &[u64],
) -> Result<Vec<Option<String>>, SinkError> {
    let file = TableFile::open(root, place, keyring)?;
    let mut found = vec![None; rows.len()];
    if !says_whose(file.table()) {
        return Ok(found);
    }
    let (mut begins, mut at) = (Vec::new(), 0);
    for rows in rows {
        begins.push(at);
        at += rows;
    }
    at = 0;
    file.read(&["subject"], |batch| {
        let subjects = subjects(batch).unwrap_or_default();
        let end = at + subjects.len() as u64;
        for (place, begin) in begins.iter().enumerate().filter(|(_, from)| (at..end).contains(from))
        {
            let row = usize::try_from(begin - at).unwrap_or(usize::MAX);
            if let Some(found) = found.get_mut(place) {
                *found = subjects.get(row).copied().flatten().map(str::to_owned);
            }
        }
        at = end;
        Ok(())
    })?;
    Ok(found)
}
