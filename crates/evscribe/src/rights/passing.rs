//! A folder that goes with the command, however the command ends.

use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Waits until nobody holds the other end of its input, then removes the folder.
/// What ends the command does not end this; its word says that it listens.
const KEEPER: &str = "trap '' HUP INT QUIT TERM PIPE; echo; read -r _; exec rm -rf -- \"$1\"";

/// A folder for its owner alone, and what removes it where the command cannot: a
/// process of its own, whose input ends with the command, also with one that is
/// killed.
pub(super) struct Passing {
    // Removes it where the keeper was killed; dropped after the keeper is done.
    folder: TempDir,
    keeper: Child,
}

impl Passing {
    /// Makes one among the temporary files.
    ///
    /// # Errors
    /// Where nothing can be put there, or nothing would remove it; then it is
    /// gone again.
    pub(super) fn make() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("evscribe-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .with_context(|| {
                let folder = std::env::temp_dir();
                format!("{} takes no copy to look at; TMPDIR names another", folder.display())
            })?;
        let keeper = keep(folder.path())
            .context("nothing can be started that removes the copy to look at, so none was made")?;
        Ok(Self { folder, keeper })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Ends its input first.
        let _ = self.keeper.wait();
    }
}

fn keep(folder: &Path) -> std::io::Result<Child> {
    let mut keeper = Command::new("/bin/sh")
        .args(["-c", KEEPER, "sh"])
        .arg(folder)
        // Ctrl-C and the end of a terminal go to the command's group.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let heard = keeper.stdout.take().map(|mut out| out.read_exact(&mut [0]));
    if let Some(Err(error)) = heard {
        let _ = keeper.wait();
        return Err(error);
    }
    Ok(keeper)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_its_owners_alone_and_goes_at_the_end() {
        let passing = Passing::make().unwrap();
        let path = passing.path().to_owned();
        fs::write(path.join("file"), "rows").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
        drop(passing);
        assert!(!path.exists());
    }

    #[test]
    fn it_goes_where_the_keeper_was_killed() {
        let mut passing = Passing::make().unwrap();
        passing.keeper.kill().unwrap();
        let path = passing.path().to_owned();
        drop(passing);
        assert!(!path.exists());
    }
}
