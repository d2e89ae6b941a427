//! Touchpads and touchscreens.

mod stage;

use evscribe_model::codes::*;
use stage::devices::{device, protocol_a, single_touch, touchpad};
use stage::{Ev, Stage, holding};

const fn slot(slot: i32) -> Ev {
    (EV_ABS, ABS_MT_SLOT, slot)
}
const fn id(id: i32) -> Ev {
    (EV_ABS, ABS_MT_TRACKING_ID, id)
}
const fn x(x: i32) -> Ev {
    (EV_ABS, ABS_MT_POSITION_X, x)
}
const fn y(y: i32) -> Ev {
    (EV_ABS, ABS_MT_POSITION_Y, y)
}
const END: Ev = (EV_SYN, SYN_MT_REPORT, 0);

#[test]
fn two_fingers_are_two_contacts() {
    let mut stage = Stage::open(&touchpad());
    let down = [
        (slot(0)),
        id(70),
        x(100),
        y(200),
        (EV_ABS, ABS_MT_PRESSURE, 40),
        slot(1),
        id(71),
        x(300),
        y(400),
        (EV_KEY, BTN_TOUCH, 1),
        (EV_KEY, BTN_TOOL_DOUBLETAP, 1),
        (EV_ABS, ABS_X, 100),
        (EV_ABS, ABS_Y, 200),
    ];
    assert_eq!(stage.frame(1, &down), ["finger 1 down 100,200 p40", "finger 2 down 300,400"]);
    assert_eq!(
        stage.frame(2, &[x(301), slot(0), y(201)]),
        ["finger 1 move 100,201 p40", "finger 2 move 301,400"]
    );
    assert_eq!(stage.frame(3, &[id(-1), (EV_KEY, BTN_TOUCH, 0)]), ["finger 1 up 100,201 p40"]);
    assert!(stage.frame(4, &[(EV_ABS, ABS_X, 301)]).is_empty(), "pointer emulation");
}

#[test]
fn a_new_tracking_id_in_a_slot_is_a_new_contact() {
    let mut stage = Stage::open(&touchpad());
    stage.frame(1, &[id(5), x(1), y(2)]);
    assert_eq!(stage.frame(2, &[id(6), x(9)]), ["finger 1 up 1,2", "finger 2 down 9,2"]);
    assert_eq!(stage.frame(3, &[id(-1), id(6), x(4)]), ["finger 2 up 9,2", "finger 3 down 4,2"]);
}

#[test]
fn a_contact_within_one_report_is_none() {
    let mut stage = Stage::open(&touchpad());
    assert!(stage.frame(1, &[id(5), x(1), id(-1)]).is_empty());
}

#[test]
fn a_slot_keeps_its_coordinates_for_the_next_contact() {
    let mut stage = Stage::open(&touchpad());
    stage.frame(1, &[id(5), x(1), y(2)]);
    stage.frame(2, &[id(-1)]);
    assert_eq!(stage.frame(3, &[id(6), y(7)]), ["finger 2 down 1,7"]);
}

#[test]
fn a_slot_that_the_device_has_not_is_ignored() {
    let mut stage = Stage::open(&touchpad());
    for wrong in [5, 64, -1, i32::MIN, i32::MAX] {
        assert!(stage.frame(1, &[slot(wrong), id(5), x(1)]).is_empty());
    }
    let mut wide = touchpad();
    for axis in wide.axes.iter_mut().filter(|axis| axis.code == ABS_MT_SLOT) {
        axis.max = i32::MAX;
    }
    let mut stage = Stage::open(&wide);
    assert_eq!(stage.frame(1, &[slot(63), id(5), x(1)]), ["finger 1 down 1,?"]);
    assert!(stage.frame(2, &[slot(64), id(6), x(1)]).is_empty());
}

#[test]
fn a_palm_is_told_apart() {
    let mut stage = Stage::open(&touchpad());
    stage.frame(1, &[id(5), x(1), y(2)]);
    let palm = [(EV_ABS, ABS_MT_TOOL_TYPE, MT_TOOL_PALM)];
    assert_eq!(stage.frame(2, &palm), ["palm 1 move 1,2"]);
}

#[test]
fn a_pen_in_a_slot_leaves_when_it_is_lifted() {
    let mut stage = Stage::open(&touchpad());
    let down = [id(5), x(1), y(2), (EV_ABS, ABS_MT_TOOL_TYPE, MT_TOOL_PEN)];
    assert_eq!(stage.frame(1, &down), ["pen 1 down 1,2"]);
    assert_eq!(stage.frame(2, &[id(-1)]), ["pen 1 up 1,2", "pen 1 leave 1,2"]);
}

