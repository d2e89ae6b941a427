//! Columns of one row group that wait to be encoded.

use std::hash::Hash;

use ahash::{HashMap, HashMapExt};
use parquet::{
    basic::Encoding,
    data_type::ByteArray,
    file::statistics::{Statistics, ValueStatistics},
};

use super::{
    delta,
    hybrid::{self, Span},
};

/// A column chunk as its pages hold it, before compression.
pub(super) struct Chunk {
    /// A dictionary's values, plain, and how many.
    pub(super) dictionary: Option<(Vec<u8>, u32)>,
    /// Levels and values of the one data page.
    pub(super) data: Vec<u8>,
    pub(super) encoding: Encoding,
    pub(super) statistics: Statistics,
    pub(super) rows: u32,
}

/// Values as spans of equal ones: what changes seldom costs next to nothing.
#[derive(Clone, Debug)]
pub(super) struct Spans<T> {
    spans: Vec<Span<T>>,
}

impl<T> Default for Spans<T> {
    fn default() -> Self {
        Self { spans: Vec::new() }
    }
}

impl<T: Copy + PartialEq> Spans<T> {
    pub(super) fn push(&mut self, value: T) {
        self.extend(value, 1);
    }

    pub(super) fn clear(&mut self) {
        self.spans.clear();
    }

    /// The spans of what `of` says of each value.
    pub(super) fn map<U: Copy + PartialEq>(&self, of: impl Fn(T) -> U) -> Spans<U> {
        let mut mapped = Spans::default();
        for (value, count) in &self.spans {
            mapped.extend(of(*value), *count);
        }
        mapped
    }

    /// The values of the rows of which `is` is true.
    pub(super) fn filter(&self, is: impl Fn(T) -> bool) -> Self {
        let mut kept = Self::default();
        for (value, count) in self.spans.iter().filter(|(value, _)| is(*value)) {
            kept.extend(*value, *count);
        }
        kept
    }

    fn extend(&mut self, value: T, more: u32) {
        match self.spans.last_mut() {
            Some((last, count)) if *last == value => *count += more,
            _ => self.spans.push((value, more)),
        }
    }

    fn count(&self) -> u32 {
        self.spans.iter().map(|(_, count)| count).sum()
    }
}

/// Which rows have a value.
pub(super) type Presence = Spans<bool>;

impl Presence {
    /// The definition levels as a data page begins with them, and how many rows
    /// have no value.
    fn levels(&self) -> (Vec<u8>, u64) {
        let mut levels = vec![0; 4];
        let spans = self.spans.iter().map(|(present, count)| (u32::from(*present), *count));
        hybrid::encode(spans, 1, &mut levels);
        let length = u32::try_from(levels.len() - 4).unwrap_or(u32::MAX);
        if let Some(head) = levels.first_chunk_mut::<4>() {
            *head = length.to_le_bytes();
        }
        let absent = self.spans.iter().filter(|(present, _)| !present);
        (levels, absent.map(|(_, count)| u64::from(*count)).sum())
    }
}

/// Where the values of a column stand: in each row, or in those of a presence.
fn begin(presence: Option<&Presence>, values: usize) -> (Vec<u8>, u64, u32) {
    let (levels, absent) = presence.map_or_else(Default::default, Presence::levels);
    let rows = values as u64 + absent;
    (levels, absent, u32::try_from(rows).unwrap_or(u32::MAX))
}

fn least_and_most<T: Copy + Ord>(values: impl Iterator<Item = T>) -> (Option<T>, Option<T>) {
    values.fold((None, None), |(least, most), value| {
        (Some(least.map_or(value, |least| value.min(least))), most.max(Some(value)))
    })
}

/// Times, as differences.
pub(super) fn times(values: &[i64]) -> Chunk {
    let (mut data, absent, rows) = begin(None, values.len());
    delta::encode_i64(values, &mut data);
    let (least, most) = least_and_most(values.iter().copied());
    let statistics = Statistics::int64(least, most, None, Some(absent), false);
    Chunk { dictionary: None, data, encoding: Encoding::DELTA_BINARY_PACKED, statistics, rows }
}

/// Numbers whose neighbours differ little, as differences.
pub(super) fn deltas(values: &[i32], presence: &Presence) -> Chunk {
    let (mut data, absent, rows) = begin(Some(presence), values.len());
    delta::encode_i32(values, &mut data);
    let (least, most) = least_and_most(values.iter().copied());
    let statistics = Statistics::int32(least, most, None, Some(absent), false);
    Chunk { dictionary: None, data, encoding: Encoding::DELTA_BINARY_PACKED, statistics, rows }
}

