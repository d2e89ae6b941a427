//! What is read of `libinput record`, and what is refused.

mod support;

use support::dump;

/// All before the events, 8 lines.
const HEAD: &str = "# libinput record\nversion: 1\nndevices: 1\ndevices:\n- node: /dev/input/event4\n  \
                    evdev:\n    id: [3, 1133, 49271, 273]\n  events:\n";

/// What a recording with these events says of them.
fn events(text: &str) -> String {
    let all = dump("x.yml", format!("{HEAD}{text}"));
    all.split_once("dpi None\n").map_or(all.clone(), |(_, said)| said.to_owned())
}

/// The error that ends a recording of these lines.
fn error(text: &str) -> String {
    let all = dump("x.yml", text);
    all.lines().find_map(|line| line.strip_prefix("error ")).unwrap_or(&all).to_owned()
}

#[test]
fn events_are_cut_into_frames() {
    let said = events(
        "  - evdev:\n    - [  0,      0,   2,   0,      -1] # EV_REL / REL_X   -1\n    \
         - [  0,      0,   0,   0,       0] # ---- SYN_REPORT (0) ---- +0ms\n  \
         # Current time is 12:00:05\n  \
         - evdev:\n    - [  1,   2000,   1, 272,       1] # EV_KEY / BTN_LEFT\n    \
         - [  1,   2000,   0,   0,       0] # ---- SYN_REPORT (0) ---- +1ms\n",
    );
    assert_eq!(said, "frame 1 at 0: 2/0x0=-1\nframe 1 at 1002000: 1/0x110=1\ngone 1 at 1002000\n");
}

#[test]
fn entries_of_other_kinds_are_skipped() {
    let said = events(
        "  - hid:\n      time: [  0,    100]\n      hidraw0: [\n        0x01, 0x02,\n        0x03\n      ]\n  \
         - libinput:\n    - {type: DEVICE_ADDED, seat: seat0, logical_seat: default}\n  \
         - evdev:\n    - [0, 5, 2, 0, 1] # x\n    - [0, 5, 0, 0, 0] # y\n    \
         libinput:\n    - {time: 0.000005, type: POINTER_MOTION, delta: [1.00, 0.00]}\n  \
         - future:\n    - [9, 9, 9, 9, 9]\n    more:\n      deeper: yes\n",
    );
    assert_eq!(said, "frame 1 at 5: 2/0x0=1\ngone 1 at 5\n");
}

#[test]
fn what_is_described_is_read_and_the_rest_is_skipped() {
    let text = "version: 1\nndevices: 1\nlibinput:\n  version: \"1.22.1\"\nsystem:\n  dmi: \"a: b\"\n\
                devices:\n- node: /dev/input/event4\n  evdev:\n    # Name: x\n    name: \"a \"mouse\": 2\"\n    \
                id: [3, 1133, 49271, 273]\n    codes:\n      0: [0, 1] # EV_SYN\n      1: [272, 273] # EV_KEY\n      \
                2: [0, 1, 8] # EV_REL\n      4: [4] # EV_MSC\n      5: [] # EV_SW\n    absinfo:\n      \
                47: [0, 9, 0, 0, 0]\n      0: [-1, 100, 1, 2, 40]\n    properties: [0, 2]\n  hid: [\n    0x05, 0x01,\n    0x09\n  ]\n  \
                udev:\n    properties:\n    - ID_INPUT=1\n    - MOUSE_DPI=400@125 *800@125 1600@125\n  \
                quirks:\n  - ModelX=1\n  libinput:\n    capabilities: [pointer]\n  events:\n";
    assert_eq!(
        dump("x", text),
        "clock relative\nopen 1 at 0\n  \"a \\\"mouse\\\": 2\" 0003:046d:c077:0111 unknown dpi Some(800)\n  \
         props [0, 2]\n  keys [110, 111]\n  rels [0, 1, 8]\n  mscs [4]\n  \
         axis 0x0 -1..100 fuzz 1 flat 2 resolution 40\n  axis 0x2f 0..9 fuzz 0 flat 0 resolution 0\ngone 1 at 0\n"
    );
}

#[test]
fn devices_come_one_after_the_other() {
    let device = "- node: /dev/input/event4\n  evdev:\n    id: [3, 0, 0, 0]\n  events:\n  - evdev:\n    \
                  - [0, 7, 2, 0, 1] # x\n    - [0, 7, 0, 0, 0] # y\n";
    let text = format!("version: 1\nndevices: 2\ndevices:\n{device}{device}");
    let said = dump("x", text.clone());
    let opened: Vec<_> = said.lines().filter(|line| line.contains(" at ")).collect();
    assert_eq!(
        opened,
        [
            "open 1 at 7",
            "frame 1 at 7: 2/0x0=1",
            "gone 1 at 7",
            "open 2 at 7",
            "frame 2 at 7: 2/0x0=1",
            "gone 2 at 7",
        ]
    );
    let indented = text.replace("\n- ", "\n  - ").replace("\n  evdev", "\n    evdev");
    let indented = indented.replace("\n  events", "\n    events").replace("\n    id", "\n      id");
    let indented = indented.replace("\n    - [", "\n      - [");
    let indented = indented.replace("\n  - evdev", "\n    - evdev");
    assert_eq!(dump("x", indented), said);
}

