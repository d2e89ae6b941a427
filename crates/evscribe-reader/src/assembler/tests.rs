use std::fs::File;
use std::os::unix::fs::FileExt;

use evscribe_model::codes::*;
use evscribe_model::{BootUs, RawEvent};
use proptest::prelude::*;

use super::*;

fn event(us: u64, kind: u16, code: u16, value: i32) -> RawEvent {
    RawEvent { at: BootUs::new(us), kind, code, value }
}

fn motion(us: u64, value: i32) -> RawEvent {
    event(us, EV_REL, REL_X, value)
}

fn report(us: u64, value: i32) -> RawEvent {
    event(us, EV_SYN, SYN_REPORT, value)
}

fn dropped(us: u64) -> RawEvent {
    event(us, EV_SYN, SYN_DROPPED, 0)
}

/// A piece that owns its events.
#[derive(PartialEq, Debug)]
enum Owned {
    Frame(u64, Vec<RawEvent>),
    Dropped(u64, u64),
}

fn owned(piece: Piece<'_>) -> Owned {
    match piece {
        Piece::Frame { at, events } => Owned::Frame(at.get(), events.to_vec()),
        Piece::Dropped { since, until } => Owned::Dropped(since.get(), until.get()),
    }
}

/// Feeds `events` in batches of `size`, then says that the device is gone.
fn pieces(events: &[RawEvent], size: usize) -> Vec<Owned> {
    let mut assembler = Assembler::new(BootUs::new(0));
    let mut out = Vec::new();
    for mut batch in events.chunks(size) {
        while let Some(piece) = assembler.next(&mut batch) {
            out.push(owned(piece));
        }
        assert!(batch.is_empty());
    }
    out.extend(assembler.finish().map(owned));
    assert!(assembler.finish().is_none());
    out
}

/// The same whatever the batches are.
fn cut(events: &[RawEvent]) -> Vec<Owned> {
    let whole = pieces(events, usize::MAX);
    for size in 1..=events.len() {
        assert_eq!(pieces(events, size), whole, "batches of {size}");
    }
    whole
}

#[test]
fn a_report_of_value_0_ends_the_frame() {
    let events = [motion(5, 1), report(5, 0), motion(6, 2), motion(6, 3), report(7, 0)];
    assert_eq!(
        cut(&events),
        [Owned::Frame(5, events[..1].to_vec()), Owned::Frame(7, events[2..4].to_vec())]
    );
}

#[test]
fn a_split_report_is_one_frame() {
    let events =
        [motion(5, 1), report(5, 1), motion(5, 2), report(5, 1), motion(5, 3), report(5, 0)];
    assert_eq!(cut(&events), [Owned::Frame(5, vec![events[0], events[2], events[4]])]);
}

#[test]
fn a_split_without_an_end_is_whole_when_the_stamp_changes() {
    let events = [motion(5, 1), report(5, 1), motion(6, 2), report(6, 0)];
    assert_eq!(cut(&events), [Owned::Frame(5, vec![events[0]]), Owned::Frame(6, vec![events[2]])]);
}

#[test]
fn a_split_without_an_end_is_whole_when_settled() {
    let events = [motion(5, 1), report(5, 1)];
    let mut assembler = Assembler::new(BootUs::new(0));
    assert!(assembler.next(&mut &events[..]).is_none());
    assert!(assembler.is_split());
    assert_eq!(assembler.settle().map(owned), Some(Owned::Frame(5, vec![events[0]])));
    assert!(assembler.settle().is_none() && assembler.finish().is_none());
}

#[test]
fn settling_does_not_end_a_frame_that_is_not_split() {
    let events = [motion(5, 1), motion(5, 2), report(5, 0)];
    let mut assembler = Assembler::new(BootUs::new(0));
    assert!(assembler.next(&mut &events[..1]).is_none());
    assert!(assembler.settle().is_none());
    assert_eq!(
        assembler.next(&mut &events[1..]).map(owned),
        Some(Owned::Frame(5, events[..2].to_vec()))
    );
}

#[test]
fn an_auto_repeat_of_the_core_is_a_frame_at_once() {
    let events = [event(5, EV_KEY, 30, 2), report(5, 1)];
    let mut assembler = Assembler::new(BootUs::new(0));
    assert_eq!(assembler.next(&mut &events[..]).map(owned), Some(Owned::Frame(5, vec![events[0]])));
    assert!(!assembler.is_split());
}

