//! Summaries: which sentences of an article say what it says.
//!
//! An extractive summary chooses segments of the source once; the summary in the other language
//! is made of the same segments' targets, so both say the same.

mod boilerplate;
mod extractive;
mod translated;

use crate::article::BlockKind;
use crate::text::Lang;

pub use boilerplate::{is_boilerplate, strip_dateline};
pub use extractive::Extractive;
pub use translated::{summarize_article, summarize_translated};

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

/// A way of choosing sentences.
pub trait Summarizer: Send + Sync {
    /// `ID@REVISION`, as records name it.
    fn name(&self) -> String;

    /// Indices of the chosen sentences, ascending.
    ///
    /// The same sentences, language and size give the same choice.
    fn choose(&self, sentences: &[Sentence<'_>], lang: Lang, size: Size) -> Vec<usize>;
}
