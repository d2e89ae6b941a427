//! The tables and their columns: the schema, stated once.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// Version of the schema; a change of meaning raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// The time zone of every timestamp.
pub(crate) const UTC: &str = "UTC";

/// A table of the dataset: one directory, one schema.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// Motion, buttons, keys, scroll, switches.
    Events,
    /// Changes of contacts.
    Touch,
    /// What is absent and why; where something begins and ends.
    Marks,
    /// The devices that were read.
    Devices,
}

/// The type of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Time,
    Word,
    Text,
    Int16,
    Int32,
    Int64,
    Float,
    Bool,
    Axes,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            Self::Word => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Self::Text => DataType::Utf8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Axes => {
                DataType::List(Arc::new(Field::new("item", DataType::Struct(axis_fields()), false)))
            }
        }
    }

    /// The word for it in docs/FORMAT.md.
    #[cfg(test)]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Time => "timestamp[us, UTC]",
            Self::Word => "dictionary<int32, string>",
            Self::Text => "string",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::Axes => "list<struct>",
        }
    }
}

/// The fields of one element of column `axes`.
pub(crate) fn axis_fields() -> Fields {
    let int32 = |name: &str| Field::new(name, DataType::Int32, false);
    Fields::from(vec![
        Field::new("code", DataType::Int16, false),
        int32("min"),
        int32("max"),
        int32("fuzz"),
        int32("flat"),
        int32("resolution"),
    ])
}

/// One column: name, type, whether it may be null, unit (`""` for none).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    pub(crate) unit: &'static str,
}

const fn always(name: &'static str, kind: Kind, unit: &'static str) -> Column {
    Column { name, kind, nullable: false, unit }
}

const fn maybe(name: &'static str, kind: Kind, unit: &'static str) -> Column {
    Column { name, kind, nullable: true, unit }
}

const EVENTS: [Column; 15] = [
    always("time", Kind::Time, "µs"),
    always("subject", Kind::Word, ""),
    always("session", Kind::Word, ""),
    always("run", Kind::Int32, ""),
    always("device", Kind::Int16, ""),
    always("kind", Kind::Word, ""),
    maybe("dx", Kind::Int32, "device counts"),
    maybe("dy", Kind::Int32, "device counts"),
    maybe("wheel_v_120", Kind::Int32, "1/120 detent"),
    maybe("wheel_h_120", Kind::Int32, "1/120 detent"),
    maybe("down", Kind::Bool, ""),
    maybe("code", Kind::Int16, "evdev code"),
    maybe("key_class", Kind::Word, ""),
    maybe("stroke", Kind::Int32, ""),
    always("inferred", Kind::Bool, ""),
];

const TOUCH: [Column; 14] = [
    always("time", Kind::Time, "µs"),
    always("subject", Kind::Word, ""),
    always("session", Kind::Word, ""),
    always("run", Kind::Int32, ""),
    always("device", Kind::Int16, ""),
    always("contact", Kind::Int32, ""),
    always("phase", Kind::Word, ""),
    maybe("x_um", Kind::Int32, "µm"),
    maybe("y_um", Kind::Int32, "µm"),
    maybe("x", Kind::Int32, "device units"),
    maybe("y", Kind::Int32, "device units"),
    maybe("pressure", Kind::Int32, "device units"),
    always("tool", Kind::Word, ""),
    always("inferred", Kind::Bool, ""),
];

const MARKS: [Column; 9] = [
    always("time", Kind::Time, "µs"),
    maybe("until", Kind::Time, "µs"),
    always("subject", Kind::Word, ""),
    always("session", Kind::Word, ""),
    maybe("run", Kind::Int32, ""),
    maybe("device", Kind::Int16, ""),
    always("mark", Kind::Word, ""),
    always("reason", Kind::Word, ""),
    maybe("lost", Kind::Int64, "rows"),
];

const DEVICES: [Column; 17] = [
    always("time", Kind::Time, "µs"),
    always("boot", Kind::Word, ""),
    always("device", Kind::Int16, ""),
    maybe("name", Kind::Text, ""),
    always("bus", Kind::Int32, "BUS_*"),
    always("vendor", Kind::Int32, ""),
    always("product", Kind::Int32, ""),
    always("version", Kind::Int32, ""),
    always("has_keys", Kind::Bool, ""),
    always("has_motion", Kind::Bool, ""),
    always("has_wheel", Kind::Bool, ""),
    always("has_switches", Kind::Bool, ""),
    maybe("pointing", Kind::Word, ""),
    always("multitouch", Kind::Bool, ""),
    always("origin", Kind::Word, ""),
    maybe("counts_per_mm", Kind::Float, "counts/mm"),
    always("axes", Kind::Axes, "device units"),
];

impl Table {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Events, Self::Touch, Self::Marks, Self::Devices];

    /// Its name, which is its directory.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Touch => "touch",
            Self::Marks => "marks",
            Self::Devices => "devices",
        }
    }

    /// The table of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its Arrow schema; columns with a unit carry it as field metadata `unit`.
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        let [events, touch, marks, devices] = &*SCHEMAS;
        Arc::clone(match self {
            Self::Events => events,
            Self::Touch => touch,
            Self::Marks => marks,
            Self::Devices => devices,
        })
    }

    pub(crate) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Events => &EVENTS,
            Self::Touch => &TOUCH,
            Self::Marks => &MARKS,
            Self::Devices => &DEVICES,
        }
    }
}

static SCHEMAS: LazyLock<[SchemaRef; 4]> =
    LazyLock::new(|| Table::ALL.map(|table| Arc::new(make(table))));

fn make(table: Table) -> Schema {
    let field = |column: &Column| {
        let field = Field::new(column.name, column.kind.data_type(), column.nullable);
        if column.unit.is_empty() {
            field
        } else {
            field.with_metadata([("unit".to_owned(), column.unit.to_owned())].into())
        }
    };
    Schema::new(table.columns().iter().map(field).collect::<Vec<_>>())
}
