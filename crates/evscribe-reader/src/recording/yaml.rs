//! The little of YAML that `libinput record` writes within a line.

use super::Cause;
use super::text::{Range, SHORT, Text};

/// A key and what follows it; no key begins with a bracket.
pub(super) fn key(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = content.iter().position(|byte| *byte == b':')?;
    let (key, value) = content.split_at_checked(colon)?;
    let value = value.get(1..)?;
    let is_key = !matches!(key, [] | [b'[' | b'{' | b'"' | b']' | b'#', ..]);
    (is_key && matches!(value, [] | [b' ', ..])).then_some((key, value))
}

/// A value without the quotation marks around it; the tool escapes nothing.
pub(super) fn unquoted(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

/// Demands a comma.
pub(super) fn comma(rest: &mut Text<'_>) -> Result<(), Cause> {
    if rest.take(b',') { Ok(()) } else { Err(Cause::Missing("a comma between two numbers")) }
}

/// A list of exactly `N` numbers.
pub(super) fn list<const N: usize>(
    rest: &mut Text<'_>,
    what: &'static str,
    range: Range,
) -> Result<[i64; N], Cause> {
    let mut numbers = [0; N];
    let opened = rest.take(b'[');
    for (place, number) in numbers.iter_mut().enumerate() {
        if place > 0 {
            comma(rest)?;
        }
        *number = rest.decimal(what, range)?;
    }
    if !(opened && rest.take(b']')) {
        return Err(Cause::Missing("a bracket around a list"));
    }
    rest.end()?;
    Ok(numbers)
}

/// A list of any length, one number after the other.
pub(super) fn each(
    rest: &mut Text<'_>,
    what: &'static str,
    mut on: impl FnMut(u16),
) -> Result<(), Cause> {
    if !rest.take(b'[') {
        return Err(Cause::Missing("a bracket around a list"));
    }
    if !rest.take(b']') {
        loop {
            on(rest.decimal(what, SHORT)? as u16);
            if rest.take(b']') {
                break;
            }
            comma(rest)?;
        }
    }
    rest.end()
}
