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
    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// When the bytes are no tokenizer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenizerError> {
        Tokenizer::from_bytes(bytes)
            .map(Self::new)
            .map_err(|e| TokenizerError(e.to_string()))
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
