//! Asking the person at the terminal.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use anyhow::Result;

/// Whether somebody reads what is shown and can answer: talk goes over standard
/// error, so that standard output holds results alone.
pub(super) fn is_attended() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Asks, and returns whether the answer is `yes`.
///
/// # Errors
/// Where the terminal cannot be read.
pub(super) fn agrees(question: &str) -> Result<bool> {
    eprint!("{question} Type yes: ");
    stderr().flush()?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}
