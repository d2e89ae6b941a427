//! The event loop: waits for devices, folders, clocks, signals and the writer,
//! and does what each asks for. It waits for nothing else: no disk, no lock.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use evscribe_model::{BootUs, Mark, MarkKind, Row};
use evscribe_normalizer::Counters;
use evscribe_policy::Policy;
use evscribe_reader::Watch;
use evscribe_sink::{Command, Config, Keys, Provenance, Recovery, Report, Retention, Writer};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use crate::clock::Clock;
use crate::devices::Devices;
use crate::gate::{Gate, Person, Verdict};
use crate::host::Host;
use crate::saved::{self, Saved};
use crate::status::{Face, OpenDevice, State, Status};

const SIGNALS: Token = Token(0);
const LINKS: Token = Token(1);
const SEATS: Token = Token(2);
const CLOCK: Token = Token(3);
const WRITER: Token = Token(4);
const FIRST_DEVICE: usize = 16;

/// More than devices and sources together: all that is ready is seen at once,
/// which the order of rows relies on.
const READY_MAX: usize = 1_024;

/// Rows are sent to the writer at most this long after the first came; with
/// the writer's own delay that keeps them durable within a second.
const SEND_AFTER: Duration = Duration::from_millis(400);

/// After a device came, a remapper may take it or another: they are asked then.
const ASK_GRABBED_AFTER: Duration = Duration::from_secs(1);

/// Retention is looked at this often even where nothing is sealed.
const RETAIN_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// Numbers that are reserved at a time: strokes and contacts for hours of fast
/// typing, runs for a thousand replugs.
const RESERVED: i32 = 1 << 18;
const RESERVED_RUNS: i32 = 1 << 10;

/// Where things are and how they are kept.
#[derive(Debug)]
pub struct Settings {
    /// Folder of links to the devices that may be read.
    pub links: PathBuf,
    /// Folder in which logind keeps the seats.
    pub seats: PathBuf,
    /// Where what must survive is kept, outside the dataset.
    pub state: PathBuf,
    /// Where sealed files go.
    pub dataset: PathBuf,
    /// The workstation's key.
    pub keys: Keys,
    /// Which host and boot this is.
    pub host: Host,
    /// How long and how much sealed data stays.
    pub retention: Retention,
    /// A segment closes this long after its first row.
    pub segment_age: Duration,
    /// A segment closes when its journal is this large, bytes.
    pub segment_bytes: u64,
}

/// The running collector.
pub struct Service<'a> {
    settings: Settings,
    gate: Gate,
    face: &'a mut dyn Face,
    poll: Poll,
    signals: Signals,
    links: Watch,
    seats: Watch,
    clock: Clock,
    reports: Receiver<Report>,
    devices: Devices,
    status: Status,
    open: Option<Person>,
    /// Up to here numbers may be given before they must be kept anew.
    reserved: Counters,
    dirty_since: Option<Instant>,
    segment_since: Option<Instant>,
    ask_grabbed_at: Option<Instant>,
    shown: Option<(Instant, Status)>,
    alive_at: Option<Instant>,
    retain_at: Instant,
}

