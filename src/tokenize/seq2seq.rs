//! Tokenisers of encoder-decoder models, by the files that a repository has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::convert;
use super::hf::{HfTokenizer, TokenizerError};
use super::spm::{Spm, SpmError};

/// Languages of M2M100, in the order of their ids.
const M2M100: &str = "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga \
    gd gl gu ha he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn \
    mr ms my ne nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur \
    uz vi wo xh yi yo zh zu";

/// Languages of mBART, in the order of their ids: the first of mBART-50's.
const MBART: usize = 25;

/// Which class of Hugging Face's a repository without `tokenizer.json` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `source.spm`, `target.spm` and `vocab.json`.
    Marian,
    /// `sentencepiece.bpe.model` and `vocab.json`, languages behind the vocabulary.
    M2m100,
    /// `sentencepiece.bpe.model`, languages and mask behind the pieces.
    Mbart,
    /// `vocab.json` and `merges.txt`.
    ByteLevel,
    /// `spiece.model`, with names in front.
    Pegasus,
    /// `spiece.model`, with sentinels behind.
    T5,
}

/// Why the files of a tokeniser cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VocabularyError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A sentencepiece model is damaged or of another kind.
    #[error("{path}", path = path.display())]
    Spm {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SpmError,
    },
    /// Another file is damaged or of another kind.
    #[error("{path}", path = path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TokenizerError,
    },
}

/// The tokens of a model that CTranslate2 converted, by their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabularies {
    /// Source tokens.
    pub source: Vec<String>,
    /// Target tokens.
    pub target: Vec<String>,
}

impl Vocabularies {
    /// Reads `shared_vocabulary`, or `source_vocabulary` and `target_vocabulary`: `.json` lists, or
    /// `.txt` with a token a line.
    ///
    /// # Errors
    /// When a file is missing, unreadable or damaged.
    pub fn read(dir: &Path) -> Result<Self, VocabularyError> {
        let tokens = |name: &str| -> Result<Vec<String>, VocabularyError> {
            let (json, text) = (
                dir.join(format!("{name}.json")),
                dir.join(format!("{name}.txt")),
            );
            if !json.is_file() && text.is_file() {
                let bytes = read(&text)?;
                let lines = std::str::from_utf8(&bytes);
                let lines = lines.map_err(|e| other(&text)(TokenizerError::of(e)))?;
                return Ok(lines.split_terminator('\n').map(str::to_owned).collect());
            }
            serde_json::from_slice(&read(&json)?).map_err(|e| other(&json)(TokenizerError::of(e)))
        };
        let has = |name: &str| {
            [".json", ".txt"]
                .iter()
                .any(|end| dir.join(format!("{name}{end}")).is_file())
        };
        if has("source_vocabulary") && has("target_vocabulary") {
            return Ok(Self {
                source: tokens("source_vocabulary")?,
                target: tokens("target_vocabulary")?,
            });
        }
        let shared = tokens("shared_vocabulary")?;
        Ok(Self {
            source: shared.clone(),
            target: shared,
        })
    }
}

/// A sentencepiece model whose pieces have the ids of a `vocab.json`.
#[derive(Debug)]
struct Pieces {
    spm: Spm,
    ids: BTreeMap<String, u32>,
}

#[derive(Debug)]
enum Kind {
    Marian {
        source: Box<Pieces>,
        /// Pieces of target ids.
        target: BTreeMap<u32, String>,
        /// The sentencepiece model that joins pieces to text.
        joiner: Option<Box<Spm>>,
    },
    M2m100 {
        pieces: Box<Pieces>,
        texts: BTreeMap<u32, String>,
    },
    Hf(HfTokenizer),
    Absent,
}

/// Text to source ids without special tokens, target ids to text.
#[derive(Debug)]
pub struct Seq2SeqTokenizer(Kind);

