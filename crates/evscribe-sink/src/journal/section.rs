//! Rows of one table as bytes, each told by its difference to the one before.
//!
//! ```text
//! events   flags at [run device] what       flags: kind | same run and device | down | inferred | code | class
//!   motion   dx dy                          scroll: v_120 h_120
//!   button   code stroke                    switch: code
//!   key      [code] [class:u8] stroke
//! touch    flags tool:u8 at [run device] contact [x] [y] [x_um] [y_um] [pressure]
//! marks    flags kind:u8 at [until] [run] [device] [lost] length reason[length]
//! devices  length json[length]
//! ```
//! `at` is unsigned, the boot time in µs less that of the row before; `run`,
//! `device`, `stroke`, `contact` and the places of touches are signed
//! differences too, all others are themselves. A section begins with zeros.

use evscribe_model::{
    BootUs, DeviceId, Event, KeyClass, Mark, MarkKind, Phase, Run, Tool, Touch, What,
};

use super::bytes::{Cursor, Scratch};
use crate::encode::{DeviceCells, MarkCells};

/// Longest event: flags, three numbers of 64 bits, four of 32.
const EVENT_BYTES: usize = 64;
/// Longest touch row: two flags, two numbers of 64 bits, eight of 32.
const TOUCH_BYTES: usize = 96;
/// Longest mark but for its reason.
const MARK_BYTES: usize = 72;

const KIND: u8 = 0b111;
const SAME: u8 = 1 << 3;
const DOWN: u8 = 1 << 4;
const INFERRED: u8 = 1 << 5;
const CODE: u8 = 1 << 6;
const CLASS: u8 = 1 << 7;

const MOTION: u8 = 0;
const BUTTON: u8 = 1;
const KEY: u8 = 2;
const SCROLL: u8 = 3;
const SWITCH: u8 = 4;

/// Motion of the run and device of the row before.
const STILL: u8 = MOTION | SAME;

/// The row before, as far as the next one refers to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    at_us: u64,
    run: i32,
    device: i16,
    /// Stroke or contact.
    number: i32,
    /// x, y, x_um, y_um, pressure.
    places: [i32; 5],
}

const fn flag(set: bool, flag: u8) -> u8 {
    if set { flag } else { 0 }
}

impl Last {
    fn put_at<const N: usize>(&mut self, at: BootUs, to: &mut Scratch<N>) {
        to.number(at.get().wrapping_sub(self.at_us));
        self.at_us = at.get();
    }

    fn take_at(&mut self, from: &mut Cursor<'_>) -> Option<BootUs> {
        self.at_us = self.at_us.wrapping_add(from.number()?);
        Some(BootUs::new(self.at_us))
    }

    /// Run and device, where they are not those of the row before.
    fn put_run<const N: usize>(&mut self, run: Run, device: DeviceId, to: &mut Scratch<N>) {
        if (run.0, device.0) != (self.run, self.device) {
            to.signed(i64::from(run.0) - i64::from(self.run));
            to.signed(i64::from(device.0) - i64::from(self.device));
            (self.run, self.device) = (run.0, device.0);
        }
    }

    fn take_run(&mut self, same: bool, from: &mut Cursor<'_>) -> Option<(Run, DeviceId)> {
        if !same {
            self.run = plus(self.run, from)?;
            let device = i64::from(self.device).checked_add(from.signed()?)?;
            self.device = i16::try_from(device).ok()?;
        }
        Some((Run(self.run), DeviceId(self.device)))
    }

    fn put_number<const N: usize>(&mut self, number: i32, to: &mut Scratch<N>) {
        to.signed(i64::from(number) - i64::from(self.number));
        self.number = number;
    }

    fn take_number(&mut self, from: &mut Cursor<'_>) -> Option<i32> {
        self.number = plus(self.number, from)?;
        Some(self.number)
    }

    pub(super) fn put_event(&mut self, row: &Event, to: &mut Vec<u8>) {
        if !self.put_small_motion(row, to) {
            self.put_any_event(row, to);
        }
    }

    /// Nearly all rows are small motion of the same mouse at most 16 ms later: the
    /// same bytes, put together at once. False where it is not so.
    fn put_small_motion(&mut self, row: &Event, to: &mut Vec<u8>) -> bool {
        let What::Motion { dx, dy } = row.what else { return false };
        let same = (row.run.0, row.device.0) == (self.run, self.device);
        let since_us = row.at.get().wrapping_sub(self.at_us);
        let ([x @ ..0x80, 0, 0, 0], [y @ ..0x80, 0, 0, 0], [low, high @ ..0x40, 0, 0, 0, 0, 0, 0]) =
            (zigzag(dx).to_le_bytes(), zigzag(dy).to_le_bytes(), since_us.to_le_bytes())
        else {
            return false;
        };
        if !same {
            return false;
        }
        if since_us < 0x80 {
            to.extend_from_slice(&[STILL, low, x, y]);
        } else {
            to.extend_from_slice(&[STILL, low | 0x80, high << 1 | low >> 7, x, y]);
        }
        self.at_us = row.at.get();
        true
    }

