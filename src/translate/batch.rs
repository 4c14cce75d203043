//! Texts to answers: each text once, batches of like length within a token budget, on a pool.
//!
//! A batch costs its longest text times its rows. When there are few texts the budget shrinks, so
//! that every thread has a batch. A batch that fails is asked again row by row: one bad text fails
//! alone, whatever it was batched with.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::pipeline::{ArticleError, PipelineOptions, Translators};
use super::translator::{LineResult, TranslateError, Translator};
use crate::decode::{DecodeOptions, Decoded};
use crate::text::Direction;

/// How to ask: the models, the budget and the threads, which never change an answer.
#[derive(Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) models: &'a Translators,
    pub(super) batch_tokens: usize,
    pub(super) pool: &'a rayon::ThreadPool,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        models: &'a Translators,
        options: &PipelineOptions,
        pool: &'a rayon::ThreadPool,
    ) -> Self {
        Self {
            models,
            batch_tokens: options.batch_tokens,
            pool,
        }
    }

    /// Source tokens of a text, at least one.
    pub(super) fn tokens(self, direction: Direction, text: &str) -> usize {
        let model = self.models.get(direction);
        model.map_or(0, |m| m.source_tokens(text, direction)).max(1)
    }

    /// Whether so many source tokens are within the model's limit.
    pub(super) fn fits(self, direction: Direction, tokens: usize) -> bool {
        let model = self.models.get(direction);
        model.is_none_or(|m| tokens <= m.max_source_tokens())
    }
}

/// What a model made of one text.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) truncated: bool,
    pub(super) wrapped: bool,
    pub(super) source_tokens: usize,
    pub(super) target_tokens: usize,
}

/// Why a text has no answer; as [`ArticleError`], but several articles may share it.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    NoModel(Direction),
    Direction { model: String, direction: Direction },
    Engine { model: String, message: String },
}

impl From<Failure> for ArticleError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoModel(direction) => Self::UnsupportedLanguage(direction),
            Failure::Direction { model, direction } => {
                Self::Engine(TranslateError::Direction { model, direction })
            }
            Failure::Engine { model, message } => {
                Self::Engine(TranslateError::Engine { model, message })
            }
        }
    }
}

impl From<TranslateError> for Failure {
    fn from(error: TranslateError) -> Self {
        match error {
            TranslateError::Direction { model, direction } => Self::Direction { model, direction },
            TranslateError::Engine { model, message } => Self::Engine { model, message },
        }
    }
}

/// One text with its direction.
pub(super) type Request = (Direction, String);

/// The answers to `requests`, which have so many source tokens each, in their order.
pub(super) fn ask(
    desk: Desk<'_>,
    requests: &[Request],
    tokens: &[usize],
    decode: &DecodeOptions,
) -> Vec<Result<Answer, Failure>> {
    let mut places: BTreeMap<&Request, usize> = BTreeMap::new();
    let mut unique: Vec<&Request> = Vec::new();
    let mut lengths: Vec<usize> = Vec::new();
    let place: Vec<usize> = requests
        .iter()
        .zip(tokens)
        .map(|(request, tokens)| {
            *places.entry(request).or_insert_with(|| {
                unique.push(request);
                lengths.push(*tokens);
                unique.len() - 1
            })
        })
        .collect();
    let answers: Vec<Result<Answer, Failure>> = ask_unique(desk, &unique, &lengths, decode)
        .into_iter()
        .zip(&unique)
        .map(|(line, request)| answer(line?).ok_or_else(|| silent(desk.models, request.0)))
        .collect();
    place.into_iter().map(|at| answers[at].clone()).collect()
}

/// The bare model's results for `lines`, in their order; the caller keeps empty lines out.
///
/// # Errors
/// When no model has the direction, or the engine fails on a line.
pub fn translate_lines(
    lines: &[&str],
    direction: Direction,
    models: &Translators,
    options: &PipelineOptions,
    pool: &rayon::ThreadPool,
) -> Result<Vec<LineResult>, ArticleError> {
    let desk = Desk::new(models, options, pool);
    let requests: Vec<Request> = lines.iter().map(|l| (direction, (*l).to_owned())).collect();
    let places: Vec<&Request> = requests.iter().collect();
    let tokens = |line: &&str| desk.tokens(direction, line);
    let lengths: Vec<usize> = pool.install(|| lines.par_iter().map(tokens).collect());
    let results = ask_unique(desk, &places, &lengths, &options.decode);
    results.into_iter().map(|r| r.map_err(Into::into)).collect()
}

