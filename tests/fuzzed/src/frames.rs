//! Devices that say anything, from the kernel's events to the queue's rows.

mod held;
mod says;
mod told;

use arbitrary::{Result, Unstructured};
use evscribe_model::*;
use evscribe_normalizer::{Counters, Normalizer, Outlet};
use evscribe_policy::Redactor;

use crate::rows::{RowJudge, Verifier};
use held::Held;
use told::{Owned, Told};

/// Why rows are lost behind the outlet.
const REASON: &str = "queue_full";

const KEY_LEVELS: [KeyLevel; 4] =
    [KeyLevel::Off, KeyLevel::Timing, KeyLevel::Class, KeyLevel::Full];

/// Target `frames`: up to three devices, through assembler, normaliser and
/// outlet, with losses at each; rows are reduced to a level as well.
pub fn frames(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(mut world) = World::new(&mut u) else { return };
    // An error is the end of the bytes.
    while !u.is_empty() && world.step(&mut u).is_ok() {}
    world.finish();
}

/// One device, as its reader and as an onlooker know it.
struct Lane {
    device: Device,
    is_open: bool,
    told: Told,
    held: Held,
    batch: Vec<RawEvent>,
}

struct World {
    lanes: Vec<Lane>,
    now: u64,
    normalizer: Normalizer,
    level: Level,
    /// Judges rows before the outlet, until that has given a run of its own.
    judge: Option<RowJudge>,
    outlet: Outlet,
    written: Verifier,
    /// Rows given to the outlet, and of those the ones that passed it.
    offered: u64,
    passed: u64,
    /// Losses that marks told.
    told: u64,
}

