//! evemu text, versions 1.0 to 1.3.
//!
//! ```text
//! # EVEMU 1.3                          the version; without it: 1.0
//! N: name                              begins a device
//! I: bus vendor product version        hexadecimal, as all but A, L, S and the value of E
//! P: 8 bytes of properties             repeated
//! B: type, 8 bytes of codes            repeated
//! A: axis min max fuzz flat resolution the last from 1.2 on
//! L: LED state                         from 1.3 on
//! S: switch state                      from 1.3 on
//! E: second.microsecond type code value
//! ```
//!
//! A comment runs from `#` to the end of the line; a name has none. A recording
//! without a description, as old tools wrote it, is a device of which only
//! what it sends is known. A description after events begins a next device:
//! evemu itself would play its events on the first. The microseconds are a
//! number, not digits after a point: `1.5` is five microseconds, as evemu reads it.
//!
//! Source: evemu's `README.md` and `src/evemu.c`, versions of 2012 to 2018.

use evscribe_model::codes::*;
use evscribe_model::{Bits, BootUs, Device, RawEvent};

use super::Cause;
use super::format::{Said, can_send, empty_device};
use super::text::{self, SHORT, Text, VALUE};

/// Event types there are: `EV_CNT`.
const TYPES: usize = 0x20;

/// Event types, codes and axes as their highest number.
const TYPE_MAX: i64 = TYPES as i64 - 1;
const AXIS_MAX: i64 = 0x3f;

/// Reads lines of evemu text; see the module's table.
pub(super) struct Evemu {
    device: Device,
    axes: Bits<1>,
    /// Minor version: 1 has five numbers an axis, 2 has six.
    minor: i64,
    /// Bytes of properties read.
    property_bytes: u16,
    /// Bytes of codes read, for each event type.
    code_bytes: [u16; TYPES],
    /// The description lacks its `I:` line.
    lacks_id: bool,
    /// Events were read: the description is over.
    has_events: bool,
}

impl Evemu {
    /// A reader; `device` is what is known if the recording describes none.
    pub(super) fn new(device: Device) -> Self {
        Self {
            device,
            axes: Bits::default(),
            minor: 0,
            property_bytes: 0,
            code_bytes: [0; TYPES],
            lacks_id: false,
            has_events: false,
        }
    }

    /// Reads one line.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Said, Cause> {
        if let [b'E', b':', rest @ ..] = line {
            self.end()?;
            self.has_events = true;
            return event(rest).map(Said::Event);
        }
        match line {
            [b'#', rest @ ..] => self.comment(rest)?,
            [b'N', b':', rest @ ..] => {
                self.end()?;
                let before = Box::new(self.take_device());
                *self = Self { minor: self.minor, ..Self::new(empty_device()) };
                self.device.name = text::name(rest.trim_ascii());
                self.lacks_id = true;
                return Ok(Said::NextDevice(before));
            }
            [letter, b':', rest @ ..] => {
                if self.has_events {
                    return Err(Cause::DescribedAlready);
                }
                self.describe(*letter, Text::new(rest), line)?;
            }
            _ => Text::new(line).end()?,
        }
        Ok(Said::Nothing)
    }

    /// Demands that the description is whole.
    pub(super) fn end(&self) -> Result<(), Cause> {
        if self.lacks_id { Err(Cause::Missing("the line I: of the device")) } else { Ok(()) }
    }

    /// The device as described so far.
    pub(super) fn take_device(&mut self) -> Device {
        let mut device = std::mem::replace(&mut self.device, empty_device());
        for code in self.axes.iter() {
            if device.axis(code).is_none() {
                device.axes.extend(text::axis(i64::from(code), [0; 5]));
            }
        }
        device.axes.sort_by_key(|axis| axis.code);
        device
    }

    fn comment(&mut self, comment: &[u8]) -> Result<(), Cause> {
        let Some(version) = comment.trim_ascii_start().strip_prefix(b"EVEMU ") else {
            return Ok(());
        };
        let version = version.trim_ascii();
        let mut parts = version.splitn(2, |byte| *byte == b'.');
        let mut part = || text::integer(parts.next().unwrap_or_default(), 10, "version", SHORT);
        match (part(), part()) {
            (Ok(1), Ok(minor)) => self.minor = minor,
            _ => return Err(Cause::Version(text::quote(version))),
        }
        Ok(())
    }

    fn describe(&mut self, letter: u8, mut rest: Text<'_>, line: &[u8]) -> Result<(), Cause> {
        match letter {
            b'I' => {
                let mut part = |what| rest.hex(what, 0xffff).map(|number| number as u16);
                self.device.bus = part("bus")?;
                self.device.vendor = part("vendor")?;
                self.device.product = part("product")?;
                self.device.version = part("version")?;
                self.lacks_id = false;
            }
            b'P' => {
                for bit in bits(&mut rest, &mut self.property_bytes)? {
                    self.device.props.set(bit, true);
                }
            }
            b'B' => {
                let kind = rest.hex("event type", TYPE_MAX)? as u16;
                if let Some(bytes) = self.code_bytes.get_mut(usize::from(kind)) {
                    for code in bits(&mut rest, bytes)? {
                        self.can_send(kind, code);
                    }
                }
            }
            b'A' => {
                let code = rest.hex("axis", AXIS_MAX)?;
                let mut numbers = [0; 5];
                let names = ["axis minimum", "axis maximum", "axis fuzz", "axis flat"];
                for (number, what) in numbers.iter_mut().zip(names) {
                    *number = rest.decimal(what, VALUE)?;
                }
                if let Some(resolution) = numbers.last_mut()
                    && (self.minor >= 2 || !rest.at_end())
                {
                    *resolution = rest.decimal("axis resolution", VALUE)?;
                }
                self.device.axes.retain(|axis| i64::from(axis.code) != code);
                self.device.axes.push(text::axis(code, numbers)?);
            }
            b'L' | b'S' => {
                rest.hex("LED or switch", 0xff)?;
                rest.decimal("state", VALUE)?;
            }
            _ => return Err(Cause::Unexpected(text::quote(line))),
        }
        rest.end()
    }

    fn can_send(&mut self, kind: u16, code: u16) {
        if kind == EV_ABS {
            self.axes.set(code, true)
        } else {
            can_send(&mut self.device, kind, code)
        }
    }
}

