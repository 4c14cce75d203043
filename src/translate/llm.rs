//! Decoder-only models as translators: prompt in, answer out.

use crate::decode::{self, DecodeOptions, Decoded, Prompt, Rules};
use crate::engine::causal::CausalModel;
use crate::text::{Direction, Lang, split_long};
use crate::tokenize::hf::{HfTokenizer, TokenizerError};

use super::{Hypothesis, LineResult, MacsPerToken, ModelInfo, TranslateError, Translator};

/// Ids that frame a prompt of the embedded model.
const BOS: u32 = 2;
const EOS: u32 = 1;

/// Longest source that keeps prompt and target within the 256 tokens of a training example.
const MAX_SOURCE_TOKENS: usize = 110;

/// Beams where the user names none: on FLORES dev two gained 3.7 chrF++ and four 4.8, for 1.5 and 2.5
/// times the time.
const BEAMS: usize = 4;

/// Pieces in a row that do not come twice where the user says nothing: ends loops, at no cost in
/// chrF++; names and titles that may well come twice are shorter.
const NO_REPEAT: usize = 6;

/// The embedded English-Arabic model, and others of its prompt.
///
/// Prompt: `<bos>English: SOURCE\nArabic:`, answer ` TARGET<eos>` (models/embedded/README.md).
#[derive(Debug)]
pub struct CausalTranslator {
    info: ModelInfo,
    model: CausalModel,
    tokenizer: HfTokenizer,
    /// Ids with Arabic letters: an English target has none, a weak model falls back on them.
    arabic: Vec<u32>,
}

impl CausalTranslator {
    /// A translator over loaded weights.
    #[must_use]
    pub fn new(
        id: &str,
        revision: &str,
        draft: bool,
        model: CausalModel,
        tokenizer: HfTokenizer,
    ) -> Self {
        let both = [(Lang::EN, Lang::AR), (Lang::AR, Lang::EN)];
        let info = ModelInfo {
            id: id.to_owned(),
            revision: revision.to_owned(),
            draft,
            directions: both
                .into_iter()
                .map(|(from, to)| Direction { from, to })
                .collect(),
        };
        let letters = |token: &str| token.chars().any(|c| ('\u{600}'..='\u{6ff}').contains(&c));
        let arabic = tokenizer.ids_where(letters);
        Self {
            info,
            model,
            tokenizer,
            arabic,
        }
    }

    fn prompt_text(&self, segment: &str, direction: Direction) -> Result<String, TranslateError> {
        let (source, target) = match (direction.from, direction.to) {
            (Lang::EN, Lang::AR) => ("English", "Arabic"),
            (Lang::AR, Lang::EN) => ("Arabic", "English"),
            _ => {
                return Err(TranslateError::Direction {
                    model: self.info.id.clone(),
                    direction,
                });
            }
        };
        Ok(format!("{source}: {}\n{target}:", clean(segment)))
    }

    fn prompt(
        &self,
        segment: &str,
        direction: Direction,
        options: &DecodeOptions,
    ) -> Result<Prompt, TranslateError> {
        let text = self.prompt_text(segment, direction)?;
        let mut ids = vec![BOS];
        ids.extend(self.tokenizer.encode(&text).map_err(|e| self.failed(&e))?);
        self.limited(ids, options)
    }

    /// Ids as a prompt, where all of them are the vocabulary's.
    fn checked_prompt(
        &self,
        ids: &[u32],
        options: &DecodeOptions,
    ) -> Result<Prompt, TranslateError> {
        let size = self.model.config().vocab_size;
        if ids.is_empty() || ids.iter().any(|id| *id as usize >= size) {
            return Err(TranslateError::Engine {
                model: self.info.id.clone(),
                message: format!("a source must have ids, each less than {size}"),
            });
        }
        self.limited(ids.to_vec(), options)
    }

    /// A prompt with its limit of target tokens.
    fn limited(&self, ids: Vec<u32>, options: &DecodeOptions) -> Result<Prompt, TranslateError> {
        let room = self.model.config().context_length.saturating_sub(ids.len());
        if room == 0 {
            return Err(TranslateError::Engine {
                model: self.info.id.clone(),
                message: format!(
                    "a segment of {} tokens passes the model's context",
                    ids.len()
                ),
            });
        }
        // A translation is rarely more than twice as long as its source; a loop ends here.
        let limit = options.max_new_tokens.unwrap_or(ids.len() * 5 / 2 + 16);
        Ok(Prompt {
            ids,
            max_new_tokens: limit.clamp(1, room),
        })
    }

