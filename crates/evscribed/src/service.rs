//! The event loop: waits for devices, folders, clocks, signals, the writer and the
//! bus, and does what each asks for. It waits for nothing else: no disk, no lock.

mod asked;
mod collect;
mod pulls;
mod rights;
mod seated;
mod settings;
mod show;
mod start;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::Context;
use evscribe_model::{BootUs, MarkKind};
use evscribe_normalizer::Counters;
use evscribe_policy::Policy;
use evscribe_reader::Watch;
use evscribe_sink::{Command, Fact, Report, Retention, WRITER_VERSION};
use mio::{Events, Poll, Token, Waker};
use signal_hook::consts::SIGHUP;
use signal_hook_mio::v1_0::Signals;

use crate::at_rest;
use crate::bus::{Bus, Shown};
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::devices::{Devices, Unread};
use crate::gate::{Gate, Person, chain};
use crate::leader::Leader;
use crate::seat::Seat;
use crate::status::{Face, State, Status};
use crate::vt::Vt;
use rights::Ticket;
use seated::Doubt;

const SIGNALS: Token = Token(0);
const LINKS: Token = Token(1);
const VT: Token = Token(2);
const CLOCK: Token = Token(3);
/// The writer, the bus, or who follows logind.
const WOKEN: Token = Token(4);
const DEADLINE: Token = Token(5);
const LEADER: Token = Token(6);
const FIRST_DEVICE: usize = 16;

/// More than devices and sources together: all that is ready is seen at once,
/// which the order of rows relies on.
const READY_MAX: usize = 1_024;

/// Rows are sent to the writer at most this long after the first came. It makes
/// them durable at once; the other half of the second is for the disk, which may
/// be busy with a seal.
const SEND_AFTER: Duration = Duration::from_millis(500);

/// A frame that the core split is ended when its device was silent for so long.
const SETTLE_AFTER: Duration = Duration::from_millis(50);

/// Batches that wait for a disk that takes nothing: 100 s of work. With their
/// 4,096 rows at most that is 40 MB, of which the unit allows 128.
const QUEUE: usize = 128;

/// Retention is looked at this often even where nothing is sealed.
const RETAIN_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// Numbers that are reserved at a time: strokes and contacts for hours of fast
/// typing, runs for a thousand replugs.
const RESERVED: i32 = 1 << 18;
const RESERVED_RUNS: i32 = 1 << 10;

pub use rights::people;
pub use settings::{SEGMENT_AGE, SEGMENT_BYTES, Settings};
pub use start::{LEDGER, OUTBOX};

/// The running collector.
pub struct Service<'a> {
    settings: Settings,
    gate: Gate,
    face: &'a mut dyn Face,
    poll: Poll,
    signals: Signals,
    links: Watch,
    vt: Option<Vt>,
    clock: Clock,
    deadline: Deadline,
    /// When the last wait was over.
    now: Instant,
    /// When the last wait began.
    waited: BootUs,
    reports: Receiver<Report>,
    seats: Receiver<Seat>,
    seat: Seat,
    /// While the machine may be falling asleep or waking.
    doubt: Option<Doubt>,
    /// The first process of the session at the seat.
    leader: Option<Leader>,
    bus: Option<Bus>,
    waker: Arc<Waker>,
    devices: Devices,
    status: Status,
    open: Option<Person>,
    /// The pseudonym of who is recorded.
    subject: Option<String>,
    /// Requests that wait for the writer.
    tickets: HashMap<u64, Ticket>,
    last_ticket: u64,
    /// When time alone may change who is recorded.
    decide_at: Option<Instant>,
    /// How long files cool off before they may be pulled, as the writer was told;
    /// `None`: none may be.
    offered: Option<Duration>,
    /// Why the disk takes nothing, while it does not.
    stalled: Option<String>,
    /// Since when the disk is full.
    full_since: Option<BootUs>,
    /// Up to here numbers may be given before they must be kept anew.
    reserved: Counters,
    dirty_since: Option<Instant>,
    /// When a device last said something, while a frame waits for its end.
    split_since: Option<Instant>,
    segment_since: Option<Instant>,
    shown: Option<Status>,
    shown_on_bus: Option<Shown>,
    /// The day, by the wall clock here, and the losses before it.
    today: (jiff::civil::Date, u64),
    shown_at: Instant,
    /// The status changed in more than counts since it was shown.
    has_news: bool,
    /// Rows were counted since it was shown.
    has_counted: bool,
    alive_at: Option<Instant>,
    retain_at: Instant,
}

