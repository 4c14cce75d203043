//! Encoder-decoder models of the hub as [`Translator`]s: languages, special tokens, search, and
//! segments that pass the model's length.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Hypothesis, LineResult, MacsPerToken, ModelInfo, TranslateError, Translator};
use crate::decode::{self, DecodeOptions, Decoded, Rules, Slot, Stepper as _, Toolkit};
use crate::engine::encdec::{Architecture, Config, ConfigError, Generation, LoadError, Model};
use crate::engine::linear::Compute;
use crate::formats::checkpoint::Checkpoint;
use crate::kernel::Kernels;
use crate::text::{Direction, Lang, split_long};
use crate::tokenize::hf::TokenizerError;
use crate::tokenize::seq2seq::{self, Layout, Seq2SeqTokenizer, Vocabularies, VocabularyError};

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

/// How an architecture tells languages, and what stands around a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// `>>ara<< X </s>`, where the target side has several languages.
    Marian,
    /// `__en__ X </s>`, `eng_Latn X </s>`, `en_XX X </s>`; the target's language is forced first.
    Before,
    /// `X </s> en_XX`; the target starts from its language.
    Behind,
    /// `<s> X </s>`.
    Both,
    /// `X </s>`.
    End,
    /// `<2ar> X </s>`, or the prefix of `task_specific_params`.
    T5,
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
        if rules.beam > 1 {
            decode::beam_from(&mut session, &starts, logits, &rules)
        } else {
            decode::greedy_from(&mut session, &starts, logits, &rules)
                .into_iter()
                .map(|d| vec![d])
                .collect()
        }
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

/// A model of the hub as a translator.
#[derive(Debug)]
pub struct HubTranslator {
    info: ModelInfo,
    model: HubModel,
    /// Every direction between two languages of the model, and the one asked for.
    any_direction: bool,
}

