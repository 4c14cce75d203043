//! Articles to translated articles: all segments of a call are translated together.

use std::collections::BTreeMap;

use super::batch::{Desk, Failure, Request};
use super::layout::{Fate, Part, fate, layout};
use super::pipeline::{
    ArticleError, Counts, Flag, PipelineOptions, TranslatedArticle, TranslatedSegment, Translators,
};
use super::solve::{Outcome, solve};
use crate::article::Article;
use crate::text::{Direction, Lang, lang};

/// What is to be done for one article.
struct Job {
    direction: Direction,
    parts: Vec<Part>,
    title: Option<Part>,
}

/// Segments to translate, each once, and their outcomes.
#[derive(Default)]
struct Desired {
    places: BTreeMap<Request, usize>,
    tasks: Vec<Request>,
}

/// Outcomes of what was desired.
struct Done {
    places: BTreeMap<Request, usize>,
    outcomes: Vec<Result<Outcome, Failure>>,
}

impl Done {
    fn get(&self, direction: Direction, source: &str) -> Option<&Result<Outcome, Failure>> {
        self.places
            .get(&(direction, source.to_owned()))
            .map(|at| &self.outcomes[*at])
    }
}

impl Desired {
    fn solve(self, desk: Desk<'_>, options: &PipelineOptions) -> Done {
        Done {
            outcomes: solve(desk, &self.tasks, &options.decode),
            places: self.places,
        }
    }

    fn add(&mut self, direction: Direction, source: &str) {
        let task = (direction, source.to_owned());
        if !self.places.contains_key(&task) {
            self.places.insert(task.clone(), self.tasks.len());
            self.tasks.push(task);
        }
    }
}

/// Translates articles, each on its own merits: one that fails leaves the others whole.
///
/// Results come in the order of `articles` and depend neither on the other articles nor on
/// `options.batch_tokens` nor on the threads of `pool`.
pub fn translate_articles(
    articles: &[Article],
    models: &Translators,
    options: &PipelineOptions,
    pool: &rayon::ThreadPool,
) -> Vec<Result<TranslatedArticle, ArticleError>> {
    let mut desired = Desired::default();
    let jobs: Vec<Option<Job>> = articles
        .iter()
        .map(|article| job(article, options))
        .collect();
    for job in jobs.iter().flatten() {
        for part in job.title.iter().chain(&job.parts) {
            if let Part::Segment {
                source,
                fate: Fate::Asked,
                ..
            } = part
            {
                desired.add(job.direction, source);
            }
        }
    }
    let done = desired.solve(Desk::new(models, options, pool), options);
    articles
        .iter()
        .zip(&jobs)
        .map(|(article, job)| match job {
            Some(job) => finish(article, job, models, &done),
            None => Err(ArticleError::NoText),
        })
        .collect()
}

/// Translates lines, each as one segment, with the guards, the further attempts and the protection
/// of spans of articles; the `block` of a result is the number of its line.
///
/// # Errors
/// When no model has the direction, or the engine fails on a line.
pub fn translate_lines_guarded(
    lines: &[&str],
    direction: Direction,
    models: &Translators,
    options: &PipelineOptions,
    pool: &rayon::ThreadPool,
) -> Result<Vec<TranslatedSegment>, ArticleError> {
    let mut desired = Desired::default();
    let fates: Vec<Fate> = lines.iter().map(|line| fate(line, direction)).collect();
    for (line, fate) in lines.iter().zip(&fates) {
        if *fate == Fate::Asked {
            desired.add(direction, line);
        }
    }
    let done = desired.solve(Desk::new(models, options, pool), options);
    lines
        .iter()
        .zip(fates)
        .enumerate()
        .map(|(block, (line, fate))| segment(block, line, fate, done.get(direction, line)))
        .collect()
}

