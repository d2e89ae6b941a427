//! What is to be done, and that it comes to the same however often it is cut off.

use std::collections::BTreeMap;

use evscribe_sink::Table;
use proptest::prelude::*;

use super::*;
use crate::{LakeFile, Source};

const NOBODY: &str = "s0";

fn path(file: u8) -> String {
    format!("events/date=2026-11-23/host=ab01/f{file}.parquet")
}

fn sha(version: u8) -> String {
    format!("{version:064x}")
}

fn sealed(file: u8, version: u8) -> SealedFile {
    SealedFile {
        path: path(file),
        sha256: sha(version),
        bytes: u64::from(file) + 1,
        rows: 1,
        table: Table::Events,
        host: "ab01".into(),
        boot: "b".into(),
        subject: format!("s{file}"),
        segment: "0123456789abcdef".into(),
        first_us: 1,
        last_us: 2,
        sealed_at: String::new(),
    }
}

fn lake_file(sources: &[SealedFile]) -> LakeFile {
    let sources: Vec<Source> =
        sources.iter().map(|sealed| Source { sealed: sealed.clone() }).collect();
    LakeFile { sha256: sha(0), bytes: 1, rows: sources.len() as u64, encrypted: true, sources }
}

fn offer(files: &[(u8, u8)]) -> Offer {
    let files = files.iter().map(|(file, version)| (path(*file), sealed(*file, *version)));
    Offer { host: "ab01".into(), files: files.collect(), ..Offer::default() }
}

fn record(files: &[(u8, u8)]) -> HostRecord {
    let mut record = HostRecord::new("ab01", "desk");
    for (file, version) in files {
        record.files.insert(path(*file), lake_file(&[sealed(*file, *version)]));
    }
    record
}

fn gone(file: u8, now: Option<u8>) -> Tombstone {
    Tombstone {
        file: path(file),
        subject: format!("s{file}"),
        host: "ab01".into(),
        from_us: 0,
        until_us: 1,
        at: format!("{now:?}"),
        sha256: now.map(sha),
    }
}

fn fetched(plan: &Plan) -> Vec<String> {
    plan.fetch.iter().map(|file| file.path.clone()).collect()
}

#[test]
fn what_is_new_is_pulled_and_what_is_there_is_not() {
    let plan = plan(&record(&[(1, 1)]), &offer(&[(1, 1), (2, 1)]), &[], &Erased::default());
    assert_eq!((fetched(&plan), plan.already), (vec![path(2)], 1));
    assert!(plan.take_out.is_empty() && plan.replaced.is_empty());
}

#[test]
fn what_is_no_longer_offered_stays() {
    assert_eq!(plan(&record(&[(1, 1)]), &offer(&[]), &[], &Erased::default()), Plan::default());
}

#[test]
fn a_newer_version_takes_the_place_of_the_old_one() {
    let plan = plan(&record(&[(1, 1)]), &offer(&[(1, 2)]), &[], &Erased::default());
    assert_eq!(fetched(&plan), [path(1)]);
    assert!(plan.take_out.is_empty() && plan.replaced.contains(&path(1)));
}

#[test]
fn what_is_forgotten_goes_before_anything_comes() {
    let tombstones = [gone(1, None), gone(2, Some(9))];
    let record = record(&[(1, 1), (2, 2), (3, 3)]);
    let plan = plan(&record, &offer(&[(2, 9), (3, 3)]), &tombstones, &Erased::default());
    assert_eq!(plan.take_out, [path(1), path(2)]);
    assert_eq!((&plan.removed, fetched(&plan)), (&vec![path(1)], vec![path(2)]));
    assert_eq!(plan.fresh, tombstones);
}

#[test]
fn what_is_forgotten_is_not_pulled_again_from_a_list_of_before() {
    let tombstones = [gone(1, None), gone(2, Some(9))];
    let plan = plan(&record(&[]), &offer(&[(1, 1), (2, 1)]), &tombstones, &Erased::default());
    assert_eq!((plan.forgotten, plan.fetch), (vec![path(1), path(2)], vec![]));
}

#[test]
fn the_newest_word_counts() {
    let tombstones = [gone(1, Some(2)), gone(1, Some(3))];
    let mut record = record(&[(1, 3)]);
    record.tombstones = vec![gone(1, Some(2))];
    let plan = plan(&record, &offer(&[(1, 3)]), &tombstones, &Erased::default());
    assert_eq!((plan.already, plan.fresh), (1, vec![gone(1, Some(3))]));
    assert!(plan.take_out.is_empty());
}

#[test]
fn a_tombstone_that_was_applied_still_holds_where_the_host_lost_it() {
    let mut record = record(&[]);
    record.tombstones = vec![gone(1, None)];
    let plan = plan(&record, &offer(&[(1, 1)]), &[], &Erased::default());
    assert_eq!(plan.forgotten, [path(1)]);
}

