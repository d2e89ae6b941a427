//! What `libinput record` writes.
//!
//! ```text
//! # libinput record
//! version: 1
//! ndevices: 2
//! devices:
//! - node: /dev/input/event9
//!   evdev:
//!     name: "name"
//!     id: [bus, vendor, product, version]          decimal, as everything
//!     codes:
//!       type: [code, …] # EV_…
//!     absinfo:
//!       axis: [min, max, fuzz, flat, resolution]
//!     properties: [0, 2]
//!   udev:
//!     properties:
//!     - MOUSE_DPI=1000@125
//!   events:
//!   - evdev:
//!     - [second, microsecond, type, code, value] # comment
//!   - libinput:                                    skipped, as is hid:
//! - node: …                                        the next device, with all its events
//! ```
//!
//! This is read by lines and indentation, not as YAML: the tool does not escape
//! what it quotes, so a device whose name holds a quotation mark makes a file
//! that is no YAML; a YAML scalar has no greatest length; and a line costs a
//! fraction of a YAML event. Keys that are not known are skipped with what is
//! below them, as the manual demands. Where an event is demanded, anything else
//! is an error.
//!
//! Stamps count from the first event or, with several devices, from the start
//! of the recording. Events of before that come out of the tool with a stamp
//! wrapped below zero; they are told as dropped. The tool itself hides what
//! the kernel dropped.
//!
//! Source: libinput-record(1), `tools/libinput-record.c` of libinput 1.10 to 1.22.

use evscribe_model::codes::{EV_ABS, EV_KEY, EV_SYN, SYN_DROPPED, SYN_REPORT};
use evscribe_model::{BootUs, Device, RawEvent};

use super::Cause;
use super::format::{Said, can_send, empty_device};
use super::text::{self, SHORT, Text, VALUE};
use super::yaml::{comma, each, key, list, unquoted};

/// Columns of a list item's `- `.
const DASH: usize = 2;

/// Seconds from here on are negative ones, wrapped: 2⁶³ microseconds.
const SECOND_WRAPS: i64 = i64::MAX / 1_000_000;

/// The last second that can be written: 2⁶⁴ microseconds.
const SECOND_LAST: i64 = (u64::MAX / 1_000_000) as i64;

/// What the lines below a device's key belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Evdev,
    Udev,
    Events,
    Skipped,
}

/// What the lines below a key of `evdev:` belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Codes,
    Axes,
    Other,
}

/// Reads lines of `libinput record`; see the module's example.
pub(super) struct Libinput {
    device: Device,
    /// The header's `ndevices`.
    stated: Option<i64>,
    found: i64,
    has_version: bool,
    has_devices: bool,
    /// Between `devices:` and the next key of the top level.
    in_devices: bool,
    /// Column of a device's keys.
    key_column: Option<usize>,
    section: Section,
    /// Column of the keys of `evdev:`.
    evdev_column: Option<usize>,
    table: Table,
    /// Column of the entries of `events:`.
    entry_column: Option<usize>,
    /// The entry's list is of kernel events.
    takes_events: bool,
    is_described: bool,
    obfuscated: bool,
}

impl Libinput {
    pub(super) fn new() -> Self {
        Self {
            device: empty_device(),
            stated: None,
            found: 0,
            has_version: false,
            has_devices: false,
            in_devices: false,
            key_column: None,
            section: Section::Skipped,
            evdev_column: None,
            table: Table::Other,
            entry_column: None,
            takes_events: false,
            is_described: false,
            obfuscated: false,
        }
    }

    /// Whether an event so far says that its key code was replaced.
    pub(super) fn obfuscated(&self) -> bool {
        self.obfuscated
    }

    /// The device as described so far.
    pub(super) fn take_device(&mut self) -> Device {
        self.device.axes.sort_by_key(|axis| axis.code);
        std::mem::replace(&mut self.device, empty_device())
    }

    /// Demands that the recording is whole.
    pub(super) fn end(&self) -> Result<(), Cause> {
        if !self.has_devices {
            return Err(Cause::Missing("the key devices:"));
        }
        match self.stated {
            Some(stated) if stated > self.found => {
                Err(Cause::DevicesMissing { stated, found: self.found })
            }
            _ => Ok(()),
        }
    }

