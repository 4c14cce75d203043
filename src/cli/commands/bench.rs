//! `tarjama bench`: how fast a model is on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::{self, LangArgs, ModelArgs};
use crate::decode::DecodeOptions;
use crate::eval::bench::workload::{self, Workload, WorkloadError};
use crate::eval::bench::{Measured, Setup, measure};
use crate::text::{Direction, Lang, lang};
use crate::translate::{PipelineOptions, Wrapped};

const WORDS: &str = "\
Of int8 peak: the int8 multiply-adds of the model's layers, for all tokens read and written (those of
every beam; attention's own products and tokens that a guard threw away left out; of a shortlist's
outputs those that every shortlist has), over the seconds and over what the threads' registers allow:
the rate of the kernels' dot product on operands in registers, measured after the workload. JSON has
them as int8_share, int8_peak (multiply-adds a second of all threads) and memory_bytes_per_s (what all
threads together read from memory).";

/// Arguments of `bench`.
#[derive(Args, Debug)]
#[command(after_help = WORDS)]
pub struct BenchArgs {
    /// Bare lines to translate
    #[arg(long, value_name = "FILE", group = "work")]
    lines: Option<PathBuf>,
    /// Articles to translate: JSONL, or one text [default: a dozen that the program brings along]
    #[arg(long, value_name = "FILE", group = "work")]
    articles: Option<PathBuf>,
    /// Token ids to decode: {"ids":[[..],..],"eos":N,"pad":N}
    #[arg(long, value_name = "WORKLOAD.json", group = "work")]
    ids: Option<PathBuf>,
    /// Tokens that each target gets, no more and no less, so that engines do equal work
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "articles",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    force_tokens: Option<u32>,
    /// Beam width; 1 is greedy search, whatever the model's own configuration says
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    beam: u16,
    /// Worker threads, one setting for each number [default: all that affinity and quota allow]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    threads: Vec<usize>,
    /// Source tokens of one batch, one setting for each number
    #[arg(
        long,
        value_name = "N,..",
        value_delimiter = ',',
        default_value = "1024"
    )]
    batch_tokens: Vec<usize>,
    /// Times that the workload is done; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
    #[command(flatten)]
    langs: LangArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Print JSON, a line for each setting
    #[arg(long)]
    json: bool,
    /// Measure this setting, THREADS,BATCH_TOKENS, in this process
    #[arg(
        long,
        value_name = "T,B",
        value_delimiter = ',',
        num_args = 1,
        hide = true
    )]
    one_setting: Option<Vec<usize>>,
}

/// Measures every setting, each in a process of its own.
pub fn run(args: &BenchArgs, context: &Context) -> anyhow::Result<Exit> {
    if let Some([threads, batch_tokens]) = args.one_setting.as_deref() {
        return one(args, *threads, *batch_tokens, context);
    }
    if args.threads.contains(&0) || args.batch_tokens.contains(&0) {
        return Err(Failure::usage(
            "a setting of 0 threads or tokens",
            "--threads 1,2 --batch-tokens 1024,2048",
        ));
    }
    let allowed = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match &args.threads[..] {
        [] => vec![context.settings.threads.unwrap_or_else(allowed)],
        threads => threads.to_vec(),
    };
    let mut first = true;
    for threads in threads {
        for batch_tokens in &args.batch_tokens {
            let measured = match child(threads, *batch_tokens, context)? {
                Ok(measured) => measured,
                // The child has said why it failed.
                Err(exit) => return Ok(exit),
            };
            if first {
                head(args, &measured, context)?;
                first = false;
            }
            let line = if args.json {
                serde_json::to_string(&measured.line)?
            } else {
                row(&measured)
            };
            context.printer.result(&line)?;
        }
    }
    Ok(Exit::Done)
}

/// Measures one setting in a child, which is this program with the same arguments.
fn child(
    threads: usize,
    batch_tokens: usize,
    context: &Context,
) -> anyhow::Result<Result<Measured, Exit>> {
    let program = std::env::current_exe().context("cannot find the program itself")?;
    let output = Command::new(program)
        .args(std::env::args_os().skip(1))
        .arg("--one-setting")
        .arg(format!("{threads},{batch_tokens}"))
        .stdin(Stdio::null())
        .output()
        .context("cannot start the program itself")?;
    if output.status.success() {
        return Ok(Ok(serde_json::from_slice(&output.stdout)?));
    }
    let why = String::from_utf8_lossy(&output.stderr);
    context.printer.machine_note(why.trim_end());
    context.printer.note(&format!(
        "the setting of {threads} threads and {batch_tokens} tokens ended with {}",
        output.status
    ));
    let codes = [Exit::Usage, Exit::Retry, Exit::Interrupted];
    let same = |exit: &Exit| output.status.code() == Some(exit.code().into());
    Ok(Err(codes.into_iter().find(same).unwrap_or(Exit::Model)))
}

