//! The hybrid of run lengths and packed bits: levels, and keys of dictionaries.
//!
//! Source: the Parquet format, Encodings.md, "Run Length Encoding / Bit-Packing
//! Hybrid (RLE = 3)".

/// Values that are packed together; shorter runs are no runs.
const GROUP: usize = 8;

/// Equal values that follow each other, and how many.
pub(super) type Span<T> = (T, u32);

/// Bits that hold every key of a dictionary of `length`; 1 at least.
pub(super) fn key_bits(length: usize) -> u8 {
    let largest = u32::try_from(length.saturating_sub(1)).unwrap_or(u32::MAX);
    u8::try_from(32 - largest.leading_zeros()).unwrap_or(32).max(1)
}

/// Appends the values of `spans`, each below 2 to the power of `bits`, to `out`.
pub(super) fn encode(spans: impl IntoIterator<Item = Span<u32>>, bits: u8, out: &mut Vec<u8>) {
    let mut literals = Vec::new();
    for (value, mut count) in spans {
        // What is packed comes in whole groups.
        while !literals.len().is_multiple_of(GROUP) && count > 0 {
            literals.push(value);
            count -= 1;
        }
        if count as usize >= GROUP {
            put_literals(&mut literals, bits, out);
            put_number(u64::from(count) << 1, out);
            out.extend(value.to_le_bytes().into_iter().take(usize::from(bits.div_ceil(8))));
        } else {
            literals.extend(std::iter::repeat_n(value, count as usize));
        }
    }
    put_literals(&mut literals, bits, out);
}

/// Appends whole groups of packed values; the last is filled up with zeros,
/// which no reader counts.
fn put_literals(literals: &mut Vec<u32>, bits: u8, out: &mut Vec<u8>) {
    if literals.is_empty() {
        return;
    }
    let groups = literals.len().div_ceil(GROUP);
    literals.resize(groups * GROUP, 0);
    put_number((groups as u64) << 1 | 1, out);
    pack(literals.iter().map(|value| u64::from(*value)), bits, out);
    literals.clear();
}

/// Packs values of `bits` bits, lowest bit first. Their bits together are whole
/// bytes.
pub(super) fn pack(values: impl IntoIterator<Item = u64>, bits: u8, out: &mut Vec<u8>) {
    if bits > 32 {
        // In halves: what is held never exceeds 64 bits.
        let halves = |value: u64| [(value & 0xffff_ffff, 32), (value >> 32, bits - 32)];
        pack_parts(values.into_iter().flat_map(halves), out);
    } else {
        pack_parts(values.into_iter().map(|value| (value, bits)), out);
    }
}

/// Packs values of 32 bits at most, each with its own number of bits.
fn pack_parts(values: impl Iterator<Item = (u64, u8)>, out: &mut Vec<u8>) {
    let (mut held, mut held_bits) = (0_u64, 0_u8);
    for (value, bits) in values {
        held |= value << held_bits;
        held_bits += bits;
        if held_bits >= 32 {
            out.extend_from_slice(&(held as u32).to_le_bytes());
            held >>= 32;
            held_bits -= 32;
        }
    }
    while held_bits > 0 {
        out.push(held as u8);
        held >>= 8;
        held_bits = held_bits.saturating_sub(8);
    }
}

/// Appends a number as LEB128.
pub(super) fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_of_one_has_keys_of_one_bit() {
        assert_eq!([0, 1, 2, 3, 256, 257].map(key_bits), [1, 1, 1, 2, 8, 9]);
    }

    #[test]
    fn the_examples_of_the_format_come_out() {
        // Encodings.md packs 0 to 7 with three bits.
        let mut out = Vec::new();
        encode((0..8).map(|value| (value, 1)), 3, &mut out);
        assert_eq!(out, [3, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        out.clear();
        encode([(5, 100)], 3, &mut out);
        assert_eq!(out, [200, 1, 5]);
    }
}
