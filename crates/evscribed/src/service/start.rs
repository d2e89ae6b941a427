//! Getting ready: recovery, the writer thread, everything that is waited on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::Context;
use evscribe_reader::Watch;
use evscribe_sink::crypt::Keyring;
use evscribe_sink::{Config, Outbox, Recovery, Writer};
use mio::unix::SourceFd;
use mio::{Interest, Poll, Waker};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use super::seated::Seen;
use super::{
    CLOCK, DEADLINE, FIRST_DEVICE, LINKS, QUEUE, RETAIN_EVERY, SIGNALS, Service, Settings, VT,
    WOKEN, unix_now,
};
use crate::bus::{self, Bus, Places};
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::devices::Devices;
use crate::gate::Gate;
use crate::saved::Saved;
use crate::seat::Seat;
use crate::state;
use crate::status::{Face, State, Status};
use crate::vt::Vt;

/// The ledger, in the state directory.
pub const LEDGER: &str = "ledger.jsonl";

/// What may be pulled, in the state directory.
pub const OUTBOX: &str = "outbox";

/// What is remembered of pulls, in the state directory.
const PULLS: &str = "pulls.json";

/// Who is served now, in the state directory.
const SERVING: &str = "serving";

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
        config.at_rest = settings.at_rest.clone();
        // The service gathers rows itself: a second wait costs a wake-up.
        config.ledger = settings.serves.then(|| settings.state.join(LEDGER));
        config.flush_after = Duration::ZERO;
        let offered = gate.pulls().ok();
        config.outbox = settings.serves.then(|| Outbox {
            directory: settings.state.join(OUTBOX),
            book: settings.state.join(PULLS),
            serving: settings.state.join(SERVING),
            host: settings.host.name.clone(),
            boot: settings.host.boot.clone(),
            cooling_off: offered,
        });
        config.queue = QUEUE;
        let mut next_run = saved.counters().run;
        let (store, recovery) =
            evscribe_sink::recover(config, settings.keys.clone(), &mut next_run)?;
        if settings.serves {
            state::close(&settings.state, OUTBOX)?;
        }
        saved.go_on_above(&recovery.highest, next_run);
        let poll = Poll::new().context("epoll")?;
        let waker = Arc::new(Waker::new(poll.registry(), WOKEN).context("eventfd")?);
        let (sender, reports) = channel();
        let wakes = Arc::clone(&waker);
        let report = Box::new(move |report| {
            // Without a receiver the loop has ended and nobody needs to know.
            let _ = sender.send(report);
            let _ = wakes.wake();
        });
        let writer = Writer::spawn(store, report)?;
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("signals")?;
        let links = Watch::new(&settings.links)
            .with_context(|| format!("{} cannot be watched", settings.links.display()))?;
        let vt = Vt::new().context("the virtual terminals cannot be watched")?;
        let (sender, seats) = channel();
        let wakes = Arc::clone(&waker);
        let seen = Seen { sender: Some(sender), waker: wakes };
        bus::follow(move |seat| seen.tell(seat)).context("a thread that follows logind")?;
        let bus = if settings.serves {
            let places = Places {
                dataset: settings.dataset.clone(),
                ledger: settings.state.join(LEDGER),
                pulls: settings.state.join(PULLS),
                serving: settings.state.join(SERVING),
            };
            let bus = Bus::serve(Arc::clone(&waker), places, Keyring::of(&settings.keys));
            Some(bus.context("a thread that serves the bus")?)
        } else {
            None
        };
        let clock = Clock::new().context("a timer on the wall clock")?;
        let deadline = Deadline::new().context("a timer")?;
        let registry = poll.registry();
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        let sources = [(links.fd(), LINKS), (clock.fd(), CLOCK), (deadline.fd(), DEADLINE)];
        for (fd, token) in sources {
            registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        }
        if let Some(vt) = &vt {
            // sysfs tells of a change as of an exception.
            registry.register(&mut SourceFd(&vt.fd()), VT, Interest::PRIORITY)?;
        }
        let devices = Devices::new(
            registry.try_clone()?,
            FIRST_DEVICE,
            saved.registry(),
            saved.counters(),
            settings.keys.clone(),
            writer,
        );
        let (at_rest, recipients) = crate::at_rest::shown(&settings.at_rest);
        let status = Status {
            state: State::Waiting,
            reason: "starting".into(),
            since_unix_s: unix_now(),
            keys: "off".into(),
            pointer: "off".into(),
            notice: None,
            devices: Vec::new(),
            refused: Vec::new(),
            policy_error: None,
            dataset: settings.dataset.clone(),
            at_rest,
            recipients,
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
            vt,
            clock,
            deadline,
            now: Instant::now(),
            waited: evscribe_reader::now()?,
            reports,
            seats,
            seat: Seat::Unknown("logind has not been asked yet".into()),
            doubt: None,
            leader: None,
            bus,
            waker,
            devices,
            status,
            open: None,
            subject: None,
            tickets: HashMap::new(),
            last_ticket: 0,
            decide_at: None,
            offered,
            stalled: None,
            full_since: None,
            reserved: saved.counters(),
            dirty_since: None,
            split_since: None,
            segment_since: None,
            shown: None,
            shown_on_bus: None,
            today: (jiff::ZonedDateTime::now().date(), 0),
            shown_at: Instant::now(),
            has_news: true,
            has_counted: false,
            alive_at,
            retain_at: Instant::now() + RETAIN_EVERY,
        };
        Ok((service, recovery))
    }
}
