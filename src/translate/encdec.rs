//! Encoder-decoder models of the hub as [`super::Translator`]s: languages, special tokens, search, and
//! segments that pass the model's length.

mod frame;
mod translator;

pub use translator::HubTranslator;

use std::path::{Path, PathBuf};

use serde_json::Value;

use frame::{Frame, code_of, converted_layout, declared, frame, languages, layout};

use crate::decode::{self, Decoded, Rules, Slot, Stepper as _, Toolkit};
use crate::engine::encdec::{Config, ConfigError, Generation, LoadError, Model};
use crate::engine::linear::Compute;
use crate::formats::checkpoint::Checkpoint;
use crate::kernel::Kernels;
use crate::text::{Direction, Lang, split_long};
use crate::tokenize::hf::TokenizerError;
use crate::tokenize::seq2seq::{Layout, Seq2SeqTokenizer, Vocabularies, VocabularyError};

/// Longest source, in tokens, where the model itself has no limit.
const MAX_SOURCE: usize = 512;

/// Why a directory in Hugging Face's layout does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A configuration is damaged, or asks for what tarjama has not.
    #[error("{path}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ConfigError,
    },
    /// The weights do not load.
    #[error(transparent)]
    Weights(#[from] LoadError),
    /// The tokeniser does not load.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// The model has no token for a language that was asked for.
    #[error("the model has no language {0}")]
    Language(Lang),
}

/// A model of the hub, ready to read and write.
#[derive(Debug)]
pub struct HubModel {
    model: Model,
    tokenizer: Seq2SeqTokenizer,
    generation: Generation,
    /// As `generation`, with what the task `summarization` asks for.
    summary: Generation,
    frame: Frame,
    /// `config.json`.
    config: Value,
    /// Names of the tokens that are languages, sorted.
    languages: Vec<String>,
    /// The one direction that the tokeniser's configuration names.
    declared: Option<Direction>,
    revision: String,
}

/// What a model reads before it writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Source {
    /// Ids in front of the text.
    before: Vec<u32>,
    /// Ids behind it.
    behind: Vec<u32>,
    /// Text in front of the text.
    prefix: String,
    /// The target's first id.
    first: Option<u32>,
    /// What the target begins with in the place of the model's own start token.
    start: Option<u32>,
}

impl HubModel {
    /// Opens a directory in Hugging Face's layout.
    ///
    /// # Errors
    /// When a file is missing, damaged, or of an architecture that tarjama does not run.
    pub fn open(dir: &Path, kernels: Kernels, compute: Compute) -> Result<Self, HubError> {
        Self::open_with(dir, kernels, compute, Seq2SeqTokenizer::open)
    }

    /// Opens a directory for sources that are ids already; it needs no tokenizer files.
    ///
    /// # Errors
    /// As [`HubModel::open`].
    pub fn open_for_ids(dir: &Path, kernels: Kernels, compute: Compute) -> Result<Self, HubError> {
        let none = |_: &Path, _| Ok(Seq2SeqTokenizer::absent());
        Self::open_with(dir, kernels, compute, none)
    }

