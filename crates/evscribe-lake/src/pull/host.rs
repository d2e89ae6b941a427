//! One host, from its lists to its acknowledgement:
//!
//! | step | after a kill there |
//! |---|---|
//! | manifest and tombstones fetched | again, as far as they changed |
//! | what is forgotten taken out of the lake (`forgetting`), then written down | done again, finds it gone |
//! | files fetched into the stage, a portion at a time | any byte that arrived is used again |
//! | checked, placed in the lake, then written down | from the stage: placed again, the same |
//! | acknowledged, then written down | acknowledged again, which is harmless |
//!
//! A file that is not as the manifest says may have changed since: the lists are
//! fetched once more, and it is judged by what they say then.

use std::collections::BTreeMap;
use std::sync::Arc;

use evscribe_sink::SealedFile;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::claims::{Claim, Says};
use super::error::{HostError, chain};
use super::fetch::{Link, Offered};
use super::list::Entry;
use super::plan::{Plan, plan, portions};
use super::process::{self, Until};
use super::report::{HostReport, State};
use super::run::Run;
use super::stage::Stage;
use super::watch::Event;
use crate::place::blocking;
use crate::{HostRecord, LakeError};

/// How often the lists are fetched, at most: a file that changes each time waits
/// for the next run.
const ROUNDS: usize = 3;

/// Files of a host that did not come as the manifest says.
#[derive(Debug, Default)]
pub(super) struct Amiss {
    /// Others than they should be, and why.
    pub(super) other: BTreeMap<String, (SealedFile, String)>,
    /// Not there any more; its checksum.
    pub(super) missing: BTreeMap<String, String>,
}

/// The work on one host.
pub(super) struct Host<'a> {
    pub(super) run: &'a Arc<Run>,
    /// Its place in the list.
    pub(super) own: usize,
    pub(super) entry: &'a Entry,
    /// When it had its turn.
    pub(super) began: Instant,
    pub(super) record: HostRecord,
    /// Whether the record is to be written.
    pub(super) is_dirty: bool,
    /// Files that the record has once it is written.
    pub(super) settled: Vec<String>,
    /// What keeps something forgotten in the lake.
    pub(super) locked: Option<LakeError>,
    pub(super) report: HostReport,
}

/// Pulls the host at place `own` of the list; whatever happens is in the report.
pub(super) async fn pull(run: Arc<Run>, own: usize, entry: &Entry) -> HostReport {
    let mut host = Host {
        run: &run,
        own,
        entry,
        began: Instant::now(),
        record: HostRecord::default(),
        is_dirty: false,
        settled: Vec::new(),
        locked: None,
        report: HostReport::new(entry),
    };
    let done = host.go().await;
    run.claims.tell(own, Says::Nothing);
    let (began, mut report) = (host.began, host.report);
    report.seconds = began.elapsed().as_secs_f64();
    report.state = match (&done, report.changed()) {
        (Ok(()), false) => State::Unchanged,
        (Ok(()), true) => State::Pulled,
        (Err(HostError::Unacknowledged(_)), _) | (Err(_), true) => State::Partial,
        (Err(_), false) => State::Failed,
    };
    if let Err(error) = done {
        if error.ends_all() {
            run.end_all();
        }
        report.error = Some(error.told());
    }
    report
}

