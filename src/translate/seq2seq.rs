//! Encoder-decoder models as [`Translator`]s.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Hypothesis, LineResult, MacsPerToken, ModelInfo, TranslateError, Translator};
use crate::decode::{DecodeOptions, Decoded};
use crate::engine::marian::{MarianModel, ModelError, SpecialIds};
use crate::kernel::Kernels;
use crate::text::{Direction, Lang};
use crate::tokenize::spm::{Spm, SpmError};

/// Longest source, in pieces without EOS, that Firefox's toolkit gives the model unsplit.
const MAX_PIECES: usize = 127;
/// Most pieces, with EOS and padding, that it gives the model in one batch.
const BATCH_PIECES: usize = 1024;

/// Why a directory could not be opened as a Firefox model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory, or a file in it, cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is missing.
    #[error("{dir} has no {what}")]
    Missing {
        /// The directory.
        dir: PathBuf,
        /// What it should have, as a pattern.
        what: &'static str,
    },
    /// The model file or its shortlist cannot be used.
    #[error("cannot load {path}: {source}")]
    Model {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ModelError,
    },
    /// The vocabulary cannot be used.
    #[error("cannot load {path}: {source}")]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SpmError,
    },
    /// A vocabulary is not of the size that the model was made for.
    #[error("{path} has {found} pieces where the model asks for {wanted}")]
    VocabularySize {
        /// The file.
        path: PathBuf,
        /// Its pieces.
        found: usize,
        /// What the model asks for.
        wanted: usize,
    },
}

/// A Firefox model: Marian's 8-bit weights, sentencepiece vocabularies, a lexical shortlist.
pub struct FirefoxTranslator {
    info: ModelInfo,
    direction: Direction,
    model: MarianModel,
    source: Spm,
    /// Target vocabulary, where it is not the source's.
    target: Option<Spm>,
}

impl FirefoxTranslator {
    /// Opens the model in `dir`: `model*.bin`, `vocab*.spm` (or `srcvocab*` and `trgvocab*`) and,
    /// where there is one, `lex*.bin`.
    ///
    /// # Errors
    /// When a file is missing, unreadable, damaged or of a kind that the engine lacks.
    pub fn open(dir: &Path, from: Lang, to: Lang, kernels: Kernels) -> Result<Self, OpenError> {
        let files = Files::find(dir)?;
        let weights = read(&files.model)?;
        let lexicon = files.lexicon.as_deref().map(read).transpose()?;
        let model = MarianModel::load(&weights, lexicon.as_deref(), kernels).map_err(|source| {
            OpenError::Model {
                path: files.model.clone(),
                source,
            }
        })?;
        let [source_size, target_size] = model.config().vocabularies;
        let source = vocabulary(&files.source, source_size)?;
        let target = files
            .target
            .as_deref()
            .map(|path| vocabulary(path, target_size))
            .transpose()?;
        let digest = Sha256::digest(&weights);
        let direction = Direction { from, to };
        let info = ModelInfo {
            id: format!("firefox-{direction}"),
            revision: digest
                .iter()
                .take(6)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            draft: false,
            directions: vec![direction],
        };
        Ok(Self {
            info,
            direction,
            model,
            source,
            target,
        })
    }

    /// The same model under the id and revision of its manifest.
    #[must_use]
    pub fn with_name(mut self, id: String, revision: String) -> Self {
        self.info.id = id;
        self.info.revision = revision;
        self
    }

    fn special(&self) -> SpecialIds {
        let target = self.target.as_ref().unwrap_or(&self.source);
        SpecialIds {
            eos: target.eos_id(),
            unknown: target.unknown_id(),
            shared: self.target.is_none(),
        }
    }

    /// The ids of a segment in parts that the model takes, each with its EOS.
    fn parts(&self, segment: &str) -> Vec<Vec<u32>> {
        let ids = self.source.encode(segment);
        ids.chunks(MAX_PIECES)
            .map(|part| part.iter().copied().chain([self.source.eos_id()]).collect())
            .collect()
    }

    /// The best hypotheses of each source: greedy, or of a beam as wide as the options say.
    fn search(
        &self,
        sources: &[&[u32]],
        groups: &[usize],
        options: &DecodeOptions,
    ) -> Vec<Vec<Decoded>> {
        let width = options.beam.unwrap_or(1);
        if width > 1 {
            return self
                .model
                .beam(sources, groups, self.special(), width, options);
        }
        let decoded = self.model.greedy(sources, groups, self.special(), options);
        decoded.into_iter().map(|d| vec![d]).collect()
    }

    /// Joins what became of the parts of one segment, the hypotheses of one rank; white space
    /// around it stays. Nothing comes between them: the space before a word belongs to its first
    /// piece, and so to what was translated.
    fn join(
        &self,
        segment: &str,
        parts: &[Vec<u32>],
        decoded: &[Vec<Decoded>],
        rank: usize,
    ) -> Hypothesis {
        let target = self.target.as_ref().unwrap_or(&self.source);
        let start = segment.len() - segment.trim_start().len();
        let mut text = segment[..start].to_owned();
        let mut ids = Vec::new();
        let mut sum = 0.0;
        let mut truncated = false;
        for decoded in decoded {
            let Some(decoded) = decoded.get(rank).or(decoded.last()) else {
                truncated = true;
                continue;
            };
            text.push_str(&target.decode(&decoded.ids));
            sum += decoded.score * decoded.ids.len() as f32;
            truncated |= decoded.truncated;
            ids.extend_from_slice(&decoded.ids);
        }
        if !parts.is_empty() {
            text.push_str(&segment[segment.trim_end().len()..]);
        }
        let score = if ids.is_empty() {
            0.0
        } else {
            sum / ids.len() as f32
        };
        Hypothesis {
            text,
            ids,
            score,
            truncated,
        }
    }
}

