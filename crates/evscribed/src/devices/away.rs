//! Devices that are not waited on: they report so densely that reading them now
//! and then is cheaper.

use std::time::Duration;

use evscribe_model::MarkKind;
use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::Devices;

impl Devices {
    /// Stops waiting on a device that reports so densely that reading it now and
    /// then is cheaper, or waits on it again. `frames` is what it just said.
    pub(super) fn leave_or_return(&mut self, token: usize, frames: usize) {
        let Some(live) = self.open.get(&token) else { return };
        let place = self.away.iter().position(|away| *away == token);
        // Woken early by another device, it had no time to say much.
        let least = if place.is_none() {
            1
        } else if self.rested {
            2
        } else {
            0
        };
        let stays = live.absence().is_some() && frames >= least;
        if stays == place.is_some() {
            return;
        }
        // No input device ever has priority data: only its end is still told.
        let interest = if stays { Interest::PRIORITY } else { Interest::READABLE };
        let changed = self.poll.reregister(&mut SourceFd(&live.fd()), Token(token), interest);
        match (changed, place) {
            (Ok(()), None) => self.away.push(token),
            (Ok(()), Some(place)) => drop(self.away.swap_remove(place)),
            (Err(error), _) => {
                log::error!("{} cannot be waited on: {error}", live.path().display());
                self.close_now(token, MarkKind::Unplug, "read_error");
            }
        }
    }

    /// Reads the devices that are not waited on; `rested` where nothing else ended
    /// the wait. Returns whether all are still there.
    pub(crate) fn drain_away(&mut self, rested: bool) -> bool {
        self.rested = rested;
        let mut there = true;
        // From the end: a device that returns is replaced by one that was read.
        for place in (0..self.away.len()).rev() {
            if let Some(token) = self.away.get(place).copied() {
                there &= self.drain(token);
            }
        }
        there
    }

    /// How long devices may be left alone that are not waited on.
    #[must_use]
    pub(crate) fn absence(&self) -> Option<Duration> {
        self.away.iter().filter_map(|token| self.open.get(token)?.absence()).min()
    }
}
