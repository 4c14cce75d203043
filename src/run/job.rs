//! A run from its lock to its manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::ids::{digest, hex};
use super::input::{Input, InputError, InputPrint, Item};
use super::journal::Journal;
use super::manifest::{Fingerprint, Manifest, Stopwatch, Tally};
use super::record::{Head, Processed, SegmentDetail};
use super::rewrite::{self, Known};
use super::shard::Shard;
use super::window::{Finished, Process, Pump, Stop};
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
    for path in input.paths.iter().filter(|path| path.as_os_str() != "-") {
        fs::metadata(path).map_err(|source| InputError {
            path: path.clone(),
            line: None,
            source,
        })?;
    }
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

/// What a run would do.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Plan {
    /// Articles of the input (of the shard, if one is given).
    pub articles: u64,
    /// Of these, articles that give error records whatever the model does, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Bytes of articles.
    pub bytes: u64,
    /// Records that the output has already.
    pub written: u64,
}

/// Reads the whole input and says what a run would find; writes nothing.
///
/// # Errors
/// When an input cannot be read.
pub fn plan(input: &Input, shard: Option<Shard>, output: Option<&Path>) -> Result<Plan, RunError> {
    let mut plan = Plan::default();
    for item in input.items(Arc::default()) {
        let item = item?;
        if shard.is_some_and(|s| !s.has(item.index)) {
            continue;
        }
        plan.articles += 1;
        plan.bytes += item.bytes as u64;
        if let Err(e) = item.content {
            *plan.errors.entry(e.kind).or_default() += 1;
        }
    }
    if let Some(path) = output
        && let Ok(file) = fs::File::open(path)
    {
        let count = |_: &Head, _: &[u8], _| {
            plan.written += 1;
            true
        };
        super::journal::scan(&file, count).map_err(output_error(path))?;
    }
    Ok(plan)
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

struct FileRun {
    path: PathBuf,
    input: Input,
    mode: Mode,
    shard: Option<Shard>,
    kernels: Option<String>,
    _lock: Lock,
}

/// How often the journal is synced and the manifest written.
const SYNC: Duration = Duration::from_secs(3);

impl FileRun {
    fn run(
        self,
        fingerprint: Fingerprint,
        pump: &Pump<'_>,
        progress: &mut dyn FnMut(&Snapshot),
    ) -> Result<Outcome, RunError> {
        let path = self.path.as_path();
        let error = output_error(path);
        let side_path = beside(path, ".redo");
        let (mut manifest, mode) = self.start(fingerprint)?;
        if mode != Mode::RetryFailed {
            rewrite::remove(&side_path).map_err(output_error(&side_path))?;
        }
        // What is there already.
        let mut counts = Tally::default();
        let mut known = Known::new(mode);
        let mut last = None;
        let mut records = 0;
        let expected = |record: u64| match self.shard {
            Some(shard) => record * shard.count + shard.index,
            None => record,
        };
        let mut journal = Journal::open(path, |head, line| {
            let fits = head.index == expected(records);
            if fits {
                counts.add(head);
                known.add(head, line);
                last = Some(head.index);
                records += 1;
            }
            fits
        })
        .map_err(&error)?;
        if manifest.complete
            && mode == Mode::Continue
            && manifest
                .articles
                .map(|n| self.shard.map_or(n, |s| s.share(n)))
                == Some(records)
        {
            return Ok(Outcome {
                counts,
                written: 0,
                stopped: None,
            });
        }
        let mut redone = BTreeSet::new();
        let mut side = None;
        if matches!(mode, Mode::RetryFailed | Mode::Update) {
            let keep = |head: &Head, _: &[u8]| redone.insert(head.index);
            side = Some(Journal::open(&side_path, keep).map_err(output_error(&side_path))?);
        }
        manifest.complete = false;
        manifest.counts = counts.clone();
        if let Some(kernels) = self.kernels.filter(|k| !manifest.kernels.contains(k)) {
            manifest.kernels.push(kernels);
        }
        manifest.write(path).map_err(&error)?;

        let size = manifest.fingerprint.inputs.iter().map(|i| i.bytes).sum();
        let mut meter = Meter::new(progress, counts, size);
        let items = self.input.items(Arc::clone(&meter.bytes_read));
        let (mut seen, mut own, mut fresh) = (0, 0, records);
        let articles = Arc::new(AtomicU64::new(0));
        let total = Arc::clone(&articles);
        let select = |item: &mut Item| {
            seen += 1;
            total.store(seen, Ordering::Relaxed);
            if self.shard.is_some_and(|shard| !shard.has(item.index)) {
                return Ok(false);
            }
            own += 1;
            if mode == Mode::Update {
                return Ok(known.update(item, &mut fresh));
            }
            if own > records {
                return Ok(true);
            }
            let changed = || RunError::InputChanged {
                path: path.to_path_buf(),
                line: own,
                index: item.index,
            };
            let failed = known.check(own - 1, &item.id).ok_or_else(changed)?;
            Ok(mode == Mode::RetryFailed && failed && !redone.contains(&item.index))
        };
        let mut since_sync = Stopwatch::start();
        let spent = manifest.seconds;
        let stopped = pump.run(items, select, |finished| {
            let mut lines = Vec::new();
            for one in &finished {
                match side.as_mut().filter(|_| Some(one.head.index) <= last) {
                    Some(side) => side.append(&one.line).map_err(output_error(&side_path))?,
                    None => lines.extend_from_slice(&one.line),
                }
            }
            journal.append(&lines).map_err(&error)?;
            meter.count(&finished);
            if since_sync.elapsed() >= SYNC {
                since_sync = Stopwatch::start();
                journal.sync().map_err(&error)?;
                manifest.counts = meter.counts.clone();
                manifest.seconds = spent + meter.watch.elapsed().as_secs_f64();
                manifest.write(path).map_err(&error)?;
            }
            Ok(())
        });
        journal.sync().map_err(&error)?;
        drop(journal);
        if let Some(mut side) = side {
            side.sync().map_err(output_error(&side_path))?;
            drop(side);
            meter.counts = rewrite::publish(path, &side_path)?;
        }
        manifest.seconds = spent + meter.watch.elapsed().as_secs_f64();
        manifest.counts = meter.counts.clone();
        if matches!(stopped, Ok(None)) {
            // An updated file holds what it has seen, not what the folder has now.
            let all = if mode == Mode::Update {
                manifest.counts.records()
            } else {
                articles.load(Ordering::Relaxed)
            };
            manifest.articles = Some(all);
            manifest.complete = true;
        }
        manifest.write(path).map_err(&error)?;
        Ok(meter.outcome(stopped?))
    }

    /// The manifest to go on with, and how.
    fn start(&self, fingerprint: Fingerprint) -> Result<(Manifest, Mode), RunError> {
        let path = self.path.as_path();
        let error = output_error(path);
        let fresh = |fingerprint| Manifest::new(fingerprint, self.shard);
        let empty = fs::metadata(path).map_or(true, |m| m.len() == 0);
        if self.mode == Mode::Overwrite {
            // First the records, then the manifest: records never stand under another's name.
            if !empty {
                let file = OpenOptions::new().write(true).open(path).map_err(&error)?;
                file.set_len(0)
                    .and_then(|()| file.sync_all())
                    .map_err(&error)?;
            }
            return Ok((fresh(fingerprint), Mode::Overwrite));
        }
        let unread = |source: io::Error| match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => RunError::Manifest {
                path: super::manifest::path_of(path),
                source,
            },
            _ => error(source),
        };
        let Some(mut manifest) = Manifest::read(path).map_err(unread)? else {
            if empty {
                return Ok((fresh(fingerprint), self.mode));
            }
            return Err(RunError::Foreign(path.to_path_buf()));
        };
        let mut difference = fingerprint.difference(&manifest.fingerprint);
        if manifest.shard != self.shard {
            let say = |s: Option<Shard>| s.map_or("none".to_owned(), |s| s.to_string());
            let (was, is) = (say(manifest.shard), say(self.shard));
            let what = format!("option --shard was {was}, is {is}");
            return Err(RunError::Different {
                path: path.to_path_buf(),
                difference: what,
            });
        }
        // An update that was cut off is gone on with as one.
        let mode = if manifest.updated_in_place {
            Mode::Update
        } else {
            self.mode
        };
        if self.mode == Mode::Update {
            difference = None;
            manifest.updated_in_place = true;
            manifest.fingerprint = fingerprint;
        }
        match difference {
            _ if empty => Ok((fresh(manifest.fingerprint), mode)),
            Some(difference) => Err(RunError::Different {
                path: path.to_path_buf(),
                difference,
            }),
            None => Ok((manifest, mode)),
        }
    }
}

