//! What is asked of a dataset is answered, in every form, and from no more files
//! than it takes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;

use evscribe_sink::crypt::AtRest;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use support::*;

const NO: [&str; 0] = [];

#[test]
fn every_form_has_the_same_rows_and_times_stay_microseconds_of_utc() {
    let root = tempfile::tempdir().unwrap();
    four(root.path());
    let sql = "SELECT events.time, host, events.date, kind, dx, axes, \
                      axes[1]['resolution'] AS resolution \
               FROM events LEFT JOIN \
                    (SELECT host, device, axes FROM devices WHERE date = '2026-11-23') \
                    USING (host, device) \
               WHERE kind = 'motion' ORDER BY host, date";
    let rows = query(root.path(), sql, &["--format", "json"]).succeeds().rows();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0]["time"], "2026-11-23T21:16:40.002000Z");
    assert_eq!((&rows[0]["host"], &rows[0]["date"]), (&"ab01".into(), &"2026-11-23".into()));
    assert_eq!((&rows[0]["resolution"], &rows[0]["axes"][0]["max"]), (&40.into(), &10.into()));

    let flat = sql.replace(" axes,", "");
    let csv = query(root.path(), &flat, &["--format", "csv"]).succeeds();
    let lines: Vec<_> = csv.text().lines().collect();
    assert_eq!(lines[0], "time,host,date,kind,dx,resolution");
    assert_eq!(lines[1], "2026-11-23T21:16:40.002000Z,ab01,2026-11-23,motion,-6,40");
    let table = query(root.path(), &flat, &NO).succeeds();
    assert_eq!(table.text().lines().count(), rows.len() + 4, "{}", table.text());
    assert!(table.text().contains("2026-11-23T21:16:40.002000Z"), "{}", table.text());

    let out = root.path().join("out.parquet");
    let said = query(root.path(), sql, &["--format", "parquet", "--out", out.to_str().unwrap()]);
    assert!(said.succeeds().out.is_empty());
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&out).unwrap()).unwrap();
    let kind = reader.schema().field_with_name("time").unwrap().data_type().to_string();
    assert_eq!(kind, "Timestamp(µs, \"UTC\")");
    assert_eq!(reader.metadata().file_metadata().num_rows(), 4);
    let arrow = query(root.path(), sql, &["--format", "arrow"]).succeeds();
    assert!(arrow.out.starts_with(b"ARROW1") && arrow.out.ends_with(b"ARROW1"));

    let now = root.path().join("now.parquet");
    let zoned = "SELECT host, array_agg(time AT TIME ZONE 'Europe/Berlin') AS times FROM events \
                 WHERE kind = 'motion' GROUP BY host ORDER BY host";
    let rows = query(root.path(), zoned, &["--format", "json"]).succeeds().rows();
    let first = rows[0]["times"].to_string();
    assert!(first.contains("2026-11-23T22:16:40.002000+01:00"), "{first}");
    let utc = zoned.replace(" AT TIME ZONE 'Europe/Berlin'", "");
    let rows = query(root.path(), &utc, &["--format", "json"]).succeeds().rows();
    assert!(rows[0]["times"].to_string().contains("2026-11-23T21:16:40.002000Z"));

    query(
        root.path(),
        "SELECT now() AS n",
        &["--format", "parquet", "--out", now.to_str().unwrap()],
    )
    .succeeds();
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&now).unwrap()).unwrap();
    assert_eq!(reader.schema().field(0).data_type().to_string(), "Timestamp(µs, \"UTC\")");
}

