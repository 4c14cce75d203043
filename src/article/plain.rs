//! Plain text and Markdown into blocks, byte for byte.
//!
//! The text is read by lines. Blank lines part paragraphs; a heading, a bullet and a numbered item
//! start a block of their own; lines without letters or digits, and the code, front matter and
//! rules of Markdown, are [`BlockKind::Blank`]. White space never stands at an edge of a block's
//! text: it goes to the prefix or the separator.

use super::{Article, Block, BlockKind, header};

/// Parses a text, with its agency header if it has one.
#[must_use]
pub fn parse(text: &str, markdown: bool) -> Article {
    let mut article = Article {
        blocks: blocks(text, markdown),
        ..Article::default()
    };
    header::split_off(&mut article);
    article
}

/// The lines of this block have been wrapped by a program and belong to one paragraph: all but the
/// last are long and of like length, and most do not end a sentence.
#[must_use]
pub fn looks_wrapped(block_text: &str) -> bool {
    let lines: Vec<&str> = block_text.lines().map(str::trim).collect();
    let Some((last, head)) = lines.split_last() else {
        return false;
    };
    if head.is_empty() {
        return false;
    }
    let lengths: Vec<usize> = head.iter().map(|l| l.chars().count()).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let shortest = lengths.iter().copied().min().unwrap_or(0);
    if !(40..=120).contains(&longest) || last.chars().count() > longest {
        return false;
    }
    let stops = head.iter().filter(|l| ends_sentence(l)).count();
    if stops * 2 >= head.len() && (head.len() > 1 || stops == 1) {
        return false;
    }
    // A line is filled when the first word of the next one would not have fitted.
    let filled = head
        .iter()
        .zip(&lines[1..])
        .filter(|(line, next)| {
            let word = next.split_whitespace().next().unwrap_or_default();
            line.chars().count() + 1 + word.chars().count() > longest.saturating_sub(4)
        })
        .count();
    shortest * 5 >= longest * 3 && filled * 5 >= head.len() * 4
}

fn ends_sentence(line: &str) -> bool {
    line.trim_end_matches(['"', '”', '»', ')', ']', '\'', '’'])
        .ends_with(['.', '!', '?', '؟', '…', '۔', ':'])
}

struct Line<'a> {
    body: &'a str,
    end: &'a str,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let ending = match &rest[at..] {
            tail if tail.starts_with("\r\n") => 2,
            tail => tail.len().min(1),
        };
        let line = Line {
            body: &rest[..at],
            end: &rest[at..at + ending],
        };
        rest = &rest[at + ending..];
        Some(line)
    })
}

fn blocks(text: &str, markdown: bool) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::new();
    // The last block is a paragraph or an item that the next line may go on with.
    let mut open = false;
    let mut fence: Option<&str> = None;
    let mut front_matter = false;
    for (number, Line { body, end }) in lines(text).enumerate() {
        let trimmed = body.trim();
        if markdown {
            let mark = trimmed.get(..3).filter(|m| matches!(*m, "```" | "~~~"));
            let rule = trimmed == "---" && (front_matter || number == 0);
            if fence.is_some() || front_matter || mark.is_some() || rule {
                if rule {
                    front_matter = number == 0 && closes_front_matter(text);
                } else if let Some(mark) = mark {
                    fence = match fence {
                        None => Some(mark),
                        Some(opened) => (opened != mark).then_some(opened),
                    };
                }
                out.push(blank(body, end));
                open = false;
                continue;
            }
        }
        if trimmed.is_empty() {
            match out.last_mut() {
                Some(last) => {
                    last.separator.push_str(body);
                    last.separator.push_str(end);
                }
                None => out.push(Block {
                    separator: [body, end].concat(),
                    ..blank("", "")
                }),
            }
            open = false;
            continue;
        }
        if !trimmed.contains(char::is_alphanumeric) {
            // `=====` under a line makes it a heading.
            let setext = trimmed.chars().all(|c| c == '=') || trimmed.chars().all(|c| c == '-');
            if let Some(last) = out.last_mut()
                && (markdown && setext && open && last.kind == BlockKind::Paragraph)
            {
                last.kind = BlockKind::Heading;
            }
            out.push(blank(body, end));
            open = false;
            continue;
        }
        let indented = body.starts_with([' ', '\t']);
        let (kind, prefix) = mark_of(body, markdown);
        let continues = open
            && kind == BlockKind::Paragraph
            && out
                .last()
                .is_some_and(|b| b.kind == BlockKind::Paragraph || indented);
        if let Some(last) = out.last_mut().filter(|_| continues) {
            last.text.push_str(&std::mem::take(&mut last.separator));
            push_trimmed(last, body, end);
        } else {
            let mut block = Block {
                kind,
                prefix: body[..prefix].to_owned(),
                ..blank("", "")
            };
            push_trimmed(&mut block, &body[prefix..], end);
            if kind == BlockKind::Heading {
                move_closing_marks(&mut block);
            }
            out.push(block);
            open = kind != BlockKind::Heading;
        }
    }
    out
}

