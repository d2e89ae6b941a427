//! Discarding what was not queued: it may be another person's.

mod stage;

use evscribe_model::codes::*;
use evscribe_model::*;
use evscribe_normalizer::{Counters, Normalizer, Outlet};
use proptest::prelude::*;
use proptest::sample::Index;
use stage::arbitrary::{Op, device, ops};
use stage::devices::{keyboard, mouse, pen, single_touch, touchpad};
use stage::verifier::Verifier;
use stage::{Ev, raw, say};

/// A device, and its rows that wait to be queued.
struct Line {
    normalizer: Normalizer,
    outlet: Outlet,
    device: DeviceId,
    waiting: Vec<Row>,
}

impl Line {
    fn open(device: &Device) -> Self {
        let mut line = Self {
            normalizer: Normalizer::new(Counters::default()),
            outlet: Outlet::new(),
            device: device.id,
            waiting: Vec::new(),
        };
        line.feed(&Input::Open { at: BootUs::new(0), device, state: None });
        line.queue();
        line
    }

    fn feed(&mut self, input: &Input<'_>) {
        self.normalizer.feed(input, &mut self.waiting);
    }

    fn frame(&mut self, at: u64, events: &[Ev]) {
        let events = raw(at, events);
        let (device, at) = (self.device, BootUs::new(at));
        self.feed(&Input::Frame(Frame { device, at, events: &events }));
    }

    fn key(&mut self, at: u64, code: u16, value: i32) {
        self.frame(at, &[(EV_KEY, code, value)]);
    }

    fn close(&mut self, at: u64) {
        let at = BootUs::new(at);
        self.normalizer.close(self.device, at, MarkKind::Stop, "seat", &mut self.waiting);
    }

    fn discard(&mut self, since: u64) -> bool {
        let Self { normalizer, outlet, waiting, .. } = self;
        outlet.discard_since(BootUs::new(since), waiting, normalizer)
    }

    /// What goes to the queue, each with its time.
    fn queue(&mut self) -> Vec<String> {
        let mut rows = std::mem::take(&mut self.waiting);
        self.outlet.admit(&mut rows);
        rows.iter().map(|row| format!("{} {}", row.at().get(), say(row))).collect()
    }
}

#[test]
fn what_was_typed_since_goes_and_what_was_typed_before_stays() {
    let mut line = Line::open(&keyboard());
    line.key(1, 30, 1);
    line.key(2, 30, 0);
    line.key(3, 31, 1);
    line.key(4, 31, 0);
    assert!(line.discard(3));
    assert_eq!(line.queue(), ["1 key 30 letter down 1", "2 key 30 letter up 1"]);
}

#[test]
fn a_discarded_press_is_never_released() {
    for close_first in [false, true] {
        let mut line = Line::open(&keyboard());
        line.key(5, 30, 1);
        if close_first {
            line.close(7);
        }
        assert!(line.discard(4));
        if !close_first {
            line.close(7);
        }
        assert_eq!(line.queue(), ["7 stop seat 7"], "closed first: {close_first}");
    }
}

#[test]
fn a_discarded_press_is_not_released_by_its_release_either() {
    let mut line = Line::open(&keyboard());
    line.key(5, 30, 1);
    line.discard(4);
    line.key(6, 30, 0);
    line.key(7, 30, 1);
    assert_eq!(line.queue(), ["7 key 30 letter down 2"]);
}

#[test]
fn a_release_since_becomes_one_that_tells_nothing_of_when() {
    let mut line = Line::open(&keyboard());
    line.key(1, 30, 1);
    line.queue();
    line.key(9, 30, 0);
    assert!(line.discard(3));
    assert_eq!(line.queue(), ["3 key 30 letter up 1 inferred"]);
}

#[test]
fn a_key_of_before_that_is_still_down_is_released_by_the_close() {
    let mut line = Line::open(&keyboard());
    line.key(1, 30, 1);
    assert!(line.discard(3));
    line.close(5);
    assert_eq!(
        line.queue(),
        ["1 key 30 letter down 1", "5 key 30 letter up 1 inferred", "5 stop seat 5"]
    );
}

#[test]
fn what_was_queued_already_is_said() {
    let mut line = Line::open(&mouse());
    line.frame(4, &[(EV_REL, REL_X, 1)]);
    line.queue();
    assert!(!line.discard(4));
    assert!(line.discard(5));
}

#[test]
fn what_stands_for_the_discarded_comes_after_what_was_queued() {
    let mut line = Line::open(&keyboard());
    line.key(1, 30, 1);
    line.key(6, 31, 1);
    line.queue();
    line.key(8, 30, 0);
    assert!(!line.discard(3));
    assert_eq!(line.queue(), ["6 key 30 letter up 1 inferred"]);
}

#[test]
fn marks_stay_and_their_run_begins_before_what_is_of_it() {
    let mut line = Line::open(&keyboard());
    line.key(1, 30, 1);
    line.queue();
    let (device, since, until) = (line.device, BootUs::new(5), BootUs::new(6));
    let state = stage::holding(&[], &[], &[]);
    line.feed(&Input::Dropped { device, since, until, state: Some(&state) });
    assert!(line.discard(3));
    assert_eq!(line.queue(), ["5 drop kernel_buffer 5..6 run 2", "5 key 30 letter up 1 inferred"]);
}

