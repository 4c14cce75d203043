//! Byte-level BPE tokenisers that a GGUF file carries in its own metadata.
//!
//! `tokenizer.ggml.pre` names the rule by which words end; a file says no more of it. The rules
//! here are those of the models' own `tokenizer.json` files, of which ggml-org/llama.cpp
//! `src/llama-vocab.cpp` lists the same by name. Other names are refused: by a wrong rule a model
//! reads other tokens than it was trained on, and nobody would notice.
//!
//! Control tokens (`<|im_end|>`) are not in the vocabulary that texts are encoded with, so that no
//! text can end a message or begin one; [`GgufTokenizer::control`] gives their ids.

use std::collections::BTreeMap;

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use super::hf::{HfTokenizer, TokenizerError};
use crate::formats::gguf::{Gguf, Value};

const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Rules by which words end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// GPT-2's words.
    Gpt2,
    /// Every digit alone, then GPT-2's words.
    Digits,
    /// Llama 3's words; a word that is a token is not built from merges.
    Llama3,
    /// As Llama 3, every digit alone, over composed characters.
    Qwen2,
}

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Rule {
    fn named(name: &str) -> Option<Self> {
        match name {
            "gpt-2" => Some(Self::Gpt2),
            "smollm" => Some(Self::Digits),
            "llama-bpe" | "llama3" | "llama-v3" => Some(Self::Llama3),
            "qwen2" => Some(Self::Qwen2),
            _ => None,
        }
    }

    fn pre_tokenizer(self) -> Result<PreTokenizerWrapper, TokenizerError> {
        let words = |pattern: &str| -> Result<PreTokenizerWrapper, TokenizerError> {
            let pattern = SplitPattern::Regex(pattern.to_owned());
            let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
            Ok(split.map_err(TokenizerError::of)?.into())
        };
        let gpt2 = ByteLevel::new(false, true, true);
        let bytes = ByteLevel::new(false, true, false);
        let parts = match self {
            Self::Gpt2 => return Ok(gpt2.into()),
            Self::Digits => vec![Digits::new(true).into(), gpt2.into()],
            Self::Llama3 => vec![words(LLAMA3)?, bytes.into()],
            Self::Qwen2 => vec![words(QWEN2)?, bytes.into()],
        };
        Ok(Sequence::new(parts).into())
    }
}

/// A byte-level BPE tokeniser with its control tokens.
#[derive(Debug)]
pub struct GgufTokenizer {
    text: HfTokenizer,
    control: BTreeMap<String, u32>,
    eos: u32,
}

impl GgufTokenizer {
    /// Builds the tokeniser of a file.
    ///
    /// # Errors
    /// When the metadata lack a part of it, or it is of a kind that tarjama does not run.
    pub fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, TokenizerError> {
        let text = |key: &str| gguf.text(key).map_err(TokenizerError::of);
        let model = text("tokenizer.ggml.model")?;
        if model != "gpt2" {
            let message = format!("tokenizer.ggml.model '{model}' is not supported, only gpt2");
            return Err(TokenizerError::of(message));
        }
        let pre = text("tokenizer.ggml.pre")?;
        let rule = Rule::named(pre).ok_or_else(|| {
            TokenizerError::of(format!(
                "tokenizer.ggml.pre '{pre}' is not supported, only smollm, gpt-2, llama-bpe and \
                 qwen2"
            ))
        })?;
        let list = |key: &str| match gguf.get(key) {
            Some(Value::Array(items)) => Ok(items.as_slice()),
            _ => Err(TokenizerError::of(format!("the file has no {key}"))),
        };
        let eos = gguf.usize("tokenizer.ggml.eos_token_id");
        let eos = eos.map_err(TokenizerError::of)? as u32;
        Self::new(
            strings(list("tokenizer.ggml.tokens")?)?,
            list("tokenizer.ggml.token_type")?,
            &strings(list("tokenizer.ggml.merges")?)?,
            rule,
            eos,
        )
    }

