//! What is wrong with a lake is named.

use std::fs;

use evscribe_sink::crypt::{AtRest, Keyring, SecretKey};
use evscribe_sink::{Tombstone, crypt};

use super::lakes::{Lake, ring, sitting, team};
use crate::{HostRecord, LakeReport, Merging, merge, verify};

async fn lake() -> Lake {
    Lake::of(&[
        sitting("ab01", "cafe", 0),
        sitting("ab01", "beef", 20_000),
        sitting("ab02", "f00d", 0),
    ])
    .await
}

async fn check(lake: &Lake, quick: bool) -> LakeReport {
    let held = lake.hold().await;
    let report = verify((&lake.place, &held), &ring(&[team()]), quick).await.unwrap();
    held.release().await;
    report
}

fn whats(report: &LakeReport) -> Vec<String> {
    report
        .problems
        .iter()
        .map(|problem| format!("{} {}: {}", problem.host, problem.path, problem.what))
        .collect()
}

#[tokio::test]
async fn a_missing_file_is_named_with_its_host() {
    let lake = lake().await;
    let path = lake.record("ab02").await.files.keys().next().unwrap().clone();
    fs::remove_file(lake.root.path().join(&path)).unwrap();
    for quick in [true, false] {
        let found = whats(&check(&lake, quick).await);
        assert_eq!(found, [format!("ab02.example (ab02) {path}: is missing")]);
    }
}

#[tokio::test]
async fn a_flipped_byte_and_a_cut_file_are_named_and_quick_sees_the_length_only() {
    let lake = lake().await;
    let paths: Vec<String> = lake.record("ab01").await.files.into_keys().collect();
    let [flipped, cut] = [&paths[0], &paths[1]].map(|path| lake.root.path().join(path));
    let mut bytes = fs::read(&flipped).unwrap();
    bytes[40] ^= 1;
    fs::write(&flipped, bytes).unwrap();
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let found = whats(&check(&lake, false).await);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|what| what.contains(&paths[0]) && what.contains("checksum")));
    assert!(found.iter().any(|what| what.contains(&paths[1]) && what.contains("bytes")));
    assert_eq!(check(&lake, true).await.problem_count, 1);
}

#[tokio::test]
async fn what_no_record_knows_is_named() {
    let lake = lake().await;
    let stray = sitting("ab01", "cafe", 80_000).seal(lake.dataset.path(), AtRest::Plain);
    let to = lake.root.path().join(&stray[0].path);
    fs::copy(lake.dataset.path().join(&stray[0].path), &to).unwrap();
    fs::write(lake.root.path().join("events/notes.txt"), b"x").unwrap();
    let found = whats(&check(&lake, false).await);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("in no record") || found[1].contains("in no record"));
    assert!(found.iter().any(|what| what.contains("events/notes.txt: is no part of a lake")));
}

#[tokio::test]
async fn two_hosts_of_one_name_are_noted_and_a_record_that_cannot_be_read_is_a_problem() {
    let lake = lake().await;
    let mut record = lake.record("ab02").await;
    record.name = "ab01.example".into();
    record.write(&lake.place).await.unwrap();
    // One that was set up anew has its old name, and damage is seen all the same.
    let found = check(&lake, true).await;
    assert!(found.is_sound(), "{:?}", found.problems);
    assert_eq!(found.notes.len(), 1);
    assert!(found.notes[0].what.contains("host ab01 has the same name"), "{:?}", found.notes);
    for text in [&b"{"[..], br#"{"version":9,"host":"ab02","name":"","files":{},"tombstones":[]}"#]
    {
        lake.place.write("_evscribe/hosts/ab02.json", text.to_vec()).await.unwrap();
        let found = whats(&check(&lake, false).await);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("_evscribe/hosts/ab02.json"), "{found:?}");
    }
}

