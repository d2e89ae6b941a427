//! `evscribe keys` as an administrator and a data team use it, below a folder.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says plainly what it expects"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Said, command, evscribe};
use tempfile::TempDir;

/// A system below a folder, and a place for what is not on it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.path("root/etc/evscribe").join(name)
    }

    /// `evscribe keys` there, with a host key of systemd's beside it.
    fn keys(&self, args: &[&str]) -> Said {
        let root = self.path("root");
        let mut keys = command(["keys", "--root", root.to_str().unwrap()]);
        let output =
            keys.args(args).env("SYSTEMD_CREDENTIAL_SECRET", self.host_key()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        self.keys(&[args, &["--json"]].concat()).succeeds().json()
    }

    fn host_key(&self) -> PathBuf {
        self.path("credential.secret")
    }

    /// Gives the machine a host key; false where systemd cannot.
    fn has_host_key(&self) -> bool {
        let setup = Command::new("systemd-creds")
            .arg("setup")
            .env("SYSTEMD_CREDENTIAL_SECRET", self.host_key())
            .output();
        setup.is_ok_and(|setup| setup.status.success())
    }

    /// A data team's key pair; returns the public one's file.
    fn team(&self, name: &str) -> PathBuf {
        let file = self.path(name);
        evscribe(["keys", "generate", file.to_str().unwrap(), "--name", name]).succeeds();
        self.path(&format!("{name}.pub"))
    }

    fn add(&self, key: &Path) -> Said {
        self.keys(&["add-recipient", key.to_str().unwrap()])
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_key_is_made_once_and_only_root_reads_it() {
    let desk = Desk::new();
    let made = desk.json(&["init"]);
    assert_eq!((&made["made"], &made["key"]["kept"]), (&true.into(), &"plain".into()));
    let key = fs::read(desk.etc("evscribe.key")).unwrap();
    assert_eq!((key.len(), mode(&desk.etc("evscribe.key"))), (32, 0o400));
    let again = desk.json(&["init"]);
    assert_eq!((&again["made"], &again["id"]), (&false.into(), &made["id"]));
    assert_eq!(fs::read(desk.etc("evscribe.key")).unwrap(), key);
}

#[test]
fn a_rotation_appends_and_keeps_every_older_secret() {
    let desk = Desk::new();
    let first = desk.json(&["init"])["id"].clone();
    let before = fs::read(desk.etc("evscribe.key")).unwrap();
    let second = desk.json(&["rotate"]);
    assert_eq!(second["secrets"], 2);
    assert_ne!(second["id"], first);
    let after = fs::read(desk.etc("evscribe.key")).unwrap();
    assert_eq!((after.len(), &after[..32]), (64, before.as_slice()));
    assert_eq!(mode(&desk.etc("evscribe.key")), 0o400);
    let listed = desk.json(&["list"])["workstation"].clone();
    assert_eq!((&listed["id"], &listed["older"][0]), (&second["id"], &first));
}

#[test]
fn a_data_team_makes_a_pair_that_nothing_overwrites() {
    let desk = Desk::new();
    let public = desk.team("team");
    assert_eq!((mode(&desk.path("team")), mode(&public)), (0o600, 0o644));
    let text = fs::read_to_string(desk.path("team")).unwrap();
    assert!(text.starts_with("EVSCRIBE-SECRET-KEY-1 "), "{text}");
    let text = fs::read_to_string(&public).unwrap();
    assert!(text.starts_with("evscribe-recipient-1:") && text.ends_with(" team\n"), "{text}");
    let team = desk.path("team");
    evscribe(["keys", "generate", team.to_str().unwrap()]).fails_with("never overwritten");
    fs::remove_file(&team).unwrap();
    evscribe(["keys", "generate", team.to_str().unwrap()]).fails_with("team.pub exists");
    assert!(!team.exists());
}

#[test]
fn recipients_come_and_go_and_comments_stay() {
    let desk = Desk::new();
    let (one, two) = (desk.team("one"), desk.team("two"));
    desk.add(&one).succeeds();
    let text = fs::read_to_string(desk.etc("recipients")).unwrap();
    fs::write(desk.etc("recipients"), format!("{text}# until March:")).unwrap();
    let key = fs::read_to_string(&two).unwrap();
    let bare = key.split_once(' ').unwrap().0;
    desk.keys(&["add-recipient", bare, "--name", "the others"]).succeeds();
    let listed = desk.json(&["list"])["recipients"].clone();
    assert_eq!((&listed[0]["name"], &listed[1]["name"]), (&"one".into(), &"the others".into()));
    assert_eq!(mode(&desk.etc("recipients")), 0o644);
    let id = listed[0]["id"].as_str().unwrap();
    desk.keys(&["remove-recipient", id]).succeeds();
    let text = fs::read_to_string(desk.etc("recipients")).unwrap();
    assert!(text.contains("\n# until March:\n") && !text.contains(" one\n"), "{text}");
    desk.keys(&["remove-recipient", id]).fails_with("nothing was changed; there are: ");
    let other = listed[1]["id"].as_str().unwrap();
    let said = desk.keys(&["remove-recipient", other]).succeeds();
    assert!(said.out.contains("readable only on this workstation"), "{said:?}");
}

#[test]
fn the_service_reads_the_list_whatever_umask_an_administrator_has() {
    let desk = Desk::new();
    let (team, root) = (desk.team("team"), desk.path("root"));
    let said = Command::new("sh")
        .args(["-c", "umask 077; \"$@\"", "sh", env!("CARGO_BIN_EXE_evscribe"), "keys", "--root"])
        .args([root.as_os_str(), "add-recipient".as_ref(), team.as_os_str()])
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    let list = desk.etc("recipients");
    assert_eq!((mode(&list), mode(list.parent().unwrap())), (0o644, 0o755));
}

#[test]
fn what_is_no_public_key_is_refused_and_named() {
    let desk = Desk::new();
    let team = desk.team("team");
    desk.add(&team).succeeds();
    let before = fs::read(desk.etc("recipients")).unwrap();
    let two = desk.path("two");
    fs::write(&two, fs::read_to_string(&team).unwrap().repeat(2)).unwrap();
    fs::write(desk.path("empty"), "# nothing\n").unwrap();
    desk.json(&["init"]);
    let own = desk.etc("evscribe.key");
    desk.add(&team).fails_with("is a recipient already");
    desk.add(&desk.path("team")).fails_with("holds a secret key, which belongs on no workstation");
    desk.add(&two).fails_with("more than one key");
    desk.add(&desk.path("empty")).fails_with("holds no key");
    desk.add(&desk.path("missing")).fails_with("neither a public key");
    desk.add(desk.folder.path()).fails_with("is no file of a public key");
    desk.add(&own).fails_with("evscribe.key");
    let secret = fs::read_to_string(desk.path("team")).unwrap();
    let said = desk.keys(&["add-recipient", secret.trim()]).fails_with("that is a secret key");
    assert!(!said.err.contains(secret.trim().split_once(' ').unwrap().1), "{said:?}");
    desk.keys(&["add-recipient", "evscribe-recipient-1:short"]).fails_with("no public key");
    let low = format!("evscribe-recipient-1:{}", "A".repeat(43));
    desk.keys(&["add-recipient", &low]).fails_with("nobody can hold");
    let key = fs::read_to_string(&team).unwrap();
    let bare = key.split_once(' ').unwrap().0;
    desk.keys(&["add-recipient", bare, "--name", "a\nevscribe-recipient-1:b"])
        .fails_with("control");
    assert_eq!(fs::read(desk.etc("recipients")).unwrap(), before);
}

#[test]
fn a_key_is_sealed_moved_and_rotated_and_stays_the_same_key() {
    let desk = Desk::new();
    if !desk.has_host_key() {
        println!("SKIPPED: systemd-creds of systemd 250 or newer is not here");
        return;
    }
    let first = desk.json(&["init"])["id"].clone();
    let plain = fs::read(desk.etc("evscribe.key")).unwrap();
    let sealed = desk.json(&["init", "--keep-as", "sealed"]);
    assert_eq!((&sealed["moved"], &sealed["id"]), (&true.into(), &first));
    assert_eq!(sealed["key"]["sealed_by"], "host_key");
    assert!(!desk.etc("evscribe.key").exists());
    let drop_in = desk.path("root/etc/systemd/system/evscribed.service.d/50-evscribe-key.conf");
    assert!(
        fs::read_to_string(&drop_in).unwrap().contains("LoadCredentialEncrypted=evscribe.key:")
    );
    let credential = fs::read(desk.etc("evscribe.key.cred")).unwrap();
    assert!(!credential.windows(8).any(|window| plain.windows(8).any(|key| key == window)));
    let rotated = desk.json(&["rotate"]);
    assert_eq!((&rotated["secrets"], &rotated["key"]), (&2.into(), &sealed["key"]));
    assert!(desk.json(&["init"])["moved"] == false);
    let back = desk.json(&["init", "--keep-as", "plain"]);
    assert_eq!((&back["id"], &back["key"]["kept"]), (&rotated["id"], &"plain".into()));
    assert!(!drop_in.exists() && !desk.etc("evscribe.key.cred").exists());
    assert_eq!(fs::read(desk.etc("evscribe.key")).unwrap()[..32], plain);
}

#[test]
fn a_kill_while_a_key_is_moved_leaves_one_that_the_next_init_settles() {
    let desk = Desk::new();
    if !desk.has_host_key() {
        println!("SKIPPED: systemd-creds of systemd 250 or newer is not here");
        return;
    }
    let id = desk.json(&["init"])["id"].clone();
    let (key, credential) = (desk.etc("evscribe.key"), desk.etc("evscribe.key.cred"));
    let bytes = fs::read(&key).unwrap();
    desk.json(&["init", "--keep-as", "sealed"]);
    let drop_in = desk.path("root/etc/systemd/system/evscribed.service.d/50-evscribe-key.conf");
    // After the drop-in, before the file went.
    fs::write(&key, &bytes).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(desk.keys(&["check"]).fails_with("").out.contains("is kept twice"));
    assert_eq!(desk.json(&["init"])["id"], id);
    assert!(!key.exists() && credential.exists() && drop_in.exists());
    // Before the drop-in: the file counts.
    fs::write(&key, &bytes).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    fs::remove_file(&drop_in).unwrap();
    assert_eq!(desk.json(&["init"])["key"]["kept"], "plain");
    assert!(key.exists() && !credential.exists());
    // Another key is never taken away.
    desk.json(&["init", "--keep-as", "sealed"]);
    fs::write(&key, [7; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    desk.keys(&["init"]).fails_with("another key");
    desk.keys(&["rotate"]).fails_with("another key");
    assert_eq!(fs::read(&key).unwrap(), [7; 32]);
}

#[test]
fn what_was_sealed_elsewhere_is_said_with_the_way_out() {
    let desk = Desk::new();
    if !desk.has_host_key() {
        println!("SKIPPED: systemd-creds of systemd 250 or newer is not here");
        return;
    }
    desk.json(&["init", "--keep-as", "sealed"]);
    fs::remove_file(desk.host_key()).unwrap();
    assert!(desk.has_host_key());
    desk.keys(&["rotate"]).fails_with("cannot be opened here");
    let said = desk.keys(&["check"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("cannot be opened here"), "{said:?}");
}

#[test]
fn check_says_what_is_wrong_with_the_list() {
    let desk = Desk::new();
    desk.json(&["init"]);
    let good = desk.keys(&["check"]).succeeds();
    assert!(good.out.contains("everything is in order"), "{good:?}");
    desk.add(&desk.team("team")).succeeds();
    let list = desk.etc("recipients");
    fs::set_permissions(&list, fs::Permissions::from_mode(0o666)).unwrap();
    let said = desk.keys(&["check", "--json"]);
    assert_eq!(said.code, Some(1));
    assert!(said.json()["problems"][0].as_str().unwrap().contains("can be written by others"));
    fs::set_permissions(&list, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&list, "# ours\nnonsense\n").unwrap();
    let said = desk.keys(&["check"]);
    assert!(said.code == Some(1) && said.out.contains("line 2"), "{said:?}");
    // And what cannot be read is not written over.
    desk.add(&desk.team("other")).fails_with("line 2");
    assert_eq!(fs::read_to_string(&list).unwrap(), "# ours\nnonsense\n");
}

#[test]
fn check_says_who_opens_which_files() {
    let desk = Desk::new();
    desk.json(&["init"]);
    let own = desk.json(&["list"])["workstation"]["public"].as_str().unwrap().to_owned();
    let (team, gone) = (desk.team("team"), desk.team("gone"));
    desk.add(&team).succeeds();
    let dataset = desk.path("dataset");
    let import = |recording: &str, recipients: &[&Path]| {
        let own = own.as_str();
        let named = recipients.iter().flat_map(|key| ["--recipient", key.to_str().unwrap()]);
        let args: Vec<_> = ["import", "--out", dataset.to_str().unwrap(), "--recipient", own]
            .into_iter()
            .chain(named)
            .collect();
        let file = support::recording(recording);
        evscribe([&args[..], &[file.to_str().unwrap()]].concat()).succeeds();
    };
    import("mouse.evemu", &[&team]);
    import("keyboard.evemu", &[&gone]);
    let said = desk.json(&["check", "--dataset", dataset.to_str().unwrap()]);
    let listed = desk.json(&["list"]);
    let (own, team) = (&listed["workstation"]["id"], &listed["recipients"][0]["id"]);
    let by_key = said["files_by_key"].as_object().unwrap();
    let of = |id: &serde_json::Value| by_key[id.as_str().unwrap()].as_u64().unwrap();
    assert_eq!(by_key.len(), 3);
    assert_eq!(of(own), said["encrypted_files"].as_u64().unwrap());
    let others = said["for_others"].as_object().unwrap();
    assert_eq!(others.len(), 1);
    assert!(!others.contains_key(team.as_str().unwrap()));
    assert_eq!(said["for_no_recipient"].as_u64().unwrap(), of(own) - of(team));
    assert_eq!(said["plain_files"], 0);
    // After a rotation all of it still opens; with another key nothing does.
    desk.json(&["rotate"]);
    desk.keys(&["check", "--dataset", dataset.to_str().unwrap()]).succeeds();
    fs::remove_file(desk.etc("evscribe.key")).unwrap();
    desk.json(&["init"]);
    let said = desk.keys(&["check", "--dataset", dataset.to_str().unwrap()]);
    assert_eq!(said.code, Some(1));
    assert_eq!(said.out.matches("does not open here: ").count(), 6, "{said:?}");
}
