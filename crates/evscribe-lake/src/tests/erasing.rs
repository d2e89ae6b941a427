//! Who is erased is gone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use evscribe_sink::crypt::{AtRest, Keyring};

use super::lakes::{Lake, for_team, hold, ring, sitting, team};
use crate::{Erased, LakeError, Merging, Place, Sealing, Wanted, erase, merge, verify};

fn cafe() -> BTreeSet<String> {
    BTreeSet::from(["cafe".to_owned()])
}

async fn of_two() -> Lake {
    Lake::of(&[
        sitting("ab01", "cafe", 0),
        sitting("ab01", "beef", 20_000),
        sitting("ab01", "cafe", 40_000),
        sitting("ab02", "f00d", 0),
    ])
    .await
}

#[tokio::test]
async fn what_is_of_a_person_goes_from_single_and_merged_files_and_the_rest_stays() {
    for is_merged in [false, true] {
        let lake = of_two().await;
        let held = lake.hold().await;
        let keys = lake.sealing().await;
        if is_merged {
            merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
        }
        let before = lake.rows().await;
        let receipt = erase((&lake.place, &held), &cafe(), &keys).await.unwrap().remove(0);
        assert!(receipt.proven, "{receipt:?}");
        assert_eq!(receipt.erased.len(), 8);
        assert_eq!(receipt.rewritten.len(), if is_merged { 4 } else { 0 });
        assert_eq!((receipt.proof.rows, receipt.proof.sources), (0, 0));
        assert_eq!((receipt.proof.files, receipt.proof.by_manifest), (3, 1));
        assert_eq!(receipt.proof.hosts, ["ab01"]);
        let rows: u64 = receipt.erased.values().map(|source| source.rows).sum();
        let after = lake.rows().await;
        assert_eq!(before.len() as u64, after.len() as u64 + rows);
        assert!(after.iter().all(|row| !row.contains("cafe")));
        assert_eq!(after.iter().filter(|row| row.starts_with("devices ab01")).count(), 1);
        assert!(
            after.iter().any(|row| row.contains("beef"))
                && after.iter().any(|row| row.contains("f00d"))
        );
        let found = verify((&lake.place, &held), &ring(&[team()]), false).await.unwrap();
        assert!(found.is_sound(), "{:?}", found.problems);
        assert!(Erased::read(&lake.place).await.unwrap().subjects.contains_key("cafe"));
        // Again: nothing more happens, the receipt says the same.
        let again = erase((&lake.place, &held), &cafe(), &keys).await.unwrap().remove(0);
        assert_eq!((&again.erased, &again.begun_at), (&receipt.erased, &receipt.begun_at));
        assert!(again.proven);
    }
}

#[tokio::test]
async fn without_a_key_nothing_of_others_is_lost_and_nothing_is_called_proven() {
    let lake = of_two().await;
    let held = lake.hold().await;
    merge((&lake.place, &held), &Merging::default(), &lake.sealing().await).await.unwrap();
    lake.pull(&sitting("ab01", "cafe", 60_000), for_team()).await;
    let before = lake.rows().await;
    let none = Sealing::new(&lake.place, Keyring::default(), Wanted::Same).await.unwrap();
    let receipt = erase((&lake.place, &held), &cafe(), &none).await.unwrap().remove(0);
    assert!(!receipt.proven);
    // What is theirs alone went, key or not.
    assert_eq!(receipt.erased.len(), 4);
    assert_eq!(receipt.left.len(), 4, "{:?}", receipt.left);
    assert!(receipt.left.iter().all(|left| left.why.contains("--key")), "{:?}", receipt.left);
    assert_eq!(receipt.proof.sources, 8);
    assert!(!receipt.proof.not_opened.is_empty());
    let of_others = |row: &&String| !row.contains(" cafe ") && !row.starts_with("devices");
    let after = lake.rows().await;
    let (had, has): (Vec<_>, Vec<_>) =
        (before.iter().filter(of_others).collect(), after.iter().filter(of_others).collect());
    assert_eq!(had, has);
    let found = verify((&lake.place, &held), &Keyring::default(), false).await.unwrap();
    assert!(found.problems.iter().any(|problem| problem.what.contains("was erased")));
    // A merge drops it as well, once there is a key.
    let receipt = erase((&lake.place, &held), &cafe(), &lake.sealing().await).await.unwrap();
    assert!(receipt[0].proven && receipt[0].erased.len() == 12, "{receipt:?}");
}

