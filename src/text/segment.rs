//! Sentence boundaries by rule.
//!
//! A boundary is looked for after each run of stops (`. ! ? ؟ ۔ …`) with the closing quotes and
//! brackets that follow it. `!`, `?` and `؟` end a sentence unless the next word continues it; a
//! full stop is judged by the word before it (abbreviation, initial, list number) and the word
//! after it (lower case, digit, usual first word of a sentence). Commas and `؛` never end one.
//!
//! Limits: line breaks are white space, but a blank line always ends a sentence; a title without a
//! stop is not told from the sentence that follows it on the same line.

mod words;

use std::ops::Range;

use super::Lang;
use words::Abbreviation;

/// Ranges of the sentences of `text`, in order. What lies outside is white space only.
#[must_use]
pub fn segments(text: &str, lang: Lang) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let end = if c == '\n' && starts_blank_line(&text[at..]) {
            Some(at)
        } else if is_stop(c) {
            let mark = Mark::read(text, start, at);
            let boundary = mark.ends_sentence(text, start, lang);
            at = mark.end;
            boundary.then_some(at)
        } else {
            at += c.len_utf8();
            continue;
        };
        if let Some(end) = end {
            push(text, start..end, &mut out);
            start = end;
            at = end + text[end..].len() - text[end..].trim_start().len();
        }
    }
    push(text, start..text.len(), &mut out);
    out
}

/// Adds the trimmed range; a rest without letters or digits goes to the sentence before it.
fn push(text: &str, range: Range<usize>, out: &mut Vec<Range<usize>>) {
    let piece = &text[range.clone()];
    if piece.trim().is_empty() {
        return;
    }
    let start = range.start + piece.len() - piece.trim_start().len();
    out.push(start..start + piece.trim().len());
}

fn starts_blank_line(rest: &str) -> bool {
    let gap = &rest[..rest.len() - rest.trim_start().len()];
    gap.bytes().filter(|&b| b == b'\n').count() > 1
}

fn is_stop(c: char) -> bool {
    matches!(
        c,
        '.' | '!' | '?' | '؟' | '۔' | '…' | '‼' | '⁇' | '⁈' | '⁉' | '。' | '！' | '？'
    )
}

fn is_closer(c: char) -> bool {
    matches!(c, '”' | '’' | '»' | '›' | ')' | ']' | '}')
}

fn is_opener(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '“' | '‘' | '„' | '«' | '‹' | '(' | '[' | '{' | '¿' | '¡' | '*' | '_'
    ) || matches!(c, '-' | '–' | '—' | '•' | '\u{200B}'..='\u{200F}' | '\u{2066}'..='\u{2069}')
}

fn is_arabic(c: char) -> bool {
    matches!(c, '\u{0620}'..='\u{064A}' | '\u{066E}'..='\u{06D3}' | '\u{0750}'..='\u{077F}')
}

/// A run of stops with what closes behind it.
struct Mark<'a> {
    /// Where the run starts.
    start: usize,
    /// Where the sentence would end: behind closing quotes and brackets.
    end: usize,
    /// The stops.
    run: &'a str,
    /// Something closes behind the stops.
    closed: bool,
}

impl<'a> Mark<'a> {
    fn read(text: &'a str, sentence: usize, start: usize) -> Self {
        let rest = &text[start..];
        let run = &rest[..rest.find(|c: char| !is_stop(c)).unwrap_or(rest.len())];
        let mut end = start + run.len();
        loop {
            let rest = &text[end..];
            let Some(c) = rest.chars().next() else { break };
            let after = rest[c.len_utf8()..].chars().next();
            let detached = after.is_none_or(|a| !a.is_alphanumeric() && !is_opener_quote(a));
            let balances = || text[sentence..start].matches('"').count() % 2 == 1;
            let closes = match c {
                '*' | '_' => detached,
                '"' => detached || after == Some(c) || balances(),
                '\'' => detached || after == Some(c),
                c => is_closer(c),
            };
            if closes {
                end += c.len_utf8();
            } else if let Some(note) = footnote(rest) {
                end += note;
            } else if c.is_whitespace() {
                // A closing quote that stands apart: `. »`
                let gap = rest.len() - rest.trim_start().len();
                let next = rest.trim_start().chars().next();
                match next {
                    Some(n) if matches!(n, '”' | '»' | ')' | ']') => end += gap + n.len_utf8(),
                    _ => break,
                }
            } else {
                break;
            }
        }
        Self {
            start,
            end,
            run,
            closed: end > start + run.len(),
        }
    }

