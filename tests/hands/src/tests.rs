//! Scores are plain data: what a kernel would see is checked without one.

use std::collections::HashSet;

use crate::desk::{Desk, desk};
use crate::keyboard::Typist;
use crate::mouse::{self, Wheel};
use crate::random::Random;
use crate::score::Score;
use crate::script;
use crate::touch::{Surface, gestures};
use crate::zoo;

fn typed(seed: u64) -> Score {
    let mut random = Random::new(seed);
    let mut typist = Typist::new(&mut random, 0);
    typist.type_for(60);
    typist.score()
}

fn in_time(score: &Score) -> Vec<&crate::score::Note> {
    let mut notes: Vec<_> = score.notes.iter().collect();
    notes.sort_by_key(|n| n.at);
    notes
}

/// Panics where a key goes down twice, or up without being down, or stays down.
fn keys_balance(score: &Score) {
    let mut down = HashSet::new();
    for note in in_time(score) {
        for &(kind, code, value) in &note.values {
            match (kind, value) {
                (1, 1) => assert!(
                    down.insert((note.device, code)),
                    "{code} is down already at {:?}",
                    note.at
                ),
                (1, 0) => assert!(
                    down.remove(&(note.device, code)),
                    "{code} was not down at {:?}",
                    note.at
                ),
                (1, 2) => assert!(down.contains(&(note.device, code)), "{code} repeats while up"),
                _ => {}
            }
        }
    }
    assert!(down.is_empty(), "still down: {down:?}");
}

#[test]
fn one_seed_gives_one_score() {
    assert_eq!(typed(7).notes, typed(7).notes);
    assert_ne!(typed(7).notes, typed(8).notes);
}

#[test]
fn every_press_has_its_release() {
    for seed in 0..20 {
        keys_balance(&typed(seed));
        keys_balance(&typed(seed).polled_at(125));
        let mut random = Random::new(seed);
        keys_balance(&mouse::busy(&mut random, 0, 1000, 5, Wheel::HiRes));
        keys_balance(&gestures(&mut random, Surface::pad(0), 5, 140, 5));
        keys_balance(&desk(
            &mut random,
            Desk { keyboard: 0, mouse: 1, touchpad: 2, mouse_hz: 1000 },
            60,
        ));
    }
}

#[test]
fn a_script_types_its_keys_in_order_and_its_chords_together() {
    let score = script::strokes("z leftctrl+pause .500 q", 0, 2).unwrap();
    keys_balance(&score);
    let codes: Vec<_> = in_time(&score)
        .iter()
        .flat_map(|note| &note.values)
        .filter(|value| value.0 == 1)
        .map(|value| (value.1, value.2))
        .collect();
    let once = [(44, 1), (44, 0), (29, 1), (119, 1), (29, 0), (119, 0), (16, 1), (16, 0)];
    assert_eq!(codes, [once, once].concat());
    assert!(script::strokes("hyperdrive", 0, 1).is_err());
}

#[test]
fn typing_rolls_over_and_repeats() {
    let score = typed(1);
    let mut down = 0_i32;
    let mut most = 0;
    let mut repeats = 0;
    for note in in_time(&score) {
        for &(kind, _, value) in &note.values {
            match (kind, value) {
                (1, 1) => down += 1,
                (1, 0) => down -= 1,
                (1, 2) => repeats += 1,
                _ => {}
            }
        }
        most = most.max(down);
    }
    assert!(most >= 2, "no two keys overlap");
    assert!(repeats > 0, "no key repeats");
}

#[test]
fn a_busy_mouse_moves_in_every_report() {
    let score = mouse::busy(&mut Random::new(3), 0, 8000, 2, Wheel::HiRes);
    let moving =
        score.notes.iter().filter(|n| n.values.iter().any(|v| v.0 == 2 && v.1 < 2 && v.2 != 0));
    assert_eq!(moving.count(), 16_000);
}

#[test]
fn low_resolution_wheels_count_the_same_turns() {
    let score = mouse::busy(&mut Random::new(3), 0, 1000, 20, Wheel::HiRes);
    let sum = |code| {
        score
            .notes
            .iter()
            .flat_map(|n| &n.values)
            .filter(|v| v.0 == 2 && v.1 == code)
            .map(|v| v.2)
            .sum::<i32>()
    };
    assert!((sum(8) * 120 - sum(11)).abs() < 120);
    assert!(score.notes.iter().flat_map(|n| &n.values).any(|v| v.0 == 2 && v.1 == 11));
}

#[test]
fn the_zoo_has_twenty_different_devices() {
    let animals = zoo::animals();
    let names: HashSet<_> = animals.iter().map(|a| a.spec.name.clone()).collect();
    assert_eq!(names.len(), 20);
    assert_eq!(animals.iter().filter(|a| a.selected).count(), 9);
}