impl<'a> Service<'a> {
    /// Collects until SIGTERM or SIGINT, then seals.
    ///
    /// # Errors
    /// Where waiting for events fails or the last segment cannot be sealed;
    /// what reached the journal is sealed at the next start.
    pub fn run(mut self) -> anyhow::Result<Status> {
        let mut events = Events::with_capacity(READY_MAX);
        let policy = self.gate.policy().map(|policy| policy.sha256.clone());
        self.note(Fact::Started { version: WRITER_VERSION.into(), policy });
        if self.gate.people().is_some_and(|people| people.held.is_some()) {
            // A hold that the start made must outlast the next one too.
            self.save_people();
        }
        self.decide("service_start");
        loop {
            self.show();
            self.deadline.wake_by(self.due(), self.now).context("the timer")?;
            let sure = std::mem::replace(&mut self.waited, evscribe_reader::now()?);
            while let Err(error) = self.poll.poll(&mut events, self.timeout()) {
                if error.kind() != std::io::ErrorKind::Interrupted {
                    return Err(error).context("waiting for events");
                }
            }
            self.now = Instant::now();
            self.devices.wake(sure);
            let came = |token| events.iter().any(|event| event.token() == token);
            let (vt, over) = (came(VT), came(LEADER));
            if vt || over || came(WOKEN) {
                // Before any device: what is said from now on may be another's.
                self.hear_of_seat(sure, vt, over)?;
            }
            // Before the others, of which some may be left alone from now on.
            let devices = self.devices.absence().is_some();
            let links = !self.devices.drain_away(events.is_empty());
            let mut ready = Ready { links, devices, ..Ready::default() };
            for event in &events {
                match event.token() {
                    VT | LEADER => {}
                    SIGNALS => ready.signals = true,
                    LINKS => ready.links = true,
                    CLOCK => ready.clock = true,
                    WOKEN => ready.woken = true,
                    DEADLINE => self.deadline.fired(),
                    Token(token) if event.is_error() || event.is_read_closed() => {
                        self.devices.hang_up(token);
                        ready.links = true;
                    }
                    Token(token) => {
                        ready.devices = true;
                        ready.links |= !self.devices.drain(token);
                    }
                }
            }
            ready.links |= !self.devices.drain_unfinished();
            if self.turn(&ready)? {
                break;
            }
        }
        self.stop()
    }

    /// Does what one wait brought, devices and seats aside. Returns whether to stop.
    fn turn(&mut self, ready: &Ready) -> anyhow::Result<bool> {
        let (now, waited) = (self.now, self.waited);
        if ready.clock {
            self.clock_changed()?;
        }
        let mut stop = false;
        if ready.signals {
            for signal in self.signals.pending().collect::<Vec<_>>() {
                if signal == SIGHUP {
                    self.reload();
                } else {
                    stop = true;
                }
            }
        }
        if ready.links {
            self.links.drain()?;
            self.links_changed();
        }
        if ready.woken {
            self.read_reports();
            self.answer_calls();
        }
        if let Some(since) = self.devices.take_hotkey() {
            self.hotkey(since);
        }
        if self.decide_at.is_some_and(|at| at <= now) {
            self.decide("time");
        }
        if ready.devices {
            self.split_since = self.devices.is_split().then_some(now);
        } else if self.split_since.is_some_and(|since| since + SETTLE_AFTER <= now) {
            self.devices.settle();
            self.split_since = None;
        }
        self.send_if_due(waited, now);
        self.devices.let_go();
        if self.retain_at <= now {
            self.retain_at = now + RETAIN_EVERY;
            self.retain();
            // What was lost today is another day's after midnight.
            self.has_news = true;
        }
        if self.alive_at.is_some_and(|at| at <= now) {
            self.face.alive();
            self.alive_at = self.face.watchdog().map(|every| now + every);
        }
        Ok(stop)
    }

