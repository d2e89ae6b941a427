//! A partition of a folder, changed as one: what it shall hold is put together
//! beside it, and the two folders change places. Who lists sees one or the other.
//!
//! Source: renameat2(2), `RENAME_EXCHANGE`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::LakeError;
use crate::error::At;
use crate::place::{self, rename, sync_directory};
use crate::steps::Steps;

/// Tells the folder that came from the one that was there; engines skip it.
const MARKER: &str = ".evscribe-swap";

/// A partition and what comes into its place.
#[derive(Clone, Debug)]
pub(crate) struct Swap {
    pub(crate) root: PathBuf,
    /// The folder of the partition.
    pub(crate) partition: PathBuf,
    /// Where the other one is put together; the old one lies there afterwards.
    pub(crate) beside: PathBuf,
    /// What it is for: none but its own marker counts.
    pub(crate) id: String,
    pub(crate) steps: Steps,
}

impl Swap {
    /// Puts together what the partition shall hold, all but `without`, and
    /// `staged` under these names, and exchanges the two, durably. False where
    /// the file system cannot do that: then nothing has changed, but what was
    /// staged lies at [`Swap::beside`] under its names.
    ///
    /// # Errors
    /// [`LakeError::Io`]; the partition is as it was, or as it shall be.
    pub(crate) fn exchange(
        &self,
        without: &BTreeSet<String>,
        staged: &[(PathBuf, String)],
    ) -> Result<bool, LakeError> {
        let Self { root, partition, beside, id, steps } = self;
        remove_all(beside)?;
        make(root, beside)?;
        steps.step();
        make(root, partition)?;
        let mode = fs::metadata(partition).at("look at", partition)?.permissions();
        fs::set_permissions(beside, mode).at("change the mode of", beside)?;
        let comes = |name: &str| staged.iter().any(|(_, new)| new == name);
        let mut is_able = true;
        for entry in fs::read_dir(partition).at("list", partition)? {
            let entry = entry.at("list", partition)?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if text == MARKER || without.contains(&*text) || comes(&text) {
                continue;
            }
            // A folder has no second name: it would be gone for a moment.
            is_able &= fs::hard_link(entry.path(), beside.join(&name)).is_ok();
        }
        for (from, name) in staged {
            steps.step();
            rename(root, from, &beside.join(name))?;
        }
        if !is_able {
            return Ok(false);
        }
        steps.step();
        let marker = beside.join(MARKER);
        let written = File::create(&marker).and_then(|mut file| {
            file.write_all(id.as_bytes())?;
            file.sync_all()
        });
        written.at("create", &marker)?;
        sync_directory(beside)?;
        steps.step();
        if renameat2(AT_FDCWD, beside, AT_FDCWD, partition, RenameFlags::RENAME_EXCHANGE).is_err() {
            return Ok(false);
        }
        steps.step();
        for folder in [partition, beside] {
            sync_directory(folder.parent().unwrap_or(root))?;
        }
        steps.step();
        Ok(true)
    }

    /// Whether the two have changed places and nobody tidied up.
    pub(crate) fn is_exchanged(&self) -> bool {
        fs::read(self.partition.join(MARKER)).is_ok_and(|id| id == self.id.as_bytes())
    }

    /// Removes what is no longer needed: the marker, what lies beside, the
    /// partition where nothing is left in it.
    ///
    /// # Errors
    /// [`LakeError::Io`]; doing it again is harmless.
    pub(crate) fn tidy(&self) -> Result<(), LakeError> {
        let Self { root, partition, beside, steps, .. } = self;
        let marker = partition.join(MARKER);
        steps.step();
        match fs::remove_file(&marker) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => {
                removed.at("remove", &marker)?;
                // Were it back after a power cut, it would be told from the next one
                // by its text alone.
                sync_directory(partition)?;
            }
        }
        steps.step();
        remove_all(beside)?;
        place::prune(root, partition);
        Ok(())
    }
}

/// How often a folder is made again that went meanwhile: with the last file in it,
/// of another host.
const MADE_AGAIN: usize = 5;

fn make(root: &Path, folder: &Path) -> Result<(), LakeError> {
    let mut again = 0..MADE_AGAIN;
    loop {
        match place::make(root, folder) {
            Err(LakeError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && again.next().is_some() => {}
            made => return made,
        }
    }
}

/// Removes a folder with all that is in it; one that is not there is gone.
pub(crate) fn remove_all(folder: &Path) -> Result<(), LakeError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.at("remove", folder),
    }
}
