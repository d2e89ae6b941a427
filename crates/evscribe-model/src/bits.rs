//! A fixed set of small numbers, as the kernel's capability bitmaps are.

/// A set of event codes below `64 * W`, laid out as the kernel's bitmaps.
///
/// Codes outside are never members: a set of keys answers `false` for them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bits<const W: usize>([u64; W]);

impl<const W: usize> Default for Bits<W> {
    fn default() -> Self {
        Self([0; W])
    }
}

impl<const W: usize> Bits<W> {
    /// How many codes fit.
    pub const CAPACITY: u16 = (W * 64) as u16;

    /// A set from the kernel's bytes, least significant bit first; what does
    /// not fit is left out.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut set = Self::default();
        for (word, chunk) in set.0.iter_mut().zip(bytes.chunks(8)) {
            for (shift, byte) in chunk.iter().enumerate() {
                *word |= u64::from(*byte) << (8 * shift);
            }
        }
        set
    }

    /// Whether `code` is a member.
    #[must_use]
    pub fn has(&self, code: u16) -> bool {
        self.0.get(usize::from(code / 64)).is_some_and(|word| word >> (code % 64) & 1 == 1)
    }

    /// Adds or removes `code`; a code that does not fit is ignored.
    pub fn set(&mut self, code: u16, member: bool) {
        if let Some(word) = self.0.get_mut(usize::from(code / 64)) {
            let bit = 1 << (code % 64);
            if member { *word |= bit } else { *word &= !bit }
        }
    }

    /// The members that `other` has too.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = *self;
        for (word, mask) in both.0.iter_mut().zip(&other.0) {
            *word &= mask;
        }
        both
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..Self::CAPACITY).filter(|code| self.has(*code))
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_least_significant_bit_first() {
        let set = Bits::<2>::from_bytes(&[0b10, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [1, 64]);
    }

    #[test]
    fn what_both_have_is_what_one_has_and_the_other() {
        let (one, other) = (Bits::<1>::from_bytes(&[0b110]), Bits::from_bytes(&[0b011]));
        assert_eq!(one.and(&other), Bits::from_bytes(&[0b010]));
    }

    #[test]
    fn a_code_that_does_not_fit_is_no_member() {
        let mut set = Bits::<1>::default();
        set.set(64, true);
        assert!(!set.has(64) && set.is_empty());
    }
}