/// Counts records and tells of them.
struct Meter<'a> {
    progress: &'a mut dyn FnMut(&Snapshot),
    counts: Tally,
    words_before: u64,
    written: u64,
    size: u64,
    bytes_read: Arc<AtomicU64>,
    read_at_start: Option<f64>,
    watch: Stopwatch,
}

impl<'a> Meter<'a> {
    fn new(progress: &'a mut dyn FnMut(&Snapshot), counts: Tally, size: u64) -> Self {
        let words_before = counts.source_words;
        let (bytes_read, watch) = (Arc::default(), Stopwatch::start());
        Self {
            progress,
            counts,
            words_before,
            written: 0,
            size,
            bytes_read,
            read_at_start: None,
            watch,
        }
    }

    fn count(&mut self, finished: &[Finished]) {
        for one in finished {
            self.counts.add(&one.head);
        }
        self.written += finished.len() as u64;
        let bytes = self.bytes_read.load(Ordering::Relaxed);
        let read = (self.size > 0).then(|| (bytes as f64 / self.size as f64).min(1.0));
        self.read_at_start = self.read_at_start.or(read);
        (self.progress)(&Snapshot {
            done: self.counts.done,
            failed: self.counts.failed,
            words: self.counts.source_words - self.words_before,
            seconds: self.watch.elapsed().as_secs_f64(),
            read,
            read_at_start: self.read_at_start,
        });
    }

    fn outcome(self, stopped: Option<Stop>) -> Outcome {
        Outcome {
            counts: self.counts,
            written: self.written,
            stopped,
        }
    }
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
