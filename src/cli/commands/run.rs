//! `tarjama run INPUT... -o OUT.jsonl`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::article::Article;
use crate::article::jsonl::FieldMap;
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::{self, LangArgs, ModelArgs, SearchArgs, WrappedArg};
use crate::cli::printer::Printer;
use crate::cli::progress::{Progress, ProgressKind};
use crate::cli::settings;
use crate::disk::lock::LockError;
use crate::run::manifest::{Stopwatch, seconds_until};
use crate::run::{
    self, Input, Job, Mode, Outcome, Output, Processed, RunError, SegmentDetail, Shard, Stop,
};
use crate::summarize::{Size, Summarizer, SummaryDesk, summarize_articles};
use crate::text::Lang;
use crate::translate::{
    ArticleError, PipelineOptions, TranslatedArticle, Translators, translate_articles,
};

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Files (text, Markdown, HTML, JSONL, also .gz and .zst), folders, or - for JSONL on stdin
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Output; - writes records to stdout, without a manifest and without resume
    #[arg(short, long, value_name = "OUT.jsonl")]
    output: PathBuf,
    #[command(flatten)]
    langs: LangArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    search: SearchArgs,
    /// Languages of the summaries, or none
    #[arg(long, value_name = "LANGS", default_value = "en,ar", value_parser = parse_summaries)]
    summaries: Summaries,
    /// Sentences of a summary
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    sentences: u16,
    /// Model that writes the summaries: an id, a directory or file in GGUF layout, or extractive
    /// [default: extractive]
    #[arg(long, env = "TARJAMA_SUMMARY_MODEL", value_name = "ID|DIR")]
    summary_model: Option<String>,
    /// What to do with hard-wrapped lines
    #[arg(long, value_enum, default_value = "auto")]
    wrapped: WrappedArg,
    /// Where a field of JSON lines has another name (text=story)
    #[arg(long, value_name = "FIELD=NAME")]
    field: Vec<String>,
    /// Largest article
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20, value_parser = parse_bytes)]
    max_bytes: usize,
    /// Start again; what is in the output is lost
    #[arg(long, conflicts_with_all = ["update", "retry_failed"])]
    overwrite: bool,
    /// Keep good records of the same id and text, append new articles, do changed ones again
    #[arg(long, conflicts_with_all = ["retry_failed", "shard"])]
    update: bool,
    /// Try articles with error records again
    #[arg(long)]
    retry_failed: bool,
    /// Segments that records list
    #[arg(long, value_enum, default_value = "all")]
    segments: SegmentsArg,
    /// Also write each translated text to a file of this folder
    #[arg(long, value_name = "DIR")]
    text_dir: Option<PathBuf>,
    /// Part I of N of the articles (0/4 to 3/4), or auto: from the job scheduler's environment
    #[arg(long, value_name = "I/N|auto")]
    shard: Option<String>,
    /// Stop after this many articles
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Stop at this time of day (06:30) or after this long (8h, 90m, 1h30m)
    #[arg(long, value_name = "HH:MM|DURATION", value_parser = parse_deadline)]
    deadline: Option<Duration>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// How progress is told on stderr
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressKind,
}

#[derive(Clone, Debug)]
struct Summaries(Vec<Lang>);

#[derive(ValueEnum, Clone, Copy, Debug)]
enum SegmentsArg {
    All,
    Flagged,
    None,
}

