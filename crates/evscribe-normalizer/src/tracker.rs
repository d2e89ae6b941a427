//! One open device: what it holds, kind by kind.

use evscribe_model::codes::*;
use evscribe_model::{BootUs, Device, DeviceId, DeviceState, Frame, Row, Run};

use crate::Counters;
use crate::fingers::Fingers;
use crate::keys::Keys;
use crate::motion::Motion;
use crate::mouse::AbsoluteMouse;
use crate::page::Page;
use crate::pen::Pen;
use crate::switches::Switches;
use crate::wheel::Wheels;

/// The state of one device. A device may be several kinds at once: each kind
/// sees every event that could be its own.
#[derive(Debug)]
pub(crate) struct Tracker {
    id: DeviceId,
    run: Run,
    /// The latest stamp: no row is earlier.
    last: BootUs,
    keys: Keys,
    motion: Motion,
    wheels: Wheels,
    switches: Switches,
    fingers: Fingers,
    pen: Option<Pen>,
    mouse: Option<AbsoluteMouse>,
}

impl Tracker {
    pub(crate) fn open(at: BootUs, run: Run, device: &Device, state: Option<&DeviceState>) -> Self {
        let fingers = Fingers::of(device, state);
        let pen = Pen::of(device, state);
        let mouse = AbsoluteMouse::of(device, state, &fingers);
        Self {
            id: device.id,
            run,
            last: at,
            keys: Keys::of(state, !fingers.is_none() || pen.is_some() || mouse.is_some()),
            motion: Motion::default(),
            wheels: Wheels::of(device),
            switches: Switches::of(state),
            fingers,
            pen,
            mouse,
        }
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.id
    }

    /// From now on rows are of a fresh run.
    pub(crate) fn begin_run(&mut self, next: &mut Counters) -> Run {
        self.run = next.take_run();
        self.run
    }

    /// `at`, or the latest stamp where that is later; it is the latest now.
    pub(crate) fn clamp(&mut self, at: BootUs) -> BootUs {
        self.last = self.last.max(at);
        self.last
    }

    /// Stamps count from `at` on.
    pub(crate) fn restart_clock(&mut self, at: BootUs) {
        self.last = at;
    }

    pub(crate) fn frame(&mut self, frame: &Frame<'_>, next: &mut Counters, out: &mut Vec<Row>) {
        let page = &mut self.page(frame.at, false, next, out);
        for event in frame.events {
            let (code, value) = (event.code, event.value);
            match event.kind {
                EV_REL => {
                    self.motion.rel(code, value);
                    self.wheels.rel(code, value);
                }
                EV_KEY => {
                    self.keys.key(code, value, page);
                    self.fingers.key(code, value);
                    if let Some(pen) = &mut self.pen {
                        pen.key(code, value);
                    }
                }
                EV_ABS => {
                    self.fingers.abs(code, value);
                    if let Some(pen) = &mut self.pen {
                        pen.abs(code, value);
                    }
                    if let Some(mouse) = &mut self.mouse {
                        mouse.abs(code, value);
                    }
                }
                EV_SYN if code == SYN_MT_REPORT => self.fingers.separate(),
                EV_SW => self.switches.switch(code, value, page),
                _ => {}
            }
        }
        self.motion.finish(page);
        self.wheels.finish(page);
        self.fingers.finish(page);
        if let Some(pen) = &mut self.pen {
            pen.finish(page);
        }
        if let Some(mouse) = &mut self.mouse {
            mouse.finish(page);
        }
    }

    /// Writes what must have changed unseen, now that `state` is held.
    pub(crate) fn repair(
        &mut self,
        at: BootUs,
        state: &DeviceState,
        next: &mut Counters,
        out: &mut Vec<Row>,
    ) {
        let page = &mut self.page(at, true, next, out);
        self.keys.repair(state, page);
        self.switches.repair(state, page);
        self.fingers.repair(state, page);
        if let Some(pen) = &mut self.pen {
            pen.repair(state, page);
        }
        if let Some(mouse) = &mut self.mouse {
            mouse.repair(state, page);
        }
    }

    /// See [`Normalizer::disown`](crate::Normalizer::disown).
    pub(crate) fn disown(&mut self, strokes: &[i32], contacts: &[i32]) {
        self.keys.disown(strokes);
        self.fingers.disown(contacts);
        if let Some(pen) = &mut self.pen {
            pen.disown(contacts);
        }
        if let Some(mouse) = &mut self.mouse {
            mouse.disown(contacts);
        }
    }

    /// Ends everything that is open; nothing is known of the device after.
    pub(crate) fn end(&mut self, at: BootUs, next: &mut Counters, out: &mut Vec<Row>) {
        let page = &mut self.page(at, true, next, out);
        self.keys.end(page);
        self.switches.forget();
        self.fingers.end(page);
        if let Some(pen) = &mut self.pen {
            pen.end(page);
        }
        if let Some(mouse) = &mut self.mouse {
            mouse.end(page);
        }
    }

    fn page<'a>(
        &mut self,
        at: BootUs,
        inferred: bool,
        next: &'a mut Counters,
        out: &'a mut Vec<Row>,
    ) -> Page<'a> {
        let at = self.clamp(at);
        Page { at, run: self.run, device: self.id, inferred, next, out }
    }
}
