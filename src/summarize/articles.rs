//! Summaries of translated articles in both their languages.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::translated::{Pair, compose};
use super::{Document, Extractive, Size, Summarizer, Summary};
use crate::article::{Article, Block, BlockKind};
use crate::text::{Direction, Lang, marks};
use crate::translate::{
    Flag, PipelineOptions, TranslatedArticle, TranslatedSegment, Translators, translate_articles,
};

/// What summaries are made with.
#[derive(Clone, Copy)]
pub struct SummaryDesk<'a> {
    /// The model or method.
    pub summarizer: &'a dyn Summarizer,
    /// How long.
    pub size: Size,
    /// Translate what a model wrote into the other language.
    pub models: &'a Translators,
    /// How to translate it.
    pub options: &'a PipelineOptions,
    /// Threads.
    pub pool: &'a rayon::ThreadPool,
}

/// The summaries of one article.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArticleSummary {
    /// By language; empty when the article has no sentence.
    pub texts: BTreeMap<Lang, String>,
    /// What a reader must know of them, sorted.
    pub flags: Vec<Flag>,
    /// `ID@REVISION` of what made them; two where one language was made another way.
    pub model: String,
    /// Why sentences were chosen where a model should have written.
    pub fallback: Option<String>,
}

/// Summarises articles in those of `languages` that they have, results in their order.
///
/// A summariser reads the side of an article, source or translation, whose language it reads. What
/// it writes is translated into the other language, so that both say the same. Where it fails, reads
/// neither language, or no model translates its summary, sentences of the article are chosen
/// instead, and `fallback` says why.
#[must_use]
pub fn summarize_articles(
    articles: &[(&Article, &TranslatedArticle)],
    languages: &[Lang],
    desk: SummaryDesk<'_>,
) -> Vec<ArticleSummary> {
    let plain: Vec<Cow<'_, TranslatedArticle>> =
        articles.iter().map(|(_, t)| without_marks(t)).collect();
    let pairs: Vec<Pair<'_>> = articles
        .iter()
        .zip(&plain)
        .map(|((source, _), translated)| Pair::new(source, translated))
        .collect();
    let side = |pair: &Pair<'_>| {
        let both = [pair.translated.lang, pair.translated.target_lang];
        both.into_iter().find(|lang| desk.summarizer.reads(*lang))
    };
    let sides: Vec<Option<Lang>> = pairs.iter().map(side).collect();
    let documents: Vec<Document<'_>> = pairs
        .iter()
        .zip(&sides)
        .filter_map(|(pair, side)| {
            let lang = (*side)?;
            Some(if desk.summarizer.writes() {
                pair.whole(lang)
            } else {
                pair.document(lang)
            })
        })
        .collect();
    let summarize = || desk.summarizer.summarize(&documents, desk.size);
    let mut made = desk.pool.install(summarize).into_iter();
    let mut out: Vec<ArticleSummary> = Vec::new();
    let mut to_translate = Vec::new();
    for (index, (pair, side)) in pairs.iter().zip(&sides).enumerate() {
        let name = desk.summarizer.name();
        let result = match side {
            Some(lang) => made.next().map(|made| made.map(|summary| (*lang, summary))),
            None => None,
        };
        let mut summary = ArticleSummary {
            model: name.clone(),
            ..ArticleSummary::default()
        };
        match result {
            Some(Ok((_, Summary::Chosen(chosen)))) => summary.texts = compose(pair, &chosen),
            Some(Ok((lang, Summary::Written { text, map_reduced }))) => {
                if map_reduced {
                    summary.flags.push(Flag::MapReduced);
                }
                let other = pair.other(lang);
                if !text.is_empty() {
                    if languages.contains(&other) {
                        to_translate.push((
                            index,
                            Direction {
                                from: lang,
                                to: other,
                            },
                            text.clone(),
                        ));
                    }
                    summary.texts.insert(lang, text);
                }
            }
            Some(Err(error)) => fall_back(&mut summary, pair, error.to_string(), desk.size),
            None => {
                let (from, to) = (pair.translated.lang, pair.translated.target_lang);
                let why = format!("{name} reads neither {from} nor {to}");
                fall_back(&mut summary, pair, why, desk.size);
            }
        }
        out.push(summary);
    }
    translate(&mut out, &pairs, to_translate, desk);
    for summary in &mut out {
        summary.texts.retain(|lang, _| languages.contains(lang));
        summary.flags.sort_unstable();
        summary.flags.dedup();
    }
    out
}

