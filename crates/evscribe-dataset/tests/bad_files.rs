//! Files that cannot be read are named, whatever is wrong with them; what is asked
//! of the others is answered where that is wanted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Int32Array, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use evscribe_sink::SealedFile;
use evscribe_sink::crypt::AtRest;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use support::*;

const NO: [&str; 0] = [];
const COUNT: &str = "SELECT count(*), sum(dx), max(time) FROM events";

/// Three segments that are in order: 21 events.
fn three(root: &Path) -> Vec<SealedFile> {
    ["ab01", "cd02", "ef03"]
        .into_iter()
        .flat_map(|host| seal(root, whose(host, 0), AtRest::Plain, &session()))
        .collect()
}

/// Writes a file anew as another program might, with other columns or metadata.
fn again(path: &Path, change: impl Fn(RecordBatch) -> RecordBatch, metadata: (&str, Option<&str>)) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let pairs = builder.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let pairs =
        pairs.into_iter().filter(|pair| pair.key != "ARROW:schema" && pair.key != metadata.0);
    let added = metadata.1.map(|value| KeyValue::new(metadata.0.to_owned(), value.to_owned()));
    let properties = WriterProperties::builder()
        .set_key_value_metadata(Some(pairs.chain(added).collect()))
        .build();
    let batches: Vec<_> = builder.build().unwrap().map(|batch| change(batch.unwrap())).collect();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), Some(properties)).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
}

fn same(batch: RecordBatch) -> RecordBatch {
    batch
}

fn with_words(batch: RecordBatch) -> RecordBatch {
    let schema = batch.schema();
    let words = |field: &FieldRef| match field.name().as_str() {
        "dx" => Arc::new(Field::new("dx", DataType::Utf8, true)),
        _ => Arc::clone(field),
    };
    let schema = Schema::new(schema.fields().iter().map(words).collect::<Vec<_>>());
    let mut columns = batch.columns().to_vec();
    columns[6] = cast(&columns[6], &DataType::Utf8).unwrap();
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn without(name: &'static str) -> impl Fn(RecordBatch) -> RecordBatch {
    move |batch| {
        let kept = (0..batch.num_columns()).filter(|at| batch.schema().field(*at).name() != name);
        batch.project(&kept.collect::<Vec<_>>()).unwrap()
    }
}

fn foreign(path: &Path) {
    let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int32, false)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from(vec![1]))]).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn truncate(path: &Path, keep: impl Fn(u64) -> u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(keep(file.metadata().unwrap().len())).unwrap();
}

fn moved(path: &Path, from: &str, to: &str) -> PathBuf {
    let target = PathBuf::from(path.to_str().unwrap().replace(from, to));
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::rename(path, &target).unwrap();
    target
}

/// A footer that tells of 2^31 - 1 row groups and ends there.
fn endless(path: &Path) {
    let footer = b"\x15\x04\x19\x1c\x48\x01r\x00\x16\x02\x19\xfc\xff\xff\xff\xff\x07\x00";
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    fs::write(path, [b"PAR1", &footer[..], &length, b"PAR1"].concat()).unwrap();
}

type Harm = fn(&Path) -> PathBuf;

fn on(path: &Path, harm: impl FnOnce(&Path)) -> PathBuf {
    harm(path);
    path.to_owned()
}

