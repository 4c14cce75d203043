//! The models as [`Translator`]s: directions, and segments that pass the model's length.

use super::super::{Hypothesis, LineResult, MacsPerToken, ModelInfo, TranslateError, Translator};
use super::frame::Frame;
use super::{HubModel, MAX_SOURCE, Part, Source};
use crate::decode::{DecodeOptions, Decoded};
use crate::text::{Direction, Lang};

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
        let [source, target] = self.model.model.int8_macs();
        MacsPerToken::some(source, target)
    }
}
