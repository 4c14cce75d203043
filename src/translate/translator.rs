//! The one door to a translation model.

use crate::decode::{DecodeOptions, Decoded};
use crate::text::Direction;

/// A target for one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The target text.
    pub text: String,
    /// Target ids, as [`crate::decode::Decoded::ids`].
    pub ids: Vec<u32>,
    /// As [`crate::decode::Decoded::score`].
    pub score: f32,
    /// The limit of tokens ended the search, not EOS.
    pub truncated: bool,
}

/// What a model made of one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct LineResult {
    /// Ids that the model read (prompt or source with its EOS).
    pub source_ids: Vec<u32>,
    /// Best first; at least one.
    pub hypotheses: Vec<Hypothesis>,
    /// The segment passed the model's limit and was wrapped and rejoined.
    pub wrapped: bool,
}

impl LineResult {
    /// The result of a segment whose parts were translated alone: texts with a space between, ids
    /// one after another, the mean score of all ids. Hypothesis `k` is made of every part's `k`-th,
    /// or last.
    #[must_use]
    pub fn join(parts: Vec<Self>) -> Self {
        let most = parts.iter().map(|p| p.hypotheses.len()).max().unwrap_or(0);
        let hypotheses = (0..most)
            .map(|k| {
                let chosen = parts
                    .iter()
                    .filter_map(|p| p.hypotheses.get(k).or(p.hypotheses.last()));
                let (mut texts, mut ids, mut sum, mut truncated) =
                    (Vec::new(), Vec::new(), 0.0, false);
                for one in chosen {
                    texts.push(one.text.as_str());
                    ids.extend_from_slice(&one.ids);
                    sum += one.score * one.ids.len() as f32;
                    truncated |= one.truncated;
                }
                Hypothesis {
                    text: texts.join(" "),
                    score: sum / ids.len().max(1) as f32,
                    ids,
                    truncated,
                }
            })
            .collect();
        Self {
            source_ids: parts.into_iter().flat_map(|p| p.source_ids).collect(),
            hypotheses,
            wrapped: true,
        }
    }
}

/// Facts about an opened model that records and messages name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// Manifest id or directory name (`tarjama-enar`, `firefox-en-ar`).
    pub id: String,
    /// Pinned revision, or the first 12 hex digits of the weights' SHA-256.
    pub revision: String,
    /// The embedded draft, whose output is flagged `draft_model`.
    pub draft: bool,
    /// Directions it translates.
    pub directions: Vec<Direction>,
}

impl ModelInfo {
    /// `ID@REVISION`, as records name it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}@{}", self.id, self.revision)
    }
}

/// Why a model could not translate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TranslateError {
    /// The model does not translate in this direction.
    #[error("model {model} does not translate {direction}")]
    Direction {
        /// Model id.
        model: String,
        /// What was asked.
        direction: Direction,
    },
    /// The engine failed on a batch.
    #[error("model {model} failed: {message}")]
    Engine {
        /// Model id.
        model: String,
        /// What the engine said.
        message: String,
    },
}

/// Int8 multiply-adds of a model's layers; attention's products of scores and values are not among
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacsPerToken {
    /// For a token that the model reads.
    pub source: u64,
    /// For a token that it writes.
    pub target: u64,
}

impl MacsPerToken {
    /// None where nothing is computed in int8.
    #[must_use]
    pub fn some(source: u64, target: u64) -> Option<Self> {
        (source + target > 0).then_some(Self { source, target })
    }
}

/// A model that translates segments.
///
/// A result must not depend on the other segments of the call, nor on threads.
pub trait Translator: Send + Sync {
    /// What the model is.
    fn info(&self) -> &ModelInfo;

    /// Number of source tokens of `segment`, without prompt or markers: the unit of batch budgets.
    fn source_tokens(&self, segment: &str, direction: Direction) -> usize;

    /// Longest segment, in source tokens, that the model takes unsplit.
    fn max_source_tokens(&self) -> usize;

    /// Translates one batch on the calling thread; results in the order of `segments`.
    ///
    /// # Errors
    /// When the direction is not the model's, or the engine fails.
    fn translate_batch(
        &self,
        segments: &[&str],
        direction: Direction,
        options: &DecodeOptions,
    ) -> Result<Vec<LineResult>, TranslateError>;

    /// Decodes one batch of sources that are ids already, with all that the model expects around
    /// them: for measurements of the engine alone. Best hypotheses in the order of `sources`.
    ///
    /// # Errors
    /// When the model takes no ids, or the engine fails.
    fn decode_ids(
        &self,
        sources: &[&[u32]],
        options: &DecodeOptions,
    ) -> Result<Vec<Decoded>, TranslateError> {
        let _ = (sources, options);
        Err(TranslateError::Engine {
            model: self.info().id.clone(),
            message: "this model takes text, not ids".to_owned(),
        })
    }

    /// The work of a token; none where the model does not tell, or computes in floats.
    fn macs_per_token(&self) -> Option<MacsPerToken> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: u32, texts: &[&str]) -> LineResult {
        LineResult {
            source_ids: vec![id],
            hypotheses: texts
                .iter()
                .map(|text| Hypothesis {
                    text: (*text).to_owned(),
                    ids: vec![id; text.len()],
                    score: -(id as f32),
                    truncated: id == 2,
                })
                .collect(),
            wrapped: false,
        }
    }

    #[test]
    fn keeps_every_part_of_a_wrapped_segment() {
        let joined = LineResult::join(vec![result(1, &["a", "b"]), result(2, &["ccc"])]);
        assert_eq!(joined.source_ids, [1, 2]);
        assert!(joined.wrapped);
        let texts: Vec<&str> = joined.hypotheses.iter().map(|h| h.text.as_str()).collect();
        assert_eq!(texts, ["a ccc", "b ccc"]);
        let best = &joined.hypotheses[0];
        assert_eq!(best.ids, [1, 2, 2, 2]);
        assert!(
            best.truncated && (best.score + 1.75).abs() < 1e-6,
            "{best:?}"
        );
    }
}
