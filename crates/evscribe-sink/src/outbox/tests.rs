//! What may be pulled is what has cooled off, whatever was killed and when.

mod pulled;
mod served;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use evscribe_model::Row;
use serde_json::Value;

use super::*;
use crate::support::*;
use crate::{
    Command, Config, Forget, Provenance, Retention,
    forget::{Fulfilled, Intent},
    recover,
};

const HOUR_US: i64 = 3_600_000_000;
const NONE: Option<Duration> = None;
const AT_ONCE: Option<Duration> = Some(Duration::ZERO);
const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

fn serving(root: &Path, cooling_off: Option<Duration>) -> Config {
    let outbox = Outbox {
        directory: root.join("outbox"),
        book: root.join("pulls.json"),
        serving: root.join("serving"),
        host: "ab01".into(),
        boot: "b007".into(),
        cooling_off,
    };
    let ledger = Some(root.join("ledger.jsonl"));
    Config { ledger, outbox: Some(outbox), ..config(root) }
}

fn open(root: &Path, cooling_off: Option<Duration>) -> Store {
    let (store, recovery) = recover(serving(root, cooling_off), keys(), &mut 10).unwrap();
    assert_eq!(recovery.outbox_failed, None);
    store
}

/// Two segments of one person and one of another, sealed by a writer that serves
/// nobody.
fn scene(root: &Path) {
    let config = Config { outbox: None, ..serving(root, NONE) };
    let (handle, _reports) = spawn(recover(config, keys(), &mut 1).unwrap().0);
    let other = Provenance { subject: "beef".into(), session: "feed".into(), ..provenance() };
    for (provenance, from, run) in
        [(provenance(), 1_000, 2), (provenance(), 20_000, 2), (other, 50_000, 9)]
    {
        handle.try_send(Command::Begin(Box::new(provenance))).unwrap();
        let rows: Vec<Row> = (0..40).map(|row| motion(from + row * 100, run, 2)).collect();
        handle.try_send(Command::Rows(rows)).unwrap();
        handle.try_send(Command::Seal).unwrap();
    }
    handle.stop().unwrap();
}

/// Seals one more file, behind the others.
fn one_more(store: &mut Store, from: u64) {
    let id = crate::SegmentId::of(&from.to_be_bytes());
    let mut segment = crate::SegmentWriter::begin(&store.dataset, id, provenance()).unwrap();
    segment.write_rows(&[motion(from, 2, 2)]).unwrap();
    segment.finish(&mut store.dataset).unwrap();
}

/// The clocks after so many hours; the wall clock besides set ahead by `ahead`.
fn after(hours: i64, ahead: i64) -> Look {
    let boot_us = hours * HOUR_US;
    Look { boot: "b007".into(), boot_us, wall_us: WALL_US + boot_us + ahead * HOUR_US }
}

fn sealed(root: &Path) -> BTreeMap<String, SealedFile> {
    manifest::read(&root.join("dataset")).unwrap().live
}

/// What lies in the outbox, by path: its bytes.
fn served(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let outbox = root.join("outbox");
    let tree = crate::dataset::Tree::of(&outbox).unwrap();
    assert_eq!((tree.hidden.len(), tree.foreign.len()), (0, 0));
    tree.files.iter().map(|path| (path.clone(), fs::read(outbox.join(path)).unwrap())).collect()
}

/// What a puller checks: the manifest lists just what is there, bytes and all,
/// and it is what the dataset has.
fn assert_in_line(root: &Path, expected: usize) {
    let (served, sealed) = (served(root), sealed(root));
    let listed = manifest::read(&root.join("outbox")).unwrap().live;
    assert_eq!(listed.len(), expected);
    assert!(listed.keys().eq(served.keys()), "{:?}\n{:?}", listed.keys(), served.keys());
    for (path, file) in &listed {
        assert_eq!(hex(&Sha256::digest(&served[path])), file.sha256, "{path}");
        assert_eq!(Some(file), sealed.get(path), "{path}");
        let inode = |of: &str| fs::metadata(root.join(of).join(path)).unwrap().ino();
        assert_eq!(inode("dataset"), inode("outbox"));
    }
}

fn manifest_sha256(root: &Path) -> String {
    hex(&Sha256::digest(fs::read(root.join("outbox/manifest.jsonl")).unwrap()))
}