    fn put_any_event(&mut self, row: &Event, to: &mut Vec<u8>) {
        let mut bytes = Scratch::<EVENT_BYTES>::new();
        let same = flag((row.run.0, row.device.0) == (self.run, self.device), SAME);
        let state = |down, inferred| flag(down, DOWN) | flag(inferred, INFERRED);
        bytes.byte(match row.what {
            What::Motion { .. } => MOTION | same,
            What::Scroll { .. } => SCROLL | same,
            What::Button { down, inferred, .. } => BUTTON | same | state(down, inferred),
            What::Key { code, class, down, inferred, .. } => {
                let said = flag(code.is_some(), CODE) | flag(class.is_some(), CLASS);
                KEY | same | state(down, inferred) | said
            }
            What::Switch { down, inferred, .. } => SWITCH | same | state(down, inferred),
        });
        self.put_at(row.at, &mut bytes);
        self.put_run(row.run, row.device, &mut bytes);
        match row.what {
            What::Motion { dx: one, dy: other } | What::Scroll { v_120: one, h_120: other } => {
                bytes.signed(one.into());
                bytes.signed(other.into());
            }
            What::Button { code, stroke, .. } => {
                bytes.number(code.into());
                self.put_number(stroke, &mut bytes);
            }
            What::Key { code, class, stroke, .. } => {
                if let Some(code) = code {
                    bytes.number(code.into());
                }
                if let Some(class) = class {
                    bytes.byte(class as u8);
                }
                self.put_number(stroke, &mut bytes);
            }
            What::Switch { code, .. } => bytes.number(code.into()),
        }
        to.extend_from_slice(bytes.as_slice());
    }

    pub(super) fn take_event(&mut self, from: &mut Cursor<'_>) -> Option<Event> {
        // As put by `put_small_motion`.
        let (since_us, x, y) = match *from.0 {
            [STILL, low @ ..0x80, x @ ..0x80, y @ ..0x80, ref rest @ ..] => {
                from.0 = rest;
                (u64::from(low), x, y)
            }
            [STILL, low, high @ ..0x80, x @ ..0x80, y @ ..0x80, ref rest @ ..] => {
                from.0 = rest;
                (u64::from(low & 0x7f) | u64::from(high) << 7, x, y)
            }
            _ => return self.take_any_event(from),
        };
        self.at_us = self.at_us.wrapping_add(since_us);
        let number = |byte: u8| i32::from(byte >> 1) ^ -i32::from(byte & 1);
        Some(Event {
            at: BootUs::new(self.at_us),
            run: Run(self.run),
            device: DeviceId(self.device),
            what: What::Motion { dx: number(x), dy: number(y) },
        })
    }

    fn take_any_event(&mut self, from: &mut Cursor<'_>) -> Option<Event> {
        let flags = from.byte()?;
        let has = |flag| flags & flag != 0;
        let (down, inferred) = (has(DOWN), has(INFERRED));
        let at = self.take_at(from)?;
        let (run, device) = self.take_run(has(SAME), from)?;
        let what = match flags & KIND {
            MOTION => What::Motion { dx: int32(from)?, dy: int32(from)? },
            SCROLL => What::Scroll { v_120: int32(from)?, h_120: int32(from)? },
            BUTTON => {
                let code = code(from)?;
                What::Button { code, down, stroke: self.take_number(from)?, inferred }
            }
            KEY => {
                let code = if has(CODE) { Some(code(from)?) } else { None };
                let class = if has(CLASS) { Some(one_of(&KeyClass::ALL, from)?) } else { None };
                What::Key { code, class, down, stroke: self.take_number(from)?, inferred }
            }
            SWITCH => What::Switch { code: code(from)?, down, inferred },
            _ => return None,
        };
        Some(Event { at, run, device, what })
    }