impl Translator for FirefoxTranslator {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn source_tokens(&self, segment: &str, _direction: Direction) -> usize {
        self.source.encode(segment).len()
    }

    fn max_source_tokens(&self) -> usize {
        MAX_PIECES
    }

    fn translate_batch(
        &self,
        segments: &[&str],
        direction: Direction,
        options: &DecodeOptions,
    ) -> Result<Vec<LineResult>, TranslateError> {
        if direction != self.direction {
            return Err(TranslateError::Direction {
                model: self.info.id.clone(),
                direction,
            });
        }
        let parts: Vec<Vec<Vec<u32>>> = segments.iter().map(|s| self.parts(s)).collect();
        let sources: Vec<&[u32]> = parts.iter().flatten().map(Vec::as_slice).collect();
        let mut groups = Vec::with_capacity(sources.len());
        for parts in &parts {
            let first = groups.len();
            let lengths: Vec<usize> = parts.iter().map(Vec::len).collect();
            groups.extend(batches(&lengths).into_iter().map(|batch| first + batch));
        }
        let mut decoded = self.search(&sources, &groups, options).into_iter();
        Ok(segments
            .iter()
            .zip(&parts)
            .map(|(segment, parts)| {
                let decoded: Vec<Vec<Decoded>> = decoded.by_ref().take(parts.len()).collect();
                let best = decoded.iter().map(Vec::len).max().unwrap_or(1);
                LineResult {
                    source_ids: parts.concat(),
                    hypotheses: (0..best)
                        .map(|rank| self.join(segment, parts, &decoded, rank))
                        .collect(),
                    wrapped: parts.len() > 1,
                }
            })
            .collect())
    }

    fn decode_ids(
        &self,
        sources: &[&[u32]],
        options: &DecodeOptions,
    ) -> Result<Vec<Decoded>, TranslateError> {
        let groups: Vec<usize> = (0..sources.len()).collect();
        let hypotheses = self.search(sources, &groups, options);
        Ok(hypotheses
            .into_iter()
            .filter_map(|mut h| (!h.is_empty()).then(|| h.swap_remove(0)))
            .collect())
    }

    fn macs_per_token(&self) -> Option<MacsPerToken> {
        let [source, target] = self.model.macs_per_token();
        MacsPerToken::some(source as u64, target as u64)
    }
}

/// The batch that Firefox's toolkit puts each part of one segment into, by the parts' lengths:
/// shorter parts first, and no more than fill [`BATCH_PIECES`] when padded.
fn batches(lengths: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&part| lengths[part]);
    let mut out = vec![0; lengths.len()];
    let (mut batch, mut held) = (0, 0);
    for part in order {
        if held > 0 && (held + 1) * lengths[part] > BATCH_PIECES {
            (batch, held) = (batch + 1, 0);
        }
        out[part] = batch;
        held += 1;
    }
    out
}

/// The files of a model's directory.
struct Files {
    model: PathBuf,
    source: PathBuf,
    target: Option<PathBuf>,
    lexicon: Option<PathBuf>,
}

impl Files {
    fn find(dir: &Path) -> Result<Self, OpenError> {
        let unreadable = |source| OpenError::Read {
            path: dir.to_owned(),
            source,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            if let Ok(name) = entry.map_err(unreadable)?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        let find = |start: &str, end: &str| {
            names
                .iter()
                .find(|n| n.starts_with(start) && n.ends_with(end))
                .map(|n| dir.join(n))
        };
        let missing = |what| OpenError::Missing {
            dir: dir.to_owned(),
            what,
        };
        let model = find("model", ".bin").ok_or_else(|| missing("model*.bin"))?;
        let (source, target) = match (find("srcvocab", ".spm"), find("trgvocab", ".spm")) {
            (Some(source), Some(target)) => (source, Some(target)),
            _ => (
                find("vocab", ".spm").ok_or_else(|| missing("vocab*.spm"))?,
                None,
            ),
        };
        Ok(Self {
            model,
            source,
            target,
            lexicon: find("lex", ".bin"),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, OpenError> {
    fs::read(path).map_err(|source| OpenError::Read {
        path: path.to_owned(),
        source,
    })
}

fn vocabulary(path: &Path, wanted: usize) -> Result<Spm, OpenError> {
    let spm = Spm::parse(&read(path)?).map_err(|source| OpenError::Vocabulary {
        path: path.to_owned(),
        source,
    })?;
    if spm.len() == wanted {
        Ok(spm)
    } else {
        Err(OpenError::VocabularySize {
            path: path.to_owned(),
            found: spm.len(),
            wanted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_parts_of_a_line_together_while_they_fit() {
        assert!(batches(&[]).is_empty());
        assert_eq!(batches(&[128, 128, 5]), [0, 0, 0]);
        let mut ten = vec![128; 9];
        ten.push(5);
        assert_eq!(batches(&ten), [0, 0, 0, 0, 0, 0, 0, 1, 1, 0]);
    }

    #[test]
    fn fails_when_a_file_is_missing_and_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let error = FirefoxTranslator::open(dir.path(), Lang::EN, Lang::AR, Kernels::detect())
            .err()
            .unwrap();
        assert!(error.to_string().ends_with("has no model*.bin"), "{error}");
    }
}
