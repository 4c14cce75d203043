//! Records: one line of output each, schema `tarjama/1`.
//!
//! A record has no clock time and no machine detail: the same input, model and options give the
//! same bytes. Fields are written in the order of the structs below.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::article::Article;
use crate::translate::{ArticleError, Counts, Flag, TranslatedArticle, TranslatedSegment};

/// The name of the schema, as every record carries it.
pub const SCHEMA: &str = "tarjama/1";

/// Where an article came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file as the input names it; `-` for standard input.
    pub path: String,
    /// Line of a JSONL file, from 1; `None` where the file is the article.
    pub line: Option<u64>,
}

/// Why an article has no translation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordError {
    /// A stable name (`invalid_json`, `no_text`, `engine_failed`, ...).
    pub kind: String,
    /// What failed, for people.
    pub message: String,
}

impl RecordError {
    /// An error of a kind.
    #[must_use]
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.into(),
        }
    }
}

impl From<&ArticleError> for RecordError {
    fn from(error: &ArticleError) -> Self {
        let kind = match error {
            ArticleError::NoText => "no_text",
            ArticleError::UnsupportedLanguage(_) => "unsupported_language",
            ArticleError::Engine(_) => "engine_failed",
        };
        Self::new(kind, error.to_string())
    }
}

/// What the models made of one article.
#[derive(Clone, Debug, PartialEq)]
pub struct Processed {
    /// The translation.
    pub translated: TranslatedArticle,
    /// Summaries by language code, in the order in which the record has them.
    pub summary: Vec<(String, String)>,
    /// Flags that the summaries add to those of the translation.
    pub flags: Vec<Flag>,
    /// `ID@REVISION` of the summary model; `None` where no summary was asked.
    pub summary_model: Option<String>,
}

/// Which segments a record lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SegmentDetail {
    /// All of them.
    #[default]
    All,
    /// Those with a flag.
    Flagged,
    /// None; the translated text is all there is.
    None,
}

impl SegmentDetail {
    /// The name as `--segments` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Flagged => "flagged",
            Self::None => "none",
        }
    }
}

#[derive(Serialize)]
struct Good<'a> {
    schema: &'static str,
    id: &'a str,
    index: u64,
    source: &'a Source,
    lang: &'a str,
    target_lang: &'a str,
    date: Option<&'a str>,
    agency: Option<&'a str>,
    title: Option<&'a str>,
    text: &'a str,
    translation: Translation<'a>,
    summary: Map<String, Value>,
    models: Models<'a>,
    flags: Vec<Flag>,
    counts: Counts,
    extra: &'a Map<String, Value>,
    error: Option<()>,
}

#[derive(Serialize)]
struct Translation<'a> {
    title: Option<&'a str>,
    text: &'a str,
    segments: Vec<&'a TranslatedSegment>,
}

#[derive(Serialize)]
struct Models<'a> {
    translation: &'a str,
    summary: Option<&'a str>,
}

#[derive(Serialize)]
struct Failed<'a> {
    schema: &'static str,
    id: &'a str,
    index: u64,
    source: &'a Source,
    error: &'a RecordError,
}

/// The id, place and origin of a record.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Id of the article.
    pub id: &'a str,
    /// Its index in the whole input, shards included.
    pub index: u64,
    /// Where it came from.
    pub source: &'a Source,
}

/// The record of a translated article, as one line with its line break.
#[must_use]
pub fn good_line(
    place: Place<'_>,
    article: &Article,
    processed: &Processed,
    detail: SegmentDetail,
) -> Vec<u8> {
    let translated = &processed.translated;
    let mut flags: Vec<Flag> = translated
        .flags
        .iter()
        .chain(&processed.flags)
        .copied()
        .collect();
    if article.recoded {
        flags.push(Flag::Recoded);
    }
    flags.sort_unstable();
    flags.dedup();
    let segments = translated.segments.iter().filter(|segment| match detail {
        SegmentDetail::All => true,
        SegmentDetail::Flagged => !segment.flags.is_empty(),
        SegmentDetail::None => false,
    });
    line(&Good {
        schema: SCHEMA,
        id: place.id,
        index: place.index,
        source: place.source,
        lang: translated.lang.code(),
        target_lang: translated.target_lang.code(),
        date: article.date.as_deref(),
        agency: article.agency.as_deref(),
        title: article.title.as_deref(),
        text: &article.text(),
        translation: Translation {
            title: translated.title.as_deref(),
            text: &translated.text,
            segments: segments.collect(),
        },
        summary: processed
            .summary
            .iter()
            .map(|(lang, text)| (lang.clone(), Value::String(text.clone())))
            .collect(),
        models: Models {
            translation: &translated.model,
            summary: processed.summary_model.as_deref(),
        },
        flags,
        counts: translated.counts,
        extra: &article.extra,
        error: None,
    })
}

/// The record of one article outside a run, as one line with its line break: index 0, and the id
/// that a run over it alone would give.
#[must_use]
pub fn single_line(path: &str, article: &Article, processed: &Processed) -> Vec<u8> {
    let id = match &article.id {
        Some(id) => id.clone(),
        None => super::ids::hex(&super::ids::digest(article.text().as_bytes())[..8]),
    };
    let source = Source {
        path: path.to_owned(),
        line: None,
    };
    let place = Place {
        id: &id,
        index: 0,
        source: &source,
    };
    good_line(place, article, processed, SegmentDetail::All)
}

/// The record of a failed article, as one line with its line break.
#[must_use]
pub fn error_line(place: Place<'_>, error: &RecordError) -> Vec<u8> {
    line(&Failed {
        schema: SCHEMA,
        id: place.id,
        index: place.index,
        source: place.source,
        error,
    })
}

fn line(record: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(e) = serde_json::to_writer(&mut bytes, record) {
        // Strings, numbers and maps with string keys always serialise.
        unreachable!("a record does not serialise: {e}");
    }
    bytes.push(b'\n');
    bytes
}

/// What counting, resuming and merging need of a record.
#[derive(Debug, Deserialize)]
pub struct Head {
    /// Schema name.
    pub schema: String,
    /// Id.
    pub id: String,
    /// Index in the whole input.
    pub index: u64,
    /// Where the article came from.
    #[serde(default)]
    pub source: Option<Source>,
    /// Flags of the record.
    #[serde(default)]
    pub flags: Vec<String>,
    /// The error of an error record.
    #[serde(default)]
    pub error: Option<RecordError>,
    /// Sizes; none in an error record.
    #[serde(default)]
    pub counts: Option<Counts>,
}

impl Head {
    /// Reads a line of an output file; `None` when it is no whole record of this schema.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(line)
            .ok()
            .filter(|head| head.schema == SCHEMA)
    }
}
