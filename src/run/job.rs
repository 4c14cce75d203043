//! A run from its lock to its manifest.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::FileRun;
use super::ids::{digest, hex};
use super::input::{Input, InputError, InputPrint, Item};
use super::manifest::{Fingerprint, Tally};
use super::meter::Meter;
use super::record::{Processed, SegmentDetail};
use super::shard::Shard;
use super::window::{Process, Pump, Stop};
use crate::disk::atomic::write_atomic;
use crate::disk::lock::{Lock, LockError};

/// What becomes of records that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Kept; the run goes on behind them.
    #[default]
    Continue,
    /// Thrown away.
    Overwrite,
    /// Good ones with the same id and text are kept, wherever they stand.
    Update,
    /// Error records are tried again.
    RetryFailed,
}

/// Where records go.
pub enum Output<'a> {
    /// A file, with a manifest beside it.
    File(PathBuf),
    /// A stream: no manifest, no resume.
    Stream(&'a mut dyn Write),
}

/// One batch job.
pub struct Job<'a> {
    /// What to read.
    pub input: Input,
    /// Where to write.
    pub output: Output<'a>,
    /// What becomes of records that are there.
    pub mode: Mode,
    /// Options that change bytes, by the name of their flag.
    pub options: BTreeMap<String, String>,
    /// `ID@REVISION` of the models, by task.
    pub models: BTreeMap<String, String>,
    /// Which part of the input; `None`: all of it.
    pub shard: Option<Shard>,
    /// Articles of this call at most.
    pub limit: Option<u64>,
    /// Which segments records list.
    pub segments: SegmentDetail,
    /// Folder for the translated texts as files.
    pub text_dir: Option<PathBuf>,
    /// Name of the CPU kernels, for the manifest.
    pub kernels: Option<String>,
    /// Windows under way at a time.
    pub lanes: usize,
    /// The models.
    pub process: &'a Process<'a>,
    /// Asked often whether to stop.
    pub stop: &'a (dyn Fn() -> Option<Stop> + Sync),
    /// Told after every window.
    pub progress: &'a mut dyn FnMut(&Snapshot),
}

/// How far a run is.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Good records of the file.
    pub done: u64,
    /// Error records of the file.
    pub failed: u64,
    /// Source words of this call.
    pub words: u64,
    /// Seconds of this call.
    pub seconds: f64,
    /// Share of the input's bytes that has been read; `None` where its size is not known.
    pub read: Option<f64>,
    /// The same when this call's first record was written.
    pub read_at_start: Option<f64>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// All records of the file.
    pub counts: Tally,
    /// Records written by this call.
    pub written: u64,
    /// Why it ended before its end.
    pub stopped: Option<Stop>,
}

/// Why a run did not start or could not go on; what is written stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// An input failed.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The output failed.
    #[error("cannot write {path}")]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else writes, or no lock can be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The output is there and no run made it.
    #[error("{0} exists and has no run manifest beside it")]
    Foreign(PathBuf),
    /// The output is a folder, a pipe or a device.
    #[error("{0} is no regular file, and a run must be able to go on with its output")]
    NoFile(PathBuf),
    /// The folder of the output is not there.
    #[error("there is no folder for {0}")]
    NoFolder(PathBuf),
    /// The output is one of the inputs.
    #[error("{0} is an input as well as the output, and would be lost")]
    OutputIsInput(PathBuf),
    /// What lies beside the output is no run manifest.
    #[error("{path} is no run manifest that can be read")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The output is of another run.
    #[error("{path} is of another run: {difference}")]
    Different {
        /// The output.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// The records are not those of this input.
    #[error(
        "{path}: record {line} is not of article {index} of the input, which must have changed"
    )]
    InputChanged {
        /// The output.
        path: PathBuf,
        /// Line of the output, from 1.
        line: u64,
        /// Index of the article.
        index: u64,
    },
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// A bug.
    #[error("a worker of the run ended without a result; the same command goes on")]
    Panic,
}

pub(crate) fn output_error(path: &Path) -> impl Fn(io::Error) -> RunError + '_ {
    |source| RunError::Output {
        path: path.to_path_buf(),
        source,
    }
}

/// Runs a job.
///
/// # Errors
/// When it must not start or cannot go on; failed articles are no errors but records.
pub fn run(job: Job<'_>) -> Result<Outcome, RunError> {
    let Job {
        input,
        output,
        mode,
        options,
        models,
        shard,
        limit,
        ..
    } = job;
    let text_dir = job.text_dir;
    input.check()?;
    if let Some(dir) = &text_dir {
        fs::create_dir_all(dir).map_err(output_error(dir))?;
    }
    let deliver = |item: &Item, processed: &Processed| match &text_dir {
        Some(dir) => write_text(dir, item, processed),
        None => Ok(()),
    };
    let pump = Pump {
        process: job.process,
        detail: job.segments,
        deliver: &deliver,
        stop: job.stop,
        lanes: job.lanes,
        limit,
    };
    match output {
        Output::Stream(out) => {
            let mut meter = Meter::new(job.progress, Tally::default(), 0);
            let items = input.items(Arc::clone(&meter.bytes_read));
            let select = |item: &mut Item| Ok(shard.is_none_or(|s| s.has(item.index)));
            let stopped = pump.run(items, select, |finished| {
                for one in &finished {
                    out.write_all(&one.line)
                        .map_err(output_error(Path::new("-")))?;
                }
                out.flush().map_err(output_error(Path::new("-")))?;
                meter.count(&finished);
                Ok(())
            })?;
            Ok(meter.outcome(stopped))
        }
        Output::File(path) => {
            check_output(&path, &input)?;
            let inputs: Result<Vec<_>, _> = input
                .paths
                .iter()
                .map(|p| InputPrint::of(&input, p))
                .collect();
            let fingerprint = Fingerprint {
                inputs: inputs?,
                options,
                models,
            };
            let lock = Lock::acquire(&beside(&path, ".lock"))?;
            let file = FileRun {
                path,
                input,
                mode,
                shard,
                kernels: job.kernels,
                _lock: lock,
            };
            file.run(fingerprint, &pump, job.progress)
        }
    }
}

/// Refuses an output that a run cannot go on with, or whose writing destroys an input.
fn check_output(path: &Path, input: &Input) -> Result<(), RunError> {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(found) = fs::metadata(path) else {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        return match folder {
            Some(folder) if !folder.is_dir() => Err(RunError::NoFolder(path.to_path_buf())),
            _ => Ok(()),
        };
    };
    if !found.is_file() {
        return Err(RunError::NoFile(path.to_path_buf()));
    }
    let same = |other: &PathBuf| {
        fs::metadata(other).is_ok_and(|m| (m.dev(), m.ino()) == (found.dev(), found.ino()))
    };
    if input.paths.iter().any(same) {
        return Err(RunError::OutputIsInput(path.to_path_buf()));
    }
    Ok(())
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Writes the translated text as a file of its own, named after the id.
fn write_text(dir: &Path, item: &Item, processed: &Processed) -> Result<(), RunError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut name: String = item
        .id
        .chars()
        .take(100)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    if name != item.id || name.starts_with('.') {
        // Ids that look alike when made plain stay apart.
        name = format!(
            "{}-{}",
            name.replace('.', "_"),
            &hex(&digest(item.id.as_bytes()))[..8]
        );
    }
    let translated = &processed.translated;
    let path = dir.join(format!("{name}.{}.txt", translated.target_lang));
    write_atomic(&path, translated.text.as_bytes()).map_err(output_error(&path))
}
