//! News articles as data: what a file holds before any model sees it, and what it holds after.
//!
//! An [`Article`] keeps the exact bytes of its text: joining its blocks gives the text back.

pub mod encoding;
pub mod header;
pub mod html;
pub mod jsonl;
pub mod plain;

use std::path::Path;

use crate::text::Lang;
pub use encoding::DecodeError;

/// One news text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Article {
    /// The id that the input gave, if any; missing ids are made by the run.
    pub id: Option<String>,
    /// The language that the input states; `None` means that it is to be detected.
    pub lang: Option<Lang>,
    /// Date as in the header, the `date` field, or the dateline (`2024-07-22`).
    pub date: Option<String>,
    /// Agency as the source spells it (`Shafaq News`).
    pub agency: Option<String>,
    /// Title, outside the text.
    pub title: Option<String>,
    /// The text, in pieces; `prefix + text + separator` of all of them is the source text.
    pub blocks: Vec<Block>,
    /// Unknown fields of a JSON line, carried through untouched.
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// The bytes were not UTF-8 and have been recoded.
    pub recoded: bool,
}

/// Reads the bytes of a text or HTML file into an article; the name's extension tells HTML and
/// Markdown from plain text.
///
/// # Errors
/// When the bytes are no text.
pub fn read_bytes(name: &str, bytes: &[u8]) -> Result<Article, DecodeError> {
    let extension = Path::new(name)
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    let is_html = matches!(extension.as_str(), "html" | "htm" | "xhtml");
    let (text, recoded) = if is_html {
        encoding::decode_html(bytes)?
    } else {
        encoding::decode(bytes)?
    };
    let article = if is_html {
        html::parse(&text)
    } else {
        plain::parse(&text, matches!(extension.as_str(), "md" | "markdown"))
    };
    Ok(Article { recoded, ..article })
}

/// What a [`Block`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Running text.
    Paragraph,
    /// A heading (Markdown `#`, HTML `h1`..`h6`).
    Heading,
    /// A bullet or a numbered item; the mark is in `prefix`.
    ListItem,
    /// Agency header (`date 2024-07-22 Shafaq News/ `): rewritten by rule, never by a model.
    Header,
    /// Nothing to translate: blank lines, rules, code, markup.
    Blank,
}

/// A paragraph, heading, list item, header or gap of an article, with its exact separators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Indentation, bullet, numbering or heading mark before the text; kept as it is.
    pub prefix: String,
    /// What may be translated.
    pub text: String,
    /// What follows the text up to the next block: spaces, line breaks, blank lines.
    pub separator: String,
}

impl Article {
    /// The source text, byte for byte.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for block in &self.blocks {
            out.push_str(&block.prefix);
            out.push_str(&block.text);
            out.push_str(&block.separator);
        }
        out
    }
}