impl<'a> Service<'a> {
    /// Recovers what an earlier run left, and gets ready; opens no device yet.
    ///
    /// # Errors
    /// Where the state or dataset directory cannot be used, with what to do.
    pub fn new(
        settings: Settings,
        gate: Gate,
        face: &'a mut dyn Face,
    ) -> anyhow::Result<(Self, Recovery)> {
        let mut saved = Saved::load(&settings.state, &settings.host.boot);
        let mut config = Config::new(&settings.dataset, settings.state.join("journal"));
        config.segment_age = settings.segment_age;
        config.segment_bytes = settings.segment_bytes;
        config.retention = settings.retention;
        let mut next_run = saved.counters().run;
        let (store, recovery) =
            evscribe_sink::recover(config, settings.keys.clone(), &mut next_run)?;
        saved.go_on_above(&recovery.highest, next_run);
        let poll = Poll::new().context("epoll")?;
        let waker = Arc::new(Waker::new(poll.registry(), WRITER).context("eventfd")?);
        let (sender, reports) = channel();
        let report = Box::new(move |report| {
            // Without a receiver the loop has ended and nobody needs to know.
            let _ = sender.send(report);
            let _ = waker.wake();
        });
        let writer = Writer::spawn(store, report)?;
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("signals")?;
        let links = Watch::new(&settings.links)
            .with_context(|| format!("{} cannot be watched", settings.links.display()))?;
        let seats = Watch::new(&settings.seats)
            .with_context(|| format!("{} cannot be watched", settings.seats.display()))?;
        let clock = Clock::new().context("a timer on the wall clock")?;
        let registry = poll.registry();
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        for (fd, token) in [(links.fd(), LINKS), (seats.fd(), SEATS), (clock.fd(), CLOCK)] {
            registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        }
        let devices = Devices::new(
            registry.try_clone()?,
            FIRST_DEVICE,
            saved.registry(),
            saved.counters(),
            settings.keys.clone(),
            writer,
        );
        let status = Status {
            state: State::Waiting,
            reason: "starting".into(),
            since_unix_s: unix_now(),
            person: None,
            keys: "off".into(),
            pointer: "off".into(),
            notice: None,
            devices: Vec::new(),
            refused: Vec::new(),
            policy_error: None,
            dataset: settings.dataset.clone(),
            retention_days: settings.retention.days,
            events: 0,
            touch: 0,
            kernel_drops: 0,
            rows_lost: 0,
            sealed_files: 0,
            sealed_unix_s: None,
            pid: std::process::id(),
        };
        let alive_at = face.watchdog().map(|every| Instant::now() + every);
        let service = Self {
            settings,
            gate,
            face,
            poll,
            signals,
            links,
            seats,
            clock,
            reports,
            devices,
            status,
            open: None,
            reserved: saved.counters(),
            dirty_since: None,
            segment_since: None,
            ask_grabbed_at: None,
            shown: None,
            alive_at,
            retain_at: Instant::now() + RETAIN_EVERY,
        };
        Ok((service, recovery))
    }

