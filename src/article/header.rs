//! Agency headers and datelines at the start of an article: `date 2024-07-22 Shafaq News/ `,
//! `BAGHDAD (Reuters) - `, `شفق نيوز/ `.
//!
//! They are cut off as a block of their own and rewritten by tables, as no model is needed for a
//! date and a name, and models spoil them.

mod names;

use super::{Article, Block, BlockKind};
use crate::text::Lang;

/// A header found at the start of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// Length of the header in bytes, without white space behind it.
    pub(super) length: usize,
    /// Its date, as written.
    pub(super) date: Option<&'a str>,
    /// Its agency, as written.
    pub(super) agency: Option<&'a str>,
}

/// A header is short; what is longer is prose.
const MAX_CHARS: usize = 100;

/// Cuts the header off the article's first text into a block of its own.
pub(super) fn split_off(article: &mut Article) {
    let Some(at) = place(article) else {
        return;
    };
    let block = &mut article.blocks[at];
    let Some(header) = find(&block.text) else {
        return;
    };
    let rest = block.text[header.length..].trim_start();
    let gap = block.text[header.length..block.text.len() - rest.len()].to_owned();
    let head = block.text[..header.length].to_owned();
    let date = header.date.map(str::to_owned);
    let agency = header.agency.map(str::to_owned);
    if rest.is_empty() {
        block.kind = BlockKind::Header;
    } else {
        let paragraph = Block {
            kind: BlockKind::Paragraph,
            prefix: String::new(),
            text: rest.to_owned(),
            separator: std::mem::take(&mut block.separator),
        };
        block.kind = BlockKind::Header;
        block.text = head;
        block.separator = gap;
        article.blocks.insert(at + 1, paragraph);
    }
    article.date = article.date.take().or(date);
    article.agency = article.agency.take().or(agency);
}

/// The block that a header opens, or would open: the first paragraph behind headings; the second,
/// where the first has no header and looks like a headline.
pub(super) fn place(article: &Article) -> Option<usize> {
    let mut texts = article
        .blocks
        .iter()
        .enumerate()
        .filter(|(_, block)| !block.text.is_empty() && block.kind != BlockKind::Heading);
    let mut paragraph = || {
        let (at, block) = texts.next()?;
        (block.kind == BlockKind::Paragraph).then_some((at, block.text.as_str()))
    };
    let (first, text) = paragraph()?;
    if find(text).is_none()
        && is_headline(text)
        && let Some((second, text)) = paragraph()
        && find(text).is_some()
    {
        return Some(second);
    }
    Some(first)
}

/// One short line that ends no sentence.
fn is_headline(text: &str) -> bool {
    let ends = text.ends_with(['.', '!', '؟', '…', ':', '"', '”', '»']);
    !text.contains('\n') && !ends && text.chars().count() <= 150
}

/// The header at the start of `text`, which has no white space before it.
pub(super) fn find(text: &str) -> Option<Header<'_>> {
    let limit = text
        .char_indices()
        .nth(MAX_CHARS)
        .map_or(text.len(), |(i, _)| i);
    let head = &text[..limit];
    let head = &head[..head.find('\n').unwrap_or(head.len())];
    dated(head)
        .or_else(|| bracketed(head))
        .or_else(|| named(head))
}

/// `date 2024-07-22 Shafaq News/`, `2024-07-22 Shafaq News/`, `date 2024-07-22`.
fn dated(head: &str) -> Option<Header<'_>> {
    let rest = strip_date_word(head);
    let worded = rest.len() < head.len();
    let date = leading_date(rest)?;
    let after = &rest[date.len()..];
    let slash = after.find('/');
    let name = slash.map(|i| after[..i].trim()).filter(|n| is_name(n, 6));
    let consumed = head.len() - rest.len() + date.len();
    match (slash, name) {
        (Some(i), Some(name)) if after.starts_with(char::is_whitespace) => Some(Header {
            length: consumed + i + 1,
            date: Some(date),
            agency: Some(name),
        }),
        _ if worded && !after.starts_with(char::is_alphanumeric) => Some(Header {
            length: consumed,
            date: Some(date),
            agency: None,
        }),
        _ => None,
    }
}

/// `BAGHDAD, July 22 (Reuters) - `, `بغداد (وكالات) - `.
fn bracketed(head: &str) -> Option<Header<'_>> {
    let open = head.find('(')?;
    let close = open + head[open..].find(')')?;
    let place = head[..open].trim();
    let agency = head[open + 1..close].trim();
    let after = &head[close + 1..];
    let gap = after.len() - after.trim_start().len();
    let marks = after.trim_start();
    let marks = &marks[..marks
        .find(|c| !is_dash(c) && c != ':')
        .unwrap_or(marks.len())];
    if marks.is_empty() || marks.chars().count() > 2 {
        return None;
    }
    let city = place.split([',', '،', '/']).next().unwrap_or(place).trim();
    let known_city = names::is_city(city);
    let known_agency = names::is_agency(agency);
    if !(known_city || known_agency && looks_like_a_place(city)) || !is_name(place, 7) {
        return None;
    }
    let length = close + 1 + gap + marks.len();
    let behind = &head[length..];
    let apart = behind.is_empty() || behind.starts_with(char::is_whitespace);
    if !(known_agency || is_name(agency, 4)) || (marks == "-" && !apart) {
        return None;
    }
    Some(Header {
        length,
        date: place.split(' ').find_map(leading_date),
        agency: Some(agency),
    })
}

