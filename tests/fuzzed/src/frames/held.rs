//! What rows must say of keys and motion, worked out a second way.

use std::collections::HashMap;

use evscribe_model::codes::*;
use evscribe_model::{DeviceState, RawEvent, Row, What};

/// The keys and buttons that are down on one device, with their strokes.
///
/// Of those from `BTN_TOOL_PEN` on, whether they are rows depends on what the
/// device points with; they are left to the other rules.
#[derive(Debug, Default)]
pub(super) struct Held(HashMap<u16, i32>);

impl Held {
    /// A frame made these rows: each press and release in it is one, with the
    /// stroke of its press, and all motion is in one.
    pub(super) fn frame(&mut self, events: &[RawEvent], rows: &[Row]) {
        let mut told = rows.iter().filter_map(stroke);
        for event in events.iter().filter(|event| event.kind == EV_KEY && event.value != 2) {
            if event.code >= BTN_TOOL_PEN {
                continue;
            }
            if let Some(number) = self.0.remove(&event.code) {
                assert_eq!(told.next(), Some((event.code, false, number)), "{events:?}");
            }
            if event.value != 0 {
                let Some((code, true, number)) = told.next() else {
                    panic!("no press: {events:?}")
                };
                assert_eq!(code, event.code);
                self.0.insert(code, number);
            }
        }
        assert_eq!(told.next(), None, "{events:?}");
        let sum = |code| {
            let moves = events.iter().filter(|event| event.kind == EV_REL && event.code == code);
            moves.fold(0i32, |sum, event| sum.saturating_add(event.value))
        };
        let expected = (sum(REL_X), sum(REL_Y));
        let moved = rows.iter().filter_map(|row| match row {
            Row::Event(event) => match event.what {
                What::Motion { dx, dy } => Some((dx, dy)),
                _ => None,
            },
            _ => None,
        });
        let expected: Vec<_> = (expected != (0, 0)).then_some(expected).into_iter().collect();
        assert_eq!(moved.collect::<Vec<_>>(), expected, "{events:?}");
    }

    /// After a loss: nothing is down that the kernel holds to be up.
    pub(super) fn dropped(&mut self, state: Option<&DeviceState>, rows: &[Row]) {
        for (code, down, number) in rows.iter().filter_map(stroke) {
            if down {
                assert_eq!(self.0.insert(code, number), None);
            } else {
                assert_eq!(self.0.remove(&code), Some(number));
            }
        }
        for code in self.0.keys() {
            assert!(state.is_some_and(|state| state.keys.has(*code)), "{code} stays down");
        }
    }
}

fn stroke(row: &Row) -> Option<(u16, bool, i32)> {
    let Row::Event(event) = row else { return None };
    let (code, down, stroke) = match event.what {
        What::Key { code, down, stroke, .. } => (code?, down, stroke),
        What::Button { code, down, stroke, .. } => (code, down, stroke),
        What::Motion { .. } | What::Scroll { .. } | What::Switch { .. } => return None,
    };
    (code < BTN_TOOL_PEN).then_some((code, down, stroke))
}
