//! Inline marks: emphasis, links and tags around words, which a model does not read.
//!
//! A model reads the text without `**bold**`, `*italic*`, `[text](address)` and `<b>tags</b>`. The
//! marked words are asked for on their own as well, and where their translation is found in that of
//! the sentence, the marks stand around it again. Emphasis that finds no place is dropped; for a
//! link or a tag that finds none the address or tag is missing from the target, which the guard of
//! spans sees, so that the pieces between the marks are asked for instead.

use std::borrow::Cow;
use std::ops::Range;

use super::{Lang, arabic, english, segments};

/// What stands around words of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Before the words.
    pub(crate) open: String,
    /// Behind them.
    pub(crate) close: String,
    /// The words, in the text without marks.
    pub(crate) range: Range<usize>,
}

/// A text without its marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marked {
    pub(crate) plain: String,
    /// Outer marks before inner ones.
    pub(crate) marks: Vec<Mark>,
    /// The marks as they stand in the source, in order.
    pub(crate) tokens: Vec<Token>,
}

/// One half of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// In the source.
    pub(crate) range: Range<usize>,
    /// The other half, in the source.
    partner: Range<usize>,
    /// In the text without marks.
    at: usize,
    opening: bool,
}

/// Tags that stand around words of a sentence.
const INLINE: &[&str] = &[
    "a", "b", "i", "u", "em", "strong", "span", "mark", "small", "sub", "sup", "font", "q", "cite",
    "s", "del", "ins", "abbr",
];

/// The marks of `text`; `None` where it has none.
pub(crate) fn read(text: &str) -> Option<Marked> {
    // Signs alone are nothing that could be asked for, nor found again.
    let around_words = |(open, close): &(Range<usize>, Range<usize>)| {
        text[open.end..close.start]
            .chars()
            .any(char::is_alphanumeric)
    };
    let pairs: Vec<_> = pairs(text).into_iter().filter(around_words).collect();
    if pairs.is_empty() {
        return None;
    }
    let mut tokens: Vec<Token> = pairs
        .iter()
        .flat_map(|(open, close)| [(open, close, true), (close, open, false)])
        .map(|(range, partner, opening)| Token {
            range: range.clone(),
            partner: partner.clone(),
            at: 0,
            opening,
        })
        .collect();
    tokens.sort_by_key(|token| token.range.start);
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    for token in &mut tokens {
        plain.push_str(&text[at..token.range.start]);
        token.at = plain.len();
        at = token.range.end;
    }
    plain.push_str(&text[at..]);
    let place = |range: &Range<usize>| {
        let token = tokens.iter().find(|t| t.range == *range);
        token.map_or(0, |t| t.at)
    };
    // What closes last is the outer one.
    let mut marks: Vec<Mark> = pairs
        .iter()
        .rev()
        .map(|(open, close)| Mark {
            open: text[open.clone()].to_owned(),
            close: text[close.clone()].to_owned(),
            range: place(open)..place(close),
        })
        .collect();
    marks.sort_by_key(|m| (m.range.start, std::cmp::Reverse(m.range.end)));
    Some(Marked {
        plain,
        marks,
        tokens,
    })
}

/// `text` without its marks.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    read(text).map_or(Cow::Borrowed(text), |marked| Cow::Owned(marked.plain))
}

/// The sentences of `text`, told by its words alone; marks around several sentences, or around a
/// part of two, lie outside of them where they can.
pub(crate) fn sentences(text: &str, lang: Lang) -> Vec<Range<usize>> {
    let Some(marked) = read(text) else {
        return segments(text, lang);
    };
    // Closing marks belong to what is before them, opening marks to what is behind.
    let source = |at: usize| {
        let before = |t: &&Token| t.at < at || (t.at == at && !t.opening);
        let tokens = marked.tokens.iter().filter(before);
        at + tokens.map(|t| t.range.len()).sum::<usize>()
    };
    segments(&marked.plain, lang)
        .into_iter()
        .map(|range| {
            let mut range = source(range.start)..source(range.end);
            let alone = |token: &&Token, range: &Range<usize>| {
                token.partner.start < range.start || token.partner.end > range.end
            };
            let starts = |range: &Range<usize>| {
                let mut tokens = marked.tokens.iter();
                tokens.find(|t| t.range.start == range.start && alone(t, range))
            };
            while let Some(token) = starts(&range) {
                range.start = token.range.end;
            }
            let ends = |range: &Range<usize>| {
                let mut tokens = marked.tokens.iter();
                tokens.find(|t| t.range.end == range.end && alone(t, range))
            };
            while let Some(token) = ends(&range).filter(|t| t.range.start > range.start) {
                range.end = token.range.start;
            }
            range
        })
        .collect()
}

