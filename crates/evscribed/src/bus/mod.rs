//! The system bus, on two threads of its own: who is at the seat, and what
//! people ask of the service. The event loop never waits for either.

mod ask;
mod call;
mod face;
mod files;
mod limits;
mod logind;
mod polkit;
mod shown;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_channel::{Receiver, Sender, bounded, unbounded};
use evscribe_sink::background;
use evscribe_sink::crypt::Keyring;
use futures_lite::future;
use mio::Waker;
use zbus::connection::Builder;
use zbus::fdo::Properties;
use zbus::object_server::SignalEmitter;

pub(crate) use call::{Answer, Call, Me, Outcome, Refusal, Request};
pub(crate) use logind::follow;
pub use logind::seat_now;
pub(crate) use shown::Shown;

pub(crate) use ask::Places;

use ask::Collector;
use files::Files;

/// The service's name on the system bus.
pub const NAME: &str = "org.evscribe.Collector1";
/// Its one object.
pub const PATH: &str = "/org/evscribe/Collector1";

/// Calls that wait for the event loop; who comes later waits on the bus.
const CALLS: usize = 64;

/// Waits between attempts to serve, doubled up to the second.
const RETRY: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(60)];

/// The event loop's end of the bus.
pub(crate) struct Bus {
    /// What people ask.
    pub(crate) calls: Receiver<Call>,
    shown: Sender<Shown>,
}

impl Bus {
    /// Serves on a thread of its own, for the life of the process; `waker` wakes
    /// the event loop for calls.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub(crate) fn serve(
        waker: Arc<Waker>,
        places: Places,
        keyring: Keyring,
    ) -> std::io::Result<Self> {
        let (call, calls) = bounded(CALLS);
        let (shown, news) = unbounded();
        let collector = Collector {
            shown: Arc::default(),
            limits: Arc::default(),
            calls: call,
            waker,
            places,
            keyring,
            files: Files::start()?,
        };
        let serve = move || {
            let [mut wait, longest] = RETRY;
            while !news.is_closed() {
                match zbus::block_on(serve(collector.clone(), &news)) {
                    Ok(()) => [wait, _] = RETRY,
                    Err(error) => log::warn!(
                        "{NAME} cannot be served ({error}): people cannot acknowledge, pause or \
                         forget until it can; it is tried again"
                    ),
                }
                std::thread::sleep(wait);
                wait = (wait * 2).min(longest);
            }
        };
        background::spawn("evscribe-bus", serve)?;
        Ok(Self { calls, shown })
    }

    /// Shows this to everybody.
    pub(crate) fn show(&self, shown: Shown) {
        // Without a receiver the thread has ended and nobody looks.
        let _ = self.shown.try_send(shown);
    }
}

/// Serves until the connection ends or the event loop is gone.
async fn serve(collector: Collector, news: &Receiver<Shown>) -> zbus::Result<()> {
    let current = Arc::clone(&collector.shown);
    let bus = Builder::system().serve_at(PATH, collector).name(NAME).build().await?;
    let emitter = SignalEmitter::new(&bus, PATH)?;
    let publish = async {
        while let Ok(mut shown) = news.recv().await {
            while let Ok(newer) = news.try_recv() {
                shown = newer;
            }
            let before = {
                let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::replace(&mut *current, shown.clone())
            };
            let changed: HashMap<_, _> = shown.changed(&before).into_iter().collect();
            if !changed.is_empty() {
                let name = zbus::names::InterfaceName::from_static_str_unchecked(NAME);
                Properties::properties_changed(&emitter, name, changed, (&[][..]).into()).await?;
            }
        }
        Ok(())
    };
    let ended = async {
        bus.closed().await;
        Ok(())
    };
    future::or(publish, ended).await
}

#[cfg(test)]
mod tests;
