//! What the person's commands ask of the service, and make of its answers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says plainly what it expects"
)]

#[path = "support/bus.rs"]
mod bus;
mod support;

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use bus::{Answers, Asked, Bus, Refusal};
use support::{Said, TABLES, command, data, evscribe, import, recording, rows};

fn run(bus: &Bus, args: &[&str]) -> Said {
    let mut command = command(args);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn last(asked: &Asked) -> String {
    asked.lock().unwrap().last().cloned().unwrap_or_default()
}

/// A dataset at level `full`, and what answers from it.
fn recorded(folder: &Path) -> Answers {
    let dataset = folder.join("dataset");
    let (mouse, keyboard) = (recording("mouse.evemu"), recording("keyboard.evemu"));
    import(&[&mouse, &keyboard], &dataset, &["--level", "full"]).succeeds();
    Answers { standing: "acknowledged", dataset, ..Answers::default() }
}

#[test]
fn without_the_service_each_command_says_that_nothing_is_collected() {
    let Some(bus) = Bus::start() else { return };
    for args in [&["pause"][..], &["acknowledge"], &["forget", "5m"], &["my-data", "show"]] {
        run(&bus, args).fails_with("evscribed does not run: nothing is collected");
    }
    let said = run(&bus, &["notice", "--if-due"]).succeeds();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
}

#[test]
fn nobody_acknowledges_unattended_but_by_the_current_version() {
    let Some(bus) = Bus::start() else { return };
    let answers = Answers { standing: "not_acknowledged", ..Answers::default() };
    let asked = Asked::clone(&answers.asked);
    let _serving = bus.serve(answers);
    run(&bus, &["acknowledge"]).fails_with("evscribe acknowledge --notice 3");
    run(&bus, &["acknowledge", "--notice", "2"]).fails_with("is 3, not 2");
    assert!(asked.lock().unwrap().is_empty());
    let said = run(&bus, &["acknowledge", "--notice", "3", "--keys", "timing"]).succeeds();
    assert_eq!(last(&asked), r#"acknowledge 3 aa "timing" """#);
    assert!(said.out.contains("evscribe opt-out"), "{said:?}");
    let said = run(&bus, &["acknowledge", "--notice", "3", "--keys", "full"]);
    said.fails_with("evscribe: the ceiling here is class: ask for less\n");
}

#[test]
fn the_notice_is_shown_at_login_only_where_it_is_due() {
    let Some(bus) = Bus::start() else { return };
    let asked = Asked::default();
    for (standing, shown) in
        [("acknowledged", false), ("opted_out", false), ("not_acknowledged", true)]
    {
        let answers = Answers { standing, asked: Asked::clone(&asked), ..Answers::default() };
        let _serving = bus.serve(answers);
        let said = run(&bus, &["notice", "--if-due"]).succeeds();
        assert_eq!(said.out.contains("Your input is recorded."), shown, "{standing}");
        assert_eq!(last(&asked) == "shown 3 aa", shown, "{standing}");
    }
}

#[test]
fn a_level_that_is_not_named_stays() {
    let Some(bus) = Bus::start() else { return };
    let answers = Answers { standing: "acknowledged", ..Answers::default() };
    let asked = Asked::clone(&answers.asked);
    let _serving = bus.serve(answers);
    let said = run(&bus, &["level"]).succeeds();
    assert!(said.out.starts_with("keys=class pointer=full"), "{said:?}");
    run(&bus, &["level", "timing"]).succeeds();
    assert_eq!(last(&asked), r#"level "timing" "full""#);
    run(&bus, &["level", "--pointer", "off"]).succeeds();
    assert_eq!(last(&asked), r#"level "class" "off""#);
}

#[test]
fn what_cannot_come_back_needs_a_yes() {
    let Some(bus) = Bus::start() else { return };
    let answers = Answers::default();
    let asked = Asked::clone(&answers.asked);
    let _serving = bus.serve(answers);
    run(&bus, &["opt-out", "--erase"]).fails_with("--yes");
    run(&bus, &["erase-of", "root"]).fails_with("--yes");
    assert!(asked.lock().unwrap().is_empty());
    run(&bus, &["opt-out"]).succeeds();
    assert_eq!(last(&asked), "opt-out false");
    let said = run(&bus, &["opt-out", "--erase", "--yes"]).succeeds();
    assert_eq!(last(&asked), "opt-out true");
    assert!(said.out.contains("7 rows in 2 files"), "{said:?}");
    run(&bus, &["erase-of", "root", "--yes"]).fails_with("this touches 0: only who may");
}

#[test]
fn pauses_are_asked_for_in_seconds() {
    let Some(bus) = Bus::start() else { return };
    let answers = Answers::default();
    let asked = Asked::clone(&answers.asked);
    let _serving = bus.serve(answers);
    run(&bus, &["pause", "15m"]).succeeds();
    assert_eq!(last(&asked), "pause 900");
    let said = run(&bus, &["pause"]).succeeds();
    assert_eq!(last(&asked), "pause 0");
    assert!(said.out.contains("until you resume"), "{said:?}");
    run(&bus, &["resume"]).succeeds();
    run(&bus, &["hold", "an audit"]).succeeds();
    assert_eq!(last(&asked), "hold true an audit");
    run(&bus, &["release"]).succeeds();
    assert_eq!(last(&asked), "hold false ");
}

#[test]
fn a_service_that_dies_while_it_forgets_is_asked_again_for_the_same_span() {
    let Some(bus) = Bus::start() else { return };
    let (forgetting, was_asked) = mpsc::channel();
    let first = Answers { hangs: true, forgetting: Some(forgetting), ..Answers::default() };
    let asked = Asked::clone(&first.asked);
    let serving = bus.serve(first);
    let waiting = command(["--json", "forget", "5m"])
        .env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address)
        .spawn()
        .unwrap();
    was_asked.recv().unwrap();
    zbus::block_on(serving.close()).unwrap();
    let _serving = bus.serve(Answers { asked: Asked::clone(&asked), ..Answers::default() });
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["rows"], 12);
    assert!(said["attempts"].as_u64().unwrap() > 1, "{said}");
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0], asked[1]);
}

