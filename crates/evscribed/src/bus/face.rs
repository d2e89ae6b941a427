//! `org.evscribe.Collector1`: what everybody may see, and what each person may
//! ask for themselves. systemd/org.evscribe.Collector1.xml is the same for tools.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Seek;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use evscribe_sink::crypt::{self, Keyring};
use evscribe_sink::ledger;
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use zbus::message::Header;
use zbus::{Connection, OwnedFd, Variant, interface};

use super::ask::{Collector, done, gone, level, puller, sha256, short, unexpected};
use super::call::{Answer, Me, Refusal, Request};

#[interface(name = "org.evscribe.Collector1", introspection_docs = false)]
impl Collector {
    /// The current notice: version, SHA-256 of its text, text.
    #[zbus(out_args("version", "sha256", "text"))]
    async fn notice(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(String, String, String), Refusal> {
        match self.ask_as_caller(bus, &header, Request::Notice).await? {
            Answer::Notice { version, sha256, text } => Ok((version, sha256, text)),
            other => Err(unexpected(&other)),
        }
    }

    /// The caller was shown that notice.
    async fn notice_shown(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        version: String,
        sha256: String,
    ) -> Result<(), Refusal> {
        let request = Request::NoticeShown { version: short(version)?, sha256: short(sha256)? };
        done(self.ask_as_caller(bus, &header, request).await)
    }

    /// The caller acknowledges that notice, at a level of their choice.
    #[zbus(out_args("level"))]
    async fn acknowledge(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        version: String,
        sha256: String,
        keys: String,
        pointer: String,
    ) -> Result<String, Refusal> {
        let request = Request::Acknowledge {
            version: short(version)?,
            sha256: short(sha256)?,
            keys: short(keys)?,
            pointer: short(pointer)?,
        };
        level(self.ask_as_caller(bus, &header, request).await)
    }

    /// From now on no more than this is kept of the caller.
    #[zbus(out_args("level"))]
    async fn set_level(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        keys: String,
        pointer: String,
    ) -> Result<String, Refusal> {
        let request = Request::SetLevel { keys: short(keys)?, pointer: short(pointer)? };
        level(self.ask_as_caller(bus, &header, request).await)
    }

    /// The caller is not recorded any more; with `erase`, what is here goes.
    #[zbus(out_args("rows", "files"))]
    async fn opt_out(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        erase: bool,
    ) -> Result<(u64, u32), Refusal> {
        gone(self.ask_as_caller(bus, &header, Request::OptOut { erase }).await)
    }

    /// Nothing of the caller is read for so many seconds; 0: until they resume.
    #[zbus(out_args("until"))]
    async fn pause(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        seconds: u64,
    ) -> Result<i64, Refusal> {
        match self.ask_as_caller(bus, &header, Request::Pause { seconds }).await? {
            Answer::Until(until_us) => Ok(until_us),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends the caller's pause.
    async fn resume(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), Refusal> {
        done(self.ask_as_caller(bus, &header, Request::Resume).await)
    }

    /// What was recorded of the caller in that span goes; microseconds since 1970.
    #[zbus(out_args("rows", "files"))]
    async fn forget(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        from_us: i64,
        until_us: i64,
    ) -> Result<(u64, u32), Refusal> {
        gone(self.ask_as_caller(bus, &header, Request::Forget { from_us, until_us }).await)
    }

    /// How the caller stands.
    #[zbus(out_args("standing"))]
    async fn me(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<HashMap<&'static str, Variant<'static>>, Refusal> {
        let Me {
            uid,
            standing,
            why,
            notice,
            acknowledged_at_us,
            level,
            paused_until_us,
            notice_due,
            subjects,
        } = match self.ask_as_caller(bus, &header, Request::Me).await? {
            Answer::Me(me) => *me,
            other => return Err(unexpected(&other)),
        };
        let files = self.files_of(subjects.clone()).await?;
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let pulls = self.pulls_of(subjects.clone()).await?;
        Ok(HashMap::from([
            ("uid", uid.into()),
            ("standing", standing.into()),
            ("why", why.into()),
            ("notice", notice.into()),
            ("acknowledged_at", acknowledged_at_us.into()),
            ("level", level.into()),
            ("paused_until", paused_until_us.into()),
            ("notice_due", notice_due.into()),
            ("subjects", subjects.into()),
            ("files", u32::try_from(files.len()).unwrap_or(u32::MAX).into()),
            ("bytes", bytes.into()),
            ("pulls", pulls.into()),
        ]))
    }

    /// The caller's sealed files: path in the dataset, bytes, SHA-256.
    #[zbus(out_args("files"))]
    async fn my_files(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<(String, u64, String)>, Refusal> {
        let subjects = self.settled(bus, &header).await?;
        let files = self.files_of(subjects).await?;
        let bytes = files.iter().map(|file| file.bytes).sum();
        let exported = Request::Exported { files: files.len() as u64, bytes };
        done(self.ask_as_caller(bus, &header, exported).await)?;
        Ok(files.into_iter().map(|file| (file.path, file.bytes, file.sha256)).collect())
    }

    /// One of the caller's files, open for reading, and the key of that file
    /// alone; empty where it is plain.
    #[zbus(out_args("file", "key"))]
    async fn open_my_file(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        path: String,
    ) -> Result<(OwnedFd, Vec<u8>), Refusal> {
        let path = short(path)?;
        let Me { uid, subjects, .. } = match self.ask_as_caller(bus, &header, Request::Me).await? {
            Answer::Me(me) => *me,
            other => return Err(unexpected(&other)),
        };
        if !self.files_of(subjects).await?.iter().any(|file| file.path == path) {
            let why = "this is no file of yours: MyFiles lists them".into();
            return self.deny(uid, "OpenMyFile", why).await;
        }
        let (dataset, keyring) = (self.places.dataset.clone(), self.keyring.clone());
        let (file, key) = self.files.read(move || open(&dataset, &path, &keyring)).await??;
        Ok((std::os::fd::OwnedFd::from(file).into(), key))
    }

    /// What the ledger says about the caller and about everybody.
    #[zbus(out_args("lines"))]
    async fn my_ledger(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<String>, Refusal> {
        let subjects = self.settled(bus, &header).await?;
        let path = self.places.ledger.clone();
        let lines = self.files.read(move || ledger::lines_of(&path, &subjects)).await?;
        lines.map_err(|error| Refusal::Failed(crate::gate::chain(&error)))
    }

    /// Whether the ledger is whole, and in words what was found.
    #[zbus(out_args("whole", "words"))]
    async fn verify_ledger(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(bool, String), Refusal> {
        self.settled(bus, &header).await?;
        let (ledger, dataset) = (self.places.ledger.clone(), self.places.dataset.clone());
        let keyring = self.keyring.clone();
        let verify = move || ledger::verify_with_dataset(&ledger, &dataset, &keyring);
        Ok(match self.files.read(verify).await? {
            Ok(verified) => (true, verified.to_string()),
            Err(fault) => (false, fault.to_string()),
        })
    }

    /// What was recorded of that user goes, on their behalf.
    #[zbus(out_args("rows", "files"))]
    async fn erase_of(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        uid: u32,
    ) -> Result<(u64, u32), Refusal> {
        gone(self.ask_for_others(bus, &header, Request::EraseOf { uid }).await)
    }

    /// Nobody is recorded until this is taken back.
    async fn hold_all(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        hold: bool,
        why: String,
    ) -> Result<(), Refusal> {
        let request = Request::HoldAll { hold, why: short(why)? };
        done(self.ask_for_others(bus, &header, request).await)
    }

    /// That puller is about to take what is on offer; returns how many files, and
    /// what is to be held as long as they are served.
    #[zbus(out_args("files", "pull"))]
    async fn note_pull(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        name: String,
    ) -> Result<(u32, OwnedFd), Refusal> {
        let (files, pull) = self.pull(bus, &header, puller(name)?).await?;
        Ok((files, std::os::fd::OwnedFd::from(pull).into()))
    }

    /// That puller has, verified, what that manifest lists; returns how many files
    /// of it are here still.
    #[zbus(out_args("files"))]
    async fn acknowledge_pull(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
        name: String,
        manifest_sha256: String,
    ) -> Result<u32, Refusal> {
        let request =
            Request::AcknowledgePull { puller: puller(name)?, sha256: sha256(manifest_sha256)? };
        self.pulled(bus, &header, request).await
    }

    #[zbus(property)]
    fn state(&self) -> String {
        self.shown().state.into()
    }
    #[zbus(property)]
    fn reason(&self) -> String {
        self.shown().reason
    }
    #[zbus(property)]
    fn since(&self) -> i64 {
        self.shown().since_us
    }
    #[zbus(property)]
    fn level(&self) -> String {
        self.shown().level
    }
    #[zbus(property)]
    fn controller(&self) -> String {
        self.shown().controller
    }
    #[zbus(property)]
    fn contact(&self) -> String {
        self.shown().contact
    }
    #[zbus(property)]
    fn purpose(&self) -> String {
        self.shown().purpose
    }
    #[zbus(property)]
    fn lawful_basis(&self) -> Vec<String> {
        self.shown().lawful_basis
    }
    #[zbus(property)]
    fn relationship(&self) -> String {
        self.shown().relationship
    }
    #[zbus(property)]
    fn notice_version(&self) -> String {
        self.shown().notice_version
    }
    #[zbus(property)]
    fn notice_sha256(&self) -> String {
        self.shown().notice_sha256
    }
    #[zbus(property)]
    fn policy_sha256(&self) -> String {
        self.shown().policy_sha256
    }
    #[zbus(property)]
    fn policy_error(&self) -> String {
        self.shown().policy_error
    }
    #[zbus(property)]
    fn dataset(&self) -> String {
        self.shown().dataset
    }
    #[zbus(property)]
    fn retention_days(&self) -> u32 {
        self.shown().retention_days
    }
    #[zbus(property)]
    fn cooling_off_hours(&self) -> u32 {
        self.shown().cooling_off_hours
    }
    #[zbus(property)]
    fn at_rest(&self) -> String {
        self.shown().at_rest
    }
    #[zbus(property)]
    fn recipients(&self) -> Vec<(String, String)> {
        self.shown().recipients
    }
    #[zbus(property)]
    fn pulls_paused(&self) -> String {
        self.shown().pulls_paused
    }
    #[zbus(property)]
    fn losses_today(&self) -> u64 {
        self.shown().losses_today
    }
    #[zbus(property)]
    fn open_devices(&self) -> u32 {
        self.shown().open_devices
    }
}

/// A sealed file, at its beginning, and its key.
fn open(dataset: &Path, path: &str, keyring: &Keyring) -> Result<(File, Vec<u8>), Refusal> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(dataset.join(path));
    let unread = |error| Refusal::Failed(format!("{path} cannot be opened: {error}"));
    let mut file = opened.map_err(unread)?;
    let key = crypt::data_key_of(&mut file, path, keyring)
        .map_err(|error| Refusal::Failed(format!("{path}: {}", crate::gate::chain(&error))))?;
    // Who gets it reads on from where this stopped.
    file.rewind().map_err(unread)?;
    Ok((file, key.map(|key| key.as_bytes().to_vec()).unwrap_or_default()))
}
