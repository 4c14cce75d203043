//! `tarjama summarize`: one article, summaries in the languages asked for.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::{self, LangArgs, ModelArgs};
use crate::run::Processed;
use crate::run::record::single_line;
use crate::summarize::{Size, SummaryDesk, summarize_articles};
use crate::text::{Lang, lang};
use crate::translate::{PipelineOptions, translate_articles};

const EXAMPLES: &str = "\
Examples:
  tarjama summarize article.txt                       three sentences in English and in Arabic
  tarjama summarize --in ar --sentences 1 article.txt
  cat article.html | tarjama summarize --json         the record, with the translation";

/// Arguments of `summarize`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct SummarizeArgs {
    /// The article (text, Markdown or HTML); - or nothing reads standard input
    file: Option<PathBuf>,
    /// Languages of the summaries, in the order in which they are printed
    #[arg(long = "in", value_name = "LANGS", value_delimiter = ',', default_value = "en,ar", value_parser = options::parse_lang)]
    languages: Vec<Lang>,
    /// Sentences of a summary
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    sentences: u16,
    /// Model that writes the summary: an id, a directory or file in GGUF layout, or extractive
    /// [default: extractive]; --model takes one as well
    #[arg(long, env = "TARJAMA_SUMMARY_MODEL", value_name = "ID|DIR")]
    summary_model: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Print the record
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Summarises a file or standard input.
pub fn run(args: &SummarizeArgs, context: &Context) -> anyhow::Result<Exit> {
    let (name, bytes) = options::read_input(args.file.as_ref())?;
    let article = options::parse_article(&name, &bytes)?;
    let from = article.lang.or_else(|| lang::detect(&article.text()));
    let from =
        from.ok_or_else(|| Failure::usage(format!("{name} has no text"), "check the file"))?;
    let target = args.languages.iter().copied().find(|lang| *lang != from);
    let langs = LangArgs {
        from: Some(from),
        to: target,
    };
    let direction = options::direction(&langs, None)?;
    let pool = options::thread_pool(context)?;
    let mut model = args.model.clone();
    let mut summary_model = args.summary_model.clone();
    // `--model` is of the summary here, where it names a model that does not translate.
    if summary_model.is_none() {
        let summarizes = |name: &mut String| options::is_summary_model(name, context);
        summary_model = model.model.take_if(summarizes);
    }
    let compute = model.compute_type;
    let summarizer = options::open_summarizer(summary_model.as_deref(), compute, context, &pool)?;
    let opened = options::summary_langs(&langs, &model, &*summarizer, context);
    let models = options::open_models(&model, &opened, context, &pool)?;
    let pipeline = PipelineOptions {
        from: Some(direction.from),
        to: Some(direction.to),
        ..PipelineOptions::default()
    };
    let translated = translate_articles(std::slice::from_ref(&article), &models, &pipeline, &pool);
    let translated = options::only(translated, &name)?;
    let desk = SummaryDesk {
        summarizer: &*summarizer,
        size: Size::Sentences(args.sentences.into()),
        models: &models,
        options: &pipeline,
        pool: &pool,
    };
    let pairs = [(&article, &translated)];
    let made = summarize_articles(&pairs, &args.languages, desk);
    let mut made = made.into_iter().next().unwrap_or_default();
    if let Some(why) = &made.fallback {
        let text = format!("warning: sentences of the article were chosen instead: {why}");
        context.printer.note(&text);
    }
    let mut summary = Vec::new();
    for wanted in &args.languages {
        let text = made.texts.remove(wanted).ok_or_else(|| {
            let message = format!("this article gives no summary in {wanted}");
            Failure::usage(message, format!("--in {},{}", direction.from, direction.to))
        })?;
        summary.push((wanted.to_string(), text));
    }
    if args.json {
        let processed = Processed {
            translated,
            summary,
            flags: made.flags,
            summary_model: Some(made.model),
        };
        context
            .printer
            .result_bytes(&single_line(&name, &article, &processed))?;
    } else {
        for (lang, text) in summary {
            context.printer.result(&format!("{lang}: {text}"))?;
        }
    }
    Ok(Exit::Done)
}
