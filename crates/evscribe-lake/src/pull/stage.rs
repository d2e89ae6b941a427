//! Where a host's files lie on this machine until they are in the lake:
//!
//! ```text
//! work/pull/<name>/offer/      manifest and tombstones, as fetched last
//! work/pull/<name>/files/      data files at their place, as far as they arrived
//! work/pull/<name>/placing/    second names, and plain copies, on their way into the lake
//! work/pull/<name>/lock        held by whatever rsync writes here
//! ```
//! A file stays under `files/` until the lake's record has it: what was cut off
//! between the two is there the next time, and nothing has to come over the line
//! twice. What a host makes appear here is looked at before it is opened.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use evscribe_sink::{MANIFEST, SealedFile, TOMBSTONES, sha256_file};

use crate::LakeError;
use crate::error::At;

/// The folder of one host.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    root: PathBuf,
    /// The mode that files have that this program makes.
    mode: u32,
}

/// What lies at a file's place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Look {
    Absent,
    /// Shorter than it should be.
    Part,
    /// The file.
    Whole,
    /// As long as it should be or longer, but not the file: why.
    Other(String),
}

impl Stage {
    /// Makes the folder of the host of that name, or takes up what is left there.
    pub(super) fn open(work: &Path, name: &str) -> Result<Self, LakeError> {
        let root = std::path::absolute(work.join("pull").join(name)).at("name", work)?;
        let placing = root.join("placing");
        match fs::remove_dir_all(&placing) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).at("clear", &placing);
            }
            _ => {}
        }
        for folder in ["offer", "files", "placing"].map(|name| root.join(name)) {
            fs::create_dir_all(&folder).at("create", &folder)?;
        }
        let lock = root.join("lock");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o666).open(&lock);
        let mode = file.and_then(|file| file.metadata()).at("open", &lock)?.mode() & 0o666;
        let stage = Self { root, mode };
        // What an rsync left that was killed.
        for entry in entries(&stage.offer())? {
            let is_ours =
                entry.file_name().is_some_and(|name| name == MANIFEST || name == TOMBSTONES);
            if !(is_ours && is_file(&entry)) {
                remove(&entry)?;
            }
        }
        Ok(stage)
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(super) fn offer(&self) -> PathBuf {
        self.root.join("offer")
    }

    pub(super) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    pub(super) fn placing(&self) -> PathBuf {
        self.root.join("placing")
    }

    /// The manifest or the tombstones; `None`, and gone, where the host did not
    /// say just now that it has them, or they are no file.
    pub(super) fn offered(&self, name: &str, has: bool) -> Result<Option<PathBuf>, LakeError> {
        let path = self.offer().join(name);
        if has && is_file(&path) {
            return Ok(Some(path));
        }
        remove(&path)?;
        Ok(None)
    }

    /// Clears away all but these: what nobody wants any more may be what somebody
    /// had forgotten.
    pub(super) fn keep_only(&self, wanted: &BTreeSet<&str>) -> Result<(), LakeError> {
        sweep(&self.files(), "", wanted).map(drop)
    }

    /// How many bytes lie here of these.
    pub(super) fn bytes_of<'a>(&self, files: impl Iterator<Item = &'a SealedFile>) -> u64 {
        let root = self.files();
        let length = |file: &SealedFile| {
            fs::symlink_metadata(root.join(&file.path)).map_or(0, |of| of.len())
        };
        files.map(length).sum()
    }

    /// Looks at what lies at the file's place. Reads it whole where it may be it.
    pub(super) fn look(&self, file: &SealedFile) -> Result<Look, LakeError> {
        let path = self.files().join(&file.path);
        let about = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Absent),
            about => about.at("look at", &path)?,
        };
        // Where a folder of its path is a link, it lies somewhere else.
        let real = self.files().canonicalize().at("look at", &path)?.join(&file.path);
        if !about.is_file() || path.canonicalize().is_ok_and(|path| path != real) {
            return Ok(Look::Other("what arrived is no file".into()));
        }
        if about.len() < file.bytes {
            return Ok(Look::Part);
        }
        if about.len() > file.bytes {
            return Ok(Look::Other(longer(file)));
        }
        let (sha256, _) = sha256_file(&path)?;
        if sha256 != file.sha256 {
            return Ok(Look::Other(format!(
                "its SHA-256 is {sha256}, the manifest says {}",
                file.sha256
            )));
        }
        fs::set_permissions(&path, Permissions::from_mode(self.mode)).at("open up", &path)?;
        Ok(Look::Whole)
    }

    /// Makes sure that rsync does not write into a file that the lake has, too: a
    /// second name from a step that was interrupted.
    pub(super) fn part_from_lake(&self, file: &SealedFile) -> Result<(), LakeError> {
        let path = self.files().join(&file.path);
        match fs::symlink_metadata(&path) {
            Ok(about) if !about.is_file() || about.nlink() > 1 => remove(&path),
            _ => Ok(()),
        }
    }

    /// A second name of the file, to be taken away: the first one stays.
    pub(super) fn second_name(&self, file: &SealedFile) -> Result<PathBuf, LakeError> {
        let (from, to) = (self.files().join(&file.path), self.placing().join(flat(&file.path)));
        remove(&to)?;
        fs::hard_link(&from, &to).at("name", &to)?;
        Ok(to)
    }

    /// The file is where it belongs, and everybody knows.
    pub(super) fn is_done_with(&self, path: &str) -> Result<(), LakeError> {
        remove(&self.files().join(path))
    }
}

