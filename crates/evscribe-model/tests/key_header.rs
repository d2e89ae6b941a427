//! The table of key classes against the kernel's own header.
#![allow(clippy::panic, reason = "a test says plainly what it misses")]

use std::collections::BTreeMap;
use std::fs;

use evscribe_model::{KeyClass, KeyRole, key_role, stated_key_role};

const HEADER: &str = "/usr/include/linux/input-event-codes.h";

/// No keys: a placeholder, a bound for others' use, and the counts.
const NO_KEYS: [&str; 4] = ["KEY_RESERVED", "KEY_MIN_INTERESTING", "KEY_MAX", "KEY_CNT"];

/// `KEY_*` and `BTN_*` of the header with their codes, aliases resolved. Range
/// markers such as `BTN_MISC` are buttons like the first of their range.
fn names() -> BTreeMap<String, u16> {
    let text = fs::read_to_string(HEADER)
        .unwrap_or_else(|error| panic!("{HEADER}: {error}; install package linux-libc-dev"));
    let mut names = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some("#define"), Some(name), Some(value)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if NO_KEYS.contains(&name) || !(name.starts_with("KEY_") || name.starts_with("BTN_")) {
            continue;
        }
        let number = match value.strip_prefix("0x") {
            Some(hex) => u16::from_str_radix(hex, 16).ok(),
            None => value.parse().ok(),
        };
        let code = number.or_else(|| names.get(value).copied());
        names.insert(name.into(), code.unwrap_or_else(|| panic!("{HEADER}: {name} is {value}")));
    }
    names
}

#[test]
fn every_name_of_the_header_has_a_role() {
    let names = names();
    assert!(names.len() > 600, "only {} names: is {HEADER} whole?", names.len());
    let missing: Vec<_> =
        names.iter().filter(|(_, code)| stated_key_role(**code).is_none()).collect();
    assert!(missing.is_empty(), "without a role: {missing:x?}");
}

#[test]
fn a_btn_is_a_button_and_a_key_is_none() {
    let wrong: Vec<_> = names()
        .into_iter()
        .filter(|(name, code)| {
            name.starts_with("BTN_") != (stated_key_role(*code) == Some(KeyRole::Button))
        })
        .collect();
    assert!(wrong.is_empty(), "key and button confused: {wrong:x?}");
}

#[test]
fn names_tell_their_class() {
    let names = names();
    let class = |name: &str| match key_role(names[name]) {
        KeyRole::Key(class) => class,
        KeyRole::Button => panic!("{name} is a button"),
    };
    for letter in 'A'..='Z' {
        assert_eq!(class(&format!("KEY_{letter}")), KeyClass::Letter);
    }
    for digit in '0'..='9' {
        assert_eq!(class(&format!("KEY_{digit}")), KeyClass::Digit);
        assert_eq!(class(&format!("KEY_NUMERIC_{digit}")), KeyClass::Keypad);
    }
    for number in 1..=24 {
        assert_eq!(class(&format!("KEY_F{number}")), KeyClass::Function);
    }
    for name in names.keys().filter(|name| name.starts_with("KEY_KP")) {
        assert_eq!(class(name), KeyClass::Keypad, "{name}");
    }
    for name in names.keys().filter(|name| name.starts_with("KEY_BRL")) {
        assert_eq!(class(name), KeyClass::Other, "{name}");
    }
    let one_by_one = [
        (KeyClass::Punctuation, "COMMA DOT SLASH MINUS EQUAL GRAVE 102ND RO YEN DOLLAR EURO"),
        (KeyClass::Space, "SPACE"),
        (KeyClass::Enter, "ENTER LINEFEED"),
        (KeyClass::Tab, "TAB"),
        (KeyClass::Backspace, "BACKSPACE"),
        (KeyClass::Delete, "DELETE"),
        (KeyClass::Navigation, "UP DOWN LEFT RIGHT HOME END PAGEUP PAGEDOWN RIGHT_UP NEXT_ELEMENT"),
        (KeyClass::Modifier, "LEFTSHIFT RIGHTALT LEFTMETA CAPSLOCK NUMLOCK FN HANGEUL KATAKANA"),
        (KeyClass::Function, "ESC SYSRQ INSERT PAUSE COMPOSE UNDO HENKAN SCREENLOCK MACRO7 FN_D"),
        (KeyClass::Media, "MUTE VOLUMEUP BRIGHTNESSDOWN PLAYPAUSE CALC WWW RFKILL MICMUTE RED"),
        (KeyClass::Other, "UNKNOWN SOS"),
    ];
    for (expected, list) in one_by_one {
        for name in list.split(' ') {
            assert_eq!(class(&format!("KEY_{name}")), expected, "{name}");
        }
    }
}

#[test]
fn an_unnamed_code_is_other() {
    for code in [0, 84, 0x2ff, 0x300, u16::MAX] {
        assert_eq!(stated_key_role(code), None);
        assert_eq!(key_role(code), KeyRole::Key(KeyClass::Other));
    }
}
