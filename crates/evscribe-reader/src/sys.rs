//! The evdev ioctls: the one file of evscribe with `unsafe`.
//!
//! Source: `linux/input.h`, `Documentation/input/`. Each function is a safe face
//! of one ioctl that reads or writes memory it was handed, and nothing else.
#![allow(unsafe_code, reason = "ioctl(2) has no safe form; this file is the only place")]

use std::os::fd::{AsRawFd, BorrowedFd};

use evscribe_model::Bits;
use evscribe_model::codes::{ABS_CNT, EV_ABS, EV_KEY, EV_MSC, EV_REL, EV_SW};
use nix::libc::{c_int, clockid_t, input_absinfo, input_id};
use nix::{Result, ioctl_read, ioctl_read_buf, ioctl_write_ptr};
use zeroize::Zeroize;

const GROUP: u8 = b'E';

ioctl_read!(eviocgid, GROUP, 0x02, input_id);
ioctl_read_buf!(eviocgname, GROUP, 0x06, u8);
ioctl_read_buf!(eviocgphys, GROUP, 0x07, u8);
ioctl_read_buf!(eviocguniq, GROUP, 0x08, u8);
ioctl_read_buf!(eviocgprop, GROUP, 0x09, u8);
ioctl_read_buf!(eviocgmtslots, GROUP, 0x0a, i32);
ioctl_read_buf!(eviocgkey, GROUP, 0x18, u8);
ioctl_read_buf!(eviocgsw, GROUP, 0x1b, u8);
ioctl_read_buf!(eviocgbit_key, GROUP, 0x20 + EV_KEY, u8);
ioctl_read_buf!(eviocgbit_rel, GROUP, 0x20 + EV_REL, u8);
ioctl_read_buf!(eviocgbit_abs, GROUP, 0x20 + EV_ABS, u8);
ioctl_read_buf!(eviocgbit_msc, GROUP, 0x20 + EV_MSC, u8);
ioctl_read_buf!(eviocgbit_sw, GROUP, 0x20 + EV_SW, u8);
ioctl_write_ptr!(eviocsmask, GROUP, 0x93, InputMask);
ioctl_write_ptr!(eviocsclockid, GROUP, 0xa0, c_int);

/// `struct input_mask`: which codes of a type the kernel hands to this client.
#[repr(C)]
pub(crate) struct InputMask {
    kind: u32,
    codes_size: u32,
    codes_ptr: u64,
}

/// Bus, vendor, product and version.
pub(crate) fn id(fd: BorrowedFd<'_>) -> Result<input_id> {
    let mut id = input_id { bustype: 0, vendor: 0, product: 0, version: 0 };
    // SAFETY: `id` is a whole `struct input_id` and outlives the call.
    unsafe { eviocgid(fd.as_raw_fd(), &raw mut id) }?;
    Ok(id)
}

/// Which string of a device.
#[derive(Clone, Copy)]
pub(crate) enum Text {
    Name,
    Phys,
    Uniq,
}

