//! A disk that is full, for real: the kernel refuses to let files grow.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::{process::Command as Process, time::Duration};

use evscribe_model::Row;
use evscribe_sink::{Command, Report, inspect, recover};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use support::*;

const INSIDE: &str = "EVSCRIBE_TEST_FULL_DISK";

/// Runs itself again under a limit on file sizes, where writes fail as on a full
/// disk. The signal that comes with it is ignored, which only a parent can
/// arrange without unsafe code.
#[test]
fn a_full_disk_loses_nothing_and_writing_goes_on_by_itself() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let script = r#"trap '' XFSZ; ulimit -S -f 64; exec "$0" --exact --nocapture a_full_disk_loses_nothing_and_writing_goes_on_by_itself"#;
    let binary = std::env::current_exe().unwrap();
    // Through pipes: the limit also holds for a log file that this test prints to.
    match Process::new("sh").args(["-c", script]).arg(binary).env(INSIDE, "1").output() {
        Ok(done) => assert!(
            done.status.success(),
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        ),
        Err(error) => println!("SKIPPED a_full_disk_loses_nothing: no shell: {error}"),
    }
}

fn inside() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = recover(config(root.path()), keys(), &mut 1).unwrap();
    let (handle, reports) = spawn(store);
    handle.try_send(Command::Begin(Box::new(provenance()))).unwrap();
    let mut rows = session();
    rows.pop();
    let mut sent = rows.len() as u64;
    handle.try_send(Command::Rows(rows)).unwrap();
    let stalled = (1..200_u64).find_map(|part| {
        let rows: Vec<Row> = (0..100).map(|row| motion(10_000 * part + row * 10, 2, 2)).collect();
        sent += rows.len() as u64;
        handle.try_send(Command::Rows(rows)).unwrap();
        reports.recv_timeout(Duration::from_millis(10)).ok()
    });
    // On a slow machine all of it may be sent before the first of it is written.
    match stalled.or_else(|| reports.recv_timeout(Duration::from_secs(60)).ok()) {
        Some(Report::Stalled { reason, .. }) => assert_eq!(reason, "disk_full"),
        other => panic!("{other:?}"),
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    assert!(matches!(
        reports.recv_timeout(Duration::from_secs(60)).unwrap(),
        Report::Resumed { .. }
    ));
    handle.stop().unwrap();
    let report = inspect::verify(&root.path().join("dataset"), &keyring()).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!(report.rows.values().sum::<u64>(), sent, "each row once");
}
