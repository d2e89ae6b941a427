//! How a call on the bus becomes a request to the event loop, on behalf of whom
//! the bus says that calls.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_channel::{Sender, bounded};
use evscribe_sink::crypt::Keyring;
use evscribe_sink::{Dataset, SealedFile};
use mio::Waker;
use nix::unistd::User;
use zbus::Connection;
use zbus::message::Header;

use super::call::{Answer, Call, Outcome, Refusal, Request};
use super::files::Files;
use super::limits::Limits;
use super::polkit::{self, MANAGE_OTHERS};
use super::shown::Shown;

/// Longest text that is taken from a caller, bytes.
const TEXT_MAX: usize = 1_024;

/// Whom sshd lets pull.
const PULL_USER: &str = "evscribe-pull";

/// Hex digits of a SHA-256.
const SHA256_DIGITS: usize = 64;

/// What the bus serves; cloned for each connection.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(super) shown: Arc<Mutex<Shown>>,
    pub(super) limits: Arc<Mutex<Limits>>,
    /// To the event loop, which the waker wakes.
    pub(super) calls: Sender<Call>,
    pub(super) waker: Arc<Waker>,
    pub(super) places: Places,
    /// What opens the workstation's own files.
    pub(super) keyring: Keyring,
    pub(super) files: Files,
}

/// What is read for who asks.
#[derive(Clone, Default)]
pub(crate) struct Places {
    pub(crate) dataset: PathBuf,
    pub(crate) ledger: PathBuf,
    /// What is remembered of pulls.
    pub(crate) pulls: PathBuf,
    /// Who is served now: what a pull holds while it is.
    pub(crate) serving: PathBuf,
}

pub(super) type Reply<T> = Result<T, Refusal>;

/// Who calls.
struct Caller {
    uid: u32,
    name: String,
}

impl Collector {
    pub(super) fn shown(&self) -> Shown {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn caller(bus: &Connection, header: &Header<'_>) -> Reply<Caller> {
        let refused = || Refusal::Refused("the bus does not say who asks".into());
        let name = header.sender().ok_or_else(refused)?.to_string();
        let caller = name.as_str();
        let asked = bus.call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "GetConnectionUnixUser",
            &caller,
        );
        let uid = asked.await?.body().deserialize()?;
        Ok(Caller { uid, name })
    }

    /// Has the event loop answer.
    async fn ask(&self, uid: u32, request: Request) -> Outcome {
        if request.is_change() {
            self.permit(uid)?;
        }
        self.ask_permitted(uid, request).await
    }