#[test]
fn who_was_erased_is_not_pulled() {
    let mut erased = Erased::default();
    erased.subjects.insert("s1".into(), NOBODY.into());
    let plan = plan(&record(&[]), &offer(&[(1, 1), (2, 1)]), &[], &erased);
    assert_eq!((plan.erased, fetched(&plan)), (1, vec![path(2)]));
}

#[test]
fn rows_in_a_merged_file_are_taken_out_before_the_new_ones_come() {
    let mut record = record(&[]);
    let merged = "events/date=2026-11-23/host=ab01/merged.parquet".to_owned();
    record.files.insert(merged.clone(), lake_file(&[sealed(1, 1), sealed(2, 2)]));
    let mut offer = offer(&[(1, 9), (2, 2)]);
    let plan = |offer: &Offer| plan(&record, offer, &[], &Erased::default());
    let done = plan(&offer);
    assert_eq!((done.take_out, done.already, done.removed), (vec![path(1)], 1, vec![]));
    // Nobody gets at a merged file by offering one of its name.
    offer.files.insert(merged.clone(), SealedFile { path: merged.clone(), ..sealed(3, 3) });
    assert_eq!(plan(&offer).forgotten, [merged]);
}

#[test]
fn of_a_source_that_is_there_twice_each_counts() {
    // What is forgotten in a merged file, and what came in its place beside it.
    let mut record = record(&[(1, 9)]);
    let merged = "events/date=2026-11-23/host=ab01/merged.parquet".to_owned();
    record.files.insert(merged, lake_file(&[sealed(2, 2), sealed(1, 1)]));
    for tombstones in [&[gone(1, Some(9))][..], &[]] {
        record.tombstones = tombstones.to_vec();
        let plan = plan(&record, &offer(&[(1, 9), (2, 2)]), tombstones, &Erased::default());
        assert_eq!((&plan.take_out, fetched(&plan)), (&vec![path(1)], vec![path(1)]));
        assert_eq!(plan.already, 1);
    }
}

#[test]
fn what_a_new_tombstone_names_and_the_record_does_not_know_is_looked_for() {
    let mut record = record(&[(1, 1)]);
    record.tombstones = vec![gone(2, None)];
    let tombstones = [gone(1, None), gone(2, None), gone(3, None), gone(4, Some(2))];
    let plan = plan(&record, &offer(&[]), &tombstones, &Erased::default());
    assert_eq!(plan.unknown, BTreeSet::from([path(3), path(4)]));
}

#[test]
fn a_portion_is_no_more_than_was_said_however_long_its_files_are_made() {
    let files: Vec<_> = (0..100).map(|file| sealed(file, 1)).collect();
    let portions = portions(files, 30, 500);
    assert_eq!(portions.iter().map(Vec::len).sum::<usize>(), 100);
    for portion in &portions {
        let longest = portion.iter().map(|file| file.bytes).max().unwrap();
        assert!(portion.len() <= 30 && portion.len() as u64 * longest <= 500);
    }
    assert_eq!(super::portions(vec![sealed(200, 1)], 30, 5).len(), 1, "one that is too long");
}

/// The lake and its record, apart, as a kill may leave them.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Lake {
    files: BTreeMap<String, String>,
    record: HostRecord,
}

impl Lake {
    /// Does what `host.rs` does, in its order, and is cut off after `steps`.
    fn pull(&mut self, offer: &Offer, tombstones: &[Tombstone], erased: &Erased, steps: usize) {
        let mut left = steps;
        let mut record = self.record.clone();
        let plan = plan(&record, offer, tombstones, erased);
        for path in plan.unknown.iter().chain(&plan.take_out) {
            if left == 0 {
                return;
            }
            left -= 1;
            self.files.remove(path);
            if record.files.remove(path).is_some() {
                if left == 0 {
                    return;
                }
                left -= 1;
                self.record = record.clone();
            }
        }
        record.tombstones.extend(plan.fresh.clone());
        if left == 0 {
            return;
        }
        left -= 1;
        self.record = record.clone();
        for portion in portions(plan.fetch.clone(), 2, 100) {
            for file in portion {
                if left == 0 {
                    return;
                }
                left -= 1;
                self.files.insert(file.path.clone(), file.sha256.clone());
                record.files.insert(file.path.clone(), lake_file(std::slice::from_ref(&file)));
            }
            if left == 0 {
                return;
            }
            left -= 1;
            self.record = record.clone();
        }
    }

    fn is_in_order(&self) -> bool {
        let said = self.record.files.iter();
        let said = said.map(|(path, file)| (path, &file.sources[0].sealed.sha256));
        said.eq(&self.files)
    }
}

