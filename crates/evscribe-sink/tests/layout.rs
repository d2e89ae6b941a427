//! How sealed files are laid out: the same, plain or encrypted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::{
    fs::{self, File},
    path::Path,
};

use evscribe_model::{Phase, Row};
use evscribe_sink::{
    Dataset, Provenance, SealedFile, SegmentId, SegmentWriter, Table,
    crypt::{self, AtRest},
};
use parquet::{
    arrow::arrow_reader::ArrowReaderMetadata,
    basic::{Compression, Encoding},
    file::metadata::{ColumnChunkMetaData, ParquetMetaData},
};
use support::*;

/// Files of all tables, of events and touch large ones.
fn sealed(root: &Path, at_rest: AtRest) -> Vec<SealedFile> {
    let mut dataset = Dataset::create_or_open(root).unwrap();
    dataset.set_at_rest(at_rest);
    // Long enough not to be met by chance.
    let (subject, session_name) = ("cafecafe".into(), "d00dd00d".into());
    let provenance =
        Provenance { boot: "b007b007".into(), subject, session: session_name, ..provenance() };
    let mut segment = SegmentWriter::begin(&dataset, SegmentId::of(b"layout"), provenance).unwrap();
    let mut rows: Vec<Row> = (0..70_000).map(|row| motion(row * 1000, 2, 2)).collect();
    rows.extend((0..5_000).map(|row| touch(row * 1000, 1, Phase::Move)));
    rows.extend(session().into_iter().filter(|row| matches!(row, Row::Mark(_) | Row::Device(_))));
    segment.write_rows(&rows).unwrap();
    segment.finish(&mut dataset).unwrap()
}

fn metadata(root: &Path, file: &SealedFile) -> ArrowReaderMetadata {
    ArrowReaderMetadata::load(&File::open(root.join(&file.path)).unwrap(), reading()).unwrap()
}

#[test]
fn columns_have_the_encodings_that_were_measured_to_be_small() {
    let root = tempfile::tempdir().unwrap();
    let own = AtRest::default().and(keys().own().public());
    for file in sealed(root.path(), own) {
        let (Table::Events | Table::Touch) = file.table else { continue };
        let metadata = metadata(root.path(), &file);
        let groups = metadata.metadata().row_groups();
        let rows: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
        let is_events = file.table == Table::Events;
        assert_eq!(rows, if is_events { vec![65_536, 4_464] } else { vec![5_000] });
        for group in groups {
            assert_eq!(group.sorting_columns().unwrap()[0].column_idx, 0);
            group.columns().iter().for_each(check);
        }
        let per_row = file.bytes as f64 / file.rows as f64;
        assert!(per_row < 3.0, "{} has {per_row} bytes a row", file.path);
    }
}

fn check(column: &ColumnChunkMetaData) {
    let name = column.column_path().string();
    let encodings: Vec<_> = column.encodings().collect();
    let has = |encoding| encodings.contains(&encoding);
    assert!(matches!(column.compression(), Compression::ZSTD(_)), "{name}");
    assert!(
        column.bloom_filter_offset().is_none() && column.column_index_offset().is_none(),
        "{name}"
    );
    assert!(column.statistics().is_some(), "{name}");
    let (delta, split) = (has(Encoding::DELTA_BINARY_PACKED), has(Encoding::BYTE_STREAM_SPLIT));
    match name.as_str() {
        "time" | "dx" | "dy" | "stroke" => {
            assert!(delta && !has(Encoding::RLE_DICTIONARY), "{name} {encodings:?}")
        }
        "x" | "y" => assert!(split && !has(Encoding::RLE_DICTIONARY), "{name} {encodings:?}"),
        "inferred" | "down" => assert!(!delta && !split, "{name} {encodings:?}"),
        _ => assert!(has(Encoding::RLE_DICTIONARY), "{name} {encodings:?}"),
    }
}

/// What must not change by being encrypted: everything but offsets and sizes.
fn layout(metadata: &ParquetMetaData) -> String {
    let file = metadata.file_metadata();
    let mut said = format!(
        "{} {:?} {:?} {:?}\n",
        file.num_rows(),
        file.created_by(),
        file.key_value_metadata(),
        file.schema_descr(),
    );
    for group in metadata.row_groups() {
        let sorted = group.sorting_columns();
        said += &format!("{} {:?} {sorted:?}\n", group.num_rows(), group.ordinal());
        for column in group.columns() {
            said += &format!(
                "{} {:?} {:?} {} {:?} dictionary {}\n",
                column.column_path(),
                column.encodings().collect::<Vec<_>>(),
                column.compression(),
                column.num_values(),
                column.statistics(),
                column.dictionary_page_offset().is_some(),
            );
        }
    }
    said
}

#[test]
fn an_encrypted_file_is_laid_out_as_a_plain_one_and_hardly_larger() {
    let (plain, encrypted) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let own = AtRest::default().and(keys().own().public());
    let files = sealed(plain.path(), AtRest::Plain).into_iter();
    for (one, other) in files.zip(sealed(encrypted.path(), own)) {
        assert_eq!((&one.path, one.rows), (&other.path, other.rows));
        let [metadata_of_one, metadata_of_other] =
            [metadata(plain.path(), &one), metadata(encrypted.path(), &other)];
        assert_eq!(layout(metadata_of_one.metadata()), layout(metadata_of_other.metadata()));
        let is_encrypted = |root: &Path| {
            crypt::is_encrypted(&mut File::open(root.join(&one.path)).unwrap()).unwrap()
        };
        assert!(!is_encrypted(plain.path()) && is_encrypted(encrypted.path()));
        // An hour at a desk is fifty times as long: there it is 2 %.
        let more = other.bytes - one.bytes;
        assert!(more < 6_000, "{}: {more} bytes more of {}", one.path, one.bytes);
    }
}

#[test]
fn nothing_of_an_encrypted_file_but_its_place_and_its_keys_is_in_the_clear() {
    let root = tempfile::tempdir().unwrap();
    let own = AtRest::default().and(keys().own().public());
    for file in sealed(root.path(), own) {
        let bytes = fs::read(root.path().join(&file.path)).unwrap();
        let holds = |word: &str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
        // That it is found where it is says that the test sees it.
        assert!(holds(&file.path) && holds("PKMT1"), "{}", file.path);
        for word in ["cafecafe", "d00dd00d", "b007b007", "motion", "subject", "schema", "ledger"] {
            assert!(!holds(word), "{} holds {word}", file.path);
        }
    }
}
