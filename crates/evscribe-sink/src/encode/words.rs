//! Columns of words from a closed set.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, DictionaryArray, Int32Array, Int32Builder, StringArray},
    datatypes::Int32Type,
};
use evscribe_model::{KeyClass, MarkKind, Origin, Phase, Pointing, Tool};

/// The closed sets. A word's key is its place in the set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Words {
    Kind,
    KeyClass,
    Phase,
    Tool,
    Mark,
    Pointing,
    Origin,
}

/// The words of column `kind`, in the order of [`super::events::EventKind`].
pub(crate) const KINDS: [&str; 5] = ["motion", "button", "key", "scroll", "switch"];
const ORIGINS: [Origin; 3] = [Origin::Physical, Origin::Virtual, Origin::Unknown];
pub(crate) const POINTINGS: [&str; 4] = ["touchpad", "touchscreen", "pen", "absolute_mouse"];

fn array<'a>(words: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(words.into_iter().map(Some).collect::<StringArray>())
}

static DICTIONARIES: LazyLock<[ArrayRef; 7]> = LazyLock::new(|| {
    [
        array(KINDS),
        array(KeyClass::ALL.map(KeyClass::name)),
        array(Phase::ALL.map(Phase::name)),
        array(Tool::ALL.map(Tool::name)),
        array(MarkKind::ALL.map(MarkKind::name)),
        array(POINTINGS),
        array(ORIGINS.map(Origin::name)),
    ]
});

impl Words {
    /// The set of a column; `None` where its words are not a closed set.
    pub(crate) fn of(column: &str) -> Option<Self> {
        Some(match column {
            "kind" => Self::Kind,
            "key_class" => Self::KeyClass,
            "phase" => Self::Phase,
            "tool" => Self::Tool,
            "mark" => Self::Mark,
            "pointing" => Self::Pointing,
            "origin" => Self::Origin,
            _ => return None,
        })
    }

    fn dictionary(self) -> ArrayRef {
        let [kind, class, phase, tool, mark, pointing, origin] = &*DICTIONARIES;
        Arc::clone(match self {
            Self::Kind => kind,
            Self::KeyClass => class,
            Self::Phase => phase,
            Self::Tool => tool,
            Self::Mark => mark,
            Self::Pointing => pointing,
            Self::Origin => origin,
        })
    }

    /// The column with these keys; a key outside the set is an error.
    pub(crate) fn column(self, keys: Int32Array) -> Result<ArrayRef, arrow::error::ArrowError> {
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
pub(crate) const fn key_class(class: KeyClass) -> i32 {
    class as i32
}

pub(crate) const fn phase(phase: Phase) -> i32 {
    phase as i32
}

pub(crate) const fn tool(tool: Tool) -> i32 {
    tool as i32
}

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

    #[test]
    fn each_key_is_the_place_of_its_word() {
        assert!(KeyClass::ALL.into_iter().zip(0..).all(|(class, place)| key_class(class) == place));
        assert!(Phase::ALL.into_iter().zip(0..).all(|(p, place)| phase(p) == place));
        assert!(Tool::ALL.into_iter().zip(0..).all(|(t, place)| tool(t) == place));
        assert!(MarkKind::ALL.into_iter().zip(0..).all(|(m, place)| mark(m) == place));
        assert!(ORIGINS.into_iter().zip(0..).all(|(o, place)| origin(o) == place));
    }
}