/// Lines of the ledger with that fact.
fn facts(root: &Path, fact: &str) -> Vec<Value> {
    let text = fs::read_to_string(root.join("ledger.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["fact"] == fact).collect()
}

fn intent(subject: &str, erase: bool) -> Intent {
    Intent::new(&Forget {
        ticket: 7,
        subjects: vec![subject.into()],
        from_us: WALL_US + 20_000,
        until_us: WALL_US + 22_000,
        fresh_run: 100,
        runs: 10,
        reason: "person_asked",
        erase,
    })
    .unwrap()
}

#[test]
fn a_file_is_on_offer_when_it_has_cooled_off_and_not_before() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), HOUR);
    store.book = Book::default();
    let (on_offer, due) = store.offer_at(&after(0, 0)).unwrap();
    assert_eq!((on_offer, due), (OnOffer { files: 0, waiting: 3 }, HOUR));
    assert_in_line(root.path(), 0);
    let just_before = Look { boot_us: HOUR_US - 1, ..after(0, 0) };
    let (on_offer, due) = store.offer_at(&just_before).unwrap();
    assert_eq!((on_offer.files, due), (0, Some(Duration::from_micros(1))));
    let (on_offer, due) = store.offer_at(&after(1, 0)).unwrap();
    assert_eq!((on_offer, due), (OnOffer { files: 3, waiting: 0 }, None));
    assert_in_line(root.path(), 3);
    let head = fs::read_to_string(root.path().join("outbox/manifest.jsonl")).unwrap();
    let created: Value = serde_json::from_str(head.lines().next().unwrap()).unwrap();
    assert_eq!((&created["host"], &created["part"]), (&"ab01".into(), &true.into()));
}

#[test]
fn no_clock_that_is_set_shortens_it_nor_a_reboot_on_top() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), HOUR);
    store.book = Book::default();
    store.offer_at(&after(0, 0)).unwrap();
    let almost = Look { boot_us: HOUR_US / 2, ..after(0, 500) };
    assert_eq!(store.offer_at(&almost).unwrap().0.files, 0);
    // The step was kept: after a reboot it is not time that passed.
    drop(store);
    let boot = Look { boot: "b008".into(), boot_us: 0, wall_us: almost.wall_us + 1 };
    let (book, _) = Book::open(&root.path().join("pulls.json")).unwrap();
    assert_eq!(book.clock.at(&boot), HOUR_US / 2 + 1);
}

#[test]
fn a_longer_cooling_off_takes_back_and_none_takes_all_back() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    assert_in_line(root.path(), 3);
    for cooling_off in [HOUR, AT_ONCE, NONE, AT_ONCE] {
        store.config.outbox.as_mut().unwrap().cooling_off = cooling_off;
        let files = store.offer().unwrap().0.files;
        assert_eq!(files, if cooling_off == AT_ONCE { 3 } else { 0 });
        assert_in_line(root.path(), usize::try_from(files).unwrap());
    }
}

#[test]
fn it_is_for_the_group_alone_and_what_is_remembered_for_nobody_else() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    drop(open(root.path(), AT_ONCE));
    let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().mode() & 0o777;
    assert_eq!((mode("outbox"), mode("outbox/manifest.jsonl")), (0o750, 0o640));
    assert_eq!((mode("pulls.json"), mode("ledger.jsonl")), (0o600, 0o600));
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(root.path().join("outbox"), everybody).unwrap();
    drop(open(root.path(), AT_ONCE));
    assert_eq!(mode("outbox"), 0o750, "whatever somebody made of it");
}

#[test]
fn bringing_it_in_line_twice_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    let (manifest, book) = (manifest_sha256(root.path()), store.book.clone());
    for _ in 0..3 {
        store.offer().unwrap();
        assert_eq!((manifest_sha256(root.path()), &store.book), (manifest.clone(), &book));
    }
}

#[test]
fn what_may_not_be_pulled_is_taken_away_even_where_nothing_can_be_written() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), AT_ONCE);
    let book = root.path().join("pulls.json");
    fs::remove_file(&book).unwrap();
    fs::create_dir_all(book.join("in the way")).unwrap();
    store.config.retention = Retention { bytes: Some(0), ..Retention::default() };
    store.retain().unwrap();
    for _ in 0..2 {
        assert!(store.offer().is_err() && store.note_pull("lake").is_err());
        assert!(served(root.path()).is_empty(), "a second name keeps the space");
    }
    fs::remove_dir_all(&book).unwrap();
    store.offer().unwrap();
    assert_in_line(root.path(), 0);
}

