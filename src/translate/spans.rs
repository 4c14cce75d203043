//! Protected spans: pieces of a text that must come back exactly.
//!
//! A scan from left to right over URLs, e-mail addresses, handles, hashtags, emoji, placeholders,
//! tags and entities. No span overlaps another.

use std::ops::Range;

/// What a protected span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// `https://..`, `www...`, `example.com/..`.
    Url,
    /// `name@example.com`.
    Email,
    /// `@name`.
    Handle,
    /// `#topic`.
    Hashtag,
    /// An emoji sequence.
    Emoji,
    /// `{name}`, `{{x}}`, `%s`, `%(n)d`, `${x}`.
    Placeholder,
    /// `<b>`, `</b>`, `<br/>`.
    Tag,
    /// `&amp;`, `&#160;`.
    Entity,
    /// `` `code` `` in backticks.
    Code,
}

/// A protected span of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its kind.
    pub kind: SpanKind,
    /// Byte range.
    pub range: Range<usize>,
}

const TOP_LEVEL: &[&str] = &[
    "com", "org", "net", "gov", "edu", "info", "io", "co", "uk", "iq", "sa", "ae", "eg", "tv",
    "news", "int", "dev", "app", "me", "fr", "de", "eu", "us", "ly", "qa", "jo", "lb", "sy",
];

/// The protected spans of `text`, from left to right.
#[must_use]
pub fn spans(text: &str) -> Vec<Span> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut previous = ' ';
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let found = span_at(rest, c, previous);
        let len = match found {
            Some((kind, len)) => {
                out.push(Span {
                    kind,
                    range: at..at + len,
                });
                len
            }
            None if is_word(c) => word_len(rest),
            None => c.len_utf8(),
        };
        previous = text[at..at + len].chars().next_back().unwrap_or(' ');
        at += len;
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of the word that `rest` starts with: the inside of a word starts no span.
fn word_len(rest: &str) -> usize {
    rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
}

fn span_at(rest: &str, c: char, previous: char) -> Option<(SpanKind, usize)> {
    let found = match c {
        '<' => (SpanKind::Tag, tag(rest)?),
        '&' => (SpanKind::Entity, entity(rest)?),
        '`' if !is_word(previous) => (SpanKind::Code, code(rest)?),
        '{' => (SpanKind::Placeholder, braces(rest)?),
        '$' if rest.starts_with("${") => (SpanKind::Placeholder, 1 + braces(&rest[1..])?),
        '%' if !previous.is_numeric() => (SpanKind::Placeholder, percent(rest)?),
        '@' if !is_word(previous) => (SpanKind::Handle, 1 + named(&rest[1..], false)?),
        '#' if !is_word(previous) => (SpanKind::Hashtag, 1 + named(&rest[1..], true)?),
        _ => {
            if let Some(len) = emoji(rest) {
                (SpanKind::Emoji, len)
            } else if c.is_ascii_alphanumeric() && !is_word(previous) {
                match email(rest) {
                    Some(len) => (SpanKind::Email, len),
                    None => (SpanKind::Url, url(rest)?),
                }
            } else {
                return None;
            }
        }
    };
    Some(found)
}

/// The first bytes of `rest`, at most so many: what is sought in it is not sought to the end of a
/// text once for each place where it could begin.
fn window(rest: &str, bytes: usize) -> &str {
    let mut end = bytes.min(rest.len());
    while !rest.is_char_boundary(end) {
        end -= 1;
    }
    &rest[..end]
}

fn tag(rest: &str) -> Option<usize> {
    let inner = rest[1..].strip_prefix('/').unwrap_or(&rest[1..]);
    if !inner.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let end = window(rest, 304).find('>')?;
    let body = &rest[1..end];
    (end <= 300 && !body.contains(['<', '\n'])).then_some(end + 1)
}