/// A summary has no links and no emphasis.
fn without_marks(article: &TranslatedArticle) -> Cow<'_, TranslatedArticle> {
    let marked = |text: &str| marks::read(text).is_some();
    let any = |s: &TranslatedSegment| marked(&s.source) || marked(&s.target);
    if !article.segments.iter().any(any) {
        return Cow::Borrowed(article);
    }
    let mut article = article.clone();
    for segment in &mut article.segments {
        segment.source = marks::plain(&segment.source).into_owned();
        segment.target = marks::plain(&segment.target).into_owned();
    }
    Cow::Owned(article)
}

/// Chooses sentences for both languages instead.
fn fall_back(summary: &mut ArticleSummary, pair: &Pair<'_>, why: String, size: Size) {
    let extractive = Extractive::default();
    summary.texts = chosen(&extractive, pair, size);
    summary.model = extractive.name();
    summary.fallback = Some(why);
}

fn chosen(extractive: &Extractive, pair: &Pair<'_>, size: Size) -> BTreeMap<Lang, String> {
    let document = pair.document(pair.translated.lang);
    let chosen = extractive.choose(&document.sentences, document.lang, size);
    compose(pair, &chosen)
}

/// Translates what was written, all together; where that fails, sentences are chosen for the
/// language that is missing.
fn translate(
    out: &mut [ArticleSummary],
    pairs: &[Pair<'_>],
    texts: Vec<(usize, Direction, String)>,
    desk: SummaryDesk<'_>,
) {
    let mut by_direction: BTreeMap<(Lang, Lang), Vec<(usize, Article)>> = BTreeMap::new();
    for (index, direction, text) in texts {
        let article = Article {
            lang: Some(direction.from),
            blocks: vec![Block {
                kind: BlockKind::Paragraph,
                prefix: String::new(),
                text,
                separator: String::new(),
            }],
            ..Article::default()
        };
        let key = (direction.from, direction.to);
        by_direction.entry(key).or_default().push((index, article));
    }
    for ((from, to), items) in by_direction {
        let options = PipelineOptions {
            from: Some(from),
            to: Some(to),
            ..desk.options.clone()
        };
        let (places, articles): (Vec<usize>, Vec<Article>) = items.into_iter().unzip();
        let done = translate_articles(&articles, desk.models, &options, desk.pool);
        for (index, result) in places.into_iter().zip(done) {
            let summary = &mut out[index];
            match result {
                Ok(translated) => {
                    summary.flags.extend(&translated.flags);
                    summary.texts.insert(to, translated.text);
                }
                Err(error) => {
                    let extractive = Extractive::default();
                    let mut both = chosen(&extractive, &pairs[index], desk.size);
                    if let Some(text) = both.remove(&to) {
                        summary.texts.insert(to, text);
                    }
                    summary.model = format!("{} {}", summary.model, extractive.name());
                    let why = format!("the summary cannot be translated to {to}: {error}");
                    summary.fallback = Some(why);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::DecodeOptions;
    use crate::summarize::SummarizeError;
    use crate::translate::{
        Counts, Hypothesis, LineResult, ModelInfo, TranslateError, TranslatedSegment, Translator,
    };
    use std::sync::Arc;

    /// Writes one sentence on English texts, and fails on those about goats.
    struct Writer;

    impl Summarizer for Writer {
        fn name(&self) -> String {
            "writer@1".to_owned()
        }

        fn reads(&self, lang: Lang) -> bool {
            lang == Lang::EN
        }

        fn writes(&self) -> bool {
            true
        }

        fn summarize(
            &self,
            documents: &[Document<'_>],
            _size: Size,
        ) -> Vec<Result<Summary, SummarizeError>> {
            let write = |document: &Document<'_>| {
                let goats = document.sentences.iter().any(|s| s.text.contains("goats"));
                if goats {
                    return Err(SummarizeError {
                        model: self.name(),
                        message: "no goats".to_owned(),
                    });
                }
                Ok(Summary::Written {
                    text: format!("{} sentences were read.", document.sentences.len()),
                    map_reduced: true,
                })
            };
            documents.iter().map(write).collect()
        }
    }

    /// Says the same in Arabic of everything.
    struct Parrot(ModelInfo);

    const ARABIC: &str = "قرئت 2 من الجمل.";

    impl Translator for Parrot {
        fn info(&self) -> &ModelInfo {
            &self.0
        }

        fn source_tokens(&self, segment: &str, _direction: Direction) -> usize {
            segment.len()
        }

        fn max_source_tokens(&self) -> usize {
            512
        }

        fn translate_batch(
            &self,
            segments: &[&str],
            _direction: Direction,
            _options: &DecodeOptions,
        ) -> Result<Vec<LineResult>, TranslateError> {
            let line = |_: &&str| LineResult {
                source_ids: vec![1],
                hypotheses: vec![Hypothesis {
                    text: ARABIC.to_owned(),
                    ids: vec![1],
                    score: 0.0,
                    truncated: false,
                }],
                wrapped: false,
            };
            Ok(segments.iter().map(line).collect())
        }
    }

    fn models(from: Lang, to: Lang) -> Translators {
        let info = ModelInfo {
            id: "parrot".to_owned(),
            revision: "1".to_owned(),
            draft: false,
            directions: vec![Direction { from, to }],
        };
        Translators::new(vec![Arc::new(Parrot(info))])
    }

    fn translated(lang: Lang, target_lang: Lang, pairs: &[(&str, &str)]) -> TranslatedArticle {
        let segment = |(source, target): &(&str, &str)| TranslatedSegment {
            block: 0,
            source: (*source).to_owned(),
            target: (*target).to_owned(),
            score: None,
            flags: Vec::new(),
        };
        TranslatedArticle {
            lang,
            target_lang,
            title: None,
            text: String::new(),
            segments: pairs.iter().map(segment).collect(),
            flags: Vec::new(),
            counts: Counts::default(),
            model: String::new(),
        }
    }

    const WATER: [(&str, &str); 2] = [
        (
            "The council met in the city on Monday.",
            "اجتمع المجلس يوم الاثنين.",
        ),
        ("It spoke of the price of water.", "وتحدث عن سعر المياه."),
    ];
    const GOATS: [(&str, &str); 1] = [(
        "Forty goats walked through the ministry.",
        "سارت أربعون عنزة في الوزارة.",
    )];

    fn summarize(articles: &[TranslatedArticle], models: &Translators) -> Vec<ArticleSummary> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let options = PipelineOptions::default();
        let desk = SummaryDesk {
            summarizer: &Writer,
            size: Size::Sentences(1),
            models,
            options: &options,
            pool: &pool,
        };
        let source = Article::default();
        let pairs: Vec<_> = articles.iter().map(|a| (&source, a)).collect();
        summarize_articles(&pairs, &[Lang::EN, Lang::AR], desk)
    }

    #[test]
    fn keeps_both_languages_saying_what_the_model_wrote() {
        let reversed: Vec<_> = WATER.iter().map(|(a, b)| (*b, *a)).collect();
        let articles = [
            translated(Lang::EN, Lang::AR, &WATER),
            translated(Lang::AR, Lang::EN, &reversed),
        ];
        for made in summarize(&articles, &models(Lang::EN, Lang::AR)) {
            assert_eq!(made.texts[&Lang::EN], "2 sentences were read.");
            assert_eq!(made.texts[&Lang::AR], ARABIC);
            assert_eq!(made.model, "writer@1");
            assert_eq!((made.flags, made.fallback), (vec![Flag::MapReduced], None));
        }
    }

    #[test]
    fn keeps_an_article_that_the_model_fails_on() {
        let articles = [
            translated(Lang::EN, Lang::AR, &GOATS),
            translated(Lang::EN, Lang::AR, &WATER),
        ];
        let made = summarize(&articles, &models(Lang::EN, Lang::AR));
        assert_eq!(made[0].texts[&Lang::EN], GOATS[0].0);
        assert_eq!(made[0].texts[&Lang::AR], GOATS[0].1);
        assert_eq!(made[0].model, "extractive@1");
        assert_eq!(made[0].fallback.as_deref(), Some("writer@1: no goats"));
        assert_eq!(made[1].texts[&Lang::EN], "2 sentences were read.");
    }

    #[test]
    fn keeps_a_language_that_nothing_translates_to() {
        let articles = [translated(Lang::EN, Lang::AR, &WATER)];
        let made = summarize(&articles, &models(Lang::AR, Lang::EN));
        assert_eq!(made[0].texts[&Lang::EN], "2 sentences were read.");
        assert_eq!(made[0].texts[&Lang::AR], WATER[0].1);
        assert_eq!(made[0].model, "writer@1 extractive@1");
        let why = made[0].fallback.as_deref().unwrap();
        assert!(why.contains("cannot be translated to ar"), "{why}");
        // A language that the model does not read on either side.
        let pt = Lang::parse("pt").unwrap();
        let articles = [translated(
            pt,
            Lang::AR,
            &[("O conselho reuniu-se na cidade.", ARABIC)],
        )];
        let made = summarize(&articles, &models(Lang::EN, Lang::AR));
        let why = made[0].fallback.as_deref().unwrap();
        assert_eq!(why, "writer@1 reads neither pt nor ar");
    }
}
