//! What is read of evemu text, and what is refused.

mod support;

use support::dump;

/// A description that is whole, before its events.
const MOUSE: &str = "# EVEMU 1.3\nN: a mouse\nI: 0003 046d c077 0111\n";

/// What a recording of a described mouse says after its description.
fn events(text: &str) -> String {
    let all = dump("x.evemu", format!("{MOUSE}{text}"));
    all.split_once("dpi None\n").map_or(all.clone(), |(_, said)| said.to_owned())
}

/// The error that ends a recording of these lines.
fn error(text: impl AsRef<[u8]>) -> String {
    let all = dump("recordings/x.evemu", text.as_ref());
    all.lines().find_map(|line| line.strip_prefix("error ")).unwrap_or(&all).to_owned()
}

#[test]
fn events_are_cut_into_frames() {
    let said = events(
        "E: 0.000001 0002 0000 -001\t# EV_REL / REL_X -1\nE: 0.000001 0002 0001 2\n\
         E: 0.000001 0000 0000 0000\t# ---- SYN_REPORT (0) ---- +0ms\n",
    );
    assert_eq!(said, "frame 1 at 1: 2/0x0=-1 2/0x1=2\ngone 1 at 1\n");
}

#[test]
fn a_split_report_is_one_frame() {
    let said =
        events("E: 0.5 0002 0000 1\nE: 0.5 0000 0000 1\nE: 0.5 0002 0001 2\nE: 0.5 0000 0000 0\n");
    assert_eq!(said, "frame 1 at 5: 2/0x0=1 2/0x1=2\ngone 1 at 5\n");
}

#[test]
fn microseconds_are_a_number_as_evemu_reads_them() {
    assert!(
        events("E: 1.5 0002 0000 1\nE: 1.000007 0000 0000 0\n").starts_with("frame 1 at 1000007:")
    );
    assert!(events("E: 1.5 0002 0000 1\nE: 1.5 0000 0000 0\n").starts_with("frame 1 at 1000005:"));
}

#[test]
fn a_drop_is_told_and_its_partial_frame_is_not() {
    let said = events(
        "E: 0.000001 0002 0000 1\nE: 0.000001 0000 0000 0\nE: 0.000002 0002 0000 5\n\
         E: 0.000009 0000 0003 0\nE: 0.000009 0002 0000 7\nE: 0.000009 0000 0000 0\n",
    );
    assert_eq!(said, "frame 1 at 1: 2/0x0=1\ndropped 1 from 1 to 9\ngone 1 at 9\n");
}

#[test]
fn a_frame_without_its_end_is_told_as_dropped() {
    let said =
        events("E: 0.000001 0002 0000 1\nE: 0.000001 0000 0000 0\nE: 0.000004 0002 0000 5\n");
    assert_eq!(said, "frame 1 at 1: 2/0x0=1\ndropped 1 from 1 to 4\ngone 1 at 4\n");
}

#[test]
fn a_step_back_is_told_before_the_frame_that_does() {
    let said = events(
        "E: 9.000000 0002 0000 1\nE: 9.000000 0000 0000 0\n\
         E: 2.000000 0002 0000 2\nE: 2.000000 0000 0000 0\n\
         E: 1.000000 0000 0003 0\nE: 1.000000 0000 0000 0\n",
    );
    assert_eq!(
        said,
        "frame 1 at 9000000: 2/0x0=1\nstep 1 from 9000000 to 2000000\n\
         frame 1 at 2000000: 2/0x0=2\nstep 1 from 2000000 to 1000000\n\
         dropped 1 from 1000000 to 1000000\ngone 1 at 1000000\n"
    );
}

#[test]
fn a_description_after_events_is_the_next_device() {
    let one = format!("{MOUSE}E: 0.000001 0002 0000 1\nE: 0.000001 0000 0000 0\n");
    let said = dump("x", format!("{one}{one}{MOUSE}"));
    assert_eq!(said.matches("a mouse\" 0003:046d:c077:0111").count(), 3, "{said}");
    let opened: Vec<_> = said.lines().filter(|line| line.contains(" at ")).collect();
    assert_eq!(
        opened,
        [
            "open 1 at 1",
            "frame 1 at 1: 2/0x0=1",
            "gone 1 at 1",
            "open 2 at 1",
            "frame 2 at 1: 2/0x0=1",
            "gone 2 at 1",
            "open 3 at 1",
            "gone 3 at 1",
        ]
    );
}

#[test]
fn line_breaks_may_be_of_windows() {
    let text = format!("{MOUSE}E: 0.000001 0002 0000 1\nE: 0.000001 0000 0000 0\n");
    assert_eq!(dump("x", text.replace('\n', "\r\n")), dump("x", text));
}

#[test]
fn a_name_that_is_no_utf_8_is_accepted() {
    let mut text = b"N: caf\xe9 # 1\nI: 0003 0 0 0\n".to_vec();
    text.extend(b"E: 0.1 0002 0000 1\n");
    assert!(dump("x", text).contains("\"caf\u{fffd} # 1\""));
}

#[test]
fn stamps_of_our_time_are_wall_time_and_others_are_not() {
    let clock = |second: u64| dump("x", format!("E: {second}.000000 0002 0000 1\n"));
    for second in [978_307_200, 1_329_846_856, 4_102_444_799] {
        assert!(clock(second).starts_with("clock wall\n"), "{second}");
    }
    for second in [0, 86_400, 978_307_199, 4_102_444_800] {
        assert!(clock(second).starts_with("clock relative\n"), "{second}");
    }
}

