//! Article to article: what is translated, what is kept, what is checked.

mod articles;
mod batch;
pub mod checks;
pub mod encdec;
mod layout;
pub mod llm;
pub mod numbers;
pub mod pipeline;
mod recase;
pub mod seq2seq;
mod solve;
pub mod spans;
pub mod translator;

pub use articles::{translate_articles, translate_lines_guarded};
pub use batch::{decode_ids, translate_lines};
pub use encdec::{HubError, HubModel, HubTranslator};
pub use pipeline::{
    ArticleError, Counts, Flag, PipelineOptions, TranslatedArticle, TranslatedSegment, Translators,
    Wrapped,
};
pub use seq2seq::{FirefoxTranslator, OpenError};
pub use translator::{Hypothesis, LineResult, MacsPerToken, ModelInfo, TranslateError, Translator};

#[cfg(test)]
mod tests;
