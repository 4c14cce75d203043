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
