//! `evscribe record`: a person records themselves in the foreground.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use evscribe_model::{KeyLevel, Level, PointerLevel};
use evscribe_sink::crypt::{AtRest, Keyring, PublicKey};
use evscribe_sink::{Keys, Retention};
use evscribed::{
    Face, Gate, Host, SEGMENT_AGE, SEGMENT_BYTES, Service, Settings, State, Status, Verdict,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;

use crate::args::RecordArgs;
use crate::{data, person, status};

/// How long the counters on the screen lag behind.
const LAG: Duration = Duration::from_millis(250);

pub(crate) fn run(args: &RecordArgs, as_json: bool) -> Result<ExitCode> {
    let level = Level { keys: args.level.level, pointer: args.level.pointer };
    if level == (Level { keys: KeyLevel::Off, pointer: PointerLevel::Off }) {
        bail!("at --level off --pointer off there is nothing to record");
    }
    // Without a recipient they are for who records: its own key opens all.
    let at_rest = args.seal.at_rest()?.unwrap_or_default();
    evscribed::log_to_stderr();
    let notice = notice(args, &at_rest);
    let (person, name) = person::oneself(level, &notice)?;
    let gate = Gate::Oneself(person);
    if let Verdict::Closed(closed) = gate.verdict(&evscribed::seat_now(), None, 0) {
        let why = closed.why;
        bail!("{why}, so nothing is recorded: only the person at the seat records themselves");
    }
    let state = args.state.clone().map_or_else(default_state, Ok)?;
    std::fs::create_dir_all(&state)
        .with_context(|| format!("{} cannot be made; --state names another", state.display()))?;
    let key = state.join("evscribe.key");
    let keys = if key.exists() { Keys::from_file(&key)? } else { Keys::create(&key)? };
    let (host, keyring) = (Host::this(&keys)?, Keyring::of(&keys));
    let settings = Settings {
        links: args.devices.clone(),
        serves: false,
        state,
        dataset: args.out.clone(),
        keys,
        host,
        at_rest,
        retention: Retention::default(),
        segment_age: SEGMENT_AGE,
        segment_bytes: SEGMENT_BYTES,
    };
    eprintln!("evscribe records the input of {name}, from now until Ctrl-C.\n{notice}");
    if let Some(seconds) = args.seconds {
        stop_after(Duration::from_secs(seconds));
    }
    let mut face = Terminal { live: std::io::stderr().is_terminal() };
    let (service, recovery) = Service::new(settings, gate, &mut face)?;
    evscribed::say_recovery(&recovery);
    service.run()?;
    eprintln!();
    data::stats(&args.out, &keyring, as_json)
}

/// What is recorded, how much of it is kept, where it goes.
fn notice(args: &RecordArgs, at_rest: &AtRest) -> String {
    let level = args.level.level.to_string();
    let pointer = match args.level.pointer {
        PointerLevel::Full => "all of it is kept",
        PointerLevel::Off => "nothing is kept",
    };
    let readers = match at_rest {
        AtRest::Plain => "whoever gets hold of the files; they are not encrypted".into(),
        AtRest::Encrypted { recipients } if recipients.is_empty() => {
            "you, by the key in --state".into()
        }
        AtRest::Encrypted { recipients } => {
            let name = |key: &PublicKey| key.name().map_or_else(|| key.id(), str::to_owned);
            let names: Vec<String> = recipients.iter().map(name).collect();
            format!("you, by the key in --state, and {}", names.join(", "))
        }
    };
    format!(
        "\x20 keys      {} (--level {level})\n\
         \x20 pointer   {pointer}\n\
         \x20 devices   those in {} (`evscribe devices` says which and why)\n\
         \x20 goes to   {}, on this machine only; nothing is sent anywhere\n\
         \x20 for       {readers}\n\
         While somebody else is at the seat or the screen is locked, nothing is read.",
        status::keys_in_words(&level),
        args.devices.display(),
        args.out.display(),
    )
}

/// Where key and journal are, of who does not say.
///
/// # Errors
/// Where nothing says where one's home is.
pub(crate) fn default_state() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_STATE_HOME")
        .or_else(|| Some(set("HOME")?.join(".local/state")))
        .map(|base| base.join("evscribe"))
        .context("neither XDG_STATE_HOME nor HOME is set; --state names a directory")
}

/// Asks for the end as Ctrl-C does.
fn stop_after(time: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        // The loop takes it as it takes Ctrl-C: read to the end, seal, stop.
        let _ = kill(getpid(), Signal::SIGINT);
    });
}

/// The counters on the screen.
struct Terminal {
    live: bool,
}

impl Face for Terminal {
    fn show(&mut self, status: &Status) {
        let line = match status.state {
            State::Collecting if status.devices.is_empty() => {
                "no device is selected; waiting for one".to_owned()
            }
            State::Collecting => format!(
                "{} devices  {} events  {} touches  {} lost",
                status.devices.len(),
                status.events,
                status.touch,
                status.kernel_drops + status.rows_lost
            ),
            State::Waiting | State::Paused | State::Stalled | State::Stopping => status.line(),
        };
        if self.live {
            eprint!("\r\x1b[K{line}");
        } else {
            eprintln!("{line}");
        }
    }

    fn lag(&self) -> Duration {
        if self.live { LAG } else { LAG * 20 }
    }
}