    /// Collects until SIGTERM or SIGINT, then seals.
    ///
    /// # Errors
    /// Where waiting for events fails or the last segment cannot be sealed;
    /// what reached the journal is sealed at the next start.
    pub fn run(mut self) -> anyhow::Result<Status> {
        let mut events = Events::with_capacity(READY_MAX);
        self.decide("service_start");
        loop {
            self.show();
            let waited = evscribe_reader::now()?;
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                outcome => outcome.context("waiting for events")?,
            }
            let mut ready = Ready::default();
            for event in &events {
                match event.token() {
                    SIGNALS => ready.signals = true,
                    LINKS => ready.links = true,
                    SEATS => ready.seats = true,
                    CLOCK => ready.clock = true,
                    WRITER => ready.writer = true,
                    Token(token) => ready.links |= !self.devices.drain(token),
                }
            }
            ready.links |= !self.devices.drain_unfinished();
            if self.turn(&ready, waited)? {
                break;
            }
        }
        self.stop()
    }

    /// Does what one wait brought, devices aside. Returns whether to stop.
    fn turn(&mut self, ready: &Ready, waited: BootUs) -> anyhow::Result<bool> {
        let now = Instant::now();
        if ready.clock {
            self.clock_changed()?;
        }
        if ready.seats {
            self.seats.drain()?;
            self.decide("seat");
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
        if ready.writer {
            self.read_reports();
        }
        self.send_if_due(waited, now);
        if self.ask_grabbed_at.is_some_and(|at| at <= now) {
            self.ask_grabbed_at = None;
            self.devices.ask_grabbed();
        }
        if self.retain_at <= now {
            self.retain_at = now + RETAIN_EVERY;
            self.retain();
        }
        if self.alive_at.is_some_and(|at| at <= now) {
            self.face.alive();
            self.alive_at = self.face.watchdog().map(|every| now + every);
        }
        Ok(stop)
    }

    fn send_if_due(&mut self, waited: BootUs, now: Instant) {
        if self.segment_since.is_some_and(|since| since + self.settings.segment_age <= now) {
            self.seal();
        }
        if !self.devices.is_dirty() {
            return;
        }
        let since = *self.dirty_since.get_or_insert(now);
        let due = since + SEND_AFTER <= now;
        if due {
            self.devices.settle();
        }
        if due || self.devices.is_full() {
            self.send(Some(waited));
            self.dirty_since = self.devices.is_dirty().then_some(now);
        }
    }

    /// Sends what waits, into a segment that begins now if none is under way.
    fn send(&mut self, waited: Option<BootUs>) {
        if self.segment_since.is_none() {
            // A fresh anchor for each segment takes in what NTP slewed.
            self.begin();
            self.segment_since = Some(Instant::now());
        }
        self.devices.send(waited);
        let (next, _) = self.devices.kept();
        let spent = next.run >= self.reserved.run
            || next.stroke >= self.reserved.stroke
            || next.contact >= self.reserved.contact;
        if spent {
            self.save_numbers();
        }
    }

    fn seal(&mut self) {
        self.devices.command(Command::Seal);
        self.segment_since = None;
    }

    /// Asks the gate, and opens or closes as it says. `reason` is what made it ask.
    fn decide(&mut self, reason: &'static str) {
        let verdict = self.gate.verdict();
        let wanted = match &verdict {
            Verdict::Open(person) => Some(person),
            Verdict::Closed { .. } => None,
        };
        if wanted != self.open.as_ref() {
            self.close(if reason == "seat" { MarkKind::Switch } else { MarkKind::Stop }, reason);
            if let Some(person) = wanted {
                self.open_for(person.clone(), reason);
            }
        }
        let before = self.status.state;
        match verdict {
            Verdict::Open(person) => {
                self.status.state = State::Collecting;
                self.status.reason = match &person.notice {
                    None => format!("{} records themselves", person.name),
                    Some(notice) => format!("{} acknowledged notice {notice}", person.name),
                };
                self.status.keys = person.level.keys.to_string();
                self.status.pointer = person.level.pointer.to_string();
                self.status.notice = person.notice;
                self.status.person = Some(person.name);
            }
            Verdict::Closed { why } => {
                self.status.state = State::Waiting;
                self.status.reason = why;
                self.status.keys = "off".into();
                self.status.pointer = "off".into();
                self.status.notice = None;
                self.status.person = None;
            }
        }
        if before != self.status.state {
            self.status.since_unix_s = unix_now();
        }
    }

    fn open_for(&mut self, person: Person, reason: &'static str) {
        self.devices.set_level(person.level);
        self.open = Some(person);
        self.mark(MarkKind::Start, reason, None);
        self.save_numbers();
        self.links_changed();
    }

    /// Closes every device; what they said is sealed.
    fn close(&mut self, kind: MarkKind, reason: &'static str) {
        if self.open.is_none() {
            return;
        }
        self.devices.close_all(kind, reason);
        self.mark(kind, reason, None);
        self.send(None);
        self.seal();
        self.dirty_since = None;
        self.open = None;
        self.save_numbers();
    }

    /// Begins a segment with a fresh anchor; the one before is sealed.
    fn begin(&mut self) {
        let Some(person) = &self.open else { return };
        let anchor = match self.clock.anchor() {
            Ok(anchor) => anchor,
            Err(error) => {
                log::error!("the clocks cannot be read, the last anchor stays: {error}");
                return;
            }
        };
        let Settings { keys, host, .. } = &self.settings;
        let session = format!("{}\0{}", host.boot, person.session);
        let provenance = Provenance {
            host: host.name.clone(),
            boot: host.boot.clone(),
            subject: keys.pseudonym("subject", &person.uid.to_ne_bytes()),
            session: keys.pseudonym("session", session.as_bytes()),
            anchor,
            clock: evscribe_sink::Clock::Boottime,
            level: person.level,
            notice_sha256: Some(person.notice_sha256.clone()),
            acknowledgement_sha256: Some(person.acknowledgement_sha256.clone()),
            policy_sha256: Some(person.policy_sha256.clone()),
            ledger_head: None,
        };
        self.devices.command(Command::Begin(Box::new(provenance)));
    }

    fn links_changed(&mut self) {
        if self.open.is_none() {
            return;
        }
        let now = evscribe_reader::now().unwrap_or_default();
        if self.devices.sync(&self.links.entries(), now) {
            self.ask_grabbed_at = Some(Instant::now() + ASK_GRABBED_AFTER);
        }
        if self.devices.take_known_changed() {
            self.save_numbers();
        }
    }

    fn reload(&mut self) {
        self.face.reloading();
        self.status.policy_error = self.gate.reload().err();
        if let Some(error) = &self.status.policy_error {
            log::error!("{error}; the policy before stays in force");
        }
        if let Some(policy) = self.gate.policy() {
            self.settings.retention = retention(policy);
            self.settings.segment_age = policy.segment.age;
            self.status.retention_days = self.settings.retention.days;
            self.retain();
        }
        self.decide("policy");
        self.devices.ask_grabbed();
        // Systemd waits for the answer even where nothing changed.
        self.shown = None;
    }

    fn clock_changed(&mut self) -> anyhow::Result<()> {
        let change = self.clock.changed().context("the wall clock's timer")?;
        if change.slept.is_none() && change.stepped_us.is_none() {
            return Ok(());
        }
        if self.open.is_none() {
            return Ok(());
        }
        if let Some(slept) = change.slept {
            let now = evscribe_reader::now()?;
            self.mark(MarkKind::Suspend, "machine_slept", Some(now.earlier_by(slept)));
        }
        if change.stepped_us.is_some() {
            self.mark(MarkKind::Clock, "wall_clock_set", None);
        }
        // What was read so far belongs to the anchor before.
        self.send(Some(evscribe_reader::now()?));
        self.seal();
        Ok(())
    }

    /// A mark of the collector itself, now or from `since` until now.
    fn mark(&mut self, kind: MarkKind, reason: &'static str, since: Option<BootUs>) {
        let now = evscribe_reader::now().unwrap_or_default();
        self.devices.push(Row::Mark(Mark {
            at: since.unwrap_or(now),
            until: since.map(|_| now),
            run: None,
            device: None,
            kind,
            reason,
            lost: None,
        }));
    }

    fn retain(&mut self) {
        self.devices.command(Command::Retain(self.settings.retention));
    }

    /// Keeps the numbers for the next run: while devices are read, a block is
    /// reserved, so that a crash does not make them be given twice.
    fn save_numbers(&mut self) {
        let (mut counters, registry) = self.devices.kept();
        if self.open.is_some() {
            counters.run = counters.run.saturating_add(RESERVED_RUNS);
            counters.stroke = counters.stroke.saturating_add(RESERVED);
            counters.contact = counters.contact.saturating_add(RESERVED);
        }
        self.reserved = counters;
        let bytes = Saved::bytes(&self.settings.host.boot, counters, registry);
        let path = self.settings.state.join(saved::FILE);
        self.devices.command(Command::SaveState { path, bytes });
    }

    fn read_reports(&mut self) {
        for report in self.reports.try_iter() {
            crate::report::say(&report);
            match report {
                Report::Stalled { message, .. } if self.open.is_some() => {
                    self.status.state = State::Stalled;
                    self.status.reason = message;
                }
                Report::Resumed { .. } if self.open.is_some() => {
                    self.status.state = State::Collecting;
                    self.status.reason = "the disk takes rows again".into();
                }
                Report::Sealed { files, .. } => {
                    self.status.sealed_files += files.len() as u64;
                    self.status.sealed_unix_s = Some(unix_now());
                }
                _ => {}
            }
        }
    }

    /// Shows the status if it changed: at once where more than counts did.
    fn show(&mut self) {
        self.status.count(self.devices.counts());
        self.status.devices = self
            .devices
            .list()
            .map(|(link, id, grabbed)| OpenDevice { link: link.into(), device: id.0, grabbed })
            .collect();
        self.status.refused = self.devices.refused().values().cloned().collect();
        let now = Instant::now();
        let due = match &self.shown {
            None => true,
            Some((_, before)) if *before == self.status => false,
            Some((at, before)) => {
                at.elapsed() >= self.face.lag() || !self.status.differs_in_counts_only(before)
            }
        };
        if due {
            self.face.show(&self.status);
            self.shown = Some((now, self.status.clone()));
        }
    }

    /// Until when to wait: for ever, where nothing is under way.
    fn timeout(&self) -> Option<Duration> {
        if self.devices.is_unfinished() {
            return Some(Duration::ZERO);
        }
        let lag = self.shown.as_ref().filter(|(_, shown)| *shown != self.status);
        [
            self.dirty_since.map(|since| since + SEND_AFTER),
            self.segment_since.map(|since| since + self.settings.segment_age),
            self.ask_grabbed_at,
            lag.map(|(at, _)| *at + self.face.lag()),
            self.alive_at,
            Some(self.retain_at),
        ]
        .into_iter()
        .flatten()
        .min()
        .map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn stop(mut self) -> anyhow::Result<Status> {
        self.status.state = State::Stopping;
        self.status.reason = "sealing what was collected".into();
        self.shown = None;
        self.show();
        self.close(MarkKind::Stop, "service_stop");
        self.save_numbers();
        self.status.count(self.devices.counts());
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
    Retention { days: Some(keep.days), bytes: Some(keep.bytes) }
}

/// What became ready in one wait, devices aside.
#[derive(Default)]
struct Ready {
    signals: bool,
    links: bool,
    seats: bool,
    clock: bool,
    writer: bool,
}

fn unix_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
