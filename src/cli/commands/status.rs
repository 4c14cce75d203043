//! `tarjama status OUT.jsonl`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::run::{self, Status};

const EXAMPLES: &str = "\
Examples:
  tarjama status news.jsonl
  tarjama status news.jsonl --json      for programs; also while the run is under way";

/// Arguments of `status`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    /// Output of a run
    #[arg(value_name = "OUT.jsonl")]
    output: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Counts the records of an output and says how far its run is.
pub fn run(args: &StatusArgs, context: &Context) -> anyhow::Result<Exit> {
    let status = run::status(&args.output)
        .with_context(|| format!("cannot read {}", args.output.display()))?;
    if args.json {
        context.printer.result(&serde_json::to_string(&status)?)?;
    } else {
        context.printer.result_bytes(text(&status).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn text(status: &Status) -> String {
    let counts = &status.counts;
    let mut out = String::new();
    let mut line = |what: &str, value: String| out.push_str(&format!("{what:<11}{value}\n"));
    line(
        "state",
        if status.complete {
            "complete"
        } else {
            "unfinished"
        }
        .into(),
    );
    if let Some(shard) = status.shard {
        line("shard", shard.to_string());
    }
    let of = status
        .articles
        .map_or(String::new(), |n| format!(" of {n}"));
    line("records", format!("{}{of}", counts.records()));
    line("done", counts.done.to_string());
    line("failed", counts.failed.to_string());
    for (kind, n) in &counts.errors {
        line("", format!("{n} {kind}"));
    }
    if !counts.flags.is_empty() {
        line("flags", String::new());
        for (flag, n) in &counts.flags {
            line("", format!("{n} {flag}"));
        }
    }
    line("words", counts.source_words.to_string());
    for (task, model) in &status.models {
        line("model", format!("{model} ({task})"));
    }
    if status.torn_bytes > 0 {
        line(
            "torn",
            format!("{} bytes, cut off when the run goes on", status.torn_bytes),
        );
    }
    if let Some(started) = &status.started {
        line("started", started.clone());
    }
    if let Some(updated) = &status.updated {
        line("updated", updated.clone());
    }
    if let Some(seconds) = status.seconds {
        line("worked", format!("{seconds:.0} s"));
    }
    out
}