impl Host<'_> {
    async fn go(&mut self) -> Result<(), HostError> {
        if let Some(why) = &self.entry.refused {
            return Err(HostError::Repeated(why.clone()));
        }
        let permit = self.run.turn().await?;
        self.began = Instant::now();
        (self.run.watch)(Event::Began { host: self.own });
        let (work, name) = (self.run.place.work().to_owned(), self.entry.name.clone());
        let stage = blocking(move || Stage::open(&work, &name)).await?;
        let free = process::is_free(&stage.lock()).await;
        if !free.map_err(|error| HostError::Here(format!("cannot run flock: {error}")))? {
            return Err(HostError::Here("an rsync of an earlier run still writes".into()));
        }
        let mut link = Link {
            ssh: &self.run.ssh,
            entry: self.entry,
            stage: &stage,
            timeout: self.run.timeout,
            until: Until {
                deadline: Instant::now() + self.run.host_timeout,
                stop: self.run.stop.subscribe(),
            },
            round_trips: 0,
            received: 0,
        };
        let mut done = self.rounds(&mut link, permit).await;
        // What is placed is written down, whatever else happened.
        let written = self.write(&stage).await;
        if done.is_ok() {
            done = written;
        }
        self.report.round_trips = link.round_trips;
        self.report.received_bytes = link.received;
        match done {
            Err(HostError::TooSlow(_)) => Err(HostError::TooSlow(self.run.host_timeout)),
            done => done,
        }
    }

    /// Fetches lists and files until both agree; then acknowledges.
    async fn rounds(
        &mut self,
        link: &mut Link<'_>,
        mut permit: OwnedSemaphorePermit,
    ) -> Result<(), HostError> {
        let mut before = Amiss::default();
        for round in 0..ROUNDS {
            let offered = link.offer(self.run.skip_bad).await?;
            if round == 0 {
                let began = Instant::now();
                permit = self.claim(&offered.offer.host, permit).await?;
                // Its own time is not others' to take.
                link.until.deadline += began.elapsed();
            } else if offered.offer.host != self.record.host {
                return Err(HostError::Manifest("it is another host's all of a sudden".into()));
            }
            let (offer, tombstones) = (&offered.offer, &offered.tombstones);
            let lost = self.look_for(offer).await?;
            let mut plan = plan(&self.record, offer, tombstones, &self.run.erased);
            plan.fetch_again(lost);
            if !self.record.has_room_for(&plan.fetch, &plan.fresh) {
                return Err(HostError::Manifest(
                    "with what the lake has of it, its lists are longer than any workstation's: \
                     nothing of them was taken in"
                        .into(),
                ));
            }
            if round == 0 {
                self.report.already = plan.already as u64;
            }
            let wanted: u64 = plan.fetch.iter().map(|file| file.bytes).sum();
            (self.run.watch)(Event::Planned {
                host: self.own,
                files: plan.fetch.len() as u64,
                bytes: wanted,
            });
            self.take_out(&mut plan, link.stage, &link.until).await?;
            let amiss = self.fetch(link, &plan).await?;
            // The same bytes promised twice, and twice others came: it is not them.
            let (refused, changed): (Vec<_>, Vec<_>) =
                amiss.other.into_iter().partition(|(path, (file, _))| {
                    before.other.get(path).is_some_and(|(old, _)| old.sha256 == file.sha256)
                });
            for (_, (file, why)) in refused {
                self.refuse(link.stage, &file, why).await?;
            }
            let is_lie = |(path, sha256): &(&String, &String)| {
                before.missing.get(*path).is_some_and(|old| old == *sha256)
            };
            let (lies, gone) = amiss.missing.iter().partition::<Vec<_>, _>(is_lie);
            let is_steady =
                changed.is_empty() && gone.is_empty() && (plan.forgotten.is_empty() || round > 0);
            if is_steady {
                let done = match lies.first() {
                    Some((first, _)) => {
                        let (files, first) = (lies.len(), (*first).clone());
                        Err(HostError::Missing { files, first })
                    }
                    None => self.finish(link, &offered, &plan).await,
                };
                drop(permit);
                return done;
            }
            before.other.extend(changed);
            before.missing.extend(amiss.missing);
        }
        Err(HostError::Unsteady)
    }

    /// Takes in whose host it is, unless another host of the list is it.
    async fn claim(
        &mut self,
        host: &str,
        permit: OwnedSemaphorePermit,
    ) -> Result<OwnedSemaphorePermit, HostError> {
        self.report.host = Some(host.to_owned());
        let claims = &self.run.claims;
        claims.tell(self.own, Says::Is(host.to_owned()));
        let record = HostRecord::read(&self.run.place, host).await?;
        let known = record.as_ref().and_then(|record| self.run.names.get(&record.name).copied());
        let mut claim = claims.look(self.own, host, known);
        let mut permit = Some(permit);
        if claim == Claim::Wait {
            // Whoever waits takes nobody's turn.
            permit = None;
            let mut stop = self.run.stop.subscribe();
            claim = tokio::select! {
                claim = claims.settle(self.own, host, known) => claim,
                () = process::stopped(&mut stop) => return Err(HostError::Stopped),
            };
        }
        if let Claim::Theirs(other) = claim {
            let other = self.run.entries.get(other).map_or("another", |entry| entry.name.as_str());
            return Err(HostError::Clone { host: host.into(), other: other.into() });
        }
        self.record = record.unwrap_or_else(|| HostRecord::new(host, &self.entry.name));
        if self.record.name != self.entry.name {
            let note = format!("it was called {} until now", self.record.name);
            self.report.notes.push(note);
            self.record.name.clone_from(&self.entry.name);
            self.is_dirty = true;
        }
        match permit {
            Some(permit) => Ok(permit),
            None => self.run.again().await,
        }
    }

    /// Fetches and places all of the plan; returns what was not as it should be.
    async fn fetch(&mut self, link: &mut Link<'_>, plan: &Plan) -> Result<Amiss, HostError> {
        let mut amiss = Amiss::default();
        let (files, bytes) = self.run.portion();
        for portion in portions(plan.fetch.clone(), files, bytes) {
            self.portion(link, &portion, &plan.replaced, &mut amiss).await?;
            self.write(link.stage).await?;
        }
        Ok(amiss)
    }

    /// All that is offered is in the lake, or put aside: says so.
    async fn finish(
        &mut self,
        link: &mut Link<'_>,
        offered: &Offered,
        plan: &Plan,
    ) -> Result<(), HostError> {
        let notes = &mut self.report.notes;
        if plan.erased > 0 {
            let why = "files are of people who were erased from the lake and stay out of it";
            notes.push(format!("{} {why}", plan.erased));
        }
        for (what, bad) in ["manifest", "list of tombstones"].iter().zip(&offered.bad) {
            if bad.count > 0 {
                notes.push(format!("{} lines of its {what} were skipped: {bad}", bad.count));
            }
        }
        if !plan.forgotten.is_empty() {
            return Err(HostError::Manifest(format!(
                "it offers what its tombstones say is forgotten, or in the place of merged files, {} \
                 among {} files; the rest is pulled",
                plan.forgotten.first().map_or("", String::as_str),
                plan.forgotten.len()
            )));
        }
        if let Some(error) = self.locked.take() {
            let is_locked = error.lacks_key();
            let why = chain(&error);
            return Err(if is_locked { HostError::Locked(why) } else { HostError::Stuck(why) });
        }
        if !self.report.quarantined.is_empty() {
            return Err(HostError::Quarantined(self.report.quarantined.len()));
        }
        if let Some(bad) = offered.bad.iter().find(|bad| bad.count > 0) {
            return Err(HostError::Manifest(format!("{bad}; the rest is pulled")));
        }
        if self.record.manifest_sha256.as_deref() != Some(&offered.sha256) {
            self.record.manifest_sha256 = Some(offered.sha256.clone());
            self.record.acknowledged = false;
            self.is_dirty = true;
        }
        self.write(link.stage).await?;
        if !self.record.acknowledged {
            link.acknowledge(&offered.sha256).await?;
            self.record.acknowledged = true;
            self.is_dirty = true;
        }
        self.report.acknowledged = true;
        Ok(())
    }
}
