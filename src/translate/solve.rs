//! One segment to one target: what the model reads of it, the checks, the further attempts.
//!
//! Attempts go in rounds over all segments, so that every round is batched. What the model does
//! not read (marks at the ends, and, where a span was lost, all spans) is put back verbatim.

use std::ops::Range;

use rayon::prelude::*;

use super::batch::{Answer, Desk, Failure, Request, ask};
use super::checks::{check, severity};
use super::pipeline::Flag;
use super::recase::recase;
use super::spans::{SpanKind, core, is_translatable, mend, spans};
use crate::decode::DecodeOptions;
use crate::text::marks::{self, Marked};
use crate::text::split_long;
use crate::text::{Direction, Lang};

/// A segment's target with what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) target: String,
    pub(super) score: f32,
    pub(super) flags: Vec<Flag>,
    pub(super) source_tokens: usize,
    pub(super) target_tokens: usize,
}

/// A part of what is asked for one segment.
enum Piece {
    Keep(String),
    Ask { text: String, tokens: usize },
}

/// One way to ask for a segment.
#[derive(Default)]
struct Plan {
    pieces: Vec<Piece>,
    /// The source without its inline marks, whose words are asked for on their own.
    marked: Option<Marked>,
    wrapped: bool,
    uppercase: bool,
}

/// Targets of the segments `tasks`, in order.
pub(super) fn solve(
    desk: Desk<'_>,
    tasks: &[Request],
    decode: &DecodeOptions,
) -> Vec<Result<Outcome, Failure>> {
    // Most of planning is counting tokens.
    let plans = || tasks.par_iter().map(|task| (task, whole(desk, task)));
    let first: Vec<(&Request, Plan)> = desk.pool.install(|| plans().collect());
    let mut results = attempt(desk, &first, decode);
    let careful = DecodeOptions {
        beam: Some(decode.beam.unwrap_or(1).max(4)),
        no_repeat_ngram: Some(3),
        ..decode.clone()
    };
    for round in 0..2 {
        // A lost span needs another question before it needs another search.
        let lost = |flags: &[Flag]| flags.contains(&Flag::SpanLost);
        let mut by_search = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
        for (at, (task, result)) in tasks.iter().zip(&results).enumerate() {
            let Ok(outcome) = result else { continue };
            if severity(&outcome.flags) == 0 {
                continue;
            }
            let pieces = match (round, lost(&outcome.flags)) {
                (0, false) => Some((1, whole(desk, task))),
                (_, true) => Some((usize::from(round == 1), around_spans(desk, task))),
                (_, false) => clauses(desk, task).map(|plan| (0, plan)),
            };
            if let Some((search, plan)) = pieces {
                by_search[search].0.push(at);
                by_search[search].1.push((task, plan));
            }
        }
        for ((places, plans), options) in by_search.iter().zip([decode, &careful]) {
            let again = attempt(desk, plans, options);
            for (&at, candidate) in places.iter().zip(again) {
                if let (Ok(kept), Ok(candidate)) = (&mut results[at], candidate)
                    && severity(&candidate.flags) < severity(&kept.flags)
                {
                    *kept = candidate;
                    kept.flags.push(Flag::Retried);
                    kept.flags.sort_unstable();
                }
            }
        }
    }
    results
}

/// Asks for all plans at once and judges what comes back.
fn attempt(
    desk: Desk<'_>,
    plans: &[(&Request, Plan)],
    decode: &DecodeOptions,
) -> Vec<Result<Outcome, Failure>> {
    let (mut requests, mut lengths) = (Vec::new(), Vec::new());
    for ((direction, _), plan) in plans {
        for piece in &plan.pieces {
            if let Piece::Ask { text, tokens } = piece {
                requests.push((*direction, text.clone()));
                lengths.push(*tokens);
            }
        }
        for phrase in plan.phrases() {
            lengths.push(desk.tokens(*direction, &phrase));
            requests.push((*direction, phrase));
        }
    }
    let mut answers = ask(desk, &requests, &lengths, decode).into_iter();
    plans
        .iter()
        .map(|(task, plan)| {
            // Every answer of this plan is taken, the first failure kept.
            let asked = plan
                .pieces
                .iter()
                .filter(|p| matches!(p, Piece::Ask { .. }))
                .count();
            let own: Vec<Result<Answer, Failure>> = answers.by_ref().take(asked).collect();
            // A phrase that fails costs no more than its mark.
            let phrases: Vec<Option<Answer>> = answers
                .by_ref()
                .take(plan.phrases().count())
                .map(Result::ok)
                .collect();
            let own: Vec<Answer> = own.into_iter().collect::<Result<_, _>>()?;
            Ok(judge(task, plan, &own, &phrases))
        })
        .collect()
}

