//! A public key of SSH, and nothing else on its line.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// Kinds that sshd takes, without certificates: these are another's word.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Longest line taken, bytes: an RSA key of 16,384 bits has 2.8 KB.
const LINE_MAX: usize = 4_096;

/// A public key; its bytes name the same kind as its line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PublicKey {
    kind: &'static str,
    blob: Vec<u8>,
}

impl PublicKey {
    /// The key itself, or the one key in the file of that name.
    ///
    /// # Errors
    /// Where it is none, with what to give instead.
    pub(super) fn from_argument(argument: &str) -> Result<Self> {
        if argument.split(' ').count() > 1 {
            return Self::parse(argument);
        }
        let path = Path::new(argument);
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("{argument:?} is no public key, and no file that can be read")
        })?;
        Self::parse(&text).with_context(|| format!("{} holds no usable key", path.display()))
    }

    /// The key of a line as `ssh-keygen` writes it: kind, base64, a comment, which
    /// is left out.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        ensure!(
            !line.contains("PRIVATE KEY"),
            "this is a private key: keep it where it is, and give the public one (.pub)"
        );
        ensure!(
            line.len() <= LINE_MAX && !line.contains(char::is_control),
            "a public key is one line: give one key"
        );
        let mut words = line.split(' ');
        let (word, base64) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Some(kind) = KINDS.into_iter().find(|kind| *kind == word) else {
            bail!(
                "a public key begins with its kind, without options before it: one of {}",
                KINDS.join(", ")
            );
        };
        let blob = STANDARD.decode(base64).context("what comes after its kind is no base64")?;
        ensure!(
            kind_of(&blob) == Some(kind.as_bytes()),
            "its bytes are not those of a key of the kind {kind}"
        );
        Ok(Self { kind, blob })
    }

    /// Kind and bytes, as they stand in a line.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.kind, STANDARD.encode(&self.blob))
    }

    /// What `ssh-keygen -l` and ssh show.
    pub(super) fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    pub(super) const fn kind(&self) -> &'static str {
        self.kind
    }
}

/// The kind that a key's bytes begin with, where more follows. Source: RFC 4253,
/// section 6.6.
fn kind_of(blob: &[u8]) -> Option<&[u8]> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (kind, key) = rest.split_at_checked(length)?;
    (!key.is_empty()).then_some(kind)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Of a key that was made for this test and thrown away.
    pub(in super::super) const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC6uZc+S2FqPhvQmU8RCg6hnHQAdPyUZ3i3GD9h1dAwX";
    const FINGERPRINT: &str = "SHA256:WnZK9PbaophiUHICq6+lD/zPlmv9s8xISOvmmJpedqE";

    #[test]
    fn a_key_has_the_fingerprint_that_ssh_shows() {
        let key = PublicKey::parse(&format!("{KEY} who@where\n")).unwrap();
        assert_eq!((key.fingerprint().as_str(), key.line().as_str()), (FINGERPRINT, KEY));
    }

    #[test]
    fn what_is_no_single_plain_key_is_refused() {
        let base64 = KEY.strip_prefix("ssh-ed25519 ").unwrap();
        for (wrong, why) in [
            (String::new(), "begins with its kind"),
            (format!("command=\"sh\" {KEY}"), "without options"),
            (format!("no-pty,{KEY}"), "without options"),
            (format!("{KEY}\nssh-ed25519 {base64}"), "one line"),
            (format!("{KEY}\r"), "one line"),
            (format!("{KEY} a\u{85}b"), "one line"),
            (format!("ssh-rsa {base64}"), "not those of a key of the kind ssh-rsa"),
            ("ssh-ed25519".into(), "not those"),
            ("ssh-ed25519 AAAA".into(), "not those"),
            (format!("ssh-ed25519 {}", &base64[1..]), "no base64"),
            (format!("ssh-ed25519 {base64}="), "no base64"),
            (format!("ssh-ed25519  {base64}"), "not those"),
            (format!("ssh-dss {base64}"), "one of ssh-ed25519"),
            (format!("ssh-ed25519-cert-v01@openssh.com {base64}"), "one of"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n".into(), "private key"),
            (format!("{KEY} {}", "a".repeat(5_000)), "one line"),
        ] {
            let error = format!("{:#}", PublicKey::parse(&wrong).unwrap_err());
            assert!(error.contains(why), "{wrong:?}: {error}");
        }
    }
}
