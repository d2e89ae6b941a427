//! Times, amounts and levels as people say them.

use evscribe_model::{KeyLevel, Level, PointerLevel};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The word for a time that is never reached.
const FOREVER: i64 = i64::MAX;

/// A wall time, microseconds since 1970, as a clock here shows it.
pub(crate) fn moment(at_us: i64) -> String {
    moment_in(at_us, TimeZone::system())
}

fn moment_in(at_us: i64, zone: TimeZone) -> String {
    match Timestamp::from_microsecond(at_us) {
        Ok(at) => at.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        Err(_) => format!("{at_us} µs since 1970"),
    }
}

/// The same for programs: RFC 3339; `None` where there is no such time.
pub(crate) fn rfc3339(at_us: i64) -> Option<String> {
    if at_us == 0 || at_us == FOREVER {
        return None;
    }
    Timestamp::from_microsecond(at_us).ok().map(|at| at.to_string())
}

/// Until when a pause lasts.
pub(crate) fn pause_end(until_us: i64) -> String {
    match until_us {
        FOREVER => "until you resume".into(),
        until_us => format!("until {}", moment(until_us)),
    }
}

/// So many of a thing: `1 row`, `2 rows`.
pub(crate) fn count(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// An amount of bytes with three digits or so.
pub(crate) fn size(bytes: u64) -> String {
    let (mut whole, mut rest, mut unit) = (bytes, 0, "bytes");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if whole < 1024 {
            break;
        }
        (whole, rest, unit) = (whole / 1024, whole % 1024, larger);
    }
    match unit {
        "bytes" => count(bytes, "byte"),
        unit => format!("{whole}.{} {unit}", rest * 10 / 1024),
    }
}

/// The level that the service's words say; `None` where they say `off` or
/// something newer.
pub(crate) fn level(words: &str) -> Option<Level> {
    let (keys, pointer) = words.split_once(' ')?;
    Some(Level {
        keys: keys.strip_prefix("keys=")?.parse().ok()?,
        pointer: pointer.strip_prefix("pointer=")?.parse().ok()?,
    })
}

/// What that level keeps, in two clauses.
pub(crate) fn level_in_words(words: &str) -> String {
    match level(words) {
        Some(Level { keys, pointer }) => {
            format!("of keys {}; of the pointer {}", keys_kept(keys), pointer_kept(pointer))
        }
        None if words.is_empty() || words == "off" => "nothing is kept".into(),
        None => words.into(),
    }
}

/// What is kept of keys, as a person would ask.
pub(crate) const fn keys_kept(level: KeyLevel) -> &'static str {
    match level {
        KeyLevel::Off => "nothing is kept",
        KeyLevel::Timing => "when one is pressed and released, not which",
        KeyLevel::Class => "when, and what class of key it is (letter, digit, enter …), not which",
        KeyLevel::Full => "when, and which key",
    }
}

/// What is kept of pointer, touch and switches.
pub(crate) const fn pointer_kept(level: PointerLevel) -> &'static str {
    match level {
        PointerLevel::Off => "nothing is kept",
        PointerLevel::Full => "all of it is kept",
    }
}

/// How sealed files lie on the disk, and who reads them; `recipients` are ids
/// and names. Empty where the service does not say.
pub(crate) fn at_rest<'a>(
    way: &str,
    recipients: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let keys: Vec<_> = recipients
        .map(|(id, name)| match name {
            "" => format!("the key {id}"),
            name => format!("{name} (key {id})"),
        })
        .collect();
    match way {
        "plain" => "plain: who gets hold of the disk, a backup or a copy reads them".into(),
        "encrypted" if keys.is_empty() => {
            "encrypted; without a recipient the files are readable only on this workstation".into()
        }
        "encrypted" => {
            format!("encrypted; readable for {} and on this workstation", keys.join(", "))
        }
        newer => newer.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(count(0, "row"), "0 rows");
        assert_eq!(count(1, "row"), "1 row");
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(3 * 1024 * 1024 + 512 * 1024), "3.5 MiB");
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }

    #[test]
    fn every_level_reads_back_as_it_is_said() {
        for keys in [KeyLevel::Off, KeyLevel::Timing, KeyLevel::Class, KeyLevel::Full] {
            for pointer in [PointerLevel::Off, PointerLevel::Full] {
                let said = Level { keys, pointer };
                assert_eq!(level(&said.to_string()), Some(said));
            }
        }
        assert_eq!(level("off"), None);
        assert_eq!(level_in_words("off"), "nothing is kept");
    }

    #[test]
    fn a_level_of_a_newer_service_is_shown_as_it_is() {
        assert_eq!(level_in_words("keys=rhythm pointer=full"), "keys=rhythm pointer=full");
    }

    #[test]
    fn who_reads_the_files_is_said_by_name_and_id() {
        let encrypted =
            |keys: &[(&'static str, &'static str)]| at_rest("encrypted", keys.iter().copied());
        assert_eq!(
            encrypted(&[]),
            "encrypted; without a recipient the files are readable only on this workstation"
        );
        assert_eq!(
            encrypted(&[("00ff", "data team"), ("11ee", "")]),
            "encrypted; readable for data team (key 00ff), the key 11ee and on this workstation"
        );
        assert!(at_rest("plain", std::iter::empty()).starts_with("plain: who gets hold of"));
        assert_eq!(at_rest("", std::iter::empty()), "");
    }

    #[test]
    fn a_pause_without_an_end_names_no_date() {
        assert_eq!(pause_end(i64::MAX), "until you resume");
        assert_eq!(rfc3339(i64::MAX), None);
        assert_eq!(rfc3339(1_000_000).as_deref(), Some("1970-01-01T00:00:01Z"));
    }

    #[test]
    fn moments_are_of_the_zone_of_who_reads_them() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(moment_in(0, zone), "1970-01-01 01:00:00 CET");
        assert_eq!(moment_in(i64::MAX, TimeZone::UTC), format!("{} µs since 1970", i64::MAX));
    }
}
