//! Getting ready: recovery, the writer thread, everything that is waited on.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::Context;
use evscribe_reader::Watch;
use evscribe_sink::{Config, Recovery, Writer};
use mio::unix::SourceFd;
use mio::{Interest, Poll, Waker};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use super::{
    CLOCK, DEADLINE, FIRST_DEVICE, LINKS, QUEUE, RETAIN_EVERY, SEATS, SIGNALS, Service, Settings,
    WRITER, unix_now,
};
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::devices::Devices;
use crate::gate::Gate;
use crate::saved::Saved;
use crate::status::{Face, State, Status};

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
        // The service gathers rows itself: a second wait costs a wake-up.
        config.flush_after = Duration::ZERO;
        config.queue = QUEUE;
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
        let deadline = Deadline::new().context("a timer")?;
        let registry = poll.registry();
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        let sources = [
            (links.fd(), LINKS),
            (seats.fd(), SEATS),
            (clock.fd(), CLOCK),
            (deadline.fd(), DEADLINE),
        ];
        for (fd, token) in sources {
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
            deadline,
            now: Instant::now(),
            reports,
            devices,
            status,
            open: None,
            full_since: None,
            reserved: saved.counters(),
            dirty_since: None,
            split_since: None,
            segment_since: None,
            shown: None,
            shown_at: Instant::now(),
            has_news: true,
            has_counted: false,
            alive_at,
            retain_at: Instant::now() + RETAIN_EVERY,
        };
        Ok((service, recovery))
    }
}
