//! How a model wants to be searched: `generation_config.json`, or the same fields in the
//! `config.json` of older repositories.
//!
//! Source: huggingface/transformers `generation/configuration_utils.py`.

use serde_json::Value;

use super::config::{ConfigError, Fields, id, unsupported};
use crate::decode::{EarlyStopping, Rules};

/// Target tokens where a model names no limit.
const DEFAULT_MAX_TOKENS: usize = 256;

/// A model's defaults of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// What a target begins with, and is not part of it.
    pub start: u32,
    /// The rules of the search.
    pub rules: Rules,
    /// Upper bound of target tokens, the final EOS included.
    pub max_new_tokens: usize,
}

impl Generation {
    /// Reads the bytes of `generation_config.json`, or what `config.json` says in its place.
    ///
    /// # Errors
    /// When a field is of another type, or asks for a search that tarjama has not.
    pub fn parse(generation: Option<&[u8]>, config: &[u8]) -> Result<Self, ConfigError> {
        let json = |bytes: &[u8]| {
            serde_json::from_slice::<Value>(bytes).map_err(|e| ConfigError::Json(e.to_string()))
        };
        let config = json(config)?;
        let generation = generation.map(json).transpose()?;
        Self::read(
            Fields(generation.as_ref().unwrap_or(&config)),
            Fields(&config),
        )
    }

