//! Who is at the seat, and what time it is: opens and closes as the gate says.

use std::sync::Arc;
use std::sync::mpsc::{Sender, TryRecvError};
use std::time::{Duration, Instant};

use anyhow::Context;
use evscribe_model::{BootUs, MarkKind};

use mio::unix::SourceFd;
use mio::{Interest, Waker};

use super::rights::paused;
use super::{LEADER, Service, clock_us};
use crate::devices::Unread;
use crate::gate::{Because, Person, Verdict};
use crate::leader::Leader;
use crate::seat::{Seat, Session};
use crate::vt::Vt;

/// Time is looked at this often at least while it may change who is recorded:
/// a wall clock that is slewed runs apart from the timer.
const LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);

/// A span told by the wall clock begins so much earlier: the anchor of the file
/// it is in may be a little off.
const ANCHOR_SLACK_US: i64 = 50_000;

/// A machine that falls asleep or wakes is given so long for the terminal and for
/// logind to say what they said before.
const SLEEP_TAKES: Duration = Duration::from_secs(2);

/// The kernel has the seat switched as the machine falls asleep, and back as it
/// wakes: the same person is there. If it was no sleep after all, what was read
/// since may be another's, and goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    /// The terminal that was in front, and comes back.
    vt: Option<u32>,
    /// Since when.
    since: BootUs,
    /// Until when nobody is taken for another.
    until: Instant,
    /// What speaks against the person waits for it.
    waits: bool,
    /// The machine slept, and woke.
    slept: bool,
}

/// What the thread that follows logind tells the event loop through.
pub(super) struct Seen {
    pub(super) sender: Option<Sender<Seat>>,
    pub(super) waker: Arc<Waker>,
}

impl Seen {
    pub(super) fn tell(&self, seat: Seat) {
        // Without a receiver the event loop has ended.
        let _ = self.sender.as_ref().map(|sender| sender.send(seat));
        let _ = self.waker.wake();
    }
}

impl Drop for Seen {
    /// Should that thread end, the event loop must not go by what it said last.
    fn drop(&mut self) {
        self.sender = None;
        let _ = self.waker.wake();
    }
}

