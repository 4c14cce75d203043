//! Summaries that an encoder-decoder model writes: BART, PEGASUS, T5, mT5 and their like.
//!
//! Length, beams and bans are the model's own (`generation_config.json`, or the task `summarization`
//! of `config.json`). A text longer than the model reads is cut between sentences into windows that
//! share a sentence; their summaries are joined and summarised again, and the record says so. What
//! no reader should be shown is dropped as for chat models.

use rayon::prelude::*;

use super::chat::{pieces, usable};
use super::work::Work;
use super::{Document, Size, SummarizeError, Summarizer, Summary};
use crate::text::{Lang, split_long};
use crate::translate::HubModel;

/// Source tokens that are decoded together: what caches and buffers of one thread hold.
const BATCH_TOKENS: usize = 4096;

/// An encoder-decoder model as a summariser.
#[derive(Debug)]
pub struct Seq2SeqSummarizer {
    name: String,
    languages: Vec<Lang>,
    model: HubModel,
}

impl Seq2SeqSummarizer {
    /// A summariser over an opened model; it reads the languages that its vocabulary is made for.
    #[must_use]
    pub fn new(id: &str, model: HubModel) -> Self {
        Self {
            name: format!("{id}@{}", model.revision()),
            languages: model.scripts(),
            model,
        }
    }

    /// What the model writes of texts that it can read whole, with whether the limit cut it off.
    ///
    /// # Errors
    /// When the tokeniser fails, or the model has no token for the language.
    pub fn write(&self, texts: &[&str], lang: Lang) -> Result<Vec<(String, bool)>, String> {
        self.model.summarize(texts, lang)
    }

    /// Sentences put together to texts that the model reads whole; with `overlap` each begins with
    /// the last sentence of the one before.
    fn windows(&self, pieces: &[(&str, String)], lang: Lang, overlap: bool) -> Vec<String> {
        let fits = |text: &str| self.model.reads_whole(text, lang);
        let mut small: Vec<(&str, &str)> = Vec::new();
        for (gap, text) in pieces {
            if fits(text) {
                small.push((gap, text));
            } else {
                let parts = split_long(text, &fits).into_iter();
                small.extend(parts.map(|range| (" ", &text[range])));
            }
        }
        let mut windows: Vec<String> = Vec::new();
        let mut last = "";
        for (gap, text) in small {
            let gap = if gap.contains('\n') { " " } else { gap };
            let longer = windows.last().map(|w| format!("{w}{gap}{text}"));
            match (longer.filter(|w| fits(w)), windows.last_mut()) {
                (Some(longer), Some(window)) => *window = longer,
                _ => {
                    let both = format!("{last}{gap}{text}");
                    let shared = overlap && !last.is_empty() && fits(&both);
                    windows.push(if shared { both } else { text.to_owned() });
                }
            }
            last = text;
        }
        windows
    }

    fn start(&self, document: &Document<'_>, size: Size) -> Work {
        let pieces = pieces(document);
        let pieces: Vec<(&str, String)> = pieces.into_iter().collect();
        let windows = self.windows(&pieces, document.lang, true);
        let sentences = size.of(pieces.len());
        Work::new(windows, document.lang, sentences, self.reads(document.lang))
    }

    /// The summaries of a work's windows, in batches.
    fn answers(&self, work: &Work) -> Result<Vec<(String, bool)>, String> {
        let mut out = Vec::new();
        let rows = (BATCH_TOKENS / self.model.longest_source()).max(1);
        for batch in work.windows.chunks(rows) {
            let texts: Vec<&str> = batch.iter().map(String::as_str).collect();
            out.extend(self.write(&texts, work.lang)?);
        }
        Ok(out)
    }

    /// One round: the windows' summaries, and either the answer or the next windows.
    fn round(&self, work: &mut Work) {
        let answers = match self.answers(work) {
            Ok(answers) => answers,
            Err(message) => {
                work.done = Some(Err(message));
                return;
            }
        };
        let finish = |text: &str, cut| usable(text, cut, &work.source, work.lang, work.sentences);
        if let [(text, cut)] = &answers[..] {
            work.done = Some(finish(text, *cut));
            return;
        }
        let written: Vec<(&str, String)> = answers
            .iter()
            .map(|(text, _)| (" ", text.trim().to_owned()))
            .filter(|(_, text)| !text.is_empty())
            .collect();
        let next = self.windows(&written, work.lang, false);
        if next.is_empty() {
            work.done = Some(Err("it wrote nothing".to_owned()));
        } else if next.len() >= work.windows.len() {
            // Summaries as long as their sources get no shorter by another round.
            work.done = Some(finish(&next.join(" "), true));
        } else {
            work.windows = next;
        }
    }
}

impl Summarizer for Seq2SeqSummarizer {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn reads(&self, lang: Lang) -> bool {
        self.languages.contains(&lang)
    }

    fn writes(&self) -> bool {
        true
    }

    fn summarize(
        &self,
        documents: &[Document<'_>],
        size: Size,
    ) -> Vec<Result<Summary, SummarizeError>> {
        let one = |document: &Document<'_>| {
            let mut work = self.start(document, size);
            loop {
                if let Some(result) = work.result(&self.name) {
                    return result;
                }
                self.round(&mut work);
            }
        };
        documents.par_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::article::BlockKind;
    use crate::engine::linear::Compute;
    use crate::kernel::Kernels;
    use crate::summarize::Sentence;

    fn model() -> Seq2SeqSummarizer {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/encdec/pegasus");
        let model = HubModel::open(&dir, Kernels::detect(), Compute::Int8).unwrap();
        Seq2SeqSummarizer::new("pegasus", model)
    }

    #[test]
    fn windows_hold_every_sentence_and_share_one() {
        let model = model();
        let sentences: Vec<String> = (0..12).map(|i| format!("Oil prices rose {i}.")).collect();
        let pieces: Vec<(&str, String)> = sentences.iter().map(|s| (" ", s.clone())).collect();
        let windows = model.windows(&pieces, Lang::EN, true);
        assert!(windows.len() > 2, "{windows:?}");
        assert!(windows.iter().all(|w| model.model.reads_whole(w, Lang::EN)));
        for sentence in &sentences {
            assert!(windows.iter().any(|w| w.contains(sentence)), "{sentence}");
        }
        for pair in windows.windows(2) {
            let first = pair[1].split_inclusive(". ").next().unwrap().trim();
            let last = pair[0].split_inclusive(". ").last().unwrap().trim();
            assert_eq!(first, last);
        }
        assert_eq!(model.windows(&pieces[..1], Lang::EN, true), sentences[..1]);
    }

    #[test]
    fn a_long_article_ends_with_a_summary_or_a_reason() {
        let model = model();
        let text = "Police arrested four men after a fire destroyed two warehouses near the river.";
        let sentence = |block| Sentence {
            text,
            block,
            kind: BlockKind::Paragraph,
        };
        let document = Document {
            sentences: (0..30).map(sentence).collect(),
            lang: Lang::EN,
        };
        for made in model.summarize(&[document], Size::Sentences(2)) {
            match made {
                Ok(Summary::Written { map_reduced, .. }) => assert!(map_reduced),
                Ok(Summary::Chosen(_)) => panic!("an encoder-decoder model writes"),
                Err(error) => assert!(error.to_string().starts_with("pegasus@"), "{error}"),
            }
        }
        assert!(model.reads(Lang::EN) && model.writes());
    }
}