    /// Takes one of the changes that this user may make now.
    fn permit(&self, uid: u32) -> Reply<()> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.take(uid, Instant::now()) {
            return Ok(());
        }
        Err(Refusal::Busy("too many requests at once: try again in a minute".into()))
    }

    async fn ask_permitted(&self, uid: u32, request: Request) -> Outcome {
        let gone = || Refusal::Stopping("the service is stopping; ask again when it runs".into());
        let (reply, answer) = bounded(1);
        self.calls.send(Call { uid, request, reply }).await.map_err(|_| gone())?;
        self.waker.wake().map_err(|_| gone())?;
        answer.recv().await.unwrap_or_else(|_| Err(gone()))
    }

    pub(super) async fn ask_as_caller(
        &self,
        bus: &Connection,
        header: &Header<'_>,
        request: Request,
    ) -> Outcome {
        let caller = Self::caller(bus, header).await?;
        self.ask(caller.uid, request).await
    }

    /// Everything up to now is on disk; returns the caller's pseudonyms.
    pub(super) async fn settled(
        &self,
        bus: &Connection,
        header: &Header<'_>,
    ) -> Reply<Vec<String>> {
        match self.ask_as_caller(bus, header, Request::Settle).await? {
            Answer::Subjects(subjects) => Ok(subjects),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) async fn files_of(&self, subjects: Vec<String>) -> Reply<Vec<SealedFile>> {
        let (dataset, keyring) = (self.places.dataset.clone(), self.keyring.clone());
        let read = move || Dataset::files_of(&dataset, &subjects, &keyring);
        self.files.read(read).await?.map_err(|error| Refusal::Failed(crate::gate::chain(&error)))
    }

    pub(super) async fn pulls_of(&self, subjects: Vec<String>) -> Reply<Vec<(String, i64, u64)>> {
        let pulls = self.places.pulls.clone();
        let read = move || evscribe_sink::pulls_of(&pulls, &subjects);
        let pulls = self.files.read(read).await?;
        let pulls = pulls.map_err(|error| Refusal::Failed(crate::gate::chain(&error)))?;
        Ok(pulls.into_iter().map(|by| (by.puller, by.last_us, by.files)).collect())
    }

    /// Notes that a pull begins. What is returned is held by whatever serves it: as
    /// long as it is, what comes on offer is noted for that puller, too.
    pub(super) async fn pull(
        &self,
        bus: &Connection,
        header: &Header<'_>,
        puller: String,
    ) -> Reply<(u32, File)> {
        let request = Request::NotePull { puller: puller.clone() };
        let uid = self.puller(bus, header, &request).await?;
        self.permit(uid)?;
        // Before the writer looks who is served, so that nothing comes in between.
        let serving = self.places.serving.clone();
        let begun = self.files.read(move || evscribe_sink::begin_pull(&serving, &puller)).await?;
        let pull = begun.map_err(|error| {
            Refusal::Failed(format!("it cannot be noted who pulls ({error}), so nothing is served"))
        })?;
        Ok((files(self.ask_permitted(uid, request).await)?, pull))
    }

    /// What a puller has.
    pub(super) async fn pulled(
        &self,
        bus: &Connection,
        header: &Header<'_>,
        request: Request,
    ) -> Reply<u32> {
        let uid = self.puller(bus, header, &request).await?;
        files(self.ask(uid, request).await)
    }

    /// Who calls, where it is root or the user whom sshd lets pull; nobody else is
    /// let ask that.
    async fn puller(&self, bus: &Connection, header: &Header<'_>, request: &Request) -> Reply<u32> {
        let caller = Self::caller(bus, header).await?;
        // Names of users may take a while to look up.
        let puller = self.files.read(|| User::from_name(PULL_USER)).await?;
        let is_puller = puller.ok().flatten().is_some_and(|user| user.uid.as_raw() == caller.uid);
        if !is_puller && caller.uid != 0 {
            let why = format!("only the user {PULL_USER} pulls, by `evscribe serve-pull`");
            return self.deny(caller.uid, request.name(), why).await;
        }
        Ok(caller.uid)
    }

    /// Refuses, which is written down.
    pub(super) async fn deny<T>(&self, uid: u32, what: &'static str, why: String) -> Reply<T> {
        let denied = self.ask(uid, Request::Denied { what, why }).await;
        denied.and_then(|other| Err(unexpected(&other)))
    }

    pub(super) async fn ask_for_others(
        &self,
        bus: &Connection,
        header: &Header<'_>,
        request: Request,
    ) -> Outcome {
        let caller = Self::caller(bus, header).await?;
        if !polkit::may(bus, &caller.name, caller.uid, MANAGE_OTHERS).await {
            let why = format!("this touches others: only who has {MANAGE_OTHERS} in polkit may");
            return self.deny(caller.uid, request.name(), why).await;
        }
        self.ask(caller.uid, request).await
    }
}

pub(super) fn unexpected(answer: &Answer) -> Refusal {
    Refusal::Failed(format!("the service answered something else: {answer:?}"))
}

pub(super) fn short(text: String) -> Reply<String> {
    if text.len() > TEXT_MAX {
        return Err(Refusal::Refused(format!("no text may be longer than {TEXT_MAX} bytes")));
    }
    Ok(text)
}

pub(super) fn puller(name: String) -> Reply<String> {
    if !evscribe_sink::is_puller(&name) {
        let why = "a puller's name is 1 to 32 of a-z, 0-9 and -";
        return Err(Refusal::Refused(why.into()));
    }
    Ok(name)
}

pub(super) fn sha256(hex: String) -> Reply<String> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if hex.len() != SHA256_DIGITS || !hex.bytes().all(is_digit) {
        return Err(Refusal::Refused("a SHA-256 has 64 digits, 0-9 and a-f".into()));
    }
    Ok(hex)
}

fn files(outcome: Outcome) -> Reply<u32> {
    match outcome? {
        Answer::Files(files) => Ok(files),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn done(outcome: Outcome) -> Reply<()> {
    match outcome? {
        Answer::Done => Ok(()),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn level(outcome: Outcome) -> Reply<String> {
    match outcome? {
        Answer::Level(level) => Ok(level),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn gone(outcome: Outcome) -> Reply<(u64, u32)> {
    match outcome? {
        Answer::Gone { rows, files } => Ok((rows, files)),
        other => Err(unexpected(&other)),
    }
}
