//! Where keys and recipients are, and how a file there is replaced: whole or not
//! at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use evscribe_policy::{DEFAULT_PATH, RECIPIENTS_PATH};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Uid;

/// The workstation's key, as bytes.
const KEY: &str = "/etc/evscribe/evscribe.key";
/// The same, sealed for this machine by `systemd-creds`.
const CREDENTIAL: &str = "/etc/evscribe/evscribe.key.cred";
/// Has the unit load the sealed one.
const DROP_IN: &str = "/etc/systemd/system/evscribed.service.d/50-evscribe-key.conf";
/// What is there while systemd runs. Source: sd_booted(3).
const BOOTED: &str = "/run/systemd/system";

/// The system that the files belong to: this one, or one that lies below a
/// folder, as an image does.
#[derive(Clone, Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// The system below that folder.
    pub(crate) fn new(root: &Path) -> Self {
        Self(root.into())
    }

    /// Whether it is the system that we are in.
    pub(crate) fn is_here(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// Whether that system runs, and its TPM and services are at hand: one that
    /// somebody entered with chroot, as an image, does not.
    pub(crate) fn runs(&self) -> bool {
        let root = |path| fs::metadata(path).map(|about| (about.dev(), about.ino()));
        let is_chroot = root("/proc/1/root").is_ok_and(|init| root("/").is_ok_and(|us| us != init));
        self.is_here() && Path::new(BOOTED).exists() && !is_chroot
    }

    pub(crate) fn below(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.below(KEY)
    }

    pub(crate) fn credential(&self) -> PathBuf {
        self.below(CREDENTIAL)
    }

    pub(crate) fn drop_in(&self) -> PathBuf {
        self.below(DROP_IN)
    }

    pub(crate) fn recipients(&self) -> PathBuf {
        self.below(RECIPIENTS_PATH)
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.below(DEFAULT_PATH)
    }

    /// What the unit reads to load the sealed key; an empty assignment takes back
    /// what the unit itself says.
    pub(crate) fn drop_in_text() -> String {
        format!(
            "# Made by `evscribe keys`: the key is sealed for this machine.\n\
             [Service]\nLoadCredential=\nLoadCredentialEncrypted=evscribe.key:{CREDENTIAL}\n"
        )
    }

    /// Holds off everybody else who changes something here, and has what is made
    /// get the mode that it asks for.
    ///
    /// # Errors
    /// Where the folder cannot be made or another holds it; who is not root is
    /// told so.
    pub(crate) fn lock(&self) -> Result<Flock<File>> {
        if self.is_here() && !Uid::effective().is_root() {
            bail!("only root changes the keys of this machine, so nothing was changed: use sudo");
        }
        // The service reads the list too, whatever umask an administrator has.
        umask(Mode::S_IWGRP | Mode::S_IWOTH);
        let recipients = self.recipients();
        let folder = recipients.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let file =
            File::open(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| {
            anyhow::anyhow!(
                "another `evscribe keys` is at work in {} ({error}); nothing was changed: run it \
                 again when that one is done",
                folder.display()
            )
        })
    }

    /// Has systemd read its units again, where it runs.
    pub(crate) fn reload_units(&self) {
        if !self.runs() {
            return;
        }
        let asked = Command::new("systemctl").arg("daemon-reload").status();
        if !asked.is_ok_and(|status| status.success()) {
            eprintln!(
                "evscribe: systemctl daemon-reload failed; the unit loads the old key until it is run"
            );
        }
    }
}

/// Replaces `path` by `bytes`, durably: at every moment the one or the other is there.
///
/// # Errors
/// Where it cannot be written; then the one before is there.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = path.with_file_name(format!(".tmp-{name}"));
    let folder = path.parent().unwrap_or(Path::new("/"));
    let write = || {
        fs::create_dir_all(folder)?;
        // One that a kill left would have its own mode.
        let _ = fs::remove_file(&hidden);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&hidden)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&hidden, path)?;
        File::open(folder)?.sync_all()
    };
    let written = write();
    if written.is_err() {
        drop(fs::remove_file(&hidden));
    }
    written.with_context(|| format!("{} cannot be written and is as it was", path.display()))
}

/// Removes a file, durably; one that is not there is fine.
///
/// # Errors
/// Where it cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match fs::remove_file(path) {
        Ok(()) => File::open(folder).and_then(|folder| folder.sync_all()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
    .with_context(|| format!("{} cannot be removed", path.display()))
}
