//! What a pull is answered on the workstation, and who may pull.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says plainly what it expects"
)]

#[path = "support/bus.rs"]
mod bus;
mod support;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use evscribe_sink::served_now;

use bus::{Answers, Asked, Bus, Refusal};
use support::{Said, command};

/// What a client asks for who pulls everything.
const SENDER: &str = "rsync --server --sender -re.iLsfxCIvu . .";

/// What sshd would have run for a puller who asked for this.
fn serve(bus: &str, outbox: &Path, asked: &str) -> Said {
    let mut command = command(["serve-pull", "lake", "--outbox", outbox.to_str().unwrap()]);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", bus).env("SSH_ORIGINAL_COMMAND", asked);
    said(&mut command)
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// An outbox with one file, and beside it what must never be served.
fn outbox(folder: &Path) -> PathBuf {
    let outbox = folder.join("outbox");
    fs::create_dir(&outbox).unwrap();
    fs::write(outbox.join("manifest.jsonl"), "offered\n").unwrap();
    fs::write(folder.join("ledger.jsonl"), "secret\n").unwrap();
    outbox
}

/// Whether this machine has what serves.
fn has_rrsync() -> bool {
    let has = Path::new("/usr/bin/rrsync").exists() && Path::new("/usr/bin/rsync").exists();
    if !has {
        eprintln!("SKIPPED: this machine has no rsync");
    }
    has
}

/// rsync as a client, with a remote shell that does what sshd does with the line of
/// authorized_keys.
fn pull(bus: &Bus, folder: &Path, args: &[&str]) -> Said {
    let shell = folder.join("shell");
    let text = format!(
        "shift\nexec env SSH_ORIGINAL_COMMAND=\"$*\" DBUS_SYSTEM_BUS_ADDRESS='{}' {} \
         serve-pull lake --outbox {}\n",
        bus.address,
        env!("CARGO_BIN_EXE_evscribe"),
        folder.join("outbox").display(),
    );
    fs::write(&shell, text).unwrap();
    // Read by sh, not executed itself: a child that another test starts meanwhile may
    // have it open for writing yet.
    let shell = format!("sh {}", shell.display());
    said(Command::new("rsync").args(["-e", &shell]).args(args).current_dir(folder))
}

/// What answers, and holds who is served beside the outbox in that folder.
fn answers(folder: &Path) -> Answers {
    Answers { serving: folder.join("serving"), ..Answers::default() }
}

#[test]
fn a_pull_is_noted_before_and_gets_what_is_on_offer() {
    let (Some(bus), true) = (Bus::start(), has_rrsync()) else { return };
    let folder = tempfile::tempdir().unwrap();
    outbox(folder.path());
    let answers = answers(folder.path());
    let asked = Asked::clone(&answers.asked);
    let _serving = bus.serve(answers);
    pull(&bus, folder.path(), &["-r", "h:", "got/"]).succeeds();
    assert_eq!(fs::read_to_string(folder.path().join("got/manifest.jsonl")).unwrap(), "offered\n");
    assert_eq!(fs::read_dir(folder.path().join("got")).unwrap().count(), 1);
    assert_eq!(*asked.lock().unwrap(), ["note lake"]);
    let cut = serve(&bus.address, &folder.path().join("outbox"), SENDER);
    assert_eq!(cut.code, Some(12), "what rsync itself ended with: {cut:?}");
}

#[test]
fn a_puller_is_served_as_long_as_rsync_is_there_and_no_longer() {
    let (Some(bus), true) = (Bus::start(), has_rrsync()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path());
    let answers = answers(folder.path());
    let serving_now = answers.serving.clone();
    let serving = bus.serve(answers);
    let mut command = command(["serve-pull", "lake", "--outbox", outbox.to_str().unwrap()]);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address);
    command.env("SSH_ORIGINAL_COMMAND", SENDER);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = command.spawn().unwrap();
    // It says which protocol it speaks once it runs.
    server.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
    let name = fs::read_to_string(format!("/proc/{}/comm", server.id())).unwrap();
    assert_eq!(name, "rsync\n", "no parent holds what rsync does not");
    // Whoever noted it is gone; what serves is not.
    drop(serving);
    assert!(served_now(&serving_now).unwrap().contains("lake"));
    drop(server.stdin.take());
    server.wait().unwrap();
    // A child that another test starts has for a moment what this one had open.
    let patience = Instant::now() + Duration::from_secs(5);
    while !served_now(&serving_now).unwrap().is_empty() {
        assert!(Instant::now() < patience, "they count as served still");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn nothing_but_pulling_reaches_the_disk_or_the_service() {
    let (Some(bus), true) = (Bus::start(), has_rrsync()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path());
    let answers = answers(folder.path());
    let asked = Asked::clone(&answers.asked);
    let _serving = bus.serve(answers);
    fs::write(folder.path().join("own"), "planted").unwrap();
    for args in [&["-r", "own", "h:"][..], &["-r", "h:../ledger.jsonl", "got/"]] {
        assert_ne!(pull(&bus, folder.path(), args).code, Some(0), "{args:?}");
    }
    for command in ["", "id", "sh -c id", "internal-sftp", "rsync --server -e.Lsf . ."] {
        let said = serve(&bus.address, &outbox, command);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{command}");
        assert!(said.err.contains("only pull what is on offer"), "{said:?}");
        assert_eq!(said.err.lines().count(), 1);
    }
    assert!(asked.lock().unwrap().is_empty());
    assert!(!folder.path().join("got").exists() && !outbox.join("own").exists());
}

#[test]
fn what_the_service_does_not_note_is_not_served() {
    let Some(bus) = Bus::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path());
    let command = "rsync --server --sender -re.iLsfxCIvu . manifest.jsonl";
    let without = serve(&bus.address, &outbox, command);
    assert_eq!((without.code, without.out.as_str()), (Some(75), ""), "{without:?}");
    assert!(without.err.contains("evscribed does not run"), "{without:?}");
    type Refuse = fn(String) -> Refusal;
    let later: [Refuse; 3] = [Refusal::Paused, Refusal::Failed, Refusal::Stopping];
    let never: Refuse = Refusal::Refused;
    for (refuse, code) in later.into_iter().map(|refuse| (refuse, 75)).chain([(never, 1)]) {
        let _serving = bus.serve(Answers { no_pull: Some(refuse), ..Answers::default() });
        let said = serve(&bus.address, &outbox, command);
        assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{said:?}");
        assert_eq!(said.err, "evscribe: pulls are paused\n");
    }
    let said = serve("unix:path=/nowhere", &outbox, command);
    assert_eq!(said.code, Some(75), "{said:?}");
}

#[test]
fn what_was_pulled_is_acknowledged_by_its_manifest() {
    let Some(bus) = Bus::start() else { return };
    let answers = Answers::default();
    let asked = Asked::clone(&answers.asked);
    let serving = bus.serve(answers);
    let said = serve(&bus.address, Path::new("/"), "evscribe-acknowledge ab12");
    assert_eq!((said.code, said.out.as_str()), (Some(0), "acknowledged: 7 files\n"));
    assert_eq!(*asked.lock().unwrap(), ["acknowledge lake ab12"]);
    drop(serving);
    let _serving = bus.serve(Answers { no_pull: Some(Refusal::Failed), ..Answers::default() });
    let said = serve(&bus.address, Path::new("/"), "evscribe-acknowledge ab12");
    assert_eq!((said.code, said.err.as_str()), (Some(1), "evscribe: no such manifest\n"));
}

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC6uZc+S2FqPhvQmU8RCg6hnHQAdPyUZ3i3GD9h1dAwX";

fn access(home: &Path, args: &[&str]) -> Said {
    let home = home.to_str().unwrap();
    said(&mut command([&["--json", "pull-access", "--home", home], args].concat()))
}

#[test]
fn who_may_pull_is_added_listed_and_removed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("lake.pub");
    fs::write(&file, format!("{KEY} me@lake\n")).unwrap();
    assert_eq!(access(home.path(), &["list"]).succeeds().json()["pullers"], serde_json::json!([]));
    let added = access(home.path(), &["add", file.to_str().unwrap(), "--name", "lake"]).succeeds();
    assert!(added.json()["hosts_line"].as_str().unwrap().starts_with("evscribe-pull@"));
    let text = fs::read_to_string(home.path().join(".ssh/authorized_keys")).unwrap();
    let program = env!("CARGO_BIN_EXE_evscribe");
    assert_eq!(text, format!("command=\"{program} serve-pull lake\",restrict {KEY} lake\n"));
    let listed = access(home.path(), &["list"]).succeeds().json();
    assert_eq!(listed["pullers"][0]["name"], "lake");
    assert_eq!(listed["pullers"][0]["fingerprint"], added.json()["fingerprint"]);
    access(home.path(), &["add", KEY, "--name", "other"]).fails_with("already, as lake");
    access(home.path(), &["add", KEY, "--name", "a b"]).fails_with("cannot be a puller's name");
    let injected = format!("{KEY}\nssh-ed25519 AAAA");
    access(home.path(), &["add", &injected, "--name", "x"]).fails_with("one line");
    access(home.path(), &["remove", "nobody"]).fails_with("nobody who may pull");
    access(home.path(), &["remove", "lake"]).succeeds();
    assert_eq!(fs::read_to_string(home.path().join(".ssh/authorized_keys")).unwrap(), "");
}
