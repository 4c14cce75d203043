//! Shards to the file of the unsharded run, with proof that nothing is missing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};

use super::job::{RunError, beside, output_error};
use super::manifest::{Manifest, Tally};
use super::record::Head;
use crate::disk::atomic::AtomicFile;
use crate::disk::lines::{Line, read_line};
use crate::disk::lock::Lock;

/// Why shards do not make a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A shard cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The shard.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is no finished shard of this run.
    #[error("{path} {what}")]
    Shard {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Shards are missing.
    #[error("shards are missing: {0}")]
    Missing(String),
    /// The merged file exists.
    #[error("{0} exists")]
    Exists(PathBuf),
    /// The merged file cannot be written.
    #[error(transparent)]
    Run(#[from] RunError),
}

struct Part {
    path: PathBuf,
    reader: BufReader<File>,
}

/// Merges finished shards, given in any order, into `output`.
///
/// # Errors
/// When a shard is missing, unfinished, of another run, or its records are not those of its
/// articles; the output is then not written.
pub fn merge(shards: &[PathBuf], output: &Path, overwrite: bool) -> Result<Tally, MergeError> {
    let error = |e| MergeError::from(output_error(output)(e));
    let _lock = Lock::acquire(&beside(output, ".lock")).map_err(RunError::from)?;
    if !overwrite && output.metadata().is_ok_and(|m| m.len() > 0) {
        return Err(MergeError::Exists(output.to_path_buf()));
    }
    let (mut parts, mut manifest, articles) = open(shards)?;
    let mut out = AtomicFile::create(output).map_err(error)?;
    let mut counts = Tally::default();
    let mut line = Vec::new();
    let count = parts.len() as u64;
    for index in 0..articles {
        let part = &mut parts[usize::try_from(index % count).unwrap_or_default()];
        let head = next(part, &mut line)?;
        if head.as_ref().map(|h| h.index) != Some(index) {
            let what = format!("has no record of article {index} where it must be");
            return Err(MergeError::Shard {
                path: part.path.clone(),
                what,
            });
        }
        counts.add(&head.ok_or(RunError::Panic)?);
        out.write_all(&line)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(error)?;
    }
    for part in &mut parts {
        if next(part, &mut line)?.is_some() || !line.is_empty() {
            let what = format!("has more records than the {articles} articles of its run leave it");
            return Err(MergeError::Shard {
                path: part.path.clone(),
                what,
            });
        }
    }
    out.commit().map_err(error)?;
    manifest.shard = None;
    manifest.counts = counts.clone();
    manifest.write(output).map_err(error)?;
    Ok(counts)
}

fn next(part: &mut Part, line: &mut Vec<u8>) -> Result<Option<Head>, MergeError> {
    let found =
        read_line(&mut part.reader, line, 1 << 30, |_| ()).map_err(|source| MergeError::Read {
            path: part.path.clone(),
            source,
        })?;
    Ok(match found {
        Some(Line::Whole { ended: true }) => Head::parse(line),
        _ => None,
    })
}

/// Opens all shards in their order; their common manifest and the number of articles.
fn open(shards: &[PathBuf]) -> Result<(Vec<Part>, Manifest, u64), MergeError> {
    let mut first: Option<(Manifest, u64, u64)> = None;
    let mut parts: BTreeMap<u64, Part> = BTreeMap::new();
    let mut seconds = 0.0;
    for path in shards {
        let wrong = |what: String| MergeError::Shard {
            path: path.clone(),
            what,
        };
        let read = |source| MergeError::Read {
            path: path.clone(),
            source,
        };
        let manifest = Manifest::read(path)
            .map_err(read)?
            .ok_or_else(|| wrong("has no run manifest beside it".into()))?;
        let shard = manifest.shard.ok_or_else(|| wrong("is no shard".into()))?;
        let articles = match manifest.articles {
            Some(articles) if manifest.complete => articles,
            _ => return Err(wrong("is not finished: run its command again".into())),
        };
        let (model, count, total) =
            first.get_or_insert_with(|| (manifest.clone(), shard.count, articles));
        if let Some(difference) = manifest.fingerprint.difference(&model.fingerprint) {
            return Err(wrong(format!(
                "is of another run than the first shard: {difference}"
            )));
        }
        if *count != shard.count || *total != articles {
            return Err(wrong(format!(
                "is one of {} shards of {articles} articles, the first is one of {count} of {total}",
                shard.count
            )));
        }
        model.started = model.started.clone().min(manifest.started);
        for kernels in manifest.kernels {
            if !model.kernels.contains(&kernels) {
                model.kernels.push(kernels);
            }
        }
        seconds += manifest.seconds;
        if let Some(other) = parts.get(&shard.index) {
            return Err(wrong(format!(
                "is the same shard as {}",
                other.path.display()
            )));
        }
        let reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(read)?);
        let path = path.clone();
        parts.insert(shard.index, Part { path, reader });
    }
    let Some((mut manifest, count, articles)) = first else {
        return Err(MergeError::Missing("none given".into()));
    };
    manifest.seconds = seconds;
    let missing: Vec<String> = (0..count)
        .filter(|i| !parts.contains_key(i))
        .take(20)
        .map(|i| format!("{i}/{count}"))
        .collect();
    if !missing.is_empty() {
        return Err(MergeError::Missing(missing.join(", ")));
    }
    Ok((parts.into_values().collect(), manifest, articles))
}