#[tokio::test]
async fn tombstones_that_are_not_obeyed_are_named_and_the_next_merge_obeys_them() {
    let lake = lake().await;
    let mut record = lake.record("ab01").await;
    let events = record.files.iter().find(|(path, _)| path.starts_with("events/")).unwrap();
    let sealed = events.1.sources[0].sealed.clone();
    let tombstone = |sha256: Option<String>| Tombstone {
        file: sealed.path.clone(),
        subject: sealed.subject.clone(),
        host: "ab01".into(),
        from_us: sealed.first_us,
        until_us: sealed.last_us + 1,
        at: "2099-01-01T00:00:00Z".into(),
        sha256,
    };
    // The new version is there, it is said, but its rows are the old ones.
    record.tombstones = vec![tombstone(Some(sealed.sha256.clone()))];
    record.write(&lake.place).await.unwrap();
    let found = whats(&check(&lake, false).await);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("span that was to be forgotten"));
    record.tombstones = vec![tombstone(None)];
    record.write(&lake.place).await.unwrap();
    let found = whats(&check(&lake, true).await);
    assert!(found.len() == 1 && found[0].contains("should not be there"), "{found:?}");
    let before = lake.rows().await;
    let held = lake.hold().await;
    let report = merge((&lake.place, &held), &Merging::default(), &lake.sealing().await).await;
    let report = report.unwrap();
    held.release().await;
    assert_eq!(report.dropped.len(), 1);
    assert_eq!(lake.rows().await.len() as u64, before.len() as u64 - sealed.rows);
    assert!(check(&lake, false).await.is_sound());
    // In a merged file too, though there is nothing else to merge.
    let mut record = lake.record("ab01").await;
    let events = record.files.iter().find(|(path, _)| path.starts_with("touch/")).unwrap();
    let sealed = events.1.sources[1].sealed.clone();
    let file = sealed.path.clone();
    record.tombstones.push(Tombstone { file, ..tombstone(None) });
    record.write(&lake.place).await.unwrap();
    let held = lake.hold().await;
    let keys = lake.sealing().await;
    let report = merge((&lake.place, &held), &Merging::default(), &keys).await.unwrap();
    held.release().await;
    assert_eq!((report.dropped.len(), report.merged.len()), (1, 1));
    assert!(check(&lake, false).await.is_sound());
}

#[tokio::test]
async fn a_record_that_contradicts_its_files_is_named() {
    let lake = lake().await;
    let sound = lake.record("ab01").await;
    let path = sound.files.keys().find(|path| path.starts_with("events/")).unwrap().clone();
    let mut expect = Vec::new();
    let mut change = |what: &'static str, change: &dyn Fn(&mut HostRecord)| {
        let mut record = sound.clone();
        change(&mut record);
        expect.push((what, record));
    };
    change("another person's", &|record| {
        record.files.get_mut(&path).unwrap().sources[0].sealed.subject = "beef".into();
    });
    change("end at another time", &|record| {
        record.files.get_mut(&path).unwrap().sources[0].sealed.last_us += 1;
    });
    change("rows, the record says", &|record| {
        let file = record.files.get_mut(&path).unwrap();
        (file.rows, file.sources[0].sealed.rows) = (9, 9);
    });
    change("not those of its sources", &|record| {
        record.files.get_mut(&path).unwrap().rows = 9;
    });
    change("of another date", &|record| {
        record.files.get_mut(&path).unwrap().sources[0].sealed.first_us -= 86_400_000_000;
    });
    for (what, record) in expect {
        record.write(&lake.place).await.unwrap();
        let found = whats(&check(&lake, false).await);
        assert!(found.iter().any(|found| found.contains(what)), "{what}: {found:?}");
        assert!(found.iter().all(|found| found.contains(&path)), "{found:?}");
    }
}

#[tokio::test]
async fn without_a_key_encrypted_files_are_counted_and_with_a_wrong_one_they_are_named() {
    let lake = lake().await;
    let held = lake.hold().await;
    let report = verify((&lake.place, &held), &Keyring::default(), false).await.unwrap();
    assert!(report.is_sound());
    assert_eq!((report.files, report.encrypted, report.read), (12, 12, 0));
    let wrong: crypt::Keyring = ring(&[SecretKey::generate().unwrap()]);
    let report = verify((&lake.place, &held), &wrong, false).await.unwrap();
    assert_eq!(report.problem_count, 12);
}
