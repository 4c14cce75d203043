//! One segment to one target: what the model reads of it, the checks, the further attempts.
//!
//! Attempts go in rounds over all segments, so that every round is batched. What the model does
//! not read (marks at the ends, and, where a span was lost, all spans) is put back verbatim.

use super::batch::{Answer, Desk, Failure, Request, ask};
use super::checks::{check, severity};
use super::pipeline::Flag;
use super::recase::recase;
use super::spans::{SpanKind, core, is_translatable, mend, spans};
use crate::decode::DecodeOptions;
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
    Ask(String),
}

/// One way to ask for a segment.
#[derive(Default)]
struct Plan {
    pieces: Vec<Piece>,
    wrapped: bool,
    uppercase: bool,
}

/// Targets of the segments `tasks`, in order.
pub(super) fn solve(
    desk: Desk<'_>,
    tasks: &[Request],
    decode: &DecodeOptions,
) -> Vec<Result<Outcome, Failure>> {
    let first: Vec<(&Request, Plan)> = tasks.iter().map(|task| (task, whole(desk, task))).collect();
    let mut results = attempt(desk, &first, decode);
    let careful = DecodeOptions {
        beam: decode.beam.max(4),
        no_repeat_ngram: 3,
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
    let mut requests: Vec<Request> = Vec::new();
    for ((direction, _), plan) in plans {
        for piece in &plan.pieces {
            if let Piece::Ask(text) = piece {
                requests.push((*direction, text.clone()));
            }
        }
    }
    let mut answers = ask(desk, &requests, decode).into_iter();
    plans
        .iter()
        .map(|(task, plan)| {
            // Every answer of this plan is taken, the first failure kept.
            let asked = plan
                .pieces
                .iter()
                .filter(|p| matches!(p, Piece::Ask(_)))
                .count();
            let own: Vec<Result<Answer, Failure>> = answers.by_ref().take(asked).collect();
            let own: Vec<Answer> = own.into_iter().collect::<Result<_, _>>()?;
            Ok(judge(task, plan, &own))
        })
        .collect()
}

fn judge((direction, source): &Request, plan: &Plan, answers: &[Answer]) -> Outcome {
    let mut target = String::new();
    let mut rest = answers.iter();
    for piece in &plan.pieces {
        match piece {
            Piece::Keep(text) => target.push_str(text),
            Piece::Ask(_) => target.push_str(rest.next().map_or("", |a| a.text.trim())),
        }
    }
    if plan.uppercase {
        target = uppercase(&target);
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
    let source_tokens = answers.iter().map(|a| a.source_tokens).sum();
    let target_tokens = answers.iter().map(|a| a.target_tokens).sum();
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

/// The segment in one go, but for marks at its ends and what passes the model's limit.
fn whole(desk: Desk<'_>, (direction, source): &Request) -> Plan {
    let mut plan = Plan::default();
    let core = core(source);
    plan.pieces
        .push(Piece::Keep(source[..core.start].to_owned()));
    match recase(&source[core.clone()], direction.from) {
        Some(text) => {
            // Scripts without case have nothing to turn back.
            plan.uppercase = direction.to != Lang::AR;
            plan.add(desk, *direction, &text);
        }
        None => plan.add(desk, *direction, &source[core.clone()]),
    }
    plan.pieces.push(Piece::Keep(source[core.end..].to_owned()));
    plan
}

/// The texts between the protected spans, each alone.
fn around_spans(desk: Desk<'_>, (direction, source): &Request) -> Plan {
    let recased = recase(source, direction.from);
    let mut plan = Plan {
        uppercase: recased.is_some() && direction.to != Lang::AR,
        ..Plan::default()
    };
    let text = recased.as_deref().unwrap_or(source);
    let mut at = 0;
    for span in spans(text) {
        plan.add_padded(desk, *direction, &text[at..span.range.start]);
        plan.pieces
            .push(Piece::Keep(text[span.range.clone()].to_owned()));
        at = span.range.end;
        // Letters never touch a handle, or it grows.
        let grows = matches!(
            span.kind,
            SpanKind::Handle | SpanKind::Hashtag | SpanKind::Url
        );
        if grows && text[at..].starts_with(char::is_alphanumeric) {
            plan.pieces.push(Piece::Keep(" ".to_owned()));
        }
    }
    plan.add_padded(desk, *direction, &text[at..]);
    plan
}

/// The segment's clauses, each alone; `None` when it has but one.
fn clauses(desk: Desk<'_>, (direction, source): &Request) -> Option<Plan> {
    let recased = recase(source, direction.from);
    let text = recased.as_deref().unwrap_or(source);
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
    let mut plan = Plan {
        uppercase: recased.is_some() && direction.to != Lang::AR,
        ..Plan::default()
    };
    for pair in cuts.windows(2) {
        plan.add_padded(desk, *direction, &text[pair[0]..pair[1]]);
    }
    Some(plan)
}

impl Plan {
    /// Asks for `text`, in pieces when it passes the model's limit.
    fn add(&mut self, desk: Desk<'_>, direction: Direction, text: &str) {
        let fits = |piece: &str| {
            desk.models
                .get(direction)
                .is_none_or(|m| m.source_tokens(piece, direction) <= m.max_source_tokens())
        };
        if fits(text) {
            self.pieces.push(Piece::Ask(text.to_owned()));
            return;
        }
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
            self.pieces.push(Piece::Ask(part.to_owned()));
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
