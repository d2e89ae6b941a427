//! What can be said of a record without its files.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::merge::Unwanted;
use crate::{DataPath, Erased, HostRecord, LakeFile};

const DAY_US: i64 = 86_400_000_000;

/// Tells of each file that the record contradicts itself about.
pub(super) fn check(record: &HostRecord, erased: &Erased, mut problem: impl FnMut(&str, String)) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let unwanted = Unwanted::of(&record.tombstones, erased);
    for (path, file) in &record.files {
        if let Some(what) = of_file(record, path, file) {
            problem(path, what);
        }
        for source in &file.sources {
            if let Some(other) = seen.insert(&source.sealed.path, path) {
                problem(path, format!("{} is also in {other}", source.sealed.path));
            }
            if let Some(why) = unwanted.why(source) {
                problem(path, format!("{} should not be there: {why}", source.sealed.path));
            }
        }
    }
}

fn of_file(record: &HostRecord, path: &str, file: &LakeFile) -> Option<String> {
    let Some(place) = DataPath::parse(path) else {
        return Some("is no place of a file".into());
    };
    if place.host() != record.host {
        return Some("is of another host than its record".into());
    }
    if file.sources.is_empty() {
        return Some("has no source".into());
    }
    if file.sources.iter().map(|source| source.sealed.rows).sum::<u64>() != file.rows {
        return Some("its rows are not those of its sources".into());
    }
    let day = place.date().parse::<jiff::civil::Date>().ok();
    let begin = day.and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
    let begin_us = begin.map_or(0, |begin| begin.as_microsecond());
    let mut last_us = i64::MIN;
    for source in &file.sources {
        let of = &source.sealed;
        let source_place = DataPath::parse(&of.path);
        if source_place.is_none_or(|source| source.partition() != place.partition()) {
            return Some(format!("its source {} is of another partition", of.path));
        }
        if of.first_us < begin_us || of.last_us >= begin_us + DAY_US {
            return Some(format!("its source {} is of another date", of.path));
        }
        if of.first_us < last_us || of.last_us < of.first_us {
            return Some("its sources do not follow each other".into());
        }
        last_us = of.last_us;
    }
    None
}