#[test]
fn a_service_that_stops_while_it_forgets_is_asked_again() {
    let Some(bus) = Bus::start() else { return };
    let _serving = bus.serve(Answers { first: Some(Refusal::Stopping), ..Answers::default() });
    let said = run(&bus, &["--json", "forget", "5m"]).succeeds();
    assert_eq!(
        (said.json()["rows"].as_u64(), said.json()["attempts"].as_u64()),
        (Some(12), Some(2))
    );
    assert!(said.err.contains("asking it again"), "{said:?}");
}

#[test]
fn how_far_forgetting_came_is_told_and_not_asked_over() {
    let Some(bus) = Bus::start() else { return };
    let answers = Answers { first: Some(Refusal::Failed), ..Answers::default() };
    let asked = Asked::clone(&answers.asked);
    let _serving = bus.serve(answers);
    run(&bus, &["forget", "5m"]).fails_with("3 rows are gone, the rest is not");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn an_export_has_every_row_and_holds() {
    let Some(bus) = Bus::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let answers = recorded(folder.path());
    let dataset = answers.dataset.clone();
    let _serving = bus.serve(answers);
    let copy = folder.path().join("mine");
    let said = run(&bus, &["--json", "my-data", "export", copy.to_str().unwrap()]).succeeds();
    // What the service seals is encrypted, what a person takes along is not.
    let encrypted = dataset.to_str().unwrap();
    evscribe(["data", "stats", encrypted]).fails_with("give the secret key of one");
    evscribe(["data", "verify", copy.to_str().unwrap()]).succeeds();
    for file in support::files(&copy) {
        assert_eq!(file.metadata().unwrap().mode() & 0o077, 0, "{}", file.display());
    }
    let mut all = 0;
    for table in TABLES {
        assert_eq!(rows(&copy, table), rows(&dataset, table), "{table}");
        all += rows(&copy, table).len() as u64;
    }
    assert_eq!(said.json()["rows"], all);
    let again = run(&bus, &["my-data", "export", copy.to_str().unwrap()]);
    again.fails_with("is not empty, and nothing was copied");
}

#[test]
fn an_export_does_not_miss_what_is_in_files_of_others() {
    let Some(bus) = Bus::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let _serving = bus.serve(Answers { only: "events", ..recorded(folder.path()) });
    let copy = folder.path().join("mine");
    run(&bus, &["my-data", "export", copy.to_str().unwrap()]).succeeds();
    data("verify", &copy, &[]).succeeds();
    // The same files as a dataset of their own lack the marks of their runs.
    let manifest = copy.join("manifest.jsonl");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace(r#","part":true"#, "")).unwrap();
    let said = data("verify", &copy, &[]);
    assert!(said.code == Some(1) && said.out.contains("begins without a mark"), "{said:?}");
}

#[test]
fn an_export_of_other_bytes_is_no_export() {
    let Some(bus) = Bus::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let _serving = bus.serve(Answers { swapped: true, ..recorded(folder.path()) });
    let copy = folder.path().join("mine");
    let said = run(&bus, &["my-data", "export", copy.to_str().unwrap()]);
    said.fails_with("holds only some of your files: remove it");
    assert!(support::files(&copy).is_empty());
    assert!(!copy.join("manifest.jsonl").exists());
}

#[test]
fn the_newest_rows_are_shown_with_a_summary() {
    let Some(bus) = Bus::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let answers = recorded(folder.path());
    let all = rows(&answers.dataset, "events");
    let _serving = bus.serve(answers);
    // The last file alone, all files but a row, more than there is.
    for count in [0, 5, all.len() - 1, all.len() + 1] {
        let rows = count.to_string();
        let said = run(&bus, &["--json", "my-data", "show", "-n", &rows]).succeeds().json();
        let newest = said["newest"].as_array().unwrap().as_slice();
        assert_eq!(newest, &all[all.len().saturating_sub(count)..]);
        assert_eq!(said["stats"]["rows"]["events"], all.len());
    }
    let said = run(&bus, &["my-data", "show"]).succeeds();
    assert!(said.out.contains("sessions       "), "{said:?}");
}

#[test]
fn an_interrupted_look_leaves_no_copy() {
    let Some(bus) = Bus::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let answers = recorded(folder.path());
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let copies = || std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL] {
        let (second_file, was_asked) = mpsc::channel();
        let asked = Asked::default();
        let _serving =
            bus.serve(Answers { asked, second_file: Some(second_file), ..answers.clone() });
        let mut looking = command(["my-data", "show"])
            .env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address)
            .env("TMPDIR", &temporary)
            .process_group(0)
            .spawn()
            .unwrap();
        was_asked.recv().unwrap();
        let copied: usize = copies().map(|copy| support::files(&copy).len()).sum();
        assert_eq!(copied, 1, "{signal}");
        // As a terminal does: to the whole group.
        killpg(Pid::from_raw(looking.id().try_into().unwrap()), signal).unwrap();
        assert!(!looking.wait().unwrap().success(), "{signal}");
        let patience = Instant::now() + Duration::from_secs(20);
        while copies().next().is_some() {
            assert!(Instant::now() < patience, "{signal}: a copy stays");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_broken_ledger_is_a_failure() {
    let Some(bus) = Bus::start() else { return };
    let _serving = bus.serve(Answers::default());
    let said = run(&bus, &["ledger", "verify"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("line 7 was changed"), "{said:?}");
    let said = run(&bus, &["ledger", "show", "--mine"]).succeeds();
    assert!(said.out.contains("started"), "{said:?}");
}

#[test]
fn status_tells_what_is_done_and_how_one_stands() {
    let Some(bus) = Bus::start() else { return };
    let _serving = bus.serve(Answers { standing: "acknowledged", ..Answers::default() });
    let said = run(&bus, &["status"]).succeeds();
    for expected in [
        "evscribed is waiting, nothing is opened: the screen is locked.\n",
        "Example Ltd (privacy@example.org)",
        "how forms are filled in",
        "encrypted; readable for data team (key 00ff00ff00ff00ff) and on this workstation",
        "30 days",
        "You (root):",
        "you acknowledged notice 3",
        "3 sealed files, 2.0 KiB",
        "evscribe forget 5m",
    ] {
        assert!(said.out.contains(expected), "{expected}\nin\n{}", said.out);
    }
    let said = run(&bus, &["--json", "status"]).succeeds().json();
    assert_eq!(said["service"]["since"], "1970-01-01T00:00:01Z");
    assert_eq!(said["you"]["standing"], "acknowledged");
}