#[test]
fn replaced_key_codes_are_told() {
    let frame = "  - evdev:\n    - [0, 0, 4, 4, 30] # EV_MSC / MSC_SCAN 30 (obfuscated)\n    \
                 - [0, 0, 1, 30, 1] # EV_KEY / KEY_A 1 (obfuscated)\n    - [0, 0, 0, 0, 0] # z\n";
    assert!(events(frame).ends_with("obfuscated\n"));
    assert!(!events(&frame.replace("1 (obfuscated)", "1")).ends_with("obfuscated\n"));
}

#[test]
fn events_from_before_the_start_are_told_as_dropped() {
    let said = events(
        "  - evdev:\n    - [18446744073709, 550000, 2, 0, 1] # x\n    - [18446744073709, 550000, 0, 0, 0] # y\n  \
         - evdev:\n    - [  0, 5, 2, 0, 2] # x\n    - [  0, 5, 0, 0, 0] # y\n",
    );
    assert_eq!(said, "dropped 1 from 0 to 0\nframe 1 at 5: 2/0x0=2\ngone 1 at 5\n");
}

#[test]
fn an_error_names_file_line_and_cause() {
    let cases: &[(&str, &str)] = &[
        ("    - [0, 0, 2, 0, zz] # x\n", "10: event value \"zz\" is not a number"),
        ("    - [0, 0, 2, 0] # x\n", "10: a comma between two numbers is missing"),
        ("    - [0, 0, 2, 0, 1, 7] # x\n", "10: the bracket ] after an event is missing"),
        ("    - [0, 0, 2, 0, 1] x\n", "10: \"x\" is not expected here"),
        ("    - 0, 0, 2, 0, 1\n", "10: \"0, 0, 2, 0, 1\" is not expected here"),
        ("    0, 0, 2, 0, 1\n", "10: \"0, 0, 2, 0, 1\" is not expected here"),
        ("    - [-1, 0, 2, 0, 1] # x\n", "10: event time -1 is not within 0 and 18446744073709"),
        (
            "    - [18446744073710, 0, 2, 0, 1] # x\n",
            "10: event time 18446744073710 is not within 0 and 18446744073709",
        ),
        (
            "    - [0, 1000000, 2, 0, 1] # x\n",
            "10: event time's microsecond 1000000 is not within 0 and 999999",
        ),
        ("    - [0, 0, 65536, 0, 1] # x\n", "10: event type 65536 is not within 0 and 65535"),
        ("    - [0, 0, 3, 47, 99999] # x\n", "10: slot 99999 is not within 0 and 1023"),
        (
            "    - [0, 0, 2, 0, 1] # RE",
            "10: the recording is cut short: its last line has no line break",
        ),
        ("  evdev:\n", "10: the device is described already"),
        (" x: 1\n", "10: \"x: 1\" is not expected here"),
    ];
    for (text, expected) in cases {
        let message = error(&format!("{HEAD}  - evdev:\n{text}"));
        assert_eq!(message, format!("x.yml:{expected}"), "{text:?}");
    }
}

#[test]
fn an_error_in_a_description_names_line_and_cause() {
    let cases: &[(&str, &str)] = &[
        ("version: 2\n", "1: version 2 of the format is not known"),
        ("version: x\n", "1: version \"x\" is not a number"),
        ("version: 1\n", "1: the key devices: is missing"),
        ("version: 1\nwhat\n", "2: \"what\" is not expected here"),
        (
            "version: 1\nndevices: 2\ndevices:\n- node: a\n  evdev:\n  events:\n",
            "6: the recording is cut short: it should hold 2 devices and holds 1",
        ),
        ("version: 1\ndevices:\n- node: a\n  events:\n", "4: the key evdev: is missing"),
        (
            "version: 1\ndevices:\n- node: a\n  evdev:\n    id: [1, 2]\n",
            "5: a comma between two numbers is missing",
        ),
        (
            "version: 1\ndevices:\n- node: a\n  evdev:\n    id: 1, 2, 3, 4\n",
            "5: a bracket around a list is missing",
        ),
        (
            "version: 1\ndevices:\n- node: a\n  evdev:\n    codes:\n      1: [1, 99999]\n",
            "6: event code 99999 is not within 0 and 65535",
        ),
        (
            "version: 1\ndevices:\n- node: a\n  evdev:\n    absinfo:\n      64: [0, 1, 0, 0, 0]\n",
            "6: axis 64 is not within 0 and 63",
        ),
        (
            "version: 1\ndevices:\n- node: a\n  evdev:\n    absinfo:\n      47: [0, 5000, 0, 0, 0]\n",
            "6: slot 5000 is not within 0 and 1023",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), format!("x.yml:{expected}"), "{text:?}");
    }
}

#[test]
fn a_comment_may_lack_its_line_break() {
    let said = events(
        "  - evdev:\n    - [0, 5, 2, 0, 1] # x\n    - [0, 5, 0, 0, 0] # y\n# Closing after 2s inactivity",
    );
    assert_eq!(said, "frame 1 at 5: 2/0x0=1\ngone 1 at 5\n");
}