impl World {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        let mut world = Self {
            lanes: Vec::new(),
            now: 1000,
            normalizer: Normalizer::new(Counters::default()),
            level: Level {
                keys: *u.choose(&KEY_LEVELS)?,
                pointer: *u.choose(&[PointerLevel::Off, PointerLevel::Full])?,
            },
            judge: Some(RowJudge::default()),
            outlet: Outlet::new(),
            written: Verifier::default(),
            offered: 0,
            passed: 0,
            told: 0,
        };
        for id in 0..u.int_in_range(1..=3)? {
            let device = says::device(u, DeviceId(id))?;
            let told = Told::new(world.at());
            let held = Held::default();
            world.lanes.push(Lane { device, is_open: false, told, held, batch: Vec::new() });
            world.open(id.unsigned_abs().into(), None);
        }
        Ok(world)
    }

    fn at(&self) -> BootUs {
        BootUs::new(self.now)
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let which = u.choose_index(self.lanes.len())?;
        match u.int_in_range(0..=20)? {
            0..=7 => {
                for _ in 0..=u.int_in_range(0..=15)? {
                    let event = says::event(u, &mut self.now)?;
                    self.lanes[which].batch.push(event);
                }
            }
            8..=12 => {
                let state = says::state(u)?;
                self.read(which, state.as_ref());
            }
            13 => {
                // More than a frame holds.
                let event = says::event(u, &mut self.now)?;
                let times = usize::from(u.arbitrary::<u16>()? % 5000);
                self.lanes[which].batch.extend(std::iter::repeat_n(event, times));
            }
            14 => self.settle(which),
            15 => {
                let state = says::state(u)?;
                self.open(which, state.as_ref());
            }
            16 => {
                let device = self.lanes[which].device.id;
                let from = self.at();
                self.now = u.arbitrary::<u16>()?.into();
                self.feed(which, &Input::ClockStep { device, from, to: self.at() });
            }
            17 => self.gone(which),
            18 => {
                let mut rows = Vec::new();
                let device = self.lanes[which].device.id;
                self.normalizer.close(device, self.at(), MarkKind::Pause, "asked", &mut rows);
                self.lanes[which].is_open = false;
                self.pass(&mut rows);
            }
            19 => self.outlet.block(self.at()),
            _ => self.unblock(),
        }
        Ok(())
    }

    fn open(&mut self, which: usize, state: Option<&DeviceState>) {
        let at = self.at();
        let device = self.lanes[which].device.clone();
        // The caller's part at open.
        let row = DeviceRow { at, device: device.clone() };
        self.pass(&mut vec![Row::Device(Box::new(row))]);
        self.lanes[which].told.clear(at);
        self.lanes[which].batch.clear();
        self.lanes[which].is_open = true;
        self.feed(which, &Input::Open { at, device: &device, state });
    }

    /// Drains the queue of a device; `state` is what it holds after a loss.
    fn read(&mut self, which: usize, state: Option<&DeviceState>) {
        let batch = std::mem::take(&mut self.lanes[which].batch);
        for piece in self.lanes[which].told.give(&batch) {
            self.piece(which, &piece, state);
        }
    }

    fn settle(&mut self, which: usize) {
        if let Some(piece) = self.lanes[which].told.end(false) {
            self.piece(which, &piece, None);
        }
    }

    fn gone(&mut self, which: usize) {
        self.read(which, None);
        if let Some(piece) = self.lanes[which].told.end(true) {
            self.piece(which, &piece, None);
        }
        let device = self.lanes[which].device.id;
        self.feed(which, &Input::Gone { at: self.at(), device });
        self.lanes[which].is_open = false;
    }

    fn piece(&mut self, which: usize, piece: &Owned, state: Option<&DeviceState>) {
        let device = self.lanes[which].device.id;
        let input = match *piece {
            Owned::Frame(at, ref events) => Input::Frame(Frame { device, at, events }),
            Owned::Dropped(since, until) => Input::Dropped { device, since, until, state },
        };
        self.feed(which, &input);
    }

    fn feed(&mut self, which: usize, input: &Input<'_>) {
        let mut rows = Vec::new();
        self.normalizer.feed(input, &mut rows);
        let lane = &mut self.lanes[which];
        if lane.is_open {
            match input {
                Input::Frame(frame) => lane.held.frame(frame.events, &rows),
                Input::Dropped { state, .. } => lane.held.dropped(*state, &rows),
                _ => lane.held = Held::default(),
            }
        } else {
            assert!(rows.is_empty(), "rows of a device that is not open: {rows:?}");
            lane.held = Held::default();
        }
        self.pass(&mut rows);
    }

    /// Rows on their way to the queue.
    fn pass(&mut self, rows: &mut Vec<Row>) {
        if let Some(judge) = &mut self.judge {
            judge.read(rows);
        }
        self.reduce(rows.clone());
        self.offered += rows.len() as u64;
        self.outlet.admit(rows);
        self.passed += rows.len() as u64;
        rows.iter().for_each(|row| self.written.read(row));
    }

    fn unblock(&mut self) {
        let mut rows = Vec::new();
        if self.outlet.unblock(self.at(), REASON, &mut self.normalizer, &mut rows) > 0 {
            self.judge = None;
        }
        assert!(!self.outlet.is_blocked());
        for row in &rows {
            self.written.read(row);
            match row {
                Row::Mark(Mark { reason: REASON, lost: Some(lost), .. }) => self.told += lost,
                Row::Mark(_) | Row::Device(_) => self.passed += 1,
                // Made up to stand for what was lost.
                Row::Event(_) | Row::Touch(_) => {}
            }
        }
    }

    /// What the level forbids is gone, and nothing but that.
    fn reduce(&self, mut rows: Vec<Row>) {
        let before = rows.len();
        Redactor::new(self.level).reduce(&mut rows);
        let Level { keys, pointer } = self.level;
        assert!(keys == KeyLevel::Off || pointer == PointerLevel::Off || rows.len() == before);
        for row in &rows {
            match row {
                Row::Event(Event { what: What::Key { code, class, .. }, .. }) => {
                    assert!(keys > KeyLevel::Off);
                    assert_eq!(code.is_some(), keys == KeyLevel::Full);
                    assert_eq!(class.is_some(), keys >= KeyLevel::Class);
                }
                Row::Event(_) | Row::Touch(_) => assert!(pointer == PointerLevel::Full),
                Row::Mark(_) => {}
                Row::Device(row) => assert!(keys == KeyLevel::Full || row.device.name.is_none()),
            }
        }
    }

    fn finish(mut self) {
        for which in 0..self.lanes.len() {
            if self.lanes[which].is_open {
                self.gone(which);
            }
        }
        if let Some(judge) = &self.judge {
            judge.finish();
        }
        self.unblock();
        self.written.finish();
        assert_eq!(self.passed + self.outlet.lost(), self.offered, "rows are lost or made up");
        assert_eq!(self.told, self.outlet.lost(), "losses that no mark tells");
    }
}