fn entity(rest: &str) -> Option<usize> {
    let end = window(rest, 14)
        .find(';')
        .filter(|&e| (3..=10).contains(&e))?;
    let name = rest[1..end].strip_prefix('#').unwrap_or(&rest[1..end]);
    (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(end + 1)
}

fn code(rest: &str) -> Option<usize> {
    let end = 1 + window(&rest[1..], 104).find(['`', '\n'])?;
    let body = &rest[1..end];
    let closed = rest[end..].starts_with('`') && !rest[end + 1..].starts_with(is_word);
    (closed && end <= 100 && !body.is_empty() && body.trim() == body).then_some(end + 1)
}

fn braces(rest: &str) -> Option<usize> {
    let (close, depth) = if rest.starts_with("{{") {
        ("}}", 2)
    } else {
        ("}", 1)
    };
    let end = window(rest, 88).find(close)?;
    let body = &rest[depth..end];
    let plain = body.len() <= 80
        && !body.contains(['{', '\n'])
        && body
            .trim()
            .chars()
            .all(|c| is_word(c) || ".:-,[]!|'\"$# ()".contains(c))
        && body.split_whitespace().count() <= 3;
    plain.then_some(end + close.len())
}

fn percent(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    if bytes.get(at) == Some(&b'(') {
        at += window(&rest[at..], 44).find(')').filter(|&e| e <= 40)? + 1;
    }
    while bytes
        .get(at)
        .is_some_and(|b| b"0123456789$.+-#*".contains(b))
    {
        at += 1;
    }
    while bytes.get(at).is_some_and(|b| b"lhz".contains(b)) {
        at += 1;
    }
    let conversion = bytes
        .get(at)
        .filter(|b| b"sdifueEgGxXcrqpo@%".contains(b))?;
    let ends = !rest[at + 1..].starts_with(is_word);
    (ends || (*conversion != b'%' && bytes[1] == b'(')).then_some(at + 1)
}

/// Length of a handle's or hashtag's name; one with digits alone (`#1`) is a number.
fn named(rest: &str, any_script: bool) -> Option<usize> {
    let part = |c: char| {
        is_word(c) && (any_script || c.is_ascii())
            || (any_script && ('\u{64b}'..='\u{652}').contains(&c))
    };
    let len = rest.find(|c| !part(c)).unwrap_or(rest.len());
    rest[..len]
        .contains(|c: char| c.is_alphabetic())
        .then_some(len)
}

fn email(rest: &str) -> Option<usize> {
    // 64 is the longest that a mail server takes.
    let other = |c: char| !(c.is_ascii_alphanumeric() || "._%+-".contains(c));
    let local = window(rest, 65).find(other)?;
    let domain = rest[local..].strip_prefix('@')?;
    let len = domain
        .find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c)))
        .unwrap_or(domain.len());
    let domain = domain[..len].trim_end_matches(['.', '-']);
    domain.contains('.').then_some(local + 1 + domain.len())
}

fn url(rest: &str) -> Option<usize> {
    let starts = |s: &&str| {
        let head = rest.get(..s.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(s))
    };
    let scheme = ["http://", "https://", "ftp://", "www."]
        .into_iter()
        .find(starts);
    let run = match scheme {
        Some(_) => run(rest),
        None => domain(rest)?,
    };
    let run = trim_end(run);
    (run.len() > scheme.map_or(0, |s| s.len())).then_some(run.len())
}

/// What of `rest` may belong to a URL.
fn run(rest: &str) -> &str {
    let end = rest.find(|c: char| c.is_whitespace() || "<>\"«»“”،؛؟{}|".contains(c));
    &rest[..end.unwrap_or(rest.len())]
}

/// A domain under a known top level without a scheme, with its path.
fn domain(rest: &str) -> Option<&str> {
    // A name in the domain system has 253 characters at most.
    let head = window(rest, 256);
    let host_len = head
        .find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c)))
        .or((head.len() == rest.len()).then_some(head.len()))?;
    let host = rest[..host_len].trim_end_matches(['.', '-']);
    let (name, top) = host.rsplit_once('.')?;
    let known = TOP_LEVEL.contains(&top)
        && !name.is_empty()
        && name.split('.').all(|label| !label.is_empty())
        && name.contains(|c: char| c.is_ascii_alphabetic());
    if !known {
        return None;
    }
    let path = host.len() == host_len && rest[host_len..].starts_with(['/', '?', ':']);
    Some(if path { run(rest) } else { host })
}

fn trim_end(mut run: &str) -> &str {
    // What is trimmed opens none of them.
    let (round, square) = (run.contains('('), run.contains('['));
    loop {
        let shorter = run.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '’', '…', '*']);
        let shorter = match shorter.chars().next_back() {
            Some(')') if !round => &shorter[..shorter.len() - 1],
            Some(']') if !square => &shorter[..shorter.len() - 1],
            _ => shorter,
        };
        if shorter.len() == run.len() {
            return run;
        }
        run = shorter;
    }
}

fn is_emoji(c: char) -> bool {
    matches!(u32::from(c),
        0x1F000..=0x1FAFF | 0x2600..=0x27BF | 0x2B00..=0x2BFF | 0x2300..=0x23FF | 0xE0020..=0xE007F)
}