#[test]
fn each_bad_file_is_named_and_the_rest_is_served_where_asked() {
    let harms: [(&str, Harm, &str); 15] = [
        ("endless", |path| on(path, endless), "its footer is not one"),
        ("foreign", |path| on(path, foreign), "it is no file of evscribe"),
        ("empty", |path| on(path, |path| truncate(path, |_| 0)), "its end is missing"),
        ("half", |path| on(path, |path| truncate(path, |length| length / 2)), "copied by half"),
        ("text", |path| on(path, |path| fs::write(path, "a,b\n1,2\n").unwrap()), "no Parquet file"),
        (
            "newer",
            |path| on(path, |path| again(path, same, ("evscribe.schema_version", Some("2")))),
            "schema version 2, this evscribe-data knows 1",
        ),
        (
            "no version",
            |path| on(path, |path| again(path, same, ("evscribe.schema_version", None))),
            "lacks `evscribe.schema_version`",
        ),
        (
            "no column",
            |path| on(path, |path| again(path, without("dx"), ("", None))),
            "column `dx` of table events is missing",
        ),
        (
            "other type",
            |path| on(path, |path| again(path, with_words, ("", None))),
            "column `dx` is Utf8",
        ),
        (
            "other table",
            |path| on(path, |path| again(path, same, ("evscribe.table", Some("touch")))),
            "wrong place",
        ),
        (
            "other host",
            |path| moved(path, "host=ab01", "host=ab02"),
            "wrong place: its `evscribe.host` is ab01",
        ),
        ("other day", |path| moved(path, "2026-11-23", "2026-11-22"), "rows of another day"),
        (
            "no day",
            |path| moved(path, "date=2026-11-23", "date=2026-11-32"),
            "stands where no file",
        ),
        ("elsewhere", |path| moved(path, "date=2026-11-23/host=ab01/", ""), "stands where no file"),
        (
            "a folder too deep",
            |path| moved(path, "host=ab01", "host=ab01/more"),
            "stands where no file",
        ),
    ];
    for (name, harm, words) in harms {
        let root = tempfile::tempdir().unwrap();
        let files = three(root.path());
        let rest = value(root.path(), &format!("{COUNT} WHERE host <> 'ab01'"), &[]);
        let bad = harm(&events(root.path(), &files));
        let shown = bad.to_str().unwrap();
        query(root.path(), COUNT, &NO).fails_with(&[shown, words, "--skip-bad"]);
        let said = query(root.path(), COUNT, &["--skip-bad", "--format", "csv"]).succeeds();
        assert_eq!(said.text().lines().nth(1).unwrap(), rest, "{name}");
        said.says(&[shown, words, "1 file could not be read and was left out"]);
        let report = query(root.path(), COUNT, &["--skip-bad", "--json"]).succeeds().report();
        assert_eq!(report["skipped"].as_array().unwrap().len(), 1, "{name}: {report}");
        assert_eq!(report["skipped"][0]["file"], shown);
        // The other tables do not suffer.
        assert_eq!(value(root.path(), "SELECT count(*) FROM marks", &[]), "15");
    }
}

#[test]
fn a_file_of_another_writer_with_the_same_columns_is_read() {
    let root = tempfile::tempdir().unwrap();
    let files = three(root.path());
    let before = value(root.path(), COUNT, &[]);
    again(&events(root.path(), &files), same, ("", None));
    assert_eq!(value(root.path(), COUNT, &[]), before);
    assert_eq!(value(root.path(), "SELECT count(*) FROM events WHERE kind = 'key'", &[]), "6");
}

#[test]
fn hidden_names_and_what_is_no_parquet_are_not_looked_at() {
    let root = tempfile::tempdir().unwrap();
    let files = three(root.path());
    let folder = events(root.path(), &files).parent().unwrap().to_owned();
    for name in [".tmp-1.parquet", "_x.parquet", "_SUCCESS", "notes.txt", ".a.parquet.Xy12"] {
        fs::write(folder.join(name), "not to be read").unwrap();
    }
    for hidden in ["events/_work", "events/.work", "_evscribe/events/date=2026-11-23/host=ab01"] {
        fs::create_dir_all(root.path().join(hidden)).unwrap();
        fs::write(root.path().join(hidden).join("a.parquet"), "not to be read").unwrap();
    }
    assert_eq!(value(root.path(), COUNT, &[]), "21,-18,2026-11-23T21:16:40.006000Z");
}

#[test]
fn a_flipped_bit_in_an_encrypted_file_is_an_error_that_names_it_or_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (team, key) = key(root.path(), "team.key");
    let dataset = root.path().join("dataset");
    let at_rest = || AtRest::default().and(team.public());
    let files = seal(&dataset, whose("ab01", 0), at_rest(), &session());
    seal(&dataset, whose("cd02", 0), at_rest(), &session());
    let path = events(&dataset, &files);
    let whole = fs::read(&path).unwrap();
    let sql = "SELECT * FROM events ORDER BY host, time";
    let ask = |extra: &[&str]| {
        let extra = [&["--format", "csv", "--key", key.to_str().unwrap()], extra].concat();
        query(&dataset, sql, &extra)
    };
    let right = ask(&[]).succeeds().out;
    let rest = query(
        &dataset,
        &sql.replace("FROM events", "FROM events WHERE host = 'cd02'"),
        &["--format", "csv", "--key", key.to_str().unwrap()],
    )
    .succeeds()
    .out;
    let mut refused = 0;
    // In steps that go through lengths, nonces, pages, tags and the footer.
    for at in (4..whole.len()).step_by(whole.len() / 61) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        let said = ask(&[]);
        if said.code == Some(0) {
            assert!(said.out == right, "byte {at}: other rows");
            continue;
        }
        refused += 1;
        assert!(said.err.contains(path.to_str().unwrap()), "byte {at}: {}", said.err);
        let said = ask(&["--skip-bad"]).succeeds();
        assert!(said.out == rest, "byte {at}: not the other file's rows");
        said.says(&[path.to_str().unwrap(), "1 file could not be read"]);
    }
    assert!(refused > 50, "only {refused} were found");
}

