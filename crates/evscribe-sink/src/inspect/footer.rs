//! The footer of a file that may be anybody's, looked at before it is parsed.

use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::{file::malformed, grammar};
use crate::{
    SinkError,
    crypt::{DataKey, MAGIC, open_footer},
    error::At,
};

/// Length and magic, at the end of a file.
const END_BYTES: u64 = 8;
const PLAIN: &[u8; 4] = b"PAR1";

/// Longest footer that is read, bytes: one of 512 MiB of rows has 1 MiB.
pub const FOOTER_MAX_BYTES: u64 = 16 << 20;

/// Checks the footer of the file at `place` before anything parses it: that it is of
/// bearable length and says nothing that crate parquet would make room for without
/// end, which ends the process. `key` is that of an encrypted file. What is no Parquet
/// file at all passes: it does no harm, and parsing says what is wrong. The end of it,
/// from the footer on, is all of `file` that is read.
///
/// To be called before each parsing of a file that came from somewhere else;
/// [`TableFile::open`](super::TableFile::open) does so.
///
/// # Errors
/// [`SinkError::Malformed`], [`SinkError::Tampered`]; [`SinkError::Io`] where it
/// cannot be read.
pub fn check_footer(
    file: &mut (impl Read + Seek),
    place: &Path,
    key: Option<&DataKey>,
) -> Result<(), SinkError> {
    let length = file.seek(SeekFrom::End(0)).at("read", place)?;
    let Some(end) = length.checked_sub(END_BYTES) else { return Ok(()) };
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(end)).and_then(|_| file.read_exact(&mut tail)).at("read", place)?;
    let [a, b, c, d, magic @ ..] = tail;
    let bytes = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(begin) = end.checked_sub(bytes).filter(|_| &magic == PLAIN || &magic == MAGIC) else {
        return Ok(());
    };
    if bytes > FOOTER_MAX_BYTES {
        return Err(malformed(place, "its footer is too long to be one"));
    }
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(begin)).at("read", place)?;
    file.take(bytes).read_to_end(&mut footer).at("read", place)?;
    if &magic == MAGIC {
        // Without a key nothing of it can be parsed.
        let Some(key) = key else { return Ok(()) };
        let open = open_footer(&footer, key);
        footer = open.ok_or_else(|| SinkError::Tampered { what: "its footer".into() })?;
    }
    if grammar::fits(&footer) {
        Ok(())
    } else {
        Err(malformed(place, "its footer is not one that evscribe writes"))
    }
}

#[cfg(test)]
#[path = "footer_test.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]
mod tests;
