//! What a person may do: know, choose, take back, look and leave; and what an
//! administrator may do for all. The service does it, over the bus.

mod acknowledge;
mod admin;
mod export;
mod forget;
mod ledger;
mod me;
mod my_data;
mod notice;
mod passing;
mod pause;
mod terminal;
mod time;
pub(crate) mod words;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;

pub(crate) use me::Me;

use crate::args::{LedgerCommand, MyDataCommand, RightsCommand};

/// Does what a person asked for.
///
/// # Errors
/// What the service answers where it did not do it; what could not be written.
pub(crate) fn run(command: &RightsCommand, as_json: bool) -> Result<ExitCode> {
    match command {
        RightsCommand::Notice { if_due } => notice::run(*if_due, as_json),
        RightsCommand::Acknowledge(args) => acknowledge::run(args, as_json),
        RightsCommand::Level { keys, pointer } => acknowledge::level(*keys, *pointer, as_json),
        RightsCommand::OptOut { erase, yes } => forget::opt_out(*erase, *yes, as_json),
        RightsCommand::Pause { time } => pause::pause(time.as_deref(), as_json),
        RightsCommand::Resume => pause::resume(as_json),
        RightsCommand::Forget(args) => forget::run(args, as_json),
        RightsCommand::MyData(MyDataCommand::Show { table, rows }) => {
            my_data::show(*table, *rows, as_json)
        }
        RightsCommand::MyData(MyDataCommand::Export { dir }) => my_data::export(dir, as_json),
        RightsCommand::Ledger(LedgerCommand::Show { mine }) => ledger::show(*mine, as_json),
        RightsCommand::Ledger(LedgerCommand::Verify { file, dataset, keys }) => {
            ledger::verify(file.as_deref(), dataset.as_deref(), keys, as_json)
        }
        RightsCommand::Hold { why } => admin::hold(why, as_json),
        RightsCommand::Release => admin::release(as_json),
        RightsCommand::EraseOf { user, yes } => admin::erase_of(user, *yes, as_json),
    }
}

/// Says what was done: in words for people, as JSON for programs.
pub(crate) fn say(as_json: bool, json: &Value, words: &str) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(json)?)?;
    } else {
        writeln!(out, "{words}")?;
    }
    Ok(ExitCode::SUCCESS)
}
