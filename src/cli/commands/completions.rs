//! `tarjama completions SHELL`.

use clap::{Args, CommandFactory};

use crate::cli::Context;
use crate::cli::args::Cli;
use crate::cli::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  tarjama completions bash > ~/.local/share/bash-completion/completions/tarjama
  tarjama completions zsh > ~/.zfunc/_tarjama
  tarjama completions fish > ~/.config/fish/completions/tarjama.fish";

/// Arguments of `completions`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell to complete for
    shell: clap_complete::Shell,
}

/// Prints the completion script on stdout.
pub fn run(args: &CompletionsArgs, context: &Context) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tarjama", &mut script);
    context.printer.result_bytes(&script)?;
    Ok(Exit::Done)
}
