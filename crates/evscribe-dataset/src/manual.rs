//! Man pages and completions, made from the definitions in `args`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

use crate::args::Cli;

/// How the program is called.
const NAME: &str = "evscribe-data";

/// Where its pages are: in 1 are those of `evscribe data`, under the same names.
const SECTION: &str = "8";

pub(crate) fn run(dir: &Path) -> Result<ExitCode> {
    let pages = dir.join("man/man8");
    let bash = dir.join("bash-completion/completions");
    let shells = [
        (Shell::Bash, &bash),
        (Shell::Zsh, &dir.join("zsh/site-functions")),
        (Shell::Fish, &dir.join("fish/vendor_completions.d")),
    ];
    for folder in shells.iter().map(|(_, folder)| *folder).chain([&pages]) {
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    write_pages(&program, &pages).context("man pages")?;
    for (shell, folder) in shells {
        generate_to(shell, &mut Cli::command(), NAME, folder).context("completions")?;
    }
    // Bash finds a completion by the bare name of its command.
    fs::rename(bash.join("evscribe-data.bash"), bash.join(NAME)).context("completions")?;
    Ok(ExitCode::SUCCESS)
}

fn write_pages(command: &clap::Command, dir: &Path) -> std::io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write_pages(inner, dir)?;
    }
    Man::new(command.clone()).section(SECTION).generate_to(dir).map(drop)
}