fn blank(prefix: &str, separator: &str) -> Block {
    Block {
        kind: BlockKind::Blank,
        prefix: prefix.to_owned(),
        text: String::new(),
        separator: separator.to_owned(),
    }
}

/// Front matter counts only when it is closed.
fn closes_front_matter(text: &str) -> bool {
    lines(text)
        .skip(1)
        .take(200)
        .any(|l| l.body.trim() == "---")
}

fn push_trimmed(block: &mut Block, body: &str, end: &str) {
    let content = body.trim_end();
    if block.text.is_empty() {
        let start = content.trim_start();
        block
            .prefix
            .push_str(&content[..content.len() - start.len()]);
        block.text.push_str(start);
    } else {
        block.text.push_str(content);
    }
    block.separator.push_str(&body[content.len()..]);
    block.separator.push_str(end);
}

/// `## Title ##`: the closing marks are no part of the title.
fn move_closing_marks(block: &mut Block) {
    let title = block.text.trim_end_matches('#');
    if title.len() < block.text.len() && title.ends_with(char::is_whitespace) {
        let tail = block.text.split_off(title.trim_end().len());
        block.separator.insert_str(0, &tail);
    }
}

/// What kind of block a line starts, and the length of its mark with the white space around it.
fn mark_of(body: &str, markdown: bool) -> (BlockKind, usize) {
    let indent = body.len() - body.trim_start().len();
    let rest = &body[indent..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let (kind, mark) = if (1..=6).contains(&hashes) {
        (BlockKind::Heading, hashes)
    } else if markdown && rest.starts_with('>') {
        let marks = rest.find(|c: char| c != '>' && c != ' ').unwrap_or(0);
        return (BlockKind::Paragraph, indent + marks);
    } else if let Some(mark) = bullet(rest, markdown) {
        (BlockKind::ListItem, mark)
    } else if let Some(mark) = numbering(rest) {
        (BlockKind::ListItem, mark)
    } else {
        return (BlockKind::Paragraph, indent);
    };
    let after = &rest[mark..];
    let gap = after.len() - after.trim_start().len();
    let glued = rest.starts_with(GLUED_BULLETS);
    if (gap == 0 && !glued) || !after.contains(char::is_alphanumeric) {
        return (BlockKind::Paragraph, indent);
    }
    (kind, indent + mark + gap)
}

/// Bullets that may stand directly before a word.
const GLUED_BULLETS: [char; 10] = ['•', '●', '▪', '◦', '■', '‣', '○', '➢', '✓', '✔'];

fn bullet(rest: &str, markdown: bool) -> Option<usize> {
    let first = rest.chars().next()?;
    let known = matches!(
        first,
        '-' | '*' | '–' | '—' | '·' | '➤' | '►' | '❖' | '□' | '▫'
    ) || GLUED_BULLETS.contains(&first)
        || (markdown && first == '+');
    if !known {
        return None;
    }
    let mark = first.len_utf8();
    let task = ["[ ]", "[x]", "[X]"]
        .iter()
        .any(|t| rest[mark..].trim_start().starts_with(t));
    let gap = rest[mark..].len() - rest[mark..].trim_start().len();
    Some(if task && gap > 0 {
        mark + gap + 3
    } else {
        mark
    })
}

/// `1.`, `1)`, `(1)`, `١.`, `١-`, `أ-`, `a)`.
fn numbering(rest: &str) -> Option<usize> {
    let opened = rest.starts_with('(');
    let inner = if opened { &rest[1..] } else { rest };
    let length = inner.find(|c: char| !c.is_numeric()).unwrap_or(inner.len());
    let count = inner[..length].chars().count();
    let (length, letter) = if length == 0 {
        let c = inner
            .chars()
            .next()
            .filter(|c| matches!(c, 'a'..='z' | 'أ'..='ي'))?;
        (c.len_utf8(), true)
    } else {
        (length, false)
    };
    if count > 3 {
        return None;
    }
    let mark = inner[length..].chars().next()?;
    let known = match mark {
        ')' => true,
        '.' => !opened && !letter,
        '-' | '–' => !opened && !inner.starts_with(|c: char| c.is_ascii_lowercase()),
        _ => false,
    };
    known.then_some(usize::from(opened) + length + mark.len_utf8())
}

#[cfg(test)]
mod tests;