#[test]
fn an_encrypted_file_that_was_moved_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (team, key) = key(root.path(), "team.key");
    let dataset = root.path().join("dataset");
    let files = seal(&dataset, whose("ab01", 0), AtRest::default().and(team.public()), &session());
    let path = moved(&events(&dataset, &files), "host=ab01", "host=cd02");
    let words = [
        path.to_str().unwrap(),
        "it was sealed for another place, events/date=2026-11-23/host=ab01/",
    ];
    query(&dataset, COUNT, &["--key", key.to_str().unwrap()]).fails_with(&words);
}

#[test]
fn a_wrong_key_and_no_key_are_told_apart_from_damage() {
    let root = tempfile::tempdir().unwrap();
    let (team, _) = key(root.path(), "team.key");
    let (_, other) = key(root.path(), "other.key");
    let dataset = root.path().join("dataset");
    seal(&dataset, whose("ab01", 0), AtRest::default().and(team.public()), &session());
    for extra in [vec![], vec!["--key", other.to_str().unwrap()]] {
        let words = [team.public().id(), "give the secret key of one (`--key`)".into()];
        query(&dataset, COUNT, &extra).fails_with(&[&words[0], &words[1]]);
    }
    let missing = root.path().join("missing.key");
    query(&dataset, COUNT, &["--key", missing.to_str().unwrap()]).fails_with(&["missing.key"]);
}

#[test]
fn files_of_several_levels_get_a_note() {
    let root = tempfile::tempdir().unwrap();
    seal(root.path(), whose("ab01", 0), AtRest::Plain, &session());
    let said = query(root.path(), COUNT, &NO).succeeds();
    assert!(said.err.is_empty(), "{}", said.err);
    seal(root.path(), in_full(whose("cd02", 0)), AtRest::Plain, &session());
    query(root.path(), COUNT, &NO).succeeds().says(&["note: ", "keys=class", "keys=full"]);
    let report = query(root.path(), COUNT, &["--json"]).succeeds().report();
    assert_eq!(report["levels"].as_object().unwrap().len(), 2, "{report}");
}

#[test]
fn a_merged_file_has_the_levels_of_its_sources() {
    let root = tempfile::tempdir().unwrap();
    let files = seal(root.path(), whose("ab01", 0), AtRest::Plain, &session());
    let path = events(root.path(), &files);
    let levels = || query(root.path(), COUNT, &["--json"]).succeeds().report()["levels"].clone();
    let one = "[{\"path\":\"a\",\"rows\":3},{\"path\":\"b\",\"rows\":4}]";
    again(&path, same, ("evscribe.sources", Some(one)));
    assert_eq!(levels(), serde_json::json!({ "keys=class pointer=full": 1 }));
    again(&path, same, ("evscribe.level", None));
    query(root.path(), COUNT, &NO).fails_with(&[path.to_str().unwrap(), "say no level"]);
    let several = "[{\"path\":\"a\",\"level\":\"keys=full pointer=full\"},\
                    {\"path\":\"b\",\"level\":\"keys=off pointer=full\"}]";
    again(&path, same, ("evscribe.sources", Some(several)));
    let expected = serde_json::json!({ "keys=full pointer=full": 1, "keys=off pointer=full": 1 });
    assert_eq!(levels(), expected);
    query(root.path(), COUNT, &NO).succeeds().says(&["note: ", "keys=full", "keys=off"]);
    again(&path, same, ("evscribe.sources", Some("{}")));
    query(root.path(), COUNT, &NO).fails_with(&["`evscribe.sources`, cannot be read"]);
}
