//! How sealed files are laid out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs::File;

use evscribe_model::{Phase, Row};
use evscribe_sink::{Dataset, SegmentId, SegmentWriter, Table};
use parquet::{
    basic::{Compression, Encoding},
    file::reader::{FileReader, SerializedFileReader},
};
use support::*;

#[test]
fn columns_have_the_encodings_that_were_measured_to_be_small() {
    let root = tempfile::tempdir().unwrap();
    let mut dataset = Dataset::create_or_open(root.path()).unwrap();
    let mut segment =
        SegmentWriter::begin(&dataset, SegmentId::of(b"layout"), provenance()).unwrap();
    let rows: Vec<Row> = (0..70_000).map(|row| motion(row * 1000, 2, 2)).collect();
    segment.write_rows(&rows).unwrap();
    let rows: Vec<Row> = (0..5_000).map(|row| touch(row * 1000, 1, Phase::Move)).collect();
    segment.write_rows(&rows).unwrap();
    for file in segment.finish(&mut dataset).unwrap() {
        let reader =
            SerializedFileReader::new(File::open(root.path().join(&file.path)).unwrap()).unwrap();
        let metadata = reader.metadata();
        let groups: Vec<i64> = metadata.row_groups().iter().map(|group| group.num_rows()).collect();
        assert_eq!(
            groups,
            if file.table == Table::Events { vec![65_536, 4_464] } else { vec![5_000] }
        );
        for group in metadata.row_groups() {
            assert_eq!(group.sorting_columns().unwrap()[0].column_idx, 0);
            for column in group.columns() {
                let name = column.column_path().string();
                let encodings: Vec<_> = column.encodings().collect();
                let has = |encoding| encodings.contains(&encoding);
                assert!(matches!(column.compression(), Compression::ZSTD(_)), "{name}");
                assert!(
                    column.bloom_filter_offset().is_none()
                        && column.column_index_offset().is_none(),
                    "{name}"
                );
                assert!(column.statistics().is_some(), "{name}");
                let (delta, split) =
                    (has(Encoding::DELTA_BINARY_PACKED), has(Encoding::BYTE_STREAM_SPLIT));
                match name.as_str() {
                    "time" | "dx" | "dy" | "stroke" => {
                        assert!(delta && !has(Encoding::RLE_DICTIONARY), "{name} {encodings:?}")
                    }
                    "x" | "y" => {
                        assert!(split && !has(Encoding::RLE_DICTIONARY), "{name} {encodings:?}")
                    }
                    "inferred" | "down" => assert!(!delta && !split, "{name} {encodings:?}"),
                    _ => assert!(has(Encoding::RLE_DICTIONARY), "{name} {encodings:?}"),
                }
            }
        }
        let per_row = file.bytes as f64 / file.rows as f64;
        assert!(per_row < 3.0, "{} has {per_row} bytes a row", file.path);
    }
}
