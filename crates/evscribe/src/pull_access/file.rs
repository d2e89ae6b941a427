//! `authorized_keys` of who pulls: root's, a line each, replaced whole.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use evscribe_sink::is_puller;
use nix::fcntl::{Flock, FlockArg};

use super::key::PublicKey;

/// sshd reads it as the user who logs in, and wants it writable by root alone.
const MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// Between the program and the name, and behind the name, in a line of ours.
const SERVES: &str = " serve-pull ";
const RESTRICTED: &str = "\",restrict ";

/// A line.
enum Line {
    Puller {
        name: String,
        key: PublicKey,
        text: String,
    },
    /// Blank, a comment, or of somebody else: stays as it is.
    Other(String),
}

/// The file, held against others while it is changed.
pub(super) struct AccessFile {
    path: PathBuf,
    lines: Vec<Line>,
    _held: Option<Flock<File>>,
}

impl AccessFile {
    /// Reads the file to change it; makes what is missing of its folder.
    ///
    /// # Errors
    /// Where it cannot be read, or not be held: only root may.
    pub(super) fn open(home: &Path) -> Result<Self> {
        let folder = home.join(".ssh");
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&folder).with_context(|| {
            format!("{} cannot be made; only root may say who pulls", folder.display())
        })?;
        let held =
            File::open(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        let held = Flock::lock(held, FlockArg::LockExclusive)
            .map_err(|(_, error)| error)
            .with_context(|| format!("{} cannot be held", folder.display()))?;
        Ok(Self { _held: Some(held), ..Self::read(home)? })
    }

    /// Reads the file; without one nobody may pull.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) fn read(home: &Path) -> Result<Self> {
        let path = home.join(".ssh/authorized_keys");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("{} cannot be read", path.display()))?,
        };
        let lines = text.lines().map(Line::of).collect();
        Ok(Self { path, lines, _held: None })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Who may pull, by name and key.
    pub(super) fn pullers(&self) -> impl Iterator<Item = (&str, &PublicKey)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Puller { name, key, .. } => Some((name.as_str(), key)),
            Line::Other(_) => None,
        })
    }

    /// Numbers of the lines that say something and are not ours, from 1.
    pub(super) fn others(&self) -> impl Iterator<Item = usize> {
        let says = |text: &str| !text.trim().is_empty() && !text.trim_start().starts_with('#');
        self.lines.iter().zip(1..).filter_map(move |(line, number)| {
            matches!(line, Line::Other(text) if says(text)).then_some(number)
        })
    }

    /// Lets the holder of that key pull under that name, served by `program`.
    ///
    /// # Errors
    /// Where that name or that key may pull already.
    pub(super) fn add(&mut self, name: &str, key: &PublicKey, program: &Path) -> Result<()> {
        for (known, their) in self.pullers() {
            if known == name {
                bail!(
                    "{name} may pull already: evscribe pull-access remove {name} first, or take another name"
                );
            }
            if their == key {
                bail!(
                    "this key may pull already, as {known}: in the ledger two names would be one"
                );
            }
        }
        let blob = key.line();
        let is_theirs = |line: &Line| matches!(line, Line::Other(text) if text.contains(&blob));
        ensure!(
            !self.lines.iter().any(is_theirs),
            "this key stands in {} already, in a line that evscribe did not write: take that out",
            self.path.display()
        );
        let program = program.to_str().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
        ensure!(
            program.starts_with('/') && program.bytes().all(is_plain),
            "evscribe is installed at {program:?}, which cannot stand in authorized_keys"
        );
        let text = format!("command=\"{program}{SERVES}{name}{RESTRICTED}{blob} {name}");
        self.lines.push(Line::Puller { name: name.into(), key: key.clone(), text });
        Ok(())
    }

    /// Takes that puller out. Returns whether they were in it.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| !matches!(line, Line::Puller { name: of, .. } if of == name));
        self.lines.len() < before
    }

    /// Puts it in its place, whole or not at all, durably.
    ///
    /// # Errors
    /// Then it is as it was.
    pub(super) fn save(&self) -> Result<()> {
        let mut text = String::new();
        for line in &self.lines {
            let (Line::Puller { text: line, .. } | Line::Other(line)) = line;
            text.push_str(line);
            text.push('\n');
        }
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.as_file().set_permissions(Permissions::from_mode(MODE))?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            File::open(folder)?.sync_all()
        };
        write().with_context(|| {
            format!("{} is as it was, for it cannot be written; only root may", self.path.display())
        })
    }
}

impl Line {
    fn of(text: &str) -> Self {
        let ours = || {
            let rest = text.strip_prefix("command=\"")?;
            let (command, key) = rest.split_once(RESTRICTED)?;
            let (program, name) = command.rsplit_once(SERVES)?;
            let is_ours =
                is_puller(name) && program.starts_with('/') && !program.contains(['"', ' ']);
            let key = PublicKey::parse(key).ok().filter(|_| is_ours)?;
            Some(Self::Puller { name: name.into(), key, text: text.into() })
        };
        ours().unwrap_or_else(|| Self::Other(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::KEY;
    use super::*;

    const PROGRAM: &str = "/usr/bin/evscribe";

    fn key() -> PublicKey {
        PublicKey::parse(KEY).unwrap()
    }

    #[test]
    fn who_is_added_has_a_line_that_lets_them_do_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let mut access = AccessFile::open(home.path()).unwrap();
        access.add("lake", &key(), Path::new(PROGRAM)).unwrap();
        access.save().unwrap();
        let path = home.path().join(".ssh/authorized_keys");
        let expected =
            format!("command=\"/usr/bin/evscribe serve-pull lake\",restrict {KEY} lake\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        drop(access);
        let mut access = AccessFile::open(home.path()).unwrap();
        assert_eq!(access.pullers().collect::<Vec<_>>(), [("lake", &key())]);
        for (name, why) in [("lake", "may pull already: "), ("other", "already, as lake")] {
            let error = access.add(name, &key(), Path::new(PROGRAM)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(access.remove("lake") && !access.remove("lake"));
        access.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn lines_of_others_stay_and_are_named() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".ssh")).unwrap();
        let path = home.path().join(".ssh/authorized_keys");
        let before = "# by hand\n\nrestrict ssh-ed25519 AAAA me\n";
        fs::write(&path, before).unwrap();
        let mut access = AccessFile::open(home.path()).unwrap();
        assert_eq!(access.others().collect::<Vec<_>>(), [3]);
        access.add("lake", &key(), Path::new(PROGRAM)).unwrap();
        access.save().unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with(before));
        fs::write(&path, format!("no-pty {KEY}\n")).unwrap();
        let mut access = AccessFile::read(home.path()).unwrap();
        let error = access.add("lake", &key(), Path::new(PROGRAM)).unwrap_err().to_string();
        assert!(error.contains("did not write"), "{error}");
    }

    #[test]
    fn a_program_at_an_odd_place_cannot_write_options() {
        let home = tempfile::tempdir().unwrap();
        let mut access = AccessFile::read(home.path()).unwrap();
        for odd in ["evscribe", "/a b/evscribe", "/a\"/evscribe", "/a\nb", "/a$(id)/evscribe", ""] {
            assert!(access.add("lake", &key(), Path::new(odd)).is_err(), "{odd:?}");
        }
    }
}
