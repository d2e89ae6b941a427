//! `evscribe-data query`: SQL over a dataset or a lake.
//!
//! ```text
//! SQL ─► DataFusion ─► LakeTable::scan ─► listing, by date and host   ─► prune
//!                                      ─► footers, opened and checked ─► lake: the book
//!                                      ─► DataSourceExec ─► named ─► Parquet ─► reader
//!     ◄─ rows ◄─ output ─► delivery
//! ```
//! Not handled: what the records of a lake say of its files; whatever stands at a
//! place of a table is read. A query that runs while files are merged may be
//! refused.

mod changes;
mod delivery;
mod fault;
mod footer;
mod lake;
mod listing;
mod named;
mod output;
mod prune;
mod reader;
mod report;
mod session;
mod source;
mod spill;
mod stop;
mod table;

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SQLOptions, SessionContext};
use futures::StreamExt;

use crate::args::KeyArgs;
use delivery::Delivery;
use lake::Lake;
use output::{Format, Output};
use source::Source;
use stop::Stop;

/// Memory of a query, where nothing else is said.
const MEMORY_MIB: usize = 1024;

#[derive(Debug, Args)]
#[command(override_usage = "evscribe-data query [OPTIONS] [PLACE] SQL")]
pub(crate) struct QueryArgs {
    /// The dataset or the lake, a folder or s3://BUCKET/PREFIX; and the query, of
    /// which - is what stands on standard input.
    // One argument to clap: of two, the first cannot be left out where options stand
    // between them.
    #[arg(required = true, num_args = 1..=2, value_name = "[PLACE] SQL")]
    words: Vec<String>,
    /// The place as an option; the default is the folder that you are in.
    ///
    /// Keys and address of S3 come from the environment: AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP.
    #[arg(long, value_name = "PLACE")]
    lake: Option<String>,
    #[command(flatten)]
    keys: KeyArgs,
    /// What comes out: a table for people; csv, json (an object a line), parquet
    /// or arrow for programs.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write into this file, which appears once it is whole. It is not encrypted,
    /// and only yours to read; Ctrl-C leaves nothing of it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Leave out the files that cannot be read, name them on standard error, and
    /// answer from the others.
    #[arg(long)]
    skip_bad: bool,
    /// Memory that sorts, joins and groups may use; what does not fit goes into
    /// files of the temporary folder.
    #[arg(long, value_name = "MIB", default_value_t = MEMORY_MIB)]
    memory_mib: usize,
    /// The temporary folder: what is put there is not encrypted, and has no name
    /// there, so that it goes however the query ends. The default is $TMPDIR or
    /// /var/tmp.
    #[arg(long, value_name = "DIR")]
    temp: Option<PathBuf>,
}

impl QueryArgs {
    /// The place, where one was named, and the query.
    fn words(&self) -> Result<(Option<&str>, &str)> {
        match (self.words.as_slice(), &self.lake) {
            ([sql], _) => Ok((None, sql)),
            ([place, sql], None) => Ok((Some(place), sql)),
            ([_, _], Some(_)) => bail!("a place was named twice: once is enough"),
            _ => bail!("a place and a query are all that it takes: put the query in quotes"),
        }
    }
}

pub(crate) fn run(args: &QueryArgs, as_json: bool) -> Result<ExitCode> {
    fault::hush();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let is_closed = Arc::new(AtomicBool::new(false));
    let outcome = runtime.block_on(query(args, as_json, &is_closed));
    // Whatever is under way still is not waited for: nothing of it has a name.
    runtime.shutdown_background();
    // A reader that closed the pipe has seen enough.
    if is_closed.load(Ordering::Relaxed) {
        return Ok(ExitCode::SUCCESS);
    }
    outcome
}

async fn query(args: &QueryArgs, as_json: bool, is_closed: &Arc<AtomicBool>) -> Result<ExitCode> {
    let format = args.format.unwrap_or(if as_json { Format::Json } else { Format::Table });
    ensure!(
        !format.is_binary() || args.out.is_some() || !std::io::stdout().is_terminal(),
        "that is nothing for a terminal: give --out FILE, or a pipe"
    );
    ensure!(args.memory_mib > 0, "--memory-mib must be more than nothing");
    let (named, sql) = args.words()?;
    let sql = match sql {
        "-" => {
            let mut sql = String::new();
            std::io::stdin().read_to_string(&mut sql).context("standard input")?;
            sql
        }
        sql => sql.to_owned(),
    };
    let source = Source::open(named.or(args.lake.as_deref()).unwrap_or(".")).await?;
    let lake = Arc::new(Lake::new(source, args.keys.keyring()?, args.skip_bad));
    let temp = args.temp.clone().unwrap_or_else(|| {
        let set = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
        set.map_or_else(|| Path::new("/var/tmp").to_owned(), PathBuf::from)
    });
    let context = session::context(&lake, args.memory_mib, &temp)?;
    let plan = plan(&context, &sql).await?;
    let rows = async {
        loop {
            let delivery = Delivery::to(args.out.as_deref(), args.skip_bad, &temp)?;
            let output = delivery.sink(is_closed)?;
            let rows = answer(&context, plan.clone(), format, output).await?;
            // Once more without the files that turned out bad in the middle.
            if !lake.was_tainted() {
                delivery.deliver()?;
                break anyhow::Ok(rows);
            }
        }
    };
    let rows = match &args.out {
        // Nothing that has a name is written: a signal may end this as ever.
        None => rows.await?,
        Some(out) => {
            let stop = Stop::listen().context("signals cannot be caught")?;
            tokio::select! {
                rows = rows => rows?,
                code = stop.asked() => {
                    eprintln!("evscribe-data: stopped: nothing was written to {}", out.display());
                    return Ok(ExitCode::from(code));
                }
            }
        }
    };
    let is_explained = matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
    report::print(&lake, rows, is_explained, as_json)?;
    Ok(ExitCode::SUCCESS)
}

async fn plan(context: &SessionContext, sql: &str) -> Result<LogicalPlan> {
    let plan = context.state().create_logical_plan(sql).await.map_err(spoken)?;
    let queries_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    queries_only.verify_plan(&plan).map_err(spoken)?;
    Ok(plan)
}

/// Runs the query, its rows into `sink`; returns how many there were.
async fn answer(
    context: &SessionContext,
    plan: LogicalPlan,
    format: Format,
    sink: output::Sink,
) -> Result<u64> {
    let frame = context.execute_logical_plan(plan).await.map_err(spoken)?;
    let mut rows = frame.execute_stream().await.map_err(spoken)?;
    let mut output = Output::begin(format, &rows.schema(), sink)?;
    while let Some(batch) = rows.next().await {
        output.write(&batch.map_err(spoken)?)?;
    }
    output.finish()
}

/// DataFusion's error in our words, without what it wraps around our own.
fn spoken(error: DataFusionError) -> anyhow::Error {
    if let DataFusionError::ResourcesExhausted(why) = error.find_root() {
        return anyhow!(
            "the query needs more memory than it may have: give it more by --memory-mib, or ask \
             for less at once ({})",
            why.lines().map(str::trim).collect::<Vec<_>>().join(" ")
        );
    }
    let mut cause: &(dyn std::error::Error + 'static) = &error;
    loop {
        if let Some(refused) = cause.downcast_ref::<fault::Refused>() {
            return anyhow!("{refused}");
        }
        if let Some(bad) = cause.downcast_ref::<fault::Bad>() {
            return anyhow!("{bad}");
        }
        match cause.source() {
            Some(source) => cause = source,
            None => break anyhow!("{}", error.strip_backtrace()),
        }
    }
}
