use std::path::Path;

use evscribe_model::{KeyLevel, PointerLevel};
use proptest::prelude::*;

use super::*;
use crate::{AtRest, Policy, consequences};

const GOOD: &str = "purpose = \"to learn\"
lawful_basis = \"legitimate_interest\"
relationship = \"employment\"
dpia_reference = \"DPIA-7\"
[controller]
name = \"Example\"
contact = \"privacy@example.org\"
[notice]
version = \"1\"
[retention]
days = 30
";

fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(Path::new("p.toml"), text)
}

fn message(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// The messages for a policy in a folder of files.
fn check(files: &[(&str, &str)]) -> Result<Policy, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("policy.d")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Policy::check(&folder.path().join("policy.toml")).map_err(|errors| {
        let root = format!("{}/", folder.path().display());
        errors.iter().map(|error| error.to_string().replace(&root, "")).collect()
    })
}

#[test]
fn a_good_policy_has_its_defaults() {
    let policy = parse(GOOD).unwrap();
    assert_eq!(
        (policy.ceiling.keys, policy.ceiling.pointer),
        (KeyLevel::Class, PointerLevel::Full)
    );
    assert_eq!(
        (policy.retention.days, policy.cooling_off_hours, policy.rotate_days),
        (30, 0, None)
    );
    assert_eq!(policy.at_rest, AtRest::Encrypted);
    assert!(policy.schedule.is_none() && policy.hotkey.is_none());
    assert!(policy.notice_text.contains("privacy@example.org"));
}

#[test]
fn what_must_not_be_missing_is_named_all_at_once() {
    let errors = check(&[("policy.toml", "[retention]\nmax_mib = 9\n")]).unwrap_err();
    let said: Vec<_> =
        errors.iter().map(|error| error.split(" is missing").next().unwrap()).collect();
    assert_eq!(
        said,
        [
            "policy.toml:1: controller.name:",
            "policy.toml:1: controller.contact:",
            "policy.toml:1: purpose:",
            "policy.toml:1: lawful_basis:",
            "policy.toml:1: notice.version:",
            "policy.toml:1: relationship:",
            "policy.toml:1: retention.days:",
        ]
    );
}

#[test]
fn consent_alone_does_not_carry_employment() {
    let alone = GOOD.replace("\"legitimate_interest\"", "[\"consent\"]");
    assert!(message(&alone).starts_with("p.toml:2: lawful_basis: consent alone"));
    let twice = alone.replace("[\"consent\"]", "[\"consent\", \"consent\"]");
    assert!(message(&twice).starts_with("p.toml:2: lawful_basis: consent alone"));
    let study = alone.replace("employment", "study");
    assert!(parse(&study).is_ok());
    let both = GOOD.replace("\"legitimate_interest\"", "[\"consent\", \"contract\"]");
    assert!(parse(&both).is_ok());
}

#[test]
fn legitimate_interest_needs_an_assessment() {
    let without = GOOD.replace("dpia_reference = \"DPIA-7\"\n", "");
    assert!(message(&without).starts_with("p.toml:2: lawful_basis: legitimate_interest needs"));
}

#[test]
fn nobody_is_acknowledged_by_an_administrator() {
    let text = format!("{GOOD}[[acknowledged]]\nuser = \"ann\"\nnotice = \"1\"\n");
    assert!(message(&text).contains("evscribe acknowledge"), "{}", message(&text));
}

#[test]
fn full_keys_need_a_reason() {
    let text = format!("{GOOD}[level]\nkeys = \"full\"\n");
    assert!(message(&text).starts_with("p.toml:13: level.keys: `full` keeps every key code"));
    assert!(parse(&format!("{text}keys_full_reason = \"study of layouts\"\n")).is_ok());
}

#[test]
fn plain_files_are_said_openly() {
    let told = |text: &str| {
        let policy = parse(text).unwrap();
        (policy.notice_text.clone(), consequences(&policy).join("\n"))
    };
    let (notice, follows) = told(GOOD);
    assert!(notice.contains("On disk:   encrypted;"), "{notice}");
    assert!(follows.contains("encrypted for the recipients in /etc/evscribe/recipients"));
    let (notice, follows) = told(&format!("at_rest = \"plain\"\n{GOOD}"));
    assert!(notice.contains("On disk:   not encrypted"), "{notice}");
    assert!(follows.contains("Sealed files are NOT encrypted"), "{follows}");
}