/// The best targets of sources that are ids already, in their order; for measurements.
///
/// # Errors
/// When the model takes no ids, or the engine fails.
pub fn decode_ids(
    model: &dyn Translator,
    sources: &[Vec<u32>],
    options: &PipelineOptions,
    pool: &rayon::ThreadPool,
) -> Result<Vec<Decoded>, TranslateError> {
    let lengths: Vec<usize> = sources.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(lengths[*at]));
    let threads = pool.current_num_threads();
    let batches = fill(&order, &lengths, options.batch_tokens, threads, |_, _| true);
    let done: Vec<Result<Vec<Decoded>, TranslateError>> = pool.install(|| {
        batches
            .par_iter()
            .map(|batch| {
                let rows: Vec<&[u32]> = batch.iter().map(|at| sources[*at].as_slice()).collect();
                model.decode_ids(&rows, &options.decode)
            })
            .collect()
    });
    let mut decoded: Vec<Option<Decoded>> = vec![None; sources.len()];
    for (batch, results) in batches.iter().zip(done) {
        for (at, result) in batch.iter().zip(results?) {
            decoded[*at] = Some(result);
        }
    }
    Ok(decoded.into_iter().flatten().collect())
}

fn ask_unique(
    desk: Desk<'_>,
    requests: &[&Request],
    lengths: &[usize],
    decode: &DecodeOptions,
) -> Vec<Result<LineResult, Failure>> {
    let batches = group(
        requests,
        lengths,
        desk.batch_tokens,
        desk.pool.current_num_threads(),
    );
    let done: Vec<Vec<Result<LineResult, Failure>>> = desk.pool.install(|| {
        batches
            .par_iter()
            .map(|batch| {
                let direction = requests[batch[0]].0;
                let texts: Vec<&str> = batch.iter().map(|at| requests[*at].1.as_str()).collect();
                match desk.models.get(direction) {
                    Some(model) => translate(model, &texts, direction, decode),
                    None => vec![Err(Failure::NoModel(direction)); texts.len()],
                }
            })
            .collect()
    });
    let mut answers: Vec<Option<Result<LineResult, Failure>>> = vec![None; requests.len()];
    for (batch, results) in batches.iter().zip(done) {
        for (at, result) in batch.iter().zip(results) {
            answers[*at] = Some(result);
        }
    }
    answers.into_iter().flatten().collect()
}

/// Places of `requests` in batches of one direction, the longest first.
fn group(
    requests: &[&Request],
    lengths: &[usize],
    batch_tokens: usize,
    threads: usize,
) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by(|a, b| {
        let key = |at: usize| {
            (
                requests[at].0,
                std::cmp::Reverse(lengths[at]),
                &requests[at].1,
            )
        };
        key(*a).cmp(&key(*b))
    });
    let same = |a: usize, b: usize| requests[a].0 == requests[b].0;
    fill(&order, lengths, batch_tokens, threads, same)
}

/// Cuts `order` into batches of what may stand together, within the budget of padded tokens.
fn fill(
    order: &[usize],
    lengths: &[usize],
    batch_tokens: usize,
    threads: usize,
    together: impl Fn(usize, usize) -> bool,
) -> Vec<Vec<usize>> {
    let share = lengths.iter().sum::<usize>().div_ceil(threads.max(1));
    let budget = batch_tokens.min(share).max(1);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for &at in order {
        let fits = batches.last().is_some_and(|batch: &Vec<usize>| {
            together(batch[0], at) && lengths[batch[0]] * (batch.len() + 1) <= budget
        });
        match batches.last_mut() {
            Some(batch) if fits => batch.push(at),
            _ => batches.push(vec![at]),
        }
    }
    batches
}

fn silent(models: &Translators, direction: Direction) -> Failure {
    Failure::Engine {
        model: models
            .get(direction)
            .map_or_else(String::new, |m| m.info().id.clone()),
        message: "a segment came back without a hypothesis".to_owned(),
    }
}

fn translate(
    model: &dyn Translator,
    texts: &[&str],
    direction: Direction,
    decode: &DecodeOptions,
) -> Vec<Result<LineResult, Failure>> {
    match model.translate_batch(texts, direction, decode) {
        Ok(lines) if lines.len() == texts.len() => lines.into_iter().map(Ok).collect(),
        Err(error) if texts.len() == 1 => vec![Err(error.into())],
        Ok(_) if texts.len() == 1 => vec![Err(Failure::Engine {
            model: model.info().id.clone(),
            message: "a batch came back with another length".to_owned(),
        })],
        _ => texts
            .iter()
            .flat_map(|text| translate(model, &[text], direction, decode))
            .collect(),
    }
}

fn answer(line: LineResult) -> Option<Answer> {
    let best = line.hypotheses.into_iter().next()?;
    Some(Answer {
        text: best.text,
        score: best.score,
        truncated: best.truncated,
        wrapped: line.wrapped,
        source_tokens: line.source_ids.len(),
        target_tokens: best.ids.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    #[test]
    fn keeps_batches_within_the_budget_and_gives_every_thread_one() {
        let direction = Direction {
            from: Lang::EN,
            to: Lang::AR,
        };
        let texts: Vec<Request> = (1..=8).map(|n| (direction, "a ".repeat(n))).collect();
        let requests: Vec<&Request> = texts.iter().collect();
        let lengths: Vec<usize> = (1..=8).collect();
        let batches = group(&requests, &lengths, 16, 1);
        assert_eq!(batches, [vec![7, 6], vec![5, 4], vec![3, 2, 1, 0]]);
        assert!(group(&requests, &lengths, 4096, 4).len() >= 4);
        assert_eq!(group(&requests, &lengths, 1, 1).len(), 8);
    }
}