#[test]
fn a_contact_of_before_ends_where_it_was() {
    let mut line = Line::open(&touchpad());
    let finger = |id, x| [(EV_ABS, ABS_MT_TRACKING_ID, id), (EV_ABS, ABS_MT_POSITION_X, x)];
    line.frame(1, &finger(9, 100));
    line.queue();
    line.frame(2, &finger(9, 110));
    line.frame(5, &finger(9, 120));
    line.frame(6, &finger(9, 130));
    assert!(line.discard(4));
    assert_eq!(line.queue(), ["2 finger 1 move 110,?", "4 finger 1 up 110,? inferred"]);
    line.frame(7, &finger(9, 140));
    line.frame(8, &[(EV_ABS, ABS_MT_TRACKING_ID, -1)]);
    line.frame(9, &finger(10, 150));
    assert_eq!(line.queue(), ["9 finger 2 down 150,?"]);
}

#[test]
fn a_contact_that_began_since_has_no_rows() {
    let mut line = Line::open(&single_touch());
    line.frame(5, &[(EV_KEY, BTN_TOUCH, 1), (EV_ABS, ABS_X, 100)]);
    assert!(line.discard(4));
    line.frame(6, &[(EV_ABS, ABS_X, 110)]);
    line.close(7);
    assert_eq!(line.queue(), ["7 stop seat 7"]);
}

#[test]
fn a_pen_of_before_leaves_where_it_was() {
    let mut line = Line::open(&pen());
    line.frame(1, &[(EV_KEY, BTN_TOOL_PEN, 1), (EV_ABS, ABS_X, 100), (EV_ABS, ABS_Y, 0)]);
    line.queue();
    line.frame(5, &[(EV_KEY, BTN_TOUCH, 1), (EV_ABS, ABS_X, 200)]);
    assert!(line.discard(4));
    line.close(9);
    assert_eq!(line.queue(), ["4 pen 1 leave 100,0 um 1000,0 inferred", "9 stop seat 9"]);
}

/// Rows since the last were queued, of three devices.
struct World {
    devices: Vec<Device>,
    normalizer: Normalizer,
    outlet: Outlet,
    now: u64,
    waiting: Vec<Row>,
    verifier: Verifier,
}

impl World {
    /// As a live device: its stamps never step back.
    fn step(&mut self, which: &Index, later: i64, op: &Op) {
        self.now += later.unsigned_abs();
        let device = which.get(&self.devices);
        let (id, at, out) = (device.id, BootUs::new(self.now), &mut self.waiting);
        let events;
        let input = match op {
            Op::Open(state) => Input::Open { at, device, state: state.as_ref() },
            Op::Frame(said) => {
                events = raw(self.now, said);
                Input::Frame(Frame { device: id, at, events: &events })
            }
            Op::Dropped { since, state } => {
                let since = BootUs::new(self.now.saturating_sub(*since));
                Input::Dropped { device: id, since, until: at, state: state.as_ref() }
            }
            Op::ClockStep(_) => return,
            Op::Gone => Input::Gone { at, device: id },
            Op::Close => {
                return self.normalizer.close(id, at, MarkKind::Pause, "asked", out);
            }
        };
        self.normalizer.feed(&input, out);
    }

    fn queue(&mut self) {
        self.waiting.sort_by_key(Row::at);
        self.outlet.admit(&mut self.waiting);
        self.waiting.drain(..).for_each(|row| self.verifier.read(&row));
    }

    fn unblock(&mut self) {
        // Rows made before must have been offered before.
        self.queue();
        let at = BootUs::new(self.now);
        self.outlet.unblock(at, "queue_full", &mut self.normalizer, &mut self.waiting);
        self.waiting.drain(..).for_each(|row| self.verifier.read(&row));
    }
}

fn is_deed(row: &Row) -> bool {
    matches!(row, Row::Event(_) | Row::Touch(_))
}

proptest! {
    #[test]
    fn prop_rows_stay_paired_and_nothing_since_is_left(
        devices in (device(1), device(2), device(3)),
        ops in ops(),
        moments in proptest::collection::vec((0u8..10, 0u64..20), 60),
    ) {
        let devices = vec![devices.0, devices.1, devices.2];
        let mut world = World {
            devices,
            normalizer: Normalizer::new(Counters::default()),
            outlet: Outlet::new(),
            now: 1000,
            waiting: Vec::new(),
            verifier: Verifier::default(),
        };
        for device in &world.devices {
            let input = Input::Open { at: BootUs::new(world.now), device, state: None };
            world.normalizer.feed(&input, &mut world.waiting);
        }
        for ((which, later, op), (moment, ago)) in ops.iter().zip(&moments) {
            world.step(which, *later, op);
            match moment {
                0..2 => world.queue(),
                2..5 => {
                    let since = BootUs::new(world.now - ago);
                    let marks = world.waiting.iter().filter(|row| !is_deed(row)).count();
                    let World { outlet, normalizer, waiting, .. } = &mut world;
                    outlet.discard_since(since, waiting, normalizer);
                    prop_assert_eq!(waiting.iter().filter(|row| !is_deed(row)).count(), marks);
                    // What is left of the time since is deduced, and an end.
                    for row in waiting.iter().filter(|row| row.at() >= since) {
                        let is_end = match row {
                            Row::Event(Event { what: What::Key { down, inferred, .. }, .. })
                            | Row::Event(Event { what: What::Button { down, inferred, .. }, .. }) => {
                                *inferred && !down
                            }
                            Row::Touch(touch) => {
                                touch.inferred && matches!(touch.phase, Phase::Up | Phase::Leave)
                            }
                            Row::Event(_) => false,
                            Row::Mark(_) | Row::Device(_) => true,
                        };
                        prop_assert!(is_end, "{:?}", row);
                    }
                }
                5 => world.outlet.block(BootUs::new(world.now)),
                6 => world.unblock(),
                _ => {}
            }
        }
        for device in &world.devices {
            let at = BootUs::new(world.now);
            world.normalizer.close(device.id, at, MarkKind::Stop, "asked", &mut world.waiting);
        }
        world.unblock();
        world.verifier.finish();
    }
}
