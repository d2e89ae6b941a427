use evscribe_model::codes::{EV_KEY, EV_MSC};
use evscribe_model::{Device, Frame, RawEvent};

use super::*;

const LEFT_CTRL: u16 = 29;
const RIGHT_CTRL: u16 = 97;
const LEFT_ALT: u16 = 56;
const PAUSE: u16 = 119;
const A: u16 = 30;

fn hotkey() -> Hotkey {
    Hotkey::new(vec![vec![LEFT_CTRL, RIGHT_CTRL], vec![LEFT_ALT], vec![PAUSE]]).unwrap()
}

fn key(hotkey: &mut Hotkey, device: i16, at: u64, code: u16, value: i32) {
    let (device, at) = (DeviceId(device), BootUs::new(at));
    let events = [
        RawEvent { at, kind: EV_MSC, code: 4, value: code.into() },
        RawEvent { at, kind: EV_KEY, code, value },
    ];
    hotkey.hear(&Input::Frame(Frame { device, at, events: &events }));
}

/// Presses, one a microsecond from `at` on; returns what was struck.
fn press(hotkey: &mut Hotkey, at: u64, codes: &[u16]) -> Option<u64> {
    for (at, code) in (at..).zip(codes) {
        key(hotkey, 1, at, *code, 1);
    }
    hotkey.take().map(BootUs::get)
}

fn holding(codes: &[u16]) -> DeviceState {
    let mut state = DeviceState::default();
    codes.iter().for_each(|code| state.keys.set(*code, true));
    state
}

fn open(hotkey: &mut Hotkey, at: u64, codes: &[u16]) {
    let device = Device::empty(DeviceId(1));
    let state = holding(codes);
    hotkey.hear(&Input::Open { at: BootUs::new(at), device: &device, state: Some(&state) });
}

#[test]
fn the_chord_strikes_in_any_order_and_says_when_it_began() {
    for codes in [[LEFT_CTRL, LEFT_ALT, PAUSE], [PAUSE, LEFT_ALT, LEFT_CTRL]] {
        assert_eq!(press(&mut hotkey(), 5, &codes), Some(5));
    }
}

#[test]
fn left_and_right_are_as_good_as_each_other() {
    assert_eq!(press(&mut hotkey(), 5, &[RIGHT_CTRL, LEFT_ALT, PAUSE]), Some(5));
}

#[test]
fn a_part_of_it_does_not_strike() {
    let mut hotkey = hotkey();
    assert_eq!(press(&mut hotkey, 5, &[LEFT_CTRL, RIGHT_CTRL, PAUSE]), None);
    assert_eq!(press(&mut hotkey, 9, &[LEFT_ALT]), Some(5));
}

#[test]
fn other_keys_neither_help_nor_hinder_nor_begin_it() {
    assert_eq!(press(&mut hotkey(), 5, &[A, LEFT_CTRL, LEFT_ALT, A, PAUSE]), Some(6));
}

#[test]
fn a_release_clears() {
    let mut hotkey = hotkey();
    press(&mut hotkey, 1, &[LEFT_CTRL, LEFT_ALT]);
    key(&mut hotkey, 1, 3, LEFT_CTRL, 0);
    key(&mut hotkey, 1, 4, LEFT_ALT, 0);
    assert_eq!(press(&mut hotkey, 5, &[PAUSE]), None);
    assert_eq!(press(&mut hotkey, 6, &[LEFT_CTRL, LEFT_ALT]), Some(5));
    assert!(hotkey.down.iter().all(|held| held.code != 0));
}

#[test]
fn what_led_to_it_counts_though_it_is_up_again() {
    let mut hotkey = hotkey();
    press(&mut hotkey, 1, &[LEFT_CTRL, RIGHT_CTRL]);
    key(&mut hotkey, 1, 3, LEFT_CTRL, 0);
    assert_eq!(press(&mut hotkey, 4, &[LEFT_ALT, PAUSE]), Some(1));
}

