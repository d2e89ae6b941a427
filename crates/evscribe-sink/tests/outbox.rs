//! The writer keeps the outbox: by what it seals, by time, by what is forgotten.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::mpsc::Receiver,
    time::Duration,
};

use evscribe_sink::{
    Command, Config, Forget, OnOffer, Outbox, Report, Retention, WriterHandle, recover,
};
use sha2::{Digest, Sha256};
use support::*;

fn serving(root: &Path, cooling_off: Option<Duration>) -> Config {
    let outbox = Outbox {
        directory: root.join("outbox"),
        book: root.join("pulls.json"),
        serving: root.join("serving"),
        host: "ab01".into(),
        boot: "b007".into(),
        cooling_off,
    };
    Config { ledger: Some(root.join("ledger.jsonl")), outbox: Some(outbox), ..config(root) }
}

fn start(root: &Path, cooling_off: Option<Duration>) -> (WriterHandle, Receiver<Report>) {
    spawn(recover(serving(root, cooling_off), keys(), &mut 1).unwrap().0)
}

fn seal(handle: &WriterHandle, from_us: u64) {
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    let rows = (0..40).map(|row| motion(from_us + row * 100, 2, 2)).collect();
    handle.try_send(Command::Rows(rows)).unwrap();
    handle.try_send(Command::Seal).unwrap();
}

/// The first report that `take` takes.
fn wait<T>(reports: &Receiver<Report>, mut take: impl FnMut(Report) -> Option<T>) -> T {
    loop {
        if let Some(taken) = take(reports.recv_timeout(Duration::from_secs(60)).unwrap()) {
            return taken;
        }
    }
}

fn until_offered(reports: &Receiver<Report>, expected: OnOffer) {
    wait(reports, |report| (report == Report::Offered(expected)).then_some(()));
}

fn parquet(directory: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(parquet(&path));
        } else if path.extension().is_some_and(|suffix| suffix == "parquet") {
            found.insert(path);
        }
    }
    found
}

/// SHA-256 of the files that lie there.
fn contents(directory: &Path) -> BTreeSet<[u8; 32]> {
    let of = |path: PathBuf| Sha256::digest(fs::read(path).unwrap()).into();
    parquet(directory).into_iter().map(of).collect()
}

#[test]
fn a_sealed_file_comes_on_offer_by_itself_once_it_has_cooled_off() {
    let root = tempfile::tempdir().unwrap();
    let (handle, reports) = start(root.path(), Some(Duration::from_millis(300)));
    seal(&handle, 0);
    until_offered(&reports, OnOffer { files: 0, waiting: 1 });
    until_offered(&reports, OnOffer { files: 1, waiting: 0 });
    handle.stop().unwrap();
    assert_eq!(contents(&root.path().join("outbox")), contents(&root.path().join("dataset")));
}

#[test]
fn what_the_policy_lets_be_pulled_holds_at_once() {
    let root = tempfile::tempdir().unwrap();
    let (handle, reports) = start(root.path(), None);
    seal(&handle, 0);
    for cooling_off in [Some(Duration::ZERO), None] {
        handle.try_send(Command::Offer(cooling_off)).unwrap();
        let files = u64::from(cooling_off.is_some());
        until_offered(&reports, OnOffer { files, waiting: 0 });
        assert_eq!(parquet(&root.path().join("outbox")).len() as u64, files);
    }
    handle.stop().unwrap();
}

/// A millisecond of a person's is to be forgotten.
fn forget(ticket: u64) -> Command {
    Command::Forget(Box::new(Forget {
        ticket,
        subjects: vec!["cafe".into()],
        from_us: WALL_US + 1_000,
        until_us: WALL_US + 2_000,
        fresh_run: 100,
        runs: 10,
        reason: "person_asked",
        erase: false,
    }))
}