    fn open_with(
        dir: &Path,
        kernels: Kernels,
        compute: Compute,
        tokenizer: impl FnOnce(&Path, Layout) -> Result<Seq2SeqTokenizer, VocabularyError> + Send,
    ) -> Result<Self, HubError> {
        let path = dir.join("config.json");
        let bytes = read(&path)?;
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| HubError::Config { path, source }
        };
        let shape = Config::parse(&bytes).map_err(at(&path))?;
        let generation_path = dir.join("generation_config.json");
        let generation = generation_path
            .is_file()
            .then(|| read(&generation_path))
            .transpose()?;
        let used = if generation.is_some() {
            &generation_path
        } else {
            &path
        };
        let generation = generation.as_deref();
        let summary = Generation::for_task(generation, &bytes, "summarization");
        let summary = summary.map_err(at(&path))?;
        let generation = Generation::parse(generation, &bytes).map_err(at(used))?;
        let config: Value = serde_json::from_slice(&bytes)
            .map_err(|e| at(&path)(ConfigError::Json(e.to_string())))?;
        let architecture = shape.architecture;
        let (model, tokenizer) = rayon::join(
            || {
                let checkpoint = Checkpoint::open(dir)?;
                let revision = revision(&checkpoint)?;
                Ok::<_, HubError>((Model::load(&checkpoint, shape, kernels, compute)?, revision))
            },
            || tokenizer(dir, layout(architecture, dir)),
        );
        let ((model, revision), tokenizer) = (model?, tokenizer?);
        let frame = frame(architecture, dir);
        Ok(Self {
            languages: languages(frame, &tokenizer),
            declared: declared(frame, dir),
            model,
            tokenizer,
            generation,
            summary,
            frame,
            config,
            revision,
        })
    }

    /// Opens a directory in CTranslate2's layout: `model.bin`, its vocabularies, and the files of
    /// the tokeniser that the model was converted with.
    ///
    /// # Errors
    /// When a file is missing, damaged, or of a kind that tarjama does not run.
    pub fn open_ctranslate2(
        dir: &Path,
        kernels: Kernels,
        compute: Compute,
    ) -> Result<Self, HubError> {
        let path = dir.join("config.json");
        let config: Value = if path.is_file() {
            serde_json::from_slice(&read(&path)?).map_err(|e| HubError::Config {
                path,
                source: ConfigError::Json(e.to_string()),
            })?
        } else {
            Value::Null
        };
        let path = dir.join("model.bin");
        let file = Checkpoint::ctranslate2(&path)?;
        let shape = Config::ctranslate2(&file, Some(&config));
        let shape = shape.map_err(|source| HubError::Config {
            path: path.clone(),
            source,
        })?;
        let vocabularies = Vocabularies::read(dir)?;
        let (layout, frame) = converted_layout(dir, &vocabularies.source);
        let tokenizer = Seq2SeqTokenizer::open_converted(dir, layout, &vocabularies)?;
        for (name, found, wanted) in [
            ("source", vocabularies.source.len(), shape.source_vocab),
            ("target", vocabularies.target.len(), shape.target_vocab),
        ] {
            if found != wanted {
                let field = format!("{name} vocabulary");
                return Err(HubError::Config {
                    path,
                    source: ConfigError::Unsupported {
                        field,
                        value: format!("of {found} tokens"),
                        hint: "; model.bin has another number",
                    },
                });
            }
        }
        let special = |field: &str, default: &str| {
            let token = config.get(field).and_then(Value::as_str).unwrap_or(default);
            let at = vocabularies.target.iter().position(|t| t == token);
            at.map(|at| at as u32).ok_or_else(|| HubError::Config {
                path: dir.join("config.json"),
                source: ConfigError::Field(format!("{field} ({token})")),
            })
        };
        let eos = special("eos_token", "</s>")?;
        let start = special("decoder_start_token", "<s>")?;
        let generation = Generation {
            start,
            // CTranslate2's own defaults.
            max_new_tokens: 256,
            rules: Rules {
                toolkit: Toolkit::Ctranslate2,
                min_new_tokens: 1,
                ..Rules::new(eos)
            },
        };
        let revision = revision(&file)?;
        Ok(Self {
            languages: languages(frame, &tokenizer),
            declared: declared(frame, dir),
            model: Model::load_ctranslate2(&file, shape, kernels, compute)?,
            tokenizer,
            summary: generation.clone(),
            generation,
            frame,
            config,
            revision,
        })
    }

    /// The first 12 hex digits of a hash of the weights.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// How a source of this direction is framed.
    pub(crate) fn source(&self, direction: Direction) -> Result<Source, HubError> {
        let eos = self.generation.rules.eos.first().copied().unwrap_or(0);
        let token = |lang: Lang| {
            let name = self.language(lang).ok_or(HubError::Language(lang))?;
            self.tokenizer.id(name).ok_or(HubError::Language(lang))
        };
        let plain = Source {
            before: Vec::new(),
            behind: vec![eos],
            prefix: String::new(),
            first: None,
            start: None,
        };
        Ok(match self.frame {
            Frame::Marian => {
                let code = (self.languages.len() > 1).then(|| self.language(direction.to));
                let code = match code {
                    Some(None) => return Err(HubError::Language(direction.to)),
                    Some(Some(code)) => code,
                    None => self.languages.first().map_or("", String::as_str),
                };
                let prefix = if code.is_empty() {
                    String::new()
                } else {
                    format!("{code} ")
                };
                Source { prefix, ..plain }
            }
            Frame::Before => Source {
                before: vec![token(direction.from)?],
                first: Some(token(direction.to)?),
                ..plain
            },
            Frame::Behind => Source {
                behind: vec![eos, token(direction.from)?],
                start: Some(token(direction.to)?),
                ..plain
            },
            Frame::Both => Source {
                before: self.tokenizer.id("<s>").into_iter().collect(),
                ..plain
            },
            Frame::End => plain,
            Frame::T5 => Source {
                prefix: self.t5_prefix(direction),
                ..plain
            },
        })
    }

    /// The token of a language, the plainest of several.
    fn language(&self, lang: Lang) -> Option<&str> {
        let fits: Vec<&str> = self
            .languages
            .iter()
            .map(String::as_str)
            .filter(|name| Lang::parse(code_of(name)) == Some(lang))
            .collect();
        // Standard Arabic before its dialects, the Latin script before others.
        let best = ["arb_Arab", ">>ara<<", ">>arb<<", ">>ar<<"];
        best.iter()
            .find_map(|name| fits.iter().find(|f| *f == name))
            .or_else(|| fits.iter().find(|f| f.ends_with("_Latn")))
            .or_else(|| fits.first())
            .copied()
    }

    fn t5_prefix(&self, direction: Direction) -> String {
        if let Some(code) = self.language(direction.to) {
            return format!("{code} ");
        }
        let task = format!(
            "/task_specific_params/translation_{}_to_{}/prefix",
            direction.from, direction.to
        );
        let prefix = self.config.pointer(&task).and_then(Value::as_str);
        prefix.unwrap_or_default().to_owned()
    }

    /// The languages that the model names, without repeats.
    fn known_languages(&self) -> Vec<Lang> {
        let mut langs: Vec<Lang> = self
            .languages
            .iter()
            .filter_map(|name| Lang::parse(code_of(name)))
            .collect();
        langs.sort();
        langs.dedup();
        langs
    }

    /// Longest text, in tokens, that a source has room for.
    pub(crate) fn room(&self, source: &Source) -> usize {
        let frame = source.before.len() + source.behind.len();
        let limit = self.model.config().max_positions.unwrap_or(MAX_SOURCE);
        limit.saturating_sub(frame).max(1)
    }

    /// The ids of a text in parts that the model takes, each with its frame, and whether each part
    /// begins a word.
    fn parts(&self, text: &str, source: &Source) -> Result<Vec<Part>, TokenizerError> {
        let room = self.room(source);
        let encode = |text: &str| {
            let framed = if text.starts_with(">>") && self.frame == Frame::Marian {
                text.to_owned()
            } else {
                format!("{}{text}", source.prefix)
            };
            self.tokenizer.encode(&framed)
        };
        let whole = |ids: Vec<u32>, gap| Part {
            ids: [&source.before[..], &ids, &source.behind].concat(),
            gap,
        };
        let ids = encode(text)?;
        if ids.len() <= room {
            return Ok(vec![whole(ids, false)]);
        }
        let fits = |part: &str| encode(part).is_ok_and(|ids| ids.len() <= room);
        let mut parts = Vec::new();
        let mut end = 0;
        for range in split_long(text, &fits) {
            let gap = range.start > end;
            end = range.end;
            // A word that does not fit alone is cut between tokens.
            for (i, ids) in encode(&text[range])?.chunks(room).enumerate() {
                parts.push(whole(ids.to_vec(), gap && i == 0));
            }
        }
        Ok(parts)
    }

    /// Longest source, in tokens, frame included.
    pub(crate) fn longest_source(&self) -> usize {
        self.model.config().max_positions.unwrap_or(MAX_SOURCE)
    }

    /// The languages that the vocabulary is made for: those whose script a fair part of it is in.
    pub(crate) fn scripts(&self) -> Vec<Lang> {
        let (mut arabic, mut latin) = (0usize, 0usize);
        for token in self.tokenizer.tokens() {
            let has =
                |range: std::ops::RangeInclusive<char>| token.chars().any(|c| range.contains(&c));
            arabic += usize::from(has('\u{620}'..='\u{64a}'));
            latin += usize::from(has('a'..='z'));
        }
        let mut langs = Vec::new();
        // A vocabulary of many languages has one part in fifty for each of its scripts.
        if latin * 5 >= arabic {
            langs.push(Lang::EN);
        }
        if arabic * 50 >= latin && arabic > 0 {
            langs.push(Lang::AR);
        }
        langs
    }

    /// How a text to be summarised is framed.
    fn summary_source(&self, lang: Lang) -> Result<Source, HubError> {
        let direction = Direction {
            from: lang,
            to: lang,
        };
        let source = self.source(direction)?;
        let prefix = self
            .config
            .pointer("/task_specific_params/summarization/prefix");
        Ok(match prefix.and_then(Value::as_str) {
            Some(prefix) if self.frame == Frame::T5 => Source {
                prefix: prefix.to_owned(),
                ..source
            },
            _ => source,
        })
    }

    /// Whether a text to be summarised fits the model's window.
    pub(crate) fn reads_whole(&self, text: &str, lang: Lang) -> bool {
        let Ok(source) = self.summary_source(lang) else {
            return true;
        };
        let ids = self.tokenizer.encode(&format!("{}{text}", source.prefix));
        ids.is_ok_and(|ids| ids.len() <= self.room(&source))
    }

    /// Summaries of texts that fit, with whether the limit of tokens cut them off.
    pub(crate) fn summarize(
        &self,
        texts: &[&str],
        lang: Lang,
    ) -> Result<Vec<(String, bool)>, String> {
        let source = self.summary_source(lang).map_err(|e| e.to_string())?;
        let mut ids = Vec::new();
        for text in texts {
            let text = format!("{}{text}", source.prefix);
            let mut of = self.tokenizer.encode(&text).map_err(|e| e.to_string())?;
            of.truncate(self.room(&source));
            ids.push([&source.before[..], &of, &source.behind].concat());
        }
        let sources: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let rules = &self.summary.rules;
        self.search(&sources, &source, rules, self.summary.max_new_tokens)
            .into_iter()
            .map(|found| {
                let best = found.into_iter().next().ok_or("the search found nothing")?;
                let text = self
                    .tokenizer
                    .decode(&best.ids)
                    .map_err(|e| e.to_string())?;
                Ok((text, best.truncated))
            })
            .collect()
    }

    /// Targets of framed sources, each with at most `nbest` hypotheses.
    pub(crate) fn search(
        &self,
        sources: &[&[u32]],
        frame: &Source,
        rules: &Rules,
        max_new_tokens: usize,
    ) -> Vec<Vec<Decoded>> {
        let start = [frame.start.unwrap_or(self.generation.start)];
        let rules = Rules {
            forced_first: frame.first.or(rules.forced_first),
            prefix: start.to_vec(),
            ..rules.clone()
        };
        let limit = self.model.config().max_positions.unwrap_or(usize::MAX);
        let limit = max_new_tokens.min(limit).max(1);
        let mut session = self.model.session();
        let slots = session.encode(sources);
        let feed: Vec<(Slot, &[u32])> = slots.iter().map(|slot| (*slot, &start[..])).collect();
        let mut logits = Vec::new();
        session.feed(&feed, &mut logits);
        let starts: Vec<(Slot, usize)> = slots.into_iter().map(|slot| (slot, limit)).collect();
        decode::search_from(&mut session, &starts, logits, &rules)
    }

    /// Logits of the first step for a framed source: what goldens compare.
    #[must_use]
    pub fn first_logits(&self, source: &[u32]) -> Vec<f32> {
        let mut session = self.model.session();
        let slots = session.encode(&[source]);
        let start = [self.generation.start];
        let mut logits = Vec::new();
        session.feed(&[(slots[0], &start[..])], &mut logits);
        logits
    }
}

