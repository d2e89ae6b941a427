use std::path::Path;

use super::*;

const NOW_US: i64 = 1_780_000_000_000_000;
const HOUR_US: i64 = 3_600_000_000;
const ANN: u32 = 1000;
const BOB: u32 = 1001;

const POLICY: &str = r#"
purpose = "to learn how people work"
lawful_basis = ["legitimate_interest"]
relationship = "employment"
dpia_reference = "DPIA-7"
[controller]
name = "Example"
contact = "privacy@example.org"
[notice]
version = "1"
[retention]
days = 30
"#;

struct Site {
    folder: tempfile::TempDir,
    gate: Gate,
}

impl Site {
    /// A policy under which ann acknowledged the notice.
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        std::fs::write(&path, format!("{POLICY}{more}")).unwrap();
        let mut gate = Gate::by_policy(path, People::default());
        acknowledge(&mut gate, ANN);
        Self { folder, gate }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path().join("policy.toml"), text).unwrap();
    }

    fn verdict(&self, uid: u32) -> Verdict {
        self.gate.verdict(&seat(uid), None, NOW_US)
    }

    fn because(&self, uid: u32) -> Because {
        match self.verdict(uid) {
            Verdict::Closed(closed) => closed.because,
            Verdict::Open(person) => panic!("open for {}", person.uid),
        }
    }

    fn is_open(&self, uid: u32) -> bool {
        matches!(self.verdict(uid), Verdict::Open(person) if person.uid == uid)
    }
}

fn acknowledge(gate: &mut Gate, uid: u32) {
    let (policy, people) = gate.rules().unwrap();
    let (version, sha256) = (policy.notice_version.clone(), policy.notice_sha256.clone());
    people.acknowledge(uid, &version, &sha256, None, None, policy, NOW_US).unwrap();
}

fn session(uid: u32) -> Session {
    let (id, class) = ("1".into(), "user".into());
    Session { id, uid, class, vt: 1, locked: false, remote: false, leader: 0 }
}

fn seat(uid: u32) -> Seat {
    Seat::Session(session(uid))
}

#[test]
fn it_opens_only_for_who_is_at_the_seat_and_acknowledged() {
    let site = Site::new("");
    assert!(site.is_open(ANN));
    assert_eq!(site.because(BOB), Because::Notice);
    let nobody = site.gate.verdict(&Seat::Nobody, None, NOW_US);
    assert!(matches!(nobody, Verdict::Closed(Closed { because: Because::Seat, .. })));
}

#[test]
fn no_reason_names_a_person() {
    let mut site = Site::new("");
    site.gate.people_mut().unwrap().opt_out(BOB, NOW_US);
    let Verdict::Closed(closed) = site.verdict(BOB) else { panic!("bob opted out") };
    assert_eq!(closed.why, "the person at the seat opted out");
}

#[test]
fn without_a_policy_it_is_closed_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::by_policy(folder.path().join("policy.toml"), People::default());
    let Verdict::Closed(closed) = gate.verdict(&seat(ANN), None, NOW_US) else { panic!("open") };
    assert_eq!(closed.because, Because::Policy);
    assert!(closed.why.ends_with("policy.toml does not exist"), "{}", closed.why);
}

#[test]
fn another_notice_suspends_until_it_is_acknowledged() {
    let mut site = Site::new("");
    site.write(&POLICY.replace("version = \"1\"", "version = \"2\""));
    site.gate.reload().unwrap();
    assert_eq!(site.because(ANN), Because::Notice);
    acknowledge(&mut site.gate, ANN);
    assert!(site.is_open(ANN));
}

#[test]
fn a_wrong_policy_on_reload_leaves_the_one_before_in_force() {
    let mut site = Site::new("");
    site.write(&POLICY.replace("days = 30", "days = 0"));
    assert!(site.gate.reload().unwrap_err().contains("retention.days"));
    assert!(site.is_open(ANN));
}

