//! The class of every key: what remains of a key at level `class`.

/// What kind of key was hit, so that content stays unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyClass {
    /// Letters of the main block.
    Letter,
    /// Digits of the main block.
    Digit,
    /// Punctuation of the main block.
    Punctuation,
    /// The space bar.
    Space,
    /// Return.
    Enter,
    /// Tabulator.
    Tab,
    /// Backspace.
    Backspace,
    /// Delete, forwards.
    Delete,
    /// Arrows, home, end, pages.
    Navigation,
    /// Shift, control, alt, meta, locks.
    Modifier,
    /// F1 to F24, escape, print, and other commands of the keyboard.
    Function,
    /// The keypad.
    Keypad,
    /// Volume, brightness, playback, launchers.
    Media,
    /// Everything else.
    Other,
}

impl KeyClass {
    /// All of them, in the order of the dictionary.
    pub const ALL: [Self; 14] = [
        Self::Letter,
        Self::Digit,
        Self::Punctuation,
        Self::Space,
        Self::Enter,
        Self::Tab,
        Self::Backspace,
        Self::Delete,
        Self::Navigation,
        Self::Modifier,
        Self::Function,
        Self::Keypad,
        Self::Media,
        Self::Other,
    ];

    /// The word in the dataset.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Letter => "letter",
            Self::Digit => "digit",
            Self::Punctuation => "punctuation",
            Self::Space => "space",
            Self::Enter => "enter",
            Self::Tab => "tab",
            Self::Backspace => "backspace",
            Self::Delete => "delete",
            Self::Navigation => "navigation",
            Self::Modifier => "modifier",
            Self::Function => "function",
            Self::Keypad => "keypad",
            Self::Media => "media",
            Self::Other => "other",
        }
    }
}

/// Whether a code of `EV_KEY` is a key with a class, or a button.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyRole {
    /// A key.
    Key(KeyClass),
    /// A button: of a mouse, a pad, a stylus; its code is kept.
    Button,
}

/// The role of a code of `EV_KEY`. A code that no header names counts as
/// [`KeyClass::Other`]: what is not known is not shown.
#[must_use]
pub fn key_role(code: u16) -> KeyRole {
    stated_key_role(code).unwrap_or(KeyRole::Key(KeyClass::Other))
}

/// The role of a code of `EV_KEY` as this table states it; `None` for a code
/// that no header names.
///
/// Source: `linux/input-event-codes.h`.
#[must_use]
pub fn stated_key_role(code: u16) -> Option<KeyRole> {
    match code {
        0x100..=0x15f | 0x220..=0x223 | 0x2c0..=0x2e7 => Some(KeyRole::Button),
        _ => None,
    }
}
