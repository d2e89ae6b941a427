//! Files that are not what they should be.

use std::fs;

use evscribe_sink::SealedFile;
use evscribe_sink::crypt::{AtRest, SecretKey};

use super::lakes::{Lake, ring, sealing, sitting, team};
use crate::{LakeError, LakeFile, Merging, Place, Source, merge, verify};

/// A lake of three sittings whose second file of events is replaced by `bytes`,
/// with a record that believes in it.
async fn with(bytes: impl Fn(&[u8]) -> Vec<u8>, at_rest: AtRest) -> (Lake, String) {
    let lake = Lake::new();
    for at in 0..3 {
        lake.pull(&sitting("ab01", "cafe", at * 20_000), at_rest.clone()).await;
    }
    let mut record = lake.record("ab01").await;
    let mut events = record.files.keys().filter(|path| path.starts_with("events/"));
    let path = events.nth(1).cloned().unwrap();
    let at = lake.root.path().join(&path);
    let new = bytes(&fs::read(&at).unwrap());
    fs::write(&at, &new).unwrap();
    let (sha256, length) = evscribe_sink::sha256_file(&at).unwrap();
    let file = record.files.get_mut(&path).unwrap();
    let sealed =
        SealedFile { sha256: sha256.clone(), bytes: length, ..file.sources[0].sealed.clone() };
    *file = LakeFile { sha256, bytes: length, sources: vec![Source { sealed }], ..file.clone() };
    record.write(&lake.place).await.unwrap();
    (lake, path)
}

async fn is_left_alone(lake: &Lake, path: &str, what: &str) {
    let place: &Place = &lake.place;
    let held = lake.hold().await;
    let keys = sealing(place, &[team()]).await;
    let before = fs::read(lake.root.path().join(path)).unwrap();
    let files = lake.files().await;
    let error = merge((place, &held), &Merging::default(), &keys).await.unwrap_err();
    assert!(matches!(error, LakeError::File { .. }), "{error:?}");
    assert!(error.to_string().contains(path), "{error}");
    assert!(error.chain().contains(what), "{what}: {}", error.chain());
    let partition = path.rsplit_once('/').unwrap().0;
    let inside = |files: &[String]| -> Vec<String> {
        files.iter().filter(|path| path.starts_with(partition)).cloned().collect()
    };
    assert_eq!(inside(&lake.files().await), inside(&files), "its partition is as it was");
    let merging = Merging { skip_bad: true, ..Merging::default() };
    let report = merge((place, &held), &merging, &keys).await.unwrap();
    assert_eq!(report.bad.len(), 1, "{report:?}");
    assert_eq!(report.bad[0].path, path);
    assert!(
        report.merged.iter().any(|merged| merged.path.starts_with("events/") && merged.files == 2)
    );
    assert_eq!(fs::read(lake.root.path().join(path)).unwrap(), before);
    let found = verify((place, &held), &ring(&[team()]), false).await.unwrap();
    assert!(found.problem_count >= 1 && found.problems.iter().all(|p| p.path == path), "{found:?}");
}

#[tokio::test]
async fn half_a_file_is_named_and_left() {
    let (lake, path) = with(|bytes| bytes[..bytes.len() / 2].to_vec(), AtRest::Plain).await;
    is_left_alone(&lake, &path, "").await;
}

#[tokio::test]
async fn a_damaged_page_is_named_and_left() {
    let damage = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[4..60].fill(0xaa);
        bytes
    };
    let (lake, path) = with(damage, AtRest::Plain).await;
    is_left_alone(&lake, &path, "").await;
    let (lake, path) = with(damage, super::lakes::for_team()).await;
    is_left_alone(&lake, &path, "").await;
}

#[tokio::test]
async fn foreign_parquet_and_newer_versions_are_named_and_left() {
    let foreign = |_: &[u8]| {
        use arrow::array::{ArrayRef, Int64Array, RecordBatch};
        let column: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    };
    let (lake, path) = with(foreign, AtRest::Plain).await;
    is_left_alone(&lake, &path, "metadata `evscribe.schema_version` is missing").await;
    let newer = |bytes: &[u8]| {
        let key = b"evscribe.schema_version\x18\x01";
        let at = bytes.windows(key.len()).position(|part| part == key).unwrap() + key.len();
        let mut bytes = bytes.to_vec();
        assert_eq!(bytes[at], b'1');
        bytes[at] = b'2';
        bytes
    };
    let (lake, path) = with(newer, AtRest::Plain).await;
    is_left_alone(&lake, &path, "schema version 2").await;
}

#[tokio::test]
async fn a_file_of_another_table_is_named_and_left() {
    let lake_of_touch = Lake::new();
    let files = lake_of_touch.pull(&sitting("ab01", "cafe", 0), AtRest::Plain).await;
    let touch = files.iter().find(|file| file.path.starts_with("touch/")).unwrap();
    let other = fs::read(lake_of_touch.root.path().join(&touch.path)).unwrap();
    let (lake, path) = with(|_| other.clone(), AtRest::Plain).await;
    is_left_alone(&lake, &path, "another table").await;
}

#[tokio::test]
async fn a_file_for_other_keys_is_named_with_what_to_give() {
    let stranger = SecretKey::generate().unwrap();
    let lake = Lake::new();
    let at_rest =
        AtRest::default().and(stranger.public()).and(super::support::keys().own().public());
    for at in 0..2 {
        lake.pull(&sitting("ab01", "cafe", at * 20_000), at_rest.clone()).await;
    }
    let held = lake.hold().await;
    let keys = crate::Sealing::new(
        &lake.place,
        ring(&[team()]),
        crate::Wanted::For(vec![stranger.public()]),
    )
    .await
    .unwrap();
    let error = merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap_err();
    assert!(error.lacks_key() && error.chain().contains("--key"), "{}", error.chain());
    let merging = Merging { skip_bad: true, ..Merging::default() };
    let report = merge((&lake.place, &held), &merging, &keys).await.unwrap();
    // Of two files one is found, then the other is nothing to merge.
    assert_eq!((report.bad.len(), report.merged.len()), (4, 0));
}

#[tokio::test]
async fn a_missing_file_is_named_and_the_others_are_merged_without_it() {
    let (lake, path) = with(<[u8]>::to_vec, AtRest::Plain).await;
    fs::remove_file(lake.root.path().join(&path)).unwrap();
    let held = lake.hold().await;
    let keys = sealing(&lake.place, &[team()]).await;
    let error = merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap_err();
    assert!(error.chain().contains(&path) && error.chain().contains("missing"), "{error:?}");
    let merging = Merging { skip_bad: true, ..Merging::default() };
    let report = merge((&lake.place, &held), &merging, &keys).await.unwrap();
    assert_eq!(report.bad.len(), 1, "{report:?}");
    assert_eq!(report.bad[0].path, path);
    assert!(report.merged.iter().any(|merged| merged.path.starts_with("events/")), "{report:?}");
}

#[tokio::test]
async fn a_file_that_the_disk_does_not_give_is_named_and_the_others_are_merged() {
    let (lake, path) = with(<[u8]>::to_vec, AtRest::Plain).await;
    // A read of it fails, for root as well.
    fs::remove_file(lake.root.path().join(&path)).unwrap();
    fs::create_dir(lake.root.path().join(&path)).unwrap();
    let held = lake.hold().await;
    let keys = sealing(&lake.place, &[team()]).await;
    let merging = Merging { skip_bad: true, ..Merging::default() };
    let report = merge((&lake.place, &held), &merging, &keys).await.unwrap();
    assert_eq!((report.bad.len(), report.merged.len()), (1, 4), "{report:?}");
}