    /// Reads one line.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Said, Cause> {
        let column = line.iter().position(|byte| *byte != b' ').unwrap_or(line.len());
        let content = line.get(column..).unwrap_or_default();
        if matches!(content, [] | [b'#', ..]) {
            return Ok(Said::Nothing);
        }
        let item = match content {
            [b'-'] => Some(&[][..]),
            [b'-', b' ', rest @ ..] => Some(rest.trim_ascii_start()),
            _ => None,
        };
        if self.in_devices {
            match (item, self.key_column) {
                (Some(item), None) => return self.next_device(column, item),
                (Some(item), Some(key)) if column + DASH == key => {
                    return self.next_device(column, item);
                }
                (None, Some(key)) if column == key => {
                    return self.device_key(content).map(|()| Said::Nothing);
                }
                (_, Some(key)) if column >= key => return self.below(column, item, content),
                _ => {}
            }
        }
        self.top(column, item.is_none(), content).map(|()| Said::Nothing)
    }

    /// A line of the top level, or below one of its keys that is skipped.
    fn top(&mut self, column: usize, is_key: bool, content: &[u8]) -> Result<(), Cause> {
        if (column > 0 || !is_key) && !self.in_devices {
            return Ok(());
        }
        let Some((key, value)) = key(content).filter(|_| column == 0 && is_key) else {
            return Err(Cause::Unexpected(text::quote(content)));
        };
        self.in_devices = false;
        let mut value = Text::new(value);
        match key {
            b"version" => {
                let version = value.word();
                if text::integer(version, 10, "version", SHORT)? != 1 {
                    return Err(Cause::Version(text::quote(version)));
                }
                self.has_version = true;
            }
            b"ndevices" => self.stated = Some(value.decimal("ndevices", VALUE)?),
            b"devices" if !self.has_version => return Err(Cause::Missing("the key version:")),
            b"devices" => {
                value.end()?;
                self.in_devices = true;
                self.has_devices = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// The item of `devices:` that begins at `column` with the key `first`.
    fn next_device(&mut self, column: usize, first: &[u8]) -> Result<Said, Cause> {
        let before = Box::new(self.take_device());
        self.found = self.found.saturating_add(1);
        self.key_column = Some(column + DASH);
        self.evdev_column = None;
        self.entry_column = None;
        self.takes_events = false;
        self.is_described = false;
        self.device_key(first)?;
        Ok(Said::NextDevice(before))
    }

    fn device_key(&mut self, content: &[u8]) -> Result<(), Cause> {
        if self.section == Section::Skipped && content.starts_with(b"]") {
            return Ok(());
        }
        let Some((key, _)) = key(content) else {
            return Err(Cause::Unexpected(text::quote(content)));
        };
        self.section = match key {
            b"evdev" if self.is_described => return Err(Cause::DescribedAlready),
            b"evdev" => {
                self.is_described = true;
                Section::Evdev
            }
            b"events" if !self.is_described => return Err(Cause::Missing("the key evdev:")),
            b"events" => Section::Events,
            b"udev" => Section::Udev,
            _ => Section::Skipped,
        };
        Ok(())
    }

    /// A line below a key of the device.
    fn below(&mut self, column: usize, item: Option<&[u8]>, content: &[u8]) -> Result<Said, Cause> {
        match self.section {
            Section::Events => return self.events(column, item, content),
            Section::Evdev => self.evdev(column, content)?,
            Section::Udev => {
                if let Some(rates) = item.and_then(|item| item.strip_prefix(b"MOUSE_DPI=")) {
                    self.device.dpi = dpi(rates);
                }
            }
            Section::Skipped => {}
        }
        Ok(Said::Nothing)
    }

    fn evdev(&mut self, column: usize, content: &[u8]) -> Result<(), Cause> {
        let Some((key, value)) = key(content) else {
            return Err(Cause::Unexpected(text::quote(content)));
        };
        let mut value = Text::new(value);
        if column > *self.evdev_column.get_or_insert(column) {
            return match self.table {
                Table::Codes => self.codes(key, value),
                Table::Axes => self.axis(key, value),
                Table::Other => Ok(()),
            };
        }
        self.table = Table::Other;
        match key {
            b"name" => self.device.name = text::name(unquoted(value.rest())),
            b"id" => {
                let [bus, vendor, product, version] = list(&mut value, "identity", SHORT)?;
                self.device.bus = bus as u16;
                self.device.vendor = vendor as u16;
                self.device.product = product as u16;
                self.device.version = version as u16;
            }
            b"codes" => self.table = Table::Codes,
            b"absinfo" => self.table = Table::Axes,
            b"properties" => {
                each(&mut value, "property", |prop| self.device.props.set(prop, true))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn codes(&mut self, kind: &[u8], mut codes: Text<'_>) -> Result<(), Cause> {
        let kind = text::integer(kind, 10, "event type", SHORT)? as u16;
        each(&mut codes, "event code", |code| {
            if kind != EV_ABS {
                can_send(&mut self.device, kind, code);
            }
        })
    }

    fn axis(&mut self, code: &[u8], mut numbers: Text<'_>) -> Result<(), Cause> {
        let code = text::integer(code, 10, "axis", (0, 0x3f))?;
        let axis = text::axis(code, list(&mut numbers, "axis range", VALUE)?)?;
        self.device.axes.retain(|other| other.code != axis.code);
        self.device.axes.push(axis);
        Ok(())
    }

    fn events(
        &mut self,
        column: usize,
        item: Option<&[u8]>,
        content: &[u8],
    ) -> Result<Said, Cause> {
        let entry = match (self.entry_column, item) {
            (Some(entry), _) => entry,
            (None, Some(_)) => *self.entry_column.insert(column),
            (None, None) => return Err(Cause::Unexpected(text::quote(content))),
        };
        let begins_list = match item {
            Some(first) if column == entry => Some(first),
            None if column == entry + DASH => Some(content),
            _ => None,
        };
        match (begins_list.and_then(key), item) {
            (Some((name, _)), _) => self.takes_events = name == b"evdev",
            (None, Some(event)) if self.takes_events => return self.event(event),
            (None, None) if self.takes_events => {
                return Err(Cause::Unexpected(text::quote(content)));
            }
            _ => {}
        }
        Ok(Said::Nothing)
    }

    /// An event without its `- `.
    fn event(&mut self, event: &[u8]) -> Result<Said, Cause> {
        let mut rest = Text::new(event);
        if !rest.take(b'[') {
            return Err(Cause::Unexpected(text::quote(event)));
        }
        let second = rest.decimal("event time", (0, SECOND_LAST))?;
        comma(&mut rest)?;
        let microsecond = rest.decimal("event time's microsecond", (0, 999_999))?;
        comma(&mut rest)?;
        let kind = rest.decimal("event type", SHORT)?;
        comma(&mut rest)?;
        let code = rest.decimal("event code", SHORT)?;
        comma(&mut rest)?;
        let value = rest.decimal("event value", VALUE)?;
        if !rest.take(b']') {
            return Err(Cause::Missing("the bracket ] after an event"));
        }
        rest.end()?;
        if second >= SECOND_WRAPS {
            return Ok(Said::Event(from_before_the_start(kind, code)));
        }
        let at = BootUs::new((second * 1_000_000 + microsecond).unsigned_abs());
        let event = text::event(at, kind, code, value)?;
        if event.kind == EV_KEY && !self.obfuscated {
            self.obfuscated = rest.rest().trim_ascii_end().ends_with(b"(obfuscated)");
        }
        Ok(Said::Event(event))
    }
}

/// What stands for an event whose stamp cannot be told: its frame is dropped.
fn from_before_the_start(kind: i64, code: i64) -> RawEvent {
    let ends = (kind, code) == (i64::from(EV_SYN), i64::from(SYN_REPORT));
    let code = if ends { SYN_REPORT } else { SYN_DROPPED };
    RawEvent { at: BootUs::new(0), kind: EV_SYN, code, value: 0 }
}

/// Counts per inch of `MOUSE_DPI`: the marked one, else the first.
///
/// Source: systemd's `70-mouse.hwdb`: `400@125 *800@125 1600@125`.
fn dpi(rates: &[u8]) -> Option<u32> {
    let mut words = rates.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let first = words.clone().next()?;
    let rate = words.find_map(|word| word.strip_prefix(b"*")).unwrap_or(first);
    let number = rate.split(|byte| *byte == b'@').next()?;
    let number = text::integer(number, 10, "MOUSE_DPI", (1, i64::from(u32::MAX))).ok()?;
    u32::try_from(number).ok()
}
