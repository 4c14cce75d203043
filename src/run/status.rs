//! What an output file holds and how far its run is.

use std::fs::File;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::journal::scan;
use super::manifest::{Manifest, Tally};
use super::shard::Shard;

/// The state of a run, read from its output and its manifest.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Every article has its record.
    pub complete: bool,
    /// Articles that the run is of, where known.
    pub articles: Option<u64>,
    /// Its part of the input.
    pub shard: Option<Shard>,
    /// The records, counted.
    #[serde(flatten)]
    pub counts: Tally,
    /// Bytes of a torn last line, which the run cuts off when it goes on.
    pub torn_bytes: u64,
    /// Start of the first call, UTC.
    pub started: Option<String>,
    /// Last sign of life, UTC.
    pub updated: Option<String>,
    /// Seconds of work.
    pub seconds: Option<f64>,
    /// Models by task.
    pub models: std::collections::BTreeMap<String, String>,
}

/// Counts the records of an output.
///
/// # Errors
/// When it cannot be read.
pub fn status(output: &Path) -> io::Result<Status> {
    let file = File::open(output)?;
    let mut counts = Tally::default();
    let good = scan(&file, |head, _, _| {
        counts.add(head);
        true
    })?;
    let torn_bytes = file.metadata()?.len().saturating_sub(good);
    let manifest = Manifest::read(output)?;
    if manifest.is_none() && good == 0 && torn_bytes > 0 {
        let why = "it has no run manifest beside it and does not begin with a record";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let shard = manifest.as_ref().and_then(|m| m.shard);
    let articles = manifest
        .as_ref()
        .and_then(|m| m.articles)
        .map(|n| shard.map_or(n, |shard| shard.share(n)));
    Ok(Status {
        complete: articles == Some(counts.records())
            && torn_bytes == 0
            && manifest.as_ref().is_some_and(|m| m.complete),
        articles,
        shard,
        counts,
        torn_bytes,
        started: manifest.as_ref().map(|m| m.started.clone()),
        updated: manifest.as_ref().map(|m| m.updated.clone()),
        seconds: manifest.as_ref().map(|m| m.seconds),
        models: manifest.map(|m| m.fingerprint.models).unwrap_or_default(),
    })
}
