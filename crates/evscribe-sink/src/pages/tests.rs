//! What crate parquet reads of our pages is what was pushed.

use proptest::prelude::*;

use super::hybrid::{encode, key_bits, pack};

/// Reads what [`encode`] writes, as the format says it.
fn decode(mut bytes: &[u8], bits: u8, count: usize) -> Vec<u32> {
    let mut values = Vec::new();
    while values.len() < count {
        let (mut head, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) = bytes.split_first().unwrap();
            bytes = rest;
            head |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let run = usize::try_from(head >> 1).unwrap();
        if head & 1 == 0 {
            let (value, rest) = bytes.split_at(usize::from(bits.div_ceil(8)));
            bytes = rest;
            let value = value.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
            values.extend(std::iter::repeat_n(value, run));
        } else {
            let (packed, rest) = bytes.split_at(run * usize::from(bits));
            bytes = rest;
            for n in 0..run * 8 {
                let bit = |place: usize| u32::from(packed[place / 8] >> (place % 8) & 1);
                let start = n * usize::from(bits);
                values.push((0..usize::from(bits)).map(|b| bit(start + b) << b).sum());
            }
        }
    }
    assert!(bytes.is_empty(), "nothing is left");
    values.truncate(count);
    values
}

proptest! {
    #[test]
    fn prop_spans_come_back_from_the_hybrid(spans in prop::collection::vec((0..300_u32, 1..40_u32), 0..60)) {
        let bits = key_bits(300);
        let mut bytes = Vec::new();
        encode(spans.iter().copied(), bits, &mut bytes);
        let values: Vec<u32> = spans.iter().flat_map(|(value, n)| vec![*value; *n as usize]).collect();
        prop_assert_eq!(decode(&bytes, bits, values.len()), values);
    }

    #[test]
    fn prop_packed_bits_stand_in_order(values in prop::collection::vec(any::<u64>(), 8), bits in 1..=64_u8) {
        let mask = u64::MAX >> (64 - bits);
        let mut bytes = Vec::new();
        pack(values.iter().map(|value| value & mask), bits, &mut bytes);
        prop_assert_eq!(bytes.len(), usize::from(bits));
        for (n, value) in values.iter().enumerate() {
            let bit = |place: usize| u64::from(bytes[place / 8] >> (place % 8) & 1);
            let start = n * usize::from(bits);
            let back: u64 = (0..usize::from(bits)).map(|b| bit(start + b) << b).sum();
            prop_assert_eq!(back, value & mask);
        }
    }
}
