//! `tarjama merge SHARD.jsonl... -o OUT.jsonl`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::run;
use crate::run::merge::MergeError;

/// Arguments of `merge`.
#[derive(Args, Debug)]
pub struct MergeArgs {
    /// Outputs of all shards of a run, in any order
    #[arg(value_name = "SHARD.jsonl", required = true)]
    shards: Vec<PathBuf>,
    /// The file of the whole run
    #[arg(short, long, value_name = "OUT.jsonl")]
    output: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    overwrite: bool,
}

/// Proves that the shards are complete and writes the file of the unsharded run.
pub fn run(args: &MergeArgs, context: &Context) -> anyhow::Result<Exit> {
    let counts = run::merge(&args.shards, &args.output, args.overwrite).map_err(|e| {
        let hint = match &e {
            MergeError::Exists(_) => "--overwrite to replace it",
            MergeError::Missing(_) => "name the outputs of all shards",
            MergeError::Shard { .. } => "give finished shards of one run, each once",
            MergeError::Read { .. } | MergeError::Run(_) => return anyhow::Error::from(e),
        };
        Failure::usage(e.to_string(), hint)
    })?;
    context.printer.note(&format!(
        "{}: {} records of {} shards, {} failed",
        args.output.display(),
        counts.records(),
        args.shards.len(),
        counts.failed
    ));
    Ok(if counts.failed > 0 {
        Exit::SomeFailed
    } else {
        Exit::Done
    })
}
