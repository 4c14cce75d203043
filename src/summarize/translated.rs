//! Chosen sentences in both languages of a translated article.

use std::collections::BTreeMap;

use super::{Document, Sentence, boilerplate};
use crate::article::{Article, BlockKind};
use crate::text::Lang;
use crate::translate::{Flag, TranslatedArticle, TranslatedSegment};

/// Flags of targets that no summary should show where there are others.
const UNFIT: [Flag; 4] = [
    Flag::Empty,
    Flag::WrongLanguage,
    Flag::Repeated,
    Flag::Copied,
];

/// An article and its translation, with the segments that a summary may show.
pub(super) struct Pair<'a> {
    source: &'a Article,
    pub(super) translated: &'a TranslatedArticle,
    segments: Vec<&'a TranslatedSegment>,
}

impl<'a> Pair<'a> {
    /// Segments whose translation failed a check are left out, unless no other is left.
    pub(super) fn new(source: &'a Article, translated: &'a TranslatedArticle) -> Self {
        let fit = |segment: &&TranslatedSegment| {
            !segment.target.trim().is_empty() && !segment.flags.iter().any(|f| UNFIT.contains(f))
        };
        let mut segments: Vec<_> = translated.segments.iter().filter(fit).collect();
        if segments.is_empty() {
            segments = translated.segments.iter().collect();
        }
        Self {
            source,
            translated,
            segments,
        }
    }

    /// The language that is not `lang`.
    pub(super) fn other(&self, lang: Lang) -> Lang {
        if lang == self.translated.lang {
            self.translated.target_lang
        } else {
            self.translated.lang
        }
    }

    /// The sentences of the source or of the translation that a summary may show.
    pub(super) fn document(&self, lang: Lang) -> Document<'a> {
        self.sentences(&self.segments, lang)
    }

    /// All sentences that can be read: the whole source, and what is fit of the translation.
    pub(super) fn whole(&self, lang: Lang) -> Document<'a> {
        if lang == self.translated.lang {
            let all: Vec<_> = self.translated.segments.iter().collect();
            self.sentences(&all, lang)
        } else {
            self.sentences(&self.segments, lang)
        }
    }

    fn sentences(&self, segments: &[&'a TranslatedSegment], lang: Lang) -> Document<'a> {
        let own = lang == self.translated.lang;
        let text = |s: &&'a TranslatedSegment| {
            let text = if own { &s.source } else { &s.target };
            sentence(self.source, text, s.block)
        };
        Document {
            sentences: segments.iter().map(text).collect(),
            lang,
        }
    }
}

/// The summary in both languages from the same segments, by their indices in [`Pair::document`].
///
/// The dateline of the article's first sentence is left out. The map is empty when nothing is
/// chosen.
pub(super) fn compose(pair: &Pair<'_>, chosen: &[usize]) -> BTreeMap<Lang, String> {
    if chosen.is_empty() {
        return BTreeMap::new();
    }
    let translated = pair.translated;
    let first = translated
        .segments
        .iter()
        .position(|s| kind(pair.source, s.block) == BlockKind::Paragraph);
    let opening = first.map(|i| &translated.segments[i]);
    let (mut sources, mut targets) = (Vec::new(), Vec::new());
    for segment in chosen.iter().filter_map(|&i| pair.segments.get(i)) {
        let (mut from, mut to) = (segment.source.trim(), segment.target.trim());
        if opening.is_some_and(|o| std::ptr::eq(o, *segment)) {
            let stripped = boilerplate::strip_dateline(from, translated.lang);
            if stripped.len() < from.len() {
                from = stripped;
                to = boilerplate::strip_dateline(to, translated.target_lang);
            }
        }
        sources.push(from);
        targets.push(to);
    }
    BTreeMap::from([
        (translated.lang, sources.join(" ")),
        (translated.target_lang, targets.join(" ")),
    ])
}

fn kind(article: &Article, block: usize) -> BlockKind {
    article
        .blocks
        .get(block)
        .map_or(BlockKind::Paragraph, |b| b.kind)
}

fn sentence<'a>(article: &Article, text: &'a str, block: usize) -> Sentence<'a> {
    Sentence {
        text,
        block,
        kind: kind(article, block),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::article::Block;
    use crate::summarize::{Extractive, Size};
    use crate::translate::Counts;

    fn summarize(
        article: &Article,
        translated: &TranslatedArticle,
        n: usize,
    ) -> BTreeMap<Lang, String> {
        let pair = Pair::new(article, translated);
        let document = pair.document(translated.lang);
        let size = Size::Sentences(n);
        let chosen = Extractive::default().choose(&document.sentences, document.lang, size);
        compose(&pair, &chosen)
    }

    fn block(kind: BlockKind, text: &str) -> Block {
        Block {
            kind,
            prefix: String::new(),
            text: text.to_owned(),
            separator: "\n".to_owned(),
        }
    }

    fn segment(block: usize, source: &str, target: &str, flags: &[Flag]) -> TranslatedSegment {
        TranslatedSegment {
            block,
            source: source.to_owned(),
            target: target.to_owned(),
            score: None,
            flags: flags.to_vec(),
        }
    }

    fn case(flags: &[Flag]) -> (Article, TranslatedArticle) {
        let article = Article {
            blocks: vec![
                block(BlockKind::Heading, "Pills"),
                block(BlockKind::Paragraph, ".."),
            ],
            ..Article::default()
        };
        let segments = vec![
            segment(
                0,
                "Police in Basra seize pills and drugs",
                "شرطة البصرة تضبط حبوبا",
                &[],
            ),
            segment(
                1,
                "BASRA (Agencies) - Police in Basra seized a million pills on Monday.",
                "البصرة (وكالات) - ضبطت شرطة البصرة مليون حبة يوم الاثنين.",
                flags,
            ),
            segment(
                1,
                "Two drivers of the lorry were arrested.",
                "واعتقل سائقا الشاحنة كلاهما.",
                &[],
            ),
        ];
        let translated = TranslatedArticle {
            lang: Lang::EN,
            target_lang: Lang::AR,
            title: None,
            text: String::new(),
            segments,
            flags: Vec::new(),
            counts: Counts::default(),
            model: String::new(),
        };
        (article, translated)
    }

    #[test]
    fn keeps_both_languages_saying_the_same() {
        let (article, translated) = case(&[]);
        let got = summarize(&article, &translated, 1);
        assert_eq!(
            got[&Lang::EN],
            "Police in Basra seized a million pills on Monday."
        );
        assert_eq!(got[&Lang::AR], "ضبطت شرطة البصرة مليون حبة يوم الاثنين.");
    }

    #[test]
    fn keeps_a_failed_translation_out() {
        let (article, translated) = case(&[Flag::Repeated]);
        let got = summarize(&article, &translated, 1);
        assert_eq!(got[&Lang::AR], "واعتقل سائقا الشاحنة كلاهما.");
    }

    #[test]
    fn keeps_an_empty_article_empty() {
        let (article, mut translated) = case(&[]);
        translated.segments.clear();
        let got = summarize(&article, &translated, 2);
        assert!(got.is_empty());
    }
}
