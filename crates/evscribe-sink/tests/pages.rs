//! What crate parquet reads from a sealed file is what was written.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::{fs::File, path::Path};

use arrow::{array::*, compute::concat_batches, datatypes::*};
use evscribe_model::{KeyClass, Phase, Row, Tool, Touch, What};
use evscribe_sink::{SealedFile, SegmentId, SegmentWriter};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use support::*;

/// Seals the rows and reads the one file of theirs back.
fn sealed(root: &Path, rows: &[Row]) -> (SealedFile, RecordBatch) {
    let mut dataset = open(root);
    let mut segment =
        SegmentWriter::begin(&dataset, SegmentId::of(b"pages"), provenance()).unwrap();
    segment.write_rows(rows).unwrap();
    let mut files = segment.finish(&mut dataset).unwrap();
    assert_eq!(files.len(), 1);
    let file = files.remove(0);
    let bytes = File::open(root.join(&file.path)).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, reading());
    let reader = builder.unwrap().with_batch_size(1000).build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let batch = concat_batches(&file.table.schema(), &batches).unwrap();
    (file, batch)
}

fn number<T: ArrowPrimitiveType>(batch: &RecordBatch, name: &str, row: usize) -> Option<i64>
where
    T::Native: Into<i64>,
{
    let column = batch.column_by_name(name).unwrap().as_primitive::<T>();
    column.is_valid(row).then(|| column.value(row).into())
}

fn word<'a>(batch: &'a RecordBatch, name: &str, row: usize) -> Option<&'a str> {
    let column = batch.column_by_name(name).unwrap().as_dictionary::<Int32Type>();
    let words = column.values().as_string::<i32>();
    column.key(row).map(|key| words.value(key))
}

fn truth(batch: &RecordBatch, name: &str, row: usize) -> Option<bool> {
    let column = batch.column_by_name(name).unwrap().as_boolean();
    column.is_valid(row).then(|| column.value(row))
}

fn event_at(batch: &RecordBatch, row: usize) -> What {
    let int32 = |name| number::<Int32Type>(batch, name, row).map(|n| i32::try_from(n).unwrap());
    let code = number::<Int16Type>(batch, "code", row).map(|n| u16::try_from(n).unwrap());
    let class = word(batch, "key_class", row)
        .map(|word| KeyClass::ALL.into_iter().find(|class| class.name() == word).unwrap());
    let inferred = truth(batch, "inferred", row).unwrap();
    let down = truth(batch, "down", row);
    let kind = word(batch, "kind", row).unwrap();
    assert_eq!(kind == "motion", int32("dx").is_some() && int32("dy").is_some());
    assert_eq!(kind == "scroll", int32("wheel_v_120").is_some());
    assert_eq!(kind == "key" || kind == "button", int32("stroke").is_some());
    let stroke = int32("stroke").unwrap_or(0);
    match kind {
        "motion" => What::Motion { dx: int32("dx").unwrap(), dy: int32("dy").unwrap() },
        "scroll" => What::Scroll {
            v_120: int32("wheel_v_120").unwrap(),
            h_120: int32("wheel_h_120").unwrap(),
        },
        "button" => What::Button { code: code.unwrap(), down: down.unwrap(), stroke, inferred },
        "key" => What::Key { code, class, down: down.unwrap(), stroke, inferred },
        "switch" => What::Switch { code: code.unwrap(), down: down.unwrap(), inferred },
        other => panic!("{other}"),
    }
}

