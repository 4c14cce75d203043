//! `tarjama completions SHELL`.

use clap::{Args, CommandFactory};

use crate::cli::Context;
use crate::cli::args::Cli;
use crate::cli::exit::Exit;

/// Arguments of `completions`.
#[derive(Args, Debug)]
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
