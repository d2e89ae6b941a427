//! The dataset's directory: opened by one writer at a time, and only if it is
//! one.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access};

use crate::{
    SealedFile, SinkError, Table,
    crypt::{AtRest, Keyring},
    disk::{self, HIDDEN, Lock},
    error::At,
    forget::subjects,
    manifest::{self, Line, MANIFEST, Manifest},
    tombstones::TOMBSTONES,
};

/// What else may lie beside the tables: `lost+found` of a file system's root.
const TOLERATED: [&str; 1] = ["lost+found"];

/// A dataset, held for writing: no other process writes it meanwhile.
#[derive(Debug)]
pub struct Dataset {
    directory: PathBuf,
    pub(crate) manifest: Manifest,
    torn_bytes: u64,
    at_rest: AtRest,
    _lock: Lock,
}

impl Dataset {
    /// Opens the dataset at `directory`, or makes one where nothing is.
    ///
    /// Files that an earlier writer left unfinished under hidden names are
    /// removed, a torn last line of the manifest is cut off.
    ///
    /// # Errors
    /// [`SinkError::NotADirectory`], [`SinkError::NotWritable`],
    /// [`SinkError::Foreign`], [`SinkError::NewerSchema`], [`SinkError::Busy`];
    /// [`SinkError::Io`] otherwise. What was there before is left as it was.
    pub fn create_or_open(directory: &Path) -> Result<Self, SinkError> {
        match fs::metadata(directory) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(SinkError::NotADirectory { path: directory.into() });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(directory).map_err(|error| refused(directory, error))?;
            }
            Err(error) => return Err(refused(directory, error)),
        }
        let entries = entries(directory)?;
        let is_new = !entries.iter().any(|name| name == MANIFEST);
        check(directory, &entries, is_new)?;
        access(directory, AccessFlags::W_OK | AccessFlags::X_OK)
            .map_err(|error| refused(directory, error.into()))?;
        let lock = Lock::of(directory)?;
        if is_new {
            Manifest::create(directory)?;
        } else {
            manifest::read(directory)?;
        }
        let (manifest, torn_bytes) = Manifest::open(directory).map_err(|error| match error {
            SinkError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                refused(directory, source)
            }
            error => error,
        })?;
        let (directory, at_rest) = (directory.into(), AtRest::default());
        let dataset = Self { directory, manifest, torn_bytes, at_rest, _lock: lock };
        dataset.sweep()?;
        Ok(dataset)
    }

    /// Says how files are sealed from now on. Until then they are for nobody, so
    /// none can be.
    pub fn set_at_rest(&mut self, at_rest: AtRest) {
        self.at_rest = at_rest;
    }

    /// How files are sealed.
    #[must_use]
    pub const fn at_rest(&self) -> &AtRest {
        &self.at_rest
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many bytes of a torn last line were cut off the manifest.
    #[must_use]
    pub const fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// What the manifest says of the file at `path`, where it is there.
    pub(crate) fn live(&self, path: &str) -> Result<Option<SealedFile>, SinkError> {
        Ok(manifest::read(&self.directory)?.live.remove(path))
    }

    /// Removes these files, durably, and says why in the manifest: one line for
    /// each that is in there, all of them before the first file goes.
    ///
    /// Files that are gone already are no error, so it may be done again.
    ///
    /// # Errors
    /// [`SinkError::Io`], the first, of those that cannot be removed; all others
    /// are.
    pub(crate) fn discard_all(&mut self, files: &[(&str, &str)]) -> Result<(), SinkError> {
        if files.is_empty() {
            return Ok(());
        }
        let (live, at) = (manifest::read(&self.directory)?.live, manifest::now());
        let is_live = |(path, _): &&(&str, &str)| live.contains_key(*path);
        let line = |(path, reason): &(&str, &str)| Line::Removed {
            path: (*path).to_owned(),
            reason: (*reason).to_owned(),
            at: at.clone(),
        };
        self.manifest.append(&files.iter().filter(is_live).map(line).collect::<Vec<_>>())?;
        let (mut partitions, mut failed) = (BTreeSet::new(), None);
        for (path, _) in files {
            disk::step();
            let path = self.directory.join(path);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    failed.get_or_insert(Err(error).at("remove", &path));
                }
                _ => {}
            }
            partitions.extend(path.parent().map(Path::to_path_buf));
        }
        // One that is gone went empty, after a sync.
        for partition in partitions.iter().filter(|partition| partition.is_dir()) {
            disk::sync_directory(partition)?;
            // It goes with its last file; one that is not empty stays.
            for directory in partition.ancestors().take(2) {
                if fs::remove_dir(directory).is_err() {
                    break;
                }
            }
        }
        failed.unwrap_or(Ok(()))
    }

    /// The files of these people that are in the dataset at `directory`, by
    /// path. Takes no lock. `keys` open those of which the manifest does not say
    /// whose they are.
    ///
    /// # Errors
    /// [`SinkError::NoDataset`], [`SinkError::NewerSchema`], [`SinkError::Io`].
    pub fn files_of(
        directory: &Path,
        subjects: &[String],
        keys: &Keyring,
    ) -> Result<Vec<SealedFile>, SinkError> {
        let mut live = manifest::read(directory)?.live;
        subjects::state(directory, keys, &mut live)?;
        Ok(live.into_values().filter(|file| subjects.contains(&file.subject)).collect())
    }

    /// Removes what is unfinished or already stated to be removed.
    fn sweep(&self) -> Result<(), SinkError> {
        let tree = Tree::of(&self.directory)?;
        let contents = manifest::read(&self.directory)?;
        let stale = tree.files.iter().filter(|path| contents.removed.contains_key(*path));
        for path in tree.hidden.iter().chain(stale) {
            let path = self.directory.join(path);
            fs::remove_file(&path).at("remove", &path)?;
        }
        Ok(())
    }
}

