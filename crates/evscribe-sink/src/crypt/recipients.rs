//! The file that says for whom files are encrypted.

use std::{fs, path::Path};

use super::{MAX_RECIPIENTS, PublicKey};
use crate::{SinkError, error::At};

/// Reads a file of recipients: a public key a line, with a name behind it where
/// it has one; empty lines and those that begin with `#` say nothing. A key that
/// stands in it twice is one recipient, under its first name.
///
/// # Errors
/// [`SinkError::Io`] where it cannot be read, [`SinkError::RecipientLine`] for
/// the first line that is no public key, [`SinkError::Recipients`] for too many.
pub fn recipients(path: &Path) -> Result<Vec<PublicKey>, SinkError> {
    let text = fs::read_to_string(path).at("read", path)?;
    let mut recipients: Vec<PublicKey> = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key: PublicKey = line.parse().map_err(|source| SinkError::RecipientLine {
            path: path.into(),
            line: number,
            source: Box::new(source),
        })?;
        if !recipients.contains(&key) {
            recipients.push(key);
        }
    }
    // The workstation's own key comes to these.
    if recipients.len() >= MAX_RECIPIENTS {
        return Err(SinkError::Recipients { found: recipients.len() });
    }
    Ok(recipients)
}