impl Seq2SeqTokenizer {
    /// Opens the tokeniser in `dir`: its `tokenizer.json` if there is one, else the files of
    /// `layout`.
    ///
    /// # Errors
    /// When a file is missing, unreadable, damaged or of a kind that is not read.
    pub fn open(dir: &Path, layout: Layout) -> Result<Self, VocabularyError> {
        let path = dir.join("tokenizer.json");
        // Marian's two models are no single tokeniser.
        if path.is_file() && layout != Layout::Marian {
            let tokenizer = HfTokenizer::from_bytes(&read(&path)?);
            return tokenizer.map(|t| Self(Kind::Hf(t))).map_err(other(&path));
        }
        let kind = match layout {
            Layout::Marian => marian(dir)?,
            Layout::M2m100 => {
                let spm = spm(&dir.join("sentencepiece.bpe.model"))?;
                let path = dir.join("vocab.json");
                let mut ids = vocabulary(&read(&path)?).map_err(other(&path))?;
                let first = ids.len() as u32;
                let languages = (first..).zip(M2M100.split(' '));
                ids.extend(languages.map(|(id, code)| (format!("__{code}__"), id)));
                let texts = ids.iter().map(|(text, &id)| (id, text.clone())).collect();
                Kind::M2m100 {
                    pieces: Box::new(Pieces { spm, ids }),
                    texts,
                }
            }
            Layout::ByteLevel => {
                let (vocab, merges) = (dir.join("vocab.json"), dir.join("merges.txt"));
                let built = convert::byte_level(&read(&vocab)?, &read(&merges)?);
                hf(built.map_err(other(&vocab))?)
            }
            Layout::Mbart => {
                let path = dir.join("sentencepiece.bpe.model");
                let all: Vec<&str> = convert::MBART50.split_whitespace().collect();
                let languages = if is_mbart50(dir) {
                    &all[..]
                } else {
                    &all[..MBART]
                };
                let built = convert::mbart(&spm(&path)?, &languages.join(" "));
                hf(built.map_err(other(&path))?)
            }
            Layout::Pegasus => {
                let path = dir.join("spiece.model");
                hf(convert::pegasus(&spm(&path)?).map_err(other(&path))?)
            }
            Layout::T5 => {
                let path = dir.join("spiece.model");
                let extra = setting(dir, "extra_ids").and_then(|v| v.as_u64());
                let extra = extra.map_or(100, |n| n.min(1 << 12)) as usize;
                hf(convert::t5(&spm(&path)?, extra).map_err(other(&path))?)
            }
        };
        Ok(Self(kind))
    }

    /// What stands for a tokeniser where sources are ids already: it knows no token, and fails when
    /// it is asked for ids or text.
    #[must_use]
    pub fn absent() -> Self {
        Self(Kind::Absent)
    }

    /// Opens the tokeniser of a model that CTranslate2 converted, whose ids are places in its
    /// vocabularies.
    ///
    /// # Errors
    /// As [`Seq2SeqTokenizer::open`]; also when the tokeniser's ids are not the vocabulary's.
    pub fn open_converted(
        dir: &Path,
        layout: Layout,
        vocabularies: &Vocabularies,
    ) -> Result<Self, VocabularyError> {
        let ids = |tokens: &[String]| -> BTreeMap<String, u32> {
            (0..).zip(tokens).map(|(id, t)| (t.clone(), id)).collect()
        };
        let texts = |tokens: &[String]| (0..).zip(tokens.iter().cloned()).collect();
        let whole = dir.join("tokenizer.json").is_file();
        Ok(Self(match layout {
            Layout::Marian => Kind::Marian {
                source: Box::new(Pieces {
                    spm: spm(&dir.join("source.spm"))?,
                    ids: ids(&vocabularies.source),
                }),
                target: texts(&vocabularies.target),
                joiner: dir
                    .join("target.spm")
                    .is_file()
                    .then(|| spm(&dir.join("target.spm")))
                    .transpose()?
                    .map(Box::new),
            },
            Layout::M2m100 if !whole => Kind::M2m100 {
                pieces: Box::new(Pieces {
                    spm: spm(&dir.join("sentencepiece.bpe.model"))?,
                    ids: ids(&vocabularies.source),
                }),
                texts: texts(&vocabularies.target),
            },
            _ => {
                let opened = Self::open(dir, layout)?;
                // A converted vocabulary may be longer by rows that stand for nothing.
                // The order of T5's sentinels depends on who writes it.
                let moved = (0..)
                    .zip(&vocabularies.source)
                    .filter(|(_, token)| !token.starts_with("<extra_id_"))
                    .find(|(id, token)| opened.id(token).is_some_and(|own| own != *id));
                if let Some((id, token)) = moved {
                    let message =
                        format!("token '{token}' has another id than {id} in the vocabulary");
                    return Err(other(&dir.join("tokenizer.json"))(TokenizerError::of(
                        message,
                    )));
                }
                opened.0
            }
        }))
    }