/// Numbers split by byte: high bytes repeat, low ones do not.
pub(super) fn split(values: &[i32], presence: &Presence) -> Chunk {
    let (mut data, absent, rows) = begin(Some(presence), values.len());
    for place in 0..4 {
        data.extend(values.iter().filter_map(|value| value.to_le_bytes().get(place).copied()));
    }
    let (least, most) = least_and_most(values.iter().copied());
    let statistics = Statistics::int32(least, most, None, Some(absent), false);
    Chunk { dictionary: None, data, encoding: Encoding::BYTE_STREAM_SPLIT, statistics, rows }
}

/// Truths, a bit each.
pub(super) fn bits(values: &Spans<bool>, presence: Option<&Presence>) -> Chunk {
    let count = values.count() as usize;
    let (mut data, absent, rows) = begin(presence, count);
    let first = data.len();
    data.resize(first + count.div_ceil(8), 0);
    let mut row = 0;
    for (value, count) in &values.spans {
        let rows = row..row + *count as usize;
        row = rows.end;
        for row in rows.take_while(|_| *value) {
            if let Some(byte) = data.get_mut(first + row / 8) {
                *byte |= 1 << (row % 8);
            }
        }
    }
    let (least, most) = least_and_most(values.spans.iter().map(|(value, _)| *value));
    let statistics = Statistics::boolean(least, most, None, Some(absent), false);
    Chunk { dictionary: None, data, encoding: Encoding::PLAIN, statistics, rows }
}

/// Numbers of which few differ, by a dictionary.
pub(super) fn numbers(values: &Spans<i32>, presence: Option<&Presence>) -> Chunk {
    let (mut chunk, dictionary, absent) = keyed(values, presence);
    let (least, most) = least_and_most(dictionary.iter().copied());
    chunk.statistics = Statistics::int32(least, most, None, Some(absent), false);
    let plain: Vec<u8> = dictionary.iter().flat_map(|value| value.to_le_bytes()).collect();
    chunk.dictionary = Some((plain, u32::try_from(dictionary.len()).unwrap_or(u32::MAX)));
    chunk
}

/// Words, by a dictionary; `word` says them.
pub(super) fn words<'a, T: Copy + Eq + Hash>(
    values: &Spans<T>,
    presence: Option<&Presence>,
    word: impl Fn(T) -> &'a str,
) -> Chunk {
    let (mut chunk, dictionary, absent) = keyed(values, presence);
    let words: Vec<&str> = dictionary.into_iter().map(word).collect();
    let (least, most) = least_and_most(words.iter().map(|word| word.as_bytes()));
    chunk.statistics = Statistics::ByteArray(ValueStatistics::new(
        least.map(|word| ByteArray::from(word.to_vec())),
        most.map(|word| ByteArray::from(word.to_vec())),
        None,
        Some(absent),
        false,
    ));
    let mut plain = Vec::new();
    for word in &words {
        plain.extend_from_slice(&u32::try_from(word.len()).unwrap_or(u32::MAX).to_le_bytes());
        plain.extend_from_slice(word.as_bytes());
    }
    chunk.dictionary = Some((plain, u32::try_from(words.len()).unwrap_or(u32::MAX)));
    chunk
}

/// One word in each of `rows`.
pub(super) fn constant(word: &str, rows: u32) -> Chunk {
    words(&Spans { spans: vec![((), rows)] }, None, |()| word)
}

/// A page of keys, the values they stand for, and how many rows have none.
fn keyed<T: Copy + Eq + Hash>(
    values: &Spans<T>,
    presence: Option<&Presence>,
) -> (Chunk, Vec<T>, u64) {
    let (mut data, absent, rows) = begin(presence, values.count() as usize);
    let mut keys: HashMap<T, u32> = HashMap::new();
    let mut dictionary = Vec::new();
    let mut key = |value: T| {
        *keys.entry(value).or_insert_with(|| {
            dictionary.push(value);
            u32::try_from(dictionary.len() - 1).unwrap_or(u32::MAX)
        })
    };
    let spans: Vec<Span<u32>> =
        values.spans.iter().map(|(value, count)| (key(*value), *count)).collect();
    let bits = hybrid::key_bits(dictionary.len());
    data.push(bits);
    hybrid::encode(spans, bits, &mut data);
    let statistics = Statistics::int32(None, None, None, Some(absent), false);
    let encoding = Encoding::RLE_DICTIONARY;
    (Chunk { dictionary: None, data, encoding, statistics, rows }, dictionary, absent)
}