#[test]
fn a_file_that_was_taken_away_by_hand_is_not_offered_and_holds_up_no_other() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let path = sealed(root.path()).into_keys().next().unwrap();
    fs::remove_file(root.path().join("dataset").join(&path)).unwrap();
    drop(open(root.path(), AT_ONCE));
    assert_eq!(served(root.path()).len(), 2);
    assert_in_line(root.path(), 2);
}

#[test]
fn a_kill_at_any_step_is_put_right_at_the_start() {
    let root = tempfile::tempdir().unwrap();
    let (place, copies) = (root.path().join("place"), root.path().join("copies"));
    scene(&place);
    let mut store = open(&place, NONE);
    // Linked, one written anew, and taken away again.
    let killed = disk::steps::copied(&place, &copies, || {
        store.config.outbox.as_mut().unwrap().cooling_off = AT_ONCE;
        assert_eq!(store.offer().unwrap().0.files, 3);
        let intent = intent("cafe", false);
        store.save_intent(&intent).unwrap();
        store.withdraw().unwrap();
        assert_eq!(served(&place).len(), 2);
        assert!(matches!(store.fulfil(&intent.id, None).unwrap(), Fulfilled::Done(_)));
        store.withdraw().unwrap();
        assert_eq!(served(&place).len(), 2, "only what was on offer already");
        assert_eq!(store.offer().unwrap().0.files, 4, "and the marks of what is gone");
        store.config.outbox.as_mut().unwrap().cooling_off = NONE;
        assert_eq!(store.offer().unwrap().0.files, 0);
    });
    assert!(killed.len() > 40, "{}", killed.len());
    for killed in &killed {
        drop(open(killed, AT_ONCE));
        assert_in_line(killed, sealed(killed).len());
        drop(open(killed, NONE));
        assert_in_line(killed, 0);
    }
}

#[test]
fn what_is_to_be_forgotten_is_on_offer_no_more_and_what_is_left_is_at_once() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let mut store = open(root.path(), HOUR);
    store.book = Book::default();
    store.offer_at(&after(0, 0)).unwrap();
    store.offer_at(&after(1, 0)).unwrap();
    let before = served(root.path());
    let intent = intent("cafe", false);
    store.save_intent(&intent).unwrap();
    store.offer_at(&after(1, 0)).unwrap();
    assert_in_line(root.path(), 2);
    store.fulfil(&intent.id, None).unwrap();
    let (on_offer, _) = store.offer_at(&after(1, 0)).unwrap();
    assert_eq!(on_offer, OnOffer { files: 3, waiting: 1 }, "the marks are new, and cool off");
    assert_in_line(root.path(), 3);
    let after = served(root.path());
    let anew: Vec<_> = before.keys().filter(|path| before[*path] != after[*path]).collect();
    assert_eq!(anew.len(), 1);
    let tombstones = fs::read_to_string(root.path().join("outbox/tombstones.jsonl")).unwrap();
    assert!(tombstones.contains(anew[0].as_str()), "{tombstones}");
}

#[test]
fn a_file_of_which_the_manifest_does_not_say_whose_it_is_is_withheld_as_its_person_s() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let path = root.path().join("dataset/manifest.jsonl");
    let older =
        fs::read_to_string(&path).unwrap().replace(r#""subject":"cafe""#, r#""subject":"""#);
    fs::write(&path, older).unwrap();
    let mut store = open(root.path(), AT_ONCE);
    assert_eq!(served(root.path()).len(), 3);
    store.save_intent(&intent("cafe", true)).unwrap();
    store.withdraw().unwrap();
    assert_eq!(served(root.path()).len(), 1, "the other's alone");
}

#[test]
fn a_damaged_book_is_put_aside_and_everything_cools_off_anew() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    drop(open(root.path(), AT_ONCE));
    let book: PathBuf = root.path().join("pulls.json");
    fs::write(&book, b"{\"clock\":").unwrap();
    let (store, recovery) = recover(serving(root.path(), HOUR), keys(), &mut 10).unwrap();
    assert!(recovery.pulls_damaged && root.path().join("pulls.damaged").exists());
    assert_eq!(store.book.files.len(), 3);
    assert_in_line(root.path(), 0);
}