    /// Source ids of `text`, without special tokens.
    ///
    /// # Errors
    /// When the tokenizers library fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match &self.0 {
            Kind::Marian { source, .. } => {
                // A language code in front is a token of its own.
                let code = text
                    .strip_prefix(">>")
                    .and_then(|rest| rest.find("<<"))
                    .map_or(0, |at| at + 4);
                let code = (code > 0).then_some(&text[..code]);
                let rest = &text[code.map_or(0, str::len)..];
                let pieces = source.spm.encode_pieces(rest);
                let pieces = code.into_iter().chain(pieces.iter().map(String::as_str));
                Ok(source.look_up(pieces))
            }
            Kind::M2m100 { pieces, .. } => {
                let split = pieces.spm.encode_pieces(text);
                Ok(pieces.look_up(split.iter().map(String::as_str)))
            }
            Kind::Hf(tokenizer) => tokenizer.encode(text),
            Kind::Absent => Err(no_tokenizer()),
        }
    }

    /// Text of target `ids`, without special tokens.
    ///
    /// # Errors
    /// When the tokenizers library fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        match &self.0 {
            Kind::Marian {
                source,
                target,
                joiner,
            } => {
                let pieces = ids.iter().filter_map(|id| {
                    let piece = target.get(id).map_or("<unk>", String::as_str);
                    (!matches!(piece, "</s>" | "<unk>" | "<pad>")).then_some(piece)
                });
                let text = joiner
                    .as_deref()
                    .unwrap_or(&source.spm)
                    .decode_pieces(pieces);
                Ok(text.replace('\u{2581}', " ").trim().to_owned())
            }
            Kind::M2m100 { pieces, texts } => {
                let mut text = String::new();
                let mut run: Vec<&str> = Vec::new();
                for id in ids {
                    match texts.get(id).map(String::as_str) {
                        Some("<s>" | "<pad>" | "</s>" | "<unk>") => {}
                        Some(code) if is_language(code) => {}
                        Some(piece) => run.push(piece),
                        // Rows of the embedding that stand for nothing.
                        None => {
                            text.push_str(&pieces.spm.decode_pieces(run.drain(..)));
                            text.push_str("<unk>");
                        }
                    }
                }
                text.push_str(&pieces.spm.decode_pieces(run.into_iter()));
                Ok(text.trim().to_owned())
            }
            Kind::Hf(tokenizer) => tokenizer.decode(ids),
            Kind::Absent => Err(no_tokenizer()),
        }
    }

    /// Id of a token by its name.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        match &self.0 {
            Kind::Marian { source, .. } => source.ids.get(token).copied(),
            Kind::M2m100 { pieces, .. } => pieces.ids.get(token).copied(),
            Kind::Hf(tokenizer) => tokenizer.id(token),
            Kind::Absent => None,
        }
    }

    /// Names of all tokens, sorted.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        match &self.0 {
            Kind::Marian { source, .. } => source.ids.keys().cloned().collect(),
            Kind::M2m100 { pieces, .. } => pieces.ids.keys().cloned().collect(),
            Kind::Hf(tokenizer) => tokenizer.tokens(),
            Kind::Absent => Vec::new(),
        }
    }
}

