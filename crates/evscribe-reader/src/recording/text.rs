//! Words and numbers of a line, by hand: no allocation unless something is wrong.

use evscribe_model::codes::{ABS_MT_SLOT, EV_ABS};
use evscribe_model::{Axis, BootUs, RawEvent};

use super::Cause;

/// Most of a line that an error repeats, characters.
const QUOTE_MAX: usize = 32;

/// Slots that a device can state; real ones have at most some dozen.
const SLOT_MAX: i64 = 1023;

/// Last second of the year 9998, the last that the dataset can hold.
const SECOND_MAX: i64 = 253_370_764_799;

/// A part of a line as an error repeats it: shortened, nothing unprintable.
pub(super) fn quote(text: &[u8]) -> String {
    let head = text.get(..QUOTE_MAX * 4).unwrap_or(text);
    let head = String::from_utf8_lossy(head);
    let mut quoted: String = head.chars().take(QUOTE_MAX).flat_map(char::escape_debug).collect();
    if text.len() > QUOTE_MAX && head.chars().count() > QUOTE_MAX {
        quoted.push('…');
    }
    quoted
}

/// A device's name: invalid UTF-8 and what is unprintable is replaced.
pub(super) fn name(text: &[u8]) -> Option<String> {
    let printable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let name: String = String::from_utf8_lossy(text).chars().map(printable).collect();
    (!name.is_empty()).then_some(name)
}

/// What stays to be read of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    rest: &'a [u8],
}

impl<'a> Text<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    /// The next word: what stands between blanks, commas, brackets and comment.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.skip_blanks();
        let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b'[' | b']' | b'#');
        let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        word
    }

    /// Takes `byte` if it stands next, after blanks.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// What stands there, taken or not.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing but a comment stands there.
    pub(super) fn at_end(&mut self) -> bool {
        self.skip_blanks();
        matches!(self.rest, [] | [b'#', ..])
    }

    /// Demands that nothing but a comment stands there.
    pub(super) fn end(&mut self) -> Result<(), Cause> {
        if self.at_end() { Ok(()) } else { Err(Cause::Unexpected(quote(self.rest))) }
    }

    /// The next word, a decimal number.
    pub(super) fn decimal(&mut self, what: &'static str, range: Range) -> Result<i64, Cause> {
        integer(self.word(), 10, what, range)
    }

    /// The next word, a hexadecimal number without prefix.
    pub(super) fn hex(&mut self, what: &'static str, max: i64) -> Result<i64, Cause> {
        integer(self.word(), 16, what, (0, max))
    }

    /// The next word, a byte of two hexadecimal digits.
    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, Cause> {
        self.hex(what, 0xff).map(|byte| byte as u8)
    }

    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

/// Least and most that a number can be.
pub(super) type Range = (i64, i64);

/// Every `i32`: values of events, ranges of axes.
pub(super) const VALUE: Range = (i32::MIN as i64, i32::MAX as i64);

/// Every `u16`: event types, codes, identities.
pub(super) const SHORT: Range = (0, u16::MAX as i64);

/// The number that is all of `word`.
pub(super) fn integer(
    word: &[u8],
    radix: u32,
    what: &'static str,
    (min, max): Range,
) -> Result<i64, Cause> {
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut number: i64 = 0;
    for byte in digits {
        let Some(digit) = char::from(*byte).to_digit(radix) else {
            return Err(Cause::NotANumber { what, text: quote(word) });
        };
        // Saturated is out of every range below.
        number = number.saturating_mul(i64::from(radix)).saturating_add(i64::from(digit));
    }
    if word.is_empty() {
        return Err(Cause::Missing(what));
    }
    if digits.is_empty() {
        return Err(Cause::NotANumber { what, text: quote(word) });
    }
    let number = if negative { -number } else { number };
    if number < min || number > max {
        return Err(Cause::OutOfRange { what, text: quote(word), min, max });
    }
    Ok(number)
}

