//! Who pulled what is noted, is acknowledged, and counts when it is forgotten.

use super::*;
use crate::{Dataset, Table};

#[test]
fn each_file_is_noted_once_for_each_puller_and_once_more_when_it_is_another() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    for puller in ["lake", "lake", "other", "lake"] {
        assert_eq!(store.note_pull(puller).unwrap(), 3);
    }
    let pulled = facts(root.path(), "pulled");
    assert_eq!(pulled.len(), 6);
    for line in &pulled {
        let file = &sealed(root.path())[line["file"].as_str().unwrap()];
        assert_eq!(
            (&line["sha256"], &line["subject"]),
            (&file.sha256.clone().into(), &file.subject.clone().into(),)
        );
    }
    let intent = intent("cafe", false);
    store.save_intent(&intent).unwrap();
    store.fulfil(&intent.id, None).unwrap();
    assert_eq!(store.note_pull("lake").unwrap(), 4);
    assert_eq!(facts(root.path(), "pulled").len(), 8, "the one written anew, and the marks");
    let book = root.path().join("pulls.json");
    let theirs = pulls_of(&book, &["cafe".into(), "f00d".into()]).unwrap();
    let told: Vec<_> = theirs.iter().map(|of| (of.puller.as_str(), of.files)).collect();
    assert_eq!(told, [("lake", 4), ("other", 2)]);
    assert!(theirs.iter().all(|of| of.last_us > WALL_US / 2));
    assert_eq!(pulls_of(&book, &["f00d".into()]).unwrap(), []);
}

#[test]
fn without_what_the_ledger_says_nothing_counts_as_noted() {
    let root = tempfile::tempdir().unwrap();
    let (place, copies) = (root.path().join("place"), root.path().join("copies"));
    scene(&place);
    let mut store = open(&place, AT_ONCE);
    let killed =
        disk::steps::copied(&place, &copies, || assert_eq!(store.note_pull("lake").unwrap(), 3));
    assert!(killed.len() > 2, "{}", killed.len());
    for (step, killed) in killed.iter().enumerate() {
        let mut store = open(killed, AT_ONCE);
        store.note_pull("lake").unwrap();
        let told: BTreeSet<_> = facts(killed, "pulled")
            .iter()
            .map(|line| line["file"].as_str().unwrap().to_owned())
            .collect();
        assert!(told.iter().eq(sealed(killed).keys()), "step {step}");
    }
}

#[test]
fn only_a_manifest_that_was_offered_can_be_acknowledged_and_only_what_it_lists() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    let first = manifest_sha256(root.path());
    let why = store.acknowledge_pull("lake", &"0".repeat(64)).unwrap().unwrap_err();
    assert!(why.contains("pull again"), "{why}");
    assert_eq!(store.acknowledge_pull("lake", &first).unwrap(), Ok(0), "nothing was pulled");
    store.note_pull("lake").unwrap();
    // Another manifest, with a file more.
    one_more(&mut store, 90_000);
    store.note_pull("lake").unwrap();
    assert_ne!(manifest_sha256(root.path()), first);
    for _ in 0..2 {
        assert_eq!(store.acknowledge_pull("lake", &first).unwrap(), Ok(3));
    }
    let told = facts(root.path(), "acknowledged_pull");
    assert_eq!(told.len(), 1, "the second time says nothing new");
    assert_eq!((&told[0]["puller"], &told[0]["files"]), (&"lake".into(), &3.into()));
    assert_eq!(told[0]["manifest_sha256"], Value::from(first));
    drop(store);
    let store = open(root.path(), AT_ONCE);
    assert_eq!(store.book.pulled(Duration::ZERO, i64::MAX).len(), 3, "it outlasts a restart");
}

#[test]
fn what_was_pulled_before_a_pause_can_be_acknowledged_after_it() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    store.note_pull("lake").unwrap();
    let mut manifests = vec![manifest_sha256(root.path())];
    for cooling_off in [NONE, AT_ONCE] {
        store.config.outbox.as_mut().unwrap().cooling_off = cooling_off;
        store.offer().unwrap();
        manifests.push(manifest_sha256(root.path()));
    }
    for (manifest, files) in manifests.iter().zip([3, 0, 3]) {
        assert_eq!(store.acknowledge_pull("lake", manifest).unwrap(), Ok(files));
    }
}

#[test]
fn only_what_everybody_who_pulled_it_acknowledged_goes_early() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    let early = |hours| Retention { after_pull_hours: hours, ..Retention::default() };
    let left = |store: &mut Store, hours| {
        store.config.retention = early(hours);
        store.retain().unwrap();
        store.offer().unwrap();
        assert_in_line(root.path(), sealed(root.path()).len());
        sealed(root.path()).len()
    };
    assert_eq!(left(&mut store, Some(0)), 3, "pulled by nobody");
    store.note_pull("lake").unwrap();
    store.note_pull("other").unwrap();
    assert_eq!(left(&mut store, Some(0)), 3, "acknowledged by nobody");
    let manifest = manifest_sha256(root.path());
    store.acknowledge_pull("lake", &manifest).unwrap().unwrap();
    assert_eq!(left(&mut store, Some(0)), 3, "the other may be under way");
    store.acknowledge_pull("other", &manifest).unwrap().unwrap();
    assert_eq!(left(&mut store, None), 3, "the policy does not say so");
    assert_eq!(left(&mut store, Some(1)), 3, "not an hour ago");
    assert_eq!(left(&mut store, Some(0)), 0);
    let told = facts(root.path(), "retained");
    assert!(told.len() == 3 && told.iter().all(|line| line["reason"] == "pulled"), "{told:?}");
}

#[test]
fn what_is_gone_from_here_but_was_pulled_gets_a_tombstone_when_it_is_forgotten() {
    for erase in [false, true] {
        let root = tempfile::tempdir().unwrap();
        scene(root.path());
        let theirs =
            Dataset::files_of(&root.path().join("dataset"), &["cafe".into()], &keyring()).unwrap();
        let mut store = open(root.path(), AT_ONCE);
        store.note_pull("lake").unwrap();
        store.config.retention = Retention { bytes: Some(0), ..Retention::default() };
        store.retain().unwrap();
        for _ in 0..2 {
            let intent = intent("cafe", erase);
            store.save_intent(&intent).unwrap();
            assert!(matches!(store.fulfil(&intent.id, None).unwrap(), Fulfilled::Done(_)));
        }
        store.offer().unwrap();
        let text = fs::read_to_string(root.path().join("outbox/tombstones.jsonl")).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), if erase { 2 } else { 1 }, "once for each file that is meant");
        for line in &lines {
            let file = theirs.iter().find(|file| line["file"] == file.path.clone());
            assert!(file.is_some_and(|file| file.table == Table::Events && file.rows == 40));
            assert_eq!((&line["subject"], &line["sha256"]), (&"cafe".into(), &Value::Null));
        }
    }
}

#[test]
fn what_nobody_pulled_leaves_no_tombstone() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    store.config.retention = Retention { bytes: Some(0), ..Retention::default() };
    store.retain().unwrap();
    let intent = intent("cafe", true);
    store.save_intent(&intent).unwrap();
    store.fulfil(&intent.id, None).unwrap();
    assert!(!root.path().join("dataset/tombstones.jsonl").exists());
}

#[test]
fn names_of_pullers_are_words() {
    assert!(is_puller("lake-1") && is_puller(&"a".repeat(32)));
    for wrong in ["", "Lake", "a b", "a\n", "..", "a/b", "é", &"a".repeat(33)] {
        assert!(!is_puller(wrong), "{wrong:?}");
    }
}
