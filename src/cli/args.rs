//! Arguments as clap sees them. Each command's own arguments stand in its own file.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::commands;

/// Translates news articles between English and Arabic and summarises them, on your own machine.
#[derive(Parser, Debug)]
#[command(
    name = "tarjama",
    version,
    about,
    max_term_width = 100,
    after_help = EXAMPLES,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Arguments of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads arguments and `TARJAMA_*` variables; a variable that is set to nothing is not set.
    ///
    /// # Errors
    /// When they are wrong, and for help and version.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = without_empty_variables(Self::command());
        let matches = command.try_get_matches_from_mut(args)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| match arg.get_env().is_some_and(empty) {
            true => arg.env(None::<&'static str>),
            false => arg,
        })
        .mut_subcommands(without_empty_variables)
}

const GLOBAL: &str = "Global options";

const EXAMPLES: &str = "\
Examples:
  tarjama translate article.txt             one article, English to Arabic or back
  tarjama summarize article.txt             a summary in both languages
  tarjama run news/ -o news.jsonl           a folder of articles, resumably
  tarjama doctor                            what this machine has and lacks
  tarjama models fetch firefox-en-ar firefox-ar-en

`tarjama COMMAND --help` says more, with examples.";

/// Arguments of every command.
#[derive(Args, Debug, Clone)]
pub struct GlobalArgs {
    /// Print results only
    #[arg(short, long, global = true, help_heading = GLOBAL, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more (-vv: more still)
    #[arg(short, long, global = true, help_heading = GLOBAL, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Worker threads [default: what affinity and the container's CPU quota allow]
    #[arg(long, global = true, help_heading = GLOBAL, env = "TARJAMA_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Settings file [default: ./tarjama.toml, then the user's config folder]
    #[arg(long, global = true, help_heading = GLOBAL, env = "TARJAMA_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of fetched models [default: the user's cache folder]
    #[arg(long, global = true, help_heading = GLOBAL, env = "TARJAMA_CACHE", value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// CPU kernels: auto, portable, avx2, avx512
    #[arg(
        long,
        global = true,
        env = "TARJAMA_KERNELS",
        value_name = "NAME",
        hide = true
    )]
    pub kernels: Option<String>,
}

impl Command {
    /// Its results are read by a person, who may be asked what to do.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        match self {
            Self::Translate(args) => !args.json,
            Self::Summarize(args) => !args.json,
            Self::Run(args) => args.is_for_people(),
            _ => false,
        }
    }
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Translate and summarise many articles into JSONL, resumably
    Run(Box<commands::run::RunArgs>),
    /// Count the records of a run's output and say how far the run is
    Status(commands::status::StatusArgs),
    /// Merge the outputs of all shards of a run
    Merge(commands::merge::MergeArgs),
    /// List, fetch, verify, import and bundle models
    Models(commands::models::ModelsArgs),
    /// Say what this machine offers and what is missing
    Doctor(commands::doctor::DoctorArgs),
    /// Translate one article, or bare lines
    Translate(commands::translate::TranslateArgs),
    /// Summarise one article in English and Arabic
    Summarize(commands::summarize::SummarizeArgs),
    /// Measure how fast a model is on this machine
    Bench(Box<commands::bench::BenchArgs>),
    /// Score translations, a model's or anyone's, as sacreBLEU does
    Eval(Box<commands::eval::EvalArgs>),
    /// Print a shell completion script
    Completions(commands::completions::CompletionsArgs),
}
