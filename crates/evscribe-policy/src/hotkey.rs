//! The hotkey that pauses: what may stand in the policy, and which keys that is.

use std::str::FromStr;

use evdev::KeyCode;
use evscribe_model::{KeyClass, KeyRole, key_role};

/// Modifiers, and the keys of which either is one.
const MODIFIERS: [(&str, [KeyCode; 2]); 4] = [
    ("ctrl", [KeyCode::KEY_LEFTCTRL, KeyCode::KEY_RIGHTCTRL]),
    ("shift", [KeyCode::KEY_LEFTSHIFT, KeyCode::KEY_RIGHTSHIFT]),
    ("alt", [KeyCode::KEY_LEFTALT, KeyCode::KEY_RIGHTALT]),
    ("meta", [KeyCode::KEY_LEFTMETA, KeyCode::KEY_RIGHTMETA]),
];

/// Keys that pause when they are down together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hotkey {
    /// As the policy has it, `ctrl+alt+pause`.
    pub words: String,
    /// For how long it pauses, seconds.
    pub pause_s: u32,
    /// evdev codes; of each inner list one is down.
    pub keys: Vec<Vec<u16>>,
}

impl Hotkey {
    /// Reads words that `+` joins: modifiers (`ctrl`, `shift`, `alt`, `meta`,
    /// left or right) and keys by the kernel's name (`pause`, `KEY_F12`).
    ///
    /// # Errors
    /// What is wrong and what is right, as a clause.
    pub fn parse(words: &str, pause_s: u32) -> Result<Self, String> {
        let mut keys: Vec<Vec<u16>> = Vec::new();
        let mut modifiers = 0;
        for word in words.split('+').map(str::trim) {
            let modifier = MODIFIERS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
            let codes = match modifier {
                Some((_, codes)) => codes.map(KeyCode::code).to_vec(),
                None => vec![key(word)?.code()],
            };
            modifiers += usize::from(modifier.is_some());
            if keys.contains(&codes) {
                return Err(format!("`{word}` stands there twice"));
            }
            keys.push(codes);
        }
        if modifiers == keys.len() {
            return Err("it needs a key beside the modifiers: `ctrl+alt+pause`".into());
        }
        if modifiers == 0 && keys.len() == 1 && is_typed(&keys) {
            return Err(
                "a key that people type alone would pause by accident: `ctrl+alt+pause`".into()
            );
        }
        Ok(Self { words: words.to_owned(), pause_s, keys })
    }

    /// Every code that is part of it.
    #[must_use]
    pub fn codes(&self) -> Vec<u16> {
        self.keys.concat()
    }
}

fn key(word: &str) -> Result<KeyCode, String> {
    let upper = word.to_ascii_uppercase();
    let name = if upper.starts_with("KEY_") { upper } else { format!("KEY_{upper}") };
    KeyCode::from_str(&name).map_err(|_| {
        format!(
            "`{word}` is no key: use ctrl, shift, alt, meta and the kernel's names, as in \
             `ctrl+alt+pause` or `KEY_F12`"
        )
    })
}

/// Whether a key is one that writes text or moves within it.
fn is_typed(keys: &[Vec<u16>]) -> bool {
    keys.iter().flatten().any(|code| match key_role(*code) {
        KeyRole::Key(class) => {
            !matches!(class, KeyClass::Function | KeyClass::Media | KeyClass::Other)
        }
        KeyRole::Button => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_left_or_right_and_keys_have_the_kernels_names() {
        let hotkey = Hotkey::parse("Ctrl+alt+pause", 60).unwrap();
        assert_eq!(hotkey.keys, [vec![29, 97], vec![56, 100], vec![119]]);
        assert_eq!(hotkey.codes(), [29, 97, 56, 100, 119]);
        assert_eq!(Hotkey::parse("KEY_F12", 60).unwrap().keys, [vec![88]]);
    }

    #[test]
    fn what_pauses_by_accident_or_never_is_refused() {
        for (words, why) in [
            ("a", "type alone"),
            ("space", "type alone"),
            ("ctrl+alt", "beside the modifiers"),
            ("ctrl+hyperdrive", "`hyperdrive` is no key"),
            ("ctrl+ctrl+a", "twice"),
            ("", "is no key"),
            ("ctrl+", "is no key"),
        ] {
            let said = Hotkey::parse(words, 60).unwrap_err();
            assert!(said.contains(why), "{words}: {said}");
        }
    }
}