/// A part of a source.
struct Part {
    ids: Vec<u32>,
    /// White space stood before it.
    gap: bool,
}

fn read(path: &Path) -> Result<Vec<u8>, HubError> {
    std::fs::read(path).map_err(|source| HubError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The first 12 hex digits of a SHA-256 over the names, shapes and a sample of every tensor: the
/// whole of a checkpoint of gigabytes would take longer to hash than to load.
fn revision(checkpoint: &Checkpoint) -> Result<String, LoadError> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    let mut bytes = Vec::new();
    for name in checkpoint.names() {
        let Some(info) = checkpoint.get(name) else {
            continue;
        };
        hash.update(format!("{name} {:?} {:?}\n", info.dtype, info.shape));
        let rows = info.shape.first().copied().unwrap_or(1).min(8);
        checkpoint.read_bytes(name, 0..rows, &mut bytes)?;
        hash.update(&bytes);
    }
    let digest = hash.finalize();
    Ok(digest.iter().take(6).map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::frame::is_code;
    use super::*;

    #[test]
    fn languages_are_told_from_words() {
        for name in ["__en__", "en_XX", "eng_Latn", "zh_CN"] {
            assert!(is_code(name), "{name}");
        }
        for name in [
            "__En__",
            "____",
            "en",
            "a_b",
            "\u{2581}en_XX",
            "eng_LATN",
            "<mask>",
        ] {
            assert!(!is_code(name), "{name}");
        }
        for name in ["__ar__", ">>ara<<", "<2ar>", "ar_AR", "arb_Arab"] {
            assert_eq!(Lang::parse(code_of(name)), Some(Lang::AR), "{name}");
        }
    }
}
