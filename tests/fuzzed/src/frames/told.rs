//! What an assembler must have told, by what it was given.

use evscribe_model::codes::{EV_SYN, SYN_DROPPED, SYN_REPORT};
use evscribe_model::{BootUs, RawEvent};
use evscribe_reader::{Assembler, Piece};

use crate::inputs::FRAME_MAX;

/// A [`Piece`] that can be kept.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Owned {
    Frame(BootUs, Vec<RawEvent>),
    Dropped(BootUs, BootUs),
}

impl From<Piece<'_>> for Owned {
    fn from(piece: Piece<'_>) -> Self {
        match piece {
            Piece::Frame { at, events } => Self::Frame(at, events.to_vec()),
            Piece::Dropped { since, until } => Self::Dropped(since, until),
        }
    }
}

/// An assembler that is given the same in two ways, whole and one by one, and
/// must tell the same, losing no event unless it says so.
#[derive(Debug)]
pub(super) struct Told {
    assembler: Assembler,
    one_by_one: Assembler,
    given: Given,
}

/// What was given, as far as it is not told.
#[derive(Debug)]
struct Given {
    /// Since the last piece, but for ends.
    pending: Vec<RawEvent>,
    /// There was a `SYN_DROPPED` since.
    dropped: bool,
    /// Stamp of the last `SYN_REPORT`, and of whatever came last.
    ended: BootUs,
    seen: BootUs,
    /// Stamp of the last piece.
    told: BootUs,
    /// Stamps never went back.
    in_order: bool,
}

impl Told {
    pub(super) fn new(at: BootUs) -> Self {
        Self {
            assembler: Assembler::new(at),
            one_by_one: Assembler::new(at),
            given: Given::from(at),
        }
    }

    /// The device is opened anew.
    pub(super) fn clear(&mut self, at: BootUs) {
        self.assembler.clear(at);
        self.one_by_one.clear(at);
        self.given = Given::from(at);
    }

    pub(super) fn give(&mut self, batch: &[RawEvent]) -> Vec<Owned> {
        let mut pieces = Vec::new();
        let mut rest = batch;
        loop {
            let before = rest;
            let piece = self.assembler.next(&mut rest).map(Owned::from);
            before[..before.len() - rest.len()].iter().for_each(|event| self.given.note(event));
            let Some(piece) = piece else { break };
            self.given.judge(&piece, false);
            pieces.push(piece);
        }
        assert!(rest.is_empty(), "the batch is not used up");
        if batch.last().is_some_and(|event| ends(event) && event.value == 0) {
            assert!(
                self.given.pending.is_empty() && !self.given.dropped,
                "an end that ended nothing"
            );
        }
        let mut same = Vec::new();
        for event in batch {
            let mut rest = std::slice::from_ref(event);
            while let Some(piece) = self.one_by_one.next(&mut rest) {
                same.push(piece.into());
            }
        }
        assert_eq!(pieces, same, "given whole, given one by one");
        pieces
    }

    /// The device stayed silent, or it is gone.
    pub(super) fn end(&mut self, gone: bool) -> Option<Owned> {
        let was_split = self.assembler.is_split();
        let end = |assembler: &mut Assembler| {
            if gone { assembler.finish() } else { assembler.settle() }.map(Owned::from)
        };
        let (piece, same) = (end(&mut self.assembler), end(&mut self.one_by_one));
        assert_eq!(piece, same, "ended after batches, after single events");
        assert!(gone || was_split || piece.is_none());
        match &piece {
            Some(piece) => self.given.judge(piece, gone),
            None if gone => {
                assert!(self.given.pending.is_empty() && !self.given.dropped, "lost at the end")
            }
            None => {}
        }
        piece
    }
}

impl Given {
    fn from(at: BootUs) -> Self {
        let (ended, seen, told) = (at, at, at);
        Self { pending: Vec::new(), dropped: false, ended, seen, told, in_order: true }
    }

    fn note(&mut self, event: &RawEvent) {
        self.in_order &= event.at >= self.seen;
        self.seen = event.at;
        if event.kind == EV_SYN && event.code == SYN_DROPPED {
            self.pending.clear();
            self.dropped = true;
        } else if ends(event) {
            self.ended = event.at;
        } else {
            self.pending.push(*event);
        }
    }

    fn judge(&mut self, piece: &Owned, gone: bool) {
        match piece {
            Owned::Frame(at, events) => {
                assert!(!self.dropped, "a frame out of what was dropped");
                assert_eq!(*events, self.pending, "a frame is what was given");
                assert!((1..=FRAME_MAX).contains(&events.len()));
                let last = events.last().map(|event| event.at);
                let is_cut = events.len() == FRAME_MAX && last == Some(*at);
                assert!(*at == self.ended || is_cut, "{at:?} is not the stamp of its end");
                assert!(!self.in_order || *at >= self.told);
                self.told = *at;
            }
            Owned::Dropped(since, until) => {
                assert!(self.dropped || (gone && !self.pending.is_empty()), "nothing was lost");
                assert!(!self.in_order || (self.told <= *since && since <= until));
                assert!(*until == self.ended || gone, "{until:?} is not the stamp of its end");
                self.told = *until;
            }
        }
        self.pending.clear();
        self.dropped = false;
    }
}

fn ends(event: &RawEvent) -> bool {
    event.kind == EV_SYN && event.code == SYN_REPORT
}
