//! What is forgotten goes from the lake before anybody is told so, whatever
//! happened before.

use std::collections::HashMap;
use std::time::Duration;

use evscribe_sink::crypt::Keyring;
use evscribe_sink::{SealedFile, Tombstone};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::super::claims::Claims;
use super::super::list::Entry;
use super::super::plan::plan;
use super::super::report::HostReport;
use super::super::run::Run;
use super::super::ssh::Ssh;
use super::*;
use crate::tests::lakes::{Lake, for_team, hold, ring, sitting, team};
use crate::{Erased, Merging, Place, Sealing, Wanted, merge};

const NAME: &str = "ab01.example";

/// A run over the one host, with these keys.
async fn run(place: &Place, keys: Keyring) -> Arc<Run> {
    let entry = Entry {
        line: 1,
        user: "evscribe-pull".into(),
        address: "ab01.example".into(),
        port: None,
        name: NAME.into(),
        refused: None,
    };
    Arc::new(Run {
        held: hold(place).await,
        erased: Erased::default(),
        entries: vec![entry],
        names: HashMap::from([(NAME.to_owned(), 0)]),
        claims: Claims::new(1),
        quarantined: arrive::in_quarantine(place).await.unwrap(),
        ssh: Ssh { identity: None, known_hosts: None, config: None },
        decrypt: None,
        sealing: Sealing::new(place, keys, Wanted::Same).await.unwrap(),
        timeout: Duration::from_secs(60),
        host_timeout: Duration::from_secs(60),
        skip_bad: false,
        turns: Arc::new(Semaphore::new(1)),
        cores: Arc::new(Semaphore::new(1)),
        stop: tokio::sync::watch::Sender::new(false),
        watch: Box::new(|_| {}),
        place: place.clone(),
    })
}

/// What a pull does before it fetches anything: the plan that is left, why
/// something has to stay, and the record as it is written then.
async fn taken_out(
    lake: &Lake,
    keys: Keyring,
    offered: &[SealedFile],
    tombstones: &[Tombstone],
) -> (Plan, Option<LakeError>, HostRecord) {
    let run = run(&lake.place, keys).await;
    let read = HostRecord::read(&lake.place, "ab01").await.unwrap();
    let mut host = Host {
        run: &run,
        own: 0,
        entry: &run.entries[0],
        began: Instant::now(),
        record: read.unwrap_or_else(|| HostRecord::new("ab01", NAME)),
        is_dirty: false,
        settled: Vec::new(),
        locked: None,
        report: HostReport::new(&run.entries[0]),
    };
    let files = offered.iter().map(|file| (file.path.clone(), file.clone())).collect();
    let offer = Offer { host: "ab01".into(), files, ..Offer::default() };
    let lost = host.look_for(&offer).await.unwrap();
    let mut plan = plan(&host.record, &offer, tombstones, &run.erased);
    plan.fetch_again(lost);
    let stage = Stage::open(lake.place.work(), NAME).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let until = Until { deadline, stop: run.stop.subscribe() };
    host.take_out(&mut plan, &stage, &until).await.unwrap();
    host.write(&stage).await.unwrap();
    let locked = host.locked.take();
    Arc::into_inner(run).unwrap().held.release().await;
    (plan, locked, HostRecord::read(&lake.place, "ab01").await.unwrap().unwrap())
}

fn tombstone(file: &SealedFile, sha256: Option<String>) -> Tombstone {
    Tombstone {
        file: file.path.clone(),
        subject: file.subject.clone(),
        host: file.host.clone(),
        from_us: 0,
        until_us: 1,
        at: "2026-11-30T01:00:00Z".into(),
        sha256,
    }
}

fn of(table: &str, files: &[SealedFile]) -> SealedFile {
    files.iter().find(|file| file.path.starts_with(table)).unwrap().clone()
}

/// Three sittings of one host, merged; and what each was.
async fn merged() -> (Lake, Vec<Vec<SealedFile>>) {
    let lake = Lake::new();
    let mut files = Vec::new();
    for at in 0..3 {
        files.push(lake.pull(&sitting("ab01", "cafe", at * 20_000), for_team()).await);
    }
    let held = lake.hold().await;
    merge((&lake.place, &held), &Merging::default(), &lake.sealing().await).await.unwrap();
    held.release().await;
    (lake, files)
}

#[tokio::test]
async fn a_file_that_the_lake_lost_comes_again_while_it_is_offered() {
    let (lake, merged) = merged().await;
    let files = lake.pull(&sitting("ab01", "cafe", 60_000), for_team()).await;
    let (lost, gone) = (of("events", &files), of("touch", &files));
    for file in [&lost, &gone] {
        fs::remove_file(lake.root.path().join(&file.path)).unwrap();
    }
    let offered: Vec<_> = files.iter().chain(merged.iter().flatten()).cloned().collect();
    let tombstones = [tombstone(&gone, None)];
    let (plan, locked, record) = taken_out(&lake, Keyring::default(), &offered, &tombstones).await;
    assert!(locked.is_none(), "{locked:?}");
    assert_eq!(
        plan.fetch,
        std::slice::from_ref(&lost),
        "that one alone, and nothing that is forgotten"
    );
    assert!(record.files.contains_key(&lost.path), "verify names it until it is there again");
    let (plan, ..) = taken_out(&lake, Keyring::default(), &[], &tombstones).await;
    assert_eq!(plan.fetch, []);
}

fn times(rows: &[String], table: &str) -> usize {
    rows.iter().filter(|row| row.starts_with(table)).count()
}

