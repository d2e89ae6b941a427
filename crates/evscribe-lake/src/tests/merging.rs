//! What merging makes of a lake.

use std::collections::BTreeSet;

use evscribe_model::{KeyLevel, Level};
use evscribe_sink::crypt::{AtRest, Keyring, SecretKey};
use evscribe_sink::inspect::TableFile;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::lakes::{Lake, ring, rows, sitting, sources, team};
use super::support;
use crate::concat::SourceNote;
use crate::{DataPath, Merging, Sealing, Wanted, merge, verify};

#[tokio::test]
async fn small_files_become_one_that_has_the_same_rows_and_is_in_order() {
    let lake = Lake::of(&[
        sitting("ab01", "cafe", 0),
        sitting("ab01", "beef", 20_000),
        sitting("ab01", "cafe", 40_000),
        sitting("ab02", "f00d", 0),
    ])
    .await;
    let (before, of_before) = (lake.rows().await, sources(&lake.place).await);
    let held = lake.hold().await;
    let report =
        merge((&lake.place, &held), &Merging::default(), &lake.sealing().await).await.unwrap();
    assert_eq!((report.files_before, report.files_after), (16, 8));
    assert_eq!(report.merged.len(), 4);
    assert!(report.merged.iter().all(|merged| (merged.files, merged.sources) == (3, 3)));
    assert_eq!(lake.files().await.len(), 8);
    assert_eq!(lake.rows().await, before);
    assert_eq!(sources(&lake.place).await, of_before);
    for merged in &report.merged {
        let path = DataPath::parse(&merged.path).unwrap();
        assert_eq!(path.host(), "ab01");
        let name = merged.path.rsplit('/').next().unwrap();
        assert!(name.starts_with("20261123T211640.000"), "{name}");
    }
    let found = verify((&lake.place, &held), &ring(&[team()]), false).await.unwrap();
    assert!(found.is_sound(), "{:?}", found.problems);
    assert_eq!((found.files, found.read, found.sources), (8, 8, 16));
}

#[tokio::test]
async fn a_second_run_does_nothing_and_what_comes_later_is_merged_with_what_was() {
    let sittings: Vec<_> = (0..6).map(|at| sitting("ab01", "cafe", at * 20_000)).collect();
    // Plain: encrypted ones are others each time that they are sealed.
    let (lake, other) = (Lake::new(), Lake::new());
    for sitting in &sittings[..4] {
        lake.pull(sitting, AtRest::Plain).await;
    }
    let held = lake.hold().await;
    let run = async || {
        let merging = Merging::default();
        merge((&lake.place, &held), &merging, &lake.sealing().await).await.unwrap()
    };
    let first = run().await;
    let files = lake.files().await;
    let second = run().await;
    assert_eq!((second.merged.len(), second.files_before, second.files_after), (0, 4, 4));
    assert_eq!(lake.files().await, files);
    lake.pull(&sittings[4], AtRest::Plain).await;
    lake.pull(&sittings[5], AtRest::Plain).await;
    let third = run().await;
    assert!(third.merged.iter().all(|merged| (merged.files, merged.sources) == (3, 6)));
    assert_eq!((third.files_before, third.files_after), (12, 4));
    assert_ne!(first.merged[0].path, third.merged[0].path);
    // Made of the same at once: the same names.
    for sitting in &sittings {
        other.pull(sitting, AtRest::Plain).await;
    }
    let held = other.hold().await;
    merge((&other.place, &held), &Merging::default(), &other.sealing().await).await.unwrap();
    assert_eq!(other.files().await, lake.files().await);
    assert_eq!(other.rows().await, lake.rows().await);
}