    /// These defaults with the fields of a task (`task_specific_params` of `config.json`) in front.
    ///
    /// # Errors
    /// As [`Generation::parse`].
    pub fn for_task(
        generation: Option<&[u8]>,
        config: &[u8],
        task: &str,
    ) -> Result<Self, ConfigError> {
        let json = |bytes: &[u8]| {
            serde_json::from_slice::<Value>(bytes).map_err(|e| ConfigError::Json(e.to_string()))
        };
        let config = json(config)?;
        let mut base = generation.map(json).transpose()?.unwrap_or(config.clone());
        let params = config.pointer(&format!("/task_specific_params/{task}"));
        if let (Some(base), Some(params)) =
            (base.as_object_mut(), params.and_then(Value::as_object))
        {
            base.extend(params.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        Self::read(Fields(&base), Fields(&config))
    }

    fn read(fields: Fields<'_>, config: Fields<'_>) -> Result<Self, ConfigError> {
        for (name, neutral) in [
            ("num_beam_groups", 1.0),
            ("diversity_penalty", 0.0),
            ("encoder_no_repeat_ngram_size", 0.0),
            ("encoder_repetition_penalty", 1.0),
            ("repetition_penalty", 1.0),
        ] {
            if let Some(value) = fields.get(name).filter(|v| v.as_f64() != Some(neutral)) {
                return Err(unsupported(name, value, "; remove it or set it aside"));
            }
        }
        for name in [
            "sequence_bias",
            "exponential_decay_length_penalty",
            "constraints",
        ] {
            if let Some(value) = fields.get(name) {
                return Err(unsupported(name, value, "; remove it or set it aside"));
            }
        }
        let either = |name: &str| fields.get(name).or_else(|| config.get(name));
        let missing = |name: &str| ConfigError::Field(name.to_owned());
        let eos = ids(either("eos_token_id").unwrap_or(&Value::from(2)))
            .filter(|ids| !ids.is_empty())
            .ok_or_else(|| missing("eos_token_id"))?;
        let start = ["decoder_start_token_id", "bos_token_id"]
            .into_iter()
            .find_map(|name| either(name).map(|v| id(v).ok_or_else(|| missing(name))))
            .ok_or_else(|| missing("decoder_start_token_id"))??;
        let count = |name: &str| -> Result<Option<usize>, ConfigError> {
            fields
                .get(name)
                .map(|v| {
                    let n = v.as_u64().and_then(|n| usize::try_from(n).ok());
                    n.ok_or_else(|| missing(name))
                })
                .transpose()
        };
        let list = |name: &str| -> Result<Vec<u32>, ConfigError> {
            fields
                .get(name)
                .map_or(Ok(Vec::new()), |v| ids(v).ok_or_else(|| missing(name)))
        };
        let forced =
            |name: &str| -> Result<Option<u32>, ConfigError> { Ok(list(name)?.first().copied()) };
        let bad_words = match fields.get("bad_words_ids") {
            None => Vec::new(),
            Some(Value::Array(words)) => words
                .iter()
                .map(|w| ids(w).ok_or_else(|| missing("bad_words_ids")))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(missing("bad_words_ids")),
        };
        let early_stopping = match fields.get("early_stopping") {
            None | Some(Value::Bool(false)) => EarlyStopping::Heuristic,
            Some(Value::Bool(true)) => EarlyStopping::Always,
            Some(Value::String(s)) if s == "never" => EarlyStopping::Never,
            Some(_) => return Err(missing("early_stopping")),
        };
        // Both lengths of Hugging Face count the start token.
        let min_new_tokens = match count("min_new_tokens")? {
            Some(n) => n,
            None => count("min_length")?.unwrap_or(0).saturating_sub(1),
        };
        let max_new_tokens = match (count("max_new_tokens")?, count("max_length")?) {
            (Some(n), _) => n,
            (None, Some(n)) => n.saturating_sub(1),
            (None, None) => DEFAULT_MAX_TOKENS,
        };
        Ok(Self {
            start,
            max_new_tokens: max_new_tokens.max(1),
            rules: Rules {
                beam: count("num_beams")?.unwrap_or(1).clamp(1, 64),
                length_penalty: fields.float("length_penalty")?.unwrap_or(1.0),
                early_stopping,
                prefix: vec![start],
                min_new_tokens,
                no_repeat_ngram: count("no_repeat_ngram_size")?.unwrap_or(0),
                bad_words,
                forced_first: forced("forced_bos_token_id")?,
                forced_last: forced("forced_eos_token_id")?,
                suppressed: list("suppress_tokens")?,
                suppressed_first: list("begin_suppress_tokens")?,
                eos,
                ..Rules::new(0)
            },
        })
    }
}

/// One id or a list of them.
fn ids(value: &Value) -> Option<Vec<u32>> {
    match value {
        Value::Array(list) => list.iter().map(id).collect(),
        other => id(other).map(|id| vec![id]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_a_summariser_wants() {
        let config = br#"{"decoder_start_token_id":2,"task_specific_params":{"summarization":
            {"min_length":30,"prefix":"summarize: "}}}"#;
        let generation = br#"{"eos_token_id":[2,5],"early_stopping":true,"length_penalty":2.0,
            "max_length":142,"min_length":56,"no_repeat_ngram_size":3,"num_beams":4,
            "forced_bos_token_id":0,"forced_eos_token_id":2,"bad_words_ids":[[1],[3,4]]}"#;
        let read = Generation::parse(Some(generation), config).unwrap();
        assert_eq!((read.start, read.max_new_tokens), (2, 141));
        let rules = &read.rules;
        assert_eq!(
            (rules.beam, rules.no_repeat_ngram, rules.min_new_tokens),
            (4, 3, 55)
        );
        assert_eq!((&rules.eos[..], rules.forced_first), (&[2, 5][..], Some(0)));
        assert_eq!(rules.early_stopping, EarlyStopping::Always);
        let task = Generation::for_task(Some(generation), config, "summarization").unwrap();
        assert_eq!((task.rules.min_new_tokens, task.rules.beam), (29, 4));
    }

    #[test]
    fn fails_when_a_field_is_wrong_and_names_it() {
        for (text, field) in [
            (
                r#"{"decoder_start_token_id":"a"}"#,
                "decoder_start_token_id",
            ),
            ("{}", "decoder_start_token_id"),
            (r#"{"bos_token_id":0,"early_stopping":7}"#, "early_stopping"),
            (
                r#"{"bos_token_id":0,"num_beam_groups":2}"#,
                "num_beam_groups",
            ),
            (
                r#"{"bos_token_id":0,"bad_words_ids":[["x"]]}"#,
                "bad_words_ids",
            ),
        ] {
            let error = Generation::parse(None, text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(field), "{text}: {error}");
        }
    }
}