/// Runs a batch job.
pub fn run(args: &RunArgs, context: &Context) -> anyhow::Result<Exit> {
    let shard = args.shard.as_deref().map(parse_shard).transpose()?;
    let streaming = args.output.as_os_str() == "-";
    if streaming && (args.overwrite || args.update || args.retry_failed) {
        let message = "standard output keeps no records to update or retry";
        return Err(Failure::usage(message, "-o OUT.jsonl"));
    }
    let mut fields = FieldMap::default();
    for mapping in &args.field {
        fields
            .set(mapping)
            .map_err(|e| Failure::usage(e.to_string(), "--field text=story"))?;
    }
    let input = Input {
        paths: args.inputs.clone(),
        max_bytes: args.max_bytes,
        fields,
        output: (!streaming).then(|| args.output.clone()),
        text_dir: args.text_dir.clone(),
    };
    if args.dry_run {
        return dry_run(&input, shard, args, context);
    }
    let stop = Stopper::new(args.deadline)?;
    let pool = options::thread_pool(context)?;
    let compute = args.model.compute_type;
    let wanted = args.summary_model.as_deref();
    let summarizer = options::open_summarizer(wanted, compute, context, &pool)?;
    let opened = if args.summaries.0.is_empty() {
        args.langs.clone()
    } else {
        options::summary_langs(&args.langs, &args.model, &*summarizer, context)
    };
    let models = options::open_models(&args.model, &opened, context, &pool)?;
    let work = Work {
        models,
        options: PipelineOptions {
            from: args.langs.from,
            to: args.langs.to,
            decode: args.search.decode_options()?,
            wrapped: args.wrapped.into(),
            ..PipelineOptions::default()
        },
        summarizer,
        languages: args.summaries.0.clone(),
        size: Size::Sentences(args.sentences.into()),
        pool,
        fallbacks: AtomicUsize::new(0),
        printer: context.printer,
    };
    let mut progress = Progress::new(args.progress, context.printer);
    let mut stdout = io::stdout().lock();
    let outcome = run::run(Job {
        input,
        output: if streaming {
            Output::Stream(&mut stdout)
        } else {
            Output::File(args.output.clone())
        },
        mode: match (args.overwrite, args.update, args.retry_failed) {
            (true, ..) => Mode::Overwrite,
            (_, true, _) => Mode::Update,
            (_, _, true) => Mode::RetryFailed,
            _ => Mode::Continue,
        },
        options: option_names(args),
        models: work.model_names(),
        shard,
        limit: args.limit,
        segments: detail(args.segments),
        text_dir: args.text_dir.clone(),
        kernels: Some(kernel_name(context)?),
        lanes: work.pool.current_num_threads().min(2),
        process: &|articles| process(articles, &work),
        stop: &|| stop.asked(),
        progress: &mut |snapshot| progress.tell(snapshot),
    });
    progress.finish();
    let outcome = outcome.map_err(failure)?;
    report(&outcome, &args.output, context);
    let fallbacks = work.fallbacks.load(Ordering::Relaxed);
    if fallbacks > 1 {
        context.printer.note(&format!(
            "{fallbacks} articles have summaries of chosen sentences; `models.summary` of a record \
             says which"
        ));
    }
    Ok(exit_of(&outcome))
}

/// What turns articles into results.
struct Work {
    models: Translators,
    options: PipelineOptions,
    summarizer: Box<dyn Summarizer>,
    languages: Vec<Lang>,
    size: Size,
    pool: rayon::ThreadPool,
    /// Articles whose summary is of chosen sentences where a model should have written it.
    fallbacks: AtomicUsize,
    printer: Printer,
}

impl Work {
    fn model_names(&self) -> BTreeMap<String, String> {
        let names: Vec<String> = self.models.iter().map(|m| m.info().name()).collect();
        let mut models = BTreeMap::from([("translation".to_owned(), names.join(" "))]);
        if !self.languages.is_empty() {
            models.insert("summary".to_owned(), self.summarizer.name());
        }
        models
    }

    /// Says the first reason on stderr, and counts them all.
    fn note_fallback(&self, why: Option<&str>) {
        if let Some(why) = why
            && self.fallbacks.fetch_add(1, Ordering::Relaxed) == 0
        {
            let text = format!("warning: an article's sentences were chosen instead: {why}");
            self.printer.note(&text);
        }
    }
}

