//! Opening a model: files to a [`Translator`] or a [`Summarizer`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::causal::CausalModel;
use crate::engine::linear::Compute;
use crate::formats::gguf::{Gguf, GgufError, Value};
use crate::kernel::Kernels;
use crate::summarize::{ChatSummarizer, Seq2SeqSummarizer, Summarizer};
use crate::text::{Direction, Lang};
use crate::tokenize::chat::ChatTemplate;
use crate::tokenize::gguf::GgufTokenizer;
use crate::tokenize::hf::{HfTokenizer, TokenizerError};
use crate::translate::llm::CausalTranslator;
use crate::translate::{FirefoxTranslator, HubModel, HubTranslator, Translator};

use super::EmbeddedFiles;
use super::family::{self, Family};

/// How to load weights.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// Kernels to run on.
    pub kernels: Kernels,
    /// Arithmetic of matrix products.
    pub compute: Compute,
}

/// Why a model does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The program was built without its embedded model.
    #[error("this build carries no embedded model (it was built without the feature `embedded`)")]
    NoEmbedded,
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The weights are not as they should be.
    #[error("model {model} does not load")]
    Gguf {
        /// Model id or directory.
        model: String,
        /// Why.
        #[source]
        source: GgufError,
    },
    /// The tokenizer is not as it should be.
    #[error("model {model} does not load")]
    Tokenizer {
        /// Model id or directory.
        model: String,
        /// Why.
        #[source]
        source: TokenizerError,
    },
    /// The model is of another direction than asked.
    #[error("model {model} translates {has}, not {wanted}")]
    Direction {
        /// Model id or directory.
        model: String,
        /// What its files say.
        has: Direction,
        /// What was asked.
        wanted: Direction,
    },
    /// Nothing at this path is a model that tarjama runs.
    #[error("{0}: {1}")]
    Unknown(PathBuf, String),
}

/// Opens the model that the program carries.
///
/// # Errors
/// When the build has none, or its files are damaged.
pub fn open_embedded(
    files: Option<EmbeddedFiles>,
    options: OpenOptions,
) -> Result<Arc<dyn Translator>, OpenError> {
    let files = files.ok_or(OpenError::NoEmbedded)?;
    let revision = files.sha256.get(..12).unwrap_or(files.sha256);
    open_gguf(
        files.id,
        revision,
        true,
        files.weights,
        files.tokenizer,
        options,
    )
}

fn open_gguf(
    id: &str,
    revision: &str,
    draft: bool,
    parts: &[&[u8]],
    tokenizer: &[u8],
    options: OpenOptions,
) -> Result<Arc<dyn Translator>, OpenError> {
    let gguf_error = |source| OpenError::Gguf {
        model: id.to_owned(),
        source,
    };
    let (model, tokenizer) = rayon::join(
        || {
            let gguf = Gguf::parse(parts)?;
            CausalModel::load(&gguf, options.kernels, options.compute)
        },
        || HfTokenizer::from_bytes(tokenizer),
    );
    let model = model.map_err(gguf_error)?;
    let tokenizer = tokenizer.map_err(|source| OpenError::Tokenizer {
        model: id.to_owned(),
        source,
    })?;
    Ok(Arc::new(CausalTranslator::new(
        id, revision, draft, model, tokenizer,
    )))
}

/// Opens a directory by the family that its files show: Firefox, Hugging Face, or GGUF.
///
/// A Firefox model's direction is what its file names say, else the one given.
///
/// # Errors
/// When files are missing, unreadable or of a family that tarjama does not run.
pub fn open_dir(
    id: &str,
    dir: &Path,
    direction: Option<Direction>,
    options: OpenOptions,
) -> Result<Arc<dyn Translator>, OpenError> {
    let family =
        family::detect(dir).map_err(|e| OpenError::Unknown(dir.to_owned(), e.to_string()))?;
    match family {
        Family::Firefox => open_firefox(id, dir, direction, options),
        Family::Gguf => open_gguf_dir(id, dir, options),
        Family::Hf => {
            let model = HubModel::open(dir, options.kernels, options.compute);
            let model = model.map_err(|e| OpenError::Unknown(dir.to_owned(), chain(&e)))?;
            Ok(Arc::new(HubTranslator::new(id, model, direction)))
        }
        Family::Ctranslate2 => {
            let model = HubModel::open_ctranslate2(dir, options.kernels, options.compute);
            let model = model.map_err(|e| OpenError::Unknown(dir.to_owned(), chain(&e)))?;
            Ok(Arc::new(HubTranslator::new(id, model, direction)))
        }
    }
}

