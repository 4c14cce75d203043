//! What a model makes of a test set.

use std::collections::BTreeSet;

use super::segment::Answer;
use super::testset::Item;
use crate::article::plain;
use crate::text::Direction;
use crate::translate::{
    ArticleError, Flag, PipelineOptions, Translators, translate_articles, translate_lines,
    translate_lines_guarded,
};

/// Translates the sources of `items`; an item without a source, or with an empty one, has an empty
/// answer. A source of several lines goes through the whole pipeline, as an article does; one line
/// is given to the bare model, or with `guards` as `translate --lines --guards` does.
///
/// # Errors
/// When no model has a direction, or the engine fails.
pub fn answer(
    items: &[Item],
    models: &Translators,
    options: &PipelineOptions,
    guards: bool,
    pool: &rayon::ThreadPool,
) -> Result<Vec<Answer>, ArticleError> {
    let mut answers = vec![Answer::default(); items.len()];
    let directions: BTreeSet<_> = items.iter().map(|item| item.direction).collect();
    for direction in directions {
        let (mut places, mut lines) = (Vec::new(), Vec::new());
        let (mut long_places, mut articles) = (Vec::new(), Vec::new());
        for (at, item) in items.iter().enumerate() {
            let source = item.source.as_deref().unwrap_or_default();
            if item.direction != direction || source.trim().is_empty() {
                continue;
            }
            if source.trim().contains('\n') {
                long_places.push(at);
                articles.push(plain::parse(source, false));
            } else {
                places.push(at);
                lines.push(source.trim());
            }
        }
        let of_lines = if guards {
            guarded(&lines, direction, models, options, pool)?
        } else {
            bare(&lines, direction, models, options, pool)?
        };
        for (at, answer) in places.into_iter().zip(of_lines) {
            answers[at] = answer;
        }
        let options = PipelineOptions {
            from: Some(direction.from),
            to: Some(direction.to),
            ..options.clone()
        };
        let translated = translate_articles(&articles, models, &options, pool);
        for (at, article) in long_places.into_iter().zip(translated) {
            let article = article?;
            answers[at] = Answer {
                truncated: article.flags.contains(&Flag::TooLong),
                text: article.text,
            };
        }
    }
    Ok(answers)
}

fn bare(
    lines: &[&str],
    direction: Direction,
    models: &Translators,
    options: &PipelineOptions,
    pool: &rayon::ThreadPool,
) -> Result<Vec<Answer>, ArticleError> {
    let results = translate_lines(lines, direction, models, options, pool)?;
    let best = results.into_iter().map(|r| r.hypotheses.into_iter().next());
    Ok(best
        .map(|best| {
            best.map_or_else(Answer::default, |h| Answer {
                text: h.text,
                truncated: h.truncated,
            })
        })
        .collect())
}

fn guarded(
    lines: &[&str],
    direction: Direction,
    models: &Translators,
    options: &PipelineOptions,
    pool: &rayon::ThreadPool,
) -> Result<Vec<Answer>, ArticleError> {
    let segments = translate_lines_guarded(lines, direction, models, options, pool)?;
    Ok(segments
        .into_iter()
        .map(|segment| Answer {
            truncated: segment.flags.contains(&Flag::TooLong),
            text: segment.target,
        })
        .collect())
}