#[test]
fn a_contact_down_at_open_is_not_ours() {
    let state = holding(&[BTN_TOUCH], &[(50, 1, 2)], &[]);
    let mut stage = Stage::open_holding(&touchpad(), Some(&state));
    assert!(stage.frame(1, &[x(5)]).is_empty());
    assert!(stage.frame(2, &[id(-1)]).is_empty());
    assert_eq!(stage.frame(3, &[id(51)]), ["finger 1 down 5,2"]);
}

#[test]
fn after_a_drop_slots_are_compared() {
    let held = holding(&[], &[(50, 1, 2)], &[]);
    let mut stage = Stage::open_holding(&touchpad(), Some(&held));
    let down = |s, i| [slot(s), id(i), x(10 * s), y(0)];
    stage.frame(1, &[down(1, 51), down(2, 52), down(3, 53)].concat());
    let mut state =
        holding(&[], &[(50, 9, 9), (51, 11, 0), (-1, 20, 0), (54, 30, 0), (55, 40, 0)], &[]);
    state.current_slot = 1;
    assert_eq!(
        stage.dropped(1, 2, Some(&state)),
        [
            "drop kernel_buffer 1..2 run 2",
            "finger 1 move 11,0 inferred",
            "finger 2 up 20,0 inferred",
            "finger 3 up 30,0 inferred",
            "finger 4 down 30,0 inferred",
            "finger 5 down 40,0 inferred"
        ]
    );
    assert_eq!(stage.frame(3, &[x(12)]), ["finger 1 move 12,0"], "slot 1 is current");
}

#[test]
fn after_a_drop_without_state_all_contacts_end() {
    let mut stage = Stage::open(&touchpad());
    stage.frame(1, &[id(5), x(1), y(2)]);
    assert_eq!(
        stage.dropped(1, 2, None),
        ["drop kernel_buffer 1..2 run 2", "finger 1 up 1,2 inferred"]
    );
    assert!(stage.frame(3, &[x(9)]).is_empty());
    assert_eq!(stage.frame(4, &[id(6)]), ["finger 2 down 9,2"]);
}

#[test]
fn a_clickpads_button_is_a_button() {
    let mut stage = Stage::open(&touchpad());
    assert_eq!(stage.frame(1, &[(EV_KEY, BTN_LEFT, 1)]), ["button 110 down 1"]);
}

#[test]
fn a_keyboard_that_claims_every_axis_has_no_fingers() {
    let axes: Vec<_> = (0x28..=0x3f).map(|code| (code, 0, 255, 0)).collect();
    let mut stage = Stage::open(&device(&[30], &[], &axes));
    assert!(stage.frame(1, &[slot(0), id(1), x(3), y(4)]).is_empty());
    assert_eq!(stage.frame(2, &[(EV_KEY, 30, 1)]), ["key 30 letter down 1"]);
}

#[test]
fn protocol_a_follows_the_nearest() {
    let mut stage = Stage::open(&protocol_a());
    assert_eq!(
        stage.frame(1, &[x(10), y(10), END, x(500), y(500), END]),
        ["finger 1 down 10,10 um 1000,1000", "finger 2 down 500,500 um 50000,50000"]
    );
    assert_eq!(
        stage.frame(2, &[x(490), y(500), END, x(10), y(10), END]),
        ["finger 2 move 490,500 um 49000,50000"],
        "whatever their order"
    );
    assert_eq!(
        stage.frame(3, &[x(480), y(500), END]),
        ["finger 2 move 480,500 um 48000,50000", "finger 1 up 10,10 um 1000,1000"]
    );
    assert!(stage.frame(4, &[(EV_ABS, ABS_X, 3)]).is_empty(), "pointer emulation");
    assert_eq!(stage.frame(5, &[END]), ["finger 2 up 480,500 um 48000,50000"]);
}

#[test]
fn protocol_a_goes_by_tracking_id_where_there_is_one() {
    let mut stage = Stage::open(&protocol_a());
    stage.frame(1, &[id(1), x(10), y(10), END, id(2), x(500), y(500), END]);
    assert_eq!(
        stage.frame(2, &[id(2), x(10), y(10), END, id(3), x(11), y(10), END]),
        [
            "finger 2 move 10,10 um 1000,1000",
            "finger 1 up 10,10 um 1000,1000",
            "finger 3 down 11,10 um 1100,1000"
        ]
    );
}

#[test]
fn protocol_a_ends_with_btn_touch() {
    let mut stage = Stage::open(&protocol_a());
    stage.frame(1, &[x(10), y(10), END, (EV_KEY, BTN_TOUCH, 1)]);
    assert_eq!(stage.frame(2, &[(EV_KEY, BTN_TOUCH, 0)]), ["finger 1 up 10,10 um 1000,1000"]);
}

