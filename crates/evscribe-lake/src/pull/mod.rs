//! Pulling: what workstations offer, over ssh and rsync, into a lake.
//!
//! ```text
//! list of hosts ─► a task each, as many at once as may be
//!    ssh + rsync ─► manifest, tombstones ─► plan ─► take out ─► rsync ─► check ─► lake ─► record ─► acknowledge
//! ```
//! Nothing of a host is believed (`offer`, `stage`), what is to be done is decided
//! without doing it (`plan`, `claims`), and each step can be cut off and done again
//! (`host`). A host that fails, fails in its own line of the [`Report`].
//!
//! Not handled: a host that forges whole files. It can say what it likes of itself;
//! what it cannot is speak for another one, or reach beyond its own place.

mod arrive;
mod claims;
mod error;
mod fetch;
mod forgetting;
mod host;
mod list;
mod offer;
mod placing;
mod plan;
mod process;
mod report;
mod run;
mod ssh;
mod stage;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use evscribe_sink::crypt::Keyring;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::claims::Claims;
use self::run::Run;
use crate::{Erased, LakeError, Place, Sealing, Wanted};

pub use self::error::HostError;
pub use self::list::{BadLine, Entry, HostList};
pub use self::report::{HostReport, Quarantined, Report, State, Totals};
pub use self::ssh::Ssh;
pub use self::watch::{Event, Watch};

/// A run over a list of hosts.
#[derive(Clone, Debug)]
pub struct Pull {
    /// The hosts; its bad lines go into the report.
    pub list: HostList,
    /// How many hosts are pulled at once.
    pub jobs: usize,
    /// How ssh gets there.
    pub ssh: Ssh,
    /// Keys that open files: for what is merged and somebody had forgotten.
    pub keys: Keyring,
    /// Whether files are to lie in the lake without encryption.
    pub decrypt: bool,
    /// After how long without a byte a host counts as gone.
    pub timeout: Duration,
    /// How long one host may take in all.
    pub host_timeout: Duration,
    /// Lines of manifests that cannot be used are left out, instead of all of that
    /// host.
    pub skip_bad: bool,
}

impl Pull {
    /// Pulls into the lake, which it holds meanwhile; `stop` ends it early, with
    /// what arrived in the lake.
    ///
    /// # Errors
    /// Only what concerns the lake as a whole, before anything was done:
    /// [`LakeError::Busy`], or where it cannot be read.
    pub async fn run(
        self,
        place: Place,
        watch: Watch,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Report, LakeError> {
        let held = place.hold().await?;
        let known = async {
            crate::recover(&place, &held).await?;
            let sealing = Sealing::new(&place, self.keys.clone(), Wanted::Same).await?;
            let erased = Erased::read(&place).await?;
            Ok((sealing, erased, arrive::in_quarantine(&place).await?))
        };
        let (sealing, erased, quarantined) = match known.await {
            Ok(known) => known,
            Err(error) => {
                held.release().await;
                return Err(error);
            }
        };
        let HostList { hosts: entries, bad } = self.list;
        let known = entries.iter().enumerate().filter(|(_, entry)| entry.refused.is_none());
        let names = known.map(|(place, entry)| (entry.name.clone(), place)).collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let run = Arc::new(Run {
            held,
            erased,
            quarantined,
            names,
            claims: Claims::new(entries.len()),
            ssh: self.ssh,
            decrypt: self.decrypt.then_some(self.keys),
            sealing,
            timeout: self.timeout,
            host_timeout: self.host_timeout,
            skip_bad: self.skip_bad,
            turns: Arc::new(Semaphore::new(self.jobs.max(1))),
            cores: Arc::new(Semaphore::new(cores * 2)),
            stop: tokio::sync::watch::Sender::new(false),
            watch,
            place,
            entries,
        });
        let of_stop = Arc::clone(&run);
        let stopper = tokio::spawn(async move {
            stop.await;
            of_stop.end_all();
        });
        let mut tasks = JoinSet::new();
        for place in 0..run.entries.len() {
            let run = Arc::clone(&run);
            tasks.spawn(async move {
                let entry = run.entries.get(place)?;
                let report = host::pull(Arc::clone(&run), place, entry).await;
                (run.watch)(Event::Ended { host: place, report: &report });
                Some((place, report))
            });
        }
        let mut reports = Vec::new();
        while let Some(done) = tasks.join_next().await {
            reports.extend(done.ok().flatten());
        }
        stopper.abort();
        drop(stopper.await);
        reports.sort_by_key(|(place, _)| *place);
        let reports: Vec<HostReport> = reports.into_iter().map(|(_, report)| report).collect();
        if let Some(run) = Arc::into_inner(run) {
            run.held.release().await;
        }
        Ok(Report::of(reports, bad))
    }
}
