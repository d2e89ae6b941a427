//! The commands for keys: of the workstation, and of who reads its files.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::keys::KeepAs;

/// Which system's keys, and what is done with them.
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    /// Work on the system below this folder, as on an image. A new
    /// key is not sealed there by itself: this machine is not the one to open it.
    #[arg(long, global = true, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make the workstation's key, where there is none; for administrators.
    ///
    /// A new key is sealed with systemd-creds where the machine runs and has a TPM
    /// or systemd's host key, else it is a file that only root reads. One that is
    /// there stays as it is, unless told how to keep it.
    Init {
        /// How the key is kept; one that is there is moved.
        #[arg(long, value_enum, value_name = "HOW")]
        keep_as: Option<KeepAs>,
    },
    /// Make a key pair for who reads the files: FILE, secret, and FILE.pub.
    ///
    /// For the data team, on a machine of theirs: the secret key never belongs
    /// on a workstation. Nothing is overwritten.
    Generate {
        /// Where the secret key goes; its public one beside it, with .pub.
        file: PathBuf,
        /// What the public key is called.
        #[arg(long)]
        name: Option<String>,
    },
    /// Have new files encrypted for this public key too; for administrators.
    AddRecipient {
        /// A public key (evscribe-recipient-1:…), or the file that holds it.
        #[arg(value_name = "KEY|FILE")]
        key: String,
        /// What it is called; everybody sees it in `evscribe status`.
        #[arg(long)]
        name: Option<String>,
    },
    /// Have new files no longer encrypted for that key; for administrators.
    ///
    /// What was encrypted for it before stays readable for it.
    RemoveRecipient {
        /// Its id, as `evscribe keys list` shows it.
        id: String,
    },
    /// Show the workstation's key (for root) and the recipients: ids, names, where
    /// they are kept.
    List,
    /// Have new files sealed with a fresh secret of the workstation; for
    /// administrators.
    ///
    /// Older secrets are kept: what they sealed stays readable here.
    Rotate,
    /// Check that keys and recipients are in order, and who opens which files.
    ///
    /// Exit code 0 only if the key is good, every sealed file opens with it, and
    /// the list of recipients can be followed.
    Check {
        /// The dataset.
        #[arg(long, value_name = "DIR")]
        dataset: Option<PathBuf>,
    },
}
