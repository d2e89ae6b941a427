//! `evscribe-data query`: SQL over a dataset or a lake.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::args::KeyArgs;

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The query.
    pub(crate) sql: String,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
}

pub(crate) fn run(args: &QueryArgs, _as_json: bool) -> Result<ExitCode> {
    args.keys.keyring()?;
    bail!("not in this build yet")
}