    fn ends_sentence(&self, text: &str, sentence: usize, lang: Lang) -> bool {
        let rest = &text[self.end..];
        let Some(next) = Next::read(rest) else {
            // Nothing more to say: what follows, if anything, belongs to this sentence.
            return false;
        };
        if matches!(self.run.chars().next_back(), Some('。' | '！' | '？')) {
            return true;
        }
        let before = word_before(text, sentence, self.start);
        if !rest.starts_with(char::is_whitespace) {
            return self.missing_space(text, sentence, before, rest);
        }
        if before.is_empty() && text[sentence..self.start].trim().is_empty() {
            // `... and then`: the sentence starts with the stops.
            return false;
        }
        if self.run.contains('۔') {
            return true;
        }
        if self.run.contains(['!', '?', '؟', '‼', '⁇', '⁈', '⁉']) {
            return next.starts_sentence() && !(self.closed && next.reports_speech());
        }
        if self.run != "." {
            let apart = text[sentence..self.start].ends_with(char::is_whitespace);
            return self.ellipsis_ends(&next, apart);
        }
        full_stop_ends(text, sentence, self, before, &next, lang)
    }

    /// `…` and `...` end a sentence before a capital, or where they close a quotation.
    fn ellipsis_ends(&self, next: &Next<'_>, apart: bool) -> bool {
        if next.arabic() {
            return next.starts_sentence() && (self.closed || (self.run.len() > 2 && !apart));
        }
        next.starts_sentence()
    }

    /// `ended.Then`, but not in addresses, file names, decimals, abbreviations.
    fn missing_space(&self, text: &str, sentence: usize, before: &str, rest: &str) -> bool {
        let Some(first) = rest.chars().next() else {
            return false;
        };
        let quote = matches!(first, '"' | '“' | '«' | '(');
        let rest = if quote {
            &rest[first.len_utf8()..]
        } else {
            rest
        };
        let after: &str = &rest[..rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len())];
        let token_start = text[sentence..self.start]
            .rfind(char::is_whitespace)
            .map_or(sentence, |i| sentence + i);
        let token_end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let token = (&text[token_start..self.start], &rest[..token_end]);
        let address = |s: &str| s.contains(['@', '/', '\\', '_', '=', '#', '&', '.']);
        if self.run == "." && (address(token.0) || address(token.1.trim_end_matches(is_stop))) {
            let plain_stop = token
                .1
                .trim_end_matches(|c| is_stop(c) || is_closer(c) || c == '"');
            if address(token.0) || address(plain_stop) {
                return false;
            }
        }
        let Some(head) = after.chars().next() else {
            return false;
        };
        let Some(tail) = before.chars().next_back() else {
            return self.closed;
        };
        if is_arabic(head) {
            let long = before.chars().count() > 1 && after.chars().count() > 1;
            let known = words::abbreviation(before, Lang::AR).is_some();
            return long && !known && !words::is_domain(after);
        }
        let capital = head.is_uppercase()
            && (after.chars().skip(1).all(char::is_lowercase))
            && (after.chars().count() > 1 || matches!(after, "A" | "I"));
        if !capital || words::is_domain(&after.to_lowercase()) {
            return false;
        }
        if self.closed || self.run != "." {
            return true;
        }
        let decimal = tail.is_numeric();
        let word = before.chars().count() > 1
            && (before
                .chars()
                .all(|c| c.is_lowercase() || c == '\'' || c == '’' || c == '-')
                || before.chars().skip(1).all(char::is_lowercase) && !before.is_empty()
                || before.chars().all(is_arabic));
        let number = decimal
            && before.chars().all(char::is_numeric)
            && !text[sentence..token_start].trim().is_empty();
        (word || number) && words::abbreviation(before, Lang::EN).is_none()
    }
}

fn is_opener_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '«' | '‘')
}

/// Length of a citation mark such as `[12]` at the start of `rest`.
fn footnote(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('[')?;
    let digits = inner.find(|c: char| !c.is_numeric())?;
    (digits > 0 && digits <= 6 && inner[digits..].starts_with(']')).then_some(digits + 2)
}

