//! A kill at any moment: the next program finds everything once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use evscribe_sink::plain_copy;
use object_store::memory::InMemory;

use super::lakes::{
    Lake, Sitting, bring, for_team, hold, ring, rows, sealing, sitting, sources, team,
};
use super::support::copy;
use crate::{
    Change, Incoming, LakeFile, Merging, Place, Source, change, erase, merge, recover, verify,
};

fn sittings() -> [Sitting; 5] {
    [
        sitting("ab01", "cafe", 0),
        sitting("ab01", "beef", 20_000),
        sitting("ab01", "cafe", 40_000),
        sitting("ab02", "f00d", 0),
        sitting("ab02", "f00d", 20_000),
    ]
}

/// The lake as it is at each step of `act`.
async fn copies(lake: &Lake, act: impl AsyncFnOnce()) -> Vec<tempfile::TempDir> {
    let copies = Arc::new(Mutex::new(Vec::new()));
    let (root, to) = (lake.root.path().to_owned(), Arc::clone(&copies));
    lake.place.steps().watch(Some(Box::new(move || {
        let copied = tempfile::tempdir().unwrap();
        copy(&root, copied.path());
        to.lock().unwrap().push(copied);
    })));
    act().await;
    lake.place.steps().watch(None);
    std::mem::take(&mut copies.lock().unwrap())
}

fn open(copied: &Path) -> Place {
    Place::open(copied.to_str().unwrap(), None).unwrap()
}

async fn is_sound(place: &Place, at: usize) {
    let held = hold(place).await;
    let found = verify((place, &held), &ring(&[team()]), false).await.unwrap();
    assert!(found.is_sound(), "step {at}: {:?}", found.problems);
    held.release().await;
}

#[tokio::test]
async fn a_merge_that_is_killed_shows_every_row_once_at_every_moment() {
    let lake = Lake::of(&sittings()).await;
    let (expected, of_all) = (lake.rows().await, sources(&lake.place).await);
    let held = lake.hold().await;
    let keys = lake.sealing().await;
    let copies = copies(&lake, async || {
        merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
    })
    .await;
    let merged = lake.files().await;
    assert_eq!(merged.len(), 8);
    assert!(copies.len() > 60, "{}", copies.len());
    for (at, copied) in copies.iter().enumerate() {
        let place = open(copied.path());
        let keys = ring(&[team()]);
        assert_eq!(rows(&place, &keys).await, expected, "who reads at step {at}");
        let held = hold(&place).await;
        recover(&place, &held).await.unwrap();
        assert_eq!(rows(&place, &keys).await, expected, "after step {at}");
        assert_eq!(sources(&place).await, of_all, "after step {at}");
        assert_eq!(recover(&place, &held).await.unwrap(), 0);
        held.release().await;
        is_sound(&place, at).await;
    }
    // And goes on to the same end.
    for copied in copies.iter().step_by(7) {
        let place = open(copied.path());
        let held = hold(&place).await;
        let keys = sealing(&place, &[team()]).await;
        merge((&place, &held), &Merging::default(), &keys).await.unwrap();
        assert_eq!(super::lakes::files(&place).await, merged);
        let left = place.list("_evscribe").await.unwrap();
        assert!(left.iter().all(|file| !file.path.contains("intents/")), "{left:?}");
    }
}

#[tokio::test]
async fn a_marker_of_an_earlier_change_does_not_speak_for_a_later_one() {
    let lake = Lake::of(&sittings()).await;
    let expected = lake.rows().await;
    // As after a power cut: the intent is gone for good, its marker is back.
    for path in lake.files().await {
        let partition = lake.root.path().join(path).parent().unwrap().to_owned();
        std::fs::write(partition.join(".evscribe-swap"), "").unwrap();
    }
    let held = lake.hold().await;
    let keys = lake.sealing().await;
    let copies = copies(&lake, async || {
        merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
    })
    .await;
    for (at, copied) in copies.iter().enumerate() {
        let place = open(copied.path());
        let held = hold(&place).await;
        recover(&place, &held).await.unwrap();
        assert_eq!(rows(&place, &ring(&[team()])).await, expected, "after step {at}");
        held.release().await;
        is_sound(&place, at).await;
    }
}