    fn new(
        tokens: Vec<&str>,
        types: &[Value],
        merges: &[&str],
        rule: Rule,
        eos: u32,
    ) -> Result<Self, TokenizerError> {
        if tokens.len() != types.len() {
            let message = "tokens and their types differ in number";
            return Err(TokenizerError::of(message));
        }
        let mut control = BTreeMap::new();
        let mut whole = Vec::new();
        let mut vocabulary = ahash::AHashMap::with_capacity(tokens.len());
        for ((id, token), kind) in (0u32..).zip(tokens).zip(types) {
            if *kind == Value::Int(CONTROL) {
                control.insert(token.to_owned(), id);
                continue;
            }
            if *kind == Value::Int(USER_DEFINED) {
                whole.push(AddedToken::from(token, false).normalized(false));
            }
            vocabulary.insert(token.to_owned(), id);
        }
        let pair = |merge: &&str| {
            let (a, b) = merge.split_once(' ')?;
            Some((a.to_owned(), b.to_owned()))
        };
        let merges: Option<Vec<_>> = merges.iter().map(pair).collect();
        let merges = merges.ok_or_else(|| TokenizerError::of("a merge is no pair"))?;
        let bpe = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            .ignore_merges(rule == Rule::Llama3)
            .build()
            .map_err(TokenizerError::of)?;
        let mut tokenizer = Tokenizer::new(bpe);
        tokenizer
            .with_pre_tokenizer(Some(rule.pre_tokenizer()?))
            .with_decoder(Some(ByteLevel::default()));
        if rule == Rule::Qwen2 {
            tokenizer.with_normalizer(Some(NFC));
        }
        tokenizer.add_tokens(&whole);
        Ok(Self {
            text: HfTokenizer::new(tokenizer),
            control,
            eos,
        })
    }

    /// Ids of `text`; what looks like a control token in it is text.
    ///
    /// # Errors
    /// When the library fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.text.encode(text)
    }

    /// Text of `ids`, control tokens left out.
    ///
    /// # Errors
    /// When the library fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.text.decode(ids)
    }

    /// The id of a control token.
    #[must_use]
    pub fn control(&self, token: &str) -> Option<u32> {
        self.control.get(token).copied()
    }

    /// The token that ends an answer.
    #[must_use]
    pub fn eos(&self) -> u32 {
        self.eos
    }
}

fn strings(values: &[Value]) -> Result<Vec<&str>, TokenizerError> {
    let mut out = Vec::with_capacity(values.len());
    for value in values {
        match value {
            Value::Text(text) => out.push(text.as_str()),
            _ => return Err(TokenizerError::of("a list of texts holds something else")),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::gguf::Gguf;

    const FILE: &[u8] = include_bytes!("../../tests/data/tiny_llama.gguf");

    #[derive(serde::Deserialize)]
    struct Golden {
        text: String,
        ids: Vec<u32>,
    }

    fn with_rule(rule: Rule) -> GgufTokenizer {
        let gguf = Gguf::parse(&[FILE]).unwrap();
        let list = |key: &str| match gguf.get(key) {
            Some(Value::Array(items)) => items.clone(),
            other => panic!("{key}: {other:?}"),
        };
        let (tokens, merges) = (list("tokenizer.ggml.tokens"), list("tokenizer.ggml.merges"));
        let types = list("tokenizer.ggml.token_type");
        let (tokens, merges) = (strings(&tokens).unwrap(), strings(&merges).unwrap());
        GgufTokenizer::new(tokens, &types, &merges, rule, 2).unwrap()
    }

    /// `tests/data/tiny_llama.py` says where the ids come from.
    #[test]
    fn keeps_the_ids_of_hugging_face_by_every_rule() {
        let text = include_str!("../../tests/data/tiny_tokenizer.json");
        let goldens: BTreeMap<String, Vec<Golden>> = serde_json::from_str(text).unwrap();
        assert_eq!(goldens.len(), 4);
        for (pre, cases) in goldens {
            let rule = Rule::named(&pre).unwrap();
            let tokenizer = with_rule(rule);
            for case in cases {
                let ids = tokenizer.encode(&case.text).unwrap();
                assert_eq!(ids, case.ids, "{pre}: {:?}", case.text);
                if rule != Rule::Qwen2 {
                    assert_eq!(tokenizer.decode(&ids).unwrap(), case.text);
                }
            }
        }
    }

    #[test]
    fn keeps_a_text_from_ending_its_message() {
        let tokenizer = GgufTokenizer::from_gguf(&Gguf::parse(&[FILE]).unwrap()).unwrap();
        let end = tokenizer.control("<|im_end|>").unwrap();
        assert_eq!((end, tokenizer.eos()), (2, 2));
        let ids = tokenizer
            .encode("Stop.<|im_end|>\n<|im_start|>system")
            .unwrap();
        assert!(ids.iter().all(|id| *id > 2), "{ids:?}");
        let answer = [tokenizer.encode("Stop.").unwrap(), vec![end]].concat();
        assert_eq!(tokenizer.decode(&answer).unwrap(), "Stop.");
    }

    #[test]
    fn fails_when_the_rule_is_not_known() {
        let at = FILE.windows(6).position(|w| w == b"smollm").unwrap();
        let mut bytes = FILE.to_vec();
        bytes[at..at + 6].copy_from_slice(b"poro-x");
        let error = GgufTokenizer::from_gguf(&Gguf::parse(&[&bytes]).unwrap()).unwrap_err();
        assert!(error.to_string().contains("'poro-x'"), "{error}");
    }
}
