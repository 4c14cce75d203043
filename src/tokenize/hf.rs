//! `tokenizer.json` files through the tokenizers library.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::IgnoredAny;
use tokenizers::Tokenizer;

/// A `tokenizer.json` that does not load or does not encode.
#[derive(Debug, thiserror::Error)]
#[error("the tokenizer failed: {0}")]
pub struct TokenizerError(String);

impl TokenizerError {
    pub(super) fn of(message: impl std::fmt::Display) -> Self {
        Self(message.to_string())
    }
}

/// A tokeniser as Hugging Face's tokenizers library reads it.
#[derive(Debug)]
pub struct HfTokenizer(Box<Tokenizer>);

impl HfTokenizer {
    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// When the bytes are no tokenizer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenizerError> {
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(TokenizerError::of)?;
        guarded(|| Tokenizer::from_bytes(bytes)).map(Self::new)
    }

    pub(super) fn new(mut tokenizer: Tokenizer) -> Self {
        // What a file says of padding and cutting is not for us.
        tokenizer.with_padding(None);
        let _ = tokenizer.with_truncation(None);
        Self(Box::new(tokenizer))
    }

    /// Id of a token by its name.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }

    /// Names of all tokens, sorted.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.get_vocab(true).into_keys().collect();
        names.sort();
        names
    }

    /// Ids of the tokens whose names `holds`, sorted.
    #[must_use]
    pub fn ids_where(&self, holds: impl Fn(&str) -> bool) -> Vec<u32> {
        let all = self.0.get_vocab(true).into_iter();
        let mut ids: Vec<u32> = all
            .filter(|(name, _)| holds(name))
            .map(|(_, id)| id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Ids of `text`, without special tokens.
    ///
    /// # Errors
    /// When the library fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = guarded(|| self.0.encode_fast(text, false))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of `ids`; special tokens are left out.
    ///
    /// # Errors
    /// When the library fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        guarded(|| self.0.decode(ids, true))
    }
}

/// The library panics at some files that are not as it expects (an unknown decoder is one).
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, TokenizerError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(TokenizerError::of),
        Err(_) => Err(TokenizerError::of(
            "it is not as the tokenizers library expects",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fails_when_a_file_is_cut_off_or_has_a_part_that_nobody_knows() {
        let model = r#""model":{"type":"BPE","vocab":{"a":0},"merges":[]}"#;
        let with = |decoder: &str| format!("{{\"version\":\"1.0\",\"decoder\":{decoder},{model}}}");
        let good = with(r#"{"type":"Fuse"}"#);
        let tokenizer = HfTokenizer::from_bytes(good.as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("a").unwrap(), [0]);
        for end in 0..good.len() {
            assert!(HfTokenizer::from_bytes(&good.as_bytes()[..end]).is_err());
        }
        for decoder in ["7", "{}", r#"{"type":"None such"}"#, r#"{"type":"\ud800"}"#] {
            assert!(
                HfTokenizer::from_bytes(with(decoder).as_bytes()).is_err(),
                "{decoder}"
            );
        }
    }
}
