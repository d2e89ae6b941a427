//! `evscribe-data`: the tool of the data team. See evscribe-data(8).
#![forbid(unsafe_code)]

mod args;
mod erase;
mod held;
mod manual;
mod merge;
mod pull;
mod query;
mod verify;
mod whole;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Pull(args) => pull::run(&args, cli.json),
        Command::Merge(args) => merge::run(&args, cli.json),
        Command::Erase(args) => erase::run(&args, cli.json),
        Command::Verify(args) => verify::run(&args, cli.json),
        Command::Query(args) => query::run(&args, cli.json),
        Command::Manual { dir } => manual::run(&dir),
    };
    outcome.unwrap_or_else(|error| {
        // A reader that closed the pipe has seen enough.
        let piped = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if piped == Some(std::io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("evscribe-data: {error:#}");
        ExitCode::FAILURE
    })
}