#[test]
fn an_undescribed_touchpad_is_told_by_what_it_sends() {
    let text = "E: 0.1 0001 014d 1\nE: 0.1 0003 0035 50\nE: 0.1 0003 0036 7\nE: 0.1 0003 0035 20\n";
    let said = dump("x", format!("E: 0.1 0003 002f 1\n{text}"));
    assert!(said.contains("  keys [145, 14d]\n  axis 0x2f 1..1 "), "{said}");
    assert!(said.contains("  axis 0x35 20..50 fuzz 0 flat 0 resolution 0\n"), "{said}");
    // Without slots it may as well be a touchscreen.
    assert!(dump("x", text).contains("  keys [14d]\n"));
}

#[test]
fn an_undescribed_pointer_with_wheel_and_axes_has_a_button() {
    let text = "E: 0.1 0003 0000 50\nE: 0.1 0003 0001 50\nE: 0.1 0002 0008 1\n";
    assert!(dump("x", text).contains("  keys [110]\n  rels [8]\n"));
}

#[test]
fn an_error_names_file_line_and_cause() {
    let cases: &[(&str, &str)] = &[
        ("E: 0.1 0002 0000 zz\n", "4: event value \"zz\" is not a number"),
        ("E: 0.1 0002 0000\n", "4: event value is missing"),
        ("E: 0.1 0002 0000 1 2\n", "4: \"2\" is not expected here"),
        ("E: 0.1 00g2 0000 1\n", "4: event type \"00g2\" is not a number"),
        ("E: 0.1 10000 0000 1\n", "4: event type 10000 is not within 0 and 65535"),
        (
            "E: 0.1 0002 0000 2147483648\n",
            "4: event value 2147483648 is not within -2147483648 and 2147483647",
        ),
        ("E: 01 0002 0000 1\n", "4: event time \"01\" is not a number"),
        ("E:\n", "4: event time is missing"),
        ("E: -1.0 0002 0000 1\n", "4: event time -1 is not within 0 and 253370764799"),
        (
            "E: 99999999999999999999.0 0002 0000 1\n",
            "4: event time 99999999999999999999 is not within 0 and 253370764799",
        ),
        (
            "E: 1.1000000 0002 0000 1\n",
            "4: event time's microsecond 1000000 is not within 0 and 999999",
        ),
        ("E: 1.0 0003 002f 5000\n", "4: slot 5000 is not within 0 and 1023"),
        ("E: 1.0 0003 002f -1\n", "4: slot -1 is not within 0 and 1023"),
        ("E: 1.0 0003 0000 1", "4: the recording is cut short: its last line has no line break"),
        ("A: 2f 0 999999999 0 0 0\n", "4: slot 999999999 is not within 0 and 1023"),
        ("A: 40 0 1 0 0 0\n", "4: axis 40 is not within 0 and 63"),
        ("A: 00 0 1 0 0\n", "4: axis resolution is missing"),
        ("A: 00 0 1 0 0 0 0\n", "4: \"0\" is not expected here"),
        ("B: 20 00 00 00 00 00 00 00 00\n", "4: event type 20 is not within 0 and 31"),
        ("B: 01 00 00 00\n", "4: byte of a bitmap is missing"),
        ("P: 00 00 00 00 00 00 00 100\n", "4: byte of a bitmap 100 is not within 0 and 255"),
        ("I: 0003 046d c077\n", "4: version is missing"),
        ("I: 0003 10000 c077 0\n", "4: vendor 10000 is not within 0 and 65535"),
        ("S: 00\n", "4: state is missing"),
        ("X: 1\n", "4: \"X: 1\" is not expected here"),
        ("what is this\n", "4: \"what is this\" is not expected here"),
        ("a\0b\n", "4: \"a\\0b\" is not expected here"),
        ("# EVEMU 2.0\n", "4: version 2.0 of the format is not known"),
        ("# EVEMU new\n", "4: version new of the format is not known"),
        (
            "E: 0.1 0002 0000 1\nB: 01 00 00 00 00 00 00 00 00\n",
            "5: the device is described already",
        ),
    ];
    for (text, expected) in cases {
        let message = error(format!("{MOUSE}{text}"));
        assert_eq!(message, format!("recordings/x.evemu:{expected}"), "{text:?}");
    }
}

#[test]
fn a_description_without_its_identity_is_cut_short() {
    let expected = "the line I: of the device is missing";
    assert_eq!(error("N: x\n"), format!("recordings/x.evemu:1: {expected}"));
    assert_eq!(error("N: x\nE: 0.1 0002 0000 1\n"), format!("recordings/x.evemu:2: {expected}"));
}

#[test]
fn what_stands_before_an_error_is_said_and_the_device_is_gone() {
    let said = events(
        "E: 0.000001 0002 0000 1\nE: 0.000001 0000 0000 0\nE: 0.2 0002 0000 1\nE: nonsense\n",
    );
    assert_eq!(
        said,
        "frame 1 at 1: 2/0x0=1\ndropped 1 from 1 to 2\ngone 1 at 2\n\
         error x.evemu:7: event time \"nonsense\" is not a number\n"
    );
}

#[test]
fn what_was_dropped_after_an_empty_report_ends_no_earlier_than_it_began() {
    // The report at 30 is empty, so it is not told; the stamps step back after it.
    let said = dump("x.evemu", "E: 0.1 2 0 1\nE: 0.1 0 0 0\nE: 0.30 0 0 0\nE: 0.7 3 0 0\n");
    assert!(said.ends_with("dropped 1 from 7 to 7\ngone 1 at 7\n"), "{said}");
}

#[test]
fn what_is_no_recording_is_refused() {
    for text in ["", "\n\n# comment\n", "hello\n", "\0\0\0\0", "{\"version\": 1}\n"] {
        assert_eq!(
            error(text),
            "recordings/x.evemu is no recording: neither evemu text nor the output of libinput record"
        );
    }
}
