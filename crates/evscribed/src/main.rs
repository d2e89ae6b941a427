//! `evscribed`: the service. See evscribed(8).
#![forbid(unsafe_code)]

mod memory;

use std::alloc::System;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use evscribe_reader::SELECTED_DIR;
use evscribe_sink::{Keys, Retention};
use evscribed::{DaemonArgs, Gate, Host, SEGMENT_AGE, SEGMENT_BYTES, Service, Settings, Systemd};
use systemd_journal_logger::{JournalLog, connected_to_journal};
use zeroizing_alloc::ZeroAlloc;

/// Overwrites what is freed.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let args = DaemonArgs::parse();
    start_log();
    // Before there is anything to guard, and any thread.
    memory::guard();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &DaemonArgs) -> Result<()> {
    let state = directory("STATE_DIRECTORY", "StateDirectory=")?;
    let runtime = directory("RUNTIME_DIRECTORY", "RuntimeDirectory=")?;
    let key =
        directory("CREDENTIALS_DIRECTORY", "LoadCredential=evscribe.key:…")?.join("evscribe.key");
    let keys = Keys::from_file(&key).context(
        "without its key the service can neither protect nor name anything; \
         `make install` makes one",
    )?;
    let host = Host::this(&keys)?;
    let gate = Gate::by_policy(args.policy.clone(), evscribed::people(&state)?);
    let policy = gate.policy();
    let settings = Settings {
        links: PathBuf::from(SELECTED_DIR),
        serves: true,
        dataset: state.join("dataset"),
        state,
        keys,
        host,
        at_rest: evscribed::at_start(policy),
        // Without a policy nothing says how long to keep, so nothing goes.
        retention: policy.map_or_else(Retention::default, evscribed::retention),
        segment_age: policy.map_or(SEGMENT_AGE, |policy| policy.segment.age),
        segment_bytes: policy.map_or(SEGMENT_BYTES, |policy| policy.segment.bytes),
    };
    let mut face = Systemd::new(&runtime);
    let (service, recovery) = Service::new(settings, gate, &mut face)?;
    evscribed::say_recovery(&recovery);
    service.run().map(drop)
}

/// A directory that the unit sets up.
fn directory(variable: &str, setting: &str) -> Result<PathBuf> {
    let Some(value) = std::env::var_os(variable).filter(|value| !value.is_empty()) else {
        bail!("{variable} is not set: evscribed runs as a systemd unit with {setting}");
    };
    Ok(PathBuf::from(value))
}

/// To the journal with structured fields where systemd listens, else to stderr.
fn start_log() {
    let journal = connected_to_journal()
        .then(JournalLog::new)
        .and_then(Result::ok)
        .is_some_and(|log| log.with_syslog_identifier("evscribed".into()).install().is_ok());
    if !journal {
        evscribed::log_to_stderr();
    }
    log::set_max_level(log::LevelFilter::Info);
}