fn judge(
    (direction, source): &Request,
    plan: &Plan,
    answers: &[Answer],
    phrases: &[Option<Answer>],
) -> Outcome {
    let mut target = String::new();
    let mut rest = answers.iter();
    for piece in &plan.pieces {
        match piece {
            Piece::Keep(text) => target.push_str(text),
            Piece::Ask { .. } => target.push_str(rest.next().map_or("", |a| a.text.trim())),
        }
    }
    if plan.uppercase {
        target = uppercase(&target);
    }
    if let Some(marked) = &plan.marked {
        let phrases = plan.placed_phrases(phrases);
        target = marks::place(marked, &phrases, &target, direction.to);
    }
    let target = mend(source, &target);
    let mut flags = check(
        source,
        &target,
        *direction,
        answers.iter().any(|a| a.truncated),
    );
    if plan.wrapped || answers.iter().any(|a| a.wrapped) {
        flags.push(Flag::Wrapped);
        flags.sort_unstable();
    }
    let all = || answers.iter().chain(phrases.iter().flatten());
    let source_tokens = all().map(|a| a.source_tokens).sum();
    let target_tokens = all().map(|a| a.target_tokens).sum();
    Outcome {
        target,
        score: mean_score(answers),
        flags,
        source_tokens,
        target_tokens,
    }
}

/// The mean of the scores, weighted by target tokens.
fn mean_score(answers: &[Answer]) -> f32 {
    if let [one] = answers {
        return one.score;
    }
    let weight = |a: &Answer| a.target_tokens.max(1) as f32;
    let (mut sum, mut total) = (0.0, 0.0);
    for answer in answers {
        sum += answer.score * weight(answer);
        total += weight(answer);
    }
    if total > 0.0 { sum / total } else { 0.0 }
}

/// Capitals again, protected spans left alone.
fn uppercase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans(text) {
        out.push_str(&text[at..span.range.start].to_uppercase());
        out.push_str(&text[span.range.clone()]);
        at = span.range.end;
    }
    out.push_str(&text[at..].to_uppercase());
    out
}

/// `text` in sentence case, and whether its translation is to be in capitals.
fn sentence_case(text: &str, direction: Direction) -> (String, bool) {
    match recase(text, direction.from) {
        // Scripts without case have nothing to turn back.
        Some(recased) => (recased.text, recased.capitals && direction.to != Lang::AR),
        None => (text.to_owned(), false),
    }
}

/// The segment in one go, but for marks at its ends and what passes the model's limit.
fn whole(desk: Desk<'_>, (direction, source): &Request) -> Plan {
    let (text, mut plan) = Plan::of(source, *direction);
    let core = core(&text);
    plan.pieces.push(Piece::Keep(text[..core.start].to_owned()));
    plan.add(desk, *direction, &text[core.clone()]);
    plan.pieces.push(Piece::Keep(text[core.end..].to_owned()));
    plan
}

/// The texts between the protected spans, links and tags, each alone.
fn around_spans(desk: Desk<'_>, (direction, source): &Request) -> Plan {
    let bare = marks::without_emphasis(source);
    let (text, uppercase) = sentence_case(&bare, *direction);
    let text = text.as_str();
    let mut plan = Plan {
        uppercase,
        ..Plan::default()
    };
    let mut at = 0;
    for (range, kind) in kept(text) {
        plan.add_padded(desk, *direction, &text[at..range.start]);
        plan.pieces
            .push(Piece::Keep(text[range.clone()].to_owned()));
        at = range.end;
        // Letters never touch a handle, or it grows.
        let grows = matches!(
            kind,
            Some(SpanKind::Handle | SpanKind::Hashtag | SpanKind::Url)
        );
        if grows && text[at..].starts_with(char::is_alphanumeric) {
            plan.pieces.push(Piece::Keep(" ".to_owned()));
        }
    }
    plan.add_padded(desk, *direction, &text[at..]);
    plan
}

