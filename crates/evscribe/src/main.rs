//! `evscribe`: the command for people. See evscribe(1).
#![forbid(unsafe_code)]

mod args;
mod data;
mod devices;
mod handover;
mod import;
mod keys;
mod manual;
mod person;
mod policy;
mod pull_access;
mod record;
mod rights;
mod serve_pull;
mod service;
mod status;
mod table;

use std::alloc::System;
use std::process::ExitCode;

use clap::Parser;
use zeroizing_alloc::ZeroAlloc;

use crate::args::{Cli, Command};

/// Overwrites what is freed: keys, also those that a library copied, and rows.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Record(args) => record::run(&args, cli.json),
        Command::Devices => devices::run(cli.json),
        Command::Status => status::run(cli.json),
        Command::Import(args) => import::run(&args, cli.json),
        Command::Data(command) => data::run(&command, cli.json),
        Command::Keys(args) => keys::run(&args, cli.json),
        Command::Policy(command) => policy::run(&command, cli.json),
        Command::Rights(command) => rights::run(&command, cli.json),
        Command::PullAccess(args) => pull_access::run(&args, cli.json),
        Command::Pull(args) => handover::run("pull", &args.args, cli.json),
        Command::ServePull(args) => serve_pull::run(&args),
        Command::Manual { dir } => manual::run(&dir),
    };
    outcome.unwrap_or_else(|error| {
        // A reader that closed the pipe has seen enough.
        let piped = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if piped == Some(std::io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("evscribe: {error:#}");
        ExitCode::FAILURE
    })
}