fn no_tokenizer() -> TokenizerError {
    TokenizerError::of("the model was opened without a tokenizer")
}

/// `__en__` of M2M100, `eng_Latn` of NLLB.
fn is_language(piece: &str) -> bool {
    let nllb = |piece: &str| {
        let mut bytes = piece.bytes();
        piece.len() == 8
            && bytes.by_ref().take(3).all(|b| b.is_ascii_lowercase())
            && bytes.next() == Some(b'_')
            && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
            && bytes.all(|b| b.is_ascii_lowercase())
    };
    piece.starts_with("__") && piece.ends_with("__") && piece.len() > 4 || nllb(piece)
}

impl Pieces {
    fn look_up<'p>(&self, pieces: impl Iterator<Item = &'p str>) -> Vec<u32> {
        let unknown = self.ids.get("<unk>").copied().unwrap_or(0);
        pieces
            .map(|piece| self.ids.get(piece).copied().unwrap_or(unknown))
            .collect()
    }
}

fn marian(dir: &Path) -> Result<Kind, VocabularyError> {
    let source = spm(&dir.join("source.spm"))?;
    let path = dir.join("vocab.json");
    let ids = vocabulary(&read(&path)?).map_err(other(&path))?;
    let separate = setting(dir, "separate_vocabs").and_then(|v| v.as_bool()) == Some(true);
    let path = dir.join("target_vocab.json");
    let targets = if separate {
        vocabulary(&read(&path)?).map_err(other(&path))?
    } else {
        ids.clone()
    };
    Ok(Kind::Marian {
        // Hugging Face joins the pieces of a shared vocabulary with the source's model.
        joiner: separate
            .then(|| spm(&dir.join("target.spm")))
            .transpose()?
            .map(Box::new),
        source: Box::new(Pieces { spm: source, ids }),
        target: targets.into_iter().map(|(text, id)| (id, text)).collect(),
    })
}

fn is_mbart50(dir: &Path) -> bool {
    let text = |name| setting(dir, name).and_then(|v| v.as_str().map(str::to_owned));
    text("language_codes").is_some_and(|codes| codes == "ML50")
        || text("tokenizer_class").is_some_and(|class| class.starts_with("MBart50"))
}

/// A field of `tokenizer_config.json`, where there is one.
#[must_use]
pub fn setting(dir: &Path, name: &str) -> Option<Value> {
    let bytes = std::fs::read(dir.join("tokenizer_config.json")).ok()?;
    let mut json: Value = serde_json::from_slice(&bytes).ok()?;
    json.get_mut(name).map(Value::take)
}

/// Ids by their names: the JSON of a `vocab.json`.
pub(super) fn vocabulary(bytes: &[u8]) -> Result<BTreeMap<String, u32>, TokenizerError> {
    serde_json::from_slice(bytes).map_err(TokenizerError::of)
}

fn hf(tokenizer: tokenizers::Tokenizer) -> Kind {
    Kind::Hf(HfTokenizer::new(tokenizer))
}

fn read(path: &Path) -> Result<Vec<u8>, VocabularyError> {
    std::fs::read(path).map_err(|source| VocabularyError::Read {
        path: path.to_owned(),
        source,
    })
}

fn spm(path: &Path) -> Result<Spm, VocabularyError> {
    Spm::parse(&read(path)?).map_err(|source| VocabularyError::Spm {
        path: path.to_owned(),
        source,
    })
}

fn other(path: &Path) -> impl Fn(TokenizerError) -> VocabularyError {
    let path = path.to_owned();
    move |source| VocabularyError::Other {
        path: path.clone(),
        source,
    }
}
