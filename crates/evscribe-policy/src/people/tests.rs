use std::path::Path;

use super::*;

const NOW_US: i64 = 1_780_000_000_000_000;
const ANN: u32 = 1000;

fn policy(more: &str) -> Policy {
    let text = format!(
        "purpose = \"p\"\nlawful_basis = \"contract\"\nrelationship = \"study\"\n\
         [controller]\nname = \"c\"\ncontact = \"c\"\n[retention]\ndays = 1\n\
         [notice]\nversion = \"1\"\n{more}"
    );
    Policy::parse(Path::new("p.toml"), &text).unwrap()
}

fn acknowledge(
    people: &mut People,
    policy: &Policy,
    keys: Option<KeyLevel>,
) -> Result<Level, Refused> {
    let (version, sha256) = (&policy.notice_version, &policy.notice_sha256);
    people.acknowledge(ANN, version, sha256, keys, None, policy, NOW_US)
}

fn keys(people: &People, policy: &Policy) -> Option<KeyLevel> {
    match people.standing(ANN, policy, NOW_US) {
        Standing::Acknowledged { level, .. } => Some(level.keys),
        _ => None,
    }
}

#[test]
fn who_acknowledged_the_current_notice_is_kept_at_class() {
    let (mut people, policy) = (People::default(), policy(""));
    assert_eq!(people.standing(ANN, &policy, NOW_US), Standing::Never);
    acknowledge(&mut people, &policy, None).unwrap();
    assert_eq!(keys(&people, &policy), Some(KeyLevel::Class));
    assert_eq!(people.standing(ANN + 1, &policy, NOW_US), Standing::Never);
}

#[test]
fn another_text_of_the_same_version_is_another_notice() {
    let mut people = People::default();
    let before = policy("");
    acknowledge(&mut people, &before, None).unwrap();
    let changed = Policy { notice_sha256: hex_sha256(b"other"), ..before.clone() };
    assert_eq!(people.standing(ANN, &changed, NOW_US), Standing::NoticeChanged);
    let old = people.acknowledge(ANN, "1", &before.notice_sha256, None, None, &changed, NOW_US);
    assert_eq!(old, Err(Refused::OtherNotice { current: "1".into() }));
}

#[test]
fn a_person_may_choose_less_than_the_ceiling_but_never_more() {
    let (mut people, policy) = (People::default(), policy("[level]\nkeys = \"timing\"\n"));
    let refused = acknowledge(&mut people, &policy, Some(KeyLevel::Class));
    assert_eq!(refused, Err(Refused::AboveCeiling { ceiling: policy.ceiling }));
    assert_eq!(people.standing(ANN, &policy, NOW_US), Standing::Never);
    acknowledge(&mut people, &policy, None).unwrap();
    assert_eq!(keys(&people, &policy), Some(KeyLevel::Timing));
    people.set_level(ANN, Some(KeyLevel::Off), None, &policy).unwrap();
    assert_eq!(keys(&people, &policy), Some(KeyLevel::Off));
}

#[test]
fn full_keys_are_kept_only_of_who_chose_them() {
    let full = "[level]\nkeys = \"full\"\nkeys_full_reason = \"r\"\n";
    let (mut people, policy) = (People::default(), policy(full));
    acknowledge(&mut people, &policy, None).unwrap();
    assert_eq!(keys(&people, &policy), Some(KeyLevel::Class));
    acknowledge(&mut people, &policy, Some(KeyLevel::Full)).unwrap();
    assert_eq!(keys(&people, &policy), Some(KeyLevel::Full));
}

#[test]
fn a_lower_ceiling_lowers_what_was_chosen() {
    let full = "[level]\nkeys = \"full\"\nkeys_full_reason = \"r\"\n";
    let (mut people, before) = (People::default(), policy(full));
    acknowledge(&mut people, &before, Some(KeyLevel::Full)).unwrap();
    let mut after = before;
    after.ceiling.keys = KeyLevel::Class;
    assert_eq!(keys(&people, &after), Some(KeyLevel::Class));
}