#[test]
fn it_strikes_once_until_some_of_it_was_up() {
    let mut hotkey = hotkey();
    press(&mut hotkey, 1, &[LEFT_CTRL, LEFT_ALT, PAUSE]);
    key(&mut hotkey, 1, 4, PAUSE, 2);
    assert_eq!(hotkey.take(), None);
    key(&mut hotkey, 1, 5, PAUSE, 0);
    assert_eq!(press(&mut hotkey, 6, &[PAUSE]), Some(1));
}

#[test]
fn auto_repeat_is_no_press() {
    let mut hotkey = hotkey();
    press(&mut hotkey, 1, &[LEFT_CTRL, LEFT_ALT]);
    key(&mut hotkey, 1, 3, PAUSE, 2);
    assert_eq!(hotkey.take(), None);
}

#[test]
fn a_chord_may_lie_on_two_keyboards_of_which_one_is_read_late() {
    let mut hotkey = hotkey();
    key(&mut hotkey, 1, 7, PAUSE, 1);
    key(&mut hotkey, 1, 8, LEFT_ALT, 1);
    key(&mut hotkey, 2, 5, LEFT_CTRL, 1);
    assert_eq!(hotkey.take(), Some(BootUs::new(5)));
}

#[test]
fn the_same_key_of_two_keyboards_is_down_until_both_are_up() {
    let mut hotkey = hotkey();
    key(&mut hotkey, 1, 1, LEFT_CTRL, 1);
    key(&mut hotkey, 2, 2, LEFT_CTRL, 1);
    key(&mut hotkey, 1, 3, LEFT_CTRL, 0);
    assert_eq!(press(&mut hotkey, 4, &[LEFT_ALT, PAUSE]), Some(1));
}

#[test]
fn keys_held_at_open_count_from_then_on() {
    let mut hotkey = hotkey();
    open(&mut hotkey, 5, &[LEFT_CTRL, LEFT_ALT, A]);
    assert_eq!(hotkey.take(), None);
    assert_eq!(press(&mut hotkey, 7, &[PAUSE]), Some(5));
}

#[test]
fn a_chord_held_at_open_does_not_strike() {
    let mut hotkey = hotkey();
    open(&mut hotkey, 5, &[LEFT_CTRL, LEFT_ALT, PAUSE]);
    assert_eq!(hotkey.take(), None);
}

#[test]
fn a_closed_devices_keys_are_up() {
    let mut hotkey = hotkey();
    press(&mut hotkey, 1, &[LEFT_CTRL, LEFT_ALT]);
    hotkey.close(DeviceId(1));
    assert_eq!(press(&mut hotkey, 3, &[PAUSE]), None);
}

#[test]
fn a_chord_that_was_struck_while_events_were_lost_strikes() {
    let mut hotkey = hotkey();
    press(&mut hotkey, 1, &[LEFT_CTRL]);
    let (device, since, until) = (DeviceId(1), BootUs::new(4), BootUs::new(9));
    let state = holding(&[LEFT_CTRL, LEFT_ALT, PAUSE]);
    hotkey.hear(&Input::Dropped { device, since, until, state: Some(&state) });
    assert_eq!(hotkey.take(), Some(BootUs::new(1)));
    let state = holding(&[]);
    hotkey.hear(&Input::Dropped { device, since: until, until, state: Some(&state) });
    assert!(hotkey.down.is_empty() && hotkey.began.is_none());
}

#[test]
fn a_chord_that_can_never_be_down_is_none() {
    assert!(Hotkey::new(vec![]).is_none());
    assert!(Hotkey::new(vec![vec![PAUSE], vec![]]).is_none());
}

#[test]
fn it_names_all_codes_that_it_must_hear() {
    assert_eq!(hotkey().codes(), [LEFT_CTRL, RIGHT_CTRL, LEFT_ALT, PAUSE]);
}