#[test]
fn protocol_a_ends_a_contact_that_has_no_size() {
    let mut stage = Stage::open(&protocol_a());
    let size = |size| (EV_ABS, 0x30, size);
    assert_eq!(stage.frame(1, &[x(10), y(10), size(9), END]).len(), 1);
    assert_eq!(stage.frame(2, &[x(11), y(10), size(0), END]), ["finger 1 up 10,10 um 1000,1000"]);
    assert!(stage.frame(3, &[x(12), y(10), size(0), END]).is_empty());
}

#[test]
fn protocol_a_down_at_open_is_not_ours() {
    let state = holding(&[BTN_TOUCH], &[], &[]);
    let mut stage = Stage::open_holding(&protocol_a(), Some(&state));
    assert!(stage.frame(1, &[x(10), y(10), END]).is_empty());
    assert!(stage.frame(2, &[END]).is_empty());
    assert_eq!(stage.frame(3, &[x(1), y(1), END]), ["finger 1 down 1,1 um 100,100"]);
}

#[test]
fn protocol_a_is_bounded() {
    let mut stage = Stage::open(&protocol_a());
    let many: Vec<Ev> = (0..100).flat_map(|n| [x(n), y(n), END]).collect();
    assert_eq!(stage.frame(1, &many).len(), 32);
    assert!(stage.frame(2, &many).is_empty());
    assert_eq!(stage.frame(3, &[END]).len(), 32);
}

#[test]
fn a_single_touch_pad_has_one_contact() {
    let mut stage = Stage::open(&single_touch());
    let down = [
        (EV_KEY, BTN_TOUCH, 1),
        (EV_ABS, ABS_X, 463),
        (EV_ABS, ABS_Y, 384),
        (EV_ABS, ABS_PRESSURE, 66),
        (EV_KEY, BTN_TOOL_FINGER, 1),
    ];
    assert_eq!(stage.frame(1, &down), ["finger 1 down 463,384 p66"]);
    assert_eq!(stage.frame(2, &[(EV_ABS, ABS_X, 468)]), ["finger 1 move 468,384 p66"]);
    let up = [(EV_KEY, BTN_TOUCH, 0), (EV_ABS, ABS_PRESSURE, 0)];
    assert_eq!(stage.frame(3, &up), ["finger 1 up 468,384 p66"]);
    assert!(stage.frame(4, &[(EV_ABS, ABS_X, 1)]).is_empty());
}

#[test]
fn a_pad_without_btn_touch_is_touched_by_finger_or_pressure() {
    let flat = [(ABS_X, 0, 9, 0), (ABS_Y, 0, 9, 0), (ABS_PRESSURE, 0, 9, 0)];
    let mut stage = Stage::open(&device(&[BTN_LEFT, BTN_TOOL_FINGER], &[], &flat));
    let on = |code| [(EV_ABS, ABS_X, 4), (EV_KEY, code, 1)];
    assert_eq!(stage.frame(1, &on(BTN_TOOL_FINGER)), ["finger 1 down 4,?"]);
    assert_eq!(stage.frame(2, &[(EV_KEY, BTN_TOOL_FINGER, 0)]), ["finger 1 up 4,?"]);

    let mut stage = Stage::open(&device(&[BTN_LEFT], &[], &flat));
    assert_eq!(stage.frame(1, &[(EV_ABS, ABS_PRESSURE, 3)]), ["finger 1 down ?,? p3"]);
    assert_eq!(stage.frame(2, &[(EV_ABS, ABS_PRESSURE, 0)]), ["finger 1 up ?,? p3"]);
}

#[test]
fn a_single_touch_is_repaired_after_a_drop() {
    let held = holding(&[BTN_TOUCH], &[], &[(ABS_X, 1), (ABS_Y, 2)]);
    let mut stage = Stage::open_holding(&single_touch(), Some(&held));
    assert!(stage.frame(1, &[(EV_ABS, ABS_X, 3)]).is_empty(), "down since before us");
    assert_eq!(stage.dropped(1, 2, Some(&held)), ["drop kernel_buffer 1..2 run 2"]);
    let none = holding(&[], &[], &[]);
    assert_eq!(stage.dropped(2, 3, Some(&none)), ["drop kernel_buffer 2..3 run 3"]);
    assert_eq!(
        stage.dropped(3, 4, Some(&held)),
        ["drop kernel_buffer 3..4 run 4", "finger 1 down 1,2 inferred"]
    );
    assert_eq!(
        stage.dropped(4, 5, None),
        ["drop kernel_buffer 4..5 run 5", "finger 1 up 1,2 inferred"]
    );
}
