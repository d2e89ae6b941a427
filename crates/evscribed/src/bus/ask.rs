//! How a call on the bus becomes a request to the event loop, on behalf of whom
//! the bus says that calls.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_channel::{Sender, bounded};
use evscribe_sink::crypt::Keyring;
use evscribe_sink::{Dataset, SealedFile};
use mio::Waker;
use zbus::Connection;
use zbus::message::Header;

use super::call::{Answer, Call, Outcome, Refusal, Request};
use super::files::Files;
use super::limits::Limits;
use super::polkit::{self, MANAGE_OTHERS};
use super::shown::Shown;

/// Longest text that is taken from a caller, bytes.
const TEXT_MAX: usize = 1_024;

/// What the bus serves; cloned for each connection.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(super) shown: Arc<Mutex<Shown>>,
    pub(super) limits: Arc<Mutex<Limits>>,
    /// To the event loop, which the waker wakes.
    pub(super) calls: Sender<Call>,
    pub(super) waker: Arc<Waker>,
    pub(super) dataset: PathBuf,
    /// What opens the workstation's own files.
    pub(super) keyring: Keyring,
    pub(super) ledger: PathBuf,
    pub(super) files: Files,
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
            let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
            if !limits.take(uid, Instant::now()) {
                return Err(Refusal::Busy(
                    "too many requests at once: try again in a minute".into(),
                ));
            }
        }
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
        let (dataset, keyring) = (self.dataset.clone(), self.keyring.clone());
        let read = move || Dataset::files_of(&dataset, &subjects, &keyring);
        self.files.read(read).await?.map_err(|error| Refusal::Failed(crate::gate::chain(&error)))
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