#[test]
fn only_dates_and_hosts_that_are_asked_for_are_opened() {
    let root = tempfile::tempdir().unwrap();
    four(root.path());
    for (condition, dates, listed, read) in [
        ("true", 2, 4, 4),
        ("date = '2026-11-23'", 1, 2, 2),
        ("date > DATE '2026-11-23'", 1, 2, 2),
        ("extract(day FROM date) = 24", 1, 2, 2),
        ("host = 'cd02'", 2, 4, 2),
        ("host LIKE '%b01' AND date IN ('2026-11-24', '2026-12-01')", 1, 2, 1),
        ("date = '2026-11-23' OR host = 'cd02'", 2, 4, 3),
        ("time >= '2026-11-24T00:00:00Z'", 1, 2, 2),
        ("time BETWEEN '2026-11-23T21:00:00Z' AND '2026-11-23T22:00:00Z'", 1, 2, 2),
        ("date = '1999-01-01'", 0, 0, 0),
    ] {
        let sql = format!("SELECT count(*) AS n FROM events WHERE {condition}");
        let said = query(root.path(), &sql, &["--json"]).succeeds();
        let scan = &said.report()["scans"][0];
        let found =
            ["dates_listed", "files_listed", "files"].map(|name| scan[name].as_u64().unwrap());
        assert_eq!(found, [dates, listed, read], "{condition}");
        assert_eq!(said.rows()[0]["n"], 7 * read, "{condition}");
    }
    let sql = "EXPLAIN SELECT sum(dx) FROM events WHERE date = '2026-11-24' AND host = 'cd02'";
    let said = query(root.path(), sql, &NO).succeeds();
    assert!(said.err.contains("events: 1 of 2 dates listed, 1 of their 2 files to be read"));
    let plan = said.text();
    assert!(plan.contains("events/date=2026-11-24/host=cd02/"), "{plan}");
    assert!(!plan.contains("2026-11-23") && !plan.contains("ab01"), "{plan}");
}

#[test]
fn encrypted_and_plain_files_are_one_table_for_who_has_the_key() {
    let root = tempfile::tempdir().unwrap();
    let (team, file) = key(root.path(), "team.key");
    let dataset = root.path().join("dataset");
    seal(&dataset, whose("ab01", 0), AtRest::default().and(team.public()), &session());
    seal(&dataset, whose("cd02", 0), AtRest::Plain, &session());
    let sql = "SELECT count(*), sum(dx), max(time), count(DISTINCT host) FROM events";
    assert_eq!(
        value(&dataset, sql, &["--key", file.to_str().unwrap()]),
        "14,-12,2026-11-23T21:16:40.006000Z,2"
    );
    // Who lacks the key is told, and may ask of the rest, also by conditions.
    query(&dataset, sql, &NO).fails_with(&["host=ab01", "is at hand", "--skip-bad"]);
    assert_eq!(value(&dataset, sql, &["--skip-bad"]), "7,-6,2026-11-23T21:16:40.006000Z,1");
    let plain = format!("{sql} WHERE host = 'cd02'");
    assert_eq!(value(&dataset, &plain, &[]), "7,-6,2026-11-23T21:16:40.006000Z,1");
}

#[test]
fn a_table_without_files_is_empty_and_has_its_columns() {
    let root = tempfile::tempdir().unwrap();
    seal(root.path(), whose("ab01", 0), AtRest::Plain, &[motion(1_000, 1, 1)]);
    assert!(!root.path().join("touch").exists());
    let said = query(root.path(), "SELECT * FROM touch", &["--format", "csv"]).succeeds();
    let names = "time,subject,session,run,device,contact,phase,x_um,y_um,x,y,pressure,tool,inferred,date,host\n";
    assert_eq!(said.text(), names);
    assert_eq!(value(root.path(), "SELECT count(*) FROM touch", &[]), "0");
    let types = query(root.path(), "DESCRIBE touch", &["--format", "csv"]).succeeds();
    assert!(types.text().contains("date,Date32,NO"), "{}", types.text());
}

