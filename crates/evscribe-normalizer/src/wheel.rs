//! Wheels, in 1/120 of a detent.

use evscribe_model::codes::*;
use evscribe_model::{Device, What};

use crate::page::Page;

/// Units of a high-resolution wheel to a detent.
///
/// Source: `Documentation/input/event-codes.rst`, `REL_WHEEL_HI_RES`.
const DETENT_120: i32 = 120;

/// What a frame has turned so far, and by which axes.
///
/// A high-resolution wheel reports its whole detents on the low-resolution
/// axis too; where a device has the former, the latter is not read.
#[derive(Debug)]
pub(crate) struct Wheels {
    v_hi_res: bool,
    h_hi_res: bool,
    v_120: i32,
    h_120: i32,
}

impl Wheels {
    pub(crate) fn of(device: &Device) -> Self {
        Self {
            v_hi_res: device.rels.has(REL_WHEEL_HI_RES),
            h_hi_res: device.rels.has(REL_HWHEEL_HI_RES),
            v_120: 0,
            h_120: 0,
        }
    }

    pub(crate) fn rel(&mut self, code: u16, value: i32) {
        let detents = value.saturating_mul(DETENT_120);
        match code {
            REL_WHEEL if !self.v_hi_res => self.v_120 = self.v_120.saturating_add(detents),
            REL_HWHEEL if !self.h_hi_res => self.h_120 = self.h_120.saturating_add(detents),
            REL_WHEEL_HI_RES if self.v_hi_res => self.v_120 = self.v_120.saturating_add(value),
            REL_HWHEEL_HI_RES if self.h_hi_res => self.h_120 = self.h_120.saturating_add(value),
            _ => {}
        }
    }

    pub(crate) fn finish(&mut self, page: &mut Page<'_>) {
        let v_120 = std::mem::take(&mut self.v_120);
        let h_120 = std::mem::take(&mut self.h_120);
        if v_120 != 0 || h_120 != 0 {
            page.event(What::Scroll { v_120, h_120 });
        }
    }
}