impl Service<'_> {
    /// Takes in what logind says of the seat, and the kernel, if it tells of a
    /// switch (`vt`) or that the session is over (`over`). What was stamped after
    /// `sure` may be another's: then the wait before began, which ended without
    /// such news.
    pub(super) fn hear_of_seat(
        &mut self,
        sure: BootUs,
        vt: bool,
        over: bool,
    ) -> anyhow::Result<()> {
        let mut is_news = vt || over;
        if vt && !self.is_sleep(sure)? {
            // Whatever is in front now, for a moment another may have been.
            let (kind, why) = Because::Seat.mark();
            self.close_since(sure, kind, why);
        }
        if over {
            self.seat = Seat::Nobody;
            self.watch_leader();
        }
        loop {
            let seat = match self.seats.try_recv() {
                Ok(seat) => seat,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) if matches!(self.seat, Seat::Unknown(_)) => break,
                Err(TryRecvError::Disconnected) => {
                    log::error!("nobody follows logind any more; restart evscribed");
                    Seat::Unknown("nobody follows logind any more".into())
                }
            };
            if seat != self.seat {
                is_news = true;
                self.seat = seat;
                self.watch_leader();
            }
        }
        if is_news {
            self.decide_since("seat", sure);
        }
        Ok(())
    }

    /// Whether the machine falls asleep or wakes, now that the kernel tells of
    /// another terminal in front.
    fn is_sleep(&mut self, sure: BootUs) -> anyhow::Result<bool> {
        let Some(vt) = &mut self.vt else { return Ok(false) };
        // One that is over, and that nothing waits for, is of a sleep before.
        self.doubt = self.doubt.filter(|doubt| doubt.waits || self.now < doubt.until);
        let before = self.doubt.map_or(vt.number(), |doubt| doubt.vt);
        vt.changed().context("the virtual terminal in front")?;
        let is_back = vt.number() == before;
        if !(vt.is_sleep() || is_back && (self.doubt.is_some() || self.clock.has_slept()?)) {
            self.doubt = None;
            return Ok(false);
        }
        let since = self.doubt.map_or(sure, |doubt| doubt.since);
        let waits = self.doubt.is_some_and(|doubt| doubt.waits);
        let until = self.now + SLEEP_TAKES;
        self.doubt = Some(Doubt { vt: before, since, until, waits, slept: false });
        Ok(true)
    }

    /// The machine slept: the seat's time to be as it was before begins now, once.
    /// What devices took to fall asleep and to wake does not count.
    pub(super) fn give_seat_time(&mut self) {
        if let Some(doubt) = self.doubt.as_mut().filter(|doubt| !doubt.slept) {
            doubt.until = self.now + SLEEP_TAKES;
            doubt.slept = true;
        }
    }

    /// Watches the first process of the session at the seat, if there is one. Who
    /// cannot be watched is not there.
    fn watch_leader(&mut self) {
        if let Some(before) = self.leader.take() {
            // It is closed in any case.
            let _ = self.poll.registry().deregister(&mut SourceFd(&before.fd()));
        }
        let Seat::Session(Session { leader: pid @ 1.., .. }) = self.seat else { return };
        let watched = Leader::of(pid).and_then(|leader| {
            let Some(leader) = leader else { return Ok(None) };
            let registry = self.poll.registry();
            registry.register(&mut SourceFd(&leader.fd()), LEADER, Interest::READABLE)?;
            Ok(Some(leader))
        });
        match watched {
            Ok(Some(leader)) => self.leader = Some(leader),
            Ok(None) => self.seat = Seat::Nobody,
            Err(error) => {
                let why = format!("the session's first process cannot be watched ({error})");
                self.seat = Seat::Unknown(why);
            }
        }
    }

    /// Asks the gate, and opens or closes as it says. `reason` is what made it ask.
    pub(super) fn decide(&mut self, reason: &'static str) {
        self.decide_since(reason, self.waited);
    }

    fn decide_since(&mut self, reason: &'static str, mut sure: BootUs) {
        let now_us = clock_us();
        let vt = self.vt.as_ref().and_then(Vt::number);
        let verdict = self.gate.verdict(&self.seat, vt, now_us);
        let wanted = match &verdict {
            Verdict::Open(person) => Some(person),
            Verdict::Closed(_) => None,
        };
        if self.doubt.is_some_and(|doubt| doubt.until <= self.now)
            && self.clock.has_slept().unwrap_or(false)
        {
            self.give_seat_time();
        }
        if let Some(doubt) = &mut self.doubt {
            let is_on = self.now < doubt.until;
            let sleeps = self.vt.as_ref().is_some_and(Vt::is_sleep) || self.seat == Seat::Nobody;
            if is_on && sleeps && verdict.is_of(Because::Seat) {
                doubt.waits = true;
                self.decide_at = Some(doubt.until);
                return;
            }
            if is_on && wanted == self.open.as_ref() {
                doubt.waits = false;
            } else {
                if doubt.waits {
                    sure = sure.min(doubt.since);
                }
                self.doubt = None;
            }
        }
        if wanted != self.open.as_ref() {
            let (kind, why, unread) = self.ending(&verdict, reason);
            match unread {
                Unread::Read => self.close(kind, why, unread),
                Unread::Discard => self.close_since(sure, kind, why),
            }
            if let Some(person) = wanted {
                self.open_for(person.clone(), reason);
            }
        }
        self.decide_at = self.gate.changes_at(&self.seat, now_us).map(|at_us| {
            let until = u64::try_from(at_us.saturating_sub(now_us)).unwrap_or_default();
            self.now + Duration::from_micros(until).min(LOOK_AGAIN)
        });
        self.tell(verdict);
    }

    /// How what is open now ends when that is the verdict.
    fn ending(&self, verdict: &Verdict, reason: &'static str) -> (MarkKind, &'static str, Unread) {
        let same = |person: &Person| {
            self.open
                .as_ref()
                .is_none_or(|open| (open.uid, &open.session) == (person.uid, &person.session))
        };
        match verdict {
            Verdict::Closed(closed) => {
                let (kind, why) = closed.because.mark();
                // Somebody else who did not acknowledge is no reason to read them.
                let is_theirs = matches!((&self.seat, &self.open), (Seat::Session(session), Some(open))
                    if (session.uid, &session.id) == (open.uid, &open.session));
                let is_sure = is_theirs && !closed.because.is_about_who();
                (kind, why, if is_sure { Unread::Read } else { Unread::Discard })
            }
            Verdict::Open(person) if same(person) => (MarkKind::Stop, reason, Unread::Read),
            Verdict::Open(_) => (MarkKind::Switch, "seat", Unread::Discard),
        }
    }

    /// The person struck the hotkey, whose first key went down at `since`: they
    /// pause, and nothing since then is kept.
    pub(super) fn hotkey(&mut self, since: BootUs) {
        let Some(uid) = self.open.as_ref().map(|person| person.uid) else { return };
        let Some(pause_s) =
            self.gate.policy().and_then(|policy| Some(policy.hotkey.as_ref()?.pause_s))
        else {
            return;
        };
        let now_us = clock_us();
        let until_us = now_us.saturating_add(i64::from(pause_s) * 1_000_000);
        if let Some(people) = self.gate.people_mut() {
            people.pause(uid, until_us);
        }
        let subject = self.subject.clone();
        self.close_since(since, MarkKind::Pause, "hotkey");
        if let Some(subject) = subject {
            self.note(paused(subject, until_us, "hotkey"));
        }
        self.save_people();
        self.decide("hotkey");
    }

    /// Closes every device; nothing stamped at or after `since` is kept.
    fn close_since(&mut self, since: BootUs, kind: MarkKind, why: &'static str) {
        let Some(subject) = self.subject.clone() else { return };
        let is_all_here = self.devices.forget_since(since);
        self.close(kind, why, Unread::Discard);
        if is_all_here {
            return;
        }
        // Some of it is on its way to the disk.
        let now_us = clock_us();
        let ago = evscribe_reader::now().ok().and_then(|now| now.since(since));
        let ago_us = ago.map_or(0, |ago| i64::try_from(ago.as_micros()).unwrap_or(i64::MAX));
        let from_us = now_us.saturating_sub(ago_us).saturating_sub(ANCHOR_SLACK_US);
        self.forget_span(None, vec![subject], (from_us, now_us + 1), false, why);
    }
}
