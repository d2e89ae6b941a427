//! Errors that name file, line and key.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;
use toml::Spanned;

use crate::policy::PolicyToml;

/// Why there is no policy to go by.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// There is none: nothing may be collected until one is written.
    #[error("{} does not exist", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It says something that cannot be followed: mend the line it names.
    #[error("{}:{line}: {key}: {why}", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// The key with its table, as `level.keys`.
        key: String,
        /// What is wrong and what is right.
        why: String,
    },
}

/// Checks one policy file and knows where in its text each value stands.
pub(crate) struct Checker<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text }
    }

    pub(crate) fn parse(&self) -> Result<PolicyToml, PolicyError> {
        toml::from_str(self.text).map_err(|error| {
            // A missing key has no place of its own: the table it belongs to has.
            self.error(error.span().unwrap_or(0..0), error.message())
        })
    }

    pub(crate) fn error(&self, span: Range<usize>, why: &str) -> PolicyError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        PolicyError::Invalid {
            path: self.path.into(),
            line,
            key: self.key_at(line),
            why: why.trim_end().replace('\n', " "),
        }
    }

    /// The key on that line (counted from 1), with the table above it.
    fn key_at(&self, line: usize) -> String {
        let mut table = "";
        let mut key = "";
        for text in self.text.lines().take(line).map(str::trim) {
            if let Some(header) = text.strip_prefix('[') {
                let end = header.find(']').unwrap_or(header.len());
                table = header.get(..end).unwrap_or(header).trim_start_matches('[').trim();
                key = "";
            } else if let Some((name, _)) = text.split_once('=') {
                key = name.trim();
            } else if !text.is_empty() && !text.starts_with('#') {
                key = text;
            }
        }
        match (table, key) {
            ("", "") => "the file".into(),
            ("", key) => key.into(),
            (table, "") => table.into(),
            (table, key) => format!("{table}.{key}"),
        }
    }

    pub(crate) fn not_blank(&self, text: &Spanned<String>) -> Result<(), PolicyError> {
        if text.get_ref().trim().is_empty() {
            return Err(self.error(text.span(), "must not be empty"));
        }
        Ok(())
    }

    /// The level that a word names, or the default where there is no word.
    pub(crate) fn level<L>(&self, word: Option<&Spanned<String>>) -> Result<L, PolicyError>
    where
        L: FromStr + Default,
        L::Err: Display,
    {
        word.map_or_else(
            || Ok(L::default()),
            |word| {
                let parsed = word.get_ref().parse();
                parsed.map_err(|error: L::Err| self.error(word.span(), &error.to_string()))
            },
        )
    }

    pub(crate) fn number(
        &self,
        number: Option<&Spanned<i64>>,
        default: u64,
        allowed: RangeInclusive<u64>,
    ) -> Result<u64, PolicyError> {
        let Some(number) = number else { return Ok(default) };
        u64::try_from(*number.get_ref()).ok().filter(|n| allowed.contains(n)).ok_or_else(|| {
            let why = format!(
                "{} is out of range: use {} to {}",
                number.get_ref(),
                allowed.start(),
                allowed.end()
            );
            self.error(number.span(), &why)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, Standing};
    use evscribe_model::{KeyLevel, PointerLevel};
    use proptest::prelude::*;

    const GOOD: &str =
        "[notice]\nversion = \"1\"\n[[acknowledged]]\nuser = \"ann\"\nnotice = \"1\"\n";

    fn parse(text: &str) -> Result<Policy, PolicyError> {
        Policy::parse(Path::new("p.toml"), text)
    }

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn who_acknowledged_the_current_notice_is_kept_at_class() {
        let Standing::Acknowledged { level, sha256 } = parse(GOOD).unwrap().standing("ann") else {
            panic!("ann acknowledged");
        };
        assert_eq!((level.keys, level.pointer), (KeyLevel::Class, PointerLevel::Full));
        assert_eq!(sha256.len(), 64);
    }

    #[test]
    fn who_is_not_named_or_acknowledged_an_older_notice_is_not_recorded() {
        let policy = parse(&GOOD.replacen("version = \"1\"", "version = \"2\"", 1)).unwrap();
        let Standing::Not { why } = policy.standing("ann") else { panic!("older notice") };
        assert_eq!(why, "ann acknowledged notice 1, but the current one is 2");
        let Standing::Not { why } = policy.standing("bob") else { panic!("not named") };
        assert_eq!(why, "bob has not acknowledged the notice");
    }

    #[test]
    fn a_person_may_choose_less_than_the_ceiling_but_never_more() {
        for (ceiling, choice, kept) in
            [("timing", "full", KeyLevel::Timing), ("class", "off", KeyLevel::Off)]
        {
            let text = format!("{GOOD}keys = \"{choice}\"\n[level]\nkeys = \"{ceiling}\"\n");
            let standing = parse(&text).unwrap().standing("ann");
            let Standing::Acknowledged { level, .. } = standing else { panic!("acknowledged") };
            assert_eq!(level.keys, kept);
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_file_line_and_key() {
        let text = format!("{GOOD}\n[retention]\ndays = 3\nweeks = 2\n");
        assert!(message(&text).starts_with("p.toml:9: retention.weeks: unknown field `weeks`"));
    }

    #[test]
    fn a_wrong_type_is_named_with_file_line_and_key() {
        let text = format!("{GOOD}[retention]\ndays = \"many\"\n");
        assert!(message(&text).starts_with("p.toml:7: retention.days: invalid type: string"));
    }

    #[test]
    fn an_impossible_value_is_named_with_what_is_possible() {
        for (given, line, said) in [
            ("[retention]\ndays = -1", 7, "retention.days: -1 is out of range: use 1 to 3650"),
            (
                "[segment]\nmax_minutes = 0",
                7,
                "segment.max_minutes: 0 is out of range: use 1 to 1440",
            ),
            (
                "[level]\nkeys = \"loud\"",
                7,
                "level.keys: `loud` is no level: use one of off, timing, class, full",
            ),
            (
                "[[acknowledged]]\nuser = \"ann\"\nnotice = \"1\"",
                7,
                "acknowledged.user: `ann` stands here twice: keep one",
            ),
            (
                "[[acknowledged]]\nuser = \" \"\nnotice = \"1\"",
                7,
                "acknowledged.user: must not be empty",
            ),
        ] {
            assert_eq!(message(&format!("{GOOD}{given}\n")), format!("p.toml:{line}: {said}"));
        }
    }

    #[test]
    fn full_keys_need_a_reason() {
        let text = format!("{GOOD}[level]\nkeys = \"full\"\n");
        assert!(message(&text).starts_with("p.toml:7: level.keys: `full` keeps every key code"));
        assert!(parse(&format!("{text}keys_full_reason = \"study of layouts\"\n")).is_ok());
    }

    #[test]
    fn a_missing_notice_is_an_error_and_no_default() {
        assert!(message("").contains("missing field `notice`"));
    }

    #[test]
    fn a_notice_that_never_ends_is_refused() {
        for (file, why) in [("/dev/zero", "not a regular file"), ("/", "not a regular file")] {
            let text = format!("[notice]\nversion = \"1\"\ntext_file = \"{file}\"\n");
            let expected = "p.toml:3: notice.text_file: the notice cannot be read: it is ";
            assert_eq!(message(&text), format!("{expected}{why}"));
        }
    }

    #[test]
    fn a_missing_file_is_told_apart_from_a_bad_one() {
        let error = Policy::load(Path::new("/nonexistent/policy.toml")).unwrap_err();
        assert!(matches!(error, PolicyError::Missing { .. }));
    }

    proptest! {
        #[test]
        fn prop_no_text_makes_it_panic(text in "(?s).{0,200}") {
            let _ = parse(&text);
            let _ = parse(&format!("{GOOD}{text}"));
        }
    }
}
