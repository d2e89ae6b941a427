//! Any device, saying anything.

use std::ops::Range;

use evscribe_model::codes::*;
use evscribe_model::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::Ev;
use super::devices::{AXES, KEYS, RELS};

/// What happens to one of the devices.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Open(Option<DeviceState>),
    Frame(Vec<Ev>),
    Dropped { since: u64, state: Option<DeviceState> },
    ClockStep(u64),
    Gone,
    Close,
}

/// Small values mostly, any at times.
fn value(small: Range<i32>) -> impl Strategy<Value = i32> {
    prop_oneof![9 => small, 1 => any::<i32>()]
}

/// A device of some kind, most often one that points.
pub(crate) fn device(id: i16) -> impl Strategy<Value = Device> {
    let axis = (value(-10..10), value(0..40), value(0..20));
    (
        subsequence(&KEYS[..], 0..=KEYS.len()),
        subsequence(&RELS[..], 0..=RELS.len()),
        prop_oneof![
            Just(vec![]),
            Just(AXES[..3].to_vec()),
            Just([&AXES[..3], &AXES[4..]].concat()),
            subsequence(&AXES[..], 0..=AXES.len())
        ],
        vec(axis, AXES.len()),
        0u64..4,
    )
        .prop_map(move |(keys, rels, codes, axes, props)| {
            let mut device = Device::empty(DeviceId(id));
            keys.iter().for_each(|key| device.keys.set(*key, true));
            rels.iter().for_each(|rel| device.rels.set(*rel, true));
            device.props.set(INPUT_PROP_POINTER, props & 1 != 0);
            device.props.set(INPUT_PROP_DIRECT, props & 2 != 0);
            device.axes = codes
                .iter()
                .zip(axes)
                .map(|(&code, (min, max, resolution))| Axis {
                    code,
                    min,
                    max,
                    fuzz: 0,
                    flat: 0,
                    resolution,
                })
                .collect();
            device
        })
}

fn event() -> impl Strategy<Value = Ev> {
    prop_oneof![
        4 => (select(&KEYS[..]), 0..3).prop_map(|(code, value)| (EV_KEY, code, value)),
        2 => (select(&RELS[..]), value(-3..4)).prop_map(|(code, value)| (EV_REL, code, value)),
        8 => (select(&AXES[..]), value(-1..5)).prop_map(|(code, value)| (EV_ABS, code, value)),
        2 => Just((EV_SYN, SYN_MT_REPORT, 0)),
        1 => (0u16..70, 0..2).prop_map(|(code, value)| (EV_SW, code, value)),
        1 => (any::<u16>(), any::<u16>(), any::<i32>()),
    ]
}

fn state() -> impl Strategy<Value = DeviceState> {
    (
        subsequence(&KEYS[..], 0..=8),
        any::<u64>(),
        vec((-1..4, value(-1..5), value(-1..5), option::of(0..5), option::of(0..4)), 0..8),
        vec((select(&AXES[..]), value(-1..5)), 0..6),
        value(-1..6),
    )
        .prop_map(|(keys, switches, slots, axes, current_slot)| {
            let mut state = DeviceState { axes, current_slot, ..DeviceState::default() };
            keys.iter().for_each(|key| state.keys.set(*key, true));
            state.switches = Bits::from_bytes(&switches.to_le_bytes());
            for (tracking_id, x, y, pressure, tool_type) in slots {
                state.slots.push(Slot { tracking_id, x, y, pressure, tool_type });
            }
            state
        })
}

/// Ops with the device they are about and how much later they are; time goes
/// back without a word at times.
pub(crate) fn ops() -> impl Strategy<Value = Vec<(Index, i64, Op)>> {
    let op = prop_oneof![
        2 => option::of(state()).prop_map(Op::Open),
        30 => vec(event(), 0..12).prop_map(Op::Frame),
        2 => (0u64..9, option::of(state()))
            .prop_map(|(since, state)| Op::Dropped { since, state }),
        1 => (0u64..1000).prop_map(Op::ClockStep),
        1 => Just(Op::Gone),
        1 => Just(Op::Close),
    ];
    vec((any::<Index>(), -2i64..9, op), 0..60)
}