#[test]
fn stamps_within_a_frame_may_differ() {
    let events = [motion(1, 1), motion(2, 2), report(4, 0)];
    assert_eq!(cut(&events), [Owned::Frame(4, events[..2].to_vec())]);
}

#[test]
fn an_empty_report_says_nothing() {
    assert_eq!(cut(&[report(5, 0), report(6, 1), report(7, 0)]), []);
}

#[test]
fn a_contact_separator_stays() {
    let events = [motion(5, 1), event(5, EV_SYN, SYN_MT_REPORT, 0), report(5, 0)];
    assert_eq!(cut(&events), [Owned::Frame(5, events[..2].to_vec())]);
}

#[test]
fn a_dropped_report_discards_the_partial_frame() {
    let events = [
        motion(5, 1),
        report(5, 0),
        motion(6, 2),
        dropped(9),
        motion(9, 3),
        report(9, 0),
        motion(10, 4),
        report(10, 0),
    ];
    assert_eq!(
        cut(&events),
        [Owned::Frame(5, vec![events[0]]), Owned::Dropped(5, 9), Owned::Frame(10, vec![events[6]]),]
    );
}

#[test]
fn discarding_goes_through_a_split_to_the_end_of_its_frame() {
    let events = [
        dropped(9),
        motion(9, 1),
        report(9, 1),
        motion(9, 2),
        report(9, 0),
        motion(10, 3),
        report(10, 0),
    ];
    assert_eq!(cut(&events), [Owned::Dropped(0, 9), Owned::Frame(10, vec![events[5]])]);
    assert_eq!(cut(&events[..3]), [Owned::Dropped(0, 9)]);
    let other_stamp = [dropped(9), report(9, 1), motion(10, 3), report(10, 0)];
    assert_eq!(cut(&other_stamp), [Owned::Dropped(0, 9), Owned::Frame(10, vec![other_stamp[2]])]);
}

#[test]
fn drops_in_a_row_are_one() {
    let events = [dropped(8), motion(8, 1), dropped(9), report(10, 0)];
    assert_eq!(cut(&events), [Owned::Dropped(0, 10)]);
}

#[test]
fn a_frame_without_its_end_is_told_when_the_device_goes() {
    assert_eq!(cut(&[motion(5, 1), report(5, 0), motion(6, 2)])[1..], [Owned::Dropped(5, 6)]);
    assert_eq!(cut(&[dropped(7)]), [Owned::Dropped(0, 7)]);
}

#[test]
fn a_frame_that_never_ends_is_cut_and_nothing_grows() {
    let flood: Vec<_> = (0..10_000).map(|value| motion(3, value)).collect();
    for size in [1, 7, 1024, usize::MAX] {
        let mut assembler = Assembler::new(BootUs::new(0));
        let mut seen = Vec::new();
        for mut batch in flood.chunks(size) {
            while let Some(Piece::Frame { events, .. }) = assembler.next(&mut batch) {
                assert!(events.len() <= HELD_MAX);
                seen.extend_from_slice(events);
            }
        }
        assert_eq!(seen[..], flood[..2 * HELD_MAX]);
        assert!(assembler.held.capacity() <= 2 * HELD_MAX);
    }
}

#[test]
fn a_flood_while_discarding_holds_nothing() {
    let mut assembler = Assembler::new(BootUs::new(0));
    let flood: Vec<_> =
        std::iter::once(dropped(1)).chain((0..9_000).map(|v| motion(2, v))).collect();
    assert!(assembler.next(&mut &flood[..]).is_none());
    assert!(assembler.held.is_empty());
    assert_eq!(assembler.next(&mut &[report(3, 0)][..]).map(owned), Some(Owned::Dropped(0, 3)));
}

#[test]
fn clearing_forgets_everything() {
    let mut assembler = Assembler::new(BootUs::new(0));
    assert!(assembler.next(&mut &[motion(1, 1), report(1, 1)][..]).is_none());
    assembler.clear(BootUs::new(50));
    assert!(assembler.finish().is_none());
    assert!(assembler.next(&mut &[dropped(60)][..]).is_none());
    assert_eq!(assembler.finish().map(owned), Some(Owned::Dropped(50, 60)));
}

