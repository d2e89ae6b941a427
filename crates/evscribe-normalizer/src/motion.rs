//! Relative motion: mice, trackpoints, trackballs.

use evscribe_model::What;
use evscribe_model::codes::*;

use crate::page::Page;

/// What a frame has moved so far, device counts.
///
/// `REL_Z`, `REL_DIAL`, `REL_MISC` and the rotations are no motion of a
/// pointer and are not kept.
#[derive(Debug, Default)]
pub(crate) struct Motion {
    dx: i32,
    dy: i32,
}

impl Motion {
    pub(crate) fn rel(&mut self, code: u16, value: i32) {
        match code {
            REL_X => self.dx = self.dx.saturating_add(value),
            REL_Y => self.dy = self.dy.saturating_add(value),
            _ => {}
        }
    }

    pub(crate) fn finish(&mut self, page: &mut Page<'_>) {
        let Self { dx, dy } = std::mem::take(self);
        if dx != 0 || dy != 0 {
            page.event(What::Motion { dx, dy });
        }
    }
}
