//! The commands by which files leave the workstation.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct PullAccessArgs {
    #[command(subcommand)]
    pub(crate) command: PullAccessCommand,
    /// Home folder of who pulls.
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "DIR",
        default_value = "/var/lib/evscribe-pull"
    )]
    pub(crate) home: PathBuf,
}

/// Who may pull.
#[derive(Debug, Subcommand)]
pub(crate) enum PullAccessCommand {
    /// Let the holder of an SSH key pull; root only.
    ///
    /// Says which host key they should pin, and what goes into their hosts file.
    Add {
        /// A public key (`ssh-ed25519 AAAA…`), or the file that holds one.
        #[arg(value_name = "KEY|FILE")]
        key: String,
        /// What they are called in the ledger and in people's status: a-z, 0-9, -.
        #[arg(long)]
        name: String,
    },
    /// List who may pull.
    List,
    /// Let somebody pull no more; root only. What they pulled they keep.
    Remove {
        /// Their name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ServePullArgs {
    /// Who pulls, as their line in authorized_keys says.
    pub(crate) name: String,
    /// What may be pulled.
    #[arg(long, hide = true, value_name = "DIR", default_value = "/var/lib/evscribe/outbox")]
    pub(crate) outbox: PathBuf,
}