fn job(article: &Article, options: &PipelineOptions) -> Option<Job> {
    let text = article.text();
    if text.trim().is_empty() {
        return None;
    }
    let stated = article.lang.or(options.from);
    let other = |lang: Lang| if lang == Lang::EN { Lang::AR } else { Lang::EN };
    // Digits and symbols alone are in no language; they are kept in any.
    let from = stated
        .or_else(|| lang::detect(&text))
        .or_else(|| lang::detect(article.title.as_deref()?))
        .unwrap_or_else(|| options.to.map_or(Lang::EN, other));
    let direction = Direction {
        from,
        to: options.to.unwrap_or_else(|| other(from)),
    };
    let title = article.title.as_deref().map(|title| {
        let body = title.trim();
        Part::Segment {
            block: 0,
            source: body.to_owned(),
            fate: fate(body, direction),
        }
    });
    Some(Job {
        direction,
        parts: layout(article, direction, options.wrapped),
        title,
    })
}

fn finish(
    article: &Article,
    job: &Job,
    models: &Translators,
    done: &Done,
) -> Result<TranslatedArticle, ArticleError> {
    let mut text = String::new();
    let mut segments = Vec::new();
    let mut counts = Counts {
        source_words: article.text().split_whitespace().count(),
        ..Counts::default()
    };
    for part in &job.parts {
        match part {
            Part::Text(kept) => text.push_str(kept),
            Part::Segment {
                block,
                source,
                fate,
            } => {
                let outcome = asked(job, source, *fate, done);
                if let Some(Ok(outcome)) = outcome {
                    counts.source_tokens += outcome.source_tokens;
                    counts.target_tokens += outcome.target_tokens;
                }
                let segment = segment(*block, source, *fate, outcome)?;
                text.push_str(&segment.target);
                segments.push(segment);
            }
        }
    }
    counts.segments = segments.len();
    let title = match &job.title {
        Some(Part::Segment { source, fate, .. }) => {
            Some(segment(0, source, *fate, asked(job, source, *fate, done))?)
        }
        _ => None,
    };
    let model = models.get(job.direction).map(super::Translator::info);
    let asked = job.title.iter().chain(&job.parts).any(is_asked);
    let mut flags: Vec<Flag> = segments
        .iter()
        .chain(&title)
        .flat_map(|s| s.flags.clone())
        .collect();
    flags.extend(article.recoded.then_some(Flag::Recoded));
    flags.extend((asked && model.is_some_and(|m| m.draft)).then_some(Flag::DraftModel));
    flags.sort_unstable();
    flags.dedup();
    Ok(TranslatedArticle {
        lang: job.direction.from,
        target_lang: job.direction.to,
        title: title.map(|t| t.target),
        text,
        segments,
        flags,
        counts,
        model: model.map_or_else(String::new, super::ModelInfo::name),
    })
}

fn is_asked(part: &Part) -> bool {
    matches!(
        part,
        Part::Segment {
            fate: Fate::Asked,
            ..
        }
    )
}

fn asked<'a>(
    job: &Job,
    source: &str,
    fate: Fate,
    done: &'a Done,
) -> Option<&'a Result<Outcome, Failure>> {
    if fate == Fate::Asked {
        done.get(job.direction, source)
    } else {
        None
    }
}

fn segment(
    block: usize,
    source: &str,
    fate: Fate,
    outcome: Option<&Result<Outcome, Failure>>,
) -> Result<TranslatedSegment, ArticleError> {
    let (target, score, flags) = match outcome {
        Some(Ok(outcome)) => (
            outcome.target.clone(),
            Some(outcome.score),
            outcome.flags.clone(),
        ),
        Some(Err(failure)) => return Err(failure.clone().into()),
        None if fate == Fate::Unchanged => (source.to_owned(), None, vec![Flag::Unchanged]),
        None => (source.to_owned(), None, Vec::new()),
    };
    Ok(TranslatedSegment {
        block,
        source: source.to_owned(),
        target,
        score,
        flags,
    })
}