/// Eight bytes of a bitmap, as the numbers of their bits; `read` counts the
/// bytes of the lines before.
fn bits(rest: &mut Text<'_>, read: &mut u16) -> Result<impl Iterator<Item = u16> + use<>, Cause> {
    let mut mask = 0;
    for shift in 0..8 {
        mask |= u64::from(rest.byte("byte of a bitmap")?) << (8 * shift);
    }
    let first = read.saturating_mul(8);
    *read = read.saturating_add(8);
    Ok((0..64).filter(move |bit| mask >> bit & 1 == 1).map(move |bit| first.saturating_add(bit)))
}

/// The event of a line without its `E:`.
pub(super) fn event(line: &[u8]) -> Result<RawEvent, Cause> {
    let mut rest = Text::new(line);
    let time = rest.word();
    let Some(point) = time.iter().position(|byte| *byte == b'.') else {
        return Err(match time {
            [] => Cause::Missing("event time"),
            _ => Cause::NotANumber { what: "event time", text: text::quote(time) },
        });
    };
    let (second, microsecond) = time.split_at_checked(point).unwrap_or_default();
    let at = text::stamp(second, microsecond.get(1..).unwrap_or_default())?;
    let kind = rest.hex("event type", 0xffff)?;
    let code = rest.hex("event code", 0xffff)?;
    let value = rest.decimal("event value", VALUE)?;
    rest.end()?;
    text::event(at, kind, code, value)
}

/// What the events at the head of a recording show of a device that it does
/// not describe: the codes it sent, and for axes the range of its values.
///
/// Reads the whole lines of `head` up to the first that is no event.
pub(super) fn survey(head: &[u8]) -> Device {
    let mut device = empty_device();
    for event in events(head) {
        if event.kind != EV_ABS {
            can_send(&mut device, event.kind, event.code);
        } else if let Some(axis) = device.axes.iter_mut().find(|axis| axis.code == event.code) {
            axis.min = axis.min.min(event.value);
            axis.max = axis.max.max(event.value);
        } else if i64::from(event.code) <= AXIS_MAX {
            let seen = i64::from(event.value);
            device.axes.extend(text::axis(i64::from(event.code), [seen, seen, 0, 0, 0]));
        }
    }
    device.axes.sort_by_key(|axis| axis.code);
    deduce(&mut device);
    device
}

/// Adds the buttons that a device must have, although it did not send them.
///
/// Only so can what it points with be told. Source: `input_mt_init_slots` in
/// `drivers/input/input-mt.c` gives touchpads with slots `BTN_TOOL_FINGER`
/// together with `BTN_TOOL_DOUBLETAP`; without slots, touchscreens send that
/// one too, and nothing is deduced. Absolute axes beside a wheel are a mouse's, for example a virtual machine's.
fn deduce(device: &mut Device) {
    let has_any = |codes: &[u16]| codes.iter().any(|code| device.keys.has(*code));
    let fingers = [BTN_TOOL_DOUBLETAP, BTN_TOOL_TRIPLETAP, BTN_TOOL_QUADTAP, BTN_TOOL_QUINTTAP];
    if device.axis(ABS_MT_SLOT).is_some() && has_any(&fingers) {
        device.keys.set(BTN_TOOL_FINGER, true);
    } else if device.rels.has(REL_WHEEL)
        && device.axis(ABS_X).is_some()
        && device.axis(ABS_Y).is_some()
        && !has_any(&[BTN_TOUCH, BTN_TOOL_PEN, BTN_STYLUS])
    {
        device.keys.set(BTN_LEFT, true);
    }
}

/// The first stamp in `head`.
pub(super) fn first_stamp(head: &[u8]) -> Option<BootUs> {
    let line = head.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"E:"))?;
    event(line.get(2..)?.trim_ascii_end()).ok().map(|event| event.at)
}

fn events(head: &[u8]) -> impl Iterator<Item = RawEvent> {
    head.split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").map(<[u8]>::trim_ascii_end).unwrap_or(b"cut"))
        .filter(|line| !matches!(line, [] | [b'#', ..]))
        .map_while(|line| event(line.strip_prefix(b"E:")?).ok())
}
