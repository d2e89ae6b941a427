//! Which files become one: pure.

use crate::sealing::Readers;

/// A file of a partition.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) path: String,
    pub(super) first_us: i64,
    pub(super) last_us: i64,
    /// Bytes of its sources as the workstation sealed them: what a merged file has
    /// itself may be less, and would let more into it at the next run.
    pub(super) bytes: u64,
    pub(super) readers: Readers,
}

/// Puts the units into chains, in the order of their time: the units of a chain
/// are for the same keys, follow each other without overlap, and have at most
/// `max_bytes` together; a larger one is a chain by itself.
///
/// Each goes into the first chain that takes it. So whatever began a later chain
/// did not fit into an earlier one, and will not when that is one unit: doing it
/// again with merged chains gives the same chains.
pub(super) fn chains(mut units: Vec<Unit>, max_bytes: u64) -> Vec<Vec<Unit>> {
    units.sort_by(|a, b| (a.first_us, a.last_us, &a.path).cmp(&(b.first_us, b.last_us, &b.path)));
    let mut chains: Vec<(i64, u64, Vec<Unit>)> = Vec::new();
    for unit in units {
        let takes = |(last_us, bytes, chain): &&mut (i64, u64, Vec<Unit>)| {
            *last_us <= unit.first_us
                && bytes.saturating_add(unit.bytes) <= max_bytes
                && chain.first().is_some_and(|first| first.readers == unit.readers)
        };
        match chains.iter_mut().find(takes) {
            Some((last_us, bytes, chain)) => {
                (*last_us, *bytes) = (unit.last_us, bytes.saturating_add(unit.bytes));
                chain.push(unit);
            }
            None => chains.push((unit.last_us, unit.bytes, vec![unit])),
        }
    }
    chains.into_iter().map(|(_, _, chain)| chain).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn merged(chain: &[Unit]) -> Unit {
        Unit {
            path: format!("m{}", chain[0].path),
            first_us: chain[0].first_us,
            last_us: chain.last().unwrap().last_us,
            bytes: chain.iter().map(|unit| unit.bytes).sum(),
            readers: chain[0].readers.clone(),
        }
    }

    proptest! {
        #[test]
        fn prop_chains_hold_each_unit_once_in_order_and_stay_as_they_are(
            parts in prop::collection::vec((0..1000_i64, 0..50_i64, 1..400_u64, 0..3_u8), 0..60),
            min_files in 2..4_usize,
        ) {
            let unit = |(number, (first_us, length, bytes, reader)): (usize, &(i64, i64, u64, u8))| {
                let readers = (*reader > 0).then(|| [reader.to_string()].into());
                Unit {
                    path: format!("{number:03}"),
                    first_us: *first_us,
                    last_us: first_us + length,
                    bytes: *bytes,
                    readers,
                }
            };
            let units: Vec<Unit> = parts.iter().enumerate().map(unit).collect();
            let chains_of = |units: Vec<Unit>| chains(units, 1000);
            let found = chains_of(units.clone());
            let mut paths: Vec<_> = found.iter().flatten().map(|unit| unit.path.clone()).collect();
            paths.sort();
            prop_assert_eq!(paths, units.iter().map(|unit| unit.path.clone()).collect::<Vec<_>>());
            for chain in &found {
                prop_assert!(chain.iter().map(|unit| unit.bytes).sum::<u64>() <= 1000);
                for pair in chain.windows(2) {
                    prop_assert!(pair[0].last_us <= pair[1].first_us);
                    prop_assert_eq!(&pair[0].readers, &pair[1].readers);
                }
            }
            let after = |chain: &Vec<Unit>| match chain.len() < min_files {
                true => chain.clone(),
                false => vec![merged(chain)],
            };
            let again = chains_of(found.iter().flat_map(after).collect());
            prop_assert!(again.iter().all(|chain| chain.len() < min_files));
        }
    }
}