#[tokio::test]
async fn where_folders_cannot_change_places_no_row_is_missing_either() {
    let lake = Lake::of(&sittings()).await;
    let (expected, of_all) = (lake.rows().await, sources(&lake.place).await);
    // A folder in it has no second name.
    for path in lake.files().await {
        let partition = lake.root.path().join(path).parent().unwrap().to_owned();
        std::fs::create_dir_all(partition.join("foreign")).unwrap();
    }
    let held = lake.hold().await;
    let keys = lake.sealing().await;
    let copies = copies(&lake, async || {
        merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
    })
    .await;
    assert_eq!((lake.rows().await, lake.files().await.len()), (expected.clone(), 8));
    // No second name keeps alive what an erasure then removes.
    let swaps = lake.root.path().join("_evscribe/swap");
    assert_eq!(std::fs::read_dir(swaps).into_iter().flatten().count(), 0);
    for (at, copied) in copies.iter().enumerate() {
        let place = open(copied.path());
        let seen: BTreeSet<String> = rows(&place, &ring(&[team()])).await.into_iter().collect();
        assert!(expected.iter().all(|row| seen.contains(row)), "a row is missing at step {at}");
        let held = hold(&place).await;
        recover(&place, &held).await.unwrap();
        assert_eq!(rows(&place, &ring(&[team()])).await, expected, "after step {at}");
        assert_eq!(sources(&place).await, of_all, "after step {at}");
    }
}

