//! What must hold of rows as the normaliser makes them.

// The rules that the normaliser's own properties go by.
#[path = "../../../crates/evscribe-normalizer/tests/stage/verifier.rs"]
mod verifier;

use evscribe_model::{Row, Run};

pub(crate) use verifier::Verifier;

/// The rules of [`Verifier`], and those that hold only before the outlet: run
/// numbers go up.
#[derive(Default)]
pub(crate) struct RowJudge {
    verifier: Verifier,
    run: Option<Run>,
}

impl RowJudge {
    pub(crate) fn read(&mut self, rows: &[Row]) {
        for row in rows {
            self.verifier.read(row);
            if let Row::Mark(mark) = row
                && let Some(run) = mark.run
            {
                assert!(self.run.replace(run).is_none_or(|before| before < run), "{row:?}");
            }
        }
    }

    /// At the end, when every device is closed, nothing is open.
    pub(crate) fn finish(&self) {
        self.verifier.finish();
    }
}
