//! Cuts the events of one device into frames.
//!
//! | what comes | what it does |
//! |---|---|
//! | `SYN_REPORT` value 0 | ends the frame |
//! | `SYN_REPORT` of another value after a lone `EV_KEY` value 2 | ends the frame: the core's auto-repeat |
//! | `SYN_REPORT` of another value otherwise | splits: the frame goes on while the stamp stays the same |
//! | after a split, an event of another stamp, or [`Assembler::settle`] | ends the frame at the split |
//! | `SYN_DROPPED` | what is held and what comes is discarded, through the end of the frame |
//! | 4096 events without an end | cut as a frame: nothing is lost, nothing grows |
//! | an end with nothing before it | nothing: an empty report says nothing |
//!
//! Not handled: a device that reports twice within one microsecond, the first
//! time with exactly as many values as the core passes at once. Both reports
//! then come as one frame.
//!
//! Source: `drivers/input/input.c` (`input_handle_event`, `input_repeat_key`),
//! `drivers/input/evdev.c` (`__evdev_queue_syn_dropped`).

use evscribe_model::codes::{EV_KEY, EV_SYN, SYN_DROPPED, SYN_REPORT};
use evscribe_model::{BootUs, RawEvent};
use zeroize::Zeroize;

/// Most events that a frame holds; a device that never ends its frame is cut here.
///
/// The largest real frame is some hundred: ten contacts of a dozen values each.
pub(crate) const HELD_MAX: usize = 4096;

/// Room that is there from the start, events.
const HELD_AT_FIRST: usize = 128;

/// What the assembler cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece<'a> {
    /// A whole report, never empty.
    Frame {
        /// Stamp of its end.
        at: BootUs,
        /// Its events, without `SYN_REPORT`.
        events: &'a [RawEvent],
    },
    /// The kernel's buffer overflowed: what the device holds must be read again.
    Dropped {
        /// Stamp of the last whole frame.
        since: BootUs,
        /// Stamp of the `SYN_REPORT` that ended the discarding.
        until: BootUs,
    },
}

/// A piece by place instead of by reference, so that it can be carried about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// The frame lies in the batch, from `start` to before `end`.
    InBatch { at: BootUs, start: usize, end: usize },
    /// The frame is what the assembler holds.
    Held { at: BootUs },
    /// See [`Piece::Dropped`].
    Dropped { since: BootUs, until: BootUs },
}

/// Cuts the events of one device into frames; see the module's table.
///
/// A frame that lies whole in a batch is lent from there, without a copy. Only
/// one that crosses the end of a batch or was split by the core is held, at
/// most 4096 events of 16 bytes; in the steady state nothing is
/// allocated. What was held is overwritten when it goes.
///
/// ```
/// use evscribe_model::{BootUs, RawEvent, codes::*};
/// use evscribe_reader::{Assembler, Piece};
///
/// let at = BootUs::new(7);
/// let batch = [
///     RawEvent { at, kind: EV_REL, code: REL_X, value: 1 },
///     RawEvent { at, kind: EV_SYN, code: SYN_REPORT, value: 0 },
/// ];
/// let mut assembler = Assembler::new(BootUs::new(0));
/// let mut rest = &batch[..];
/// while let Some(piece) = assembler.next(&mut rest) {
///     assert_eq!(piece, Piece::Frame { at, events: &batch[..1] });
/// }
/// ```
#[derive(Debug)]
pub struct Assembler {
    /// Events of the frame that is not ended yet.
    held: Vec<RawEvent>,
    /// What is held was cut off already and goes with the next call.
    lent: bool,
    /// Stamp of the split that the frame stands at.
    split: Option<BootUs>,
    /// Between `SYN_DROPPED` and the end of its frame.
    discarding: bool,
    /// Stamp of the last whole frame.
    whole: BootUs,
    /// Stamp of the last event that ended nothing.
    seen: BootUs,
}

impl Assembler {
    /// An assembler for a device that is read from `opened` on.
    #[must_use]
    pub fn new(opened: BootUs) -> Self {
        Self {
            held: Vec::with_capacity(HELD_AT_FIRST),
            lent: false,
            split: None,
            discarding: false,
            whole: opened,
            seen: opened,
        }
    }

    /// Forgets what is held, as if the device were opened anew at `opened`.
    pub fn clear(&mut self, opened: BootUs) {
        self.empty();
        self.lent = false;
        self.split = None;
        self.discarding = false;
        self.whole = opened;
        self.seen = opened;
    }

    /// Cuts the next piece from `batch` and moves `batch` behind it.
    ///
    /// `None` means that the batch is used up; what it left of a frame is held
    /// for the next one. Call it until then.
    pub fn next<'a, 'b: 'a>(&'a mut self, batch: &mut &'b [RawEvent]) -> Option<Piece<'a>> {
        let all = *batch;
        let mut position = 0;
        let cut = self.cut(all, &mut position);
        *batch = all.get(position..).unwrap_or_default();
        cut.map(|cut| self.piece(cut, all))
    }

