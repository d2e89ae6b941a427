//! Where a file of a dataset stands.

use std::fmt;

use evscribe_sink::Table;

/// Longest host or name of a file.
const WORD_MAX: usize = 128;

/// The place of a data file, `<table>/date=…/host=…/<name>.parquet`, checked: it
/// cannot lead out of a lake, is not hidden, and has no character that means
/// something to a shell, a URL or rsync.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DataPath {
    text: String,
    table: Table,
    /// Where `date=` begins, and where the host ends.
    date_at: usize,
    host_end: usize,
}

impl DataPath {
    /// The place that `text` says; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (table, date, host, name) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_word = |word: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !word.is_empty()
                && word.len() <= WORD_MAX
                && !word.starts_with(['.', '_', '-'])
                && word.bytes().all(fits)
        };
        let is_date = |date: &str| {
            let shape = date.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
            shape.eq(*b"0000-00-00") && date.parse::<jiff::civil::Date>().is_ok()
        };
        let (day, whose) = (date.strip_prefix("date=")?, host.strip_prefix("host=")?);
        let fits = parts.next().is_none()
            && is_date(day)
            && is_word(whose)
            && is_word(name.strip_suffix(".parquet")?);
        fits.then_some(Self {
            table: Table::named(table)?,
            date_at: table.len() + 1,
            host_end: text.len() - name.len() - 1,
            text: text.to_owned(),
        })
    }

    /// The whole of it, relative to the lake or dataset.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its table.
    #[must_use]
    pub const fn table(&self) -> Table {
        self.table
    }

    /// Its date, `2026-11-23`.
    #[must_use]
    pub fn date(&self) -> &str {
        self.value(0)
    }

    /// The pseudonym of its host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.value(1)
    }

    /// What stands behind the `=` of its partition of that number.
    fn value(&self, number: usize) -> &str {
        let partitions = self.text.get(self.date_at..self.host_end).unwrap_or_default();
        let part = partitions.split('/').nth(number).unwrap_or_default();
        part.split_once('=').map_or("", |(_, value)| value)
    }

    /// The folder it stands in, `<table>/date=…/host=…`.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.text.get(..self.host_end).unwrap_or_default()
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_apart() {
        let text =
            "events/date=2026-11-23/host=ab01/20261123T211640.123456Z-0123456789abcdef.parquet";
        let path = DataPath::parse(text).unwrap();
        assert_eq!((path.table(), path.date(), path.host()), (Table::Events, "2026-11-23", "ab01"));
        assert_eq!((path.partition(), path.as_str()), ("events/date=2026-11-23/host=ab01", text));
    }

    #[test]
    fn what_leads_elsewhere_is_no_place() {
        for text in [
            "",
            "events",
            "/events/date=2026-11-23/host=ab01/a.parquet",
            "../events/date=2026-11-23/host=ab01/a.parquet",
            "events/date=2026-11-23/host=../a.parquet",
            "events/date=2026-11-23/host=ab01/../../a.parquet",
            "events/date=2026-11-23/host=ab01/.tmp-a.parquet",
            "events/date=2026-11-23/host=ab01/-a.parquet",
            "events/date=2026-11-23/host=ab01/a b.parquet",
            "events/date=2026-11-23/host=ab01/a\n.parquet",
            "events/date=2026-11-23/host=ab01/a.txt",
            "events/date=2026-11-23/host=ab01/.parquet",
            "events/date=2026-13-23/host=ab01/a.parquet",
            "events/date=+026-11-23/host=ab01/a.parquet",
            "events/date=2026-11-23/host=_x/a.parquet",
            "events/host=ab01/date=2026-11-23/a.parquet",
            "_evscribe/date=2026-11-23/host=ab01/a.parquet",
            "raw/date=2026-11-23/host=ab01/a.parquet",
            "events/date=2026-11-23/host=ab01/a.parquet/",
        ] {
            assert_eq!(DataPath::parse(text), None, "{text:?}");
        }
        let long = format!("events/date=2026-11-23/host={}/a.parquet", "a".repeat(129));
        assert_eq!(DataPath::parse(&long), None);
    }
}
