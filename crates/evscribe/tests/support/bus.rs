//! A system bus of its own, and on it something that answers as the service
//! does, from a dataset that lies there. What the service really does is shown
//! in the guest; here it is what the command makes of the answers.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use evscribe_sink::crypt::{self, Keyring};
use serde_json::Value;
use tempfile::TempDir;
use zbus::{Connection, DBusError, OwnedFd, Variant, block_on, connection, interface};

/// A bus, for as long as it is held.
pub(crate) struct Bus {
    daemon: Child,
    pub(crate) address: String,
    _folder: TempDir,
}

impl Bus {
    /// Starts one; `None` where this machine has no dbus-daemon.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("unix:path={}", folder.path().join("bus").display());
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address", "--address", &address])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut daemon) = daemon else {
            eprintln!("SKIPPED: this machine has no dbus-daemon");
            return None;
        };
        // It prints the address once it listens there.
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("unix:"), "{line}");
        Some(Self { daemon, address, _folder: folder })
    }

    /// Answers on it until what it returns is dropped.
    pub(crate) fn serve(&self, answers: Answers) -> Connection {
        let serve = connection::Builder::address(self.address.as_str())
            .serve_at("/org/evscribe/Collector1", answers)
            .name("org.evscribe.Collector1")
            .build();
        block_on(serve).unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[derive(Debug, DBusError)]
#[zbus(prefix = "org.evscribe.Error")]
pub(crate) enum Refusal {
    #[zbus(error)]
    Bus(zbus::Error),
    Refused(String),
    Failed(String),
    Stopping(String),
    Paused(String),
}

/// What is asked, in order, as the tests compare it.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// What answers.
#[derive(Clone, Default)]
pub(crate) struct Answers {
    pub(crate) asked: Asked,
    pub(crate) standing: &'static str,
    pub(crate) dataset: PathBuf,
    /// The only table of which files are listed; none: all.
    pub(crate) only: &'static str,
    /// A file whose bytes are another's.
    pub(crate) swapped: bool,
    /// Forgetting never answers.
    pub(crate) hangs: bool,
    /// Forgetting ends so at the first request.
    pub(crate) first: Option<fn(String) -> Refusal>,
    /// Told when a second file is asked for, which never comes.
    pub(crate) second_file: Option<std::sync::mpsc::Sender<()>>,
    /// Pulling is refused so.
    pub(crate) no_pull: Option<fn(String) -> Refusal>,
    /// Where it is held that somebody is served.
    pub(crate) serving: PathBuf,
    /// Told when forgetting was asked for.
    pub(crate) forgetting: Option<std::sync::mpsc::Sender<()>>,
}

impl Answers {
    fn took(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

/// The files of a dataset, as its manifest lists them.
fn listed(dataset: &Path) -> Vec<(String, u64, String)> {
    let manifest = fs::read_to_string(dataset.join("manifest.jsonl")).unwrap();
    let lines = manifest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let sealed = lines.filter(|line| line["op"] == "sealed");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    sealed
        .map(|line| (text(&line["path"]), line["bytes"].as_u64().unwrap(), text(&line["sha256"])))
        .collect()
}

#[interface(name = "org.evscribe.Collector1", introspection_docs = false)]
impl Answers {
    #[zbus(out_args("version", "sha256", "text"))]
    async fn notice(&self) -> Result<(String, String, String), Refusal> {
        Ok(("3".into(), "aa".into(), "Your input is recorded.\n".into()))
    }
    async fn notice_shown(&self, version: String, sha256: String) -> Result<(), Refusal> {
        self.took(format!("shown {version} {sha256}"));
        Ok(())
    }
    async fn acknowledge(
        &self,
        version: String,
        sha256: String,
        keys: String,
        pointer: String,
    ) -> Result<String, Refusal> {
        self.took(format!("acknowledge {version} {sha256} {keys:?} {pointer:?}"));
        if keys == "full" {
            return Err(Refusal::Refused("the ceiling here is class: ask for less".into()));
        }
        Ok("keys=class pointer=full".into())
    }
    async fn set_level(&self, keys: String, pointer: String) -> Result<String, Refusal> {
        self.took(format!("level {keys:?} {pointer:?}"));
        Ok(format!("keys={keys} pointer={pointer}"))
    }
    async fn opt_out(&self, erase: bool) -> Result<(u64, u32), Refusal> {
        self.took(format!("opt-out {erase}"));
        Ok((7, 2))
    }
    async fn pause(&self, seconds: u64) -> Result<i64, Refusal> {
        self.took(format!("pause {seconds}"));
        Ok(if seconds == 0 { i64::MAX } else { 1_000_000 })
    }
    async fn resume(&self) -> Result<(), Refusal> {
        self.took("resume".into());
        Ok(())
    }
    async fn forget(&self, from_us: i64, until_us: i64) -> Result<(u64, u32), Refusal> {
        self.took(format!("forget {from_us} {until_us}"));
        let is_first = self.asked.lock().unwrap().len() == 1;
        if let Some(refusal) = self.first.filter(|_| is_first) {
            return Err(refusal("3 rows are gone, the rest is not".into()));
        }
        if let Some(forgetting) = &self.forgetting {
            forgetting.send(()).unwrap();
        }
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Ok((12, 1))
    }
    async fn me(&self) -> Result<HashMap<&'static str, Variant<'static>>, Refusal> {
        Ok(HashMap::from([
            ("uid", 0_u32.into()),
            ("standing", self.standing.into()),
            ("notice", "3".into()),
            ("acknowledged_at", 1_000_000_i64.into()),
            ("level", "keys=class pointer=full".into()),
            ("paused_until", 0_i64.into()),
            ("notice_due", false.into()),
            ("subjects", vec!["s1".to_owned()].into()),
            ("files", 3_u32.into()),
            ("bytes", 2048_u64.into()),
            ("pulls", vec![("lake".to_owned(), 1_000_000_i64, 2_u64)].into()),
        ]))
    }
    async fn note_pull(&self, name: String) -> Result<(u32, OwnedFd), Refusal> {
        self.took(format!("note {name}"));
        if let Some(refusal) = self.no_pull {
            return Err(refusal("pulls are paused".into()));
        }
        let pull = evscribe_sink::begin_pull(&self.serving, &name);
        let pull = pull.map_err(|error| Refusal::Failed(error.to_string()))?;
        Ok((1, std::os::fd::OwnedFd::from(pull).into()))
    }
    async fn acknowledge_pull(&self, name: String, sha256: String) -> Result<u32, Refusal> {
        self.took(format!("acknowledge {name} {sha256}"));
        self.no_pull.map_or(Ok(7), |refusal| Err(refusal("no such manifest".into())))
    }
    async fn my_files(&self) -> Result<Vec<(String, u64, String)>, Refusal> {
        let mut files = listed(&self.dataset);
        files.retain(|file| file.0.starts_with(self.only));
        Ok(files)
    }
    async fn open_my_file(&self, path: String) -> Result<(OwnedFd, Vec<u8>), Refusal> {
        self.took(format!("open {path}"));
        let is_first = self.asked.lock().unwrap().len() == 1;
        if let Some(second_file) = self.second_file.as_ref().filter(|_| !is_first) {
            second_file.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        let files = listed(&self.dataset);
        let other = files.iter().map(|file| &file.0).find(|other| **other != path).unwrap();
        let path = if self.swapped { other } else { &path };
        let file = fs::File::open(self.dataset.join(path));
        let mut file = file.map_err(|error| Refusal::Failed(error.to_string()))?;
        let keys = Keyring::from_files(&[crate::support::team()]).unwrap();
        let key = crypt::data_key_of(&mut file, path, &keys).unwrap();
        file.rewind().unwrap();
        let key = key.map(|key| key.as_bytes().to_vec()).unwrap_or_default();
        Ok((std::os::fd::OwnedFd::from(file).into(), key))
    }
    async fn my_ledger(&self) -> Result<Vec<String>, Refusal> {
        Ok(vec![
            r#"{"n":1,"at":"2026-11-23T09:00:00Z","fact":"started","prev":"","hash":""}"#.into(),
        ])
    }
    #[zbus(out_args("whole", "words"))]
    async fn verify_ledger(&self) -> Result<(bool, String), Refusal> {
        Ok((false, "line 7 was changed".into()))
    }
    async fn erase_of(&self, uid: u32) -> Result<(u64, u32), Refusal> {
        Err(Refusal::Refused(format!("this touches {uid}: only who may")))
    }
    async fn hold_all(&self, hold: bool, why: String) -> Result<(), Refusal> {
        self.took(format!("hold {hold} {why}"));
        Ok(())
    }

    #[zbus(property)]
    fn state(&self) -> String {
        "waiting".into()
    }
    #[zbus(property)]
    fn reason(&self) -> String {
        "the screen is locked".into()
    }
    #[zbus(property)]
    fn since(&self) -> i64 {
        1_000_000
    }
    #[zbus(property)]
    fn level(&self) -> String {
        "off".into()
    }
    #[zbus(property)]
    fn controller(&self) -> String {
        "Example Ltd".into()
    }
    #[zbus(property)]
    fn contact(&self) -> String {
        "privacy@example.org".into()
    }
    #[zbus(property)]
    fn purpose(&self) -> String {
        "how forms are filled in".into()
    }
    #[zbus(property)]
    fn lawful_basis(&self) -> Vec<String> {
        vec!["contract".into()]
    }
    #[zbus(property)]
    fn relationship(&self) -> String {
        "study".into()
    }
    #[zbus(property)]
    fn notice_version(&self) -> String {
        "3".into()
    }
    #[zbus(property)]
    fn notice_sha256(&self) -> String {
        "aa".into()
    }
    #[zbus(property)]
    fn policy_sha256(&self) -> String {
        "bb".into()
    }
    #[zbus(property)]
    fn policy_error(&self) -> String {
        String::new()
    }
    #[zbus(property)]
    fn dataset(&self) -> String {
        "/var/lib/evscribe/dataset".into()
    }
    #[zbus(property)]
    fn retention_days(&self) -> u32 {
        30
    }
    #[zbus(property)]
    fn cooling_off_hours(&self) -> u32 {
        0
    }
    #[zbus(property)]
    fn at_rest(&self) -> String {
        "encrypted".into()
    }
    #[zbus(property)]
    fn recipients(&self) -> Vec<(String, String)> {
        vec![("00ff00ff00ff00ff".into(), "data team".into())]
    }
    #[zbus(property)]
    fn pulls_paused(&self) -> String {
        String::new()
    }
    #[zbus(property)]
    fn losses_today(&self) -> u64 {
        0
    }
    #[zbus(property)]
    fn open_devices(&self) -> u32 {
        0
    }
}
