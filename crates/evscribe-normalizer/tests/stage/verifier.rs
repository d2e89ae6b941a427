//! What must hold of any rows, in the order they are written.

use std::collections::{HashMap, HashSet};

use evscribe_model::*;

/// Reads rows one by one and panics at the first that breaks a rule.
#[derive(Default)]
pub(crate) struct Verifier {
    last: HashMap<DeviceId, BootUs>,
    current: HashMap<DeviceId, Run>,
    runs: HashSet<Run>,
    used_strokes: HashSet<i32>,
    open_strokes: HashMap<i32, (DeviceId, u16)>,
    used_contacts: HashSet<i32>,
    contacts: HashMap<i32, (DeviceId, Phase, Tool)>,
}

impl Verifier {
    pub(crate) fn read(&mut self, row: &Row) {
        match row {
            Row::Event(event) => {
                self.at_time(event.device, event.at);
                assert_eq!(self.current.get(&event.device), Some(&event.run), "{row:?}");
                self.event(event);
            }
            Row::Touch(touch) => {
                self.at_time(touch.device, touch.at);
                assert_eq!(self.current.get(&touch.device), Some(&touch.run), "{row:?}");
                self.touch(touch);
            }
            Row::Mark(mark) => self.mark(mark),
            Row::Device(_) => {}
        }
    }

    /// At the end, when every device is closed, nothing is open.
    pub(crate) fn finish(&self) {
        assert!(self.open_strokes.is_empty(), "never released: {:?}", self.open_strokes);
        assert!(self.contacts.is_empty(), "never ended: {:?}", self.contacts);
    }

    fn at_time(&mut self, device: DeviceId, at: BootUs) {
        let last = self.last.entry(device).or_default();
        assert!(at >= *last, "{device:?} went back from {last:?} to {at:?}");
        *last = at;
    }

    fn mark(&mut self, mark: &Mark) {
        assert!(mark.until.is_none_or(|until| until >= mark.at), "{mark:?}");
        let Some(device) = mark.device else { return };
        if matches!(mark.kind, MarkKind::Clock | MarkKind::Plug) {
            self.last.remove(&device);
        }
        self.at_time(device, mark.at);
        if let Some(run) = mark.run {
            assert!(self.runs.insert(run), "{run:?} begins twice");
            self.current.insert(device, run);
        }
    }

    fn event(&mut self, event: &Event) {
        let (code, down, stroke) = match event.what {
            What::Key { code, down, stroke, .. } => (code.unwrap_or(0), down, stroke),
            What::Button { code, down, stroke, .. } => (code, down, stroke),
            What::Motion { dx, dy } => return assert!(dx != 0 || dy != 0),
            What::Scroll { v_120, h_120 } => return assert!(v_120 != 0 || h_120 != 0),
            What::Switch { .. } => return,
        };
        let key = (event.device, code);
        if down {
            assert!(self.used_strokes.insert(stroke), "stroke {stroke} begins twice");
            assert!(!self.open_strokes.values().any(|open| *open == key), "{key:?} is down");
            self.open_strokes.insert(stroke, key);
        } else {
            assert_eq!(self.open_strokes.remove(&stroke), Some(key), "release of {stroke}");
        }
    }

    fn touch(&mut self, touch: &Touch) {
        let before = self.contacts.remove(&touch.contact);
        if let Some((device, ..)) = before {
            assert_eq!(device, touch.device, "contact {} changes device", touch.contact);
        } else {
            assert!(self.used_contacts.insert(touch.contact), "{} begins twice", touch.contact);
        }
        let fits = matches!(
            (before.map(|(_, phase, _)| phase), touch.phase),
            (None, Phase::Down | Phase::Hover)
                | (Some(Phase::Down | Phase::Move), Phase::Move | Phase::Up)
                | (Some(Phase::Hover | Phase::Up), Phase::Hover | Phase::Down | Phase::Leave)
        );
        assert!(fits, "{:?} after {before:?}", touch.phase);
        let finger = matches!(touch.tool, Tool::Finger | Tool::Palm);
        let ends = touch.phase == Phase::Leave || (touch.phase == Phase::Up && finger);
        if !ends {
            self.contacts.insert(touch.contact, (touch.device, touch.phase, touch.tool));
        }
    }
}