    pub(super) fn put_touch(&mut self, row: &Touch, to: &mut Vec<u8>) {
        let mut bytes = Scratch::<TOUCH_BYTES>::new();
        let places = [row.x, row.y, row.x_um, row.y_um, row.pressure];
        let same = (row.run.0, row.device.0) == (self.run, self.device);
        bytes.byte(row.phase as u8 | flag(same, SAME) | flag(row.inferred, INFERRED));
        let said = (0_u8..).zip(places).map(|(n, place)| flag(place.is_some(), 1 << n));
        bytes.byte(said.fold(0, |all, one| all | one));
        bytes.byte(row.tool as u8);
        self.put_at(row.at, &mut bytes);
        self.put_run(row.run, row.device, &mut bytes);
        self.put_number(row.contact, &mut bytes);
        for (last, place) in self.places.iter_mut().zip(places) {
            if let Some(place) = place {
                bytes.signed(i64::from(place) - i64::from(*last));
                *last = place;
            }
        }
        to.extend_from_slice(bytes.as_slice());
    }

    pub(super) fn take_touch(&mut self, from: &mut Cursor<'_>) -> Option<Touch> {
        let (flags, said) = (from.byte()?, from.byte()?);
        let phase = *Phase::ALL.get(usize::from(flags & KIND))?;
        let tool = one_of(&Tool::ALL, from)?;
        let at = self.take_at(from)?;
        let (run, device) = self.take_run(flags & SAME != 0, from)?;
        let contact = self.take_number(from)?;
        let mut places = [None; 5];
        for (n, (last, place)) in self.places.iter_mut().zip(&mut places).enumerate() {
            if said & (1 << n) != 0 {
                *last = plus(*last, from)?;
                *place = Some(*last);
            }
        }
        let [x, y, x_um, y_um, pressure] = places;
        let inferred = flags & INFERRED != 0;
        Some(Touch { at, run, device, contact, phase, x, y, x_um, y_um, pressure, tool, inferred })
    }

    pub(super) fn put_mark(&mut self, row: &Mark, to: &mut Vec<u8>) {
        let mut bytes = Scratch::<MARK_BYTES>::new();
        let said = [row.until.is_some(), row.run.is_some(), row.device.is_some()];
        let said = (0_u8..).zip(said).fold(0, |all, (n, is)| all | flag(is, 1 << n));
        bytes.byte(said | flag(row.lost.is_some(), 1 << 3));
        bytes.byte(row.kind as u8);
        self.put_at(row.at, &mut bytes);
        if let Some(until) = row.until {
            bytes.number(until.get());
        }
        if let Some(run) = row.run {
            bytes.signed(run.0.into());
        }
        if let Some(device) = row.device {
            bytes.signed(device.0.into());
        }
        if let Some(lost) = row.lost {
            bytes.number(lost);
        }
        bytes.number(row.reason.len() as u64);
        to.extend_from_slice(bytes.as_slice());
        to.extend_from_slice(row.reason.as_bytes());
    }

    pub(super) fn take_mark(&mut self, from: &mut Cursor<'_>) -> Option<MarkCells> {
        let (said, kind) = (from.byte()?, one_of(&MarkKind::ALL, from)?);
        let has = |n: u8| said & (1 << n) != 0;
        let at = self.take_at(from)?;
        let until = if has(0) { Some(BootUs::new(from.number()?)) } else { None };
        let run = if has(1) { Some(Run(int32(from)?)) } else { None };
        let device =
            if has(2) { Some(DeviceId(i16::try_from(from.signed()?).ok()?)) } else { None };
        let lost = if has(3) { Some(from.number()?) } else { None };
        let length = usize::try_from(from.number()?).ok()?;
        let reason = std::str::from_utf8(from.take(length)?).ok()?.to_owned().into();
        Some(MarkCells { at, until, run, device, kind, reason, lost })
    }

    pub(super) fn put_device(row: &DeviceCells, to: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let json = serde_json::to_vec(row)?;
        let mut bytes = Scratch::<10>::new();
        bytes.number(json.len() as u64);
        to.extend_from_slice(bytes.as_slice());
        to.extend_from_slice(&json);
        Ok(())
    }

    pub(super) fn take_device(from: &mut Cursor<'_>) -> Option<DeviceCells> {
        let length = usize::try_from(from.number()?).ok()?;
        serde_json::from_slice(from.take(length)?).ok()
    }
}

const fn zigzag(number: i32) -> u32 {
    ((number << 1) ^ (number >> 31)).cast_unsigned()
}

fn plus(last: i32, from: &mut Cursor<'_>) -> Option<i32> {
    i32::try_from(i64::from(last).checked_add(from.signed()?)?).ok()
}

#[inline]
fn int32(from: &mut Cursor<'_>) -> Option<i32> {
    i32::try_from(from.signed()?).ok()
}

fn code(from: &mut Cursor<'_>) -> Option<u16> {
    u16::try_from(from.number()?).ok()
}

fn one_of<T: Copy>(all: &[T], from: &mut Cursor<'_>) -> Option<T> {
    all.get(usize::from(from.byte()?)).copied()
}
