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
    let mut program = Cli::command();
    program.build();
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set());
    for command in [&program].into_iter().chain(commands) {
        let name = command.get_display_name().unwrap_or(NAME).to_owned();
        if name.ends_with("-help") {
            continue;
        }
        let mut page = Vec::new();
        Man::new(command.clone().name(&name)).section(SECTION).render(&mut page)?;
        let path = pages.join(format!("{name}.{SECTION}"));
        fs::write(&path, page).with_context(|| format!("{} cannot be made", path.display()))?;
    }
    for (shell, folder) in shells {
        generate_to(shell, &mut Cli::command(), NAME, folder).context("completions")?;
    }
    // Bash finds a completion by the bare name of its command.
    fs::rename(bash.join("evscribe-data.bash"), bash.join(NAME)).context("completions")?;
    Ok(ExitCode::SUCCESS)
}
