//! Numbers that look random and repeat with their seed (splitmix64).

/// A generator; equal seeds give equal numbers, on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).unsigned_abs().saturating_add(1);
        low + i64::try_from(self.next() % width).unwrap_or(0)
    }

    /// A duration in microseconds that clusters around `middle_us`, from half of
    /// it to twice it, as people's intervals do.
    pub(crate) fn interval_us(&mut self, middle_us: u64) -> u64 {
        let middle = i64::try_from(middle_us).unwrap_or(i64::MAX / 4);
        let sum: i64 = (0..3).map(|_| self.between(middle / 2, middle * 3 / 2)).sum();
        let skew = if self.one_in(8) { middle / 2 } else { 0 };
        (sum / 3 + skew).unsigned_abs()
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// One of `items`; the default when there are none.
    pub(crate) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let n = u64::try_from(items.len()).unwrap_or(1).max(1);
        let at = usize::try_from(self.next() % n).unwrap_or(0);
        items.get(at).copied().unwrap_or_default()
    }
}
