//! The readable text of an HTML page.
//!
//! A tolerant tokenizer, no tree: tags open and close blocks, what no reader sees (`script`,
//! `style`, `nav`, `footer`, `head`, ..) is skipped, entities are decoded, white space is folded.
//! Where the page has an `article` element with text, only that is taken.
//!
//! Inline marks are kept as Markdown writes them: `**bold**`, `*italic*`, `` `code` `` and
//! `[text](address)` where the address is a whole one (one within the site leads nowhere from a
//! text). They never cross a block, stand in no heading, and an empty one is dropped; the
//! translation keeps them where it finds the place (`text/marks.rs`). All other inline tags
//! are dropped, their text stays.

mod entities;

use super::{Article, Block, BlockKind, header};
use crate::text::Lang;
use entities::decode_entities;

/// Elements whose content is not read.
const SKIPPED: &[&str] = &[
    "script", "style", "nav", "footer", "noscript", "template", "svg", "iframe", "form", "button",
    "select", "textarea", "aside", "object", "canvas", "audio", "video", "math", "dialog", "menu",
];

/// Elements that end the block before them and behind them.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "blockquote",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "tr",
    "td",
    "th",
    "thead",
    "tbody",
    "figure",
    "figcaption",
    "caption",
    "pre",
    "address",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "body",
    "html",
    "details",
    "summary",
    "center",
    "hgroup",
    "fieldset",
];

/// Parses a page; never fails, whatever the bytes.
#[must_use]
pub fn parse(html: &str) -> Article {
    let mut page = Page::default();
    let mut rest = html;
    while !rest.is_empty() {
        let at = rest.find('<').unwrap_or(rest.len());
        page.text(&rest[..at]);
        rest = &rest[at..];
        if rest.is_empty() {
            break;
        }
        rest = page.markup(rest);
    }
    page.finish()
}

#[derive(Default)]
struct Page {
    article: Article,
    /// Text of the block that is open, white space folded.
    current: String,
    kind: Option<BlockKind>,
    /// Each block with whether an `article` element holds it.
    blocks: Vec<(Block, bool)>,
    /// Skipped elements that are open, innermost last.
    skipped: Vec<String>,
    in_head: bool,
    title: Option<String>,
    heading: Option<String>,
    in_h1: bool,
    articles: usize,
    /// Open lists: the number of the last item, or none for bullets.
    lists: Vec<Option<usize>>,
    mark: String,
    /// Inline marks that are open in the block.
    inline: Vec<Inline>,
}

/// An inline mark that is open.
#[derive(Clone)]
struct Inline {
    tag: String,
    /// Where it opens in the block's text.
    at: usize,
    open: &'static str,
    close: String,
}

impl Inline {
    /// The mark that a tag opens, if it opens one.
    fn read(tag: &Tag, at: usize) -> Option<Self> {
        let (open, close) = match tag.name.as_str() {
            "b" | "strong" => ("**", "**".to_owned()),
            "i" | "em" => ("*", "*".to_owned()),
            "code" | "kbd" | "samp" | "tt" => ("`", "`".to_owned()),
            "a" => {
                let address = tag.attribute("href")?.trim().to_owned();
                let whole = ["https://", "http://", "mailto:"]
                    .iter()
                    .any(|scheme| address.starts_with(scheme));
                let plain = !address.contains([' ', '(', ')', '<', '>']);
                (whole && plain).then(|| ("[", format!("]({address})")))?
            }
            _ => return None,
        };
        Some(Self {
            tag: tag.name.clone(),
            at,
            open,
            close,
        })
    }
}

