//! The command line: help, man pages and completions all come from here.

mod at_rest;
mod keys;
mod pull;
mod rights;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use evscribe_model::{KeyLevel, PointerLevel};
use evscribe_sink::Table;

pub(crate) use at_rest::{KeyArgs, SealArgs};
pub(crate) use keys::{KeysArgs, KeysCommand};
pub(crate) use pull::{PullAccessArgs, PullAccessCommand, ServePullArgs};
pub(crate) use rights::{AcknowledgeArgs, ForgetArgs, LedgerCommand, MyDataCommand, RightsCommand};

/// Openly declared recording of how people work with keyboard, mouse, touchpad
/// and touchscreen, as Parquet.
#[derive(Debug, Parser)]
#[command(name = "evscribe", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record your own input in the foreground until Ctrl-C.
    ///
    /// States what is recorded, how much of it is kept and where it goes, then
    /// shows live counters. Only your own session is recorded: while somebody
    /// else is at the seat, every device is closed.
    Record(RecordArgs),
    /// List every input device: whether it is read, and why or why not.
    Devices,
    /// Tell in words what the service collects, why, by whom, and how you stand.
    Status,
    #[command(flatten)]
    Rights(RightsCommand),
    /// Turn recordings of evemu or `libinput record` into a dataset.
    ///
    /// They go the way of live events: normaliser, level, Parquet. Importing a
    /// file twice leaves it once.
    Import(ImportArgs),
    /// Check, count and look at a dataset; ask, merge and erase a lake.
    #[command(subcommand)]
    Data(DataCommand),
    /// Make, list, change and check keys: the workstation's, and those of who reads.
    Keys(KeysArgs),
    /// Check a policy, and write the assessment of what it means.
    #[command(subcommand)]
    Policy(crate::policy::PolicyCommand),
    /// Say who may pull sealed files from this workstation, over SSH.
    ///
    /// Each key may do nothing but pull, read-only, what is on offer: sealed,
    /// past the cooling-off, not paused by the policy. Each pull is a fact of the
    /// ledger and shows in the status of whose files it was.
    PullAccess(PullAccessArgs),
    /// Pull sealed files from workstations into a lake, by evscribe-data.
    ///
    /// What evscribe-data(8), a package of its own, is asked with these arguments:
    /// `evscribe pull --help` shows them.
    Pull(HandedArgs),
    /// Serve one pull; the command that sshd is made to run for whoever pulls.
    #[command(hide = true)]
    ServePull(ServePullArgs),
    /// Write man pages and shell completions below a directory.
    #[command(hide = true)]
    Manual {
        /// The directory, laid out as below PREFIX/share.
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// Where the dataset goes.
    #[arg(long, value_name = "DIR", default_value = "dataset")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) level: LevelArgs,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    /// Stop by itself after this many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
    /// Folder of links to the devices to read.
    #[arg(long, value_name = "DIR", default_value = evscribe_reader::SELECTED_DIR)]
    pub(crate) devices: PathBuf,
    /// Where the journal is until it is sealed, and the key that always opens
    /// what was recorded.
    ///
    /// The default is evscribe in $XDG_STATE_HOME or ~/.local/state.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LevelArgs {
    /// What is kept of keys: off, timing, class or full.
    #[arg(long, value_name = "LEVEL", default_value_t = KeyLevel::Class)]
    pub(crate) level: KeyLevel,
    /// What is kept of pointer, touch and switches: off or full.
    #[arg(long, value_name = "LEVEL", default_value_t = PointerLevel::Full)]
    pub(crate) pointer: PointerLevel,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Recordings: evemu text or the YAML of `libinput record`.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Where the dataset goes; made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) level: LevelArgs,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    /// When the recordings began, for those that do not say, as
    /// 2026-11-23T09:00:00Z; without it they begin at 1970-01-01.
    #[arg(long, value_name = "TIME")]
    pub(crate) started_at: Option<jiff::Timestamp>,
    /// Of a damaged recording keep what comes before the damage.
    #[arg(long)]
    pub(crate) partial: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Check a dataset: checksums, schema, order of time, runs, strokes, marks.
    ///
    /// Exit code 0 only if everything holds. A lake is checked by evscribe-data(8).
    Verify {
        /// The dataset, or a lake.
        dir: PathBuf,
        #[command(flatten)]
        keys: KeyArgs,
    },
    /// Count a dataset: rows, devices, losses, bytes; and how to open it.
    Stats {
        /// The dataset.
        dir: PathBuf,
        #[command(flatten)]
        keys: KeyArgs,
    },
    /// Show the first rows of a table.
    Head {
        /// The dataset.
        dir: PathBuf,
        /// How many rows.
        #[arg(short = 'n', long, default_value_t = 10)]
        rows: usize,
        /// Which table.
        #[arg(long, value_enum, default_value_t = TableArg::Events)]
        table: TableArg,
        #[command(flatten)]
        keys: KeyArgs,
    },
    /// Ask a dataset or a lake in SQL, by evscribe-data.
    ///
    /// What evscribe-data(8), a package of its own, is asked with these arguments:
    /// `evscribe data query --help` shows them.
    Query(HandedArgs),
    /// Make few large files of a lake's many small ones, by evscribe-data.
    ///
    /// As `query`: see evscribe-data(8).
    Merge(HandedArgs),
    /// Erase a person from a lake, by evscribe-data.
    ///
    /// As `query`: see evscribe-data(8).
    Erase(HandedArgs),
}

/// What is handed over to `evscribe-data` as it is.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct HandedArgs {
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub(crate) args: Vec<OsString>,
}

/// A table of the dataset.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TableArg {
    Events,
    Touch,
    Marks,
    Devices,
}

impl TableArg {
    /// The table that it names.
    pub(crate) const fn table(self) -> Table {
        match self {
            Self::Events => Table::Events,
            Self::Touch => Table::Touch,
            Self::Marks => Table::Marks,
            Self::Devices => Table::Devices,
        }
    }
}
