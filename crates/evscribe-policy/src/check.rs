//! Errors that name file, line and key; all of them at once.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;
use toml::Spanned;

use crate::file::{PolicyToml, Value};

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

/// One file of a policy.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Checks the files of one policy: knows where each value stands, and gathers
/// what is wrong.
pub(crate) struct Checker<'a> {
    sources: &'a [Source],
    errors: RefCell<Vec<PolicyError>>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(sources: &'a [Source]) -> Self {
        Self { sources, errors: RefCell::default() }
    }

    /// What is wrong, in the order of the files.
    pub(crate) fn into_errors(self) -> Vec<PolicyError> {
        self.errors.into_inner()
    }

    /// All files, a later one's values over an earlier one's.
    pub(crate) fn parse(&self) -> PolicyToml {
        let mut merged = PolicyToml::default();
        let mut by = 0;
        for source in self.sources {
            match toml::from_str::<PolicyToml>(&source.text) {
                Ok(file) => merged.merge(file, by),
                // A missing key has no place of its own: the table it belongs to has.
                Err(error) => {
                    let Range { start, end } = error.span().unwrap_or(0..0);
                    self.error(start + by..end + by, error.message());
                }
            }
            by += source.text.len() + 1;
        }
        merged
    }

    /// Notes that what stands there is wrong.
    pub(crate) fn error(&self, span: Range<usize>, why: &str) {
        let mut at = span.start;
        for source in self.sources {
            if at <= source.text.len() {
                let before = source.text.get(..at).unwrap_or(&source.text);
                let line = before.matches('\n').count() + 1;
                self.push(&source.path, line, key_at(&source.text, line), why);
                return;
            }
            at -= source.text.len() + 1;
        }
    }

    /// Notes that a key is missing.
    pub(crate) fn missing(&self, key: &str, why: &str) {
        // It belongs into the first file, at its table where there is one.
        let Some(source) = self.sources.first() else { return };
        let table = key.split_once('.').map(|(table, _)| format!("[{table}]"));
        let found = table.and_then(|table| {
            source.text.lines().position(|line| line.trim_start().starts_with(&table))
        });
        let line = found.map_or(1, |index| index + 1);
        self.push(&source.path, line, key.to_owned(), &format!("is missing: {why}"));
    }

    fn push(&self, path: &Path, line: usize, key: String, why: &str) {
        let why = why.trim_end().replace('\n', " ");
        self.errors.borrow_mut().push(PolicyError::Invalid { path: path.into(), line, key, why });
    }

    /// The text of a key that must be there and say something.
    pub(crate) fn text(&self, value: &Value<String>, key: &str, why: &str) -> String {
        match value {
            None => self.missing(key, why),
            Some(text) if text.get_ref().trim().is_empty() => {
                self.error(text.span(), &format!("must not be empty: {why}"));
            }
            Some(text) => return text.get_ref().trim().to_owned(),
        }
        String::new()
    }

    /// What a word names, or the default where there is no word.
    pub(crate) fn word<W>(&self, word: &Value<String>) -> W
    where
        W: FromStr + Default,
        W::Err: Display,
    {
        let Some(word) = word else { return W::default() };
        word.get_ref().parse().unwrap_or_else(|error: W::Err| {
            self.error(word.span(), &error.to_string());
            W::default()
        })
    }

    /// A number in its bounds; `None` where there is none.
    pub(crate) fn number(&self, number: &Value<i64>, allowed: RangeInclusive<u32>) -> Option<u32> {
        let number: &Spanned<i64> = number.as_ref()?;
        let found = u32::try_from(*number.get_ref()).ok().filter(|n| allowed.contains(n));
        if found.is_none() {
            let (from, to) = allowed.into_inner();
            let why = format!("{} is out of range: use {from} to {to}", number.get_ref());
            self.error(number.span(), &why);
        }
        found
    }
}

/// The key on that line (counted from 1), with the table above it.
fn key_at(text: &str, line: usize) -> String {
    let mut table = "";
    let mut key = "";
    for text in text.lines().take(line).map(str::trim) {
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

#[cfg(test)]
mod tests;
