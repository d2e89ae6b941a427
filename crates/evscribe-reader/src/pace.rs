//! How long a device may be left alone after it was drained.
//!
//! A wake-up costs many times what a report costs, so reading several reports at
//! a time is cheap; but the kernel keeps only so many events, and drops them all
//! when one more comes. A device that reports densely may wait a fifth of the
//! time in which its buffer would fill at the highest rate that it ever showed,
//! or that USB lets it have.
//!
//! | the device | may wait |
//! |---|---|
//! | has keys | never: typing is sparse, and a lost key is the worst loss |
//! | showed fewer than 64 reports | not yet |
//! | its last two reports lie further apart than half the wait | not now: a timer would cost more than it saves |
//! | lost events | not until it showed 64 reports more: it may be faster than it was |
//!
//! Not handled: a device that is not on USB and was only ever used slowly, and
//! now reports more than five times as fast as it ever did. Its buffer may
//! overflow once, marked; Bluetooth, I2C and PS/2 are too slow for that.
//!
//! Source: `input_estimate_events_per_packet` in drivers/input/input.c and
//! `evdev_compute_buffer_size` in drivers/input/evdev.c.

use std::time::Duration;

use evscribe_model::codes::{
    ABS_MT_POSITION_X, ABS_MT_SLOT, ABS_MT_TOUCH_MAJOR, ABS_MT_TRACKING_ID,
};
use evscribe_model::{BootUs, Device};

/// Reports that a device must have shown before it waits.
const KNOWN_AFTER: u64 = 64;

/// The highest rate is that of the fullest window of this length: reports that
/// arrive in a bunch, because the machine was busy, do not raise it.
const WINDOW_US: u64 = 16_000;

/// A window that is not over counts by its own rate, once it is this long.
const WINDOW_LEAST_US: u64 = 2_000;

/// The part of the time to a loss that a device may wait.
const SHARE: u64 = 5;

/// The longest wait: what is unread when another person takes the seat is lost.
const LONGEST_US: u64 = 50_000;

/// What epoll can wait.
const UNIT_US: u64 = 1_000;

/// Fewer events than any report that moves a pointer has, `SYN_REPORT` included.
const LEAST_EVENTS: u64 = 3;

/// Measures one device.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Events that the kernel's buffer holds at least; `None` for keyboards.
    buffer: Option<u64>,
    /// The shortest time between reports that its bus allows.
    interval_us: Option<u64>,
    frames: u64,
    events: u64,
    last_us: u64,
    /// Between the last two reports.
    last_gap_us: u64,
    window_from_us: u64,
    window_events: u64,
    /// Events of the fullest window.
    most_events: u64,
}

impl Pace {
    /// `interval_us` is how often its bus asks the device, where that is known.
    pub(crate) fn new(device: &Device, interval_us: Option<u32>) -> Self {
        Self {
            buffer: (!device.has_keys()).then(|| buffer_events(device)),
            interval_us: interval_us.map(u64::from),
            frames: 0,
            events: 0,
            last_us: 0,
            last_gap_us: u64::MAX,
            window_from_us: 0,
            window_events: 0,
            most_events: 0,
        }
    }

    /// A report came, of so many events without its `SYN_REPORT`.
    pub(crate) fn frame(&mut self, at: BootUs, events: usize) {
        if self.buffer.is_none() {
            return;
        }
        let (at_us, events) = (at.get(), events as u64 + 1);
        self.last_gap_us = at_us.saturating_sub(self.last_us);
        self.last_us = at_us;
        self.frames += 1;
        self.events += events;
        if at_us.saturating_sub(self.window_from_us) >= WINDOW_US {
            (self.window_from_us, self.window_events) = (at_us, 0);
        }
        self.window_events += events;
        self.most_events = self.most_events.max(self.window_events);
    }

    /// The kernel's buffer overflowed.
    pub(crate) fn dropped(&mut self) {
        // Its highest rate stays. More caution would be wrong where the machine is
        // busy, which is what most losses come from: it means more wake-ups.
        (self.frames, self.events, self.last_gap_us) = (0, 0, u64::MAX);
    }

    /// How long the device may be left alone now, whole milliseconds; `None`
    /// where it must be waited on.
    pub(crate) fn absence(&self) -> Option<Duration> {
        let buffer = self.buffer?;
        if self.frames < KNOWN_AFTER {
            return None;
        }
        let by_most = (WINDOW_US * buffer).checked_div(self.most_events)?;
        let window_us = self.last_us.saturating_sub(self.window_from_us).max(WINDOW_LEAST_US);
        // The first report stands at the window's beginning.
        let since_first = self.window_events.saturating_sub(LEAST_EVENTS).max(1);
        let by_window = (window_us * buffer).checked_div(since_first)?;
        let by_rate = by_most.min(by_window);
        let report = self.events.checked_div(self.frames)?.max(LEAST_EVENTS);
        let by_bus = self.interval_us.map_or(u64::MAX, |interval| interval * buffer / report);
        let us = (by_rate.min(by_bus) / SHARE).min(LONGEST_US);
        let us = (us + UNIT_US / 2) / UNIT_US * UNIT_US;
        (self.last_gap_us <= us / 2).then(|| Duration::from_micros(us))
    }
}