/// Length of an emoji sequence: joined, toned, flagged and keycap ones included.
fn emoji(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    if first.is_ascii_digit() || first == '#' || first == '*' {
        let keycap = ["\u{FE0F}\u{20E3}", "\u{20E3}"];
        return keycap
            .iter()
            .find(|k| rest[1..].starts_with(**k))
            .map(|k| 1 + k.len());
    }
    if !is_emoji(first) {
        return None;
    }
    let extends =
        |c: char| is_emoji(c) || matches!(c, '\u{FE0F}' | '\u{200D}' | '\u{20E3}' | '♀' | '♂');
    Some(rest.find(|c| !extends(c)).unwrap_or(rest.len()))
}

/// `text` without its protected spans; each leaves one space.
#[must_use]
pub fn without_spans(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans(text) {
        out.push_str(&text[at..span.range.start]);
        out.push(' ');
        at = span.range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Whether a model has anything to do: a letter outside all protected spans.
#[must_use]
pub fn is_translatable(text: &str) -> bool {
    without_spans(text).contains(char::is_alphabetic)
}

/// Whether every protected span of `source` is in `target` as often, and no text beside one is
/// gone.
#[must_use]
pub fn spans_kept(source: &str, target: &str) -> bool {
    let found = spans(source);
    let here = found.iter().all(|span| {
        let text = &source[span.range.clone()];
        if target.matches(text).count() < source.matches(text).count() {
            return false;
        }
        if span.kind != SpanKind::Emoji {
            return true;
        }
        let (Some(first), Some(last)) = (target.find(text), target.rfind(text)) else {
            return false;
        };
        let kept = |from: &str, to: &str| !is_translatable(from) || is_translatable(to);
        kept(&source[span.range.end..], &target[first + text.len()..])
            && kept(&source[..span.range.start], &target[..last])
    });
    here && !found
        .last()
        .is_some_and(|last| stops_at_span(source, last, target))
}

/// The target ends with a span that has words behind it in the source, and is much the shorter:
/// models like to stop there.
fn stops_at_span(source: &str, last: &Span, target: &str) -> bool {
    let letters = |text: &str| {
        without_spans(text)
            .chars()
            .filter(|c| c.is_alphabetic())
            .count()
    };
    let behind = |text: &str, at: usize| is_translatable(&text[at..]);
    let ends = spans(target)
        .last()
        .is_some_and(|span| !behind(target, span.range.end));
    ends && behind(source, last.range.end) && letters(target) * 10 < letters(source) * 7
}

/// Puts back spans that the model spelled with other case, spaces or digits.
#[must_use]
pub fn mend(source: &str, target: &str) -> String {
    let mut target = target.to_owned();
    for span in spans(source) {
        let text = &source[span.range];
        if target.contains(text) {
            continue;
        }
        if let Some(range) = find_loose(&target, text) {
            target.replace_range(range, text);
        } else if text == "&amp;" && target.matches('&').count() == 1 {
            target = target.replace('&', text);
        }
    }
    target
}

/// The one place of `target` that reads as `span` but for case, spaces and the script of digits.
fn find_loose(target: &str, span: &str) -> Option<Range<usize>> {
    let fold = |c: char| super::numbers::ascii_digit(c).unwrap_or(c.to_ascii_lowercase());
    let needle: Vec<char> = span
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(fold)
        .collect();
    let hay: Vec<(usize, char)> = target
        .char_indices()
        .filter(|(_, c)| !c.is_whitespace())
        .map(|(i, c)| (i, fold(c)))
        .collect();
    if needle.len() < 2 || needle.len() > hay.len() {
        return None;
    }
    let mut hits = (0..=hay.len() - needle.len())
        .filter(|&s| needle.iter().zip(&hay[s..]).all(|(n, (_, h))| n == h));
    let start = hits.next()?;
    if hits.next().is_some() {
        return None;
    }
    let (last, _) = hay[start + needle.len() - 1];
    let end = last + target[last..].chars().next().map_or(0, char::len_utf8);
    Some(hay[start].0..end)
}

/// The middle of `text` that a model must read: emoji, URLs and tags at the ends stay outside.
#[must_use]
pub fn core(text: &str) -> Range<usize> {
    let outer = |kind| {
        matches!(
            kind,
            SpanKind::Emoji | SpanKind::Url | SpanKind::Email | SpanKind::Tag
        )
    };
    let found = spans(text);
    let (mut start, mut end) = (0, text.len());
    for span in &found {
        let gap = &text[start..span.range.start];
        // A URL that opens a sentence is its subject.
        let opens = matches!(span.kind, SpanKind::Emoji | SpanKind::Tag);
        if !opens || !gap.trim().is_empty() {
            break;
        }
        start = span.range.end;
    }
    for span in found.iter().rev() {
        if span.range.start < start
            || !outer(span.kind)
            || !text[span.range.end..end].trim().is_empty()
        {
            break;
        }
        end = span.range.start;
    }
    let body = &text[start..end];
    let lead = body.len() - body.trim_start().len();
    start += lead;
    start..start + body.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        spans(text).into_iter().map(|s| &text[s.range]).collect()
    }

    #[test]
    fn keeps_every_kind_of_span() {
        let cases: &[(&str, &[&str])] = &[
            ("See https://a.b/c?d=1, now.", &["https://a.b/c?d=1"]),
            ("(see www.site.org)", &["www.site.org"]),
            ("Read example.com/news today", &["example.com/news"]),
            ("Mail a.b+c@mail.example.org.", &["a.b+c@mail.example.org"]),
            (
                "Ask @user_1 on #Iraq2024 or #العراق",
                &["@user_1", "#Iraq2024", "#العراق"],
            ),
            ("Great 🎉👍🏽 news", &["🎉👍🏽"]),
            ("Family 👨‍👩‍👧 and 🇮🇶 flag", &["👨‍👩‍👧", "🇮🇶"]),
            (
                "Hi {name}, {{ x }} has %d of %(n)d and %1$s",
                &["{name}", "{{ x }}", "%d", "%(n)d", "%1$s"],
            ),
            ("A <b>bold</b> word<br/>", &["<b>", "</b>", "<br/>"]),
            ("Tom &amp; Jerry &#39;s", &["&amp;", "&#39;"]),
            (
                "Run `cargo build` or `x`, not ` y`",
                &["`cargo build`", "`x`"],
            ),
            ("50% discount, 5% said, AT&T; a < b > c, #1 in 3.5 km", &[]),
            ("{this is a long aside in braces}", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(found(text), *expected, "{text}");
        }
    }

    #[test]
    fn keeps_the_ends_of_long_and_odd_urls() {
        let long = format!("https://a.b/{}", "c,".repeat(4000) + "c");
        assert_eq!(found(&format!("See {long}).")), [&long]);
        assert_eq!(found("see wwW.مثال.كوم now"), ["wwW.مثال.كوم"]);
        let path = format!("a.com/{}", "d".repeat(500));
        assert_eq!(found(&path), [&path]);
        assert!(found(&format!("{}.com", "a.".repeat(200))).is_empty());
    }

    #[test]
    fn fails_when_openers_without_ends_cost_the_square_of_their_number() {
        for opener in ["a,", "{a ", "<b ", "&a ", "`a ", "%(a ", "a.", "a@", "@a@"] {
            let text = opener.repeat(200_000);
            assert!(spans(&text).len() <= text.len());
        }
        let text = format!("http://a.b/{}", ")]".repeat(200_000));
        assert_eq!(found(&text), ["http://a.b/"]);
    }

    #[test]
    fn keeps_symbols_from_the_model() {
        for text in [
            "",
            " ",
            "***",
            "12:30",
            "https://a.b/c",
            "@user",
            "٣٫٥ %",
            "🎉",
            "<br/>",
        ] {
            assert!(!is_translatable(text), "{text}");
        }
        assert!(is_translatable("see https://a.b"));
    }

    #[test]
    fn fails_when_a_span_or_the_text_after_an_emoji_is_lost() {
        assert!(spans_kept("Hi {name}", "مرحبا {name}"));
        assert!(!spans_kept("Hi {name}", "مرحبا {اسم}"));
        assert!(!spans_kept("%s of %s", "%s من"));
        assert!(!spans_kept("Good 🎉 All passed", "جيد 🎉"));
        let source = "Read https://a.b/c before you go home";
        assert!(!spans_kept(source, "اقرأ https://a.b/c"));
        assert!(spans_kept(
            source,
            "قبل أن تعود إلى البيت اقرأ https://a.b/c"
        ));
    }

    #[test]
    fn keeps_spans_that_came_back_with_spaces() {
        assert_eq!(mend("Hi {name}!", "مرحبا { Name }!"), "مرحبا {name}!");
        assert_eq!(
            mend("See https://a.b/1", "انظر https: //a.b/١"),
            "انظر https://a.b/1"
        );
    }

    #[test]
    fn keeps_marks_at_the_ends_outside_the_model() {
        let text = "🎉 Good news: https://a.b/c";
        assert_eq!(&text[core(text)], "Good news:");
        assert_eq!(&"<b>Hello</b>"[core("<b>Hello</b>")], "Hello");
        assert_eq!(&"{name} left"[core("{name} left")], "{name} left");
    }
}
