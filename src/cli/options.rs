//! Arguments that several commands share, and how they become library options.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::Context;
use super::exit::{Exit, Failure};
use crate::article::{self, Article};
use crate::decode::DecodeOptions;
use crate::engine::linear::Compute;
use crate::kernel::Kernels;
use crate::models::open::{self, OpenOptions};
use crate::models::store::Store;
use crate::models::{fetch, manifest};
use crate::summarize::{Extractive, Summarizer};
use crate::text::{Direction, Lang};
use crate::translate::{ArticleError, TranslatedArticle, Translator, Translators, Wrapped};

/// Which model, and how to run it.
#[derive(Args, Debug, Clone)]
pub struct ModelArgs {
    /// Model id, or a directory of model files [default: the embedded draft]
    #[arg(long, env = "TARJAMA_MODEL", value_name = "ID|DIR")]
    pub model: Option<String>,
    /// Arithmetic of matrix products
    #[arg(long, env = "TARJAMA_COMPUTE_TYPE", value_enum, default_value = "int8")]
    pub compute_type: ComputeType,
    /// First fetch the recommended model of each direction, if it is not installed; where that
    /// fails, go on with what there is
    #[arg(long)]
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
    #[arg(long, value_name = "LANG", value_parser = parse_lang)]
    pub to: Option<Lang>,
    /// Source language [default: detected]
    #[arg(long, value_name = "LANG", value_parser = parse_lang)]
    pub from: Option<Lang>,
}

/// Search options.
#[derive(Args, Debug, Clone)]
pub struct SearchArgs {
    /// Beam width; 1 is greedy search [default: the model's own, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub beam: Option<u16>,
    /// Hypotheses to print with --lines --json, at most the beam width
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub nbest: u16,
    /// Exponent of the length by which a beam's score is divided [default: the model's own, else 1]
    #[arg(long, value_name = "X")]
    pub length_penalty: Option<f32>,
    /// Upper bound of target tokens a segment [default: the model's own rule]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_new_tokens: Option<u32>,
    /// Lower bound of target tokens a segment [default: the model's own, else 0]
    #[arg(long, value_name = "N")]
    pub min_new_tokens: Option<u32>,
    /// No n-gram of this length twice in a target; 0: off [default: the model's own, else 0]
    #[arg(long, value_name = "N")]
    pub no_repeat_ngram: Option<u16>,
}

