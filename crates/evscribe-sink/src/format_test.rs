//! docs/FORMAT.md says what the code does, or this fails.

use std::collections::BTreeSet;

use crate::{SCHEMA_VERSION, Table, layout, provenance::key};

const FORMAT: &str = include_str!("../../../docs/FORMAT.md");

/// The text from a heading to the next of its rank or above.
fn section(heading: &str) -> &'static str {
    let start =
        FORMAT.find(&format!("{heading}\n")).unwrap_or_else(|| panic!("`{heading}` is missing"));
    let text = &FORMAT[start + heading.len()..];
    let ends = ["\n## ", "\n### "].into_iter().filter_map(|end| text.find(end));
    &text[..ends.min().unwrap_or(text.len())]
}

/// The cells of the table rows whose first cell is code.
fn cells(text: &'static str) -> Vec<Vec<&'static str>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()
    })
    .collect()
}

#[test]
fn the_document_states_every_column_with_type_null_and_unit() {
    for table in Table::ALL {
        let stated = cells(section(&format!("### `{}`", table.name())));
        let stated: Vec<_> =
            stated.iter().map(|cells| (cells[0], cells[1], cells[2], cells[3])).collect();
        let null = |nullable| if nullable { "yes" } else { "no" };
        let actual: Vec<_> = table
            .columns()
            .iter()
            .map(|column| (column.name, column.kind.name(), null(column.nullable), column.unit))
            .collect();
        assert_eq!(stated, actual, "table {}", table.name());
        for (column, field) in table.columns().iter().zip(table.schema().fields()) {
            assert_eq!(field.metadata().get("unit").map_or("", String::as_str), column.unit);
        }
    }
}

#[test]
fn the_document_states_every_metadata_key() {
    let stated: Vec<_> =
        cells(section("## Metadata of every file")).iter().map(|cells| cells[0]).collect();
    assert_eq!(stated, key::ALL);
    assert!(FORMAT.contains(&format!("| `evscribe.schema_version` | yes | `{SCHEMA_VERSION}`;")));
}

#[test]
fn the_document_states_every_word_of_a_closed_set() {
    use evscribe_model::{KeyClass, MarkKind, Phase, Tool};
    let stated = |table: &str, column: &str| -> BTreeSet<String> {
        let heading = format!("### `{table}`");
        let line = section(&heading)
            .lines()
            .find(|line| line.starts_with(&format!("| `{column}`")))
            .unwrap();
        line.split('`').skip(3).step_by(2).map(str::to_owned).collect()
    };
    let words = |table: &str, column: &str, words: &[&str]| {
        let stated = stated(table, column);
        assert!(words.iter().all(|word| stated.contains(*word)), "{table}.{column}: {stated:?}");
    };
    words("events", "kind", &crate::encode::KINDS);
    words("events", "key_class", &KeyClass::ALL.map(KeyClass::name));
    words("touch", "phase", &Phase::ALL.map(Phase::name));
    words("touch", "tool", &Tool::ALL.map(Tool::name));
    words("marks", "mark", &MarkKind::ALL.map(MarkKind::name));
    words("devices", "pointing", &crate::encode::POINTINGS);
    words("devices", "origin", &["physical", "virtual", "unknown"]);
}

#[test]
fn the_document_states_the_layout() {
    let text = section("## Layout");
    assert!(
        text.contains(&format!("zstd {},", layout::ZSTD_LEVEL))
            && text.contains("row groups of 65,536 rows")
    );
    assert_eq!(layout::ROW_GROUP_ROWS, 65_536);
    let list = |names: &[&str]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    assert!(text.contains(&format!("{}: `DELTA_BINARY_PACKED`", list(&layout::DELTA))));
    assert!(text.contains(&format!("{}: `BYTE_STREAM_SPLIT`", list(&layout::SPLIT))));
}
