//! Ending segments, and sealing what was ended.

use std::sync::atomic::Ordering;

use super::{Report, SealReason, Thread};
use crate::{SinkError, recover::chain, store::Pending};

impl Thread {
    /// As [`Thread::close`], and the rows that come next are nobody's until
    /// another segment is begun.
    pub(super) fn end(&mut self, reason: SealReason) {
        self.close(reason);
        // What could not be written, at the end with a full disk, must not go
        // under another person's name: it is lost, and counted.
        self.unwritten += self.waiting.rows();
        self.waiting.clear();
        self.dirty_since = None;
        self.journal = None;
        self.provenance = None;
    }

    /// Ends the current segment and seals it, all its rows inside.
    pub(super) fn close(&mut self, reason: SealReason) {
        self.insist(Self::flush);
        self.insist(Self::end_journal);
        self.segment_since = None;
        self.last_us = [None; 4];
        self.insist(|this| this.seal_pending(reason));
    }

    pub(super) fn end_journal(&mut self) -> Result<(), SinkError> {
        if let Some(journal) = &mut self.journal {
            journal.close()?;
            let path = journal.path().to_path_buf();
            self.store.pending.push_back(Pending { path, fresh_run: None });
            self.journal = None;
        }
        Ok(())
    }

    pub(super) fn seal_pending(&mut self, reason: SealReason) -> Result<(), SinkError> {
        if self.store.pending.is_empty() {
            return Ok(());
        }
        while let Some(next) = self.store.pending.front().cloned() {
            match self.store.seal_pending(&next) {
                Ok(Some(files)) => {
                    for file in &files {
                        self.shared.sealed_files.fetch_add(1, Ordering::Relaxed);
                        self.shared.sealed_rows.fetch_add(file.rows, Ordering::Relaxed);
                        self.shared.sealed_bytes.fetch_add(file.bytes, Ordering::Relaxed);
                    }
                    let reason =
                        if next.fresh_run.is_some() { SealReason::Leftover } else { reason };
                    (self.report)(Report::Sealed { files, reason });
                }
                Ok(None) => (self.report)(Report::Damaged { path: next.path }),
                // Time does not heal these; the next start looks at them again.
                Err(error) if !error.heals() => {
                    (self.report)(Report::Abandoned { path: next.path, message: chain(&error) });
                }
                Err(error) => return Err(error),
            }
            self.store.pending.pop_front();
        }
        self.retain();
        Ok(())
    }

    /// Removes what is not kept; what is left, and what came, may be pulled.
    pub(super) fn retain(&mut self) {
        match self.store.retain() {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => (self.report)(Report::Retained { removed }),
            Err(error) => (self.report)(Report::RetentionFailed { message: chain(&error) }),
        }
        self.offer();
    }
}