/// Translates and summarises articles; results in their order.
fn process(articles: &[Article], work: &Work) -> Vec<Result<Processed, ArticleError>> {
    let translated = translate_articles(articles, &work.models, &work.options, &work.pool);
    let pairs: Vec<(&Article, &TranslatedArticle)> = articles
        .iter()
        .zip(&translated)
        .filter_map(|(article, translated)| Some((article, translated.as_ref().ok()?)))
        .collect();
    let mut summaries = Vec::new();
    if !work.languages.is_empty() {
        let desk = SummaryDesk {
            summarizer: &*work.summarizer,
            size: work.size,
            models: &work.models,
            options: &work.options,
            pool: &work.pool,
        };
        summaries = summarize_articles(&pairs, &work.languages, desk);
    }
    let mut summaries = summaries.into_iter();
    translated
        .into_iter()
        .map(|translated| {
            let translated = translated?;
            let mut processed = Processed {
                translated,
                summary: Vec::new(),
                flags: Vec::new(),
                summary_model: None,
            };
            if let Some(mut made) = summaries.next() {
                work.note_fallback(made.fallback.as_deref());
                let wanted = work.languages.iter();
                processed.summary = wanted
                    .filter_map(|lang| Some((lang.to_string(), made.texts.remove(lang)?)))
                    .collect();
                processed.flags = made.flags;
                processed.summary_model = Some(made.model);
            }
            Ok(processed)
        })
        .collect()
}

fn kernel_name(context: &Context) -> anyhow::Result<String> {
    Ok(options::kernels(context)?.name().to_owned())
}

/// A setting, or that the model's own rule holds.
fn or_auto<T: ToString>(setting: Option<T>) -> String {
    setting.map_or("auto".into(), |value| value.to_string())
}

/// Options that change bytes, by the name of their flag.
fn option_names(args: &RunArgs) -> BTreeMap<String, String> {
    let lang = |lang: Option<Lang>, none: &str| lang.map_or(none.to_owned(), |l| l.to_string());
    let search = &args.search;
    let summaries: Vec<String> = args.summaries.0.iter().map(Lang::to_string).collect();
    let pairs = [
        ("from", lang(args.langs.from, "detected")),
        ("to", lang(args.langs.to, "the other language")),
        ("beam", or_auto(search.beam)),
        ("length-penalty", or_auto(search.length_penalty)),
        ("max-new-tokens", or_auto(search.max_new_tokens)),
        ("min-new-tokens", or_auto(search.min_new_tokens)),
        ("no-repeat-ngram", or_auto(search.no_repeat_ngram)),
        (
            "compute-type",
            format!("{:?}", args.model.compute_type).to_lowercase(),
        ),
        ("wrapped", format!("{:?}", args.wrapped).to_lowercase()),
        ("segments", detail(args.segments).name().to_owned()),
        (
            "summaries",
            if summaries.is_empty() {
                "none".into()
            } else {
                summaries.join(",")
            },
        ),
        ("sentences", args.sentences.to_string()),
        ("max-bytes", args.max_bytes.to_string()),
        ("field", args.field.join(",")),
    ];
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn detail(segments: SegmentsArg) -> SegmentDetail {
    match segments {
        SegmentsArg::All => SegmentDetail::All,
        SegmentsArg::Flagged => SegmentDetail::Flagged,
        SegmentsArg::None => SegmentDetail::None,
    }
}

/// Signals and the deadline.
struct Stopper {
    interrupted: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
    clock: Stopwatch,
    deadline: Option<Duration>,
}

impl Stopper {
    fn new(deadline: Option<Duration>) -> anyhow::Result<Self> {
        let watch = |signal, exit: Exit| -> anyhow::Result<_> {
            let flag = Arc::new(AtomicBool::new(false));
            // The second signal of a kind ends at once; the file is resumable even then.
            let code = i32::from(exit.code());
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&flag))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
                .context("cannot listen to signals")?;
            Ok(flag)
        };
        Ok(Self {
            interrupted: watch(SIGINT, Exit::Interrupted)?,
            terminated: watch(SIGTERM, Exit::Terminated)?,
            clock: Stopwatch::start(),
            deadline,
        })
    }

    fn asked(&self) -> Option<Stop> {
        if self.interrupted.load(Ordering::Relaxed) {
            Some(Stop::Interrupted)
        } else if self.terminated.load(Ordering::Relaxed) {
            Some(Stop::Terminated)
        } else if self.deadline.is_some_and(|d| self.clock.elapsed() >= d) {
            Some(Stop::Deadline)
        } else {
            None
        }
    }
}