proptest! {
    /// Whatever was there, offered, forgotten and cut off: the last run that ends
    /// leaves what one run alone would have left, each file once.
    #[test]
    fn prop_any_kills_lead_to_the_same_lake(
        held in prop::collection::btree_map(0..8_u8, 1..4_u8, 0..8),
        offered in prop::collection::btree_map(0..8_u8, 1..4_u8, 0..8),
        gone_files in prop::collection::vec((0..8_u8, prop::option::of(1..4_u8)), 0..4),
        erased in prop::option::of(0..8_u8),
        kills in prop::collection::vec(0..12_usize, 0..6),
    ) {
        let pairs = |map: &BTreeMap<u8, u8>| map.iter().map(|(a, b)| (*a, *b)).collect::<Vec<_>>();
        let (record, offer) = (record(&pairs(&held)), offer(&pairs(&offered)));
        let files = held.iter().map(|(file, version)| (path(*file), sha(*version))).collect();
        let tombstones: Vec<_> = gone_files.iter().map(|(file, now)| gone(*file, *now)).collect();
        let mut nobody = Erased::default();
        nobody.subjects.extend(erased.map(|file| (format!("s{file}"), String::new())));

        let start = Lake { files, record };
        let mut straight = start.clone();
        straight.pull(&offer, &tombstones, &nobody, usize::MAX);
        prop_assert!(straight.is_in_order());

        let mut cut = start;
        for steps in kills {
            cut.pull(&offer, &tombstones, &nobody, steps);
        }
        cut.pull(&offer, &tombstones, &nobody, usize::MAX);
        prop_assert_eq!(&cut, &straight);
        // And doing it again does nothing.
        let rest = plan(&cut.record, &offer, &tombstones, &nobody);
        prop_assert!(rest.take_out.is_empty() && rest.fresh.is_empty() && rest.fetch.is_empty());
        // Nothing that is forgotten is left.
        for (path, sha256) in &cut.files {
            let last = tombstones.iter().rev().find(|line| line.file == *path);
            prop_assert!(last.is_none_or(|line| line.sha256.as_deref() == Some(sha256)));
        }
    }
    /// A workstation goes on between the kills: it seals files anew, and its person has
    /// some forgotten, whole or in part. The last run that ends leaves what one run
    /// alone would have left, and nothing of what is forgotten.
    #[test]
    fn prop_what_is_forgotten_between_kills_is_gone(
        held in prop::collection::btree_set(0..6_u8, 0..6),
        offered in prop::collection::btree_set(0..6_u8, 0..6),
        runs in prop::collection::vec((prop::option::of((0..6_u8, 0..3_u8)), 0..10_usize), 1..10),
    ) {
        let first = |files: &BTreeSet<u8>| files.iter().map(|file| (*file, 1)).collect::<Vec<_>>();
        let files = held.iter().map(|file| (path(*file), sha(1))).collect();
        let start = Lake { files, record: record(&first(&held)) };
        let mut on_offer: BTreeMap<u8, u8> = first(&offered).into_iter().collect();
        let (mut tombstones, nobody) = (Vec::<Tombstone>::new(), Erased::default());
        let offer_of = |files: &BTreeMap<u8, u8>| {
            offer(&files.iter().map(|(a, b)| (*a, *b)).collect::<Vec<_>>())
        };

        let mut cut = start.clone();
        for (number, (happens, steps)) in runs.into_iter().enumerate() {
            let new = u8::try_from(number).unwrap() + 2;
            match happens {
                Some((file, 0)) if tombstones.iter().all(|line| line.file != path(file)) => {
                    on_offer.insert(file, new);
                }
                Some((file, 1)) if on_offer.contains_key(&file) => {
                    on_offer.insert(file, new);
                    tombstones.push(gone(file, Some(new)));
                }
                Some((file, 2)) => {
                    on_offer.remove(&file);
                    tombstones.push(Tombstone { at: format!("{new}"), ..gone(file, None) });
                }
                _ => {}
            }
            cut.pull(&offer_of(&on_offer), &tombstones, &nobody, steps);
        }
        let mut straight = start;
        straight.pull(&offer_of(&on_offer), &tombstones, &nobody, usize::MAX);
        cut.pull(&offer_of(&on_offer), &tombstones, &nobody, usize::MAX);
        prop_assert!(cut.is_in_order(), "{:?}", cut);
        prop_assert_eq!(&cut, &straight);
        for (path, sha256) in &cut.files {
            let last = tombstones.iter().rev().find(|line| line.file == *path);
            prop_assert!(last.is_none_or(|line| line.sha256.as_deref() == Some(sha256)));
        }
    }
}
