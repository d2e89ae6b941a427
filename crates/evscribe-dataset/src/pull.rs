//! `evscribe-data pull`: what workstations offer, into a lake.

mod progress;
mod told;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use evscribe_lake::pull::{HostList, Pull, Report, Ssh};
use evscribe_lake::{LakeError, Place};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::KeyArgs;

/// Some host or file failed, the rest is there.
const PARTLY: u8 = 3;
/// Another has the lake: try later. Source: sysexits.h, `EX_TEMPFAIL`.
const LATER: u8 = 75;

/// Longest list of hosts, bytes.
const LIST_MAX_BYTES: u64 = 64 << 20;

/// What is to be pulled, and how.
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// The list of hosts: a line each, `[user@]host[:port] [name]`.
    ///
    /// IPv6 addresses stand in brackets, from # on is comment. The user is
    /// evscribe-pull where the line names none, the name is the host.
    #[arg(long, value_name = "FILE")]
    hosts: PathBuf,
    /// The lake: a folder, or s3://bucket/prefix, whose keys and endpoint the
    /// environment says (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …).
    #[arg(long, value_name = "PLACE")]
    into: String,
    /// How many hosts are pulled at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// Files lie in the lake without encryption; give the key with --key.
    #[arg(long)]
    decrypt: bool,
    #[command(flatten)]
    keys: KeyArgs,
    /// The SSH key that the hosts let in.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The hosts' own keys, and no others; without it those that ssh knows.
    #[arg(long, value_name = "FILE")]
    known_hosts: Option<PathBuf>,
    /// A configuration of ssh in the place of its own.
    #[arg(long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,
    /// After how many seconds without a byte a host counts as gone.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    timeout: u32,
    /// How many seconds one host may take; the next run goes on from there.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600,
          value_parser = clap::value_parser!(u32).range(1..=604_800))]
    host_timeout: u32,
    /// Where files lie on their way; without it in the lake's own folder, and for
    /// S3 below $STATE_DIRECTORY or ~/.local/state.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Leave out lines that make no sense, of the list and of what hosts say, and
    /// pull the rest. They are counted and listed.
    #[arg(long)]
    skip_bad: bool,
}

pub(crate) fn run(args: &PullArgs, json: bool) -> Result<ExitCode> {
    let pull = pull(args)?;
    if !pull.list.bad.is_empty() && !args.skip_bad {
        return refuse(args, pull.list, json);
    }
    if pull.list.hosts.is_empty() {
        bail!("{} names no host: nothing is pulled", args.hosts.display());
    }
    let place = Place::open(&args.into, args.work.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let shown = progress::Shown::new(&pull.list, json);
    let outcome = runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        anyhow::Ok(pull.run(place, shown.watch(), stop).await)
    });
    drop(shown);
    let report = match outcome? {
        Err(error @ LakeError::Busy { .. }) => {
            eprintln!("evscribe-data: {error}");
            return Ok(ExitCode::from(LATER));
        }
        report => report?,
    };
    told::report(&report, json)?;
    Ok(if report.totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(PARTLY) })
}

fn pull(args: &PullArgs) -> Result<Pull> {
    let keys = args.keys.keyring()?;
    if args.decrypt && keys.is_empty() {
        bail!("nothing can be decrypted without a key: give one with --key");
    }
    let mut text = Vec::new();
    File::open(&args.hosts)
        .and_then(|file| file.take(LIST_MAX_BYTES).read_to_end(&mut text))
        .with_context(|| format!("cannot read the list of hosts {}", args.hosts.display()))?;
    // ssh says only that nobody lets it in.
    for path in [&args.identity, &args.known_hosts, &args.ssh_config].into_iter().flatten() {
        File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(Pull {
        list: HostList::parse(&text),
        jobs: args.jobs.into(),
        ssh: Ssh {
            identity: args.identity.clone(),
            known_hosts: args.known_hosts.clone(),
            config: args.ssh_config.clone(),
        },
        keys,
        decrypt: args.decrypt,
        timeout: Duration::from_secs(args.timeout.into()),
        host_timeout: Duration::from_secs(args.host_timeout.into()),
        skip_bad: args.skip_bad,
    })
}

/// Tells all lines that name no host; nothing is pulled.
fn refuse(args: &PullArgs, list: HostList, json: bool) -> Result<ExitCode> {
    for bad in &list.bad {
        eprintln!("evscribe-data: {}, line {}: {}", args.hosts.display(), bad.line, bad.why);
    }
    eprintln!(
        "evscribe-data: nothing is pulled; mend the list, or leave these out with --skip-bad"
    );
    if json {
        told::report(&Report::of(Vec::new(), list.bad), json)?;
    }
    Ok(ExitCode::FAILURE)
}
