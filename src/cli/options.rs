//! Arguments that several commands share, and how they become library options.

mod opening;

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::Context;
use super::exit::Failure;
use super::settings::Settings;
use crate::article::{self, Article};
use crate::decode::DecodeOptions;
use crate::kernel::Kernels;
use crate::text::{Direction, Lang};
use crate::translate::{ArticleError, TranslatedArticle, Wrapped};

pub use opening::{is_summary_model, open_for_ids, open_models, open_summarizer, summary_langs};

pub(super) const MODEL: &str = "Model options";
pub(super) const SEARCH: &str = "Search options";

/// Which model, and how to run it.
#[derive(Args, Debug, Clone)]
pub struct ModelArgs {
    /// Model id, or a directory of model files [default: the best installed one, else the embedded
    /// draft]
    #[arg(long, env = "TARJAMA_MODEL", value_name = "ID|DIR", help_heading = MODEL)]
    pub model: Option<String>,
    /// Arithmetic of matrix products
    #[arg(
        long,
        env = "TARJAMA_COMPUTE_TYPE",
        value_name = "TYPE",
        value_enum,
        default_value = "int8",
        help_heading = MODEL
    )]
    pub compute_type: ComputeType,
    /// First fetch the recommended model of each direction, if it is not installed; where that
    /// fails, go on with what there is
    #[arg(long, help_heading = MODEL)]
    pub fetch: bool,
}

/// What to do with hard-wrapped lines.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrappedArg {
    /// Join where lines look wrapped by a mail program or an editor
    Auto,
    /// Join the lines of every paragraph
    Join,
    /// Each line is a paragraph
    Keep,
}

impl From<WrappedArg> for Wrapped {
    fn from(arg: WrappedArg) -> Self {
        match arg {
            WrappedArg::Auto => Self::Auto,
            WrappedArg::Join => Self::Join,
            WrappedArg::Keep => Self::Keep,
        }
    }
}

/// Arithmetic of matrix products.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComputeType {
    /// 8-bit integers: fast
    Int8,
    /// 32-bit floats: slow, for comparison with reference implementations
    Float32,
}

/// Languages.
#[derive(Args, Debug, Clone)]
pub struct LangArgs {
    /// Target language [default: the other one of English and Arabic]
    #[arg(long, env = "TARJAMA_TO", value_name = "LANG", value_parser = parse_lang)]
    pub to: Option<Lang>,
    /// Source language [default: detected]
    #[arg(long, value_name = "LANG", value_parser = parse_lang)]
    pub from: Option<Lang>,
}

impl LangArgs {
    /// With what the settings file says where no flag or variable does.
    #[must_use]
    pub fn or_settings(&self, settings: &Settings) -> Self {
        Self {
            from: self.from,
            to: self.to.or(settings.file.to),
        }
    }
}

/// Search options.
#[derive(Args, Debug, Clone)]
pub struct SearchArgs {
    /// Beam width: hypotheses kept at a time; 1 is greedy search [default: the model's own, else 1]
    #[arg(long, help_heading = SEARCH, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub beam: Option<u16>,
    /// Exponent of the length by which a beam's score is divided: above 1 favours long targets
    /// [default: the model's own, else 1]
    #[arg(long, help_heading = SEARCH, value_name = "X")]
    pub length_penalty: Option<f32>,
    /// At most this many tokens for a segment [default: the model's own rule]
    #[arg(long, help_heading = SEARCH, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_new_tokens: Option<u32>,
    /// At least this many tokens for a segment [default: the model's own, else 0]
    #[arg(long, help_heading = SEARCH, value_name = "N")]
    pub min_new_tokens: Option<u32>,
    /// No n-gram of this length twice in a target; 0: off [default: the model's own, else 0]
    #[arg(long, help_heading = SEARCH, value_name = "N")]
    pub no_repeat_ngram: Option<u16>,
}

impl SearchArgs {
    /// The library's options, for one hypothesis a segment.
    ///
    /// # Errors
    /// When the length penalty is no finite number.
    pub fn decode_options(&self) -> anyhow::Result<DecodeOptions> {
        if let Some(penalty) = self.length_penalty.filter(|p| !p.is_finite()) {
            let message = format!("--length-penalty {penalty} is not finite");
            return Err(Failure::usage(message, "--length-penalty 1"));
        }
        Ok(DecodeOptions {
            beam: self.beam.map(usize::from),
            nbest: None,
            length_penalty: self.length_penalty,
            max_new_tokens: self.max_new_tokens.map(|n| n as usize),
            min_new_tokens: self.min_new_tokens.map(|n| n as usize),
            no_repeat_ngram: self.no_repeat_ngram.map(usize::from),
        })
    }
}

