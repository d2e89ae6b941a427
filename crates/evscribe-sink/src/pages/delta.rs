//! `DELTA_BINARY_PACKED`.
//!
//! Source: the Parquet format, Encodings.md, "Delta Encoding".

use super::hybrid::{pack, put_number};

/// Differences with one minimum.
const BLOCK: usize = 128;
/// Parts of a block, each with a width of its own.
const PARTS: usize = 4;
/// Differences of a part: a multiple of 32.
const PART: usize = BLOCK / PARTS;

/// Appends the values to `out`. They are of 64 bits.
pub(super) fn encode_i64(values: &[i64], out: &mut Vec<u8>) {
    let first = values.first().copied().unwrap_or(0);
    let pairs = values.iter().zip(values.iter().skip(1));
    encode(first, values.len(), pairs.map(|(last, next)| next.wrapping_sub(*last)), out);
}

/// Appends the values to `out`. They are of 32 bits, and so are the differences.
pub(super) fn encode_i32(values: &[i32], out: &mut Vec<u8>) {
    let first = values.first().copied().unwrap_or(0).into();
    let pairs = values.iter().zip(values.iter().skip(1));
    encode(first, values.len(), pairs.map(|(last, next)| next.wrapping_sub(*last).into()), out);
}

fn encode(first: i64, count: usize, mut deltas: impl Iterator<Item = i64>, out: &mut Vec<u8>) {
    put_number(BLOCK as u64, out);
    put_number(PARTS as u64, out);
    put_number(count as u64, out);
    put_signed(first, out);
    let mut block = Vec::with_capacity(BLOCK);
    loop {
        block.clear();
        block.extend(deltas.by_ref().take(BLOCK));
        let Some(least) = block.iter().copied().min() else { return };
        put_signed(least, out);
        let parts = || block.chunks(PART);
        let above = |delta: &i64| delta.wrapping_sub(least).cast_unsigned();
        let width = |part: &[i64]| {
            let all = part.iter().fold(0, |all, delta| all | above(delta));
            u8::try_from(64 - all.leading_zeros()).unwrap_or(64)
        };
        let widths = out.len();
        out.extend_from_slice(&[0; PARTS]);
        for (place, part) in parts().enumerate() {
            let width = width(part);
            if let Some(place) = out.get_mut(widths + place) {
                *place = width;
            }
            let filling = std::iter::repeat_n(0, PART - part.len());
            pack(part.iter().map(above).chain(filling), width, out);
        }
    }
}

fn put_signed(number: i64, out: &mut Vec<u8>) {
    put_number(((number << 1) ^ (number >> 63)).cast_unsigned(), out);
}
