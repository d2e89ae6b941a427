//! How much of an event may be kept.

use std::{fmt, str::FromStr};

/// What is kept of a key event; the order is from least to most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum KeyLevel {
    /// Nothing.
    Off,
    /// Down or up, its time, its stroke number.
    Timing,
    /// And its class.
    #[default]
    Class,
    /// And its key code.
    Full,
}

/// What is kept of pointer, touch and switch events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum PointerLevel {
    /// Nothing.
    Off,
    /// Everything.
    #[default]
    Full,
}

/// What is kept of keys and of the pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Level {
    /// Of keys.
    pub keys: KeyLevel,
    /// Of pointer, touch and switches.
    pub pointer: PointerLevel,
}

impl Level {
    /// The lesser of both, for each kind.
    #[must_use]
    pub fn at_most(self, ceiling: Self) -> Self {
        Self { keys: self.keys.min(ceiling.keys), pointer: self.pointer.min(ceiling.pointer) }
    }
}

/// A word that is no level.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseLevelError {
    word: String,
    known: &'static str,
}

impl fmt::Display for ParseLevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no level: use one of {}", self.word, self.known)
    }
}

impl std::error::Error for ParseLevelError {}

impl FromStr for KeyLevel {
    type Err = ParseLevelError;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Off, Self::Timing, Self::Class, Self::Full]
            .into_iter()
            .find(|level| level.to_string() == word)
            .ok_or_else(|| ParseLevelError { word: word.into(), known: "off, timing, class, full" })
    }
}

impl FromStr for PointerLevel {
    type Err = ParseLevelError;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Off, Self::Full]
            .into_iter()
            .find(|level| level.to_string() == word)
            .ok_or_else(|| ParseLevelError { word: word.into(), known: "off, full" })
    }
}

impl fmt::Display for KeyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Off => "off",
            Self::Timing => "timing",
            Self::Class => "class",
            Self::Full => "full",
        })
    }
}

impl fmt::Display for PointerLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Off => "off",
            Self::Full => "full",
        })
    }
}

/// `keys=class pointer=full`: how a level stands in a file's metadata.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys={} pointer={}", self.keys, self.pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_never_exceeds_its_ceiling() {
        let wish = Level { keys: KeyLevel::Full, pointer: PointerLevel::Full };
        let ceiling = Level { keys: KeyLevel::Timing, pointer: PointerLevel::Off };
        assert_eq!(wish.at_most(ceiling), ceiling);
    }

    #[test]
    fn an_unknown_word_names_the_known_ones() {
        let error = "loud".parse::<KeyLevel>().unwrap_err().to_string();
        assert_eq!(error, "`loud` is no level: use one of off, timing, class, full");
    }
}
