//! Summaries of articles: from segments to one text a language.

use std::collections::BTreeMap;

use super::{Sentence, Size, Summarizer, boilerplate};
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

/// The summary of a translated article in both its languages, from the same segments.
///
/// The choice is made on the source side. Segments whose translation failed a check are chosen
/// only when no other is left. The dateline of the article's first sentence is left out. The map
/// is empty when the article has no segment.
#[must_use]
pub fn summarize_translated(
    source: &Article,
    translated: &TranslatedArticle,
    summarizer: &dyn Summarizer,
    size: Size,
) -> BTreeMap<Lang, String> {
    let fit = |segment: &&TranslatedSegment| {
        !segment.target.trim().is_empty() && !segment.flags.iter().any(|f| UNFIT.contains(f))
    };
    let mut segments: Vec<&TranslatedSegment> = translated.segments.iter().filter(fit).collect();
    if segments.is_empty() {
        segments = translated.segments.iter().collect();
    }
    let sentences: Vec<Sentence<'_>> = segments
        .iter()
        .map(|s| sentence(source, &s.source, s.block))
        .collect();
    let chosen = summarizer.choose(&sentences, translated.lang, size);
    if chosen.is_empty() {
        return BTreeMap::new();
    }
    let first = translated
        .segments
        .iter()
        .position(|s| kind(source, s.block) == BlockKind::Paragraph);
    let opening = first.map(|i| &translated.segments[i]);
    let (mut sources, mut targets) = (Vec::new(), Vec::new());
    for segment in chosen.iter().filter_map(|&i| segments.get(i)) {
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

/// The summary of an article in its own language, from sentences with the index of their block.
///
/// Empty when there is no sentence.
#[must_use]
pub fn summarize_article(
    source: &Article,
    sentences: &[(usize, &str)],
    lang: Lang,
    summarizer: &dyn Summarizer,
    size: Size,
) -> String {
    let list: Vec<Sentence<'_>> = sentences
        .iter()
        .map(|&(block, text)| sentence(source, text, block))
        .collect();
    let first = list.iter().position(|s| s.kind == BlockKind::Paragraph);
    let texts: Vec<&str> = summarizer
        .choose(&list, lang, size)
        .into_iter()
        .filter_map(|i| {
            let text = list.get(i)?.text.trim();
            Some(if first == Some(i) {
                boilerplate::strip_dateline(text, lang)
            } else {
                text
            })
        })
        .collect();
    texts.join(" ")
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
    use crate::summarize::Extractive;
    use crate::translate::Counts;

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
        let got = summarize_translated(
            &article,
            &translated,
            &Extractive::default(),
            Size::Sentences(1),
        );
        assert_eq!(
            got[&Lang::EN],
            "Police in Basra seized a million pills on Monday."
        );
        assert_eq!(got[&Lang::AR], "ضبطت شرطة البصرة مليون حبة يوم الاثنين.");
    }

    #[test]
    fn keeps_a_failed_translation_out() {
        let (article, translated) = case(&[Flag::Repeated]);
        let got = summarize_translated(
            &article,
            &translated,
            &Extractive::default(),
            Size::Sentences(1),
        );
        assert_eq!(got[&Lang::AR], "واعتقل سائقا الشاحنة كلاهما.");
    }

    #[test]
    fn keeps_an_empty_article_empty() {
        let (article, mut translated) = case(&[]);
        translated.segments.clear();
        let got = summarize_translated(
            &article,
            &translated,
            &Extractive::default(),
            Size::Sentences(2),
        );
        assert!(got.is_empty());
    }
}
