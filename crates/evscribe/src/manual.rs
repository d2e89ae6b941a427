//! Man pages and completions, made from the definitions in `args`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use evscribed::DaemonArgs;

use crate::args::Cli;

pub(crate) fn run(dir: &Path) -> Result<ExitCode> {
    let (user, admin) = (dir.join("man/man1"), dir.join("man/man8"));
    let shells = [
        (Shell::Bash, dir.join("bash-completion/completions")),
        (Shell::Zsh, dir.join("zsh/site-functions")),
        (Shell::Fish, dir.join("fish/vendor_completions.d")),
    ];
    for folder in shells.iter().map(|(_, folder)| folder).chain([&user, &admin]) {
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    clap_mangen::generate_to(Cli::command(), &user).context("man pages")?;
    let mut page = Vec::new();
    Man::new(DaemonArgs::command()).section("8").render(&mut page)?;
    fs::write(admin.join("evscribed.8"), page).context("man page of evscribed")?;
    for (shell, folder) in shells {
        generate_to(shell, &mut Cli::command(), "evscribe", &folder).context("completions")?;
    }
    // Bash finds a completion by the bare name of its command.
    let bash = dir.join("bash-completion/completions");
    fs::rename(bash.join("evscribe.bash"), bash.join("evscribe")).context("completions")?;
    Ok(ExitCode::SUCCESS)
}
