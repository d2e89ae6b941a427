//! What stands in `policy.toml` and its drop-ins, as written, with places.

use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

/// A value of which the place is known, in the text of all files after another.
pub(crate) type Value<T> = Option<Spanned<T>>;

/// One value or several.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(crate) fn words(&self) -> &[String] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::More(words) => words,
        }
    }
}

/// A table of optional values: what a later file says replaces what an earlier
/// one said, key by key.
macro_rules! table {
    ($name:ident { $($field:ident: $type:ty),* $(,)? } $(tables { $($inner:ident: $of:ty),* $(,)? })?) => {
        #[derive(Deserialize, Default)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $name {
            $(pub(crate) $field: Value<$type>,)*
            $($(pub(crate) $inner: $of,)*)?
        }

        impl $name {
            /// Takes over what `newer` says; its places are `by` further on.
            pub(crate) fn merge(&mut self, newer: Self, by: usize) {
                $(if let Some(value) = newer.$field { self.$field = Some(shift(value, by)); })*
                $($(self.$inner.merge(newer.$inner, by);)*)?
            }
        }
    };
}

table!(PolicyToml {
    purpose: String,
    lawful_basis: OneOrMore,
    relationship: String,
    dpia_reference: String,
    at_rest: String,
    acknowledged: toml::Value,
} tables {
    controller: ControllerToml,
    notice: NoticeToml,
    level: LevelToml,
    schedule: ScheduleToml,
    retention: RetentionToml,
    pull: PullToml,
    pseudonyms: PseudonymsToml,
    hotkey: HotkeyToml,
    segment: SegmentToml,
});
table!(ControllerToml { name: String, contact: String });
table!(NoticeToml { version: String, text_file: PathBuf, renew: String });
table!(LevelToml { keys: String, pointer: String, keys_full_reason: String });
table!(ScheduleToml { days: Vec<String>, from: String, until: String, time_zone: String });
table!(RetentionToml { days: i64, max_mib: i64 });
table!(PullToml { cooling_off_hours: i64 });
table!(PseudonymsToml { rotate_days: i64 });
table!(HotkeyToml { pause: String, minutes: i64 });
table!(SegmentToml { max_minutes: i64, max_mib: i64 });

fn shift<T>(value: Spanned<T>, by: usize) -> Spanned<T> {
    let Range { start, end } = value.span();
    Spanned::new(start + by..end + by, value.into_inner())
}
