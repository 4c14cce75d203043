//! The command line: arguments, settings, printing, exit codes; one file a command.

pub mod args;
pub mod commands;
pub mod exit;
mod offer;
pub mod options;
pub mod printer;
pub mod progress;
pub mod settings;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use crate::models::EmbeddedFiles;
use args::{Cli, Command};
use exit::{Exit, Failure};
use printer::Printer;
use settings::Settings;

/// What every command gets beside its own arguments.
#[derive(Debug)]
pub struct Context {
    /// Resolved settings.
    pub settings: Settings,
    /// The only way to print.
    pub printer: Printer,
    /// The model inside the program, if it was built in.
    pub embedded: Option<EmbeddedFiles>,
    /// A person sits at a terminal and may be asked.
    pub may_ask: bool,
}

/// Runs the program and gives its exit code; errors are printed here and nowhere else.
pub fn main(args: impl IntoIterator<Item = OsString>, embedded: Option<EmbeddedFiles>) -> ExitCode {
    let cli = match Cli::read(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results, everything else is a usage error.
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            let _ = error.print();
            return code.into();
        }
    };
    let printer = Printer::new(cli.global.quiet, cli.global.verbose);
    printer.init_tracing();
    let outcome = guarded(|| {
        let terminal = || std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let context = Context {
            settings: Settings::load(&cli.global)?,
            printer,
            embedded,
            may_ask: !cli.global.quiet && cli.command.is_for_people() && terminal(),
        };
        dispatch(cli.command, &context)
    });
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => exit::report(&error, &printer).into(),
    }
}

/// What the last panic said and where it was.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Runs a command; a panic becomes an error that asks for a report, not a trace on the screen.
fn guarded(command: impl FnOnce() -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    panic::set_hook(Box::new(|info| {
        tracing::debug!("{info}");
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
    }));
    panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        let what = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        Err(Failure::usage(
            format!("a fault in tarjama itself: {}", what.replace('\n', " ")),
            "report it, with the command and its input",
        ))
    })
}

fn dispatch(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => commands::run::run(&args, context),
        Command::Status(args) => commands::status::run(&args, context),
        Command::Merge(args) => commands::merge::run(&args, context),
        Command::Models(args) => commands::models::run(&args, context),
        Command::Doctor(args) => commands::doctor::run(&args, context),
        Command::Translate(args) => commands::translate::run(&args, context),
        Command::Summarize(args) => commands::summarize::run(&args, context),
        Command::Bench(args) => commands::bench::run(&args, context),
        Command::Eval(args) => commands::eval::run(&args, context),
        Command::Completions(args) => commands::completions::run(&args, context),
    }
}
