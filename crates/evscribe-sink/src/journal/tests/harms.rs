//! What may happen to the bytes of a journal.

use proptest::prelude::*;

use super::{JOURNAL, OTHER, RECORDS};

/// One way to damage a file.
#[derive(Clone, Debug)]
pub(super) enum Harm {
    Flip(usize, u8),
    Cut(usize, usize),
    Double(usize, usize, usize),
    /// The records of these numbers change places.
    Swap(usize, usize),
    /// Another journal under the same key, from that byte on, goes there.
    Join(usize, usize),
}

/// Any harm to a journal of that length.
pub(super) fn harm(length: usize) -> impl Strategy<Value = Harm> {
    prop_oneof![
        (0..length, 0..8_u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        (0..length, 1..2000_usize).prop_map(|(at, bytes)| Harm::Cut(at, bytes)),
        (0..length, 1..4000_usize, 0..length)
            .prop_map(|(from, bytes, to)| Harm::Double(from, bytes, to)),
        (0..RECORDS as usize, 0..RECORDS as usize).prop_map(|(a, b)| Harm::Swap(a, b)),
        (0..length, 0..length).prop_map(|(from, to)| Harm::Join(from, to)),
        // Whole records, again elsewhere, or the whole journal behind itself.
        (0..RECORDS as usize, 0..RECORDS as usize).prop_map(|(which, before)| {
            let (from, to) = (JOURNAL.1[which], JOURNAL.1[which + 1]);
            Harm::Double(from, to - from, JOURNAL.1[before])
        }),
        Just(Harm::Double(0, length, length)),
    ]
}

pub(super) fn apply(bytes: &mut Vec<u8>, harm: &Harm) {
    match *harm {
        Harm::Flip(at, bit) => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        Harm::Cut(at, count) => {
            let at = at.min(bytes.len());
            let to = (at + count).min(bytes.len());
            bytes.drain(at..to);
        }
        Harm::Double(from, count, to) => {
            let from = from.min(bytes.len());
            let copy = bytes[from..(from + count).min(bytes.len())].to_vec();
            let to = to.min(bytes.len());
            bytes.splice(to..to, copy);
        }
        Harm::Swap(a, b) => {
            let (first, second) = (a.min(b), a.max(b));
            let span = |record: usize| JOURNAL.1[record]..JOURNAL.1[record + 1];
            if first == second || bytes.len() < JOURNAL.1[second + 1] {
                return;
            }
            let moved = bytes[span(second)].to_vec();
            let away: Vec<_> = bytes.splice(span(second), bytes[span(first)].to_vec()).collect();
            assert_eq!(away, moved);
            bytes.splice(span(first), moved);
        }
        Harm::Join(from, to) => {
            let from = from.min(OTHER.len());
            let to = to.min(bytes.len());
            bytes.splice(to..to, OTHER[from..].iter().copied());
        }
    }
}
