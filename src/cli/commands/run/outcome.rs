//! How a run ended, in words, as JSON and as an exit code.

use std::io;
use std::path::Path;

use serde_json::json;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::disk::lock::LockError;
use crate::run::{Outcome, Plan, RunError, Stop};

/// What a run would do.
pub(super) fn plan_text(plan: &Plan, output: &Path) -> String {
    let mut text = format!(
        "{} articles, {} bytes\n{} records in {} already\n",
        plan.articles,
        plan.bytes,
        plan.written,
        output.display()
    );
    for (kind, n) in &plan.errors {
        text.push_str(&format!("{n} give error records: {kind}\n"));
    }
    text
}

/// The counts of a run's file, for programs.
pub(super) fn facts(outcome: &Outcome, output: &Path) -> serde_json::Value {
    let counts = &outcome.counts;
    json!({
        "path": output,
        "records": counts.records(),
        "done": counts.done,
        "failed": counts.failed,
        "errors": counts.errors,
        "flags": counts.flags,
        "source_words": counts.source_words,
        "written": outcome.written,
        "stopped": outcome.stopped.map(name),
    })
}

fn name(stop: Stop) -> &'static str {
    match stop {
        Stop::Limit => "limit",
        Stop::Deadline => "deadline",
        Stop::Interrupted => "interrupted",
        Stop::Terminated => "terminated",
    }
}

/// Says how a run ended.
pub(super) fn report(outcome: &Outcome, output: &Path, context: &Context) {
    let counts = &outcome.counts;
    let mut text = format!(
        "{}: {} records, {} done, {} failed",
        output.display(),
        counts.records(),
        counts.done,
        counts.failed
    );
    if !counts.errors.is_empty() {
        let kinds: Vec<String> = counts
            .errors
            .iter()
            .map(|(k, n)| format!("{n} {k}"))
            .collect();
        text.push_str(&format!(" ({})", kinds.join(", ")));
    }
    let why = match outcome.stopped {
        None => "",
        Some(Stop::Limit) => "; stopped by --limit, the same command goes on",
        Some(Stop::Deadline) => "; stopped by --deadline, the same command goes on",
        Some(Stop::Interrupted) => "; interrupted, the same command goes on",
        Some(Stop::Terminated) => "; terminated, the same command goes on",
    };
    text.push_str(why);
    context.printer.note(&text);
}

/// The exit code of a run.
pub(super) fn exit_of(outcome: &Outcome) -> Exit {
    match outcome.stopped {
        Some(Stop::Limit | Stop::Deadline) => Exit::Stopped,
        Some(Stop::Interrupted) => Exit::Interrupted,
        Some(Stop::Terminated) => Exit::Terminated,
        None if outcome.counts.failed > 0 => Exit::SomeFailed,
        None => Exit::Done,
    }
}

/// The exit code of what stopped a run, and the way out.
pub(super) fn failure(error: RunError) -> anyhow::Error {
    let again = "run the same command again; what is written stays";
    let (exit, hint) = match &error {
        RunError::Foreign(_) | RunError::Manifest { .. } => {
            (Exit::Usage, "another -o, or --overwrite")
        }
        RunError::NoFile(_) => (Exit::Usage, "-o FILE.jsonl, or `-o -` for a stream"),
        RunError::NoFolder(_) => (Exit::Usage, "make the folder first, or another -o"),
        RunError::OutputIsInput(_) => (Exit::Usage, "another -o"),
        RunError::Different { .. } | RunError::InputChanged { .. } => (
            Exit::Usage,
            "--overwrite starts again, --update keeps what is good, or choose another -o",
        ),
        RunError::Lock(LockError::Held(_)) => (Exit::Retry, "wait for the other run to end"),
        RunError::Lock(LockError::Io { source, .. })
            if matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            (Exit::Usage, "an -o in a folder that may be written to")
        }
        RunError::Input(e) if e.line.is_some() => (Exit::Retry, again),
        RunError::Thread(_) | RunError::Panic => (Exit::Retry, again),
        // The system's own reason decides.
        _ => return error.into(),
    };
    let message = match std::error::Error::source(&error) {
        Some(source) if !error.to_string().contains(&source.to_string()) => {
            format!("{error}: {source}")
        }
        _ => error.to_string(),
    };
    Failure {
        exit,
        message,
        hint: Some(hint.to_owned()),
    }
    .into()
}