#[test]
fn functions_for_time_words_windows_and_axes_are_there() {
    let root = tempfile::tempdir().unwrap();
    four(root.path());
    for (sql, expected) in [
        ("SELECT date_trunc('hour', max(time)) FROM events", "2026-11-24T21:00:00.000000Z"),
        (
            "SELECT date_bin(INTERVAL '5 minutes', min(time)) FROM events",
            "2026-11-23T21:15:00.000000Z",
        ),
        ("SELECT date_part('hour', min(time)) FROM events", "21"),
        ("SELECT count(*) FROM events WHERE regexp_like(kind, '^(key|button)$')", "16"),
        ("SELECT upper(substr(kind, 1, 3)) FROM events WHERE kind = 'scroll' LIMIT 1", "SCR"),
        ("SELECT sqrt(sum(power(dx, 2))) FROM events", "12.0"),
        (
            "SELECT max(gap) FROM (SELECT arrow_cast(time, 'Int64') - lag(arrow_cast(time, 'Int64')) \
             OVER (PARTITION BY host, device, date ORDER BY time) AS gap FROM events)",
            "3000",
        ),
        ("SELECT approx_percentile_cont(dx, 0.5) FROM events", "-6.0"),
        ("SELECT sum(a['resolution']) FROM (SELECT unnest(axes) AS a FROM devices)", "480"),
        (
            "SELECT count(*) FROM events JOIN devices USING (host, device) WHERE events.date = devices.date",
            "28",
        ),
    ] {
        assert_eq!(value(root.path(), sql, &[]), expected, "{sql}");
    }
}

#[test]
fn what_does_not_fit_into_memory_is_sorted_on_disk() {
    let root = tempfile::tempdir().unwrap();
    let rows: Vec<_> = (0..400_000).map(|n| motion(n * 100, 1, 1)).collect();
    seal(root.path(), whose("ab01", 0), AtRest::Plain, &rows);
    let sql = "SELECT time, dx, subject, session, run FROM events ORDER BY dx, time DESC";
    let sorted = query(root.path(), sql, &["--format", "csv", "--memory-mib", "16"]).succeeds();
    let whole = query(root.path(), sql, &["--format", "csv"]).succeeds();
    assert_eq!(sorted.text().lines().count(), rows.len() + 1);
    assert!(sorted.out == whole.out, "the order differs");
    let explain = format!("EXPLAIN ANALYZE {sql}");
    let said = query(root.path(), &explain, &["--memory-mib", "16"]).succeeds();
    let spills = said.text().split("spill_count=").nth(1).unwrap();
    assert!(!spills.starts_with('0'), "{}", said.text());
}

#[test]
fn a_file_appears_whole_or_not_at_all_and_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let files = four(root.path());
    let folder = root.path().join("out");
    fs::create_dir(&folder).unwrap();
    let out = folder.join("rows.csv");
    let ask = |extra: &[&str]| {
        let extra = [&["--format", "csv", "--out", out.to_str().unwrap()], extra].concat();
        query(root.path(), "SELECT * FROM events ORDER BY time", &extra)
    };
    ask(&[]).succeeds();
    let before = fs::read(&out).unwrap();
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(events(root.path(), &files), b"no more").unwrap();
    ask(&[]).fails_with(&["its end is missing"]);
    assert_eq!(fs::read(&out).unwrap(), before);
    ask(&["--skip-bad"]).succeeds();
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines(&fs::read(&out).unwrap()), lines(&before) - 7);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "something was left behind");
}

#[test]
fn nothing_can_be_changed_and_errors_of_sql_say_what_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    four(root.path());
    let target = root.path().join("x.csv");
    let copy = format!("COPY (SELECT 1) TO '{}'", target.display());
    for (sql, words) in [
        ("CREATE TABLE t AS SELECT 1", "DDL not supported"),
        (copy.as_str(), "DML not supported"),
        ("INSERT INTO marks SELECT * FROM marks", "DML not supported"),
        ("DROP TABLE events", "DDL not supported"),
        ("SET datafusion.execution.batch_size = 1", "Statement not supported"),
        ("SELECT nothing FROM events", "No field named nothing"),
        ("SELECT * FROM raw", "table 'datafusion.public.raw' not found"),
        ("SELEC 1", "SELEC"),
        ("SELECT 1; SELECT 2", "single SQL statement"),
        ("SELECT 1 / (dx + 6) FROM events WHERE kind = 'motion'", "ivide by zero"),
    ] {
        let said = query(root.path(), sql, &["--skip-bad"]).fails_with(&[words]);
        assert!(!said.err.contains("left out"), "{}", said.err);
    }
    assert!(!target.exists());
    for (place, words) in [
        ("nowhere", "No such file or directory"),
        ("out.txt", "is no folder"),
        ("empty", "neither a dataset nor a lake"),
    ] {
        fs::write(root.path().join("out.txt"), "").unwrap();
        fs::create_dir_all(root.path().join("empty")).unwrap();
        query(&root.path().join(place), "SELECT 1", &NO).fails_with(&[place, words]);
    }
    query(Path::new("ftp://x/y"), "SELECT 1", &NO).fails_with(&["ftp:// is not known"]);
}

