//! Columns of words from a closed set.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, DictionaryArray, Int32Array, Int32Builder, StringArray},
    datatypes::Int32Type,
};
use evscribe_model::{MarkKind, Origin, Pointing};

/// The closed sets. A word's key is its place in the set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Words {
    Mark,
    Pointing,
    Origin,
}

/// The words of column `kind`, by their places.
pub(crate) const KINDS: [&str; 5] = ["motion", "button", "key", "scroll", "switch"];
const ORIGINS: [Origin; 3] = [Origin::Physical, Origin::Virtual, Origin::Unknown];
pub(crate) const POINTINGS: [&str; 4] = ["touchpad", "touchscreen", "pen", "absolute_mouse"];

fn array<'a>(words: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(words.into_iter().map(Some).collect::<StringArray>())
}

static DICTIONARIES: LazyLock<[ArrayRef; 3]> = LazyLock::new(|| {
    [array(MarkKind::ALL.map(MarkKind::name)), array(POINTINGS), array(ORIGINS.map(Origin::name))]
});

impl Words {
    fn dictionary(self) -> ArrayRef {
        let [mark, pointing, origin] = &*DICTIONARIES;
        Arc::clone(match self {
            Self::Mark => mark,
            Self::Pointing => pointing,
            Self::Origin => origin,
        })
    }

    /// The column with these keys; a key outside the set is an error.
    fn column(self, keys: Int32Array) -> Result<ArrayRef, arrow::error::ArrowError> {
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, self.dictionary())?))
    }

    /// The column of keys that this module made itself.
    pub(crate) fn finish(self, keys: &mut Int32Builder) -> ArrayRef {
        let keys = keys.finish();
        let rows = arrow::array::Array::len(&keys);
        // The keys come from the functions below, so they are in the set.
        self.column(keys).unwrap_or_else(|_| arrow::array::new_null_array(&word_type(), rows))
    }
}

fn word_type() -> arrow::datatypes::DataType {
    use arrow::datatypes::DataType;
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Keys are places in `ALL`, which lists the variants in their order.
pub(crate) const fn mark(mark: MarkKind) -> i32 {
    mark as i32
}

pub(crate) const fn pointing(pointing: Pointing) -> i32 {
    match pointing {
        Pointing::Touchpad => 0,
        Pointing::Touchscreen => 1,
        Pointing::Pen => 2,
        Pointing::AbsoluteMouse => 3,
    }
}

pub(crate) const fn origin(origin: Origin) -> i32 {
    match origin {
        Origin::Physical => 0,
        Origin::Virtual => 1,
        Origin::Unknown => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evscribe_model::{KeyClass, Phase, Tool};

    #[test]
    fn each_key_is_the_place_of_its_word() {
        // The journal keeps these places.
        assert!(KeyClass::ALL.into_iter().zip(0..).all(|(class, place)| class as u8 == place));
        assert!(Phase::ALL.into_iter().zip(0..).all(|(phase, place)| phase as u8 == place));
        assert!(Tool::ALL.into_iter().zip(0..).all(|(tool, place)| tool as u8 == place));
        assert!(MarkKind::ALL.into_iter().zip(0..).all(|(m, place)| mark(m) == place));
        assert!(ORIGINS.into_iter().zip(0..).all(|(o, place)| origin(o) == place));
    }
}
