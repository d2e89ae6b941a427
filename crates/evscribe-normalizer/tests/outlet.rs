//! Holes: what the queue could not take.

mod stage;

use evscribe_model::codes::*;
use evscribe_model::*;
use evscribe_normalizer::{Counters, Normalizer, Outlet};
use stage::devices::{keyboard, mouse, pen, touchpad};
use stage::{Ev, holding, raw, say};

/// Devices, normaliser and outlet; rows that reach the queue come back as text.
struct Line {
    normalizer: Normalizer,
    outlet: Outlet,
}

impl Line {
    fn new() -> Self {
        Self { normalizer: Normalizer::new(Counters::default()), outlet: Outlet::new() }
    }

    fn feed(&mut self, input: &Input<'_>) -> Vec<String> {
        let mut rows = Vec::new();
        self.normalizer.feed(input, &mut rows);
        self.outlet.admit(&mut rows);
        rows.iter().map(say).collect()
    }

    fn open(&mut self, id: i16, at: u64, mut device: Device) -> Vec<String> {
        device.id = DeviceId(id);
        let state = holding(&[], &[], &[]);
        self.feed(&Input::Open { at: BootUs::new(at), device: &device, state: Some(&state) })
    }

    fn frame(&mut self, id: i16, at: u64, events: &[Ev]) -> Vec<String> {
        let events = raw(at, events);
        let (device, at) = (DeviceId(id), BootUs::new(at));
        self.feed(&Input::Frame(Frame { device, at, events: &events }))
    }

    fn gone(&mut self, id: i16, at: u64) -> Vec<String> {
        self.feed(&Input::Gone { at: BootUs::new(at), device: DeviceId(id) })
    }

    fn unblock(&mut self, at: u64) -> Vec<String> {
        let mut rows = Vec::new();
        let at = BootUs::new(at);
        self.outlet.unblock(at, "queue_full", &mut self.normalizer, &mut rows);
        rows.iter().map(say).collect()
    }

    fn block(&mut self, at: u64) {
        self.outlet.block(BootUs::new(at));
    }
}

const fn key(code: u16, value: i32) -> [Ev; 1] {
    [(EV_KEY, code, value)]
}

#[test]
fn a_hole_is_a_mark_with_its_exact_count() {
    let mut line = Line::new();
    line.open(1, 0, mouse());
    line.open(2, 0, keyboard());
    line.block(10);
    for at in 11..=15 {
        assert!(line.frame(1, at, &[(EV_REL, REL_X, 1)]).is_empty());
    }
    assert_eq!(line.outlet.lost(), 5);
    assert_eq!(line.unblock(20), ["drop queue_full 11..15 run 3 lost 5"], "not for the keyboard");
    assert_eq!(line.outlet.lost(), 5);
    assert_eq!(line.frame(1, 16, &[(EV_REL, REL_X, 1)]), ["motion 1,0"]);
}

#[test]
fn rows_after_a_hole_are_of_the_run_of_its_mark() {
    let mut line = Line::new();
    line.open(1, 0, mouse());
    line.block(10);
    line.frame(1, 11, &[(EV_REL, REL_X, 1)]);
    line.unblock(20);
    let mut rows = Vec::new();
    let events = raw(21, &[(EV_REL, REL_X, 1)]);
    let frame = Frame { device: DeviceId(1), at: BootUs::new(21), events: &events };
    line.normalizer.feed(&Input::Frame(frame), &mut rows);
    assert!(matches!(rows[..], [Row::Event(Event { run: Run(2), .. })]));
}

#[test]
fn no_key_is_stuck_after_a_hole() {
    let mut line = Line::new();
    line.open(1, 0, keyboard());
    line.frame(1, 1, &key(30, 1));
    line.frame(1, 2, &key(42, 1));
    line.block(3);
    line.frame(1, 4, &key(30, 0));
    line.frame(1, 5, &key(31, 1));
    line.frame(1, 6, &key(31, 0));
    line.frame(1, 7, &key(32, 1));
    assert_eq!(
        line.unblock(9),
        [
            "drop queue_full 4..7 run 2 lost 4",
            "key 30 letter up 1 inferred",
            "key 32 letter down 4 inferred",
        ]
    );
    assert_eq!(line.frame(1, 10, &key(32, 0)), ["key 32 letter up 4"]);
    assert_eq!(line.frame(1, 11, &key(42, 0)), ["key 42 modifier up 2"]);
}

#[test]
fn repairs_know_no_more_than_the_redacted_rows() {
    let mut line = Line::new();
    line.open(1, 0, keyboard());
    let mut rows = Vec::new();
    let events = raw(1, &key(30, 1));
    let frame = Frame { device: DeviceId(1), at: BootUs::new(1), events: &events };
    line.normalizer.feed(&Input::Frame(frame), &mut rows);
    for row in &mut rows {
        if let Row::Event(Event { what: What::Key { code, class, .. }, .. }) = row {
            (*code, *class) = (None, None);
        }
    }
    line.outlet.admit(&mut rows);
    line.block(2);
    line.frame(1, 3, &key(30, 0));
    assert_eq!(line.unblock(4), ["drop queue_full 3..3 run 2 lost 1", "key - - up 1 inferred"]);
}

