//! What stands before a bounded queue.

use evscribe_model::{BootUs, DeviceId, Mark, MarkKind, Row, Run};

use crate::Normalizer;
use crate::open::{Contacts, Strokes, Turns};

/// Marks and device rows that are kept during a hole; what exceeds it is
/// counted as lost.
const KEPT_ROWS_MAX: usize = 4096;

/// Keeps strokes and contacts whole when the queue behind it is full at times.
///
/// Rows pass through [`Outlet::admit`] on their way from the policy to the
/// queue. While the queue is full, the caller holds the outlet blocked: rows
/// are then counted, not kept, and what goes on in this *hole* is remembered as
/// little as it takes to say at its end what is down and what touches.
///
/// The order of calls matters: rows that the normaliser made before
/// [`Outlet::unblock`] must have been offered before it, as the fresh runs are
/// given there.
///
/// # Memory
/// What is open (bounded by what the kernel can hold down), 4096 marks and
/// device rows, and a counter for each device that lost.
#[derive(Debug, Default)]
pub struct Outlet {
    strokes: Strokes,
    pub(crate) contacts: Contacts,
    hole: Option<Hole>,
    lost: u64,
    /// The latest stamp that was offered.
    pub(crate) last: BootUs,
    /// The latest stamp of what a person did that was left to be queued.
    pub(crate) done: BootUs,
}

#[derive(Debug)]
struct Hole {
    since: BootUs,
    /// Marks and device rows, in the order they came.
    kept: Vec<Row>,
    losses: Vec<Loss>,
    turns: Turns,
    /// Marks about no device that found no room in `kept`.
    unkept: u64,
    lost: u64,
}

/// What one device lost in a hole.
#[derive(Debug)]
struct Loss {
    device: DeviceId,
    lost: u64,
    first: Edge,
    last: Edge,
}

/// A moment in a hole: its time, and how many rows had been kept by then.
#[derive(Clone, Copy, Debug)]
struct Edge {
    at: BootUs,
    kept: usize,
}

impl Outlet {
    /// Nothing is open, nothing is blocked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers rows, in the order they were made. What is left in `rows` is to
    /// be queued: all of them, or none while blocked.
    ///
    /// What is left counts as written. So make sure of room in the queue
    /// first: with one producer, room that is there cannot vanish. Where there
    /// is none, call [`Outlet::block`] first.
    pub fn admit(&mut self, rows: &mut Vec<Row>) {
        let Some(hole) = &mut self.hole else {
            for row in rows.iter() {
                self.last = self.last.max(row.at());
                match row {
                    Row::Event(event) => self.strokes.written(event),
                    Row::Touch(touch) => self.contacts.written(touch),
                    Row::Mark(_) | Row::Device(_) => continue,
                }
                self.done = self.done.max(row.at());
            }
            return;
        };
        for row in rows.drain(..) {
            self.last = self.last.max(row.at());
            match &row {
                Row::Event(event) => {
                    self.strokes.lost(event);
                    hole.turns.lost(event);
                }
                Row::Touch(touch) => self.contacts.lost(touch),
                Row::Mark(_) | Row::Device(_) => {}
            }
            hole.take(row);
        }
    }