    /// Ends a frame that the core split and that may already be whole.
    ///
    /// `None` where no frame stands at a split. Call it when the device stayed
    /// silent for longer than a report takes (a millisecond is plenty), not
    /// right after the read that emptied the queue: the core may be between
    /// two parts of one report.
    pub fn settle(&mut self) -> Option<Piece<'_>> {
        self.settle_cut().map(|cut| self.piece(cut, &[]))
    }

    /// Whether [`Assembler::settle`] would end a frame.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.split.is_some()
    }

    /// Stamp of the last whole frame; before the first, when reading began.
    pub(crate) fn whole(&self) -> BootUs {
        self.whole
    }

    /// Ends everything: the device is gone.
    ///
    /// A frame at a split is a frame; one that lacks its end is told as
    /// dropped, until the last stamp seen.
    pub fn finish(&mut self) -> Option<Piece<'_>> {
        self.finish_cut().map(|cut| self.piece(cut, &[]))
    }

    /// As [`Assembler::next`], by place: `position` is where in `batch` to go on.
    pub(crate) fn cut(&mut self, batch: &[RawEvent], position: &mut usize) -> Option<Cut> {
        self.release();
        while let Some(first) = batch.get(*position) {
            if self.split.is_some_and(|stamp| stamp != first.at) {
                if let Some(cut) = self.settle_cut() {
                    return Some(cut);
                }
                self.release();
            }
            self.split = None;
            let start = *position;
            let room = HELD_MAX - self.held.len().min(HELD_MAX - 1);
            let window = batch.get(start..batch.len().min(start + room)).unwrap_or_default();
            let Some((body, end)) = split_at_end(window) else {
                *position = start + window.len();
                self.hold(window);
                if self.held.len() >= HELD_MAX {
                    return Some(self.cut_held(self.seen));
                }
                continue;
            };
            *position = start + body.len() + 1;
            if end.code == SYN_DROPPED {
                self.empty();
                self.discarding = true;
                self.seen = end.at;
            } else if end.value != 0 && !self.is_repeat(body) {
                self.hold(body);
                self.seen = end.at;
                self.split = Some(end.at);
                if self.held.len() >= HELD_MAX {
                    return Some(self.cut_held(end.at));
                }
            } else if self.discarding {
                return Some(self.cut_dropped(end.at));
            } else if self.held.is_empty() {
                self.whole = end.at;
                if !body.is_empty() {
                    return Some(Cut::InBatch { at: end.at, start, end: start + body.len() });
                }
            } else {
                self.hold(body);
                return Some(self.cut_held(end.at));
            }
        }
        None
    }

    /// As [`Assembler::settle`], by place.
    pub(crate) fn settle_cut(&mut self) -> Option<Cut> {
        self.release();
        let stamp = self.split.take()?;
        if self.discarding {
            Some(self.cut_dropped(stamp))
        } else if self.held.is_empty() {
            self.whole = stamp;
            None
        } else {
            Some(self.cut_held(stamp))
        }
    }

    /// As [`Assembler::finish`], by place.
    pub(crate) fn finish_cut(&mut self) -> Option<Cut> {
        if self.split.is_some() {
            return self.settle_cut();
        }
        self.abandon_cut()
    }

    /// As [`Assembler::finish`], by place, where more may be missing: a frame at
    /// a split is not taken for whole.
    pub(crate) fn abandon_cut(&mut self) -> Option<Cut> {
        self.release();
        self.split = None;
        (self.discarding || !self.held.is_empty()).then(|| self.cut_dropped(self.seen))
    }

    /// The events of the frame that `cut` cut from `batch`.
    pub(crate) fn events<'a>(&'a self, cut: Cut, batch: &'a [RawEvent]) -> &'a [RawEvent] {
        match cut {
            Cut::InBatch { start, end, .. } => batch.get(start..end).unwrap_or_default(),
            Cut::Held { .. } => &self.held,
            Cut::Dropped { .. } => &[],
        }
    }

    fn piece<'a>(&'a self, cut: Cut, batch: &'a [RawEvent]) -> Piece<'a> {
        match cut {
            Cut::Dropped { since, until } => Piece::Dropped { since, until },
            Cut::InBatch { at, .. } | Cut::Held { at } => {
                Piece::Frame { at, events: self.events(cut, batch) }
            }
        }
    }

    /// Takes back what the last call lent; the next call does so too, but a
    /// device may be silent for hours before it.
    pub(crate) fn release(&mut self) {
        if self.lent {
            self.lent = false;
            self.empty();
        }
    }

    /// Holds nothing, and leaves no key code behind.
    fn empty(&mut self) {
        self.held.as_mut_slice().zeroize();
        self.held.clear();
    }

    /// Whether what is held and `body` are what the core's auto-repeat sends
    /// before its `SYN_REPORT` value 1.
    fn is_repeat(&self, body: &[RawEvent]) -> bool {
        let lone = match (self.held.as_slice(), body) {
            ([lone], []) | ([], [lone]) => lone,
            _ => return false,
        };
        !self.discarding && lone.kind == EV_KEY && lone.value == 2
    }

    fn hold(&mut self, events: &[RawEvent]) {
        if let Some(last) = events.last() {
            self.seen = last.at;
        }
        if !self.discarding {
            self.held.extend_from_slice(events);
        }
    }

    fn cut_held(&mut self, at: BootUs) -> Cut {
        self.lent = true;
        self.whole = at;
        Cut::Held { at }
    }

    fn cut_dropped(&mut self, until: BootUs) -> Cut {
        let since = self.whole;
        self.empty();
        self.discarding = false;
        self.whole = until;
        Cut::Dropped { since, until }
    }
}

/// What comes before the first `SYN_REPORT` or `SYN_DROPPED`, and that one.
fn split_at_end(events: &[RawEvent]) -> Option<(&[RawEvent], &RawEvent)> {
    let ends = |event: &RawEvent| {
        event.kind == EV_SYN && (event.code == SYN_REPORT || event.code == SYN_DROPPED)
    };
    let length = events.iter().position(ends)?;
    Some((events.get(..length)?, events.get(length)?))
}

#[cfg(test)]
mod tests;
