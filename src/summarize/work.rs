//! An article on its way to a summary that a model writes, window by window.

use super::{SummarizeError, Summary};
use crate::text::Lang;

/// What is left to read of one article, and what came of it.
pub(super) struct Work {
    /// Text of all windows.
    pub(super) source: String,
    pub(super) windows: Vec<String>,
    pub(super) lang: Lang,
    pub(super) sentences: usize,
    map_reduced: bool,
    pub(super) done: Option<Result<String, String>>,
}

impl Work {
    /// The article's text as `windows`; done at once where there is nothing to read, or where the
    /// model does not read the language.
    pub(super) fn new(windows: Vec<String>, lang: Lang, sentences: usize, reads: bool) -> Self {
        let done = if windows.is_empty() {
            Some(Ok(String::new()))
        } else if !reads {
            Some(Err(format!("it does not read {lang}")))
        } else {
            None
        };
        Self {
            source: windows.join(" "),
            map_reduced: windows.len() > 1,
            windows,
            lang,
            sentences,
            done,
        }
    }

    /// The result of an article that is done, or why `model` wrote none.
    pub(super) fn result(&mut self, model: &str) -> Option<Result<Summary, SummarizeError>> {
        let done = self.done.take()?;
        let map_reduced = self.map_reduced;
        Some(
            done.map(|text| Summary::Written { text, map_reduced })
                .map_err(|message| SummarizeError {
                    model: model.to_owned(),
                    message,
                }),
        )
    }
}
