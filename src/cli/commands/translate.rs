//! `tarjama translate`: one article, or bare lines.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::{self, LangArgs, ModelArgs, SearchArgs, WrappedArg};
use crate::decode::DecodeOptions;
use crate::run::Processed;
use crate::run::record::single_line;
use crate::text::{Direction, lang};
use crate::translate::{
    LineResult, PipelineOptions, TranslatedSegment, Translators, translate_articles,
    translate_lines, translate_lines_guarded,
};

const EXAMPLES: &str = "\
Examples:
  tarjama translate article.txt                 English to Arabic, or Arabic to English
  cat article.html | tarjama translate          from a pipe
  tarjama translate --json article.md           the whole record: segments, scores, flags
  tarjama translate --lines sentences.txt       the bare model, a sentence a line
  tarjama translate --lines --json --beam 4 --nbest 4 --model tarjama-enar sentences.txt";

/// Arguments of `translate`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct TranslateArgs {
    /// The article (text, Markdown or HTML); - or nothing reads standard input
    file: Option<PathBuf>,
    #[command(flatten)]
    langs: LangArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    search: SearchArgs,
    /// Hypotheses that --lines --json prints, at most the beam width
    #[arg(
        long,
        value_name = "K",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=64),
        requires = "lines",
        help_heading = options::SEARCH
    )]
    nbest: u16,
    /// The bare model: one segment a line, one line each, an empty line for an empty line
    #[arg(long)]
    lines: bool,
    /// With --lines: check each line and try it again where a check fails
    #[arg(long, requires = "lines")]
    guards: bool,
    /// What to do with hard-wrapped lines
    #[arg(long, value_enum, default_value = "auto", conflicts_with = "lines")]
    wrapped: WrappedArg,
    /// Print the record (with --lines: a line of JSON for each line)
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Source tokens of one batch; changes speed and memory, never results
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1024,
        value_parser = options::parse_batch_tokens,
        help_heading = options::MODEL
    )]
    batch_tokens: usize,
}

/// One line of `--lines --json`.
#[derive(Serialize)]
struct JsonLine<'a> {
    source: &'a str,
    source_ids: &'a [u32],
    hypotheses: Vec<JsonHypothesis<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    wrapped: bool,
}

#[derive(Serialize)]
struct JsonHypothesis<'a> {
    text: &'a str,
    ids: &'a [u32],
    score: f32,
}

/// Translates a file or standard input.
pub fn run(args: &TranslateArgs, context: &Context) -> anyhow::Result<Exit> {
    if args.nbest > args.search.beam.unwrap_or(1) {
        let message = format!("--nbest {} needs a beam of at least as many", args.nbest);
        return Err(Failure::usage(message, format!("--beam {}", args.nbest)));
    }
    let langs = args.langs.or_settings(&context.settings);
    let pipeline = PipelineOptions {
        from: langs.from,
        to: langs.to,
        decode: DecodeOptions {
            nbest: Some(args.nbest.into()),
            ..args.search.decode_options()?
        },
        wrapped: args.wrapped.into(),
        batch_tokens: args.batch_tokens,
    };
    let (name, bytes) = options::read_input(args.file.as_ref())?;
    let pool = options::thread_pool(context)?;
    if args.lines {
        return lines(args, &name, bytes, &pipeline, &pool, context);
    }
    let article = options::parse_article(&name, &bytes)?;
    let models = options::open_models(&args.model, &langs, context, &pool)?;
    let translated = translate_articles(std::slice::from_ref(&article), &models, &pipeline, &pool);
    let translated = options::only(translated, &name)?;
    options::note_flags(&translated, context);
    if args.json {
        let processed = Processed {
            translated,
            summary: Vec::new(),
            flags: Vec::new(),
            summary_model: None,
        };
        let record = single_line(&name, &article, &processed);
        context.printer.result_bytes(&record)?;
    } else {
        let mut text = String::new();
        if let Some(title) = &translated.title {
            text.push_str(title);
            text.push_str("\n\n");
        }
        text.push_str(&translated.text);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        context.printer.result_bytes(text.as_bytes())?;
    }
    Ok(Exit::Done)
}

fn lines(
    args: &TranslateArgs,
    name: &str,
    bytes: Vec<u8>,
    pipeline: &PipelineOptions,
    pool: &rayon::ThreadPool,
    context: &Context,
) -> anyhow::Result<Exit> {
    let text = String::from_utf8(bytes)
        .map_err(|e| Failure::usage(format!("{name} is not UTF-8: {e}"), "recode it with iconv"))?;
    let langs = args.langs.or_settings(&context.settings);
    let direction = options::direction(&langs, lang::detect(&text))?;
    let langs = LangArgs {
        from: Some(direction.from),
        to: Some(direction.to),
    };
    let models = options::open_models(&args.model, &langs, context, pool)?;
    let all: Vec<&str> = text.lines().collect();
    let out = if args.guards {
        guarded(args, &all, direction, &models, pipeline, pool)?
    } else {
        bare(args, &all, direction, &models, pipeline, pool)?
    };
    context.printer.result_bytes(out.as_bytes())?;
    Ok(Exit::Done)
}

fn bare(
    args: &TranslateArgs,
    all: &[&str],
    direction: Direction,
    models: &Translators,
    pipeline: &PipelineOptions,
    pool: &rayon::ThreadPool,
) -> anyhow::Result<String> {
    // An empty line gives an empty line and reaches no model.
    let full: Vec<&str> = all
        .iter()
        .copied()
        .filter(|l| !l.trim().is_empty())
        .collect();
    let results = translate_lines(&full, direction, models, pipeline, pool)?;
    let mut results = results.iter();
    let mut out = String::new();
    for line in all {
        let result = if line.trim().is_empty() {
            None
        } else {
            results.next()
        };
        if args.json {
            out.push_str(&serde_json::to_string(&json_line(line, result))?);
        } else if let Some(hypothesis) = result.and_then(|r| r.hypotheses.first()) {
            out.push_str(&hypothesis.text);
        }
        out.push('\n');
    }
    Ok(out)
}

fn guarded(
    args: &TranslateArgs,
    all: &[&str],
    direction: Direction,
    models: &Translators,
    pipeline: &PipelineOptions,
    pool: &rayon::ThreadPool,
) -> anyhow::Result<String> {
    let segments: Vec<TranslatedSegment> =
        translate_lines_guarded(all, direction, models, pipeline, pool)?;
    let mut out = String::new();
    for segment in &segments {
        if args.json {
            out.push_str(&serde_json::to_string(segment)?);
        } else {
            out.push_str(&segment.target);
        }
        out.push('\n');
    }
    Ok(out)
}

fn json_line<'a>(source: &'a str, result: Option<&'a LineResult>) -> JsonLine<'a> {
    let hypotheses = result.map_or(&[][..], |r| &r.hypotheses);
    JsonLine {
        source,
        source_ids: result.map_or(&[], |r| &r.source_ids),
        hypotheses: hypotheses
            .iter()
            .map(|h| JsonHypothesis {
                text: &h.text,
                ids: &h.ids,
                score: h.score,
            })
            .collect(),
        wrapped: result.is_some_and(|r| r.wrapped),
    }
}