/// How many events the kernel keeps for a reader of this device, at least.
fn buffer_events(device: &Device) -> u64 {
    const PACKETS: u64 = 8;
    const LEAST: u64 = 64;
    /// Room that the kernel makes for keys and scan codes.
    const KEYS_AND_MISC: u64 = 7;
    let slots = device.axis(ABS_MT_SLOT).map(|axis| i64::from(axis.max) + 1);
    let tracked = || {
        let axis = device.axis(ABS_MT_TRACKING_ID)?;
        Some((i64::from(axis.max) - i64::from(axis.min) + 1).clamp(2, 32))
    };
    let plain = || device.axis(ABS_MT_POSITION_X).map(|_| 2);
    let contacts = slots.or_else(tracked).or_else(plain).unwrap_or(0);
    let contacts = u64::try_from(contacts).unwrap_or(0).min(1_024);
    let axes: u64 = device
        .axes
        .iter()
        .map(|axis| match axis.code {
            ABS_MT_SLOT | ABS_MT_TOUCH_MAJOR.. => contacts,
            _ => 1,
        })
        .sum();
    let packet = contacts + 1 + axes + device.rels.iter().count() as u64 + KEYS_AND_MISC;
    (packet * PACKETS).max(LEAST).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;
    use evscribe_model::codes::{BTN_LEFT, REL_WHEEL, REL_X, REL_Y};
    use evscribe_model::{Axis, DeviceId};

    fn mouse() -> Device {
        let mut device = Device::empty(DeviceId(1));
        for code in [REL_X, REL_Y, 6, REL_WHEEL, 11, 12] {
            device.rels.set(code, true);
        }
        device.keys.set(BTN_LEFT, true);
        device
    }

    /// Reports of two values, at these gaps.
    fn moved(pace: &mut Pace, from_us: u64, gaps_us: impl IntoIterator<Item = u64>) -> u64 {
        let mut at_us = from_us;
        for gap_us in gaps_us {
            at_us += gap_us;
            pace.frame(BootUs::new(at_us), 2);
        }
        at_us
    }

    fn waits_ms(gap_us: u64, interval_us: Option<u32>) -> Option<u128> {
        let mut pace = Pace::new(&mouse(), interval_us);
        moved(&mut pace, 1_000_000, std::iter::repeat_n(gap_us, 1_000));
        pace.absence().map(|absence| absence.as_millis())
    }

    #[test]
    fn a_mouse_waits_a_fifth_of_the_time_to_its_loss() {
        // 128 events of three a report are 42 reports.
        assert_eq!(waits_ms(1_000, None), Some(9));
        assert_eq!(waits_ms(125, None), Some(1));
        assert_eq!(waits_ms(8_000, None), Some(50));
    }

    #[test]
    fn a_slow_hand_on_a_fast_mouse_waits_by_what_its_bus_allows() {
        assert_eq!(waits_ms(4_000, Some(1_000)), Some(9));
        // Too sparse for the wait that is left.
        assert_eq!(waits_ms(4_000, Some(125)), None);
    }

    #[test]
    fn a_device_that_is_hardly_known_does_not_wait() {
        let mut pace = Pace::new(&mouse(), None);
        moved(&mut pace, 0, [1_000; 63]);
        assert_eq!(pace.absence(), None);
    }

    #[test]
    fn a_keyboard_never_waits() {
        let mut device = mouse();
        device.keys.set(30, true);
        let mut pace = Pace::new(&device, Some(1_000));
        moved(&mut pace, 0, [1_000; 200]);
        assert_eq!(pace.absence(), None);
    }

    #[test]
    fn a_device_that_rests_now_and_then_does_not_wait_then() {
        let mut pace = Pace::new(&mouse(), None);
        let at_us = moved(&mut pace, 0, [1_000; 100]);
        let at_us = moved(&mut pace, at_us, [300_000]);
        assert_eq!(pace.absence(), None);
        moved(&mut pace, at_us, [1_000]);
        assert!(pace.absence().is_some());
    }

    #[test]
    fn a_bunch_of_late_reports_changes_little() {
        let mut pace = Pace::new(&mouse(), None);
        let at_us = moved(&mut pace, 0, [1_000; 100]);
        let at_us = moved(&mut pace, at_us, [3_970, 10, 10, 10]);
        moved(&mut pace, at_us, [1_000; 4]);
        assert!(pace.absence() >= Some(Duration::from_millis(7)));
    }

    #[test]
    fn a_flood_counts_before_its_first_window_is_over() {
        let mut pace = Pace::new(&mouse(), None);
        moved(&mut pace, 1_000_000, [25; 64]);
        assert_eq!(pace.absence(), None);
    }

    #[test]
    fn after_a_loss_it_is_measured_anew_and_never_taken_for_slower() {
        let mut pace = Pace::new(&mouse(), None);
        let at_us = moved(&mut pace, 0, [1_000; 100]);
        pace.dropped();
        let at_us = moved(&mut pace, at_us, [125; 63]);
        assert_eq!(pace.absence(), None);
        let at_us = moved(&mut pace, at_us, [125; 200]);
        assert_eq!(pace.absence(), Some(Duration::from_millis(1)));
        pace.dropped();
        moved(&mut pace, at_us, [400; 64]);
        assert_eq!(pace.absence(), Some(Duration::from_millis(1)));
    }

    #[test]
    fn the_buffer_of_a_touchpad_grows_with_its_slots() {
        let axis = |code, max| Axis { code, min: 0, max, fuzz: 0, flat: 0, resolution: 0 };
        let mut device = Device::empty(DeviceId(1));
        device.axes = vec![axis(0, 9), axis(1, 9), axis(ABS_MT_SLOT, 4), axis(0x35, 9)];
        device.axes.extend([axis(0x36, 9), axis(0x39, 9)]);
        // 5 + 1 for the ends, 2 + 4 × 5 for the axes, 7 for keys: 35 × 8 = 280.
        assert_eq!(buffer_events(&device), 512);
    }
}
