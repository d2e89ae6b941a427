//! The command line of the daemon; its man page is made from this.

use std::path::PathBuf;

use clap::Parser;

/// Records the input devices that udev rules select, openly: nothing is opened
/// before the person at the seat acknowledged the notice.
///
/// Runs as the systemd unit evscribed.service, which sets up its directories,
/// its key and its sandbox. `systemctl reload evscribed` reads the policy again;
/// `evscribe status` tells in words what it does.
#[derive(Debug, Parser)]
#[command(name = "evscribed", version)]
pub struct DaemonArgs {
    /// The policy: who records what for, the most that is kept, when and how long.
    #[arg(long, value_name = "FILE", default_value = evscribe_policy::DEFAULT_PATH)]
    pub policy: PathBuf,
}