#[test]
fn a_removed_policy_closes_the_gate() {
    let mut site = Site::new("");
    std::fs::remove_file(site.path().join("policy.toml")).unwrap();
    assert!(site.gate.reload().is_err());
    assert_eq!(site.because(ANN), Because::Policy);
}

#[test]
fn a_held_workstation_records_nobody() {
    let mut site = Site::new("");
    site.gate.people_mut().unwrap().held = Some("works council".into());
    assert_eq!(site.because(ANN), Because::Held);
}

#[test]
fn files_may_be_pulled_as_the_policy_says_and_not_while_all_is_held() {
    let mut site = Site::new("[pull]\ncooling_off_hours = 2\n");
    assert_eq!(site.gate.pulls(), Ok(Duration::from_secs(7200)));
    site.gate.people_mut().unwrap().held = Some("works council".into());
    assert_eq!(site.gate.pulls(), Err("held by an administrator: works council".into()));
    site.gate.people_mut().unwrap().held = None;
    site.write(&format!("{POLICY}[pull]\npaused = true\n"));
    site.gate.reload().unwrap();
    assert_eq!(site.gate.pulls(), Err("pulls are paused by the policy".into()));
    std::fs::remove_file(site.path().join("policy.toml")).unwrap();
    assert!(site.gate.reload().is_err() && site.gate.pulls().is_err());
}

#[test]
fn a_pause_ends_by_itself_and_the_gate_says_when() {
    let mut site = Site::new("");
    site.gate.people_mut().unwrap().pause(ANN, NOW_US + HOUR_US);
    assert_eq!(site.because(ANN), Because::Paused);
    assert_eq!(site.gate.changes_at(&seat(ANN), NOW_US), Some(NOW_US + HOUR_US));
    let later = site.gate.verdict(&seat(ANN), None, NOW_US + HOUR_US);
    assert!(matches!(later, Verdict::Open(_)));
}

#[test]
fn outside_the_schedule_nobody_is_recorded() {
    let hours = "[schedule]\nfrom = \"08:00\"\nuntil = \"18:00\"\ntime_zone = \"UTC\"\n";
    let site = Site::new(hours);
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let verdict = |now_us| site.gate.verdict(&seat(ANN), None, now_us);
    let evening = at("2026-11-23T18:00:00Z");
    assert!(matches!(verdict(evening - 1), Verdict::Open(_)));
    assert!(matches!(verdict(evening), Verdict::Closed(Closed { because: Because::Schedule, .. })));
    assert_eq!(site.gate.changes_at(&seat(ANN), evening - 1), Some(evening));
}

#[test]
fn a_new_period_of_pseudonyms_is_a_new_person_to_the_data() {
    let site = Site::new("[pseudonyms]\nrotate_days = 7\n");
    let next_us = site.gate.changes_at(&seat(ANN), NOW_US).unwrap();
    let person = |now_us| match site.gate.verdict(&seat(ANN), None, now_us) {
        Verdict::Open(person) => person,
        Verdict::Closed(closed) => panic!("{}", closed.why),
    };
    assert_eq!(person(NOW_US), person(next_us - 1));
    assert_ne!(person(NOW_US), person(next_us));
}

#[test]
fn who_records_themselves_is_recorded_before_their_own_desktop_alone() {
    let site = Site::new("");
    let Verdict::Open(ann) = site.verdict(ANN) else { panic!("ann acknowledged") };
    let gate = Gate::Oneself(ann);
    let is_open = |seat: &Seat| matches!(gate.verdict(seat, None, NOW_US), Verdict::Open(_));
    assert!(is_open(&seat(ANN)) && is_open(&Seat::Absent));
    assert!(!is_open(&seat(BOB)) && !is_open(&Seat::Unknown("logind is gone".into())));
    assert!(!is_open(&Seat::Session(Session { locked: true, ..session(ANN) })));
}