/// `text` without the marks of emphasis.
pub(crate) fn without_emphasis(text: &str) -> String {
    let Some(marked) = read(text) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for token in &marked.tokens {
        if text[token.range.clone()].starts_with(['*', '_']) {
            out.push_str(&text[at..token.range.start]);
            at = token.range.end;
        }
    }
    out + &text[at..]
}

/// Pairs of opening and closing marks, properly nested.
fn pairs(text: &str) -> Vec<(Range<usize>, Range<usize>)> {
    let mut open: Vec<(&str, Range<usize>)> = Vec::new();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let Some((name, length, closes)) = token(text, at) else {
            at += c.len_utf8();
            continue;
        };
        let range = at..at + length;
        at = range.end;
        match open.iter().rposition(|(n, _)| *n == name) {
            Some(place) if closes.closing => {
                let (_, opened) = open.swap_remove(place);
                // What was opened inside and never closed is no mark.
                open.truncate(place);
                if !text[opened.end..range.start].trim().is_empty() {
                    out.push((opened, range));
                }
            }
            _ if closes.opening => open.push((name, range)),
            _ => {}
        }
    }
    out
}

/// What a mark may do where it stands.
struct Role {
    opening: bool,
    closing: bool,
}

/// The mark at `at`: its name, its length and its role.
fn token(text: &str, at: usize) -> Option<(&str, usize, Role)> {
    let rest = &text[at..];
    if rest.starts_with('<') {
        let end = rest.find('>').filter(|end| *end <= 300)?;
        let inner = &rest[1..end];
        let name = inner.strip_prefix('/').unwrap_or(inner);
        let name = &name[..name
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(name.len())];
        let closing = inner.starts_with('/');
        let known = INLINE.iter().any(|tag| name.eq_ignore_ascii_case(tag));
        let role = Role {
            opening: !closing,
            closing,
        };
        return (known && !inner.ends_with('/')).then_some((name, end + 1, role));
    }
    let before = text[..at].chars().next_back();
    let role = |length: usize| {
        let after = rest[length..].chars().next();
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let space = |c: Option<char>| c.is_none_or(char::is_whitespace);
        Role {
            opening: !word(before) && !space(after),
            closing: !space(before) && !word(after),
        }
    };
    for mark in ["**", "__", "*", "_"] {
        if rest.starts_with(mark) {
            let role = role(mark.len());
            return (role.opening || role.closing).then_some((
                &rest[..mark.len()],
                mark.len(),
                role,
            ));
        }
    }
    // A link or a picture.
    if let Some(length) = ["[", "!["]
        .iter()
        .find(|m| rest.starts_with(**m))
        .map(|m| m.len())
    {
        let role = Role {
            opening: true,
            closing: false,
        };
        return Some(("[", length, role));
    }
    let target = rest.strip_prefix("](")?;
    let end = target.find([')', '\n', ' ']).filter(|e| *e > 0)?;
    let role = Role {
        opening: false,
        closing: true,
    };
    target[end..]
        .starts_with(')')
        .then_some(("[", end + 3, role))
}

/// `target` with the marks of `marked` around what their words became, given each mark's words on
/// their own in the target language.
pub(crate) fn place(marked: &Marked, phrases: &[String], target: &str, lang: Lang) -> String {
    let words = words(target, lang);
    let mut placed: Vec<(Range<usize>, &Mark)> = Vec::new();
    for (mark, phrase) in marked.marks.iter().zip(phrases) {
        let whole = marked.plain[mark.range.clone()].trim() == marked.plain.trim();
        let found = if whole {
            let start = target.len() - target.trim_start().len();
            Some(start..start + target.trim().len())
        } else {
            let near = mark.range.start as f32 / marked.plain.len().max(1) as f32;
            let taken = |r: &Range<usize>| placed.iter().any(|(p, _)| !fits(r, p));
            find(&words, target, phrase, near, lang)
                .map(|range| with_brackets(&marked.plain[mark.range.clone()], target, range))
                .filter(|r| !taken(r))
        };
        if let Some(found) = found {
            placed.push((found, mark));
        }
    }
    // Inserted from the end; at one place inner marks close first and open last.
    let mut cuts: Vec<(usize, bool, usize, &str)> = Vec::new();
    for (depth, (range, mark)) in placed.iter().enumerate() {
        cuts.push((range.start, true, depth, &mark.open));
        cuts.push((range.end, false, placed.len() - depth, &mark.close));
    }
    cuts.sort_unstable();
    let mut out = String::with_capacity(target.len() + 16);
    let mut at = 0;
    for (cut, _, _, text) in cuts {
        out.push_str(&target[at..cut]);
        out.push_str(text);
        at = cut;
    }
    out.push_str(&target[at..]);
    out
}