impl Page {
    /// Takes what starts with `<`; gives what is left.
    fn markup<'a>(&mut self, rest: &'a str) -> &'a str {
        if let Some(comment) = rest.strip_prefix("<!--") {
            return comment.split_once("-->").map_or("", |(_, after)| after);
        }
        if rest.starts_with("<!") || rest.starts_with("<?") {
            return rest.split_once('>').map_or("", |(_, after)| after);
        }
        let Some(tag) = Tag::read(rest) else {
            self.text("<");
            return &rest[1..];
        };
        let after = &rest[tag.length..];
        if tag.closing {
            self.close(&tag.name);
            return after;
        }
        if matches!(
            tag.name.as_str(),
            "script" | "style" | "title" | "textarea" | "noscript"
        ) {
            // Raw text: nothing in it is a tag but its own end.
            let (inside, after) = raw_text(after, &tag.name);
            if tag.name == "title" && self.title.is_none() && self.skipped.is_empty() {
                let title = fold(&decode_entities(inside));
                self.title = (!title.is_empty()).then_some(title);
            }
            return after;
        }
        self.open(&tag);
        after
    }

    fn text(&mut self, raw: &str) {
        if raw.is_empty() || !self.skipped.is_empty() || self.in_head {
            return;
        }
        for c in decode_entities(raw).chars() {
            if c.is_whitespace() && c != '\u{a0}' {
                if !self.current.is_empty() && !self.current.ends_with([' ', '\n']) {
                    self.current.push(' ');
                }
            } else {
                self.current.push(c);
            }
        }
    }

    fn open(&mut self, tag: &Tag) {
        let name = tag.name.as_str();
        match name {
            "html" => self.article.lang = tag.attribute("lang").and_then(|l| Lang::parse(&l)),
            "head" => self.in_head = true,
            "body" => self.in_head = false,
            "meta" => self.meta(tag),
            _ => {}
        }
        if !self.skipped.is_empty() || SKIPPED.contains(&name) || self.is_page_header(name) {
            if !self.skipped.is_empty() && self.skipped.last().is_none_or(|s| s != name) {
                return;
            }
            if !tag.empty {
                self.end_block();
                self.skipped.push(name.to_owned());
            }
            return;
        }
        if name == "br" {
            while self.current.ends_with(' ') {
                self.current.pop();
            }
            if !self.current.is_empty() {
                // Every line has marks of its own.
                let open = self.inline.clone();
                self.close_inline(0);
                self.current.push('\n');
                let at = self.current.len();
                self.inline = open.into_iter().map(|mark| Inline { at, ..mark }).collect();
            }
            return;
        }
        if !BLOCKS.contains(&name) {
            if self.kind != Some(BlockKind::Heading) && !tag.empty && !self.in_head {
                self.inline.extend(Inline::read(tag, self.current.len()));
            }
            return;
        }
        // A body without a body tag ends the head as well.
        self.in_head &= matches!(name, "html");
        self.end_block();
        match name {
            "article" => self.articles += 1,
            "ul" => self.lists.push(None),
            "ol" => self.lists.push(Some(0)),
            "li" => {
                self.kind = Some(BlockKind::ListItem);
                self.mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{number}. ")
                    }
                    _ => "- ".to_owned(),
                };
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.kind = Some(BlockKind::Heading);
                self.in_h1 = name == "h1";
            }
            _ => {}
        }
    }

    /// The `header` of the page, not that of an article.
    fn is_page_header(&self, name: &str) -> bool {
        name == "header" && self.articles == 0
    }

    fn close(&mut self, name: &str) {
        if let Some(last) = self.skipped.last() {
            if last == name {
                self.skipped.pop();
            }
            return;
        }
        match name {
            "head" => self.in_head = false,
            "ul" | "ol" => {
                self.end_block();
                self.lists.pop();
            }
            "article" => {
                self.end_block();
                self.articles = self.articles.saturating_sub(1);
            }
            _ if BLOCKS.contains(&name) => self.end_block(),
            _ => {
                if let Some(place) = self.inline.iter().rposition(|mark| mark.tag == name) {
                    self.close_inline(place);
                }
            }
        }
    }

    /// Closes the inline marks from `place` on, the innermost first.
    fn close_inline(&mut self, place: usize) {
        for mark in self.inline.split_off(place).into_iter().rev() {
            let inside = self.current.get(mark.at..).unwrap_or_default();
            let start = mark.at + inside.len() - inside.trim_start().len();
            let end = mark.at + inside.trim_end().len();
            let same = self.inline.iter().any(|outer| outer.open == mark.open);
            if inside.contains(char::is_alphanumeric) && !same {
                self.current.insert_str(end, &mark.close);
                self.current.insert_str(start, mark.open);
            }
        }
    }

    fn meta(&mut self, tag: &Tag) {
        let name = tag.attribute("property").or_else(|| tag.attribute("name"));
        if name.as_deref() == Some("article:published_time")
            && let Some(content) = tag.attribute("content")
        {
            let date: String = content.chars().take(10).collect();
            let good = date.len() == 10 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            self.article.date = self.article.date.take().or(good.then_some(date));
        }
    }

    fn end_block(&mut self) {
        self.close_inline(0);
        let text = self.current.trim().to_owned();
        self.current.clear();
        if text.is_empty() {
            return;
        }
        let kind = self.kind.take().unwrap_or(BlockKind::Paragraph);
        if std::mem::take(&mut self.in_h1) && self.heading.is_none() {
            self.heading = Some(fold(&text));
        }
        let mark = std::mem::take(&mut self.mark);
        let prefix = if kind == BlockKind::ListItem {
            mark
        } else {
            String::new()
        };
        let kind = if text.contains(char::is_alphanumeric) {
            kind
        } else {
            BlockKind::Blank
        };
        let (prefix, text) = match kind {
            BlockKind::Blank => (prefix + &text, String::new()),
            _ => (prefix, text),
        };
        self.blocks.push((
            Block {
                kind,
                prefix,
                text,
                separator: String::new(),
            },
            self.articles > 0,
        ));
    }

    fn finish(mut self) -> Article {
        self.end_block();
        let has_article = self
            .blocks
            .iter()
            .any(|(b, inside)| *inside && b.kind == BlockKind::Paragraph && !b.text.is_empty());
        let blocks = self
            .blocks
            .into_iter()
            .filter(|(_, inside)| *inside || !has_article);
        self.article.blocks = blocks.map(|(block, _)| block).collect();
        let last = self.article.blocks.len().saturating_sub(1);
        for i in 0..last {
            let items = self.article.blocks[i..=i + 1]
                .iter()
                .all(|b| b.kind == BlockKind::ListItem);
            self.article.blocks[i].separator = if items { "\n" } else { "\n\n" }.to_owned();
        }
        if let Some(block) = self.article.blocks.last_mut() {
            block.separator.push('\n');
        }
        self.article.title = self.heading.or(self.title);
        split_header(&mut self.article);
        self.article
    }
}