/// Takes these files away from folders of hosts that are not in the list: one may
/// have had another name when they came. No link is followed.
pub(super) fn clear_unlisted(
    work: &Path,
    is_listed: impl Fn(&str) -> bool,
    paths: &BTreeSet<String>,
) -> Result<(), LakeError> {
    let all = work.join("pull");
    let folders = if all.is_dir() { entries(&all)? } else { Vec::new() };
    for folder in folders {
        if folder.file_name().and_then(|name| name.to_str()).is_some_and(&is_listed) {
            continue;
        }
        let (files, placing) = (folder.join("files"), folder.join("placing"));
        for path in paths {
            let all = [(&files, path.clone()), (&placing, path.clone()), (&placing, flat(path))];
            for (below, inside) in all {
                let at = below.join(&inside);
                let is_there = |real: PathBuf| at.canonicalize().is_ok_and(|at| at == real);
                if below.canonicalize().is_ok_and(|below| is_there(below.join(&inside))) {
                    remove(&at)?;
                }
            }
        }
    }
    Ok(())
}

/// What is wrong with a file of which more came than that.
pub(super) fn longer(file: &SealedFile) -> String {
    format!("it is longer than the {} bytes that the manifest says", file.bytes)
}

/// The two ends of a Parquet file: `None` where it is none, else whether it is
/// encrypted.
pub(super) fn is_encrypted(path: &Path) -> Result<Option<bool>, LakeError> {
    let read = || -> io::Result<[[u8; 4]; 2]> {
        let (mut file, mut ends) = (File::open(path)?, [[0; 4]; 2]);
        let [head, tail] = &mut ends;
        file.read_exact(head)?;
        file.seek(SeekFrom::End(-4))?;
        file.read_exact(tail)?;
        Ok(ends)
    };
    match read() {
        Ok([head, tail]) if &head == b"PAR1" && &tail == b"PAR1" => Ok(Some(false)),
        Ok([head, tail]) if &head == b"PARE" && &tail == b"PARE" => Ok(Some(true)),
        Ok(_) => Ok(None),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).at("read", path),
    }
}

fn flat(path: &str) -> String {
    path.replace('/', "+")
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| about.is_file())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let all: io::Result<Vec<_>> =
        fs::read_dir(folder).and_then(|all| all.map(|entry| Ok(entry?.path())).collect());
    all.at("list", folder)
}

/// Whatever it is, links not followed.
fn remove(path: &Path) -> Result<(), LakeError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("remove", path),
        _ => Ok(()),
    }
}

