//! Articles in, translated articles out: the types that cross this floor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Translator;
use crate::decode::DecodeOptions;
use crate::text::{Direction, Lang};

/// A stable name for something that a reader of a record must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The first hypothesis failed a check and another one was taken.
    Retried,
    /// The target is not in the target language's script.
    WrongLanguage,
    /// The target repeats the source.
    Copied,
    /// The target is empty.
    Empty,
    /// The target loops.
    Repeated,
    /// The target is much shorter than such a source asks.
    TooShort,
    /// The target is much longer, or was cut off at the limit.
    TooLong,
    /// A number of the source is missing from the target.
    NumberLost,
    /// The target has a number that the source has not.
    NumberAdded,
    /// A URL, handle, placeholder or tag did not come back.
    SpanLost,
    /// The segment passed the model's limit and was split and rejoined.
    Wrapped,
    /// Already in the target language, kept as it is.
    Unchanged,
    /// The input was not UTF-8 and has been recoded.
    Recoded,
    /// Made by the embedded draft model.
    DraftModel,
    /// Summarised in windows that were merged.
    MapReduced,
}

/// One segment with its target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranslatedSegment {
    /// Index into the article's blocks.
    pub block: usize,
    /// Source text of the segment.
    pub source: String,
    /// Target text.
    pub target: String,
    /// Score of the hypothesis; `None` where no model was asked.
    pub score: Option<f32>,
    /// What a reader must know of it.
    pub flags: Vec<Flag>,
}

/// Sizes of one article.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Segments.
    pub segments: usize,
    /// Words of the source, split at white space.
    pub source_words: usize,
    /// Source tokens that the model read.
    pub source_tokens: usize,
    /// Target tokens that the model wrote.
    pub target_tokens: usize,
}

/// What became of one article.
#[derive(Clone, Debug, PartialEq)]
pub struct TranslatedArticle {
    /// Source language, given or detected.
    pub lang: Lang,
    /// Target language.
    pub target_lang: Lang,
    /// Translated title.
    pub title: Option<String>,
    /// The translated text, in the source's blocks.
    pub text: String,
    /// Segments of the text in order (not of the title).
    pub segments: Vec<TranslatedSegment>,
    /// Flags of the whole article, sorted, without repeats: its own and those of its segments.
    pub flags: Vec<Flag>,
    /// Sizes.
    pub counts: Counts,
    /// `ID@REVISION` of the model.
    pub model: String,
}

/// How to translate articles.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// Source language for articles that state none; `None`: detect.
    pub from: Option<Lang>,
    /// Target language; `None`: the other one of English and Arabic.
    pub to: Option<Lang>,
    /// Search options.
    pub decode: DecodeOptions,
    /// What to do with hard-wrapped lines.
    pub wrapped: Wrapped,
    /// Source tokens of one batch at most.
    pub batch_tokens: usize,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            decode: DecodeOptions::default(),
            wrapped: Wrapped::Auto,
            batch_tokens: 1024,
        }
    }
}

/// Hard-wrapped lines of a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wrapped {
    /// Join where the lines look wrapped by a mail program or editor.
    #[default]
    Auto,
    /// Always join the lines of a paragraph.
    Join,
    /// Every line is a paragraph.
    Keep,
}

/// The opened models of a command, one a direction at most.
#[derive(Clone, Default)]
pub struct Translators(Vec<Arc<dyn Translator>>);

impl Translators {
    /// A set; for a direction the first model that has it serves.
    #[must_use]
    pub fn new(models: Vec<Arc<dyn Translator>>) -> Self {
        Self(models)
    }

    /// The model of a direction.
    #[must_use]
    pub fn get(&self, direction: Direction) -> Option<&dyn Translator> {
        self.0
            .iter()
            .find(|m| m.info().directions.contains(&direction))
            .map(AsRef::as_ref)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Translator> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// Why one article could not be translated; the others go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArticleError {
    /// Nothing to translate.
    #[error("the article has no text")]
    NoText,
    /// No model of this direction is open.
    #[error("no model translates {0}")]
    UnsupportedLanguage(Direction),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] super::TranslateError),
}