#[tokio::test]
async fn on_s3_a_merge_that_is_killed_never_lacks_a_row_and_ends_with_each_once() {
    let (store, dataset, work) =
        (InMemory::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Arc::new(store);
    let place = Place::of_store(store.clone(), work.path());
    for sitting in sittings() {
        let files = sitting.seal(dataset.path(), for_team());
        bring(&place, dataset.path(), &files, true).await;
    }
    let keys = ring(&[team()]);
    let (expected, of_all) = (rows(&place, &keys).await, sources(&place).await);
    let forks = Arc::new(Mutex::new(Vec::new()));
    let (at_step, from) = (Arc::clone(&forks), Arc::clone(&store));
    place.steps().watch(Some(Box::new(move || at_step.lock().unwrap().push(from.fork()))));
    let held = hold(&place).await;
    let with = sealing(&place, &[team()]).await;
    merge((&place, &held), &Merging::default(), &with).await.unwrap();
    place.steps().watch(None);
    assert_eq!(rows(&place, &keys).await, expected);
    let forks = std::mem::take(&mut *forks.lock().unwrap());
    assert!(forks.len() > 40, "{}", forks.len());
    for (at, fork) in forks.into_iter().enumerate() {
        let work = tempfile::tempdir().unwrap();
        let place = Place::of_store(Arc::new(fork), work.path());
        let seen: BTreeSet<String> = rows(&place, &keys).await.into_iter().collect();
        assert!(expected.iter().all(|row| seen.contains(row)), "a row is missing at step {at}");
        // The holder's lease is not over; it does not matter to what is left.
        recover(&place, &held).await.unwrap();
        assert_eq!(rows(&place, &keys).await, expected, "after step {at}");
        assert_eq!(sources(&place).await, of_all, "after step {at}");
        let found = verify((&place, &held), &keys, false).await.unwrap();
        assert!(found.is_sound(), "step {at}: {:?}", found.problems);
    }
    held.release().await;
}

#[tokio::test]
async fn an_erasure_that_is_killed_is_finished_by_the_next_and_its_receipt_says_all() {
    let lake = Lake::of(&sittings()).await;
    let held = lake.hold().await;
    let keys = lake.sealing().await;
    merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
    let all = lake.rows().await;
    let others: Vec<String> = all
        .iter()
        .filter(|row| !row.contains(" cafe ") && !row.starts_with("devices ab01"))
        .cloned()
        .collect();
    let of_cafe = BTreeSet::from(["cafe".to_owned()]);
    let mut whole = Vec::new();
    let copies = copies(&lake, async || {
        whole = erase((&lake.place, &held), &of_cafe, &keys).await.unwrap();
    })
    .await;
    assert!(whole[0].proven);
    assert!(copies.len() > 30, "{}", copies.len());
    for (at, copied) in copies.iter().enumerate() {
        let place = open(copied.path());
        let seen = rows(&place, &ring(&[team()])).await;
        assert!(others.iter().all(|row| seen.contains(row)), "another's row lacks at step {at}");
        assert!(seen.iter().all(|row| all.contains(row)), "step {at}");
        let held = hold(&place).await;
        let keys = sealing(&place, &[team()]).await;
        let receipt = erase((&place, &held), &of_cafe, &keys).await.unwrap().remove(0);
        assert!(receipt.proven, "step {at}: {receipt:?}");
        assert_eq!(receipt.erased.len(), 8, "step {at}");
        let of_one: Vec<_> = receipt.erased.keys().collect();
        assert_eq!(of_one, whole[0].erased.keys().collect::<Vec<_>>(), "step {at}");
        held.release().await;
        assert_eq!(rows(&place, &ring(&[team()])).await, lake.rows().await, "step {at}");
        is_sound(&place, at).await;
    }
}

#[tokio::test]
async fn a_source_that_is_taken_out_at_a_kill_is_there_or_gone_as_a_whole() {
    let lake = Lake::of(&sittings()).await;
    let held = lake.hold().await;
    let keys = lake.sealing().await;
    merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
    let mut record = lake.record("ab01").await;
    let events = record.files.values().flat_map(|file| &file.sources);
    let events = events.filter(|source| source.sealed.path.starts_with("events/"));
    let gone = events.map(|source| source.sealed.path.clone()).nth(1).unwrap();
    let before = lake.rows().await;
    let copies = copies(&lake, async || {
        let what = Change { gone: [gone.clone()].into(), ..Change::default() };
        let changed = change((&lake.place, &held), &mut record, what, &keys).await.unwrap();
        assert_eq!((changed.rewritten.len(), changed.removed.len()), (1, 0));
    })
    .await;
    let after = lake.rows().await;
    assert_eq!(before.len() - after.len(), 6);
    for (at, copied) in copies.iter().enumerate() {
        let place = open(copied.path());
        let held = hold(&place).await;
        recover(&place, &held).await.unwrap();
        let has = sources(&place).await.contains(&gone);
        let expected = if has { &before } else { &after };
        assert_eq!(&rows(&place, &ring(&[team()])).await, expected, "step {at}");
        held.release().await;
        is_sound(&place, at).await;
    }
}

#[tokio::test]
async fn a_new_version_of_a_merged_source_takes_its_place_at_once() {
    let lake = Lake::of(&sittings()).await;
    let held = lake.hold().await;
    let keys = lake.sealing().await;
    merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
    let (before, of_all) = (lake.rows().await, sources(&lake.place).await);
    let mut record = lake.record("ab01").await;
    let mut all = record.files.values().flat_map(|file| &file.sources);
    let path = all.find(|source| source.sealed.path.starts_with("touch/")).unwrap();
    let path = path.sealed.path.clone();
    // The same rows in other bytes.
    let (from, to) = (lake.dataset.path(), lake.place.work().join("new"));
    std::fs::create_dir(&to).unwrap();
    let sealed = plain_copy(from, &path, &ring(&[team()]), &to).unwrap();
    let file = LakeFile {
        sha256: sealed.sha256.clone(),
        bytes: sealed.bytes,
        rows: sealed.rows,
        encrypted: false,
        sources: vec![Source { sealed }],
    };
    let new = Incoming { staged: to.join(&path), file };
    let what = Change { gone: [path.clone()].into(), new: [(path.clone(), new)].into() };
    let copies = copies(&lake, async || {
        change((&lake.place, &held), &mut record, what, &keys).await.unwrap();
    })
    .await;
    assert_eq!(lake.rows().await, before);
    assert_eq!(sources(&lake.place).await, of_all);
    assert!(lake.files().await.contains(&path));
    for (at, copied) in copies.iter().enumerate() {
        let place = open(copied.path());
        assert_eq!(rows(&place, &ring(&[team()])).await, before, "who reads at step {at}");
        let held = hold(&place).await;
        recover(&place, &held).await.unwrap();
        assert_eq!(sources(&place).await, of_all, "step {at}");
        held.release().await;
        is_sound(&place, at).await;
    }
}
