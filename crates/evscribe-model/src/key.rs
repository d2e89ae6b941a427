//! The class of every key: what remains of a key at level `class`.

/// What kind of key was hit, so that content stays unknown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
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
/// How the classes were drawn where a name leaves room:
/// - What changes how the next keys are read is a modifier: locks, `Fn`, the
///   script switches of Japanese and Korean keyboards, the layout switch.
/// - What acts on the text or the program in front (the header's *AC*: undo,
///   copy, back, zoom, print; conversion keys; insert) and on the machine (power,
///   sleep, lock) is a function key, as are macro keys.
/// - What starts a program (*AL*), plays, or sets a device (volume, brightness,
///   radios, cameras, everything of a remote control) is media.
/// - The digits of phones and remote controls are a keypad, not the main block.
/// - Braille dots spell text in chords: their class is `other`, which says least.
///
/// Buttons are whole blocks, gaps included: drivers number the further buttons
/// of a mouse or stick through (`BTN_LEFT + 8`…) without names.
///
/// Source: `linux/input-event-codes.h`.
#[must_use]
pub fn stated_key_role(code: u16) -> Option<KeyRole> {
    match code {
        0x100..=0x15f | 0x220..=0x223 | 0x2c0..=0x2e7 => Some(KeyRole::Button),
        _ => main_block(code).or_else(|| extended(code)).map(KeyRole::Key),
    }
}

/// Codes below 0x100: what keyboards have.
const fn main_block(code: u16) -> Option<KeyClass> {
    Some(match code {
        2..=11 => KeyClass::Digit,
        16..=25 | 30..=38 | 44..=50 => KeyClass::Letter,
        12..=13 | 26..=27 | 39..=41 | 43 | 51..=53 => KeyClass::Punctuation,
        // KEY_102ND, KEY_RO, KEY_YEN; KEY_QUESTION types its sign.
        86 | 89 | 124 | 214 => KeyClass::Punctuation,
        57 => KeyClass::Space,
        // KEY_ENTER, KEY_LINEFEED.
        28 | 101 => KeyClass::Enter,
        15 => KeyClass::Tab,
        14 => KeyClass::Backspace,
        111 => KeyClass::Delete,
        // KEY_HOME to KEY_PAGEDOWN, KEY_SCROLLUP, KEY_SCROLLDOWN.
        102..=109 | 177..=178 => KeyClass::Navigation,
        // Shift, control, alt, meta; KEY_CAPSLOCK, KEY_NUMLOCK, KEY_SCROLLLOCK.
        29 | 42 | 54 | 56 | 97 | 100 | 125..=126 | 58 | 69..=70 => KeyClass::Modifier,
        // KEY_ZENKAKUHANKAKU, KEY_KATAKANA, KEY_HIRAGANA, KEY_KATAKANAHIRAGANA,
        // KEY_HANGEUL.
        85 | 90..=91 | 93 | 122 => KeyClass::Modifier,
        // KEY_KPENTER types Return, but says more as part of the keypad.
        55 | 71..=83 | 95..=96 | 98 | 117..=118 | 121 | 179..=180 => KeyClass::Keypad,
        // KEY_ESC, KEY_F1 to KEY_F24.
        1 | 59..=68 | 87..=88 | 183..=194 => KeyClass::Function,
        // KEY_HENKAN, KEY_MUHENKAN, KEY_HANJA; KEY_SYSRQ, KEY_INSERT, KEY_MACRO,
        // KEY_POWER, KEY_PAUSE.
        92 | 94 | 123 | 99 | 110 | 112 | 116 | 119 => KeyClass::Function,
        // KEY_COMPOSE is what the kernel calls the menu key; KEY_STOP to KEY_MENU.
        127..=139 => KeyClass::Function,
        // KEY_SLEEP, KEY_WAKEUP; KEY_SENDFILE to KEY_XFER; KEY_COFFEE locks.
        142..=143 | 145..=147 | 152 | 154 => KeyClass::Function,
        // KEY_BACK, KEY_FORWARD, KEY_HOMEPAGE to KEY_EDIT, KEY_NEW, KEY_REDO.
        158..=159 | 172..=176 | 181..=182 => KeyClass::Function,
        // KEY_SUSPEND, KEY_CLOSE, KEY_PRINT, KEY_ALTERASE, KEY_CANCEL, KEY_SEND to
        // KEY_SAVE.
        205..=206 | 210 | 222..=223 | 231..=234 => KeyClass::Function,
        // KEY_MUTE to KEY_VOLUMEUP, KEY_SCALE, then launchers and players.
        113..=115 | 120 | 140..=141 | 144 | 148..=151 | 153 | 155..=157 => KeyClass::Media,
        160..=169 | 171 | 200..=204 | 207..=209 | 211..=213 | 215..=221 => KeyClass::Media,
        // KEY_BRIGHTNESSDOWN to KEY_KBDILLUMUP, KEY_DOCUMENTS to KEY_UWB,
        // KEY_VIDEO_NEXT to KEY_MICMUTE.
        224..=230 | 235..=239 | 241..=248 => KeyClass::Media,
        // KEY_ISO, KEY_UNKNOWN.
        170 | 240 => KeyClass::Other,
        _ => return None,
    })
}

