//! An article as a row of texts that are kept and segments that are translated.

use std::borrow::Cow;

use super::checks::is_kept;
use super::pipeline::Wrapped;
use super::spans::without_spans;
use crate::article::{Article, BlockKind, header, plain};
use crate::text::{Direction, Lang, lang, marks};

/// What becomes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Symbols, digits and protected spans alone: kept.
    Kept,
    /// Already in the target language: kept and flagged.
    Unchanged,
    /// Goes to the model.
    Asked,
}

/// A part of an article's target text, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Written as it is.
    Text(String),
    /// A segment of a block.
    Segment {
        block: usize,
        source: String,
        fate: Fate,
    },
}

/// The parts of `article` in order; with nothing translated they give its text back, but for
/// headers and joined lines.
pub(super) fn layout(article: &Article, direction: Direction, wrapped: Wrapped) -> Vec<Part> {
    let mut parts = Vec::new();
    for (at, block) in article.blocks.iter().enumerate() {
        push_text(&mut parts, &block.prefix);
        match block.kind {
            BlockKind::Blank => push_text(&mut parts, &block.text),
            BlockKind::Header if direction.from == direction.to => {
                push_text(&mut parts, &block.text)
            }
            BlockKind::Header => {
                push_text(
                    &mut parts,
                    &header::translate_header(&block.text, direction.to),
                );
            }
            BlockKind::Paragraph | BlockKind::Heading | BlockKind::ListItem => {
                push_block(&mut parts, at, &block.text, direction, wrapped);
            }
        }
        push_text(&mut parts, &block.separator);
    }
    parts
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

fn push_block(
    parts: &mut Vec<Part>,
    block: usize,
    text: &str,
    direction: Direction,
    wrapped: Wrapped,
) {
    let join = match wrapped {
        Wrapped::Auto => plain::looks_wrapped(text),
        Wrapped::Join => true,
        Wrapped::Keep => false,
    };
    let text = if join {
        joined(text)
    } else {
        Cow::Borrowed(text)
    };
    for line in text.split_inclusive('\n') {
        let mut at = 0;
        for range in marks::sentences(line, direction.from) {
            let body = line[range.clone()].trim();
            let lead = range.start + line[range.clone()].len() - line[range].trim_start().len();
            push_text(parts, &line[at..lead]);
            at = lead + body.len();
            if !body.is_empty() {
                let fate = fate(body, direction);
                parts.push(Part::Segment {
                    block,
                    source: body.to_owned(),
                    fate,
                });
            }
        }
        push_text(parts, &line[at..]);
    }
}

/// The lines of a paragraph in one line; white space at its ends is kept.
fn joined(text: &str) -> Cow<'_, str> {
    let body = text.trim();
    if !body.contains('\n') {
        return Cow::Borrowed(text);
    }
    let lead = text.len() - text.trim_start().len();
    let lines: Vec<&str> = body
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    Cow::Owned(format!(
        "{}{}{}",
        &text[..lead],
        lines.join(" "),
        &text[lead + body.len()..]
    ))
}

/// What becomes of `segment`.
pub(super) fn fate(segment: &str, direction: Direction) -> Fate {
    // Detection takes Latin script for English when it knows no better.
    let telling = direction.from == Lang::AR || direction.to != Lang::EN;
    let detected = || lang::detect(&without_spans(segment));
    if is_kept(segment) {
        Fate::Kept
    } else if direction.from == direction.to || (telling && detected() == Some(direction.to)) {
        Fate::Unchanged
    } else {
        Fate::Asked
    }
}
