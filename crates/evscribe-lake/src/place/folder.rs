//! A lake that is a folder: listed, and files named and removed durably.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{Listed, OURS};
use crate::LakeError;
use crate::error::At;

/// Every file below `below`, but for those whose names begin with a dot.
pub(super) fn walk(root: &Path, below: &str) -> Result<Vec<Listed>, LakeError> {
    let mut files = Vec::new();
    let mut folders = vec![below.trim_matches('/').to_owned()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.at("list", &path)?,
        };
        for entry in entries {
            let entry = entry.at("list", &path)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let inside = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            // Not followed: a link leads out of the lake.
            let about = entry.metadata().at("look at", &entry.path())?;
            if about.is_dir() {
                folders.push(inside);
            } else {
                files.push(Listed { path: inside, bytes: about.len() });
            }
        }
    }
    Ok(files)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), LakeError> {
    File::open(path).and_then(|folder| folder.sync_all()).at("make durable", path)
}

/// Makes what is missing of `folder`, below `root`; durable.
pub(crate) fn make(root: &Path, folder: &Path) -> Result<(), LakeError> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|above| *above != root && !above.exists()).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error).at("create", folder);
            }
            _ => sync_directory(folder.parent().unwrap_or(root))?,
        }
    }
    Ok(())
}

/// How often a name is given again whose folder went meanwhile: with the last file
/// in it, of another host.
const NAMED_AGAIN: usize = 5;

/// Renames `from` to `to`, below `root`, making what is missing of folders; all of
/// it durable. A file on another file system is copied first.
pub(crate) fn rename(root: &Path, from: &Path, to: &Path) -> Result<(), LakeError> {
    File::open(from).and_then(|file| file.sync_all()).at("make durable", from)?;
    let mut again = 0..NAMED_AGAIN;
    loop {
        match rename_once(root, from, to) {
            Err(LakeError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound
                    && from.exists()
                    && again.next().is_some() => {}
            renamed => return renamed,
        }
    }
}

fn rename_once(root: &Path, from: &Path, to: &Path) -> Result<(), LakeError> {
    let parent = to.parent().unwrap_or(root);
    make(root, parent)?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let near = root.join(OURS).join("work");
            fs::create_dir_all(&near).at("create", &near)?;
            let copy = tempfile::NamedTempFile::new_in(&near).at("create", &near)?;
            fs::copy(from, copy.path()).at("write", copy.path())?;
            copy.as_file().sync_all().at("make durable", copy.path())?;
            copy.persist(to).map_err(|error| error.error).at("name", to)?;
            fs::remove_file(from).at("remove", from)?;
        }
        renamed => {
            renamed.at("name", to)?;
            // Two names of one file both stay: rename(2) does nothing then.
            match fs::remove_file(from) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).at("remove", from);
                }
                _ => {}
            }
        }
    }
    sync_directory(parent)
}

/// Removes the file at `path`, and the folders that it leaves empty; durable.
pub(super) fn unlink(root: &Path, path: &Path) -> Result<(), LakeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed.at("remove", path)?,
    }
    let Some(parent) = path.parent() else { return Ok(()) };
    sync_what_is_left(root, parent)?;
    prune(root, parent);
    Ok(())
}

/// Makes durable that a name is gone from `folder`, which another, who saw it
/// empty, may have removed meanwhile: then that it is gone from the one above.
fn sync_what_is_left(root: &Path, folder: &Path) -> Result<(), LakeError> {
    for folder in folder.ancestors() {
        match sync_directory(folder) {
            Err(LakeError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && folder != root => {}
            synced => return synced,
        }
    }
    Ok(())
}

/// Removes `folder` and those above it, below `root`, as far as they are empty.
pub(crate) fn prune(root: &Path, folder: &Path) {
    for folder in folder.ancestors().take_while(|above| *above != root) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_from_another_file_system_comes_in_whole() {
        let (here, there) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
        let device =
            |path: &Path| std::os::unix::fs::MetadataExt::dev(&fs::metadata(path).unwrap());
        if device(here.path()) == device(there.path()) {
            println!("SKIPPED: temporary files and /dev/shm are on one file system");
            return;
        }
        let from = there.path().join("staged");
        fs::write(&from, vec![7; 100_000]).unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).unwrap();
        let to = here.path().join("events/a.parquet");
        rename(here.path(), &from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), vec![7; 100_000]);
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(!from.exists());
        assert_eq!(fs::read_dir(here.path().join(OURS).join("work")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_a_lake_knows_is_readable_for_who_may_read_its_files() {
        let lake = tempfile::tempdir().unwrap();
        let place = crate::Place::open(lake.path().to_str().unwrap(), None).unwrap();
        place.write("_evscribe/hosts/a.json", b"{}".to_vec()).await.unwrap();
        let by_umask = lake.path().join("by-umask");
        fs::write(&by_umask, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let record = mode(&lake.path().join("_evscribe/hosts/a.json"));
        assert_eq!(record, mode(&by_umask) & 0o644);
    }

    #[test]
    fn a_second_name_of_what_is_there_already_goes() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("staged"), root.path().join("events/a.parquet"));
        for _ in 0..2 {
            fs::write(&from, "x").unwrap();
            rename(root.path(), &from, &to).unwrap();
            // A run that was killed before its record left it staged as well.
            fs::hard_link(&to, &from).unwrap();
            rename(root.path(), &from, &to).unwrap();
            assert!(!from.exists() && to.exists());
        }
    }

    #[test]
    fn a_folder_that_another_removed_meanwhile_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("_evscribe/intents");
        sync_what_is_left(root.path(), &folder).unwrap();
        fs::remove_dir(root.path()).unwrap();
        assert!(sync_what_is_left(root.path(), &folder).is_err(), "the lake itself is gone");
        fs::create_dir(root.path()).unwrap();
    }

    #[test]
    fn a_folder_that_goes_with_its_last_file_holds_up_nobody() {
        let root = tempfile::tempdir().unwrap();
        let work = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for host in 0..4 {
                let (root, work) = (root.path(), work.path());
                scope.spawn(move || {
                    for number in 0..200 {
                        let from = work.join(format!("{host}-{number}"));
                        fs::write(&from, "x").unwrap();
                        let to = root.join(format!("events/date=d/host={host}/a.parquet"));
                        rename(root, &from, &to).unwrap();
                        unlink(root, &to).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
