//! The command line: help, man pages and completions all come from here. What a
//! command takes for itself stands beside what it does.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use evscribe_sink::crypt::Keyring;

use crate::erase::EraseArgs;
use crate::merge::MergeArgs;
use crate::pull::PullArgs;
use crate::query::QueryArgs;
use crate::verify::VerifyArgs;

/// The data team's side of evscribe: what was pulled from workstations, as one
/// dataset.
#[derive(Debug, Parser)]
#[command(name = "evscribe-data", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pull what workstations offer into a lake, over SSH.
    ///
    /// Each file is checked against the workstation's manifest before it appears;
    /// what people had forgotten since goes out of the lake; what is cut off goes
    /// on the next time. A host that fails holds up no other.
    ///
    /// Exit code 0: the lake has all that every host offers. 3: some host or file
    /// failed, the rest is there. 1: nothing was done; 2: nor were the arguments
    /// understood. 75: another program changes the lake.
    Pull(PullArgs),
    /// Make few large files of the many small ones of a lake.
    ///
    /// Files of one table, date and host that follow each other in time become
    /// one. Each keeps where its rows came from, so that merging can be undone
    /// file by file: what people had forgotten goes out of merged files too.
    ///
    /// Exit code 0: done. 3: some file cannot be used and was left as it is
    /// (--skip-bad). 1: it stopped, what was merged so far stays. 75: another
    /// program changes the lake.
    Merge(MergeArgs),
    /// Erase everything of a person from a lake, with a receipt.
    ///
    /// Their files go, merged ones are written anew without them, and they are
    /// never pulled again. Then what is left is read and their rows are counted.
    ///
    /// Exit code 0: nothing is left, and that is proven. 3: something could not be
    /// erased or read, the receipt names it. 1: it stopped, run it again. 75:
    /// another program changes the lake.
    Erase(EraseArgs),
    /// Check a lake against its records: what is missing, from which host, what
    /// is damaged, and what should not be there.
    ///
    /// Exit code 0: everything holds. 1: something does not. 75: another program
    /// changes the lake.
    Verify(VerifyArgs),
    /// Ask a dataset or a lake, in SQL.
    ///
    /// Tables are events, touch, marks and devices, as docs/FORMAT.md describes
    /// them, with two columns more from the places of the files: date, a DATE, and
    /// host. Files of other dates and hosts than the conditions leave are not
    /// opened, conditions on time rule out dates; EXPLAIN says how many are left.
    ///
    /// The footers of all files that are left are opened and checked first: each
    /// has to be of its table, host and day, of a known schema version, and, where
    /// it is encrypted, sealed for its place. One that is not ends the query and is
    /// named; with --skip-bad such files are left out whole, also those that turn
    /// out damaged later. Names that begin with a dot or an underscore are never
    /// looked at, nor are files that are not called .parquet.
    ///
    /// With --json rows are JSON, and the last line of standard error is an object:
    /// rows, scans (dates and files of each use of a table), levels (how many files
    /// were kept at which) and skipped (file and why).
    Query(QueryArgs),
    /// Write man pages and shell completions below a directory.
    #[command(hide = true)]
    Manual {
        /// The directory, laid out as below PREFIX/share.
        dir: PathBuf,
    },
}

/// The keys that open what is encrypted.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// A secret key that opens encrypted files; may be given several times.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
}

impl KeyArgs {
    /// The keys at hand; none where none was named.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub(crate) fn keyring(&self) -> Result<Keyring> {
        Ok(Keyring::from_files(&self.keys)?)
    }
}
