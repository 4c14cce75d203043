//! `tarjama run INPUT... -o OUT.jsonl`.

mod args;
mod outcome;
mod stop;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::article::Article;
use crate::article::jsonl::FieldMap;
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::run::manifest::Stopwatch;
use crate::run::{self, Input, Job, Mode, Output, Processed, Shard};
use crate::summarize::{Size, Summarizer, SummaryDesk, summarize_articles};
use crate::text::Lang;
use crate::translate::{
    ArticleError, PipelineOptions, TranslatedArticle, Translators, translate_articles,
};
pub use args::RunArgs;
use stop::Stopper;

/// Runs a batch job.
pub fn run(args: &RunArgs, context: &Context) -> anyhow::Result<Exit> {
    let clock = Stopwatch::start();
    let shard = args.shard.as_deref().map(args::parse_shard).transpose()?;
    let streaming = args.output.as_os_str() == "-";
    if streaming && (args.overwrite || args.update || args.retry_failed) {
        let message = "standard output keeps no records to update or retry";
        return Err(Failure::usage(message, "-o OUT.jsonl"));
    }
    if streaming && args.json && !args.dry_run {
        let message = "--json has no place on standard output beside the records";
        return Err(Failure::usage(
            message,
            "-o OUT.jsonl, or --progress json on stderr",
        ));
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
    let langs = args.langs.or_settings(&context.settings);
    let pool = options::thread_pool(context)?;
    let compute = args.model.compute_type;
    let wanted = args.summary_model.as_deref();
    let summarizer = options::open_summarizer(wanted, compute, context, &pool)?;
    let opened = if args.summaries.0.is_empty() {
        langs.clone()
    } else {
        options::summary_langs(&langs, &args.model, &*summarizer, context)
    };
    let models = options::open_models(&args.model, &opened, context, &pool)?;
    let decode = args.search.decode_options()?;
    let work = Work {
        models,
        options: PipelineOptions {
            from: langs.from,
            to: langs.to,
            decode,
            wrapped: args.wrapped.into(),
            batch_tokens: args.batch_tokens,
        },
        summarizer,
        languages: args.summaries.0.clone(),
        size: Size::Sentences(args.sentences.into()),
        pool,
        fallbacks: AtomicUsize::new(0),
        printer: context.printer,
    };
    // From here on a signal ends the run in order; before, nothing is written that it could tear.
    let stop = Stopper::new(args.deadline, clock)?;
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
        options: args::option_names(args, &langs),
        models: work.model_names(),
        shard,
        limit: args.limit,
        segments: args::detail(args.segments),
        text_dir: args.text_dir.clone(),
        kernels: Some(kernel_name(context)?),
        lanes: work.pool.current_num_threads().min(2),
        process: &|articles| process(articles, &work),
        stop: &|| stop.asked(),
        progress: &mut |snapshot| progress.tell(snapshot),
    });
    progress.finish();
    let outcome = outcome.map_err(outcome::failure)?;
    if args.json {
        let facts = outcome::facts(&outcome, &args.output);
        context.printer.result(&facts.to_string())?;
    }
    outcome::report(&outcome, &args.output, context);
    let fallbacks = work.fallbacks.load(Ordering::Relaxed);
    if fallbacks > 1 {
        context.printer.note(&format!(
            "{fallbacks} articles have summaries of chosen sentences; `models.summary` of a record \
             says which"
        ));
    }
    Ok(outcome::exit_of(&outcome))
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

/// Reads the input and says what a run would find.
fn dry_run(
    input: &Input,
    shard: Option<Shard>,
    args: &RunArgs,
    context: &Context,
) -> anyhow::Result<Exit> {
    let output = input.output.as_deref();
    let plan = run::plan(input, shard, output).map_err(outcome::failure)?;
    let text = if args.json {
        serde_json::to_string(&plan)? + "\n"
    } else {
        outcome::plan_text(&plan, &args.output)
    };
    context.printer.result_bytes(text.as_bytes())?;
    Ok(Exit::Done)
}
