//! Keys and buttons: presses paired with releases.

use evscribe_model::codes::*;
use evscribe_model::{Bits, DeviceState, KeyRole, What, key_role};
use zeroize::Zeroize;

use crate::page::Page;

/// As many keys as are down together without growing the list.
const HANDFUL: usize = 16;

/// What is down on one device.
///
/// | value | key is | rows |
/// |---|---|---|
/// | 2 | any | none: auto-repeat |
/// | 0 | down, ours | release |
/// | 0 | up, or down since before us | none |
/// | other | up, or down since before us | press, a new stroke |
/// | other | down, ours | release (inferred), press: the stream was inconsistent |
///
/// A key that is up again is overwritten in memory: at most levels its code is
/// nobody's to keep.
///
/// Not handled: a key that was released and pressed again while events were
/// lost is one stroke, as the state read afterwards cannot tell.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Codes and stroke numbers of what is down. A hand holds few: a scan is
    /// quick.
    strokes: Vec<(u16, i32)>,
    /// Down since before the device was opened: not ours.
    foreign: Bits<12>,
    /// Whether buttons that merely restate a touch are left out.
    touches: bool,
}

impl Keys {
    pub(crate) fn of(state: Option<&DeviceState>, touches: bool) -> Self {
        let foreign = state.map(|state| state.keys).unwrap_or_default();
        Self { strokes: Vec::with_capacity(HANDFUL), foreign, touches }
    }

    pub(crate) fn key(&mut self, code: u16, value: i32, page: &mut Page<'_>) {
        if value == 2 || !self.is_kept(code) {
            return;
        }
        self.foreign.set(code, false);
        if let Some(index) = self.strokes.iter().position(|(held, _)| *held == code) {
            let stroke = self.release(index);
            page.event(what(code, false, stroke, value != 0 || page.inferred));
        }
        if value != 0 {
            self.press(code, page);
        }
    }

    /// Brings what is down in line with what the kernel says is down.
    pub(crate) fn repair(&mut self, state: &DeviceState, page: &mut Page<'_>) {
        let mut index = 0;
        while let Some(&(code, stroke)) = self.strokes.get(index) {
            if state.keys.has(code) {
                index += 1;
            } else {
                page.event(what(code, false, stroke, true));
                self.release(index);
            }
        }
        for code in state.keys.iter() {
            let known =
                self.foreign.has(code) || self.strokes.iter().any(|(held, _)| *held == code);
            if !known && self.is_kept(code) {
                self.press(code, page);
            }
        }
        for code in 0..KEY_CNT {
            if !state.keys.has(code) {
                self.foreign.set(code, false);
            }
        }
    }

    /// Releases what is down.
    pub(crate) fn end(&mut self, page: &mut Page<'_>) {
        for &(code, stroke) in &self.strokes {
            page.event(what(code, false, stroke, true));
        }
        self.strokes.iter_mut().zeroize();
        self.strokes.clear();
        self.foreign = Bits::default();
    }

    /// These strokes' presses are not kept: their keys are as if down since
    /// before us.
    pub(crate) fn disown(&mut self, strokes: &[i32]) {
        while let Some(index) = self.strokes.iter().position(|(_, own)| strokes.contains(own)) {
            if let Some((code, _)) = self.strokes.get(index) {
                self.foreign.set(*code, true);
            }
            self.release(index);
        }
    }

    /// Takes a key out of what is down. Returns its stroke.
    fn release(&mut self, index: usize) -> i32 {
        let last = self.strokes.len().saturating_sub(1);
        let stroke = self.strokes.get(index).map_or(0, |(_, stroke)| *stroke);
        if index <= last {
            self.strokes.swap(index, last);
        }
        if let Some(key) = self.strokes.last_mut() {
            key.zeroize();
        }
        self.strokes.pop();
        stroke
    }

    fn press(&mut self, code: u16, page: &mut Page<'_>) {
        let stroke = page.next.take_stroke();
        self.strokes.push((code, stroke));
        page.event(what(code, true, stroke, page.inferred));
    }

    fn is_kept(&self, code: u16) -> bool {
        code < KEY_CNT && !(self.touches && restates_touch(code))
    }
}

/// Buttons by which a touch device restates what its axes say already.
const fn restates_touch(code: u16) -> bool {
    matches!(
        code,
        BTN_TOOL_PEN..=BTN_TOOL_QUINTTAP | BTN_TOUCH | BTN_TOOL_DOUBLETAP..=BTN_TOOL_QUADTAP
    )
}

fn what(code: u16, down: bool, stroke: i32, inferred: bool) -> What {
    match key_role(code) {
        KeyRole::Button => What::Button { code, down, stroke, inferred },
        KeyRole::Key(class) => {
            What::Key { code: Some(code), class: Some(class), down, stroke, inferred }
        }
    }
}
