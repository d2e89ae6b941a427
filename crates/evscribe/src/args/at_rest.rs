//! For whom files are encrypted, and by which keys they are read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use evscribe_sink::crypt::{self, AtRest, Keyring, PublicKey};
use nix::unistd::getuid;

use crate::keys;
use crate::record::default_state;

/// How every public key begins.
const PUBLIC: &str = "evscribe-recipient-1:";

/// For whom the files are.
#[derive(Debug, Args)]
pub(crate) struct SealArgs {
    /// Encrypt for who has the secret key of this public key, or of those in
    /// this file, one a line; may be given several times.
    #[arg(long = "recipient", value_name = "KEY|FILE")]
    recipients: Vec<String>,
    /// Encrypt nothing: who gets hold of the files reads them.
    #[arg(long, conflicts_with = "recipients")]
    plain: bool,
}

impl SealArgs {
    /// What was said; `None` for nothing.
    ///
    /// # Errors
    /// Where a recipient is none.
    pub(crate) fn at_rest(&self) -> Result<Option<AtRest>> {
        if self.plain {
            return Ok(Some(AtRest::Plain));
        }
        let mut recipients: Vec<PublicKey> = Vec::new();
        for recipient in &self.recipients {
            let named = if recipient.starts_with(PUBLIC) {
                vec![recipient.parse()?]
            } else {
                let path = Path::new(recipient);
                let named = crypt::recipients(path).with_context(|| {
                    format!("--recipient takes a public key ({PUBLIC}…) or a file of them")
                })?;
                ensure!(!named.is_empty(), "{recipient} names no recipient");
                named
            };
            recipients.extend(named);
        }
        // Whoever records comes to these.
        ensure!(
            recipients.len() < crypt::MAX_RECIPIENTS,
            "{} recipients are too many: a file may have {}, yourself among them",
            recipients.len(),
            crypt::MAX_RECIPIENTS
        );
        let encrypted = |recipients: Vec<_>| {
            recipients.into_iter().fold(AtRest::default(), |at_rest, key| at_rest.and(key))
        };
        Ok((!recipients.is_empty()).then(|| encrypted(recipients)))
    }
}

/// The keys that open what is encrypted.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// A secret key that opens encrypted files; may be given several times.
    ///
    /// Without it the key of your own `evscribe record` is tried, and for root
    /// the workstation's.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
}

impl KeyArgs {
    /// The files that were named.
    pub(crate) fn named(&self) -> &[PathBuf] {
        &self.keys
    }

    /// The keys at hand.
    ///
    /// # Errors
    /// Where one that was named cannot be read.
    pub(crate) fn keyring(&self) -> Result<Keyring> {
        if !self.keys.is_empty() {
            return Ok(Keyring::from_files(&self.keys)?);
        }
        // Nobody asked for these: where one cannot be read, a file that needs it
        // says so.
        let own = default_state().map(|state| state.join("evscribe.key"));
        let own = own.ok().and_then(|path| Keyring::from_files(&[path]).ok());
        let mut keyring = own.unwrap_or_default();
        if getuid().is_root()
            && let Ok(Some(workstation)) = keys::of_this_machine()
        {
            keyring.join(&workstation);
        }
        Ok(keyring)
    }
}