#[tokio::test]
async fn what_overlaps_in_time_goes_into_different_files() {
    let lake = Lake::of(&[
        sitting("ab01", "cafe", 0),
        sitting("ab01", "beef", 2_000),
        sitting("ab01", "cafe", 20_000),
        sitting("ab01", "beef", 22_000),
    ])
    .await;
    let held = lake.hold().await;
    let before = lake.rows().await;
    let report =
        merge((&lake.place, &held), &Merging::default(), &lake.sealing().await).await.unwrap();
    // Of devices, each file is one moment.
    assert_eq!(report.files_after, 3 * 2 + 1);
    assert_eq!(lake.rows().await, before);
    let found = verify((&lake.place, &held), &ring(&[team()]), false).await.unwrap();
    assert!(found.is_sound(), "{:?}", found.problems);
}

#[tokio::test]
async fn the_metadata_says_what_is_common_and_keeps_the_rest_by_source() {
    let mut full = sitting("ab01", "beef", 20_000);
    full.level = Level { keys: KeyLevel::Timing, ..Level::default() };
    let lake = Lake::of(&[sitting("ab01", "cafe", 0), full, sitting("ab01", "cafe", 40_000)]).await;
    let held = lake.hold().await;
    merge((&lake.place, &held), &Merging::default(), &lake.sealing().await).await.unwrap();
    let path = lake.files().await.into_iter().find(|path| path.starts_with("events/")).unwrap();
    let file = TableFile::open(lake.root.path(), &path, &ring(&[team()])).unwrap();
    let said = |key: &str| file.metadata().get(&format!("evscribe.{key}")).map(String::as_str);
    assert_eq!(
        (said("table"), said("host"), said("boot")),
        (Some("events"), Some("ab01"), Some("b007"))
    );
    assert_eq!((said("schema_version"), said("notice_sha256")), (Some("1"), Some("11")));
    assert_eq!((said("segment"), said("level"), said("ledger_head")), (None, None, None));
    let notes: Vec<SourceNote> = serde_json::from_str(said("sources").unwrap()).unwrap();
    let own = |key: &str| notes.iter().map(|note| note.own[key].as_str()).collect::<Vec<_>>();
    assert_eq!(own("ledger_head"), ["0", "20000", "40000"]);
    assert_eq!(own("level")[1], "keys=timing pointer=full");
    assert_eq!(notes.iter().map(|note| note.rows).collect::<Vec<_>>(), [6, 6, 6]);
    assert_eq!(notes[1].subject, "beef");
    let record = lake.record("ab01").await;
    let sources = &record.files[&path].sources;
    assert!(notes.iter().zip(sources).all(|(note, source)| note.path == source.sealed.path));
}

