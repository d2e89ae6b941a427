//! Relative motion, wheels, absolute mice.

mod stage;

use evscribe_model::codes::*;
use stage::devices::{absolute_mouse, mouse, mouse_hi_res};
use stage::{Stage, holding};

#[test]
fn a_frame_is_one_motion() {
    let mut stage = Stage::open(&mouse());
    let frame = [(EV_REL, REL_X, 3), (EV_REL, REL_Y, -2), (EV_REL, REL_X, 1)];
    assert_eq!(stage.frame(1, &frame), ["motion 4,-2"]);
}

#[test]
fn no_net_motion_is_no_row() {
    let mut stage = Stage::open(&mouse());
    assert!(stage.frame(1, &[(EV_REL, REL_X, 3), (EV_REL, REL_X, -3)]).is_empty());
    assert!(stage.frame(2, &[(EV_REL, 0x02, 5), (EV_REL, 0x07, 5), (EV_REL, 0x09, 5)]).is_empty());
}

#[test]
fn absurd_motion_saturates() {
    let mut stage = Stage::open(&mouse());
    let frame = [(EV_REL, REL_X, i32::MAX), (EV_REL, REL_X, 9), (EV_REL, REL_WHEEL, i32::MIN)];
    assert_eq!(
        stage.frame(1, &frame),
        [format!("motion {},0", i32::MAX), format!("scroll {},0", i32::MIN)]
    );
}

#[test]
fn a_low_resolution_wheel_is_scaled() {
    let mut stage = Stage::open(&mouse());
    assert_eq!(stage.frame(1, &[(EV_REL, REL_WHEEL, -2)]), ["scroll -240,0"]);
}

#[test]
fn a_detent_is_never_counted_twice() {
    let mut stage = Stage::open(&mouse_hi_res());
    let frame = [(EV_REL, REL_WHEEL_HI_RES, 30), (EV_REL, REL_WHEEL, 1), (EV_REL, REL_HWHEEL, 1)];
    assert_eq!(stage.frame(1, &frame), ["scroll 30,120"], "each direction by its best axis");
    assert!(stage.frame(2, &[(EV_REL, REL_HWHEEL_HI_RES, 30)]).is_empty(), "an axis it has not");
}

#[test]
fn click_motion_and_scroll_of_one_frame_are_three_rows() {
    let mut stage = Stage::open(&mouse());
    let frame = [(EV_REL, REL_X, 1), (EV_KEY, BTN_LEFT, 1), (EV_REL, REL_WHEEL, 1)];
    assert_eq!(stage.frame(1, &frame), ["button 110 down 1", "motion 1,0", "scroll 120,0"]);
}

#[test]
fn an_absolute_mouse_hovers() {
    let state = holding(&[], &[], &[(ABS_X, 5), (ABS_Y, 6)]);
    let mut stage = Stage::open_holding(&absolute_mouse(), Some(&state));
    assert_eq!(stage.frame(1, &[(EV_ABS, ABS_X, 9)]), ["mouse 1 hover 9,6"]);
    assert_eq!(stage.frame(2, &[(EV_ABS, ABS_Y, 7)]), ["mouse 1 hover 9,7"]);
    let click = [(EV_KEY, BTN_LEFT, 1), (EV_REL, REL_WHEEL, 1)];
    assert_eq!(stage.frame(3, &click), ["button 110 down 1", "scroll 120,0"]);
    let state = holding(&[BTN_LEFT], &[], &[(ABS_X, 50), (ABS_Y, 6)]);
    assert_eq!(
        stage.dropped(3, 4, Some(&state)),
        [
            "drop kernel_buffer 3..4 run 2",
            "mouse 1 leave 9,7 inferred",
            "mouse 2 hover 50,6 inferred"
        ]
    );
    assert_eq!(
        stage.gone(5),
        ["button 110 up 1 inferred", "mouse 2 leave 50,6 inferred", "unplug device_gone 5"]
    );
}