/// `range` of `target` with the bracket or quotation mark at its ends that the marked words have.
fn with_brackets(words: &str, target: &str, mut range: Range<usize>) -> Range<usize> {
    let opener = |c: char| "([{«“\"'‘".contains(c);
    let closer = |c: char| ")]}»”\"'’".contains(c);
    if words.trim().starts_with(opener) && target[..range.start].ends_with(opener) {
        range.start -= target[..range.start]
            .chars()
            .next_back()
            .map_or(0, char::len_utf8);
    }
    if words.trim().ends_with(closer) && target[range.end..].starts_with(closer) {
        range.end += target[range.end..].chars().next().map_or(0, char::len_utf8);
    }
    range
}

/// Two ranges lie apart, or the new one within the other.
fn fits(new: &Range<usize>, old: &Range<usize>) -> bool {
    new.end <= old.start || old.end <= new.start || (old.start <= new.start && new.end <= old.end)
}

struct Word {
    range: Range<usize>,
    /// In one spelling.
    plain: String,
    stem: String,
}

impl Word {
    /// The same word, though an article or preposition may be written with one of the two.
    fn is_like(&self, other: &Self) -> bool {
        let (short, long) = if self.plain.len() < other.plain.len() {
            (&self.plain, &other.plain)
        } else {
            (&other.plain, &self.plain)
        };
        let joined = ["و", "ف", "ب", "ل", "ك", "ال", "وال", "بال", "ول", "وب"];
        self.stem == other.stem
            || (short.chars().count() >= 3
                && long
                    .strip_suffix(short.as_str())
                    .is_some_and(|prefix| joined.contains(&prefix)))
    }
}

fn words(text: &str, lang: Lang) -> Vec<Word> {
    let mut out = Vec::new();
    let mut at = 0;
    for piece in text.split_inclusive(|c: char| !is_letter(c)) {
        let word = piece.trim_end_matches(|c: char| !is_letter(c));
        if !word.is_empty() {
            let (plain, stem) = if lang == Lang::AR {
                let plain = arabic::normalize(word).to_lowercase();
                let stem = arabic::stem(&plain);
                (plain, stem)
            } else {
                let plain = word.to_lowercase();
                let stem = english::stem(&plain);
                (plain, stem)
            };
            out.push(Word {
                range: at..at + word.len(),
                plain,
                stem,
            });
        }
        at += piece.len();
    }
    out
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || ('\u{64b}'..='\u{652}').contains(&c)
}

/// The words of `target` that share most with `phrase`, at least two thirds; of several such places
/// the one whose share of the text before it is nearest to `near`.
fn find(words: &[Word], target: &str, phrase: &str, near: f32, lang: Lang) -> Option<Range<usize>> {
    let wanted = self::words(phrase, lang);
    if wanted.is_empty() {
        return None;
    }
    let mut best: Option<(f32, f32, Range<usize>)> = None;
    for length in wanted.len().saturating_sub(1).max(1)..=wanted.len() + 1 {
        for window in words.windows(length) {
            let mut rest: Vec<&Word> = wanted.iter().collect();
            let hits = window.iter().filter(|word| {
                let place = rest.iter().position(|one| one.is_like(word));
                place.map(|at| rest.swap_remove(at)).is_some()
            });
            let share = 2.0 * hits.count() as f32 / (length + wanted.len()) as f32;
            let range = window[0].range.start..window[length - 1].range.end;
            let away = (range.start as f32 / target.len().max(1) as f32 - near).abs();
            let better = best
                .as_ref()
                .is_none_or(|(s, a, _)| (share, -away) > (*s, -*a));
            if share >= 0.66 && better {
                best = Some((share, away, range));
            }
        }
    }
    best.map(|(_, _, range)| range)
}

#[cfg(test)]
mod tests;
