//! What an open device says of itself and holds.

use std::fs::File;
use std::os::fd::AsFd;

use evscribe_model::codes::*;
use evscribe_model::{Axis, Bits, Device, DeviceId, DeviceState, KeyRole, Slot, key_role};

use crate::sys::{self, Map, Text};

/// A device that claims more slots is not believed; real ones have at most 20.
const SLOTS_MAX: usize = 64;

/// What the device says of itself.
pub(crate) fn describe(file: &File) -> nix::Result<Device> {
    let fd = file.as_fd();
    let id = sys::id(fd)?;
    let mut device = Device::empty(DeviceId(0));
    device.name = Some(sys::text(fd, Text::Name));
    device.bus = id.bustype;
    device.vendor = id.vendor;
    device.product = id.product;
    device.version = id.version;
    device.props = sys::map(fd, Map::Props)?;
    device.keys = sys::map(fd, Map::Keys)?;
    device.rels = sys::map(fd, Map::Rels)?;
    device.mscs = sys::map(fd, Map::Mscs)?;
    device.switches = sys::map(fd, Map::Switches)?;
    let axes: Bits<1> = sys::map(fd, Map::Axes)?;
    for code in axes.iter() {
        let info = sys::axis(fd, code)?;
        device.axes.push(Axis {
            code,
            min: info.minimum,
            max: info.maximum,
            fuzz: info.fuzz,
            flat: info.flat,
            resolution: info.resolution,
        });
    }
    Ok(device)
}

/// What the device holds now; of keys and buttons only those in `mask`. Queued key and switch events of this client go
/// into the state and out of the queue: read it only where nothing waits.
pub(crate) fn state(
    file: &File,
    device: &Device,
    mask: Option<&Bits<12>>,
) -> nix::Result<DeviceState> {
    let fd = file.as_fd();
    let keys = sys::map(fd, Map::KeysDown)?;
    let mut state = DeviceState {
        keys: mask.map_or(keys, |mask| keys.and(mask)),
        switches: sys::map(fd, Map::SwitchesOn)?,
        ..DeviceState::default()
    };
    for code in (0..ABS_CNT).filter(|code| device.axis(*code).is_some()) {
        state.axes.push((code, sys::axis(fd, code)?.value));
    }
    let Some(slots) = device.axis(ABS_MT_SLOT) else { return Ok(state) };
    let count = usize::try_from(slots.max.saturating_add(1)).unwrap_or(0).clamp(1, SLOTS_MAX);
    state.current_slot = state.axis(ABS_MT_SLOT).unwrap_or(0);
    let read = |code: u16| match device.axis(code) {
        Some(_) => sys::slots(fd, code, count).map(Some),
        None => Ok(None),
    };
    let (ids, xs, ys) =
        (read(ABS_MT_TRACKING_ID)?, read(ABS_MT_POSITION_X)?, read(ABS_MT_POSITION_Y)?);
    let (pressures, tools) = (read(ABS_MT_PRESSURE)?, read(ABS_MT_TOOL_TYPE)?);
    let of = |values: &Option<Vec<i32>>, slot: usize| {
        values.as_ref().and_then(|values| values.get(slot).copied())
    };
    state.slots = (0..count)
        .map(|slot| Slot {
            tracking_id: of(&ids, slot).unwrap_or(-1),
            x: of(&xs, slot).unwrap_or_default(),
            y: of(&ys, slot).unwrap_or_default(),
            pressure: of(&pressures, slot),
            tool_type: of(&tools, slot),
        })
        .collect();
    Ok(state)
}

/// Has the kernel keep the keys to itself, all but those in `wanted`; the device
/// is then described as if it had only buttons. Returns what still comes.
pub(crate) fn mask_keys(file: &File, device: &mut Device, wanted: &[u16]) -> nix::Result<Bits<12>> {
    let keys = device.keys;
    for code in keys.iter().filter(|code| key_role(*code) != KeyRole::Button) {
        device.keys.set(code, false);
    }
    let mut mask = device.keys;
    for code in wanted.iter().filter(|code| keys.has(**code)) {
        mask.set(*code, true);
    }
    sys::set_mask(file.as_fd(), EV_KEY, &mask)?;
    Ok(mask)
}