fn one(
    args: &BenchArgs,
    threads: usize,
    batch_tokens: usize,
    context: &Context,
) -> anyhow::Result<Exit> {
    let workload = workload(args)?;
    let langs = match workload.direction() {
        Some(direction) => LangArgs {
            from: Some(direction.from),
            to: Some(direction.to),
        },
        None => args.langs.clone(),
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .context("cannot start worker threads")?;
    let kernels = options::kernels(context)?;
    let started = Instant::now();
    let models = match workload {
        Workload::Ids { .. } => options::open_for_ids(&args.model, &langs, context, &pool)?,
        _ => options::open_models(&args.model, &langs, context, &pool)?,
    };
    let load_s = started.elapsed().as_secs_f64();
    let forced = args.force_tokens.map(|n| n as usize);
    let pipeline = PipelineOptions {
        from: langs.from,
        to: langs.to,
        decode: DecodeOptions {
            beam: Some(args.beam.into()),
            max_new_tokens: forced,
            min_new_tokens: forced,
            ..DecodeOptions::default()
        },
        wrapped: Wrapped::Auto,
        batch_tokens,
    };
    let setup = Setup {
        models: &models,
        options: &pipeline,
        pool: &pool,
        kernels,
        started,
        load_s,
    };
    let measured = measure(setup, &workload, args.repeats.into())
        .map_err(|e| Failure::usage(e.to_string(), "another --model, --from, --to or workload"))?;
    context.printer.result(&serde_json::to_string(&measured)?)?;
    Ok(Exit::Done)
}

fn workload(args: &BenchArgs) -> anyhow::Result<Workload> {
    if let Some(path) = &args.ids {
        let bytes = read(path)?;
        return Workload::parse_ids(&bytes).map_err(|e| unusable(path, &e));
    }
    if let Some(path) = &args.lines {
        let text = text(path)?;
        let direction = options::direction(&args.langs, lang::detect(&text))?;
        return Workload::lines(&text, direction).map_err(|e| unusable(path, &e));
    }
    let Some(path) = &args.articles else {
        let direction = options::direction(&args.langs, Some(Lang::EN))?;
        return Workload::built_in(direction).map_err(|e| {
            Failure::usage(
                format!("the articles of the program are English and Arabic: {e}"),
                "--articles or --lines with a file",
            )
        });
    };
    let articles = |direction: Direction| match path.extension() {
        Some(extension) if extension == "jsonl" => {
            workload::articles(&text(path)?, direction).map_err(|e| unusable(path, &e))
        }
        _ => {
            let article = options::parse_article(&path.display().to_string(), &read(path)?)?;
            Ok(vec![article])
        }
    };
    // Articles of JSONL state their text in a field: without it the language cannot be told.
    let guess = options::direction(&args.langs, Some(Lang::EN))?;
    let found = articles(guess)?;
    let sample = found.first().map(crate::article::Article::text);
    let direction = options::direction(&args.langs, lang::detect(&sample.unwrap_or_default()))?;
    Workload::of_articles(found, direction).map_err(|e| unusable(path, &e))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        return Err(Failure::usage(
            "a workload is read once for each setting",
            "write it to a file",
        ));
    }
    Ok(options::read_input(Some(&path.to_owned()))?.1)
}

fn text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path)?).map_err(|e| {
        let message = format!("{} is not UTF-8: {e}", path.display());
        Failure::usage(message, "recode it with iconv")
    })
}

fn unusable(path: &Path, error: &WorkloadError) -> anyhow::Error {
    let hint = "lines of text, JSONL articles with a text field, or {\"ids\":[[..]]}";
    Failure::usage(format!("{}: {error}", path.display()), hint)
}

/// What was measured on what; on stderr with `--json`, whose lines hold settings alone.
fn head(args: &BenchArgs, measured: &Measured, context: &Context) -> anyhow::Result<()> {
    let cpu = measured.cpu.as_deref().unwrap_or("processor unknown");
    let line = &measured.line;
    let peak = line.int8_peak / line.threads as f64 / 1e9;
    let facts = format!(
        "{}\n{}\n{cpu}, kernels {}, int8 peak {peak:.0} GMAC/s a thread, memory {:.1} GB/s\nmedian of {}",
        line.model,
        workload(args)?.describe(),
        line.kernels,
        line.memory_bytes_per_s / 1e9,
        args.repeats
    );
    if args.json {
        context.printer.note(&facts);
    } else {
        context.printer.result(&facts)?;
        context.printer.result(HEAD)?;
    }
    Ok(())
}

const HEAD: &str = "threads  beam  batch  load s  first s  seconds   words/s  tokens/s  articles/h  \
                    peak MiB  of int8 peak";

fn row(measured: &Measured) -> String {
    let line = &measured.line;
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"))
    };
    let mib = line.peak_rss_bytes.map(|bytes| bytes as f64 / 1048576.0);
    let share = line.int8_share.map(|share| share * 100.0);
    format!(
        "{:7}  {:4}  {:5}  {:6.3}  {:7.3}  {:7.3}  {:>8}  {:8.1}  {:>10}  {:>8}  {:>10} %",
        line.threads,
        line.beam,
        line.batch_tokens,
        line.load_s,
        line.first_answer_s,
        line.seconds,
        number(line.words_per_s, 1),
        line.tokens_per_s,
        number(line.articles_per_h, 0),
        number(mib, 1),
        number(share, 1)
    )
}