#[tokio::test]
async fn without_a_key_nothing_comes_in_place_of_what_cannot_be_taken_out() {
    let (lake, files) = merged().await;
    let (was, other) = (of("events", &files[1]), of("touch", &files[0]));
    let new = SealedFile { sha256: "0".repeat(64), ..was.clone() };
    let tombstones = [tombstone(&was, Some(new.sha256.clone()))];
    let fresh = SealedFile { path: other.path.replace(".parquet", "9.parquet"), ..other };
    for _ in 0..2 {
        let offered = [new.clone(), fresh.clone()];
        let (plan, locked, record) =
            taken_out(&lake, Keyring::default(), &offered, &tombstones).await;
        assert!(locked.is_some_and(|error| error.lacks_key()));
        let fetched: Vec<_> = plan.fetch.iter().map(|file| &file.path).collect();
        assert_eq!(fetched, [&fresh.path], "what it has to do with comes all the same");
        assert!(record.tombstones.is_empty(), "nothing counts as applied");
    }
    // What an earlier version did: the new one came beside the old one.
    let mut record = lake.record("ab01").await;
    let mut beside = record.files.values().next().unwrap().clone();
    beside.sources.truncate(1);
    beside.sources[0].sealed = new.clone();
    record.files.insert(new.path.clone(), beside);
    record.write(&lake.place).await.unwrap();
    fs::write(lake.root.path().join(&new.path), "new").unwrap();
    let (_, locked, record) =
        taken_out(&lake, Keyring::default(), std::slice::from_ref(&new), &tombstones).await;
    assert!(locked.is_some() && record.tombstones.is_empty());
    // With a key both go, and the new one comes alone.
    let (plan, locked, record) =
        taken_out(&lake, ring(&[team()]), std::slice::from_ref(&new), &tombstones).await;
    assert!(locked.is_none(), "{locked:?}");
    assert_eq!((plan.fetch, record.tombstones.len()), (vec![new.clone()], 1));
    let left = record.files.values().flat_map(|file| &file.sources);
    assert_eq!(left.filter(|source| source.sealed.path == new.path).count(), 0);
    assert_eq!(times(&lake.rows().await, "events"), 12, "six rows of eighteen are gone");
}

#[tokio::test]
async fn what_needs_no_key_goes_though_something_else_needs_one() {
    let (lake, files) = merged().await;
    let late = lake.pull(&sitting("ab01", "cafe", 60_000), for_team()).await;
    let (locked_in, alone, later) =
        (of("events", &files[0]), of("events", &late), of("touch", &late));
    let tombstones = [&locked_in, &alone, &later].map(|file| tombstone(file, None));
    let (plan, locked, record) = taken_out(&lake, Keyring::default(), &[], &tombstones).await;
    assert!(locked.is_some());
    assert_eq!((plan.take_out, plan.removed.len()), (vec![locked_in.path], 2));
    assert!(record.tombstones.is_empty());
    for gone in [&alone, &later] {
        assert!(!record.files.contains_key(&gone.path), "{}", gone.path);
        assert!(!lake.root.path().join(&gone.path).exists(), "{}", gone.path);
    }
}

#[tokio::test]
async fn a_file_that_a_killed_pull_placed_goes_once_it_is_forgotten() {
    for sha256 in [None, Some("0".repeat(64))] {
        let (lake, files) = merged().await;
        let before = lake.rows().await;
        // Placed, and killed before the record was written.
        let placed = sitting("ab01", "cafe", 80_000).seal(lake.dataset.path(), for_team());
        let stray = of("events", &placed);
        let at = lake.root.path().join(&stray.path);
        fs::copy(lake.dataset.path().join(&stray.path), &at).unwrap();
        assert_eq!(lake.rows().await.len(), before.len() + 6);
        // A merged file took the place of a source: it is not that source.
        let mut record = lake.record("ab01").await;
        let merged = record.files.keys().find(|path| path.starts_with("touch/")).unwrap().clone();
        let not_it = SealedFile { path: merged.clone(), ..of("touch", &files[0]) };
        record.tombstones.clear();
        let tombstones = [tombstone(&stray, sha256), tombstone(&not_it, None)];
        let (_, locked, record) = taken_out(&lake, Keyring::default(), &[], &tombstones).await;
        assert!(locked.is_none() && record.tombstones.len() == 2);
        assert!(!at.exists());
        assert_eq!(lake.rows().await, before);
    }
}

#[tokio::test]
async fn what_is_put_aside_under_another_name_goes_once_it_is_forgotten() {
    let lake = Lake::new();
    let files = lake.pull(&sitting("ab01", "cafe", 0), for_team()).await;
    let (gone, stays) = (of("events", &files), of("touch", &files));
    let put = async |name: &str, file: &SealedFile| {
        for end in ["", ".why.json"] {
            let aside = format!("_evscribe/quarantine/{name}/{}{end}", file.path);
            lake.place.write(&aside, b"half".to_vec()).await.unwrap();
        }
    };
    put("old-name", &gone).await;
    put(NAME, &gone).await;
    put("old-name", &stays).await;
    let work = lake.place.work().join("pull/old-name");
    let places = [
        work.join("files").join(&gone.path),
        work.join("placing").join(&gone.path),
        work.join("placing").join(gone.path.replace('/', "+")),
    ];
    let kept = work.join("files").join(&stays.path);
    for place in places.iter().chain([&kept]) {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, "half").unwrap();
    }
    taken_out(&lake, Keyring::default(), &[], &[tombstone(&gone, None)]).await;
    let left = lake.place.list("_evscribe/quarantine").await.unwrap();
    assert!(
        left.len() == 2 && left.iter().all(|file| file.path.contains("old-name/touch/")),
        "{left:?}"
    );
    assert!(places.iter().all(|place| !place.exists()) && kept.exists());
}