#[test]
fn contacts_are_told_where_they_are_now() {
    let mut line = Line::new();
    line.open(1, 0, touchpad());
    let id = |slot, id, x| {
        [(EV_ABS, ABS_MT_SLOT, slot), (EV_ABS, ABS_MT_TRACKING_ID, id), (EV_ABS, 0x35, x)]
    };
    line.frame(1, 1, &[id(0, 5, 10), id(1, 6, 20)].concat());
    line.block(2);
    line.frame(1, 3, &id(0, 5, 11));
    line.frame(1, 4, &id(1, -1, 20));
    line.frame(1, 5, &id(2, 7, 30));
    line.frame(1, 6, &id(2, 7, 31));
    line.frame(1, 7, &id(3, 8, 40));
    line.frame(1, 8, &id(3, -1, 40));
    assert_eq!(
        line.unblock(9),
        [
            "drop queue_full 3..8 run 2 lost 6",
            "finger 2 up 20,? inferred",
            "finger 3 down 31,? inferred",
        ]
    );
    assert_eq!(line.frame(1, 10, &id(0, -1, 11)), ["finger 1 up 11,?"]);
}

#[test]
fn a_pen_that_left_in_a_hole_has_left() {
    let mut line = Line::new();
    line.open(1, 0, pen());
    line.frame(1, 1, &[(EV_KEY, BTN_TOOL_PEN, 1), (EV_KEY, BTN_TOUCH, 1), (EV_ABS, ABS_X, 100)]);
    line.block(2);
    line.frame(1, 3, &[(EV_KEY, BTN_TOUCH, 0), (EV_KEY, BTN_TOOL_PEN, 0)]);
    line.frame(1, 4, &[(EV_KEY, BTN_TOOL_PEN, 1)]);
    assert_eq!(
        line.unblock(9),
        [
            "drop queue_full 3..4 run 2 lost 3",
            "pen 1 up 100,? um 1000,? inferred",
            "pen 1 leave 100,? um 1000,? inferred",
            "pen 2 hover 100,? um 1000,? inferred",
        ]
    );
}

#[test]
fn a_switch_that_stands_otherwise_is_told() {
    let mut line = Line::new();
    line.open(1, 0, keyboard());
    line.block(2);
    line.frame(1, 3, &[(EV_SW, 0, 1), (EV_SW, 1, 1)]);
    line.frame(1, 4, &[(EV_SW, 1, 0)]);
    assert_eq!(line.unblock(9), ["drop queue_full 3..4 run 2 lost 3", "switch 0 on inferred"]);
}

#[test]
fn marks_of_a_hole_are_delivered_in_their_place() {
    let mut line = Line::new();
    line.open(1, 0, mouse());
    line.frame(1, 1, &key(BTN_LEFT, 1));
    line.block(2);
    line.frame(1, 3, &[(EV_REL, REL_X, 1)]);
    line.gone(1, 4);
    line.open(2, 5, keyboard());
    line.open(1, 6, mouse());
    assert_eq!(
        line.unblock(9),
        [
            // Its release at the unplug is the last row that was lost.
            "drop queue_full 3..4 run 4 lost 2",
            "button 110 up 1 inferred",
            "unplug device_gone 4",
            "plug opened 5 run 2",
            "plug opened 6 run 3",
        ]
    );
    assert_eq!(line.frame(1, 7, &[(EV_REL, REL_X, 1)]), ["motion 1,0"]);
}

#[test]
fn a_run_that_begins_amid_losses_is_superseded() {
    let mut line = Line::new();
    line.open(1, 0, mouse());
    line.block(2);
    let (device, since, until) = (DeviceId(1), BootUs::new(4), BootUs::new(5));
    line.frame(1, 3, &[(EV_REL, REL_X, 1)]);
    line.feed(&Input::Dropped { device, since, until, state: None });
    line.frame(1, 6, &[(EV_REL, REL_X, 1)]);
    assert_eq!(line.unblock(9), ["drop queue_full 3..6 run 3 lost 2", "drop kernel_buffer 4..5"]);
}

#[test]
fn marks_beyond_the_bound_are_counted() {
    let mut line = Line::new();
    line.block(1);
    let mark = Mark {
        at: BootUs::new(2),
        until: None,
        run: None,
        device: None,
        kind: MarkKind::Lock,
        reason: "asked",
        lost: None,
    };
    line.outlet.admit(&mut vec![Row::Mark(mark); 5000]);
    let said = line.unblock(9);
    assert_eq!(said.len(), 1 + 4096);
    assert_eq!(said[0], format!("drop queue_full 1..9 lost {}", 5000 - 4096));
}

#[test]
fn an_empty_hole_leaves_no_trace() {
    let mut line = Line::new();
    line.open(1, 0, mouse());
    line.block(1);
    line.block(2);
    assert!(line.outlet.is_blocked());
    assert!(line.unblock(3).is_empty());
    assert!(line.unblock(4).is_empty());
    assert!(!line.outlet.is_blocked());
    assert_eq!(line.frame(1, 5, &[(EV_REL, REL_X, 1)]), ["motion 1,0"]);
}