/// `Shafaq News/`, `شفق نيوز/ بغداد/`, `BAGHDAD - INA -`: a known agency, or a name that says so.
fn named(head: &str) -> Option<Header<'_>> {
    let (first, mark) = piece(head)?;
    let spaced =
        |end: usize| head[end..].is_empty() || head[end..].starts_with(char::is_whitespace);
    let known = names::is_agency(first) && (mark == '/' || !is_ambiguous(first));
    if known || (mark == '/' && names_an_agency(first)) {
        let end = first.len() + head[first.len()..].find(mark)? + mark.len_utf8();
        if !spaced(end) {
            return None;
        }
        // A city may follow: `شفق نيوز/ بغداد/`
        let rest = head[end..].trim_start();
        let length = match piece(rest) {
            Some((city, m)) if names::is_city(city) => {
                let from = head.len() - rest.len() + city.len();
                from + head[from..].find(m)? + m.len_utf8()
            }
            _ => end,
        };
        let agency = Some(first);
        return Some(Header {
            length: if spaced(length) { length } else { end },
            date: None,
            agency,
        });
    }
    // A city first: `بغداد/ شفق نيوز/`, `BAGHDAD - INA -`
    if !names::is_city(first) {
        return None;
    }
    let from = first.len() + head[first.len()..].find(mark)? + mark.len_utf8();
    let rest = head[from..].trim_start();
    let (agency, mark) = piece(rest)?;
    if !names::is_agency(agency) {
        return None;
    }
    let at = head.len() - rest.len() + agency.len();
    let length = at + head[at..].find(mark)? + mark.len_utf8();
    spaced(length).then_some(Header {
        length,
        date: None,
        agency: Some(agency),
    })
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '–' | '—' | '―')
}

/// One to three words, with capitals where the script has them, and no article before them.
fn looks_like_a_place(name: &str) -> bool {
    let words: Vec<&str> = name.split_whitespace().collect();
    (1..=3).contains(&words.len())
        && words.iter().all(|w| !w.starts_with(char::is_lowercase))
        && !matches!(words[0], "The" | "A" | "An" | "In" | "At")
}

/// Names that are also plain words, which only a slash makes a header.
fn is_ambiguous(name: &str) -> bool {
    let short = !name.contains(' ') && name.chars().count() <= 5 && !name.is_ascii();
    short
        || matches!(
            name,
            "Special" | "Exclusive" | "Staff" | "Correspondent" | "Agencies"
        )
}

/// What stands before the first `/`, `:` or dash of a header.
fn piece(head: &str) -> Option<(&str, char)> {
    let at = head.find(['/', '-', '–', '—', ':', '.', '،'])?;
    let mark = head[at..].chars().next()?;
    let name = head[..at].trim_end();
    (is_name(name, 5) && !matches!(mark, '.' | '،')).then_some((name, mark))
}

/// Says of itself that it is an agency.
fn names_an_agency(name: &str) -> bool {
    let capital = name.split(' ').all(|w| !w.starts_with(char::is_lowercase));
    capital
        && name.split(' ').any(|w| {
            matches!(
                w,
                "News" | "Agency" | "Press" | "Post" | "Times" | "NEWS" | "نيوز" | "وكالة"
            )
        })
}

/// Short, of letters and little else, no sentence.
fn is_name(name: &str, max_words: usize) -> bool {
    name.contains(char::is_alphabetic)
        && name.chars().count() <= 60
        && name.split_whitespace().count() <= max_words
        && !name.contains(['!', '?', '؟', ';', '؛', '"', '“', '«', '(', ')'])
        && !name.contains(". ")
}

fn strip_date_word(head: &str) -> &str {
    for word in ["date", "Date", "DATE", "تاريخ", "التاريخ"] {
        if let Some(rest) = head.strip_prefix(word) {
            let rest = rest.strip_prefix(':').unwrap_or(rest);
            if rest.starts_with(char::is_whitespace) {
                return rest.trim_start();
            }
        }
    }
    head
}

/// `2024-07-22`, `2024/7/22`, `22/07/2024`, with any decimal digits, at the start.
fn leading_date(text: &str) -> Option<&str> {
    let end = text
        .find(|c: char| !c.is_numeric() && !matches!(c, '-' | '/' | '.'))
        .unwrap_or(text.len());
    let date = text[..end].trim_end_matches(['-', '/', '.']);
    let mark = date.chars().find(|c| !c.is_numeric())?;
    let sizes: Vec<usize> = date.split(mark).map(|p| p.chars().count()).collect();
    let good = matches!(sizes[..], [4, 1 | 2, 1 | 2] | [1 | 2, 1 | 2, 4]);
    (good && date.chars().all(|c| c.is_numeric() || c == mark)).then_some(date)
}

/// Rewrites the text of a header block: `date` is dropped, agencies, cities and months are
/// replaced by table, everything else stays as it is.
#[must_use]
pub fn translate_header(text: &str, to: Lang) -> String {
    let mut rest = strip_date_word(text);
    let mut out = String::with_capacity(text.len());
    let mut at_word = true;
    while let Some(c) = rest.chars().next() {
        if at_word && let Some((length, name)) = names::longest(rest, to) {
            out.push_str(name);
            rest = &rest[length..];
            at_word = false;
            continue;
        }
        out.push(match c {
            ',' if to == Lang::AR => '،',
            '،' if to == Lang::EN => ',',
            c => c,
        });
        at_word = !c.is_alphanumeric();
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// A character as names are compared: lower case, one form of alif, no marks.
fn folded(c: char) -> impl Iterator<Item = char> {
    let c = match c {
        '\u{064B}'..='\u{0652}' | '\u{0640}' => None,
        'أ' | 'إ' | 'آ' => Some('ا'),
        'ى' => Some('ي'),
        '’' => Some('\''),
        c => Some(c),
    };
    c.into_iter().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests;