#[test]
fn columns_of_one_name_are_for_people_only() {
    let root = tempfile::tempdir().unwrap();
    four(root.path());
    let sql = "SELECT * FROM events JOIN devices USING (host, device)";
    for format in ["csv", "json", "parquet", "arrow"] {
        query(root.path(), sql, &["--format", format])
            .fails_with(&["two columns are called `time`", "devices.time AS other"]);
    }
    let table = query(root.path(), sql, &NO).succeeds();
    assert_eq!(table.text().lines().nth(1).unwrap().matches(" time ").count(), 2);
    let named = "SELECT events.time, devices.time AS other FROM events \
                 JOIN devices USING (host, device)";
    let rows = query(root.path(), named, &["--format", "json"]).succeeds().rows();
    assert!(rows[0]["time"].is_string() && rows[0]["other"].is_string(), "{}", rows[0]);
}

#[test]
fn a_change_that_shows_rows_twice_is_waited_for_in_a_folder_too() {
    let root = tempfile::tempdir().unwrap();
    let files = four(root.path());
    let [old, new] = [0, 1].map(|at| {
        let mut events = files.iter().filter(|file| file.path.starts_with("events/"));
        events.nth(at).unwrap().path.clone()
    });
    let intents = root.path().join("_evscribe/intents");
    let told = |is_swap: bool, remove: &str, add: &str| {
        let intent = json!({
            "version": 1, "host": "ab01", "partition": "events/date=2026-11-23/host=ab01",
            "remove": [remove], "add": { add: {} }, "is_swap": is_swap,
        });
        fs::create_dir_all(&intents).unwrap();
        fs::write(intents.join("ab01.json"), intent.to_string()).unwrap();
    };
    let sql = "SELECT count(*) FROM events";
    told(false, &old, &new);
    query(root.path(), sql, &NO).fails_with(&["host=ab01", "ask again in a moment"]);
    // Of other files, and of folders that change places: nothing is there twice.
    assert_eq!(value(root.path(), &format!("{sql} WHERE host = 'cd02'"), &[]), "14");
    told(false, &old, "events/date=2026-11-23/host=ab01/comes.parquet");
    assert_eq!(value(root.path(), sql, &[]), "28");
    told(true, &old, &new);
    assert_eq!(value(root.path(), sql, &[]), "28");
    fs::remove_dir_all(&intents).unwrap();
    assert_eq!(value(root.path(), sql, &[]), "28");
}

#[test]
fn place_query_and_options_come_in_any_order() {
    let root = tempfile::tempdir().unwrap();
    four(root.path());
    let place = root.path().to_str().unwrap();
    let sql = "SELECT count(*) FROM events";
    for args in [
        vec![place, sql, "--format", "csv"],
        vec![place, "--format", "csv", sql],
        vec!["--format", "csv", place, sql],
        vec!["--lake", place, "--format", "csv", sql],
        vec![sql, "--format", "csv", "--lake", place],
    ] {
        assert_eq!(ask(&args).succeeds().text(), "count(*)\n28\n", "{args:?}");
    }
    ask(&[place, sql, "--lake", place]).fails_with(&["named twice"]);
}
