//! Arguments as clap sees them. Each command's own arguments stand in its own file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::commands;

/// Translates news articles between English and Arabic and summarises them, on your own machine.
#[derive(Parser, Debug)]
#[command(
    name = "tarjama",
    version,
    about,
    max_term_width = 100,
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

/// Arguments of every command.
#[derive(Args, Debug, Clone)]
pub struct GlobalArgs {
    /// Print results only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more (-vv: more still)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Worker threads [default: what affinity and the container's CPU quota allow]
    #[arg(long, global = true, env = "TARJAMA_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Settings file [default: ./tarjama.toml, then the user's config folder]
    #[arg(long, global = true, env = "TARJAMA_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of fetched models
    #[arg(long, global = true, env = "TARJAMA_CACHE", value_name = "DIR")]
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
