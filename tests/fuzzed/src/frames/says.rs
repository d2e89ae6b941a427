//! Bytes to what devices are, say and hold.

// The devices that the normaliser's own tests are about.
#[path = "../../../../crates/evscribe-normalizer/tests/stage/devices.rs"]
mod devices;

use arbitrary::{Result, Unstructured};
use evscribe_model::codes::*;
use evscribe_model::*;

use devices::{AXES, KEYS, RELS};

/// A device of a known kind, or one that claims anything.
pub(super) fn device(u: &mut Unstructured<'_>, id: DeviceId) -> Result<Device> {
    let mut device = match u.int_in_range(0..=9)? {
        0 => devices::keyboard(),
        1 => devices::mouse(),
        2 => devices::mouse_hi_res(),
        3 => devices::touchpad(),
        4 => devices::protocol_a(),
        5 => devices::single_touch(),
        6 => devices::pen(),
        7 => devices::absolute_mouse(),
        _ => claims(u)?,
    };
    device.id = id;
    Ok(device)
}

fn claims(u: &mut Unstructured<'_>) -> Result<Device> {
    let mut device = devices::device(&[], &[], &[]);
    let (keys, rels, axes): (u32, u8, u16) = u.arbitrary()?;
    for (place, key) in KEYS.into_iter().enumerate() {
        device.keys.set(key, keys >> place & 1 == 1);
    }
    for (place, rel) in RELS.into_iter().enumerate() {
        device.rels.set(rel, rels >> place & 1 == 1);
    }
    device.props.set(INPUT_PROP_POINTER, rels & 64 != 0);
    device.props.set(INPUT_PROP_DIRECT, rels & 128 != 0);
    for (place, code) in AXES.into_iter().enumerate() {
        if axes >> place & 1 == 1 {
            let (min, max, resolution) = (value(u)?, value(u)?, value(u)?);
            device.axes.push(Axis { code, min, max, fuzz: 0, flat: 0, resolution });
        }
    }
    device.axes.sort_by_key(|axis| axis.code);
    Ok(device)
}

/// Mostly small, any at times.
fn value(u: &mut Unstructured<'_>) -> Result<i32> {
    match u.arbitrary::<i8>()? {
        i8::MIN => u.arbitrary(),
        small => Ok(small.into()),
    }
}

/// An event at or after `now`, which it moves; before it, though seldom.
pub(super) fn event(u: &mut Unstructured<'_>, now: &mut u64) -> Result<RawEvent> {
    let byte: u8 = u.arbitrary()?;
    *now = match byte >> 4 {
        0..13 => *now,
        13 => now.saturating_add(1),
        14 => now.saturating_add(u.arbitrary::<u8>()?.into()),
        _ => now.saturating_add_signed(value(u)?.into()),
    };
    let (kind, code, value) = match byte & 15 {
        0..4 => (EV_KEY, *u.choose(&KEYS)?, u.int_in_range(0..=3)?),
        4 | 5 => (EV_REL, *u.choose(&RELS)?, value(u)?),
        6..10 => (EV_ABS, *u.choose(&AXES)?, value(u)?),
        10 => (EV_SYN, SYN_REPORT, 0),
        11 => (EV_SYN, SYN_REPORT, value(u)?),
        12 => (EV_SYN, SYN_DROPPED, 0),
        13 => (EV_SYN, SYN_MT_REPORT, 0),
        14 => (EV_SW, u.int_in_range(0..=70)?, u.int_in_range(0..=1)?),
        _ => u.arbitrary()?,
    };
    Ok(RawEvent { at: BootUs::new(*now), kind, code, value })
}

/// What is held, where the source can know.
pub(super) fn state(u: &mut Unstructured<'_>) -> Result<Option<DeviceState>> {
    if !u.ratio(3, 4)? {
        return Ok(None);
    }
    let mut state = DeviceState { current_slot: value(u)?, ..DeviceState::default() };
    let keys: u32 = u.arbitrary()?;
    for (place, key) in KEYS.into_iter().enumerate() {
        state.keys.set(key, keys >> place & 1 == 1);
    }
    state.switches = Bits::from_bytes(&u.arbitrary::<[u8; 2]>()?);
    for _ in 0..u.int_in_range(0..=6)? {
        let tracking_id = value(u)?;
        let (x, y) = (value(u)?, value(u)?);
        let (pressure, tool_type) = u.arbitrary::<(Option<u8>, Option<u8>)>()?;
        state.slots.push(Slot {
            tracking_id,
            x,
            y,
            pressure: pressure.map(i32::from),
            tool_type: tool_type.map(i32::from),
        });
    }
    for _ in 0..u.int_in_range(0..=4)? {
        let code = *u.choose(&AXES)?;
        state.axes.push((code, value(u)?));
    }
    Ok(Some(state))
}
