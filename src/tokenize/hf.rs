//! `tokenizer.json` files through the tokenizers library.

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
    pub(super) fn new(tokenizer: Tokenizer) -> Self {
        Self(Box::new(tokenizer))
    }

    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// When the bytes are no tokenizer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenizerError> {
        Tokenizer::from_bytes(bytes)
            .map(|t| Self(Box::new(t)))
            .map_err(|e| TokenizerError(e.to_string()))
    }

    /// Ids of `text`, without special tokens.
    ///
    /// # Errors
    /// When the library fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self
            .0
            .encode_fast(text, false)
            .map_err(|e| TokenizerError(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of `ids`; special tokens are left out.
    ///
    /// # Errors
    /// When the library fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.0
            .decode(ids, true)
            .map_err(|e| TokenizerError(e.to_string()))
    }
}
