//! Keys, buttons and switches.

mod stage;

use evscribe_model::codes::*;
use evscribe_model::{BootUs, Input, MarkKind};
use stage::devices::{keyboard, mouse};
use stage::{Stage, holding, say};

const A: u16 = 30;
const SHIFT: u16 = 42;

#[test]
fn a_press_and_its_release_share_a_stroke() {
    let mut stage = Stage::open(&keyboard());
    assert_eq!(stage.frame(1, &[(EV_KEY, SHIFT, 1)]), ["key 42 modifier down 1"]);
    assert_eq!(stage.frame(2, &[(EV_KEY, A, 1)]), ["key 30 letter down 2"]);
    assert_eq!(stage.frame(3, &[(EV_KEY, SHIFT, 0)]), ["key 42 modifier up 1"]);
    assert_eq!(stage.frame(4, &[(EV_KEY, A, 0)]), ["key 30 letter up 2"]);
    assert_eq!(stage.normalizer.counters().stroke, 3);
}

#[test]
fn auto_repeat_is_never_a_press() {
    let mut stage = Stage::open(&keyboard());
    assert!(stage.frame(1, &[(EV_KEY, A, 2)]).is_empty());
    stage.frame(2, &[(EV_KEY, A, 1)]);
    assert!(stage.frame(3, &[(EV_KEY, A, 2)]).is_empty());
    assert_eq!(stage.frame(4, &[(EV_KEY, A, 0)]), ["key 30 letter up 1"]);
}

#[test]
fn scan_codes_are_not_rows() {
    let mut stage = Stage::open(&keyboard());
    assert!(stage.frame(1, &[(EV_MSC, MSC_SCAN, 458_756)]).is_empty());
}

#[test]
fn a_key_held_at_open_is_not_ours() {
    let mut stage = Stage::open_holding(&keyboard(), Some(&holding(&[A], &[], &[])));
    assert!(stage.frame(1, &[(EV_KEY, A, 0)]).is_empty());
    assert_eq!(stage.frame(2, &[(EV_KEY, A, 1)]), ["key 30 letter down 1"]);
}

#[test]
fn a_release_without_a_press_is_not_a_row() {
    let mut stage = Stage::open(&keyboard());
    assert!(stage.frame(1, &[(EV_KEY, A, 0)]).is_empty());
}

#[test]
fn a_second_press_releases_the_first() {
    let mut stage = Stage::open(&keyboard());
    stage.frame(1, &[(EV_KEY, A, 1)]);
    assert_eq!(
        stage.frame(2, &[(EV_KEY, A, 1)]),
        ["key 30 letter up 1 inferred", "key 30 letter down 2"]
    );
}

#[test]
fn a_code_beyond_the_kernels_is_ignored() {
    let mut stage = Stage::open(&keyboard());
    assert!(stage.frame(1, &[(EV_KEY, KEY_CNT, 1), (EV_KEY, u16::MAX, 1)]).is_empty());
}

#[test]
fn after_a_drop_only_what_changed_is_inferred() {
    let held = holding(&[2, 3], &[], &[]);
    let mut stage = Stage::open_holding(&keyboard(), Some(&held));
    stage.frame(1, &[(EV_KEY, A, 1), (EV_KEY, SHIFT, 1)]);
    // 2 is still held from before us, 3 is not; A went, SHIFT stayed, 57 came.
    let state = holding(&[2, SHIFT, 57], &[], &[]);
    assert_eq!(
        stage.dropped(1, 9, Some(&state)),
        [
            "drop kernel_buffer 1..9 run 2",
            "key 30 letter up 1 inferred",
            "key 57 space down 3 inferred"
        ]
    );
    assert!(stage.frame(10, &[(EV_KEY, 2, 0)]).is_empty());
    assert_eq!(stage.frame(11, &[(EV_KEY, 57, 0)]), ["key 57 space up 3"]);
}

#[test]
fn after_a_drop_without_state_everything_is_released() {
    let mut stage = Stage::open(&keyboard());
    stage.frame(1, &[(EV_KEY, A, 1)]);
    assert_eq!(
        stage.dropped(1, 9, None),
        ["drop kernel_buffer 1..9 run 2", "key 30 letter up 1 inferred"]
    );
    assert!(stage.frame(10, &[(EV_KEY, A, 0)]).is_empty());
}

#[test]
fn unplug_releases_what_is_held() {
    let mut stage = Stage::open(&mouse());
    stage.frame(1, &[(EV_KEY, BTN_LEFT, 1)]);
    assert_eq!(stage.gone(5), ["button 110 up 1 inferred", "unplug device_gone 5"]);
    assert!(stage.frame(6, &[(EV_KEY, BTN_LEFT, 0)]).is_empty());
}

#[test]
fn close_names_its_reason() {
    let mut stage = Stage::open(&keyboard());
    stage.frame(1, &[(EV_KEY, A, 1)]);
    let mut out = Vec::new();
    let at = BootUs::new(5);
    stage.normalizer.close(stage.device, at, MarkKind::Pause, "asked", &mut out);
    let said: Vec<_> = out.iter().map(say).collect();
    assert_eq!(said, ["key 30 letter up 1 inferred", "pause asked 5"]);
    stage.normalizer.close(stage.device, at, MarkKind::Pause, "asked", &mut out);
    assert_eq!(out.len(), 2, "a closed device is closed once");
    assert_eq!(stage.normalizer.new_run(stage.device), None);
}

#[test]
fn a_second_open_closes_the_first() {
    let mut stage = Stage::open(&keyboard());
    stage.frame(5, &[(EV_KEY, A, 1)]);
    let device = keyboard();
    let said = stage.feed(&Input::Open { at: BootUs::new(3), device: &device, state: None });
    assert_eq!(
        said,
        ["key 30 letter up 1 inferred", "unplug reopened 5", "plug opened 5 run 2"],
        "and time does not go back"
    );
}

#[test]
fn a_clock_step_ends_strokes_on_the_old_clock() {
    let mut stage = Stage::open(&keyboard());
    stage.frame(100, &[(EV_KEY, A, 1)]);
    let step = |from, to| Input::ClockStep {
        device: keyboard().id,
        from: BootUs::new(from),
        to: BootUs::new(to),
    };
    assert_eq!(
        stage.feed(&step(100, 40)),
        ["key 30 letter up 1 inferred", "clock stamps_stepped_back 40 run 2"]
    );
    assert!(stage.frame(41, &[(EV_KEY, A, 0)]).is_empty());
}

#[test]
fn a_switch_is_a_row_when_it_changes() {
    let mut device = keyboard();
    device.switches.set(0, true);
    let mut stage = Stage::open_holding(&device, Some(&holding(&[], &[], &[])));
    assert!(stage.frame(1, &[(EV_SW, 0, 0)]).is_empty());
    assert_eq!(stage.frame(2, &[(EV_SW, 0, 1)]), ["switch 0 on"]);
    assert!(stage.frame(3, &[(EV_SW, 0, 1)]).is_empty());
    assert_eq!(
        stage.dropped(3, 4, Some(&holding(&[], &[], &[]))),
        ["drop kernel_buffer 3..4 run 2", "switch 0 off inferred"]
    );
}

#[test]
fn the_first_word_about_an_unknown_switch_is_a_row() {
    let mut stage = Stage::open(&keyboard());
    assert_eq!(stage.frame(1, &[(EV_SW, 5, 0)]), ["switch 5 off"]);
    assert!(stage.frame(2, &[(EV_SW, 64, 1)]).is_empty());
}
