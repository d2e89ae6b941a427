//! The policy: text that an administrator wrote.

use std::path::Path;

use evscribe_model::KeyLevel;
use evscribe_policy::{People, Policy, PolicyError, Standing};
use jiff::Timestamp;

/// Target `policy`: reads a `policy.toml` and asks it who may be recorded.
pub fn policy(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    // What a policy names is read; no input of a fuzzer may choose what.
    if text.contains("text_file") && !text.contains("\"/nonexistent\"") {
        return;
    }
    match Policy::parse(Path::new("fuzzed"), text) {
        Ok(policy) => {
            assert!(!policy.notice_version.trim().is_empty());
            assert!((1..=3650).contains(&policy.retention.days) && policy.retention.bytes > 0);
            assert!(!policy.segment.age.is_zero() && policy.segment.bytes > 0);
            assert_eq!(policy.sha256.len(), 64);
            // Reading is a function of the text.
            assert_eq!(Policy::parse(Path::new("fuzzed"), text).unwrap(), policy);
            if policy.ceiling.keys == KeyLevel::Full {
                assert!(text.contains("reason"), "full without a reason");
            }
            assert!(!policy.lawful_basis.is_empty() && !policy.contact.is_empty());
            acknowledged(&policy);
            hours(&policy);
        }
        Err(PolicyError::Invalid { line, key, why, .. }) => {
            assert!((1..=text.matches('\n').count() + 1).contains(&line), "line {line}");
            assert!(!key.is_empty() && !why.trim().is_empty(), "{key:?}: {why:?}");
            assert!(!why.contains('\n'));
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// Whoever acknowledges is recorded at most at the ceiling, at `full` only if
/// they chose it.
fn acknowledged(policy: &Policy) {
    let mut people = People::default();
    assert_eq!(people.standing(1, policy, 0), Standing::Never);
    let (version, sha256) = (&policy.notice_version, &policy.notice_sha256);
    people.acknowledge(1, version, sha256, None, None, policy, 0).unwrap();
    let Standing::Acknowledged { level, .. } = people.standing(1, policy, 0) else {
        panic!("acknowledged, and not recorded");
    };
    assert!(level.keys <= policy.ceiling.keys && level.keys < KeyLevel::Full);
    assert!(level.pointer <= policy.ceiling.pointer);
    assert_eq!(People::from_bytes(&people.to_bytes().unwrap()).unwrap(), people);
}

/// What a schedule says holds until it says that it changes, and then changes.
fn hours(policy: &Policy) {
    let Some(schedule) = &policy.schedule else { return };
    for at in [0, 1_774_742_400, 1_792_886_400] {
        let at = Timestamp::from_second(at).unwrap();
        let moment = schedule.at(at);
        let Some(changes_at) = moment.changes_at else { continue };
        assert!(changes_at > at);
        assert_ne!(schedule.at(changes_at).open, moment.open);
        let before = Timestamp::from_nanosecond(changes_at.as_nanosecond() - 1).unwrap();
        assert_eq!(schedule.at(before).open, moment.open);
    }
}
