//! Pens and tablets.

mod stage;

use evscribe_model::codes::*;
use stage::devices::{device, pen};
use stage::{Ev, Stage, holding};

const fn at(x: i32) -> Ev {
    (EV_ABS, ABS_X, x)
}
const fn tip(down: i32) -> Ev {
    (EV_KEY, BTN_TOUCH, down)
}
const fn near(tool: u16) -> Ev {
    (EV_KEY, tool, 1)
}
const fn away(tool: u16) -> Ev {
    (EV_KEY, tool, 0)
}

#[test]
fn a_contact_lasts_from_coming_near_to_leaving() {
    let mut stage = Stage::open(&pen());
    let y = (EV_ABS, ABS_Y, 200);
    assert_eq!(
        stage.frame(1, &[at(100), y, near(BTN_TOOL_PEN)]),
        ["pen 1 hover 100,200 um 1000,2000"]
    );
    assert_eq!(stage.frame(2, &[at(101)]), ["pen 1 hover 101,200 um 1010,2000"]);
    let press = (EV_ABS, ABS_PRESSURE, 9);
    assert_eq!(stage.frame(3, &[tip(1), press]), ["pen 1 down 101,200 p9 um 1010,2000"]);
    assert_eq!(stage.frame(4, &[at(102)]), ["pen 1 move 102,200 p9 um 1020,2000"]);
    let lift = (EV_ABS, ABS_PRESSURE, 0);
    assert_eq!(stage.frame(5, &[tip(0), lift]), ["pen 1 up 102,200 p0 um 1020,2000"]);
    assert_eq!(stage.frame(6, &[tip(1)]), ["pen 1 down 102,200 p0 um 1020,2000"]);
    // Wacom tablets send zeros when the pen goes.
    assert_eq!(
        stage.frame(7, &[at(0), (EV_ABS, ABS_Y, 0), tip(0), away(BTN_TOOL_PEN)]),
        ["pen 1 up 102,200 p0 um 1020,2000", "pen 1 leave 102,200 p0 um 1020,2000"]
    );
    assert!(stage.frame(8, &[at(5)]).is_empty());
    assert_eq!(stage.frame(9, &[near(BTN_TOOL_RUBBER)]), ["rubber 2 hover 5,0 p0 um 50,0"]);
}

#[test]
fn another_tool_is_another_contact() {
    let mut stage = Stage::open(&pen());
    stage.frame(1, &[at(1), near(BTN_TOOL_PEN)]);
    assert_eq!(
        stage.frame(2, &[away(BTN_TOOL_PEN), near(BTN_TOOL_RUBBER)]),
        ["pen 1 leave 1,? um 10,?", "rubber 2 hover 1,? um 10,?"]
    );
    assert!(stage.frame(3, &[near(BTN_TOOL_PEN)]).is_empty(), "the first counts");
    assert_eq!(
        stage.frame(4, &[away(BTN_TOOL_RUBBER), near(BTN_TOOL_RUBBER)]),
        ["rubber 2 leave 1,? um 10,?", "pen 3 hover 1,? um 10,?"]
    );
}

#[test]
fn a_stylus_button_is_a_button_and_numbers_of_the_tool_are_nothing() {
    let mut stage = Stage::open(&pen());
    assert_eq!(stage.frame(1, &[(EV_KEY, BTN_STYLUS, 1)]), ["button 14b down 1"]);
    stage.frame(2, &[at(1), near(BTN_TOOL_PEN)]);
    let numbers = [
        (EV_MSC, 0, -1_719_661_677),
        (EV_ABS, 0x28, 2050),
        (EV_ABS, ABS_DISTANCE, 58),
        (EV_ABS, ABS_WHEEL, 3),
    ];
    assert!(stage.frame(3, &numbers).is_empty());
}

#[test]
fn a_pen_near_at_open_is_not_ours() {
    let state = holding(&[BTN_TOOL_PEN, BTN_TOUCH], &[], &[(ABS_X, 4), (ABS_Y, 5)]);
    let mut stage = Stage::open_holding(&pen(), Some(&state));
    assert!(stage.frame(1, &[at(6), tip(0)]).is_empty());
    assert!(stage.frame(2, &[away(BTN_TOOL_PEN)]).is_empty());
    assert_eq!(stage.frame(3, &[near(BTN_TOOL_PEN)]), ["pen 1 hover 6,5 um 60,50"]);
}

#[test]
fn a_pen_is_repaired_after_a_drop() {
    let mut stage = Stage::open(&pen());
    stage.frame(1, &[at(1), near(BTN_TOOL_PEN), tip(1)]);
    let hovers = holding(&[BTN_TOOL_PEN], &[], &[(ABS_X, 2), (ABS_Y, 3)]);
    assert_eq!(
        stage.dropped(1, 2, Some(&hovers)),
        ["drop kernel_buffer 1..2 run 2", "pen 1 up 2,3 um 20,30 inferred"]
    );
    let rubs = holding(&[BTN_TOOL_RUBBER, BTN_TOUCH], &[], &[(ABS_X, 7)]);
    assert_eq!(
        stage.dropped(2, 3, Some(&rubs)),
        [
            "drop kernel_buffer 2..3 run 3",
            "pen 1 leave 2,3 um 20,30 inferred",
            "rubber 2 down 7,3 um 70,30 inferred"
        ]
    );
    assert_eq!(
        stage.gone(4),
        [
            "rubber 2 up 7,3 um 70,30 inferred",
            "rubber 2 leave 7,3 um 70,30 inferred",
            "unplug device_gone 4"
        ]
    );
}

#[test]
fn a_tablet_that_names_no_tool_has_a_pen_while_touched() {
    let flat = [(ABS_X, 0, 9, 0), (ABS_Y, 0, 9, 0)];
    let mut stage = Stage::open(&device(&[BTN_TOUCH, BTN_STYLUS], &[], &flat));
    assert!(stage.frame(1, &[at(1)]).is_empty());
    assert_eq!(stage.frame(2, &[tip(1)]), ["pen 1 down 1,?"]);
    assert_eq!(stage.frame(3, &[tip(0)]), ["pen 1 up 1,?", "pen 1 leave 1,?"]);
}

#[test]
fn a_tablet_with_neither_tool_nor_touch_is_silent() {
    let flat = [(ABS_X, 0, 9, 0), (ABS_Y, 0, 9, 0)];
    let mut stage = Stage::open(&device(&[BTN_STYLUS, 0x100], &[], &flat));
    assert!(stage.frame(1, &[at(1), (EV_ABS, ABS_PRESSURE, 0)]).is_empty());
    assert_eq!(stage.frame(2, &[(EV_KEY, 0x100, 1)]), ["button 100 down 1"]);
}

#[test]
fn a_finger_on_a_tablet_has_rows_while_it_touches() {
    let flat = [(ABS_X, 0, 9, 0), (ABS_Y, 0, 9, 0)];
    let keys = [BTN_TOOL_PEN, BTN_TOOL_FINGER, BTN_TOUCH];
    let mut stage = Stage::open(&device(&keys, &[], &flat));
    assert!(stage.frame(1, &[at(1), near(BTN_TOOL_FINGER)]).is_empty());
    assert_eq!(stage.frame(2, &[tip(1)]), ["finger 1 down 1,?"]);
    assert_eq!(stage.frame(3, &[tip(0)]), ["finger 1 up 1,?"]);
}