    /// Whether rows are being counted instead of admitted.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.hole.is_some()
    }

    /// How many rows were lost in all holes so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost + self.hole.as_ref().map_or(0, |hole| hole.lost)
    }

    /// Begins a hole: the queue is full. Does nothing in a hole.
    pub fn block(&mut self, at: BootUs) {
        self.hole.get_or_insert(Hole {
            since: at,
            kept: Vec::new(),
            losses: Vec::new(),
            turns: Turns::default(),
            unkept: 0,
            lost: 0,
        });
    }

    /// Ends a hole: the queue has room for what is appended to `out`, which is
    /// to be queued as it is, not offered. Returns how many rows were lost;
    /// does nothing outside a hole.
    ///
    /// Appended are the marks and device rows that came during the hole, and
    /// for each device that lost: a `drop` mark with `reason` and the exact
    /// count, from its first to its last lost row, which begins a fresh run;
    /// then, at the time of the last lost row and inferred, the releases of
    /// strokes that ended in the hole, the presses of those that began in it
    /// and are still down, the same for contacts, and the switches that stand
    /// otherwise than before. A device that lost
    /// nothing keeps its run. `at` ends the one mark about no device, which
    /// is there only where too many marks came to be kept.
    pub fn unblock(
        &mut self,
        at: BootUs,
        reason: &'static str,
        normalizer: &mut Normalizer,
        out: &mut Vec<Row>,
    ) -> u64 {
        let Some(hole) = self.hole.take() else { return 0 };
        self.lost += hole.lost;
        let runs: Vec<Run> = hole.losses.iter().map(|loss| hole.run(loss, normalizer)).collect();
        if hole.unkept > 0 {
            out.push(Row::Mark(Mark {
                at: hole.since,
                until: Some(at.max(hole.since)),
                run: None,
                device: None,
                kind: MarkKind::Drop,
                reason,
                lost: Some(hole.unkept),
            }));
        }
        let Hole { kept, losses, turns, lost, .. } = hole;
        let mut kept = kept.into_iter();
        let mut index = 0;
        loop {
            for (loss, run) in losses.iter().zip(&runs) {
                if loss.first.kept == index {
                    out.push(loss.mark(*run, reason));
                }
                if loss.last.kept == index {
                    self.done = self.done.max(loss.last.at);
                    self.strokes.repair(loss.device, loss.last.at, *run, out);
                    self.contacts.repair(loss.device, loss.last.at, *run, out);
                    turns.repair(loss.device, loss.last.at, *run, out);
                }
            }
            let Some(mut row) = kept.next() else { return lost };
            if let Row::Mark(mark) = &mut row
                && losses.iter().any(|loss| Some(loss.device) == mark.device && loss.spans(index))
            {
                // Its run was superseded before a row of it was written.
                mark.run = None;
            }
            out.push(row);
            index += 1;
        }
    }
}

impl Hole {
    /// Keeps or counts a row.
    fn take(&mut self, row: Row) {
        let room = self.kept.len() < KEPT_ROWS_MAX;
        let device = match &row {
            Row::Mark(_) | Row::Device(_) if room => {
                self.kept.push(row);
                return;
            }
            Row::Event(event) => Some(event.device),
            Row::Touch(touch) => Some(touch.device),
            Row::Mark(mark) => mark.device,
            Row::Device(row) => Some(row.device.id),
        };
        self.lost += 1;
        let Some(device) = device else {
            self.unkept += 1;
            return;
        };
        let edge = Edge { at: row.at(), kept: self.kept.len() };
        if let Some(loss) = self.losses.iter_mut().find(|loss| loss.device == device) {
            loss.lost += 1;
            loss.last = edge;
        } else {
            self.losses.push(Loss { device, lost: 1, first: edge, last: edge });
        }
    }

    /// The run that begins with the mark about `loss`: the device's next, or a
    /// spare one where the device is gone or has begun another run since.
    fn run(&self, loss: &Loss, normalizer: &mut Normalizer) -> Run {
        let began_another = self.kept.iter().skip(loss.last.kept).any(|row| {
            matches!(row, Row::Mark(mark) if mark.device == Some(loss.device) && mark.run.is_some())
        });
        let fresh = if began_another { None } else { normalizer.new_run(loss.device) };
        fresh.unwrap_or_else(|| normalizer.spare_run())
    }
}

impl Loss {
    fn mark(&self, run: Run, reason: &'static str) -> Row {
        Row::Mark(Mark {
            at: self.first.at,
            until: Some(self.last.at.max(self.first.at)),
            run: Some(run),
            device: Some(self.device),
            kind: MarkKind::Drop,
            reason,
            lost: Some(self.lost),
        })
    }

    /// Whether the kept row at `index` came between the first and the last loss.
    fn spans(&self, index: usize) -> bool {
        (self.first.kept..self.last.kept).contains(&index)
    }
}