fn any_stream(kinds: Vec<u8>) -> Vec<RawEvent> {
    let mut us = 0;
    kinds
        .iter()
        .enumerate()
        .map(|(number, kind)| {
            us += u64::from(kind / 16 % 2);
            match kind % 16 {
                0..=1 => report(us, 0),
                2 => report(us, 1),
                3 => dropped(us),
                4 => event(us, EV_KEY, 30, 2),
                5 => event(us, EV_SYN, SYN_MT_REPORT, 0),
                _ => motion(us, number as i32),
            }
        })
        .collect()
}

/// What the memory of `held` is, past its end too.
fn memory(held: &Vec<RawEvent>) -> Vec<u8> {
    let mut bytes = vec![0xff; held.capacity() * size_of::<RawEvent>()];
    let at = held.as_ptr() as u64;
    File::open("/proc/self/mem").unwrap().read_exact_at(&mut bytes, at).unwrap();
    bytes
}

#[test]
fn what_was_held_is_overwritten_when_it_goes() {
    let keys: Vec<_> = (16..26).map(|code| event(5, EV_KEY, code, 1)).collect();
    let mut assembler = Assembler::new(BootUs::new(0));
    assembler.held.resize(assembler.held.capacity(), RawEvent::default());
    assembler.held.clear();
    let ends: [fn(&mut Assembler); 4] = [
        |assembler| {
            let batch = [report(5, 0)];
            assert!(assembler.next(&mut &batch[..]).is_some());
            assembler.release();
        },
        |assembler| assert!(assembler.next(&mut &[dropped(5)][..]).is_none()),
        |assembler| assert!(assembler.finish().is_some()),
        |assembler| assembler.clear(BootUs::new(6)),
    ];
    for end in ends {
        assert!(assembler.next(&mut keys.as_slice()).is_none());
        assert!(memory(&assembler.held).iter().any(|byte| *byte != 0));
        end(&mut assembler);
        assert!(memory(&assembler.held).iter().all(|byte| *byte == 0));
        assembler.clear(BootUs::new(0));
    }
}

proptest! {
    #[test]
    fn prop_batches_do_not_matter(kinds: Vec<u8>) {
        cut(&any_stream(kinds));
    }

    #[test]
    fn prop_without_drops_the_frames_are_the_input(kinds: Vec<u8>) {
        let mut stream = any_stream(kinds);
        stream.retain(|event| (event.kind, event.code) != (EV_SYN, SYN_DROPPED));
        stream.push(report(u64::MAX, 0));
        let mut joined = Vec::new();
        for piece in pieces(&stream, usize::MAX) {
            match piece {
                Owned::Frame(_, events) => joined.extend(events),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        stream.retain(|event| (event.kind, event.code) != (EV_SYN, SYN_REPORT));
        prop_assert_eq!(joined, stream);
    }

    #[test]
    fn prop_with_drops_the_frames_are_the_input_but_for_the_holes(kinds: Vec<u8>) {
        let mut stream = any_stream(kinds);
        stream.push(report(u64::MAX, 0));
        let mut rest = stream.iter();
        let mut holes = 0;
        for piece in pieces(&stream, usize::MAX) {
            match piece {
                // Every event of a frame is the next one of the input, but for holes.
                Owned::Frame(_, events) => {
                    prop_assert!(!events.is_empty());
                    for event in &events {
                        prop_assert!(rest.any(|other| other == event));
                    }
                }
                Owned::Dropped(since, until) => {
                    prop_assert!(since <= until);
                    holes += 1;
                }
            }
        }
        let drops = stream.iter().filter(|e| (e.kind, e.code) == (EV_SYN, SYN_DROPPED)).count();
        prop_assert!(holes <= drops && (holes > 0) == (drops > 0));
    }

    #[test]
    fn prop_arbitrary_events_never_panic(events: Vec<(u64, u16, u16, i32)>, size in 1usize..64) {
        let stream: Vec<_> =
            events.iter().map(|(us, kind, code, value)| event(*us, kind % 3, code % 5, *value)).collect();
        pieces(&stream, size);
    }
}
