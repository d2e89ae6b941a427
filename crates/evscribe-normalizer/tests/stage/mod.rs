//! Devices to try things on, and rows as short text.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod arbitrary;
pub(crate) mod devices;
pub(crate) mod verifier;

use evscribe_model::*;
use evscribe_normalizer::{Counters, Normalizer};

/// Type, code, value.
pub(crate) type Ev = (u16, u16, i32);

/// A normaliser with one device open.
pub(crate) struct Stage {
    pub(crate) normalizer: Normalizer,
    pub(crate) device: DeviceId,
}

impl Stage {
    /// Opens the device at 0, with nothing known of its state.
    pub(crate) fn open(device: &Device) -> Self {
        Self::open_holding(device, None)
    }

    pub(crate) fn open_holding(device: &Device, state: Option<&DeviceState>) -> Self {
        let mut stage =
            Self { normalizer: Normalizer::new(Counters::default()), device: device.id };
        let said = stage.feed(&Input::Open { at: BootUs::new(0), device, state });
        assert_eq!(said, ["plug opened 0 run 1"]);
        stage
    }

    pub(crate) fn feed(&mut self, input: &Input<'_>) -> Vec<String> {
        let mut out = Vec::new();
        self.normalizer.feed(input, &mut out);
        out.iter().map(say).collect()
    }

    pub(crate) fn frame(&mut self, at: u64, events: &[Ev]) -> Vec<String> {
        let events = raw(at, events);
        let (device, at) = (self.device, BootUs::new(at));
        self.feed(&Input::Frame(Frame { device, at, events: &events }))
    }

    pub(crate) fn dropped(
        &mut self,
        since: u64,
        until: u64,
        state: Option<&DeviceState>,
    ) -> Vec<String> {
        let (since, until) = (BootUs::new(since), BootUs::new(until));
        self.feed(&Input::Dropped { device: self.device, since, until, state })
    }

    pub(crate) fn gone(&mut self, at: u64) -> Vec<String> {
        self.feed(&Input::Gone { at: BootUs::new(at), device: self.device })
    }
}

pub(crate) fn raw(at: u64, events: &[Ev]) -> Vec<RawEvent> {
    let at = BootUs::new(at);
    events.iter().map(|&(kind, code, value)| RawEvent { at, kind, code, value }).collect()
}

/// What is held: keys down, slots as `(tracking id, x, y)`, axes.
pub(crate) fn holding(keys: &[u16], slots: &[(i32, i32, i32)], axes: &[(u16, i32)]) -> DeviceState {
    let mut state = DeviceState::default();
    for &key in keys {
        state.keys.set(key, true);
    }
    for &(tracking_id, x, y) in slots {
        state.slots.push(Slot { tracking_id, x, y, pressure: None, tool_type: None });
    }
    state.axes = axes.to_vec();
    state
}

/// A row in a few words; times only of marks.
pub(crate) fn say(row: &Row) -> String {
    match row {
        Row::Event(event) => say_what(&event.what),
        Row::Touch(touch) => {
            let n = |value: Option<i32>| value.map_or("?".into(), |value| value.to_string());
            let mut said = format!(
                "{} {} {} {},{}",
                touch.tool.name(),
                touch.contact,
                touch.phase.name(),
                n(touch.x),
                n(touch.y)
            );
            if let Some(pressure) = touch.pressure {
                said += &format!(" p{pressure}");
            }
            if touch.x_um.is_some() || touch.y_um.is_some() {
                said += &format!(" um {},{}", n(touch.x_um), n(touch.y_um));
            }
            said + inferred(touch.inferred)
        }
        Row::Mark(mark) => {
            let mut said = format!("{} {} {}", mark.kind.name(), mark.reason, mark.at.get());
            if let Some(until) = mark.until {
                said += &format!("..{}", until.get());
            }
            if let Some(Run(run)) = mark.run {
                said += &format!(" run {run}");
            }
            if let Some(lost) = mark.lost {
                said += &format!(" lost {lost}");
            }
            said
        }
        Row::Device(_) => "device".into(),
    }
}

fn say_what(what: &What) -> String {
    let dir = |down: bool| if down { "down" } else { "up" };
    match *what {
        What::Motion { dx, dy } => format!("motion {dx},{dy}"),
        What::Scroll { v_120, h_120 } => format!("scroll {v_120},{h_120}"),
        What::Button { code, down, stroke, inferred: i } => {
            format!("button {code:x} {} {stroke}{}", dir(down), inferred(i))
        }
        What::Key { code, class, down, stroke, inferred: i } => {
            let class = class.map_or("-", KeyClass::name);
            let code = code.map_or("-".into(), |code| code.to_string());
            format!("key {code} {class} {} {stroke}{}", dir(down), inferred(i))
        }
        What::Switch { code, down, inferred: i } => {
            format!("switch {code} {}{}", if down { "on" } else { "off" }, inferred(i))
        }
    }
}

fn inferred(inferred: bool) -> &'static str {
    if inferred { " inferred" } else { "" }
}
