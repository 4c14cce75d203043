//! Article to article: what is translated, what is kept, what is checked.

pub mod checks;
pub mod numbers;
pub mod pipeline;
pub mod seq2seq;
pub mod spans;
pub mod translator;

pub use pipeline::{
    ArticleError, Counts, Flag, PipelineOptions, TranslatedArticle, TranslatedSegment, Translators,
    Wrapped,
};
pub use seq2seq::{FirefoxTranslator, OpenError};
pub use translator::{Hypothesis, LineResult, ModelInfo, TranslateError, Translator};