/// Cuts the agency header off, though it may stand in bold.
fn split_header(article: &mut Article) {
    let Some(at) = header::place(article) else {
        return;
    };
    let text = article.blocks[at].text.clone();
    let mark = ["**", "*"].into_iter().find(|mark| text.starts_with(mark));
    let parts = mark.and_then(|mark| text[mark.len()..].split_once(mark));
    if let Some((inside, after)) = parts {
        article.blocks[at].text = format!("{inside}{after}");
        header::split_off(article);
        if article.blocks[at].kind != BlockKind::Header {
            article.blocks[at].text = text;
        }
    } else {
        header::split_off(article);
    }
}

/// Folds all white space into single spaces.
fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text up to the end tag `name`, and what follows that tag.
fn raw_text<'a>(rest: &'a str, name: &str) -> (&'a str, &'a str) {
    let mut from = 0;
    while let Some(at) = rest[from..].find("</").map(|i| from + i) {
        let after = &rest[at + 2..];
        if after
            .get(..name.len())
            .is_some_and(|n| n.eq_ignore_ascii_case(name))
        {
            let behind = after.split_once('>').map_or("", |(_, behind)| behind);
            return (&rest[..at], behind);
        }
        from = at + 2;
    }
    (rest, "")
}

struct Tag<'a> {
    name: String,
    attributes: &'a str,
    closing: bool,
    /// `<br/>`
    empty: bool,
    length: usize,
}

impl<'a> Tag<'a> {
    /// Reads a tag at the start of `rest`; `None` where `<` starts none (`1 < 2`).
    fn read(rest: &'a str) -> Option<Self> {
        let inner = rest.strip_prefix('<')?;
        let closing = inner.starts_with('/');
        let inner = inner.strip_prefix('/').unwrap_or(inner);
        if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let end = inner
            .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
            .unwrap_or(inner.len());
        let name = inner[..end].to_ascii_lowercase();
        let mut quote = None;
        let close = inner[end..].find(|c| match (quote, c) {
            (None, '>') => true,
            (None, '"' | '\'') => {
                quote = Some(c);
                false
            }
            (Some(q), c) => {
                if q == c {
                    quote = None;
                }
                false
            }
            _ => false,
        });
        // A quote that is never closed: the tag ends at the first `>`.
        let close = close.or_else(|| inner[end..].find('>'));
        let stop = close.map_or(inner.len(), |i| end + i);
        let attributes = &inner[end..stop];
        let length = rest.len() - inner.len() + stop + usize::from(close.is_some());
        Some(Self {
            name,
            attributes,
            closing,
            empty: attributes.ends_with('/'),
            length,
        })
    }

    fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            let end = rest.find(|c: char| c.is_whitespace() || c == '=')?;
            let (key, after) = rest.split_at(end);
            let after = after.trim_start();
            let Some(value) = after.strip_prefix('=').map(str::trim_start) else {
                rest = after;
                continue;
            };
            let (value, behind) = match value.chars().next() {
                Some(q @ ('"' | '\'')) => value[1..].split_once(q).unwrap_or((&value[1..], "")),
                _ => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
            };
            if key.eq_ignore_ascii_case(name) {
                return Some(decode_entities(value));
            }
            // `=` without a name before it is passed over.
            rest = behind;
        }
    }
}

#[cfg(test)]
mod tests;