#[tokio::test]
async fn files_are_laid_out_as_the_format_says() {
    let lake = Lake::new();
    for at in 0..3 {
        lake.pull(&sitting("ab01", "cafe", at * 20_000), AtRest::Plain).await;
    }
    let held = lake.hold().await;
    let sealing = Sealing::new(&lake.place, Keyring::default(), Wanted::Same).await.unwrap();
    merge((&lake.place, &held), &Merging::default(), &sealing).await.unwrap();
    for path in lake.files().await {
        let file = std::fs::File::open(lake.root.path().join(&path)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let metadata = reader.metadata();
        let group = metadata.row_group(0);
        assert_eq!(group.sorting_columns().map(|columns| columns[0].column_idx), Some(0));
        for column in group.columns() {
            let name = column.column_path().string();
            assert!(
                column.bloom_filter_offset().is_none() && column.offset_index_offset().is_none()
            );
            assert!(column.statistics().is_some() || name.starts_with("axes"), "{path} {name}");
            let encodings: Vec<String> =
                column.encodings().map(|encoding| encoding.to_string()).collect();
            let has = |encoding: &str| encodings.iter().any(|found| found == encoding);
            match name.as_str() {
                "time" | "until" | "dx" | "dy" | "stroke" => assert!(has("DELTA_BINARY_PACKED")),
                "x" | "y" => assert!(has("BYTE_STREAM_SPLIT"), "{path} {encodings:?}"),
                "down" | "inferred" => assert!(!has("RLE_DICTIONARY")),
                "subject" | "kind" | "run" => assert!(has("RLE_DICTIONARY")),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn nobody_loses_or_gains_access_without_being_named() {
    let second = SecretKey::generate().unwrap();
    let lake = Lake::new();
    let own = support::keys().own().public();
    let for_both = AtRest::default().and(team().public()).and(second.public()).and(own.clone());
    let for_one = AtRest::default().and(team().public()).and(own.clone());
    for (at, at_rest) in [&for_both, &for_both, &for_one, &for_one].into_iter().enumerate() {
        lake.pull(&sitting("ab01", "cafe", at as u64 * 20_000), at_rest.clone()).await;
    }
    let held = lake.hold().await;
    let before = lake.rows().await;
    let error = merge((&lake.place, &held), &Merging::default(), &lake.sealing().await).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains(&second.public().id()) && error.contains("--recipient"), "{error}");
    assert!(!error.contains(&own.id()), "the workstation does not read a lake: {error}");
    assert_eq!(lake.files().await.len(), 16, "nothing has changed");
    // With both secret keys, two of each kind become one.
    let keys = super::lakes::sealing(&lake.place, &[team(), second.clone()]).await;
    let report = merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
    assert_eq!(report.files_after, 8);
    assert_eq!(report.left_out, BTreeSet::from([own.id()]));
    assert_eq!(lake.rows().await, before);
    let of_second = lake.files().await.into_iter().filter(|path| {
        TableFile::open(lake.root.path(), path, &ring(std::slice::from_ref(&second))).is_ok()
    });
    assert_eq!(of_second.count(), 4);
    // Named, and so all in one.
    let wanted = Wanted::For(vec![second.public()]);
    let keys = Sealing::new(&lake.place, ring(&[team(), second.clone()]), wanted).await.unwrap();
    let report = merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
    assert_eq!(report.files_after, 4);
    assert_eq!(rows(&lake.place, &ring(&[second])).await, before);
    let plain = Sealing::new(&lake.place, ring(&[team()]), Wanted::Plain).await.unwrap();
    let report = merge((&lake.place, &held), &Merging::default(), &plain).await.unwrap();
    assert_eq!(report.merged.len(), 0, "one file is nothing to merge");
}

#[tokio::test]
async fn encrypted_files_become_a_plain_one_where_that_is_wanted() {
    let lake = Lake::of(&[sitting("ab01", "cafe", 0), sitting("ab01", "cafe", 20_000)]).await;
    let held = lake.hold().await;
    let before = lake.rows().await;
    let plain = Sealing::new(&lake.place, ring(&[team()]), Wanted::Plain).await.unwrap();
    merge((&lake.place, &held), &Merging::default(), &plain).await.unwrap();
    assert_eq!(rows(&lake.place, &Keyring::default()).await, before);
    let found = verify((&lake.place, &held), &Keyring::default(), false).await.unwrap();
    assert!(found.is_sound(), "{:?}", found.problems);
}

#[tokio::test]
async fn only_the_dates_and_sizes_that_were_asked_for_are_merged() {
    let day = support::DAY_US;
    let lake = Lake::of(&[
        sitting("ab01", "cafe", 0),
        sitting("ab01", "cafe", 20_000),
        sitting("ab01", "cafe", day),
        sitting("ab01", "cafe", day + 20_000),
    ])
    .await;
    let held = lake.hold().await;
    let keys = lake.sealing().await;
    let run = async |merging: Merging| merge((&lake.place, &held), &merging, &keys).await.unwrap();
    assert!(run(Merging { min_files: 3, ..Merging::default() }).await.merged.is_empty());
    assert!(run(Merging { max_bytes: 4000, ..Merging::default() }).await.merged.is_empty());
    let dates = BTreeSet::from(["2026-11-24".to_owned()]);
    let report = run(Merging { dates, ..Merging::default() }).await;
    assert_eq!(report.merged.len(), 4);
    assert!(report.merged.iter().all(|merged| merged.path.contains("/date=2026-11-24/")));
}
