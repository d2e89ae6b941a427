//! What hosts may say, and what they may not.

use std::fmt::Write as _;

use super::*;

const CREATED: &str =
    r#"{"op":"created","schema_version":1,"at":"2026-11-30T00:00:00Z","part":true,"host":"ab01"}"#;

fn path(name: &str) -> String {
    format!("events/date=2026-11-23/host=ab01/{name}.parquet")
}

fn sealed(name: &str) -> SealedFile {
    SealedFile {
        path: path(name),
        sha256: "0".repeat(64),
        bytes: 10,
        rows: 1,
        table: evscribe_sink::Table::Events,
        host: "ab01".into(),
        boot: "b".into(),
        subject: "s".into(),
        segment: "0123456789abcdef".into(),
        first_us: 1,
        last_us: 2,
        sealed_at: "2026-11-30T00:00:00Z".into(),
    }
}

fn line(file: &SealedFile) -> String {
    serde_json::to_string(&Line::Sealed(file.clone())).unwrap()
}

fn read(text: impl AsRef<[u8]>, skip_bad: bool) -> Result<Offer, HostError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    manifest(file.path(), skip_bad)
}

#[test]
fn what_a_host_offers_is_read() {
    let text = format!("{CREATED}\n{}\n{}\n", line(&sealed("a")), line(&sealed("b")));
    let offer = read(text, false).unwrap();
    assert_eq!((offer.host.as_str(), offer.files.len(), offer.bad.count), ("ab01", 2, 0));
    assert_eq!(offer.files[&path("a")], sealed("a"));
    assert!(read(format!("{CREATED}\n"), false).unwrap().files.is_empty(), "nothing on offer");
}

#[test]
fn a_line_that_lies_is_named_and_with_leave_left_out() {
    let mut lies: Vec<String> = vec![
        "{}".into(),
        "\u{0}".into(),
        "[".repeat(3_000),
        format!("{}x", line(&sealed("a"))),
        r#"{"op":"removed","path":"a","reason":"age","at":""}"#.into(),
        CREATED.into(),
        line(&sealed("twice")),
        "a".repeat(10_000),
    ];
    let lie = |change: fn(&mut SealedFile)| {
        let mut file = sealed("lie");
        change(&mut file);
        line(&file)
    };
    lies.extend([
        lie(|file| file.path = "../../../beside".into()),
        lie(|file| file.path = "/etc/passwd".into()),
        lie(|file| file.path = "events/date=2026-11-23/host=ab01/../x.parquet".into()),
        lie(|file| file.path = "_evscribe/erased.json".into()),
        lie(|file| file.path = "events/date=2026-11-23/host=ab01/-x.parquet".into()),
        lie(|file| file.path = "events/date=2026-11-23/host=ab01/a\nb.parquet".into()),
        lie(|file| file.path = "events/date=2026-11-23/host=other/x.parquet".into()),
        lie(|file| file.host = "other".into()),
        lie(|file| file.table = evscribe_sink::Table::Marks),
        lie(|file| file.sha256 = "0".repeat(63)),
        lie(|file| file.sha256 = "A".repeat(64)),
        lie(|file| file.bytes = 0),
        lie(|file| file.bytes = FILE_MAX_BYTES + 1),
        lie(|file| file.rows = 0),
        lie(|file| file.last_us = 0),
        lie(|file| file.boot = "\u{1b}[31m".into()),
        lie(|file| file.subject = "s".repeat(1_000)),
    ]);
    for lie in &lies {
        let text =
            format!("{CREATED}\n{}\n{lie}\n{}\n", line(&sealed("twice")), line(&sealed("b")));
        let told = read(&text, false).unwrap_err().to_string();
        assert!(told.contains("line 3: "), "{lie:.80}: {told}");
        assert!(told.len() < 300 && !told.contains('\u{1b}'), "{told}");
        let offer = read(&text, true).unwrap();
        assert_eq!((offer.files.len(), offer.bad.count), (2, 1), "{lie:.80}");
    }
}

#[test]
fn a_line_that_was_cut_off_is_no_line() {
    let text = format!("{CREATED}\n{}\n{}", line(&sealed("a")), line(&sealed("b")));
    assert!(read(&text, false).is_err());
    let offer = read(&text, true).unwrap();
    assert_eq!((offer.files.len(), offer.bad.count), (1, 1));
}

#[test]
fn who_does_not_say_who_it_is_is_told_what_to_do() {
    let of = |first: &str| read(format!("{first}\n"), true).unwrap_err();
    let old = r#"{"op":"created","schema_version":1,"at":""}"#;
    assert!(matches!(of(old), HostError::HalfUpgraded));
    let null = r#"{"op":"created","schema_version":1,"at":"","host":null}"#;
    assert!(matches!(of(null), HostError::HalfUpgraded));
    let newer = r#"{"op":"created","schema_version":2,"at":"","host":"ab01","more":[]}"#;
    assert!(matches!(of(newer), HostError::Newer { found: 2 }));
    for host in ["../x", "", ".x", "a b", "a/b", "_evscribe"] {
        let first = format!(r#"{{"op":"created","schema_version":1,"at":"","host":"{host}"}}"#);
        assert!(read(format!("{first}\n"), true).is_err(), "{host}");
    }
    for text in ["", "\n", "\u{ff}\n", "{}\n", &format!("{}\n", line(&sealed("a")))] {
        assert!(matches!(read(text, true), Err(HostError::Manifest(_))), "{text}");
    }
}

#[test]
fn more_lines_than_a_workstation_has_are_refused_without_being_kept() {
    let mut text = format!("{CREATED}\n");
    for _ in 0..LINES_MAX {
        text.push_str("{}\n");
    }
    // Refused at the first few where they are not left out, else by their number.
    let told = read(&text, false).unwrap_err().to_string();
    assert!(told.contains("line 6") && told.contains("1 more"), "{told}");
    let told = read(&text, true).unwrap_err().to_string();
    assert!(told.contains(&format!("more than {LINES_MAX} lines")), "{told}");
}

#[test]
fn tombstones_are_of_that_host_only() {
    let tombstone = Tombstone {
        file: path("a"),
        subject: "s".into(),
        host: "ab01".into(),
        from_us: 0,
        until_us: 1,
        at: "2026-11-30T00:00:00Z".into(),
        sha256: None,
    };
    let other = Tombstone { host: "other".into(), ..tombstone.clone() };
    let above = Tombstone { file: "../../x".into(), ..tombstone.clone() };
    let odd = Tombstone { sha256: Some("x".into()), ..tombstone.clone() };
    let mut text = String::new();
    for line in [&tombstone, &other, &above, &odd] {
        writeln!(text, "{}", serde_json::to_string(line).unwrap()).unwrap();
    }
    text.push_str("{]\n");
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("tombstones.jsonl");
    assert_eq!(tombstones(&at, "ab01", false).unwrap().0, []);
    std::fs::write(&at, text).unwrap();
    assert!(tombstones(&at, "ab01", false).is_err());
    let (read, bad) = tombstones(&at, "ab01", true).unwrap();
    assert_eq!((read, bad.count), (vec![tombstone], 4));
}
