//! What `evscribe-data` does, the data team's tool: it has a query engine and is a
//! package of its own.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

/// The program.
const NAME: &str = "evscribe-data";

/// What a lake has, and a dataset of a workstation has not.
const LAKE: &str = "_evscribe";

/// Becomes `evscribe-data VERB ARGS`: the one beside this program, else that of the
/// path. Returns only where there is none.
///
/// # Errors
/// What to install, or why it cannot be run.
pub(crate) fn run(verb: &str, args: &[OsString], as_json: bool) -> Result<ExitCode> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(NAME));
    let beside = beside.filter(|program| program.exists()).map(OsString::from);
    let program = beside.unwrap_or_else(|| NAME.into());
    let json = as_json.then_some(OsStr::new("--json"));
    let error = Command::new(&program).args(json).arg(verb).args(args).exec();
    if error.kind() == ErrorKind::NotFound {
        bail!(
            "{NAME} is not installed here, and this is for it to do: install the Debian package \
             {NAME}, or run `make build-data install-data` in the sources"
        );
    }
    Err(error).with_context(|| format!("{} cannot be run", Path::new(&program).display()))
}

/// Whether that is a lake, and no dataset of a workstation.
pub(crate) fn is_lake(place: &Path) -> bool {
    place.as_os_str().as_encoded_bytes().starts_with(b"s3://") || place.join(LAKE).is_dir()
}
