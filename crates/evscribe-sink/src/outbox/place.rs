//! The outbox's directory, brought in line: links made and taken away.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::Path,
};

use crate::{SinkError, dataset::Tree, disk, error::At, tombstones::TOMBSTONES};

/// For the service's user and its group, of which who pulls is.
const MODE: u32 = 0o750;

/// Makes the outbox where there is none; only who pulls may look into it, whatever
/// the umask, or somebody, made of that.
pub(super) fn prepare(outbox: &Path) -> Result<(), SinkError> {
    match fs::DirBuilder::new().mode(MODE).create(outbox) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => {
            made.at("create", outbox)?;
            disk::sync_parent(outbox)?;
        }
    }
    let mode = fs::metadata(outbox).at("look at", outbox)?.permissions().mode();
    if mode & 0o777 == MODE {
        return Ok(());
    }
    fs::set_permissions(outbox, fs::Permissions::from_mode(MODE)).at("set the mode of", outbox)
}

/// Takes away what may not be pulled. A file that was written anew has another
/// inode, so its old bytes go too. It takes no space: it may be what makes some.
///
/// # Errors
/// [`SinkError::Io`], the first; whatever could be taken away is.
pub(super) fn take_away(
    dataset: &Path,
    outbox: &Path,
    offer: &BTreeSet<&str>,
) -> Result<(), SinkError> {
    let tree = Tree::of(outbox)?;
    let (mut changed, mut failed) = (BTreeSet::new(), None);
    let unwanted = tree.files.iter().filter(|path| !is_in_place(dataset, outbox, path, offer));
    for path in unwanted.chain(&tree.hidden) {
        disk::step();
        let path = outbox.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                failed.get_or_insert(Err(error).at("remove", &path));
            }
            _ => {}
        }
        changed.extend(path.parent().map(Path::to_path_buf));
    }
    for directory in &changed {
        disk::sync_directory(directory)?;
        // Host, date and table go with their last file; what is not empty stays.
        for directory in directory.ancestors().take_while(|above| *above != outbox) {
            if fs::remove_dir(directory).is_err() {
                break;
            }
        }
    }
    failed.unwrap_or(Ok(()))
}

/// Links what may be pulled and is not there yet, and the tombstones.
///
/// # Errors
/// [`SinkError::Io`]; doing it again goes on.
pub(super) fn put(dataset: &Path, outbox: &Path, offer: &BTreeSet<&str>) -> Result<(), SinkError> {
    let mut changed = BTreeSet::new();
    for path in offer {
        let to = outbox.join(path);
        let parent = to.parent().unwrap_or(outbox);
        if inode(&to)?.is_none() {
            disk::create_directories(outbox, parent)?;
            link(&dataset.join(path), &to)?;
            changed.insert(parent.to_path_buf());
        }
    }
    changed.iter().try_for_each(|directory| disk::sync_directory(directory))?;
    tombstones(dataset, outbox)
}

/// Which of these the dataset has, whatever its manifest says.
pub(super) fn is_there(dataset: &Path, path: &str) -> Result<bool, SinkError> {
    Ok(inode(&dataset.join(path))?.is_some())
}

fn is_in_place(dataset: &Path, outbox: &Path, path: &str, offer: &BTreeSet<&str>) -> bool {
    let same = || Some(inode(&dataset.join(path)).ok()?? == inode(&outbox.join(path)).ok()??);
    offer.contains(path) && same() == Some(true)
}

/// The tombstones are only appended to, so a link has them all, now and later.
fn tombstones(dataset: &Path, outbox: &Path) -> Result<(), SinkError> {
    let (from, to) = (dataset.join(TOMBSTONES), outbox.join(TOMBSTONES));
    let wanted = inode(&from)?;
    if wanted.is_none() || wanted == inode(&to)? {
        return Ok(());
    }
    match fs::remove_file(&to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed.at("remove", &to)?,
    }
    link(&from, &to)?;
    disk::sync_directory(outbox)
}

/// Device and inode; `None` where nothing is there.
fn inode(path: &Path) -> Result<Option<(u64, u64)>, SinkError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).at("look at", path),
    }
}

fn link(from: &Path, to: &Path) -> Result<(), SinkError> {
    disk::step();
    fs::hard_link(from, to).at("link into the outbox", from)
}
