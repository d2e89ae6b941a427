//! What cannot be taken out of one file keeps nothing else from going.

use std::collections::BTreeSet;
use std::fs;

use super::lakes::{Lake, sitting};
use crate::{Change, LakeError, Merging, change, erase, merge};

/// Three sittings of one host and two of another, merged, of one person.
async fn merged() -> Lake {
    let lake = Lake::of(&[
        sitting("ab01", "cafe", 0),
        sitting("ab01", "beef", 20_000),
        sitting("ab01", "cafe", 40_000),
        sitting("ab02", "cafe", 0),
        sitting("ab02", "beef", 20_000),
    ])
    .await;
    let held = lake.hold().await;
    merge((&lake.place, &held), &Merging::default(), &lake.sealing().await).await.unwrap();
    held.release().await;
    lake
}

/// Makes the merged events of that host missing, or unreadable for the disk.
async fn without_events(lake: &Lake, host: &str, is_missing: bool) -> String {
    let record = lake.record(host).await;
    let path = record.files.keys().find(|path| path.starts_with("events/")).unwrap().clone();
    let at = lake.root.path().join(&path);
    fs::remove_file(&at).unwrap();
    if !is_missing {
        // Opens, and cannot be read: an error of the system.
        fs::create_dir(&at).unwrap();
    }
    path
}

#[tokio::test]
async fn a_file_that_cannot_be_read_keeps_no_other_partition_from_changing() {
    for is_missing in [true, false] {
        let lake = merged().await;
        let path = without_events(&lake, "ab01", is_missing).await;
        let (held, keys) = (lake.hold().await, lake.sealing().await);
        let mut record = lake.record("ab01").await;
        let sources = || record.files.values().flat_map(|file| file.sources.iter());
        let gone: BTreeSet<String> = sources()
            .filter(|source| source.sealed.subject == "cafe")
            .map(|source| source.sealed.path.clone())
            .collect();
        assert_eq!(gone.len(), 8);
        let what = Change { gone: gone.clone(), ..Change::default() };
        let error = change((&lake.place, &held), &mut record, what, &keys).await.unwrap_err();
        assert!(matches!(error, LakeError::File { .. }), "{error:?}");
        assert!(error.to_string().contains(&path), "{error}");
        let left: Vec<_> = record
            .files
            .values()
            .flat_map(|file| &file.sources)
            .filter(|source| gone.contains(&source.sealed.path))
            .collect();
        assert!(left.len() == 2 && left.iter().all(|s| s.sealed.path.starts_with("events/")));
        assert_eq!(lake.record("ab01").await, record, "and that is written down");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_keeps_nobody_from_being_erased_elsewhere() {
    for is_missing in [true, false] {
        let lake = merged().await;
        let path = without_events(&lake, "ab01", is_missing).await;
        let (held, keys) = (lake.hold().await, lake.sealing().await);
        let cafe = BTreeSet::from(["cafe".to_owned()]);
        let receipt = erase((&lake.place, &held), &cafe, &keys).await.unwrap().remove(0);
        assert!(!receipt.proven);
        assert_eq!(receipt.left.iter().map(|left| &left.path).collect::<Vec<_>>(), [&path]);
        assert_eq!(receipt.erased.len(), 6 + 4, "{:?}", receipt.erased.keys());
        let of_second = lake.record("ab02").await;
        let mut sources = of_second.files.values().flat_map(|file| &file.sources);
        assert!(sources.all(|source| source.sealed.subject != "cafe"));
    }
}