/// The word, with its inner full stops, hyphens and apostrophes, that ends at `end`.
fn word_before(text: &str, sentence: usize, end: usize) -> &str {
    let head = &text[sentence..end];
    let start = head
        .char_indices()
        .rev()
        .take_while(|&(_, c)| {
            c.is_alphanumeric()
                || matches!(c, '.' | '-' | '\'' | '’' | '&' | '\u{0640}')
                || matches!(c, '\u{064B}'..='\u{0652}' | '\u{200C}' | '\u{200D}')
        })
        .last()
        .map_or(head.len(), |(i, _)| i);
    head[start..].trim_start_matches(['\'', '’', '-'])
}

/// What follows a mark: the first word behind spaces, quotes, brackets and dashes.
struct Next<'a> {
    word: &'a str,
    first: char,
    quoted: bool,
    /// The word is itself followed by a full stop at once (`B.`).
    dotted: bool,
}

impl<'a> Next<'a> {
    fn read(rest: &'a str) -> Option<Self> {
        let at = rest.find(char::is_alphanumeric)?;
        let quoted = rest[..at].contains(|c| is_opener(c) && !matches!(c, '-' | '–' | '—'));
        let word = &rest[at..];
        let len = word
            .find(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’' | '-'))
            .unwrap_or(word.len());
        let dotted = word[len..].starts_with('.');
        let word = &word[..len];
        let first = word.chars().next()?;
        Some(Self {
            word,
            first,
            quoted,
            dotted,
        })
    }

    fn arabic(&self) -> bool {
        is_arabic(self.first)
    }

    /// The word can be the first of a sentence: not in lower case (but `iPhone`, `al-Sadr`).
    fn starts_sentence(&self) -> bool {
        if matches!(self.word, "إلخ" | "الخ") {
            return false;
        }
        !self.first.is_lowercase() || self.word.contains(char::is_uppercase)
    }

    /// A usual first word of a sentence, seldom part of a name.
    fn starter(&self) -> bool {
        if self.arabic() {
            return words::is_arabic_starter(self.word);
        }
        (self.first.is_uppercase() && !self.dotted && words::is_starter(self.word))
            || (self.quoted && self.first.is_uppercase())
    }

    /// `... ?" سأل`: the words of asking and saying that go on after a quotation.
    fn reports_speech(&self) -> bool {
        !self.quoted && self.arabic() && words::is_speech_verb(self.word)
    }
}

fn full_stop_ends(
    text: &str,
    sentence: usize,
    mark: &Mark<'_>,
    before: &str,
    next: &Next<'_>,
    lang: Lang,
) -> bool {
    if !next.starts_sentence() {
        return false;
    }
    if mark.closed {
        // `(Inc.) Then`, `"... the law." There`; a bracketed abbreviation goes on.
        let bracket = text[mark.start..mark.end].contains([')', ']']);
        let short = words::abbreviation(before, lang).is_some_and(|a| a != Abbreviation::Initial);
        if short && next.arabic() {
            // `"HK Management Inc." سبب`: Arabic has no capital to tell.
            return next.starter();
        }
        return !bracket || words::abbreviation(before, lang).is_none() || next.starter();
    }
    // `Super-G`: a letter behind a hyphen is no initial.
    let last = before
        .rsplit('-')
        .next()
        .filter(|l| l.chars().count() > 1)
        .unwrap_or(before);
    let before_is_first = text[sentence..mark.start]
        .trim_start_matches(is_opener)
        .trim()
        == before;
    if before.chars().all(char::is_numeric) && !before.is_empty() {
        // A list number (`1. Go`) is part of its sentence; German ordinals are followed by names.
        let short = before.chars().count() <= 3;
        return !short || (!before_is_first && lang.code() != "de");
    }
    match words::abbreviation(last, lang) {
        None => true,
        Some(Abbreviation::Title) => false,
        Some(Abbreviation::BeforeNumber) => !next.first.is_numeric(),
        Some(Abbreviation::Month) => !next.first.is_numeric() && next.starter(),
        Some(Abbreviation::Open) => false,
        Some(Abbreviation::Initial) => !before_is_first && next.starter() && !next.quoted,
        Some(Abbreviation::Closing) => next.starter(),
        Some(Abbreviation::ArabicUnit) => {
            let head = text[sentence..mark.start]
                .trim_end_matches(before)
                .trim_end();
            head.ends_with(char::is_numeric)
        }
    }
}

#[cfg(test)]
mod tests;
