//! What comes on offer while somebody is served is a fact before they can have it.

use super::*;

/// Who was noted for which file, as the ledger has it.
fn noted(root: &Path) -> BTreeSet<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = facts(root, "pulled");
    lines.iter().map(|line| (word(&line["puller"]), word(&line["sha256"]))).collect()
}

/// Each file on offer there was noted for that puller.
fn is_noted_for(root: &Path, puller: &str) -> bool {
    let (noted, outbox) = (noted(root), root.join("outbox"));
    let files = crate::dataset::Tree::of(&outbox).unwrap().files;
    let sums = files.iter().map(|path| hex(&Sha256::digest(fs::read(outbox.join(path)).unwrap())));
    sums.into_iter().all(|sha256| noted.contains(&(puller.to_owned(), sha256)))
}

#[test]
fn it_is_noted_before_it_is_there_wherever_it_is_cut() {
    let root = tempfile::tempdir().unwrap();
    let (place, copies) = (root.path().join("place"), root.path().join("copies"));
    scene(&place);
    let mut store = open(&place, AT_ONCE);
    let pull = begin_pull(&place.join("serving"), "lake").unwrap();
    store.note_pull("lake").unwrap();
    let killed = disk::steps::copied(&place, &copies, || {
        one_more(&mut store, 90_000);
        assert_eq!(store.offer().unwrap().0.files, 4);
        // One that is written anew is another.
        let intent = intent("cafe", false);
        store.save_intent(&intent).unwrap();
        store.withdraw().unwrap();
        store.fulfil(&intent.id, None).unwrap();
        store.withdraw().unwrap();
        store.offer().unwrap();
    });
    assert!(killed.len() > 20, "{}", killed.len());
    for (step, killed) in killed.iter().enumerate() {
        assert!(is_noted_for(killed, "lake"), "step {step}");
    }
    assert!(is_noted_for(&place, "lake"));
    drop(pull);
}

#[test]
fn a_pause_while_they_are_served_hides_nothing_that_comes_after_it() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    let _pull = begin_pull(&root.path().join("serving"), "lake").unwrap();
    store.note_pull("lake").unwrap();
    for cooling_off in [NONE, AT_ONCE] {
        one_more(&mut store, 90_000);
        store.config.outbox.as_mut().unwrap().cooling_off = cooling_off;
        store.offer().unwrap();
    }
    assert!(served(root.path()).len() == 4 && is_noted_for(root.path(), "lake"));
}

#[test]
fn what_came_and_went_while_they_were_served_has_a_tombstone_when_it_is_forgotten() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), NONE);
    let _pull = begin_pull(&root.path().join("serving"), "lake").unwrap();
    store.note_pull("lake").unwrap();
    drop(store);
    // The service starts anew, under the same pull.
    let mut store = open(root.path(), AT_ONCE);
    store.config.retention = Retention { bytes: Some(0), ..Retention::default() };
    store.retain().unwrap();
    let intent = intent("cafe", true);
    store.save_intent(&intent).unwrap();
    store.fulfil(&intent.id, None).unwrap();
    let told = fs::read_to_string(root.path().join("dataset/tombstones.jsonl")).unwrap();
    assert_eq!(told.lines().count(), 2);
}

#[test]
fn who_is_served_no_more_is_noted_for_nothing_that_comes() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    let pull = begin_pull(&root.path().join("serving"), "lake").unwrap();
    let _other = begin_pull(&root.path().join("serving"), "other").unwrap();
    store.note_pull("lake").unwrap();
    let before = noted(root.path());
    assert_eq!(before.len(), 6, "the other is served, too");
    drop(pull);
    one_more(&mut store, 90_000);
    store.offer().unwrap();
    let after = noted(root.path());
    let came: Vec<_> = after.difference(&before).map(|(puller, _)| puller.as_str()).collect();
    assert_eq!(came, ["other"]);
}

#[test]
fn what_cannot_be_noted_does_not_come() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), NONE);
    let _pull = begin_pull(&root.path().join("serving"), "lake").unwrap();
    store.config.outbox.as_mut().unwrap().cooling_off = AT_ONCE;
    // Nobody knows who is served.
    let unknown = root.path().join("pulls.json");
    let serving = std::mem::replace(&mut store.config.outbox.as_mut().unwrap().serving, unknown);
    assert!(store.offer().is_err() && served(root.path()).is_empty());
    store.config.outbox.as_mut().unwrap().serving = serving;
    store.offer().unwrap();
    assert!(served(root.path()).len() == 3 && is_noted_for(root.path(), "lake"));
}
