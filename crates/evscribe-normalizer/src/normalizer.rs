//! All open devices, and what happens to them.

use evscribe_model::{
    BootUs, Device, DeviceId, DeviceState, Frame, Input, Mark, MarkKind, Row, Run,
};

use crate::Counters;
use crate::tracker::Tracker;

/// Turns what sources say into rows.
///
/// # Order
/// Rows of one device never go back in time until a `clock` mark of that
/// device says that its stamps did. A source says so with
/// [`Input::ClockStep`]; a stamp that goes back without it is held at the latest
/// stamp of the device.
///
/// # Unknown devices
/// What is said of a device that is not open is ignored.
#[derive(Debug, Default)]
pub struct Normalizer {
    trackers: Vec<Tracker>,
    /// Where the last frame's tracker was found: the next is mostly of the same.
    recent: usize,
    next: Counters,
}

impl Normalizer {
    /// No device is open; the first numbers given are those of `next`.
    #[must_use]
    pub fn new(next: Counters) -> Self {
        Self { trackers: Vec::new(), recent: 0, next }
    }

    /// Leaves out that many run numbers, for whoever gives them to rows that are
    /// written already; returns the first.
    pub fn reserve_runs(&mut self, count: i32) -> i32 {
        let first = self.next.run;
        self.next.run = first.wrapping_add(count);
        first
    }

    /// The next numbers: what to keep over a restart.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.next
    }

    /// Appends the rows that `input` makes to `out`, in order of time.
    ///
    /// `Open` begins a run with a `plug` mark (`opened`), `Dropped` with a
    /// `drop` mark (`kernel_buffer`) followed by what the state tells to have
    /// changed, `ClockStep` with a `clock` mark (`stamps_stepped_back`). `Gone`
    /// is [`Normalizer::close`] with `unplug` (`device_gone`). A device that is
    /// opened twice is closed first (`reopened`).
    pub fn feed(&mut self, input: &Input<'_>, out: &mut Vec<Row>) {
        match *input {
            Input::Frame(ref frame) => self.frame(frame, out),
            Input::Open { at, device, state } => self.open(at, device, state, out),
            Input::Dropped { device, since, until, state } => {
                let Some(index) = self.find(device) else { return };
                let Some(tracker) = self.trackers.get_mut(index) else { return };
                let run = tracker.begin_run(&mut self.next);
                let at = tracker.clamp(since);
                let until = tracker.clamp(until);
                out.push(begin(at, Some(until), run, device, MarkKind::Drop, "kernel_buffer"));
                match state {
                    Some(state) => tracker.repair(until, state, &mut self.next, out),
                    None => tracker.end(until, &mut self.next, out),
                }
            }
            Input::ClockStep { device, from, to } => {
                let Some(index) = self.find(device) else { return };
                let Some(tracker) = self.trackers.get_mut(index) else { return };
                let from = tracker.clamp(from);
                tracker.end(from, &mut self.next, out);
                let run = tracker.begin_run(&mut self.next);
                tracker.restart_clock(to);
                out.push(begin(to, None, run, device, MarkKind::Clock, "stamps_stepped_back"));
            }
            Input::Gone { at, device } => {
                self.close(device, at, MarkKind::Unplug, "device_gone", out);
            }
        }
    }

    /// Ends the reading of a device: what is down is released and what touches
    /// is lifted, all inferred, then a mark of that kind and reason follows.
    ///
    /// Does nothing for a device that is not open.
    pub fn close(
        &mut self,
        device: DeviceId,
        at: BootUs,
        kind: MarkKind,
        reason: &'static str,
        out: &mut Vec<Row>,
    ) {
        let Some(index) = self.find(device) else { return };
        let Some(tracker) = self.trackers.get_mut(index) else { return };
        let at = tracker.clamp(at);
        // Before it is moved: what moves leaves a copy of what was down.
        tracker.end(at, &mut self.next, out);
        self.trackers.swap_remove(index);
        let device = Some(device);
        out.push(Row::Mark(Mark { at, until: None, run: None, device, kind, reason, lost: None }));
    }

    /// Gives a device a fresh run, for when rows were lost behind the
    /// normaliser; `None` for a device that is not open.
    ///
    /// The caller writes the mark that begins the run.
    pub fn new_run(&mut self, device: DeviceId) -> Option<Run> {
        let index = self.find(device)?;
        let tracker = self.trackers.get_mut(index)?;
        Some(tracker.begin_run(&mut self.next))
    }

    /// The beginnings of these strokes and contacts are not kept: as long as they
    /// last there are no rows of them, as if they were down since before us.
    pub(crate) fn disown(&mut self, strokes: &[i32], contacts: &[i32]) {
        for tracker in &mut self.trackers {
            tracker.disown(strokes, contacts);
        }
    }

    /// A run number that no device has: for rows about a device that is gone.
    pub(crate) fn spare_run(&mut self) -> Run {
        self.next.take_run()
    }

    fn open(
        &mut self,
        at: BootUs,
        device: &Device,
        state: Option<&DeviceState>,
        out: &mut Vec<Row>,
    ) {
        let mut at = at;
        if let Some(tracker) = self.find(device.id).and_then(|index| self.trackers.get_mut(index)) {
            at = tracker.clamp(at);
            self.close(device.id, at, MarkKind::Unplug, "reopened", out);
        }
        let run = self.next.take_run();
        out.push(begin(at, None, run, device.id, MarkKind::Plug, "opened"));
        self.trackers.push(Tracker::open(at, run, device, state));
    }

    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<Row>) {
        let Some(index) = self.find(frame.device) else { return };
        let Some(tracker) = self.trackers.get_mut(index) else { return };
        tracker.frame(frame, &mut self.next, out);
    }

    /// Open devices are few: a scan beats a map, and mostly is not needed.
    fn find(&mut self, device: DeviceId) -> Option<usize> {
        if self.trackers.get(self.recent).is_some_and(|tracker| tracker.id() == device) {
            return Some(self.recent);
        }
        self.recent = self.trackers.iter().position(|tracker| tracker.id() == device)?;
        Some(self.recent)
    }
}

fn begin(
    at: BootUs,
    until: Option<BootUs>,
    run: Run,
    device: DeviceId,
    kind: MarkKind,
    reason: &'static str,
) -> Row {
    let (run, device) = (Some(run), Some(device));
    Row::Mark(Mark { at, until, run, device, kind, reason, lost: None })
}