#[test]
fn what_is_reported_as_forgotten_is_in_the_outbox_no_more() {
    let root = tempfile::tempdir().unwrap();
    let (handle, reports) = start(root.path(), Some(Duration::ZERO));
    seal(&handle, 0);
    seal(&handle, 20_000);
    until_offered(&reports, OnOffer { files: 2, waiting: 0 });
    let outbox = root.path().join("outbox");
    let before = contents(&outbox);
    handle.try_send(forget(3)).unwrap();
    let forgotten = wait(&reports, |report| match report {
        Report::Forgotten { ticket: 3, outcome } => Some(outcome),
        _ => None,
    });
    assert_eq!(forgotten.unwrap().rows, 10);
    let after = contents(&outbox);
    assert_eq!(after.intersection(&before).count(), 0, "both go on under another run");
    assert_eq!(after, contents(&root.path().join("dataset")));
    let tombstones = fs::read_to_string(outbox.join("tombstones.jsonl")).unwrap();
    assert_eq!(tombstones.lines().count(), 2);
    handle.stop().unwrap();
}

#[test]
fn an_outbox_that_no_link_can_be_made_in_holds_up_no_forgetting() {
    let root = tempfile::tempdir().unwrap();
    // As where the dataset is a mount of its own.
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(root.path()) == device(elsewhere.path()) {
        eprintln!("SKIPPED: temporary files and /dev/shm are on one file system");
        return;
    }
    let mut config = serving(root.path(), Some(Duration::ZERO));
    config.outbox.as_mut().unwrap().directory = elsewhere.path().join("outbox");
    let (handle, reports) = spawn(recover(config, keys(), &mut 1).unwrap().0);
    seal(&handle, 0);
    for (ticket, rows) in [(3, 10), (4, 0)] {
        handle.try_send(forget(ticket)).unwrap();
        let forgotten = wait(&reports, |report| match report {
            Report::Forgotten { outcome, .. } => Some(outcome),
            Report::Stalled { message, .. } => panic!("{message}"),
            _ => None,
        });
        assert_eq!(forgotten.unwrap().rows, rows);
    }
    handle.stop().unwrap();
    assert!(parquet(elsewhere.path()).is_empty());
}

#[test]
fn what_is_acknowledged_goes_where_the_policy_says_so() {
    let root = tempfile::tempdir().unwrap();
    let (handle, reports) = start(root.path(), Some(Duration::ZERO));
    let early = Retention { after_pull_hours: Some(0), ..Retention::default() };
    handle.try_send(Command::Retain(early)).unwrap();
    seal(&handle, 0);
    handle.try_send(Command::NotePull { ticket: 1, puller: "lake".into() }).unwrap();
    let outcome = |ticket| {
        wait(&reports, |report| match report {
            Report::Pull { ticket: of, outcome, .. } if of == ticket => Some(outcome),
            _ => None,
        })
    };
    assert_eq!(outcome(1), Ok(1));
    let manifest = fs::read(root.path().join("outbox/manifest.jsonl")).unwrap();
    let sha256: String =
        Sha256::digest(manifest).iter().map(|byte| format!("{byte:02x}")).collect();
    let acknowledge =
        |ticket, sha256| Command::AcknowledgePull { ticket, puller: "lake".into(), sha256 };
    handle.try_send(acknowledge(2, "0".repeat(64))).unwrap();
    assert!(outcome(2).unwrap_err().contains("pull again"));
    assert_eq!(parquet(&root.path().join("dataset")).len(), 1);
    handle.try_send(acknowledge(3, sha256)).unwrap();
    assert_eq!(outcome(3), Ok(1));
    until_offered(&reports, OnOffer { files: 0, waiting: 0 });
    handle.stop().unwrap();
    assert!(parquet(root.path()).is_empty());
}

#[test]
fn an_outbox_that_cannot_be_used_serves_nobody_and_recording_goes_on() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("outbox"), "in the way").unwrap();
    let (store, recovery) =
        recover(serving(root.path(), Some(Duration::ZERO)), keys(), &mut 1).unwrap();
    assert!(recovery.outbox_failed.is_some());
    let (handle, reports) = spawn(store);
    seal(&handle, 0);
    handle.try_send(Command::NotePull { ticket: 1, puller: "lake".into() }).unwrap();
    let mut failures = 0;
    let outcome = wait(&reports, |report| match report {
        Report::Pull { outcome, .. } => Some(outcome),
        report => {
            failures += usize::from(matches!(report, Report::OfferFailed { .. }));
            None
        }
    });
    assert!(outcome.unwrap_err().contains("nothing is served"));
    assert_eq!(failures, 1, "it is said once");
    handle.stop().unwrap();
    assert_eq!(parquet(&root.path().join("dataset")).len(), 1);
}
