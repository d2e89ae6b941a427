//! `systemd-creds`: a secret sealed for this machine, by its TPM or by systemd's
//! host key.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use zeroize::Zeroizing;

/// The name under which the service finds it; a credential opens under no other.
const NAME: &str = "--name=evscribe.key";

/// A TPM binds what it seals to what the machine booted, unless told otherwise to
/// PCR 7: an update of the firmware or of its keys would take the key away. Nothing
/// measures into PCR 23, which is zero at every start. To name none is no way:
/// what systemd 252 seals so it does not open.
const PCRS: &str = "--tpm2-pcrs=23";

/// Room for a key that was rotated every week for a lifetime.
const SECRET_MAX: usize = 1 << 17;

/// Where systemd keeps its host key. Source: `systemd-creds setup`,
/// systemd-creds(1).
const HOST_KEY: &str = "/var/lib/systemd/credential.secret";
/// Names another place of it. Source: ENVIRONMENT.md of systemd.
const HOST_KEY_VARIABLE: &str = "SYSTEMD_CREDENTIAL_SECRET";

/// How a credential begins that the host key alone opens: its type, a 128-bit
/// number, in base64. Source: `CRED_AES256_GCM_BY_HOST` in creds-util.h.
const BY_HOST_KEY: &str = "Whxqht+dQJax1aZeCGLxm";

/// What opens a credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SealedBy {
    /// systemd's host key, a file on this machine's disk.
    HostKey,
    /// This machine's TPM, mostly together with the host key.
    Tpm2,
}

impl SealedBy {
    /// Of a credential's text.
    pub(super) fn of(credential: &str) -> Self {
        if credential.starts_with(BY_HOST_KEY) { Self::HostKey } else { Self::Tpm2 }
    }

    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::HostKey => "sealed by systemd's host key, which lies on this disk too",
            Self::Tpm2 => "sealed by this machine's TPM",
        }
    }
}

/// Whether this machine has something to seal with: a TPM or a host key.
pub(super) fn is_possible() -> bool {
    let host_key = std::env::var_os(HOST_KEY_VARIABLE);
    let has_host_key = Path::new(host_key.as_deref().unwrap_or(HOST_KEY.as_ref())).exists();
    let asked = |arguments: &[&str]| {
        let run = Command::new("systemd-creds").args(arguments).stdout(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    };
    asked(&["--version"]) && (has_host_key || asked(&["has-tpm2", "--quiet"]))
}

/// Seals a secret for this machine, and makes sure that it can be opened again.
///
/// # Errors
/// Where `systemd-creds` cannot, with what it says.
pub(super) fn seal(secret: &[u8]) -> Result<String> {
    let mut text = Zeroizing::new(Vec::new());
    through(&["encrypt", PCRS], secret, &mut text)?;
    let credential = String::from_utf8(text.to_vec()).context("systemd-creds wrote no text")?;
    let opened = open(&credential)?;
    ensure!(opened.as_slice() == secret, "what systemd-creds sealed opens as something else");
    Ok(credential)
}

/// Opens what was sealed for this machine.
///
/// # Errors
/// Where it was sealed for another machine or is damaged.
pub(super) fn open(credential: &str) -> Result<Zeroizing<Vec<u8>>> {
    // Made as large as it gets: what grows leaves its old memory behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(SECRET_MAX));
    through(&["decrypt"], credential.as_bytes(), &mut secret)?;
    Ok(secret)
}

/// Has `systemd-creds` turn one into the other, through pipes: neither is written
/// to a disk.
fn through(verb: &[&str], input: &[u8], output: &mut Vec<u8>) -> Result<()> {
    let mut child = Command::new("systemd-creds")
        .args(verb)
        .args([NAME, "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("systemd-creds cannot be run; it is of Debian's package systemd")?;
    let piped = pipe(&mut child, input, output);
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        // What it says is of use only where it failed.
        let _ = stderr.read_to_string(&mut said);
    }
    let status = child.wait().context("systemd-creds did not end")?;
    let verb = verb.join(" ");
    if !status.success() {
        let said = said.trim();
        bail!("systemd-creds {verb} failed ({status}): {said}");
    }
    piped.with_context(|| format!("systemd-creds {verb} was not to be spoken with"))
}

/// It reads all before it writes, and what it says fits into a pipe.
fn pipe(child: &mut Child, input: &[u8], output: &mut Vec<u8>) -> std::io::Result<()> {
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    if let Some(stdout) = child.stdout.take() {
        stdout.take(SECRET_MAX as u64).read_to_end(output)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_opens_a_credential_is_seen_by_how_it_begins() {
        assert_eq!(SealedBy::of("Whxqht+dQJax1aZeCGLxmiAAAAABAAAA"), SealedBy::HostKey);
        assert_eq!(SealedBy::of("k6iUCUh0RJCQyvL8k8q1UyAAAAABAAAA"), SealedBy::Tpm2);
    }
}
