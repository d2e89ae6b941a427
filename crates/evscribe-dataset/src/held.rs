//! A lake that exists, held while something is done with it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use evscribe_lake::{Held, HostRecord, LakeError, Place};

/// Another has the lake: try later. Source: sysexits.h, `EX_TEMPFAIL`.
const LATER: u8 = 75;

/// Which lake.
#[derive(Debug, Args)]
pub(crate) struct LakeArgs {
    /// The lake: a folder, or s3://bucket/prefix, whose keys and endpoint the
    /// environment says (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …).
    #[arg(value_name = "PLACE")]
    lake: String,
    /// Where files lie while they are worked on; as given to pull.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

impl LakeArgs {
    /// Holds the lake while `act` runs.
    ///
    /// # Errors
    /// That of `act`; where there is no lake. One that another holds is an exit
    /// code.
    pub(crate) fn run(
        &self,
        act: impl AsyncFnOnce(&Place, &Held) -> Result<ExitCode>,
    ) -> Result<ExitCode> {
        // A folder that was mistyped is not made.
        if !self.lake.contains("://") && !Path::new(&self.lake).join("_evscribe").is_dir() {
            bail!("{} is no lake: evscribe-data pull makes one", self.lake);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.context("cannot start threads")?.block_on(async {
            let place = Place::open(&self.lake, self.work.as_deref())?;
            let held = match place.hold().await {
                Err(error @ LakeError::Busy { .. }) => {
                    eprintln!("evscribe-data: {error}");
                    return Ok(ExitCode::from(LATER));
                }
                held => held?,
            };
            let is_lake = HostRecord::hosts(&place).await.map(|hosts| !hosts.is_empty());
            let done = match is_lake {
                Ok(true) => act(&place, &held).await,
                Ok(false) => {
                    Err(anyhow::anyhow!("{} is no lake: nothing was pulled there", self.lake))
                }
                Err(error) => Err(error.into()),
            };
            held.release().await;
            done
        })
    }
}