impl SearchArgs {
    /// The library's options.
    ///
    /// # Errors
    /// When more hypotheses are asked for than beams.
    pub fn decode_options(&self) -> anyhow::Result<DecodeOptions> {
        if self.nbest > self.beam.unwrap_or(1) {
            let message = format!("--nbest {} needs a beam of at least as many", self.nbest);
            return Err(Failure::usage(message, format!("--beam {}", self.nbest)));
        }
        Ok(DecodeOptions {
            beam: self.beam.map(usize::from),
            nbest: Some(self.nbest.into()),
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

fn open_options(compute_type: ComputeType, context: &Context) -> anyhow::Result<OpenOptions> {
    let compute = match compute_type {
        ComputeType::Int8 => Compute::Int8,
        ComputeType::Float32 => Compute::Float32,
    };
    let kernels = kernels(context)?;
    Ok(OpenOptions { kernels, compute })
}

/// Opens what `--model` names, else the best installed model of each direction asked for, else
/// the embedded draft; says which it is.
///
/// # Errors
/// When the model does not exist or does not load.
pub fn open_models(
    args: &ModelArgs,
    langs: &LangArgs,
    context: &Context,
    pool: &rayon::ThreadPool,
) -> anyhow::Result<Translators> {
    let options = open_options(args.compute_type, context)?;
    let wanted = args
        .model
        .as_deref()
        .or(context.settings.file.model.as_deref());
    let opened = pool.install(|| match wanted {
        Some(name) if context.embedded.is_none_or(|e| e.id != name) => {
            open_named(name, langs, options, context).map(|model| vec![model])
        }
        Some(_) => open::open_embedded(context.embedded, options)
            .map(|model| vec![model])
            .map_err(model_failure),
        None => open_default(args, langs, options, context),
    })?;
    for model in &opened {
        announce(model.as_ref(), context);
    }
    Ok(Translators::new(opened))
}

/// As [`open_models`], for sources that are ids already: a directory that `--model` names may lack
/// its tokenizer.
///
/// # Errors
/// When the model does not exist or does not load.
pub fn open_for_ids(
    args: &ModelArgs,
    langs: &LangArgs,
    context: &Context,
    pool: &rayon::ThreadPool,
) -> anyhow::Result<Translators> {
    let Some(dir) = args.model.as_deref().map(Path::new).filter(|d| d.is_dir()) else {
        return open_models(args, langs, context, pool);
    };
    let options = open_options(args.compute_type, context)?;
    let id = dir.file_name().map(|n| n.to_string_lossy().into_owned());
    let id = id.unwrap_or_else(|| "model".into());
    let direction = match (langs.from, langs.to) {
        (Some(from), Some(to)) => Some(Direction { from, to }),
        _ => None,
    };
    let model = pool.install(|| open::open_dir_for_ids(&id, dir, direction, options));
    Ok(Translators::new(vec![model.map_err(model_failure)?]))
}

/// Without `--model`: the best installed model of each direction, and the embedded draft where a
/// direction of English and Arabic has none.
fn open_default(
    args: &ModelArgs,
    langs: &LangArgs,
    options: OpenOptions,
    context: &Context,
) -> anyhow::Result<Vec<Arc<dyn Translator>>> {
    let both = [(Lang::EN, Lang::AR), (Lang::AR, Lang::EN)];
    let draft: Vec<Direction> = both
        .into_iter()
        .map(|(from, to)| Direction { from, to })
        .collect();
    let fits = |d: &Direction| {
        langs.from.is_none_or(|l| l == d.from) && langs.to.is_none_or(|l| l == d.to)
    };
    let mut directions: Vec<Direction> = draft.iter().copied().filter(fits).collect();
    if let (Some(from), Some(to)) = (langs.from, langs.to)
        && directions.is_empty()
    {
        directions.push(Direction { from, to });
    }
    let store = context.settings.cache.clone().map(Store::new);
    let mut models: Vec<Arc<dyn Translator>> = Vec::new();
    let mut missing = Vec::new();
    for direction in directions {
        if let Some(store) = store.as_ref().filter(|_| args.fetch) {
            fetch_recommended(direction, store, context);
        }
        let installed = store.as_ref().and_then(|s| s.best_for(direction));
        match installed
            .map(|(manifest, dir)| open_dir(&manifest.id, &dir, Some(direction), options))
        {
            Some(Ok(model)) => models.push(model),
            // A damaged cache must not stop a night's work that the draft can do.
            Some(Err(error)) if draft.contains(&direction) => {
                context
                    .printer
                    .note(&format!("warning: {error:#}; going on with the draft"));
                missing.push(direction);
            }
            Some(Err(error)) => return Err(error),
            None => missing.push(direction),
        }
    }
    if missing.iter().any(|d| draft.contains(d)) {
        models.push(open::open_embedded(context.embedded, options).map_err(model_failure)?);
    } else if let Some(direction) = missing.first() {
        let message = format!("no installed model translates {direction}");
        return Err(Failure::usage(
            message,
            "--model DIR, or tarjama models list",
        ));
    }
    Ok(models)
}

/// Fetches the recommended model of a direction if it is not installed; a failure is said and the
/// command goes on with what there is.
fn fetch_recommended(direction: Direction, store: &Store, context: &Context) {
    let Some(manifest) = manifest::recommended(direction) else {
        return;
    };
    if store.installed(&manifest.id).is_some() {
        return;
    }
    let options = context.settings.fetch_options().hurried();
    match fetch::fetch_model(&manifest, store, &options) {
        Ok(_) => context.printer.note(&format!("fetched {}", manifest.id)),
        Err(error) => context.printer.note(&format!(
            "could not fetch {} ({error}); going on without it",
            manifest.id
        )),
    }
}

fn open_named(
    name: &str,
    langs: &LangArgs,
    options: OpenOptions,
    context: &Context,
) -> anyhow::Result<Arc<dyn Translator>> {
    let direction = match (langs.from, langs.to) {
        (Some(from), Some(to)) => Some(Direction { from, to }),
        _ => None,
    };
    let dir = Path::new(name);
    if dir.is_dir() {
        let id = dir.file_name().map(|n| n.to_string_lossy().into_owned());
        return open_dir(
            &id.unwrap_or_else(|| "model".into()),
            dir,
            direction,
            options,
        );
    }
    if is_summary_model(name, context) {
        let message = format!("model '{name}' writes summaries and does not translate");
        return Err(Failure::usage(message, format!("--summary-model {name}")));
    }
    let store = context.settings.cache.clone().map(Store::new);
    if let Some((lock, dir)) = (store.as_ref()).and_then(|s| s.locked(name).zip(s.installed(name)))
    {
        return open_dir(&lock.manifest.id, &dir, direction, options);
    }
    Err(no_such_model(name, "--model", context))
}

/// Why a name stands for no model, with what to do.
fn no_such_model(name: &str, flag: &str, context: &Context) -> anyhow::Error {
    if manifest::find(name).is_some() {
        let message = format!("model '{name}' is known but not installed");
        return Failure::usage(message, format!("tarjama models fetch {name}"));
    }
    if Path::new(name).is_file() {
        return Failure::usage(
            format!("model '{name}' is a file, not a directory"),
            "the directory that it lies in, with its tokenizer; or `tarjama models import`",
        );
    }
    let mut known: Vec<String> = manifest::built_in().into_iter().map(|m| m.id).collect();
    known.extend(context.embedded.map(|e| e.id.to_owned()));
    let near = known
        .into_iter()
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)))
        .filter(|id| strsim::jaro_winkler(id, name) > 0.8);
    let hint = near.map_or_else(
        || "a directory of model files, or an id of `tarjama models list`".to_owned(),
        |id| format!("{flag} {id}"),
    );
    Failure::usage(format!("there is no model '{name}'"), hint)
}

/// The method that needs no model.
const EXTRACTIVE: &str = "extractive";

/// Whether a name is of something that makes summaries and does not translate.
#[must_use]
pub fn is_summary_model(name: &str, context: &Context) -> bool {
    if name == EXTRACTIVE {
        return true;
    }
    if context.embedded.is_some_and(|e| e.id == name) || Path::new(name).exists() {
        return false;
    }
    let store = context.settings.cache.clone().map(Store::new);
    let installed = store.and_then(|s| s.locked(name)).map(|l| l.manifest);
    installed
        .or_else(|| manifest::find(name))
        .is_some_and(|m| m.directions.is_empty() && !m.languages.is_empty())
}

/// The languages to open translators for: where a model writes the summaries, both directions of
/// English and Arabic, since it may write on the translation and be translated back.
#[must_use]
pub fn summary_langs(
    langs: &LangArgs,
    model: &ModelArgs,
    summarizer: &dyn Summarizer,
    context: &Context,
) -> LangArgs {
    let named = model.model.is_some() || context.settings.file.model.is_some();
    let usual = |lang: Option<Lang>| lang.is_none_or(|l| l == Lang::EN || l == Lang::AR);
    if !summarizer.writes() || named || !usual(langs.from) || !usual(langs.to) {
        return langs.clone();
    }
    LangArgs {
        from: None,
        to: None,
    }
}

/// Opens what `--summary-model` names: an installed model, a directory or file in GGUF layout, or
/// the extractive method, which is the default; says which model it is.
///
/// # Errors
/// When the model does not exist or does not load.
pub fn open_summarizer(
    wanted: Option<&str>,
    compute_type: ComputeType,
    context: &Context,
    pool: &rayon::ThreadPool,
) -> anyhow::Result<Box<dyn Summarizer>> {
    let name = match wanted.or(context.settings.file.summary_model.as_deref()) {
        None | Some(EXTRACTIVE) => return Ok(Box::new(Extractive::default())),
        Some(name) => name,
    };
    let options = open_options(compute_type, context)?;
    let path = Path::new(name);
    let store = context.settings.cache.clone().map(Store::new);
    let (id, dir, revision) = if path.exists() {
        let stem = path.file_stem().map(|n| n.to_string_lossy().into_owned());
        (
            stem.unwrap_or_else(|| "model".into()),
            path.to_owned(),
            None,
        )
    } else {
        let store = store.as_ref();
        let found = store.and_then(|s| Some((s.installed(name)?, s.locked(name)?.revision)));
        let (dir, revision) =
            found.ok_or_else(|| no_such_model(name, "--summary-model", context))?;
        (name.to_owned(), dir, Some(revision))
    };
    let open = || open::open_summarizer(&id, &dir, revision.as_deref(), options);
    let model = pool
        .install(open)
        .map_err(|error| model_error(error, "--summary-model extractive"))?;
    context
        .printer
        .note(&format!("summary model: {}", model.name()));
    Ok(model)
}

/// Opens a directory by the family that its files show.
fn open_dir(
    id: &str,
    dir: &Path,
    direction: Option<Direction>,
    options: OpenOptions,
) -> anyhow::Result<Arc<dyn Translator>> {
    open::open_dir(id, dir, direction, options).map_err(model_failure)
}

fn model_failure(error: open::OpenError) -> anyhow::Error {
    let hint = match &error {
        open::OpenError::NoEmbedded => "--model DIR, or a build with default features",
        _ => "check the model's files against its source, or choose another with --model",
    };
    model_error(error, hint)
}

fn model_error(error: open::OpenError, hint: &str) -> anyhow::Error {
    let mut message = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        message = format!("{message}: {source}");
    }
    Failure {
        exit: Exit::Model,
        message,
        hint: Some(hint.to_owned()),
    }
    .into()
}

fn announce(model: &dyn Translator, context: &Context) {
    let info = model.info();
    if info.draft {
        context.printer.note(&format!(
            "model: {} (embedded DRAFT: check its output against the source)",
            info.name()
        ));
    } else {
        context.printer.note(&format!("model: {}", info.name()));
    }
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