/// The ranges of marks, and of the protected spans outside of them, in order.
fn kept(text: &str) -> Vec<(Range<usize>, Option<SpanKind>)> {
    let tokens = marks::read(text).map(|m| m.tokens).unwrap_or_default();
    let mut kept: Vec<_> = tokens.into_iter().map(|t| (t.range, None)).collect();
    for span in spans(text) {
        let apart = |(range, _): &(Range<usize>, _)| {
            span.range.end <= range.start || range.end <= span.range.start
        };
        if kept.iter().all(apart) {
            kept.push((span.range, Some(span.kind)));
        }
    }
    kept.sort_by_key(|(range, _)| range.start);
    kept
}

/// The segment's clauses, each alone; `None` when it has but one.
fn clauses(desk: Desk<'_>, (direction, source): &Request) -> Option<Plan> {
    let (text, mut plan) = Plan::of(source, *direction);
    let mut cuts = vec![0];
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let from = cuts.last().copied().unwrap_or(0);
        let enough = |part: &str| part.split_whitespace().count() >= 3;
        if ",;:،؛–—".contains(c)
            && text[end..].starts_with(char::is_whitespace)
            && enough(&text[from..end])
            && enough(&text[end..])
        {
            cuts.push(end);
        }
    }
    if cuts.len() < 2 {
        return None;
    }
    cuts.push(text.len());
    for pair in cuts.windows(2) {
        plan.add_padded(desk, *direction, &text[pair[0]..pair[1]]);
    }
    Some(plan)
}

impl Plan {
    /// What a model reads of `source`, without marks and capitals, and a plan that puts them back.
    fn of(source: &str, direction: Direction) -> (String, Self) {
        let mut marked = marks::read(source);
        let plain = marked.as_ref().map_or(source, |m| &m.plain);
        let (text, uppercase) = sentence_case(plain, direction);
        if let Some(marked) = &mut marked {
            marked.plain.clone_from(&text);
        }
        let plan = Self {
            marked,
            uppercase,
            ..Self::default()
        };
        (text, plan)
    }

    /// The words inside each mark, and whether a model is asked for them: what is all of the text
    /// is found without, what is long finds no place.
    fn marked_words(&self) -> impl Iterator<Item = (&str, bool)> {
        self.marked.iter().flat_map(|marked| {
            marked.marks.iter().map(|mark| {
                let words = marked.plain[mark.range.clone()].trim();
                let asked = is_translatable(words)
                    && words != marked.plain.trim()
                    && words.split_whitespace().count() <= 20;
                (words, asked)
            })
        })
    }

    /// The words inside marks that a model is asked for.
    fn phrases(&self) -> impl Iterator<Item = String> {
        let asked = self.marked_words().filter(|(_, asked)| *asked);
        asked.map(|(words, _)| words.to_owned())
    }

    /// For each mark what its words are in the target language; what no model reads stays.
    fn placed_phrases(&self, answers: &[Option<Answer>]) -> Vec<String> {
        let mut answers = answers.iter();
        self.marked_words()
            .map(
                |(words, asked)| match asked.then(|| answers.next()).flatten() {
                    Some(answer) => answer.as_ref().map_or(String::new(), |a| a.text.clone()),
                    None => words.to_owned(),
                },
            )
            .collect()
    }

    /// Asks for `text`, in pieces when it passes the model's limit.
    fn add(&mut self, desk: Desk<'_>, direction: Direction, text: &str) {
        let tokens = desk.tokens(direction, text);
        if desk.fits(direction, tokens) {
            let text = text.to_owned();
            self.pieces.push(Piece::Ask { text, tokens });
            return;
        }
        let fits = |piece: &str| desk.fits(direction, desk.tokens(direction, piece));
        self.wrapped = true;
        let ranges = split_long(text, &fits);
        let parts = ranges
            .into_iter()
            .map(|r| text[r].trim())
            .filter(|part| !part.is_empty());
        for (at, part) in parts.enumerate() {
            if at > 0 {
                self.pieces.push(Piece::Keep(" ".to_owned()));
            }
            self.pieces.push(Piece::Ask {
                tokens: desk.tokens(direction, part),
                text: part.to_owned(),
            });
        }
    }

    /// As [`Plan::add`], with the spaces around `text` and texts without letters kept.
    fn add_padded(&mut self, desk: Desk<'_>, direction: Direction, text: &str) {
        if !is_translatable(text) {
            self.pieces.push(Piece::Keep(text.to_owned()));
            return;
        }
        let body = text.trim();
        let lead = text.len() - text.trim_start().len();
        self.pieces.push(Piece::Keep(text[..lead].to_owned()));
        self.add(desk, direction, body);
        self.pieces
            .push(Piece::Keep(text[lead + body.len()..].to_owned()));
    }
}