/// A string of the device; empty where it has none. Cut at 255 bytes, made
/// valid UTF-8: a device may call itself anything.
pub(crate) fn text(fd: BorrowedFd<'_>, which: Text) -> String {
    let mut bytes = [0_u8; 256];
    let raw = fd.as_raw_fd();
    // SAFETY: the macro passes the slice's own length; the kernel writes no more.
    let outcome = unsafe {
        match which {
            Text::Name => eviocgname(raw, &mut bytes),
            Text::Phys => eviocgphys(raw, &mut bytes),
            Text::Uniq => eviocguniq(raw, &mut bytes),
        }
    };
    if outcome.is_err() {
        return String::new();
    }
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Which bitmap of a device.
#[derive(Clone, Copy)]
pub(crate) enum Map {
    Props,
    Keys,
    Rels,
    Axes,
    Mscs,
    Switches,
    /// Keys that are down. Flushes queued `EV_KEY` events of this client.
    KeysDown,
    /// Switches that are on. Flushes queued `EV_SW` events of this client.
    SwitchesOn,
}

/// A bitmap of the device; empty where it has none.
pub(crate) fn map<const W: usize>(fd: BorrowedFd<'_>, which: Map) -> Result<Bits<W>> {
    let mut bytes = [0_u8; 96];
    let raw = fd.as_raw_fd();
    // SAFETY: the macro passes the slice's own length; the kernel writes no more.
    unsafe {
        match which {
            Map::Props => eviocgprop(raw, &mut bytes),
            Map::Keys => eviocgbit_key(raw, &mut bytes),
            Map::Rels => eviocgbit_rel(raw, &mut bytes),
            Map::Axes => eviocgbit_abs(raw, &mut bytes),
            Map::Mscs => eviocgbit_msc(raw, &mut bytes),
            Map::Switches => eviocgbit_sw(raw, &mut bytes),
            Map::KeysDown => eviocgkey(raw, &mut bytes),
            Map::SwitchesOn => eviocgsw(raw, &mut bytes),
        }
    }?;
    let bits = Bits::from_bytes(&bytes);
    // Which keys are down is not for whoever finds this stack.
    bytes.zeroize();
    Ok(bits)
}

/// An absolute axis: its description and its value now.
pub(crate) fn axis(fd: BorrowedFd<'_>, code: u16) -> Result<input_absinfo> {
    if code >= ABS_CNT {
        return Err(nix::Error::EINVAL);
    }
    let mut info =
        input_absinfo { value: 0, minimum: 0, maximum: 0, fuzz: 0, flat: 0, resolution: 0 };
    let request =
        nix::request_code_read!(GROUP, 0x40 + u32::from(code), size_of::<input_absinfo>());
    // SAFETY: `EVIOCGABS(code)` writes one `struct input_absinfo`; `info` is one.
    let outcome = unsafe { nix::libc::ioctl(fd.as_raw_fd(), request, &raw mut info) };
    nix::errno::Errno::result(outcome).map(|_| info)
}

/// The value of one `ABS_MT_*` axis in each of the first `slots` slots.
pub(crate) fn slots(fd: BorrowedFd<'_>, code: u16, slots: usize) -> Result<Vec<i32>> {
    let mut values = vec![0_i32; slots + 1];
    if let Some(first) = values.first_mut() {
        *first = i32::from(code);
    }
    // SAFETY: `struct input_mt_request_layout` is a code and then as many values
    // as the length in the request, which is the slice's own, leaves room for.
    unsafe { eviocgmtslots(fd.as_raw_fd(), &mut values) }?;
    values.remove(0);
    Ok(values)
}

/// Has the kernel stamp this client's events on that clock. Queues
/// `SYN_DROPPED` if events are waiting: call it right after open.
pub(crate) fn set_clock(fd: BorrowedFd<'_>, clock: clockid_t) -> Result<()> {
    // SAFETY: the kernel reads one `int`; `clock` is one and outlives the call.
    unsafe { eviocsclockid(fd.as_raw_fd(), &raw const clock) }.map(drop)
}

/// Tells the kernel which codes of a type this client may see; the others
/// never reach this process.
pub(crate) fn set_mask<const W: usize>(
    fd: BorrowedFd<'_>,
    kind: u16,
    codes: &Bits<W>,
) -> Result<()> {
    let mut bytes = [0_u8; 96];
    for code in codes.iter() {
        if let Some(byte) = bytes.get_mut(usize::from(code / 8)) {
            *byte |= 1 << (code % 8);
        }
    }
    let mask = InputMask {
        kind: u32::from(kind),
        codes_size: bytes.len() as u32,
        codes_ptr: bytes.as_ptr() as u64,
    };
    // SAFETY: the kernel reads `codes_size` bytes at `codes_ptr`, which is
    // `bytes`, a multiple of 8 long; both outlive the call.
    unsafe { eviocsmask(fd.as_raw_fd(), &raw const mask) }.map(drop)
}
