//! The event loop: waits for devices, folders, clocks, signals and the writer,
//! and does what each asks for. It waits for nothing else: no disk, no lock.

mod collect;
mod show;
mod start;

use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::Context;
use evscribe_model::{BootUs, MarkKind};
use evscribe_normalizer::Counters;
use evscribe_policy::Policy;
use evscribe_reader::Watch;
use evscribe_sink::{Command, Keys, Report, Retention};
use mio::{Events, Poll, Token};
use signal_hook::consts::SIGHUP;
use signal_hook_mio::v1_0::Signals;

use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::devices::{Devices, Unread};
use crate::gate::{Gate, Person};
use crate::host::Host;
use crate::saved::{self, Saved};
use crate::status::{Face, State, Status};

const SIGNALS: Token = Token(0);
const LINKS: Token = Token(1);
const SEATS: Token = Token(2);
const CLOCK: Token = Token(3);
const WRITER: Token = Token(4);
const DEADLINE: Token = Token(5);
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

/// Segments close after this long where no policy says otherwise.
pub const SEGMENT_AGE: Duration = Duration::from_secs(60 * 60);
/// And at this size of their journal, bytes.
pub const SEGMENT_BYTES: u64 = 16 << 20;

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
    deadline: Deadline,
    /// When the last wait was over.
    now: Instant,
    reports: Receiver<Report>,
    devices: Devices,
    status: Status,
    open: Option<Person>,
    /// Since when the disk is full.
    full_since: Option<BootUs>,
    /// Up to here numbers may be given before they must be kept anew.
    reserved: Counters,
    dirty_since: Option<Instant>,
    /// When a device last said something, while a frame waits for its end.
    split_since: Option<Instant>,
    segment_since: Option<Instant>,
    shown: Option<Status>,
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
        self.decide("service_start");
        loop {
            self.show();
            self.deadline.wake_by(self.due(), self.now).context("the timer")?;
            let waited = evscribe_reader::now()?;
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                outcome => outcome.context("waiting for events")?,
            }
            self.now = Instant::now();
            if events.iter().any(|event| event.token() == SEATS) {
                // Before any device: what is said from now on may be another's.
                self.seats.drain()?;
                self.decide("seat");
            }
            // Before the others, of which some may be left alone from now on.
            let devices = self.devices.absence().is_some();
            let links = !self.devices.drain_away(events.is_empty());
            let mut ready = Ready { links, devices, ..Ready::default() };
            for event in &events {
                match event.token() {
                    SEATS => {}
                    SIGNALS => ready.signals = true,
                    LINKS => ready.links = true,
                    CLOCK => ready.clock = true,
                    WRITER => ready.writer = true,
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
            if self.turn(&ready, waited)? {
                break;
            }
        }
        self.stop()
    }

    /// Does what one wait brought, devices and seats aside. Returns whether to stop.
    fn turn(&mut self, ready: &Ready, waited: BootUs) -> anyhow::Result<bool> {
        let now = self.now;
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
        if ready.writer {
            self.read_reports();
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
        if !self.devices.pipeline().is_dirty() {
            return;
        }
        let since = *self.dirty_since.get_or_insert(now);
        let due = since + SEND_AFTER <= now;
        if due {
            self.devices.settle();
        }
        if due || self.devices.pipeline().is_full() {
            self.send(Some(waited));
            self.dirty_since = self.devices.pipeline().is_dirty().then_some(now);
        }
    }

    /// Sends what waits, into a segment that begins now if none is under way.
    fn send(&mut self, waited: Option<BootUs>) {
        if self.segment_since.is_none() {
            // A fresh anchor for each segment takes in what NTP slewed.
            self.begin();
            self.segment_since = Some(self.now);
        }
        self.devices.send(waited);
        self.has_counted = true;
        let (next, _) = self.devices.kept();
        let spent = next.run >= self.reserved.run
            || next.stroke >= self.reserved.stroke
            || next.contact >= self.reserved.contact;
        // A new device counts as known once its row is on its way.
        if self.devices.take_known_changed() || spent {
            self.save_numbers();
        }
    }

    fn seal(&mut self) {
        self.devices.pipeline().command(Command::Seal);
        self.segment_since = None;
    }

    fn links_changed(&mut self) {
        if self.open.is_none() {
            return;
        }
        let now = evscribe_reader::now().unwrap_or_default();
        self.devices.sync(&self.links.entries(), now);
        self.has_news = true;
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
        // Systemd waits for the answer even where nothing changed.
        self.shown = None;
        self.has_news = true;
    }

    fn retain(&mut self) {
        self.devices.pipeline().command(Command::Retain(self.settings.retention));
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
        self.devices.pipeline().command(Command::SaveState { path, bytes });
    }

    fn stop(mut self) -> anyhow::Result<Status> {
        self.status.state = State::Stopping;
        self.status.reason = "sealing what was collected".into();
        self.has_news = true;
        self.show();
        self.close(MarkKind::Stop, "service_stop", Unread::Read);
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
    Retention { days: Some(keep.days), bytes: Some(keep.bytes) }
}

/// What became ready in one wait, devices and seats aside.
#[derive(Default)]
struct Ready {
    devices: bool,
    signals: bool,
    links: bool,
    clock: bool,
    writer: bool,
}

fn unix_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