#[test]
fn what_cannot_be_followed_is_named_with_line_key_and_what_can() {
    for (given, said) in [
        ("[retention.x]\n", "p.toml:12: retention.x: unknown field `x`"),
        ("[segment]\nmax_minutes = 0", "p.toml:13: segment.max_minutes: 0 is out of range"),
        ("[level]\nkeys = \"loud\"", "p.toml:13: level.keys: `loud` is no level: use one of off"),
        ("[level]\nkeys = 3", "p.toml:13: level.keys: invalid type: integer"),
        ("[hotkey]\npause = \"a\"", "p.toml:13: hotkey.pause: a key that people type alone"),
        ("[schedule]\nfrom = \"08:00\"", "p.toml:12: schedule.time_zone: is missing"),
        (
            "[schedule]\ntime_zone = \"Mars/Base\"",
            "p.toml:13: schedule.time_zone: `Mars/Base` is no time zone",
        ),
        (
            "[schedule]\ntime_zone = \"UTC\"\nfrom = \"8h\"",
            "p.toml:14: schedule.from: `8h` is no time: write it as 08:30",
        ),
        (
            "[schedule]\ntime_zone = \"UTC\"\ndays = [\"mon\", \"tues\"]",
            "p.toml:14: schedule.days: `tues` is no day",
        ),
        ("[schedule]\ntime_zone = \"UTC\"\ndays = []", "p.toml:14: schedule.days: names no day"),
        (
            "[schedule]\ntime_zone = \"UTC\"\nfrom = \"08:00\"\nuntil = \"08:00\"",
            "p.toml:15: schedule.until: begins and ends at the same time",
        ),
        ("[pseudonyms]\nrotate_days = 0", "p.toml:13: pseudonyms.rotate_days: 0 is out of range"),
    ] {
        let found = message(&format!("{GOOD}{given}\n"));
        assert!(found.starts_with(said), "{found}");
    }
}

#[test]
fn how_files_lie_on_the_disk_is_one_of_two_words() {
    let found = message(&format!("at_rest = \"none\"\n{GOOD}"));
    let said =
        "p.toml:1: at_rest: `none` is no way to keep sealed files: use one of encrypted, plain";
    assert_eq!(found, said);
}

#[test]
fn a_drop_in_replaces_single_keys_and_is_named_itself() {
    let policy = check(&[
        ("policy.toml", GOOD),
        ("policy.d/10-local.toml", "[retention]\ndays = 7\n[level]\nkeys = \"timing\"\n"),
        ("policy.d/20-later.toml", "[retention]\ndays = 5\n"),
        ("policy.d/ignored.txt", "nonsense"),
    ]);
    let policy = policy.unwrap();
    assert_eq!((policy.retention.days, policy.ceiling.keys), (5, KeyLevel::Timing));
    let errors = check(&[
        ("policy.toml", GOOD),
        ("policy.d/10-local.toml", "# of this site\n[retention]\ndays = 0\n"),
        ("policy.d/20-later.toml", "[level]\nkeys = \"loud\"\n"),
    ]);
    let errors = errors.unwrap_err();
    let starts = [
        "policy.d/20-later.toml:2: level.keys: `loud`",
        "policy.d/10-local.toml:3: retention.days: 0 is out of range",
    ];
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().zip(starts).all(|(error, start)| error.starts_with(start)), "{errors:?}");
}

#[test]
fn every_file_counts_in_the_checksum() {
    let one = check(&[("policy.toml", GOOD)]).unwrap();
    let two = check(&[("policy.toml", GOOD), ("policy.d/a.toml", "# nothing\n")]).unwrap();
    assert_ne!(one.sha256, two.sha256);
    assert_eq!(one.notice_sha256, two.notice_sha256);
}

#[test]
fn a_policy_that_everybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), GOOD).unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o646)).unwrap();
    let error = Policy::load(file.path()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("everybody may write it"), "{source}");
}

#[test]
fn a_notice_that_never_ends_is_refused() {
    for file in ["/dev/zero", "/"] {
        let text =
            GOOD.replace("version = \"1\"", &format!("version = \"1\"\ntext_file = \"{file}\""));
        let said =
            "p.toml:10: notice.text_file: the notice cannot be read: it is not a regular file";
        assert_eq!(message(&text), said);
    }
}

#[test]
fn a_missing_file_is_told_apart_from_a_bad_one() {
    let error = Policy::load(Path::new("/nonexistent/policy.toml")).unwrap_err();
    assert!(matches!(error, PolicyError::Missing { .. }));
}

#[test]
fn the_example_is_good() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../systemd/policy.example.toml");
    assert_eq!(Policy::load(Path::new(example)).map_err(|error| error.to_string()).err(), None);
}

proptest! {
    #[test]
    fn prop_no_text_makes_it_panic(text in "(?s).{0,200}") {
        let _ = parse(&text);
        let _ = parse(&format!("{GOOD}{text}"));
    }
}