#[test]
fn opting_out_stands_until_the_notice_is_acknowledged_again() {
    let (mut people, policy) = (People::default(), policy(""));
    acknowledge(&mut people, &policy, None).unwrap();
    people.opt_out(ANN, NOW_US);
    assert_eq!(people.standing(ANN, &policy, NOW_US), Standing::OptedOut);
    assert!(!people.notice_due(ANN, &policy, NOW_US));
    people.resume(ANN);
    assert_eq!(people.standing(ANN, &policy, NOW_US), Standing::OptedOut);
    acknowledge(&mut people, &policy, None).unwrap();
    assert!(keys(&people, &policy).is_some());
}

#[test]
fn a_pause_is_over_at_its_time_or_when_they_resume() {
    let (mut people, policy) = (People::default(), policy(""));
    acknowledge(&mut people, &policy, None).unwrap();
    people.pause(ANN, NOW_US + 5);
    assert_eq!(people.standing(ANN, &policy, NOW_US + 4), Standing::Paused);
    assert_eq!(people.next_change_us(ANN, NOW_US), Some(NOW_US + 5));
    assert!(keys(&people, &policy).is_none());
    assert!(matches!(people.standing(ANN, &policy, NOW_US + 5), Standing::Acknowledged { .. }));
    people.pause(ANN, i64::MAX);
    assert_eq!(people.next_change_us(ANN, NOW_US), None);
    people.resume(ANN);
    assert!(keys(&people, &policy).is_some());
}

#[test]
fn a_stepped_clock_moves_the_pauses_that_run_and_have_an_end() {
    const DAY_US: i64 = 86_400_000_000;
    let paused = |until_us, by_us| {
        let mut people = People::default();
        people.pause(ANN, until_us);
        people.shift_pauses(by_us, NOW_US);
        people.record(ANN).and_then(|record| record.paused_until_us)
    };
    assert_eq!(paused(NOW_US + 5, DAY_US), Some(NOW_US + DAY_US + 5));
    assert_eq!(paused(NOW_US + 5, -DAY_US), Some(NOW_US - DAY_US + 5));
    // One that is over stays over, one without an end has none to move.
    assert_eq!(paused(NOW_US, DAY_US), Some(NOW_US));
    assert_eq!(paused(i64::MAX, -DAY_US), Some(i64::MAX));
    assert_eq!(paused(i64::MAX - 1, DAY_US), Some(i64::MAX));
    let mut nobody = People::default();
    nobody.resume(ANN);
    nobody.shift_pauses(DAY_US, NOW_US);
    assert_eq!(nobody, People::default());
}

#[test]
fn the_notice_is_due_until_acknowledged_and_again_as_the_policy_says() {
    let day = 86_400_000_000;
    let (mut people, never) = (People::default(), policy(""));
    let daily = policy("renew = \"daily\"\n");
    assert!(people.notice_due(ANN, &never, NOW_US));
    acknowledge(&mut people, &never, None).unwrap();
    assert!(!people.notice_due(ANN, &never, NOW_US + 400 * day));
    assert!(!people.notice_due(ANN, &daily, NOW_US + day - 1));
    assert!(people.notice_due(ANN, &daily, NOW_US + day));
    people.notice_shown(ANN, NOW_US + day);
    assert!(!people.notice_due(ANN, &daily, NOW_US + day));
}

#[test]
fn what_is_kept_is_read_back_the_same() {
    let (mut people, policy) = (People::default(), policy(""));
    acknowledge(&mut people, &policy, Some(KeyLevel::Timing)).unwrap();
    people.pause(ANN, i64::MAX);
    assert!(people.has_subject(ANN, "a1") && people.has_subject(ANN, "b2"));
    assert!(!people.has_subject(ANN, "b2"));
    people.opt_out(7, NOW_US);
    people.held = Some("works council".into());
    assert_eq!(People::from_bytes(&people.to_bytes().unwrap()), Ok(people.clone()));
    assert_eq!(people.subjects(ANN), ["a1", "b2"]);
}

#[test]
fn what_cannot_be_read_is_an_error_and_not_nobody() {
    assert!(People::from_bytes(b"\xff").is_err());
    assert!(People::from_bytes(b"[records.1000]\nopted = 3\n").is_err());
}