#[tokio::test]
async fn quarantine_work_and_strays_of_the_person_go_too() {
    let lake = of_two().await;
    let held = lake.hold().await;
    let record = lake.record("ab01").await;
    let path = record.files.keys().next().unwrap();
    let aside = |name: &str| format!("_evscribe/quarantine/{name}/{path}");
    for (name, subject) in [("ab01.example", "cafe"), ("other", "beef")] {
        lake.place.write(&aside(name), b"half".to_vec()).await.unwrap();
        let why = format!(r#"{{"why":"x","at":"","manifest":{{"subject":"{subject}"}}}}"#);
        lake.place.write(&format!("{}.why.json", aside(name)), why.into_bytes()).await.unwrap();
    }
    let partial = lake.place.work().join("pull/ab01.example/files").join(path);
    fs::create_dir_all(partial.parent().unwrap()).unwrap();
    fs::write(&partial, b"half").unwrap();
    // Sealed, placed, and killed before the record was written.
    let stray = sitting("ab01", "cafe", 80_000).seal(lake.dataset.path(), AtRest::Plain);
    for file in &stray {
        let to = lake.root.path().join(&file.path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(lake.dataset.path().join(&file.path), to).unwrap();
    }
    let receipt =
        erase((&lake.place, &held), &cafe(), &lake.sealing().await).await.unwrap().remove(0);
    assert!(receipt.proven, "{receipt:?}");
    assert_eq!(receipt.others.len(), 1 + 1 + 4, "{:?}", receipt.others);
    assert!(!partial.exists());
    let left = lake.place.list("_evscribe/quarantine").await.unwrap();
    assert_eq!(left.len(), 2, "another's stays: {left:?}");
    assert!(stray.iter().all(|file| !lake.root.path().join(&file.path).exists()));
}

#[tokio::test]
async fn whose_a_file_is_comes_from_its_rows_where_the_manifest_does_not_say_it() {
    let lake = of_two().await;
    let held = lake.hold().await;
    let mut record = lake.record("ab01").await;
    for source in record.files.values_mut().flat_map(|file| &mut file.sources) {
        source.sealed.subject.clear();
    }
    record.write(&lake.place).await.unwrap();
    let none = Sealing::new(&lake.place, Keyring::default(), Wanted::Same).await.unwrap();
    let receipt = erase((&lake.place, &held), &cafe(), &none).await.unwrap().remove(0);
    assert!(!receipt.proven && receipt.erased.is_empty());
    let receipt =
        erase((&lake.place, &held), &cafe(), &lake.sealing().await).await.unwrap().remove(0);
    assert!(receipt.proven, "{receipt:?}");
    assert_eq!(receipt.erased.len(), 8);
}

#[tokio::test]
async fn a_text_that_is_no_pseudonym_names_no_file() {
    let lake = Lake::new();
    let held = lake.hold().await;
    for text in ["", "../x", "a/b", "a b"] {
        let subjects = BTreeSet::from([text.to_owned()]);
        let error = erase((&lake.place, &held), &subjects, &lake.sealing().await).await;
        assert!(matches!(error, Err(LakeError::Subject { .. })), "{text}");
    }
}

#[tokio::test]
async fn a_merged_file_that_is_missing_or_cannot_be_read_holds_up_no_other_host() {
    for is_folder in [false, true] {
        let lake = Lake::of(&[
            sitting("ab01", "cafe", 0),
            sitting("ab01", "beef", 20_000),
            sitting("ab02", "cafe", 0),
            sitting("ab02", "beef", 20_000),
        ])
        .await;
        let held = lake.hold().await;
        let keys = lake.sealing().await;
        merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
        let record = lake.record("ab01").await;
        let path = record.files.keys().find(|path| path.starts_with("events/")).unwrap();
        fs::remove_file(lake.root.path().join(path)).unwrap();
        if is_folder {
            fs::create_dir(lake.root.path().join(path)).unwrap();
        }
        let receipt = erase((&lake.place, &held), &cafe(), &keys).await.unwrap().remove(0);
        assert!(!receipt.proven);
        assert_eq!(receipt.erased.len(), 7, "{receipt:?}");
        let left: Vec<&String> = receipt.left.iter().map(|left| &left.path).collect();
        assert_eq!(left, [path]);
        assert_eq!(receipt.left[0].why.contains("it is missing"), !is_folder, "{receipt:?}");
    }
}

/// Of `cafe` on host `ab01`, half fetched, below `work`.
fn half_fetched(work: &Path) -> PathBuf {
    let at = "pull/ab01.example/files/events/date=2026-11-23/host=ab01/a.parquet";
    let partial = work.join(at);
    fs::create_dir_all(partial.parent().unwrap()).unwrap();
    fs::write(&partial, b"half").unwrap();
    partial
}

#[tokio::test]
async fn the_work_folder_of_who_pulled_without_naming_one_is_looked_into_too() {
    let lake = of_two().await;
    let partial = half_fetched(lake.place.work());
    let work = tempfile::tempdir().unwrap();
    let other = half_fetched(work.path());
    let place = Place::open(lake.root.path().to_str().unwrap(), Some(work.path())).unwrap();
    let held = hold(&place).await;
    let receipt = erase((&place, &held), &cafe(), &lake.sealing().await).await.unwrap().remove(0);
    assert!(receipt.proven, "{receipt:?}");
    assert!(!partial.exists() && !other.exists());
    let works = [lake.place.work(), work.path()].map(|work| work.display().to_string());
    assert_eq!(receipt.work, works.into());
}

#[tokio::test]
async fn a_work_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one() {
    let lake = of_two().await;
    fs::write(lake.place.work().join("pull"), "no folder").unwrap();
    let held = lake.hold().await;
    let receipt =
        erase((&lake.place, &held), &cafe(), &lake.sealing().await).await.unwrap().remove(0);
    assert!(!receipt.proven);
    assert_eq!(receipt.erased.len(), 8, "what can be erased is");
    assert!(receipt.work.is_empty() && receipt.left[0].why.contains("pull"), "{receipt:?}");
}