fn any_what() -> impl Strategy<Value = What> {
    let code = || 0..=i16::MAX.unsigned_abs();
    let class = prop::option::of(prop::sample::select(KeyClass::ALL.to_vec()));
    prop_oneof![
        6 => (-300..300, -3..3).prop_map(|(dx, dy)| What::Motion { dx, dy }),
        1 => any::<(i32, i32)>().prop_map(|(dx, dy)| What::Motion { dx, dy }),
        1 => any::<(i32, i32)>().prop_map(|(v_120, h_120)| What::Scroll { v_120, h_120 }),
        1 => (code(), any::<bool>(), any::<i32>(), any::<bool>()).prop_map(
            |(code, down, stroke, inferred)| What::Button { code, down, stroke, inferred }
        ),
        1 => (prop::option::of(code()), class, any::<bool>(), 0..500, any::<bool>()).prop_map(
            |(code, class, down, stroke, inferred)| What::Key {
                code, class, down, stroke, inferred,
            }
        ),
        1 => (code(), any::<bool>(), any::<bool>())
            .prop_map(|(code, down, inferred)| What::Switch { code, down, inferred }),
    ]
}

/// How many rows of the same follow, and when: spans short and long.
fn spans<T: std::fmt::Debug + Clone>(
    one: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<(T, u64, usize)>> {
    prop::collection::vec((one, 0..20_000_000_u64, 1..40_usize), 1..60)
}

fn unrolled<T: Copy>(spans: &[(T, u64, usize)]) -> Vec<(u64, T)> {
    let mut at_us = 0;
    let mut rows = Vec::new();
    for (what, later_us, count) in spans {
        for _ in 0..*count {
            at_us += later_us / 500;
            rows.push((at_us, *what));
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn prop_events_come_back(spans in spans((any_what(), -3..3_i32, 0..3_i16))) {
        let expected = unrolled(&spans);
        let rows: Vec<Row> = expected
            .iter()
            .map(|(us, (what, run, device))| event(*us, *run, *device, *what))
            .collect();
        let root = tempfile::tempdir().unwrap();
        let (file, batch) = sealed(root.path(), &rows);
        prop_assert_eq!(file.rows, rows.len() as u64);
        for (row, (us, (what, run, device))) in expected.into_iter().enumerate() {
            let at_us = batch.column(0).as_primitive::<TimestampMicrosecondType>().value(row);
            prop_assert_eq!(at_us, WALL_US + i64::try_from(us).unwrap());
            prop_assert_eq!(event_at(&batch, row), what);
            prop_assert_eq!(number::<Int32Type>(&batch, "run", row), Some(run.into()));
            prop_assert_eq!(number::<Int16Type>(&batch, "device", row), Some(device.into()));
            prop_assert_eq!(word(&batch, "subject", row), Some("cafe"));
            prop_assert_eq!(word(&batch, "session", row), Some("d00d"));
        }
    }

    #[test]
    fn prop_touches_come_back(spans in spans((any::<[Option<i32>; 5]>(), 0..5_usize, 0..9_usize, any::<bool>()))) {
        let expected = unrolled(&spans);
        let rows: Vec<Row> = expected
            .iter()
            .map(|(us, ([x, y, x_um, y_um, pressure], phase, tool, inferred))| {
                let Row::Touch(like) = touch(*us, 1, Phase::ALL[*phase]) else { panic!() };
                let (x, y, x_um, y_um, pressure) = (*x, *y, *x_um, *y_um, *pressure);
                let (tool, inferred) = (Tool::ALL[*tool], *inferred);
                Row::Touch(Touch { x, y, x_um, y_um, pressure, tool, inferred, ..like })
            })
            .collect();
        let root = tempfile::tempdir().unwrap();
        let (_, batch) = sealed(root.path(), &rows);
        prop_assert_eq!(batch.num_rows(), rows.len());
        for (row, (_, (places, phase, tool, inferred))) in expected.into_iter().enumerate() {
            for (name, place) in ["x", "y", "x_um", "y_um", "pressure"].into_iter().zip(places) {
                prop_assert_eq!(number::<Int32Type>(&batch, name, row), place.map(Into::into));
            }
            prop_assert_eq!(word(&batch, "phase", row), Some(Phase::ALL[phase].name()));
            prop_assert_eq!(word(&batch, "tool", row), Some(Tool::ALL[tool].name()));
            prop_assert_eq!(truth(&batch, "inferred", row), Some(inferred));
        }
    }
}
