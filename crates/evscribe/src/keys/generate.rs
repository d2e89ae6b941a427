//! A key pair for who reads the files, made where they are.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use evscribe_sink::crypt::SecretKey;
use serde_json::json;

use crate::rights::say;

/// Makes a pair: `file` with the secret key, `file`.pub with the public one.
///
/// # Errors
/// Where one of them exists or cannot be written; then neither is made.
pub(super) fn run(file: &Path, name: Option<&str>, as_json: bool) -> Result<ExitCode> {
    let public_file = beside(file);
    for path in [file, &public_file] {
        if path.symlink_metadata().is_ok() {
            bail!("{} exists, so nothing was written: keys are never overwritten", path.display());
        }
    }
    let secret = SecretKey::generate()?;
    let public = match name {
        Some(name) => secret.public().named(name)?,
        None => secret.public(),
    };
    create(file, secret.to_text().as_bytes(), 0o600)?;
    if let Err(error) = create(&public_file, format!("{public}\n").as_bytes(), 0o644) {
        // Half a pair would stand in the way of the next try.
        let _ = std::fs::remove_file(file);
        return Err(error);
    }
    let (secret_file, shown) = (file.display(), public_file.display());
    let words = format!(
        "Made the key pair {id}.\n\
         \x20 {secret_file}: the SECRET key. Keep it off the workstations; who has it reads every file\n\
         \x20 that is encrypted for it, and without it nobody reads these elsewhere: keep a copy safe.\n\
         \x20 {shown}: the public key, for each workstation: evscribe keys add-recipient {shown}\n\
         {public}",
        id = public.id(),
    );
    let json = json!({
        "id": public.id(),
        "secret_file": file,
        "public_file": public_file,
        "public": public.to_string(),
    });
    say(as_json, &json, &words)
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Writes a new file, durably; what could not be written whole is not left.
fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("{} cannot be made", path.display()))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written.with_context(|| format!("{} cannot be written", path.display()))
}