/// A stamp of seconds and microseconds.
pub(super) fn stamp(second: &[u8], microsecond: &[u8]) -> Result<BootUs, Cause> {
    let second = integer(second, 10, "event time", (0, SECOND_MAX))?;
    let microsecond = integer(microsecond, 10, "event time's microsecond", (0, 999_999))?;
    Ok(BootUs::new((second * 1_000_000 + microsecond).unsigned_abs()))
}

/// An event of numbers that are in range, if it can be true.
pub(super) fn event(at: BootUs, kind: i64, code: i64, value: i64) -> Result<RawEvent, Cause> {
    let (kind, code) = (kind as u16, code as u16);
    if kind == EV_ABS && code == ABS_MT_SLOT {
        slot(value)?;
    }
    Ok(RawEvent { at, kind, code, value: value as i32 })
}

/// An axis of numbers that are in range, if it can be true.
pub(super) fn axis(code: i64, numbers: [i64; 5]) -> Result<Axis, Cause> {
    let code = code as u16;
    let [min, max, fuzz, flat, resolution] = numbers.map(|number| number as i32);
    if code == ABS_MT_SLOT {
        slot(i64::from(max))?;
    }
    Ok(Axis { code, min, max, fuzz, flat, resolution })
}

/// Slots are bounded, so that whoever keeps them keeps little.
fn slot(number: i64) -> Result<(), Cause> {
    if (0..=SLOT_MAX).contains(&number) {
        return Ok(());
    }
    Err(Cause::OutOfRange { what: "slot", text: number.to_string(), min: 0, max: SLOT_MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<i64, Cause>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn numbers_are_read_to_their_limits() {
        assert_eq!(integer(b"-2147483648", 10, "value", VALUE), Ok(-2_147_483_648));
        assert_eq!(integer(b"0019", 10, "value", VALUE), Ok(19));
        assert_eq!(integer(b"-001", 10, "value", VALUE), Ok(-1));
        assert_eq!(integer(b"fFfF", 16, "type", SHORT), Ok(65_535));
    }

    #[test]
    fn what_is_no_number_is_named() {
        let read = |word: &[u8]| message(integer(word, 10, "event value", VALUE));
        assert_eq!(read(b"zz"), "event value \"zz\" is not a number");
        assert_eq!(read(b"-"), "event value \"-\" is not a number");
        assert_eq!(read(b"1\0"), "event value \"1\\0\" is not a number");
        assert_eq!(read(b""), "event value is missing");
        assert_eq!(
            read(b"2147483648"),
            "event value 2147483648 is not within -2147483648 and 2147483647"
        );
        assert!(read(&[b'9'; 5000]).len() < 120);
        assert!(read(&[0xff; 5000]).len() < 200);
    }

    #[test]
    fn a_stamp_beyond_the_end_of_time_is_refused() {
        assert_eq!(stamp(b"1", b"000002"), Ok(BootUs::new(1_000_002)));
        assert!(stamp(b"9223372036854", b"999999").is_err());
        assert!(stamp(b"18446744073709551616", b"0").is_err());
        assert!(stamp(b"-1", b"0").is_err());
        assert!(stamp(b"1", b"1000000").is_err());
    }

    #[test]
    fn a_slot_out_of_range_is_refused() {
        let at = BootUs::new(0);
        assert!(event(at, 3, 0x2f, 9).is_ok());
        assert!(event(at, 3, 0x2f, -1).is_err());
        assert!(event(at, 3, 0x2f, 1024).is_err());
        assert!(axis(0x2f, [0, i64::from(i32::MAX), 0, 0, 0]).is_err());
    }

    #[test]
    fn names_are_accepted_lossily() {
        assert_eq!(name(b"A\xff\0B"), Some("A\u{fffd}\u{fffd}B".into()));
        assert_eq!(name(b""), None);
    }
}