    /// The parts of a segment that are no longer than what the model was trained on, in order.
    fn parts<'a>(&self, segment: &'a str, direction: Direction) -> Vec<&'a str> {
        let fits = |piece: &str| self.source_tokens(piece, direction) <= MAX_SOURCE_TOKENS;
        if fits(segment) {
            return vec![segment];
        }
        let ranges = split_long(segment, &fits);
        ranges.into_iter().map(|range| &segment[range]).collect()
    }

    fn translate_parts(
        &self,
        segments: &[&str],
        direction: Direction,
        options: &DecodeOptions,
    ) -> Result<Vec<LineResult>, TranslateError> {
        let prompts: Vec<Prompt> = segments
            .iter()
            .map(|s| self.prompt(s, direction, options))
            .collect::<Result<_, _>>()?;
        let decoded = self.decode(&prompts, &self.rules(Some(direction), options));
        prompts
            .into_iter()
            .zip(decoded)
            .map(|(prompt, decoded)| {
                let hypotheses = decoded
                    .into_iter()
                    .map(|d| self.hypothesis(d))
                    .collect::<Result<_, _>>()?;
                Ok(LineResult {
                    source_ids: prompt.ids,
                    hypotheses,
                    wrapped: false,
                })
            })
            .collect()
    }

    fn failed(&self, error: &TokenizerError) -> TranslateError {
        TranslateError::Engine {
            model: self.info.id.clone(),
            message: error.to_string(),
        }
    }

    /// The search in a direction, where it is known.
    fn rules(&self, direction: Option<Direction>, options: &DecodeOptions) -> Rules {
        let mut rules = Rules::new(EOS);
        (rules.beam, rules.no_repeat_ngram) = (BEAMS, NO_REPEAT);
        if direction.is_some_and(|d| d.to == Lang::EN) {
            rules.suppressed.clone_from(&self.arabic);
        }
        rules.with(options)
    }

    fn decode(&self, prompts: &[Prompt], rules: &Rules) -> Vec<Vec<Decoded>> {
        decode::search(&mut self.model.session(), prompts, rules)
    }

    fn hypothesis(&self, decoded: Decoded) -> Result<Hypothesis, TranslateError> {
        let text = self
            .tokenizer
            .decode(&decoded.ids)
            .map_err(|e| self.failed(&e))?;
        // One segment, one line: a newline in an answer is a space.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Hypothesis {
            text,
            ids: decoded.ids,
            score: decoded.score,
            truncated: decoded.truncated,
        })
    }
}

impl Translator for CausalTranslator {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn source_tokens(&self, segment: &str, _direction: Direction) -> usize {
        // A text that does not encode fails in `translate_batch`, with the reason.
        self.tokenizer
            .encode(&clean(segment))
            .map_or(0, |ids| ids.len())
    }

    fn max_source_tokens(&self) -> usize {
        MAX_SOURCE_TOKENS
    }

    fn translate_batch(
        &self,
        segments: &[&str],
        direction: Direction,
        options: &DecodeOptions,
    ) -> Result<Vec<LineResult>, TranslateError> {
        let parts: Vec<Vec<&str>> = segments.iter().map(|s| self.parts(s, direction)).collect();
        let texts: Vec<&str> = parts.iter().flatten().copied().collect();
        let mut results = self
            .translate_parts(&texts, direction, options)?
            .into_iter();
        Ok(parts
            .iter()
            .map(|parts| {
                let mut own: Vec<LineResult> = results.by_ref().take(parts.len()).collect();
                match own.pop() {
                    Some(only) if own.is_empty() => only,
                    last => LineResult::join(own.into_iter().chain(last).collect()),
                }
            })
            .collect())
    }

    fn decode_ids(
        &self,
        sources: &[&[u32]],
        options: &DecodeOptions,
    ) -> Result<Vec<Decoded>, TranslateError> {
        let prompts = sources.iter().map(|ids| self.checked_prompt(ids, options));
        let prompts: Vec<Prompt> = prompts.collect::<Result<_, _>>()?;
        let best = self
            .decode(&prompts, &self.rules(None, options))
            .into_iter();
        Ok(best.filter_map(|all| all.into_iter().next()).collect())
    }

    fn macs_per_token(&self) -> Option<MacsPerToken> {
        let [layers, output] = self.model.int8_macs();
        MacsPerToken::some(layers, layers + output)
    }
}

/// The one form of text that the model was trained on: no vowel marks, tatweel or direction marks,
/// plain quotes, Western digits, single spaces. Source: `clean` of the model's training script.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{64b}'..='\u{652}'
            | '\u{670}'
            | '\u{640}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => {}
            '\u{201c}' | '\u{201d}' | '\u{ab}' | '\u{bb}' => out.push('"'),
            '\u{2018}' | '\u{2019}' => out.push('\''),
            '\u{2026}' => out.push_str("..."),
            '\u{660}'..='\u{669}' => {
                out.push(char::from_digit(u32::from(c) - 0x660, 10).unwrap_or(c));
            }
            '\u{66b}' => out.push('.'),
            '\u{66c}' => out.push(','),
            '\u{66a}' => out.push('%'),
            _ => out.push(c),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_as_the_training_script_did() {
        assert_eq!(
            clean("  قَالَ «نعم»…  ١٢٫٥٪\u{200f} "),
            "قال \"نعم\"... 12.5%"
        );
        assert_eq!(clean("“It’s” a\u{a0}test"), "\"It's\" a test");
    }
}
