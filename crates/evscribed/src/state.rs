//! The state directory: who pulls may pass through it into the outbox, and open
//! nothing else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

/// Read, write, search, of group and others.
const OTHERS: u32 = 0o077;

/// Takes from group and others whatever they may do with what lies in `state`, but
/// for `outbox`; an older version had left some of it to the group.
///
/// # Errors
/// Where a mode cannot be changed: somebody else put it there.
pub(crate) fn close(state: &Path, outbox: &str) -> anyhow::Result<()> {
    let entries = fs::read_dir(state).with_context(|| format!("{}", state.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("{}", state.display()))?;
        let path = entry.path();
        let metadata = entry.metadata().with_context(|| format!("{}", path.display()))?;
        let mode = metadata.permissions().mode();
        // What a link leads to has a place of its own.
        if entry.file_name() == outbox || metadata.is_symlink() || mode & OTHERS == 0 {
            continue;
        }
        fs::set_permissions(&path, Permissions::from_mode(mode & 0o700)).with_context(|| {
            format!(
                "{} can be read by others than the service, and its mode cannot be changed: \
                 chmod go= it, or take it away, and start the service again",
                path.display()
            )
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_outbox_is_for_the_service_alone() {
        let state = tempfile::tempdir().unwrap();
        for (name, mode) in [("dataset", 0o750), ("outbox", 0o750), ("journal", 0o700)] {
            fs::create_dir(state.path().join(name)).unwrap();
            fs::set_permissions(state.path().join(name), Permissions::from_mode(mode)).unwrap();
        }
        fs::write(state.path().join("ledger.jsonl"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", state.path().join("link")).unwrap();
        let mode = |name| fs::metadata(state.path().join(name)).unwrap().permissions().mode();
        close(state.path(), "outbox").unwrap();
        let modes = ["dataset", "outbox", "journal"].map(|name| mode(name) & 0o777);
        assert_eq!(modes, [0o700, 0o750, 0o700]);
        assert_eq!(mode("ledger.jsonl") & 0o077, 0);
    }
}
