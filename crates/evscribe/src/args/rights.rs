//! The commands by which people know, choose and take back.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use evscribe_model::{KeyLevel, PointerLevel};

use super::{KeyArgs, TableArg};

/// What a person may do for themselves, and an administrator for all.
#[derive(Debug, Subcommand)]
pub(crate) enum RightsCommand {
    /// Show the notice: who records what of whom here, why, and for how long.
    Notice {
        /// Only where you were not shown it for as long as the policy says, or
        /// did not acknowledge it; says nothing where the service does not run.
        #[arg(long)]
        if_due: bool,
    },
    /// Acknowledge the notice: from then on you are recorded.
    ///
    /// Shows the notice and asks. Without a terminal its version must be spelled
    /// out. Nobody is recorded before, and nobody can do it for another.
    Acknowledge(AcknowledgeArgs),
    /// Show or choose how much is kept of you.
    Level {
        /// What is kept of keys: off, timing, class or full.
        #[arg(value_name = "KEYS")]
        keys: Option<KeyLevel>,
        /// What is kept of pointer, touch and switches: off or full.
        #[arg(long, value_name = "LEVEL")]
        pointer: Option<PointerLevel>,
    },
    /// Be recorded no more; `evscribe acknowledge` ends it.
    ///
    /// Survives reboots, upgrades and re-installation.
    OptOut {
        /// Also erase everything that was recorded of you.
        #[arg(long)]
        erase: bool,
        /// Do not ask before erasing.
        #[arg(long)]
        yes: bool,
    },
    /// Have nothing read of you for a while.
    Pause {
        /// How long: 90s, 15m, 2h; without it until you resume.
        #[arg(value_name = "TIME")]
        time: Option<String>,
    },
    /// End a pause.
    Resume,
    /// Have what was recorded of you lately, or in a span, forgotten.
    Forget(ForgetArgs),
    /// Look at or take along what was recorded of you.
    #[command(subcommand)]
    MyData(MyDataCommand),
    /// Show or check the ledger of what was done, when, and to whose data.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Have nobody recorded until it is released; for administrators.
    Hold {
        /// Why; everybody reads it and the ledger keeps it, so name nobody.
        why: String,
    },
    /// End a hold; for administrators.
    Release,
    /// Erase all that was recorded of another, who asked for it, and opt them out;
    /// for administrators.
    EraseOf {
        /// Name or number of the user.
        user: String,
        /// Do not ask before erasing.
        #[arg(long)]
        yes: bool,
    },
}

/// How the notice is acknowledged.
#[derive(Debug, Args)]
pub(crate) struct AcknowledgeArgs {
    /// Version of the notice that you read; then nothing is asked.
    #[arg(long, value_name = "VERSION")]
    pub(crate) notice: Option<String>,
    /// What is kept of your keys: off, timing, class or full.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) keys: Option<KeyLevel>,
    /// What is kept of your pointer, touch and switches: off or full.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) pointer: Option<PointerLevel>,
}

/// What is to be forgotten.
#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// How far back from now: 90s, 5m, 2h.
    #[arg(value_name = "TIME", required_unless_present = "from", conflicts_with_all = ["from", "until"])]
    pub(crate) back: Option<String>,
    /// From when: 2026-11-23T09:00:00Z, "2026-11-23 09:00" or 09:00 of today.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Until when; without it until now.
    #[arg(long, value_name = "TIME", requires = "from")]
    pub(crate) until: Option<String>,
}

/// What is done with one's own data.
#[derive(Debug, Subcommand)]
pub(crate) enum MyDataCommand {
    /// Count what was recorded of you and show the newest rows.
    Show {
        /// Which table the rows are of.
        #[arg(long, value_enum, default_value_t = TableArg::Events)]
        table: TableArg,
        /// How many rows.
        #[arg(short = 'n', long, default_value_t = 20)]
        rows: usize,
    },
    /// Copy all that was recorded of you, each file checked against its checksum.
    ///
    /// The copy is a dataset, no longer encrypted: `evscribe data` and every
    /// Parquet reader take it. Keep it where nobody else reads.
    Export {
        /// Where it goes; must not exist, or be empty.
        dir: PathBuf,
    },
}

/// What is done with the ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Show what concerns you, and what concerns everybody; root sees all.
    Show {
        /// Only what concerns yourself and everybody, also for root.
        #[arg(long)]
        mine: bool,
    },
    /// Check that no line was changed, taken away or put elsewhere.
    ///
    /// Exit code 0 only if the ledger is whole.
    Verify {
        /// Check this file, without the service; for who may read it.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// And that each sealed file of this dataset was sealed under one of its heads.
        #[arg(long, value_name = "DIR", requires = "file")]
        dataset: Option<PathBuf>,
        #[command(flatten)]
        keys: KeyArgs,
    },
}