/// Reads a language code in any of its spellings.
pub(super) fn parse_lang(code: &str) -> Result<Lang, String> {
    Lang::parse(code).ok_or_else(|| format!("'{code}' is no language code; try en, ar, pt"))
}

/// Reads a batch budget.
pub(super) fn parse_batch_tokens(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=1 << 20).contains(n))
        .ok_or_else(|| format!("'{text}' is no number of tokens from 1 to 1048576"))
}

/// The direction of these languages for a text whose language is given or detected.
///
/// # Errors
/// When the text has no letters to detect a language by, or both ends are the same language.
pub fn direction(langs: &LangArgs, detected: Option<Lang>) -> anyhow::Result<Direction> {
    let other = |lang: Lang| if lang == Lang::AR { Lang::EN } else { Lang::AR };
    let from = match (langs.from.or(detected), langs.to) {
        (Some(from), _) => from,
        (None, Some(to)) => other(to),
        (None, None) => Lang::EN,
    };
    let to = langs.to.unwrap_or_else(|| other(from));
    if from == to {
        let message = format!("the text is in the target language already ({to})");
        return Err(Failure::usage(message, format!("--to {}", other(to))));
    }
    Ok(Direction { from, to })
}

/// The worker threads: as many as asked, else as affinity and the container's quota allow.
///
/// # Errors
/// When the system gives no threads.
pub fn thread_pool(context: &Context) -> anyhow::Result<rayon::ThreadPool> {
    let allowed = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = context.settings.threads.unwrap_or_else(allowed);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .context("cannot start worker threads")
}

/// The kernels that were asked for, else the CPU's best.
///
/// # Errors
/// When the CPU lacks what was asked for.
pub fn kernels(context: &Context) -> anyhow::Result<Kernels> {
    let name = context.settings.kernels.as_deref().unwrap_or("auto");
    Kernels::named(name).map_err(|e| Failure::usage(e.to_string(), "--kernels auto"))
}

/// All bytes of a file or of standard input (`-` or nothing), with the name for messages.
///
/// # Errors
/// When the file cannot be read, or nothing was given and standard input is a terminal.
pub fn read_input(file: Option<&PathBuf>) -> anyhow::Result<(String, Vec<u8>)> {
    use std::io::IsTerminal;
    match file.filter(|f| f.as_os_str() != "-") {
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|e| {
                Failure::usage(
                    format!("cannot read {}: {e}", path.display()),
                    "check the path",
                )
            })?;
            Ok((path.display().to_string(), bytes))
        }
        None => {
            let mut stdin = std::io::stdin().lock();
            if file.is_none() && stdin.is_terminal() {
                return Err(Failure::usage("no input", "name a file, or pipe a text in"));
            }
            let mut bytes = Vec::new();
            stdin
                .read_to_end(&mut bytes)
                .context("cannot read standard input")?;
            Ok(("-".to_owned(), bytes))
        }
    }
}

/// The article of a file's bytes.
///
/// # Errors
/// When the bytes are no text.
pub fn parse_article(name: &str, bytes: &[u8]) -> anyhow::Result<Article> {
    article::read_bytes(name, bytes).map_err(|e| {
        Failure::usage(
            format!("{name}: {e}"),
            "text in UTF-8, UTF-16 or Windows-1256",
        )
    })
}

/// The result of a call with one article.
///
/// # Errors
/// What the article failed with.
pub fn only(
    results: Vec<Result<TranslatedArticle, ArticleError>>,
    name: &str,
) -> anyhow::Result<TranslatedArticle> {
    let result = results
        .into_iter()
        .next()
        .unwrap_or(Err(ArticleError::NoText));
    result.map_err(|e| {
        Failure::usage(
            format!("{name}: {e}"),
            "another file, --from, --to or --model",
        )
    })
}

/// Says on stderr which segments a reader should check.
pub fn note_flags(translated: &TranslatedArticle, context: &Context) {
    for (i, segment) in translated.segments.iter().enumerate() {
        let names: Vec<String> = segment
            .flags
            .iter()
            .filter_map(|f| serde_json::to_value(f).ok()?.as_str().map(str::to_owned))
            .filter(|f| f != "draft_model" && f != "unchanged" && f != "retried")
            .collect();
        if !names.is_empty() {
            context
                .printer
                .note(&format!("check segment {}: {}", i + 1, names.join(", ")));
        }
    }
}