    pub(super) fn links_changed(&mut self) {
        if self.open.is_none() {
            return;
        }
        let now = evscribe_reader::now().unwrap_or_default();
        self.devices.sync(&self.links.entries(), now);
        self.has_news = true;
    }

    fn reload(&mut self) {
        self.face.reloading();
        let before = self.gate.policy().map(|policy| policy.sha256.clone());
        let error = self.gate.reload().err();
        match (&error, self.gate.policy()) {
            (Some(error), Some(_)) => log::error!("{error}; the policy before stays in force"),
            (Some(error), None) => log::error!("{error}; nobody is recorded until there is one"),
            (None, _) => {}
        }
        // Where none is in force, why is said as the reason.
        self.status.policy_error = error.filter(|_| self.gate.policy().is_some());
        if self.settings.serves {
            self.seal_by_list();
        }
        if let Some(policy) = self.gate.policy() {
            let sha256 = policy.sha256.clone();
            self.settings.retention = retention(policy);
            self.settings.segment_age = policy.segment.age;
            self.status.retention_days = self.settings.retention.days;
            self.retain();
            if before.as_ref() != Some(&sha256) {
                self.note(Fact::PolicyChanged { sha256: Some(sha256) });
            }
        } else if before.is_some() {
            self.note(Fact::PolicyChanged { sha256: None });
        }
        self.offer();
        self.decide("policy");
        // Systemd waits for the answer even where nothing changed.
        self.shown = None;
        self.has_news = true;
    }

    /// Has files sealed as the policy and the list of recipients say now.
    fn seal_by_list(&mut self) {
        match at_rest::decided(self.gate.policy()) {
            Ok(at_rest) => {
                (self.status.at_rest, self.status.recipients) = at_rest::shown(&at_rest);
                if at_rest != self.settings.at_rest {
                    self.settings.at_rest = at_rest.clone();
                    self.devices.pipeline().command(Command::AtRest(at_rest));
                }
            }
            Err(error) => {
                let why = chain(&error);
                log::error!("{why}; files are encrypted for those of before");
                self.status.policy_error.get_or_insert(why);
            }
        }
    }

    /// Has the writer remove what is not kept, and offer what has cooled off.
    fn retain(&mut self) {
        self.devices.pipeline().command(Command::Retain(self.settings.retention));
    }

    fn stop(mut self) -> anyhow::Result<Status> {
        self.status.state = State::Stopping;
        self.status.reason = "sealing what was collected".into();
        self.has_news = true;
        self.show();
        self.close(MarkKind::Stop, "service_stop", Unread::Read);
        self.note(Fact::Stopped { reason: "service_stop" });
        self.save_numbers();
        self.count();
        let Self { devices, reports, mut status, .. } = self;
        devices.stop().context("what is in the journal is sealed at the next start")?;
        for report in reports.try_iter() {
            crate::report::say(&report);
            if let Report::Sealed { files, .. } = report {
                status.sealed_files += files.len() as u64;
            }
        }
        Ok(status)
    }
}

/// A policy's retention, as the sink takes it.
#[must_use]
pub fn retention(policy: &Policy) -> Retention {
    let keep = policy.retention;
    Retention {
        days: Some(keep.days),
        bytes: Some(keep.bytes),
        after_pull_hours: keep.after_pull_hours,
    }
}

/// What became ready in one wait, devices and seats aside.
#[derive(Default)]
struct Ready {
    devices: bool,
    signals: bool,
    links: bool,
    clock: bool,
    woken: bool,
}

/// The wall clock, microseconds since 1970.
fn clock_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn unix_now() -> i64 {
    clock_us() / 1_000_000
}