/// Codes above the buttons: remote controls, phones, special keys.
const fn extended(code: u16) -> Option<KeyClass> {
    Some(match code {
        // KEY_OK to KEY_OPTION.
        0x160..=0x165 => KeyClass::Function,
        // KEY_FULL_SCREEN, KEY_BREAK, KEY_ZOOMIN to KEY_ZOOMRESET, KEY_LOGOFF.
        0x174 | 0x19b | 0x1a2..=0x1a4 | 0x1b1 => KeyClass::Function,
        0x166..=0x173 | 0x175..=0x19a | 0x19c..=0x1a1 | 0x1a5..=0x1b0 => KeyClass::Media,
        // KEY_DOLLAR, KEY_EURO.
        0x1b2..=0x1b3 => KeyClass::Punctuation,
        // KEY_CONTEXT_MENU; KEY_DEL_EOL to KEY_DEL_LINE.
        0x1b6 | 0x1c0..=0x1c3 => KeyClass::Function,
        0x1b4..=0x1b5 | 0x1b7..=0x1ba | 0x1bc..=0x1bf => KeyClass::Media,
        // KEY_FN; what is hit together with it is a command, whatever its label.
        0x1d0 => KeyClass::Modifier,
        0x1d1..=0x1e5 => KeyClass::Function,
        // KEY_BRL_DOT1 to KEY_BRL_DOT10.
        0x1f1..=0x1fa => KeyClass::Other,
        // KEY_NUMERIC_0 to KEY_NUMERIC_D, KEY_NUMERIC_11, KEY_NUMERIC_12.
        0x200..=0x20f | 0x26c..=0x26d => KeyClass::Keypad,
        // Cameras, touchpad and lights on or off, sensors.
        0x210..=0x21e | 0x230..=0x232 => KeyClass::Media,
        // KEY_SCREENSAVER locks; KEY_KBD_LAYOUT_NEXT changes what keys mean.
        0x245 => KeyClass::Function,
        0x248 => KeyClass::Modifier,
        // Up to KEY_DICTATE; 0x24b to 0x24f are of newer headers: camera access,
        // accessibility, do not disturb.
        0x240..=0x244 | 0x246..=0x247 | 0x249..=0x24f | 0x250..=0x251 => KeyClass::Media,
        // KEY_KBDINPUTASSIST_*: choosing among suggestions.
        0x260..=0x265 => KeyClass::Function,
        // Diagonals; KEY_NEXT_ELEMENT, KEY_PREVIOUS_ELEMENT.
        0x266..=0x269 | 0x27b..=0x27c => KeyClass::Navigation,
        0x26a..=0x26b | 0x26e..=0x279 => KeyClass::Media,
        // KEY_SELECTIVE_SCREENSHOT.
        0x27a => KeyClass::Function,
        // A ship's bridge: autopilot, charts, radar, sonar; KEY_BRIGHTNESS_MENU.
        0x27d..=0x288 => KeyClass::Other,
        0x289 => KeyClass::Media,
        // KEY_MACRO1 to KEY_MACRO30, their control, KEY_KBD_LCD_MENU*.
        0x290..=0x2ad | 0x2b0..=0x2b5 | 0x2b8..=0x2bc => KeyClass::Function,
        _ => return None,
    })
}
