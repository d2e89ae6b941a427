//! Standing still, and going on by itself.

use std::{sync::atomic::Ordering, time::Instant};

use super::{Report, SealReason, Thread};
use crate::{SinkError, recover::chain};

impl Thread {
    /// Does `step` until it succeeds, standing still in between; gives up only
    /// when the writer is to stop: `None`. A step leaves everything as it was
    /// when it fails, so that it can be done again.
    pub(super) fn insist<T>(
        &mut self,
        step: impl Fn(&mut Self) -> Result<T, SinkError>,
    ) -> Option<T> {
        loop {
            // Looked at before the step: a wish to stop still gets its try.
            let stopping = self.shared.stopping.load(Ordering::Acquire);
            match step(self) {
                Ok(done) => {
                    self.resume();
                    return Some(done);
                }
                Err(error) => self.stall(&error),
            }
            if stopping {
                return None;
            }
            std::thread::park_timeout(self.store.config.retry_after);
        }
    }

    fn stall(&mut self, error: &SinkError) {
        if self.stalled_since.is_some() {
            return;
        }
        self.stalled_since = Some(Instant::now());
        self.shared.stalled.store(true, Ordering::Relaxed);
        (self.report)(Report::Stalled { reason: error.stall(), message: chain(error) });
        if matches!(error, SinkError::DiskFull { .. }) {
            // What is durable already is sealed out of the reserve: it gets
            // smaller, and retention may make room. A failure shows again.
            let relieved =
                self.end_journal().and_then(|()| self.seal_pending(SealReason::DiskFull));
            drop(relieved);
            self.segment_since = Some(Instant::now());
        }
    }

    fn resume(&mut self) {
        if let Some(since) = self.stalled_since.take() {
            self.shared.stalled.store(false, Ordering::Relaxed);
            (self.report)(Report::Resumed { after: since.elapsed() });
        }
    }
}
