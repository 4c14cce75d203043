//! Which models a command opens: the one that is named, else the best installed, else the draft.

use std::path::Path;
use std::sync::Arc;

use super::{ComputeType, LangArgs, ModelArgs, kernels};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{Context, offer};
use crate::engine::linear::Compute;
use crate::models::manifest::{self, Manifest};
use crate::models::open::{self, OpenOptions};
use crate::models::store::Store;
use crate::summarize::{Extractive, Summarizer};
use crate::text::{Direction, Lang};
use crate::translate::{Translator, Translators};

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
    if let Some(store) = &store {
        fetch_recommended(&directions, store, args.fetch, context);
    }
    let mut models: Vec<Arc<dyn Translator>> = Vec::new();
    let mut missing = Vec::new();
    for direction in directions {
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

/// Fetches the recommended models that are not installed: all of them with `--fetch`, else, when the
/// user says so, those of directions that only the draft would serve.
fn fetch_recommended(directions: &[Direction], store: &Store, asked: bool, context: &Context) {
    let absent = |m: &Manifest| store.installed(&m.id).is_none();
    let unserved = |d: &Direction| asked || store.best_for(*d).is_none();
    let missing: Vec<Manifest> = directions
        .iter()
        .filter(|d| unserved(d))
        .filter_map(|d| manifest::recommended(*d).filter(absent))
        .collect();
    if asked || offer::wants_recommended(&missing, context) {
        for manifest in &missing {
            offer::fetch_or_say(manifest, store, context);
        }
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
    let manifests = context
        .settings
        .store()
        .ok()
        .and_then(|s| s.manifests().ok());
    let mut known: Vec<String> = manifests
        .unwrap_or_else(manifest::built_in)
        .into_iter()
        .map(|m| m.id)
        .collect();
    if known.iter().any(|id| id == name) {
        let message = format!("model '{name}' is known but not installed");
        return Failure::usage(message, format!("tarjama models fetch {name}"));
    }
    if Path::new(name).is_file() {
        return Failure::usage(
            format!("model '{name}' is a file, not a directory"),
            "the directory that it lies in, with its tokenizer; or `tarjama models import`",
        );
    }
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
    let store = context.settings.store().ok();
    let found = store.and_then(|s| s.find(name).ok().flatten());
    found.is_some_and(|m| m.directions.is_empty() && !m.languages.is_empty())
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
    if let open::OpenError::Direction { has, .. } = &error {
        let hint = format!("--from {} --to {}, or another --model", has.from, has.to);
        return Failure::usage(error.to_string(), hint);
    }
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