impl HubTranslator {
    /// A translator; `direction` is the one that a manifest or the user names.
    #[must_use]
    pub fn new(id: &str, model: HubModel, direction: Option<Direction>) -> Self {
        let langs = model.known_languages();
        let both = [(Lang::EN, Lang::AR), (Lang::AR, Lang::EN)];
        let mut directions: Vec<Direction> = match model.frame {
            // Languages of the target alone are known, or none.
            Frame::Marian | Frame::T5 | Frame::Both | Frame::End => {
                let pairs = both.map(|(from, to)| Direction { from, to });
                let pairs = model.declared.map_or(pairs.to_vec(), |one| vec![one]);
                let fits = |d: &Direction| langs.is_empty() || langs.contains(&d.to);
                direction.into_iter().chain(pairs).filter(fits).collect()
            }
            Frame::Before | Frame::Behind => langs
                .iter()
                .flat_map(|&from| langs.iter().map(move |&to| Direction { from, to }))
                .filter(|d| d.from != d.to)
                .collect(),
        };
        directions.sort();
        directions.dedup();
        Self {
            info: ModelInfo {
                id: id.to_owned(),
                revision: model.revision.clone(),
                draft: false,
                directions,
            },
            any_direction: langs.is_empty() && model.declared.is_none(),
            model,
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &HubModel {
        &self.model
    }

    fn failed(&self, error: impl std::fmt::Display) -> TranslateError {
        TranslateError::Engine {
            model: self.info.id.clone(),
            message: error.to_string(),
        }
    }

    /// Joins what became of the parts of one segment.
    fn join(
        &self,
        parts: &[Part],
        decoded: Vec<Vec<Decoded>>,
    ) -> Result<LineResult, TranslateError> {
        let text = |ids: &[u32]| self.model.tokenizer.decode(ids).map_err(|e| self.failed(e));
        let source_ids = parts.iter().flat_map(|p| p.ids.iter().copied()).collect();
        let wrapped = parts.len() > 1;
        let mut hypotheses = Vec::new();
        if wrapped {
            let mut all = Hypothesis {
                text: String::new(),
                ids: Vec::new(),
                score: 0.0,
                truncated: false,
            };
            for (part, decoded) in parts.iter().zip(decoded) {
                let Some(best) = decoded.into_iter().next() else {
                    continue;
                };
                if part.gap && !all.text.is_empty() {
                    all.text.push(' ');
                }
                all.text.push_str(text(&best.ids)?.trim());
                all.score += best.score / parts.len() as f32;
                all.truncated |= best.truncated;
                all.ids.extend(best.ids);
            }
            hypotheses.push(all);
        } else {
            for decoded in decoded.into_iter().flatten() {
                hypotheses.push(Hypothesis {
                    text: text(&decoded.ids)?,
                    ids: decoded.ids,
                    score: decoded.score,
                    truncated: decoded.truncated,
                });
            }
        }
        Ok(LineResult {
            source_ids,
            hypotheses,
            wrapped,
        })
    }
}

impl Translator for HubTranslator {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn source_tokens(&self, segment: &str, _direction: Direction) -> usize {
        // A text that does not encode fails in `translate_batch`, with the reason.
        self.model
            .tokenizer
            .encode(segment)
            .map_or(0, |ids| ids.len())
    }

    fn max_source_tokens(&self) -> usize {
        // Room for a prefix beside the special tokens.
        let limit = self
            .model
            .model
            .config()
            .max_positions
            .unwrap_or(MAX_SOURCE);
        limit.saturating_sub(16).max(limit / 2)
    }

    fn translate_batch(
        &self,
        segments: &[&str],
        direction: Direction,
        options: &DecodeOptions,
    ) -> Result<Vec<LineResult>, TranslateError> {
        if !self.any_direction && !self.info.directions.contains(&direction) {
            return Err(TranslateError::Direction {
                model: self.info.id.clone(),
                direction,
            });
        }
        let source = self.model.source(direction).map_err(|e| self.failed(e))?;
        let parts: Vec<Vec<Part>> = segments
            .iter()
            .map(|s| self.model.parts(s, &source).map_err(|e| self.failed(e)))
            .collect::<Result<_, _>>()?;
        let sources: Vec<&[u32]> = parts.iter().flatten().map(|p| &p.ids[..]).collect();
        let rules = self.model.generation.rules.clone().with(options);
        let limit = options
            .max_new_tokens
            .unwrap_or(self.model.generation.max_new_tokens);
        let mut decoded = self
            .model
            .search(&sources, &source, &rules, limit)
            .into_iter();
        parts
            .iter()
            .map(|parts| self.join(parts, decoded.by_ref().take(parts.len()).collect()))
            .collect()
    }

    fn decode_ids(
        &self,
        sources: &[&[u32]],
        options: &DecodeOptions,
    ) -> Result<Vec<Decoded>, TranslateError> {
        let config = self.model.model.config();
        let size = config.source_vocab;
        let most = config.max_positions.unwrap_or(usize::MAX);
        let fits = |ids: &[u32]| {
            (1..=most).contains(&ids.len()) && ids.iter().all(|id| (*id as usize) < size)
        };
        if !sources.iter().all(|ids| fits(ids)) {
            let limits = format!("a source must have 1 to {most} ids, each less than {size}");
            return Err(self.failed(limits));
        }
        let rules = self.model.generation.rules.clone().with(options);
        let limit = options
            .max_new_tokens
            .unwrap_or(self.model.generation.max_new_tokens);
        let all = self
            .model
            .search(sources, &Source::default(), &rules, limit)
            .into_iter();
        Ok(all
            .filter_map(|hypotheses| hypotheses.into_iter().next())
            .collect())
    }

    fn macs_per_token(&self) -> Option<MacsPerToken> {
        let c = self.model.model.config();
        let attention = |heads: usize| 4 * c.d_model * heads * c.head_dim;
        let ffn = |width: usize| (2 + usize::from(c.gated)) * c.d_model * width;
        let encoder = c.encoder.layers * (attention(c.encoder.heads) + ffn(c.encoder.ffn));
        // Of attention to the source, keys and values are made once for a token of the source.
        let cross = c.decoder.layers * attention(c.decoder.heads) / 2;
        let own = c.decoder.layers * (attention(c.decoder.heads) + ffn(c.decoder.ffn));
        let output = c.d_model * c.target_vocab;
        Some(MacsPerToken {
            source: (encoder + cross) as u64,
            target: (own + cross + output) as u64,
        })
    }
}

fn layout(architecture: Architecture, dir: &Path) -> Layout {
    match architecture {
        Architecture::Marian => Layout::Marian,
        Architecture::M2m100 => Layout::M2m100,
        Architecture::Mbart => Layout::Mbart,
        Architecture::Bart if dir.join("merges.txt").is_file() => Layout::ByteLevel,
        Architecture::Bart => Layout::Mbart,
        Architecture::Pegasus => Layout::Pegasus,
        // CTranslate2's are told by their vocabulary.
        Architecture::T5 | Architecture::Mt5 | Architecture::Ctranslate2 => Layout::T5,
    }
}

/// The files and the frame that the tokens of a converted model mean.
fn converted_layout(dir: &Path, vocabulary: &[String]) -> (Layout, Frame) {
    let has = |token: &str| vocabulary.iter().any(|t| t == token);
    if dir.join("source.spm").is_file() {
        (Layout::Marian, Frame::Marian)
    } else if has("eng_Latn") || has("__en__") {
        (Layout::M2m100, Frame::Before)
    } else if has("en_XX") {
        (Layout::Mbart, Frame::Before)
    } else if has("<unk_2>") {
        (Layout::Pegasus, Frame::End)
    } else if has("<2en>")
        || has("<extra_id_0>")
        || vocabulary.first().is_some_and(|t| t == "<pad>")
    {
        (Layout::T5, Frame::T5)
    } else {
        (Layout::ByteLevel, Frame::Both)
    }
}

/// The direction of `tokenizer_config.json`, as opus-mt has it.
fn declared(frame: Frame, dir: &Path) -> Option<Direction> {
    let lang = |name| Lang::parse(seq2seq::setting(dir, name)?.as_str()?);
    match frame {
        Frame::Marian => Some(Direction {
            from: lang("source_lang")?,
            to: lang("target_lang")?,
        }),
        _ => None,
    }
}

fn frame(architecture: Architecture, dir: &Path) -> Frame {
    let class = seq2seq::setting(dir, "tokenizer_class");
    let class = class.as_ref().and_then(Value::as_str).unwrap_or_default();
    let class = class.trim_end_matches("Fast");
    match architecture {
        Architecture::Marian => Frame::Marian,
        Architecture::M2m100 => Frame::Before,
        Architecture::Mbart => match class {
            "MBart50Tokenizer" => Frame::Before,
            "MBartTokenizer" | "" => Frame::Behind,
            _ => Frame::Both,
        },
        Architecture::Bart => Frame::Both,
        Architecture::Pegasus => Frame::End,
        Architecture::T5 | Architecture::Mt5 | Architecture::Ctranslate2 => Frame::T5,
    }
}

/// The tokens that name a language, by the marks of the architecture.
fn languages(frame: Frame, tokenizer: &Seq2SeqTokenizer) -> Vec<String> {
    let is_language = |name: &str| match frame {
        Frame::Marian => name.starts_with(">>") && name.ends_with("<<") && name.len() > 4,
        Frame::T5 => {
            let code = name.strip_prefix("<2").and_then(|n| n.strip_suffix('>'));
            code.is_some_and(|c| {
                !c.is_empty() && c.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            })
        }
        Frame::Before | Frame::Behind => is_code(name),
        Frame::Both | Frame::End => false,
    };
    let mut names = tokenizer.tokens();
    names.retain(|name| is_language(name));
    names
}

/// `__en__`, `en_XX` or `eng_Latn`.
fn is_code(name: &str) -> bool {
    if let Some(code) = name.strip_prefix("__").and_then(|n| n.strip_suffix("__")) {
        return !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase());
    }
    let Some((code, rest)) = name.split_once('_') else {
        return false;
    };
    let lower = |s: &str| s.bytes().all(|b| b.is_ascii_lowercase());
    match (code.len(), rest.len()) {
        (2, 2) => lower(code) && rest.bytes().all(|b| b.is_ascii_uppercase()),
        (3, 4) => {
            lower(code) && rest.starts_with(|c: char| c.is_ascii_uppercase()) && lower(&rest[1..])
        }
        _ => false,
    }
}

/// `en` of `__en__`, `>>en<<`, `<2en>`, `en_XX`.
fn code_of(name: &str) -> &str {
    let name = name.trim_start_matches(">>").trim_end_matches("<<");
    let name = name.trim_start_matches("<2").trim_end_matches('>');
    name.trim_start_matches("__").trim_end_matches("__")
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
