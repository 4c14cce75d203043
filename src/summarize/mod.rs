//! Summaries: what an article says, in a few sentences.
//!
//! A summariser either chooses sentences of the article or writes its own. Chosen sentences are
//! segments: the summary in the other language is made of the same segments' targets. What a model
//! wrote is translated. Either way both languages say the same.

mod articles;
mod boilerplate;
mod chat;
mod extractive;
mod seq2seq;
mod translated;
mod work;

use crate::article::BlockKind;
use crate::text::Lang;

pub use articles::{ArticleSummary, SummaryDesk, summarize_articles};
pub use boilerplate::{is_boilerplate, strip_dateline};
pub use chat::ChatSummarizer;
pub use extractive::Extractive;
pub use seq2seq::Seq2SeqSummarizer;

/// A sentence of an article, as a summariser sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentence<'a> {
    /// Its text.
    pub text: &'a str,
    /// Index of its block in the article.
    pub block: usize,
    /// What its block is.
    pub kind: BlockKind,
}

/// How long a summary is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// So many sentences at most.
    Sentences(usize),
    /// So large a share (0 to 1) of the sentences, at least one.
    Share(f32),
}

impl Size {
    /// Number of sentences to take of `available`.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count of sentences; saturates, and is clamped to the count"
    )]
    pub fn of(self, available: usize) -> usize {
        let wanted = match self {
            Self::Sentences(n) => n,
            Self::Share(share) => ((available as f32 * share).round() as usize).max(1),
        };
        wanted.min(available)
    }
}

/// An article, as a summariser sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<'a> {
    /// Its sentences, in order.
    pub sentences: Vec<Sentence<'a>>,
    /// Their language.
    pub lang: Lang,
}

/// What a summariser made of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Summary {
    /// Indices of the document's sentences, ascending.
    Chosen(Vec<usize>),
    /// A text in the document's language.
    Written {
        /// The text.
        text: String,
        /// The document passed the model's window: its parts were summarised, then their
        /// summaries.
        map_reduced: bool,
    },
}

/// Why a summariser gives no summary of a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{model}: {message}")]
pub struct SummarizeError {
    /// `ID@REVISION`.
    pub model: String,
    /// Why.
    pub message: String,
}

/// A model or a method that makes summaries.
///
/// A result must not depend on the other documents of the call, nor on threads.
pub trait Summarizer: Send + Sync {
    /// `ID@REVISION`, as records name it.
    fn name(&self) -> String;

    /// Whether it summarises texts of this language.
    fn reads(&self, lang: Lang) -> bool;

    /// Whether it writes a text of its own; else it chooses sentences, and is to be given those
    /// alone that may be shown in the other language as well.
    fn writes(&self) -> bool;

    /// Summaries of the documents, in their order, on the rayon threads of the caller.
    fn summarize(
        &self,
        documents: &[Document<'_>],
        size: Size,
    ) -> Vec<Result<Summary, SummarizeError>>;
}
