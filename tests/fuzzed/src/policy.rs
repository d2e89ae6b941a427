//! The policy: text that an administrator wrote.

use std::path::Path;

use evscribe_model::{KeyLevel, PointerLevel};
use evscribe_policy::{Policy, PolicyError, Standing};

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
            for user in ["ann", "bob", "", "root"] {
                let Standing::Acknowledged { level, .. } = policy.standing(user) else { continue };
                assert!(policy.named() > 0 && text.contains("acknowledged"));
                assert!(level.keys <= policy.ceiling.keys);
                assert!(level.pointer <= policy.ceiling.pointer);
                assert!(level.keys <= KeyLevel::Full && level.pointer <= PointerLevel::Full);
            }
        }
        Err(PolicyError::Invalid { line, key, why, .. }) => {
            assert!((1..=text.matches('\n').count() + 1).contains(&line), "line {line}");
            assert!(!key.is_empty() && !why.trim().is_empty(), "{key:?}: {why:?}");
            assert!(!why.contains('\n'));
        }
        Err(error) => panic!("{error:?}"),
    }
}
