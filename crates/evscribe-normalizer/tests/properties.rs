//! What holds whatever a device says.

mod stage;

use evscribe_model::*;
use evscribe_normalizer::{Counters, Normalizer, Outlet};
use proptest::prelude::*;
use proptest::sample::Index;
use stage::arbitrary::{Op, device, ops};
use stage::raw;
use stage::verifier::Verifier;

/// Three devices that ops are about, and the time.
struct World {
    devices: Vec<Device>,
    normalizer: Normalizer,
    now: u64,
}

impl World {
    fn new(devices: Vec<Device>) -> Self {
        let normalizer = Normalizer::new(Counters::default());
        Self { devices, normalizer, now: 1000 }
    }

    fn step(&mut self, which: &Index, later: i64, op: &Op, out: &mut Vec<Row>) {
        self.now = self.now.saturating_add_signed(later);
        let device = which.get(&self.devices);
        let (id, at) = (device.id, BootUs::new(self.now));
        let events;
        let input = match op {
            Op::Open(state) => {
                // The caller's part at open.
                out.push(Row::Device(Box::new(DeviceRow { at, device: device.clone() })));
                Input::Open { at, device, state: state.as_ref() }
            }
            Op::Frame(said) => {
                events = raw(self.now, said);
                Input::Frame(Frame { device: id, at, events: &events })
            }
            Op::Dropped { since, state } => {
                let since = BootUs::new(self.now.saturating_sub(*since));
                Input::Dropped { device: id, since, until: at, state: state.as_ref() }
            }
            Op::ClockStep(to) => {
                self.now = *to;
                Input::ClockStep { device: id, from: at, to: BootUs::new(*to) }
            }
            Op::Gone => Input::Gone { at, device: id },
            Op::Close => {
                return self.normalizer.close(id, at, MarkKind::Pause, "asked", out);
            }
        };
        self.normalizer.feed(&input, out);
    }

    fn open_all(&mut self, out: &mut Vec<Row>) {
        for device in &self.devices {
            let at = BootUs::new(self.now);
            self.normalizer.feed(&Input::Open { at, device, state: None }, out);
        }
    }

    fn close_all(&mut self, out: &mut Vec<Row>) {
        for device in &self.devices {
            let at = BootUs::new(self.now);
            self.normalizer.close(device.id, at, MarkKind::Stop, "asked", out);
        }
    }
}

fn is_about(row: &Row, reason: &str) -> Option<u64> {
    match row {
        Row::Mark(mark) if mark.reason == reason => mark.lost,
        _ => None,
    }
}

proptest! {
    #[test]
    fn prop_rows_pair_and_go_forward(
        devices in (device(1), device(2), device(3)),
        ops in ops(),
    ) {
        let mut world = World::new(vec![devices.0, devices.1, devices.2]);
        let mut out = Vec::new();
        world.open_all(&mut out);
        for (which, later, op) in &ops {
            world.step(which, *later, op, &mut out);
        }
        world.close_all(&mut out);
        let mut verifier = Verifier::default();
        for row in &out {
            verifier.read(row);
        }
        verifier.finish();
    }

    #[test]
    fn prop_holes_keep_rows_paired_and_are_counted(
        devices in (device(1), device(2), device(3)),
        ops in ops(),
        flips in proptest::collection::vec(0u8..8, 60),
    ) {
        let mut world = World::new(vec![devices.0, devices.1, devices.2]);
        let mut outlet = Outlet::new();
        let mut verifier = Verifier::default();
        let (mut offered, mut admitted, mut told) = (0, 0, 0);
        let mut write = |rows: &mut Vec<Row>, synthetic: bool| {
            for row in rows.drain(..) {
                verifier.read(&row);
                let lost = is_about(&row, "queue_full");
                told += lost.unwrap_or(0);
                let made_up = synthetic && matches!(row, Row::Event(_) | Row::Touch(_)) || lost.is_some();
                admitted += u64::from(!made_up);
            }
        };
        let mut rows = Vec::new();
        world.open_all(&mut rows);
        for ((which, later, op), flip) in ops.iter().zip(&flips) {
            world.step(which, *later, op, &mut rows);
            offered += rows.len() as u64;
            outlet.admit(&mut rows);
            write(&mut rows, false);
            let at = BootUs::new(world.now);
            match flip {
                0..2 => outlet.block(at),
                2..4 => {
                    outlet.unblock(at, "queue_full", &mut world.normalizer, &mut rows);
                    prop_assert!(!outlet.is_blocked());
                    write(&mut rows, true);
                }
                _ => {}
            }
        }
        world.close_all(&mut rows);
        offered += rows.len() as u64;
        outlet.admit(&mut rows);
        write(&mut rows, false);
        outlet.unblock(BootUs::new(world.now), "queue_full", &mut world.normalizer, &mut rows);
        write(&mut rows, true);
        prop_assert_eq!(admitted + outlet.lost(), offered);
        prop_assert_eq!(told, outlet.lost());
        verifier.finish();
    }
}