fn dry_run(
    input: &Input,
    shard: Option<Shard>,
    args: &RunArgs,
    context: &Context,
) -> anyhow::Result<Exit> {
    let output = input.output.as_deref();
    let plan = run::plan(input, shard, output).map_err(failure)?;
    let mut text = format!(
        "{} articles, {} bytes\n{} records in {} already\n",
        plan.articles,
        plan.bytes,
        plan.written,
        args.output.display()
    );
    for (kind, n) in &plan.errors {
        text.push_str(&format!("{n} give error records: {kind}\n"));
    }
    context.printer.result_bytes(text.as_bytes())?;
    Ok(Exit::Done)
}

fn report(outcome: &Outcome, output: &Path, context: &Context) {
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

fn exit_of(outcome: &Outcome) -> Exit {
    match outcome.stopped {
        Some(Stop::Limit | Stop::Deadline) => Exit::Stopped,
        Some(Stop::Interrupted) => Exit::Interrupted,
        Some(Stop::Terminated) => Exit::Terminated,
        None if outcome.counts.failed > 0 => Exit::SomeFailed,
        None => Exit::Done,
    }
}

/// The exit code of what stopped a run, and the way out.
fn failure(error: RunError) -> anyhow::Error {
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

fn parse_summaries(text: &str) -> Result<Summaries, String> {
    if text == "none" || text.is_empty() {
        return Ok(Summaries(Vec::new()));
    }
    let mut langs = Vec::new();
    for code in text.split(',') {
        let lang = Lang::parse(code.trim())
            .ok_or_else(|| format!("'{code}' is no language code; try en, ar or none"))?;
        if !langs.contains(&lang) {
            langs.push(lang);
        }
    }
    Ok(Summaries(langs))
}

fn parse_bytes(text: &str) -> Result<usize, String> {
    let upper = text.to_ascii_uppercase();
    let digits = upper.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &upper[digits.len()..] {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err("a number of bytes is wanted, such as 8M".into()),
    };
    digits
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .filter(|&n| (1..=1 << 30).contains(&n))
        .ok_or_else(|| "a number of bytes from 1 to 1G is wanted, such as 8M".into())
}

fn parse_deadline(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is neither a time of day (06:30) nor a duration (8h, 90m)");
    if let Some((hour, minute)) = text.split_once(':') {
        let number = |s: &str| s.parse::<u8>().ok().filter(|_| s.len() <= 2);
        let (hour, minute) = (
            number(hour).ok_or_else(wrong)?,
            number(minute).ok_or_else(wrong)?,
        );
        return seconds_until(hour, minute)
            .map(Duration::from_secs)
            .ok_or_else(wrong);
    }
    let (mut seconds, mut digits) = (0_u64, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        seconds = number
            .checked_mul(unit)
            .and_then(|n| n.checked_add(seconds))
            .ok_or_else(wrong)?;
        digits.clear();
    }
    if text.is_empty() || !digits.is_empty() {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

fn parse_shard(text: &str) -> anyhow::Result<Shard> {
    if text != "auto" {
        return text.parse().map_err(|e: run::shard::ShardError| {
            Failure::usage(e.to_string(), "--shard 0/4, or --shard auto in a job array")
        });
    }
    settings::job_array().ok_or_else(|| {
        Failure::usage(
            "--shard auto finds no job array in the environment",
            "set SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT, or JOB_COMPLETION_INDEX and \
             JOB_COMPLETIONS, or give --shard I/N",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_durations_and_sizes_as_written() {
        assert_eq!(parse_deadline("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_deadline("45s"), Ok(Duration::from_secs(45)));
        assert!(parse_deadline("06:30").is_ok_and(|d| d <= Duration::from_secs(86_400 + 7200)));
        for wrong in ["", "5", "h", "25:00", "6:", "1d", "-1h", "06:60"] {
            assert!(parse_deadline(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_bytes("8M"), Ok(8 << 20));
        assert_eq!(parse_bytes("100"), Ok(100));
        assert!(parse_bytes("8X").is_err() && parse_bytes("0").is_err());
    }
}
