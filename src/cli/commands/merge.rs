//! `tarjama merge SHARD.jsonl... -o OUT.jsonl`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::run;
use crate::run::merge::MergeError;

const EXAMPLES: &str = "\
Examples:
  tarjama merge part-0.jsonl part-1.jsonl part-2.jsonl -o all.jsonl
  tarjama merge part-*.jsonl -o all.jsonl --overwrite

A shard that is missing, unfinished or of another run is refused, and nothing is written.";

/// Arguments of `merge`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
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
    /// Print the counts as one JSON object
    #[arg(long)]
    json: bool,
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
    if args.json {
        let facts = json!({
            "path": args.output,
            "shards": args.shards.len(),
            "records": counts.records(),
            "done": counts.done,
            "failed": counts.failed,
            "errors": counts.errors,
            "flags": counts.flags,
            "source_words": counts.source_words,
        });
        context.printer.result(&facts.to_string())?;
    }
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