/// As [`open_dir`], for sources that are ids already: a model in Hugging Face's layout needs no
/// tokenizer files.
///
/// # Errors
/// As [`open_dir`].
pub fn open_dir_for_ids(
    id: &str,
    dir: &Path,
    direction: Option<Direction>,
    options: OpenOptions,
) -> Result<Arc<dyn Translator>, OpenError> {
    if !matches!(family::detect(dir), Ok(Family::Hf)) {
        return open_dir(id, dir, direction, options);
    }
    let model = HubModel::open_for_ids(dir, options.kernels, options.compute);
    let model = model.map_err(|e| OpenError::Unknown(dir.to_owned(), chain(&e)))?;
    Ok(Arc::new(HubTranslator::new(id, model, direction)))
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn open_firefox(
    id: &str,
    dir: &Path,
    direction: Option<Direction>,
    options: OpenOptions,
) -> Result<Arc<dyn Translator>, OpenError> {
    let named = family::firefox_files(dir)
        .map_err(|e| OpenError::Unknown(dir.to_owned(), e.to_string()))?;
    // Any four letters pass for two languages; where one is served here, they are meant so.
    let served = |d: &Direction| {
        [d.from, d.to]
            .iter()
            .any(|l| [Lang::EN, Lang::AR].contains(l))
    };
    let has = named.direction().filter(served);
    if let (Some(has), Some(wanted)) = (has, direction)
        && has != wanted
    {
        let model = id.to_owned();
        return Err(OpenError::Direction { model, has, wanted });
    }
    let direction = direction.or(named.direction()).ok_or_else(|| {
        let message = "its file names do not tell its languages; give --from and --to";
        OpenError::Unknown(dir.to_owned(), message.to_owned())
    })?;
    let model = FirefoxTranslator::open(dir, direction.from, direction.to, options.kernels)
        .map_err(|e| OpenError::Unknown(dir.to_owned(), e.to_string()))?;
    let revision = model.info().revision.clone();
    Ok(Arc::new(model.with_name(id.to_owned(), revision)))
}

/// Opens a directory in GGUF layout: one `*.gguf` (or its parts `*.gguf.1`, `*.gguf.2`, ..) beside
/// a `tokenizer.json`, of the embedded model's architecture and prompt.
///
/// # Errors
/// When files are missing, unreadable or not of this kind.
fn open_gguf_dir(
    id: &str,
    dir: &Path,
    options: OpenOptions,
) -> Result<Arc<dyn Translator>, OpenError> {
    let parts = gguf_parts(dir)?;
    let tokenizer_path = dir.join("tokenizer.json");
    if !tokenizer_path.is_file() {
        let message = "it has no tokenizer.json and is no translator; a chat model of this kind \
                       writes summaries (--summary-model)";
        return Err(OpenError::Unknown(dir.to_owned(), message.to_owned()));
    }
    let tokenizer = std::fs::read(&tokenizer_path).map_err(read_error(&tokenizer_path))?;
    let revision = sha256_prefix(&parts);
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    open_gguf(id, &revision, false, &slices, &tokenizer, options)
}

/// Opens a model that writes summaries: an encoder-decoder model in Hugging Face's layout, or a
/// chat model in GGUF layout (a directory or a `*.gguf` file) with its tokeniser and chat template
/// in the file's own metadata. `revision` is what records name it by; without it the hash of the
/// weights is.
///
/// # Errors
/// When files are missing, unreadable or not of this kind.
pub fn open_summarizer(
    id: &str,
    dir: &Path,
    revision: Option<&str>,
    options: OpenOptions,
) -> Result<Box<dyn Summarizer>, OpenError> {
    let family =
        family::detect(dir).map_err(|e| OpenError::Unknown(dir.to_owned(), e.to_string()))?;
    if matches!(family, Family::Hf | Family::Ctranslate2) {
        let (kernels, compute) = (options.kernels, options.compute);
        let model = match family {
            Family::Hf => HubModel::open(dir, kernels, compute),
            _ => HubModel::open_ctranslate2(dir, kernels, compute),
        };
        let model = model.map_err(|e| OpenError::Unknown(dir.to_owned(), chain(&e)))?;
        return Ok(Box::new(Seq2SeqSummarizer::new(id, model)));
    }
    if family != Family::Gguf {
        let message = format!(
            "a model of the family {family}; summaries are written by encoder-decoder models and chat models"
        );
        return Err(OpenError::Unknown(dir.to_owned(), message));
    }
    let gguf_error = |source| OpenError::Gguf {
        model: id.to_owned(),
        source,
    };
    let tokenizer_error = |source| OpenError::Tokenizer {
        model: id.to_owned(),
        source,
    };
    let parts = gguf_parts(dir)?;
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let gguf = Gguf::parse(&slices).map_err(gguf_error)?;
    let (model, tokenizer) = rayon::join(
        || CausalModel::load(&gguf, options.kernels, options.compute),
        || {
            let tokenizer = GgufTokenizer::from_gguf(&gguf)?;
            let template = ChatTemplate::from_gguf(&gguf, &tokenizer)?;
            Ok((tokenizer, template))
        },
    );
    let model = model.map_err(gguf_error)?;
    let (tokenizer, template) = tokenizer.map_err(tokenizer_error)?;
    let stated = match gguf.get("general.languages") {
        Some(Value::Array(languages)) => languages.as_slice(),
        _ => &[],
    };
    let lang = |value: &Value| match value {
        Value::Text(code) => Lang::parse(code),
        _ => None,
    };
    let mut languages: Vec<Lang> = stated.iter().filter_map(lang).collect();
    if languages.is_empty() {
        languages.push(Lang::EN);
    }
    let revision = revision.map_or_else(|| sha256_prefix(&parts), str::to_owned);
    Ok(Box::new(ChatSummarizer::new(
        id, &revision, languages, model, tokenizer, template,
    )))
}

fn read_error(path: &Path) -> impl Fn(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Read {
        path: path.clone(),
        source,
    }
}

/// The bytes of one `*.gguf` (or of its parts `*.gguf.1`, `*.gguf.2`, ..) in a directory, or of
/// the file itself.
fn gguf_parts(dir: &Path) -> Result<Vec<Vec<u8>>, OpenError> {
    if dir.is_file() {
        return Ok(vec![std::fs::read(dir).map_err(read_error(dir))?]);
    }
    let mut weights = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(read_error(dir))? {
        let path = entry.map_err(read_error(dir))?.path();
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default()
            .to_owned();
        let part = name
            .rsplit_once(".gguf.")
            .is_some_and(|(_, n)| n.parse::<u32>().is_ok());
        if name.ends_with(".gguf") || part {
            weights.push(path);
        }
    }
    weights.sort();
    if weights.is_empty() {
        return Err(OpenError::Unknown(
            dir.to_owned(),
            "no *.gguf file in this directory".into(),
        ));
    }
    if weights.len() > 1
        && weights
            .iter()
            .any(|p| p.extension().is_some_and(|e| e == "gguf"))
    {
        let message = "more than one *.gguf file; keep one model in a directory".into();
        return Err(OpenError::Unknown(dir.to_owned(), message));
    }
    let mut parts = Vec::new();
    for path in &weights {
        parts.push(std::fs::read(path).map_err(read_error(path))?);
    }
    Ok(parts)
}

/// The first 12 hex digits of the SHA-256 of the joined parts.
fn sha256_prefix(parts: &[Vec<u8>]) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .take(6)
        .map(|b| format!("{b:02x}"))
        .collect()
}
