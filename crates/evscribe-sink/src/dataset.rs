//! The dataset's directory: opened by one writer at a time, and only if it is
//! one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access};

use crate::{
    SinkError, Table,
    disk::{HIDDEN, Lock},
    error::At,
    manifest::{self, Line, MANIFEST, Manifest},
};

/// What else may lie beside the tables: `lost+found` of a file system's root.
const TOLERATED: [&str; 1] = ["lost+found"];

/// A dataset, held for writing: no other process writes it meanwhile.
#[derive(Debug)]
pub struct Dataset {
    directory: PathBuf,
    pub(crate) manifest: Manifest,
    torn_bytes: u64,
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
        let dataset = Self { directory: directory.into(), manifest, torn_bytes, _lock: lock };
        dataset.sweep()?;
        Ok(dataset)
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

    /// Removes one file, and says so in the manifest where it was in there.
    pub(crate) fn remove(&mut self, path: &str, reason: &str) -> Result<(), SinkError> {
        if manifest::read(&self.directory)?.live.contains_key(path) {
            let line = Line::Removed {
                path: path.to_owned(),
                reason: reason.to_owned(),
                at: manifest::now(),
            };
            self.manifest.append(&[line])?;
        }
        let path = self.directory.join(path);
        fs::remove_file(&path).at("remove", &path)
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
            } else if name != MANIFEST && !TOLERATED.contains(&name.as_str()) {
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