fn refused(directory: &Path, error: io::Error) -> SinkError {
    match error.kind() {
        io::ErrorKind::NotADirectory => SinkError::NotADirectory { path: directory.into() },
        _ => SinkError::NotWritable { path: directory.into(), source: error },
    }
}

fn entries(directory: &Path) -> Result<Vec<String>, SinkError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).at("read", directory)? {
        names.push(entry.at("read", directory)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Whether the entries are those of a dataset, or of an empty directory.
fn check(directory: &Path, entries: &[String], is_new: bool) -> Result<(), SinkError> {
    let belongs = |name: &str| {
        name == MANIFEST
            || (!is_new && name == TOMBSTONES)
            || TOLERATED.contains(&name)
            || name.strip_prefix(HIDDEN) == Some(MANIFEST)
            || (!is_new && Table::named(name).is_some() && directory.join(name).is_dir())
    };
    match entries.iter().find(|name| !belongs(name)) {
        Some(entry) => Err(SinkError::Foreign { path: directory.into(), entry: entry.clone() }),
        None => Ok(()),
    }
}

/// What lies under the tables, as paths relative to the dataset.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// `<table>/date=…/host=…/….parquet`, sorted.
    pub(crate) files: Vec<String>,
    /// Unfinished files.
    pub(crate) hidden: Vec<String>,
    /// Everything else.
    pub(crate) foreign: Vec<String>,
}

impl Tree {
    pub(crate) fn of(directory: &Path) -> Result<Self, SinkError> {
        let mut tree = Self::default();
        for name in entries(directory)? {
            if Table::named(&name).is_some() {
                tree.descend(directory, &name, 1)?;
            } else if ![MANIFEST, TOMBSTONES].contains(&name.as_str())
                && !TOLERATED.contains(&name.as_str())
            {
                tree.foreign.push(name);
            }
        }
        tree.files.sort();
        Ok(tree)
    }

    /// `depth` is 1 for a table, 2 for a date, 3 for a host.
    fn descend(&mut self, root: &Path, path: &str, depth: u8) -> Result<(), SinkError> {
        let directory = root.join(path);
        for entry in fs::read_dir(&directory).at("read", &directory)? {
            let entry = entry.at("read", &directory)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().at("read", &directory)?;
            let below = format!("{path}/{name}");
            let is_partition = match depth {
                1 => name.starts_with("date="),
                2 => name.starts_with("host="),
                _ => false,
            };
            if kind.is_dir() && is_partition {
                self.descend(root, &below, depth + 1)?;
            } else if kind.is_file() && name.starts_with(HIDDEN) {
                self.hidden.push(below);
            } else if kind.is_file() && depth == 3 && name.ends_with(".parquet") {
                self.files.push(below);
            } else {
                self.foreign.push(below);
            }
        }
        Ok(())
    }
}