/// Whether anything is left.
fn sweep(folder: &Path, below: &str, wanted: &BTreeSet<&str>) -> Result<bool, LakeError> {
    let mut is_left = false;
    for entry in entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inside = if below.is_empty() { name } else { format!("{below}/{name}") };
        let is_folder = fs::symlink_metadata(&entry).is_ok_and(|about| about.is_dir());
        if is_folder && !wanted.contains(inside.as_str()) && sweep(&entry, &inside, wanted)? {
            is_left = true;
        } else if is_folder || !wanted.contains(inside.as_str()) {
            remove(&entry)?;
        } else {
            is_left = true;
        }
    }
    Ok(is_left)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use evscribe_sink::Table;
    use sha2::{Digest, Sha256};

    use super::*;

    fn sealed(bytes: &[u8]) -> SealedFile {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        SealedFile {
            path: "events/date=2026-11-23/host=ab01/a.parquet".into(),
            sha256,
            bytes: bytes.len() as u64,
            rows: 1,
            table: Table::Events,
            host: "ab01".into(),
            boot: String::new(),
            subject: String::new(),
            segment: String::new(),
            first_us: 0,
            last_us: 0,
            sealed_at: String::new(),
        }
    }

    #[test]
    fn only_the_file_itself_is_taken_for_it() {
        let work = tempfile::tempdir().unwrap();
        let (stage, file) = (Stage::open(work.path(), "desk").unwrap(), sealed(b"whole"));
        let at = stage.files().join(&file.path);
        let folder = at.parent().unwrap();
        assert_eq!(stage.look(&file).unwrap(), Look::Absent);
        fs::create_dir_all(folder).unwrap();
        for (bytes, is_as_expected) in [
            (&b"whol"[..], (|look| look == Look::Part) as fn(Look) -> bool),
            (b"whole", |look| look == Look::Whole),
            (b"whole and more", |look| matches!(look, Look::Other(_))),
            (b"while", |look| matches!(look, Look::Other(_))),
        ] {
            fs::write(&at, bytes).unwrap();
            assert!(is_as_expected(stage.look(&file).unwrap()), "{bytes:?}");
        }
        // A link is none, nor is what lies behind one.
        let beside = work.path().join("beside");
        fs::create_dir(&beside).unwrap();
        fs::write(beside.join("a.parquet"), b"whole").unwrap();
        fs::remove_file(&at).unwrap();
        symlink(beside.join("a.parquet"), &at).unwrap();
        assert!(matches!(stage.look(&file).unwrap(), Look::Other(_)));
        fs::remove_dir_all(folder).unwrap();
        symlink(&beside, folder).unwrap();
        assert!(matches!(stage.look(&file).unwrap(), Look::Other(_)));
        stage.keep_only(&BTreeSet::new()).unwrap();
        assert_eq!(fs::read_dir(stage.files()).unwrap().count(), 0);
        assert_eq!(fs::read(beside.join("a.parquet")).unwrap(), b"whole", "nothing behind a link");
    }

    #[test]
    fn nothing_is_written_into_a_file_that_the_lake_has() {
        let work = tempfile::tempdir().unwrap();
        let (stage, file) = (Stage::open(work.path(), "desk").unwrap(), sealed(b"whole"));
        let at = stage.files().join(&file.path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, b"whole").unwrap();
        let second = stage.second_name(&file).unwrap();
        stage.part_from_lake(&file).unwrap();
        assert!(!at.exists() && second.exists());
        fs::write(&at, b"who").unwrap();
        stage.part_from_lake(&file).unwrap();
        assert_eq!(stage.look(&file).unwrap(), Look::Part, "what is its own stays");
    }

    #[test]
    fn what_a_killed_rsync_left_of_lists_goes() {
        let work = tempfile::tempdir().unwrap();
        let stage = Stage::open(work.path(), "desk").unwrap();
        fs::write(stage.offer().join(".manifest.jsonl.Ab12Cd"), "half").unwrap();
        fs::create_dir(stage.offer().join(TOMBSTONES)).unwrap();
        fs::write(stage.offer().join(MANIFEST), "whole").unwrap();
        let stage = Stage::open(work.path(), "desk").unwrap();
        let left: Vec<_> = entries(&stage.offer()).unwrap();
        assert_eq!(left, [stage.offer().join(MANIFEST)]);
        assert_eq!(stage.offered(MANIFEST, false).unwrap(), None, "the host has it no more");
        assert!(!stage.offer().join(MANIFEST).exists());
    }
}
