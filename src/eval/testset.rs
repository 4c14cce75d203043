//! Test sets: sources with references, and translations of them.
//!
//! A text file has one segment a line. A JSONL file has one of these a line:
//! - a document, `{"id","topic"?,"sentences":[{"en","ar"},..]}`: each sentence both ways;
//! - a pair of languages, `{"en","ar"}` or `{"translation":{"en","ar"}}`: both ways;
//! - one way, `{"source","reference"}`, with `from` and `to`, or `direction`, where they are known.
//!
//! `document` (or `doc`) and `topic` (or `domain`) put segments into groups.

use serde_json::{Map, Value};

use crate::text::{Direction, Lang, lang};

/// One segment of a test set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// From the source's language into the reference's.
    pub direction: Direction,
    /// The document that it is of.
    pub document: Option<String>,
    /// What the document is about.
    pub topic: Option<String>,
    /// The source, where there is one.
    pub source: Option<String>,
    /// The translation by a person.
    pub reference: String,
}

/// The languages that the user named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Languages {
    /// Source language.
    pub from: Option<Lang>,
    /// Target language.
    pub to: Option<Lang>,
}

/// Why a test set cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestSetError {
    /// A line is not JSON.
    #[error("line {line} is not valid JSON: {source}")]
    Json {
        /// Number of the line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A line has no source and reference.
    #[error("line {line} has no {missing}")]
    Missing {
        /// Number of the line, from 1.
        line: usize,
        /// What it should have.
        missing: &'static str,
    },
    /// Two files that belong together have not the same number of lines.
    #[error("{left} lines of {left_name}, but {right} of {right_name}")]
    Lengths {
        /// Lines of the first.
        left: usize,
        /// What the first is.
        left_name: &'static str,
        /// Lines of the second.
        right: usize,
        /// What the second is.
        right_name: &'static str,
    },
    /// There is nothing to judge.
    #[error("no segments{0}")]
    Empty(String),
}

/// Languages whose codes are keys of pairs; any code would make `id` Indonesian.
const KEYS: &[&str] = &[
    "en", "ar", "pt", "fr", "es", "de", "it", "ru", "tr", "fa", "ur",
];

/// The items of a JSONL test set, in the directions that `languages` allow.
///
/// # Errors
/// When a line is not JSON or has no reference, or nothing is left.
pub fn parse_jsonl(text: &str, languages: Languages) -> Result<Vec<Item>, TestSetError> {
    let mut items = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let number = at + 1;
        let row: Value = serde_json::from_str(line).map_err(|source| TestSetError::Json {
            line: number,
            source,
        })?;
        let row = row.as_object().ok_or(TestSetError::Missing {
            line: number,
            missing: "object",
        })?;
        read_row(row, number, languages, &mut items)?;
    }
    let fits = |item: &Item| {
        languages.from.is_none_or(|l| l == item.direction.from)
            && languages.to.is_none_or(|l| l == item.direction.to)
    };
    items.retain(fits);
    if items.is_empty() {
        let asked = match (languages.from, languages.to) {
            (None, None) => String::new(),
            (from, to) => format!(
                " from {} to {}",
                from.map_or("any language".into(), |l| l.to_string()),
                to.map_or("any language".into(), |l| l.to_string())
            ),
        };
        return Err(TestSetError::Empty(asked));
    }
    Ok(items)
}

fn read_row(
    row: &Map<String, Value>,
    line: usize,
    languages: Languages,
    items: &mut Vec<Item>,
) -> Result<(), TestSetError> {
    let topic = text_of(row, &["topic", "domain"]);
    let document = text_of(row, &["document", "doc", "doc_id"]);
    if let Some(sentences) = row.get("sentences").and_then(Value::as_array) {
        let document = document.or_else(|| text_of(row, &["id"]));
        for sentence in sentences {
            let pair = sentence.as_object().and_then(pair);
            let pair = pair.ok_or(TestSetError::Missing {
                line,
                missing: "two languages in one of its sentences",
            })?;
            both_ways(&pair, document.as_deref(), topic.as_deref(), items);
        }
        return Ok(());
    }
    let nested = row.get("translation").and_then(Value::as_object);
    if let Some(pair) = nested.and_then(pair).or_else(|| pair(row)) {
        both_ways(&pair, document.as_deref(), topic.as_deref(), items);
        return Ok(());
    }
    let reference = text_of(row, &["reference", "ref", "target", "tgt"]);
    let reference = reference.ok_or(TestSetError::Missing {
        line,
        missing: "reference: give source and reference, a pair of languages, or sentences",
    })?;
    let source = text_of(row, &["source", "src", "text"]);
    let named = named_direction(row);
    let asked = Languages {
        from: named.from.or(languages.from),
        to: named.to.or(languages.to),
    };
    items.push(Item {
        direction: direction(asked, source.as_deref(), &reference),
        document,
        topic,
        source,
        reference,
    });
    Ok(())
}

fn named_direction(row: &Map<String, Value>) -> Languages {
    let lang = |keys: &[&str]| text_of(row, keys).and_then(|code| Lang::parse(&code));
    let both = text_of(row, &["direction"]);
    let both = both.as_deref().and_then(|d| d.split_once('-'));
    Languages {
        from: lang(&["from", "source_lang", "lang"]).or_else(|| Lang::parse(both?.0)),
        to: lang(&["to", "target_lang"]).or_else(|| Lang::parse(both?.1)),
    }
}

/// The direction of texts whose languages are named or else detected.
fn direction(asked: Languages, source: Option<&str>, reference: &str) -> Direction {
    let other = |lang: Lang| if lang == Lang::AR { Lang::EN } else { Lang::AR };
    let to = asked.to.or_else(|| lang::detect(reference));
    let from = asked.from.or_else(|| lang::detect(source?));
    let to = to.unwrap_or_else(|| from.map_or(Lang::AR, other));
    Direction {
        from: from.unwrap_or_else(|| other(to)),
        to,
    }
}

/// The first of these keys that has a text or a number.
fn text_of(row: &Map<String, Value>, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| match row.get(*key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// The two texts of an object with keys of two languages, in the order of the object.
fn pair(row: &Map<String, Value>) -> Option<[(Lang, String); 2]> {
    let mut sides = row.iter().filter_map(|(key, value)| {
        let key = KEYS.contains(&key.as_str()).then_some(key)?;
        Some((Lang::parse(key)?, value.as_str()?.to_owned()))
    });
    let pair = [sides.next()?, sides.next()?];
    sides.next().is_none().then_some(pair)
}

fn both_ways(
    pair: &[(Lang, String); 2],
    document: Option<&str>,
    topic: Option<&str>,
    items: &mut Vec<Item>,
) {
    for (source, reference) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
        items.push(Item {
            direction: Direction {
                from: source.0,
                to: reference.0,
            },
            document: document.map(str::to_owned),
            topic: topic.map(str::to_owned),
            source: Some(source.1.clone()),
            reference: reference.1.clone(),
        });
    }
}

/// The items of text files: references line by line, and their sources where there are any.
///
/// # Errors
/// When the files have not the same number of lines, or none.
pub fn from_lines(
    references: &str,
    sources: Option<&str>,
    languages: Languages,
) -> Result<Vec<Item>, TestSetError> {
    let direction = direction(languages, sources, references);
    let references = lines(references);
    let sources = sources.map(lines);
    if let Some(sources) = &sources {
        same_length(sources.len(), "sources", references.len(), "references")?;
    }
    if references.is_empty() {
        return Err(TestSetError::Empty(String::new()));
    }
    let items = references.iter().enumerate().map(|(at, reference)| Item {
        direction,
        document: None,
        topic: None,
        source: sources.as_ref().map(|s| s[at].to_owned()),
        reference: (*reference).to_owned(),
    });
    Ok(items.collect())
}

/// The translations in a JSONL file, one a line: a text, what `translate --lines --json` or `run`
/// writes, or an object with `hypothesis`, `mt`, `target` or `text`.
///
/// # Errors
/// When a line is not JSON or has no translation.
pub fn hypotheses(text: &str) -> Result<Vec<String>, TestSetError> {
    let rows = lines(text).into_iter().enumerate();
    rows.filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            let line_number = at + 1;
            let row: Value = serde_json::from_str(line).map_err(|source| TestSetError::Json {
                line: line_number,
                source,
            })?;
            hypothesis(&row).ok_or(TestSetError::Missing {
                line: line_number,
                missing: "translation: give hypothesis, or a record of `tarjama run`",
            })
        })
        .collect()
}

fn hypothesis(row: &Value) -> Option<String> {
    if let Value::String(text) = row {
        return Some(text.clone());
    }
    if let Some(list) = row.get("hypotheses").and_then(Value::as_array) {
        let best = list.first().map_or(Some(""), |best| best["text"].as_str());
        return best.map(str::to_owned);
    }
    let of_record = row["translation"]["text"].as_str().map(str::to_owned);
    let keys = ["hypothesis", "mt", "target", "text"];
    of_record.or_else(|| text_of(row.as_object()?, &keys))
}

/// The lines of a text; only a line break ends one.
#[must_use]
pub fn lines(text: &str) -> Vec<&str> {
    text.strip_prefix('\u{feff}')
        .unwrap_or(text)
        .lines()
        .collect()
}

/// That two files that belong together have the same number of lines.
///
/// # Errors
/// When they have not.
pub fn same_length(
    left: usize,
    left_name: &'static str,
    right: usize,
    right_name: &'static str,
) -> Result<(), TestSetError> {
    if left == right {
        return Ok(());
    }
    Err(TestSetError::Lengths {
        left,
        left_name,
        right,
        right_name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"id":"d1","topic":"courts","sentences":[{"en":"One.","ar":"واحد."},{"en":"Two.","ar":"اثنان."}]}"#;

    #[test]
    fn reads_a_document_both_ways() {
        let items = parse_jsonl(DOCUMENT, Languages::default()).expect("items");
        assert_eq!(items.len(), 4);
        assert_eq!(items[1].direction.to_string(), "ar-en");
        assert_eq!(items[3].source.as_deref(), Some("اثنان."));
        assert_eq!(items[3].document.as_deref(), Some("d1"));
        assert_eq!(items[3].topic.as_deref(), Some("courts"));
        let only = Languages {
            from: None,
            to: Some(Lang::AR),
        };
        assert_eq!(parse_jsonl(DOCUMENT, only).expect("items").len(), 2);
    }

    #[test]
    fn reads_pairs_and_one_way_rows() {
        let rows = [
            r#"{"id":7,"ar":"نعم","en":"Yes"}"#,
            r#"{"translation":{"en":"Yes","ar":"نعم"}}"#,
            r#"{"source":"The minister spoke.","reference":"تحدث الوزير."}"#,
            r#"{"source":"Sim","reference":"Yes","direction":"pt-en","document":"x"}"#,
        ];
        let items = parse_jsonl(&rows.join("\n"), Languages::default()).expect("items");
        let directions: Vec<String> = items.iter().map(|i| i.direction.to_string()).collect();
        assert_eq!(
            directions,
            ["ar-en", "en-ar", "en-ar", "ar-en", "en-ar", "pt-en"]
        );
        assert_eq!(items[5].document.as_deref(), Some("x"));
    }

    #[test]
    fn fails_when_a_line_has_no_reference_and_names_it() {
        let text = format!("{DOCUMENT}\n\n{{\"source\":\"a\"}}\n");
        let error = parse_jsonl(&text, Languages::default()).expect_err("no reference");
        assert!(
            error.to_string().starts_with("line 3 has no reference"),
            "{error}"
        );
        let error = parse_jsonl("[1]\n", Languages::default()).expect_err("no object");
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn reads_translations_as_other_commands_write_them() {
        let rows = [
            r#""a""#,
            r#"{"source":"x","hypotheses":[{"text":"b","ids":[1]}]}"#,
            r#"{"source":"","hypotheses":[]}"#,
            r#"{"text":"x","translation":{"title":null,"text":"c"}}"#,
            r#"{"mt":"d"}"#,
        ];
        let got = hypotheses(&rows.join("\n")).expect("texts");
        assert_eq!(got, ["a", "b", "", "c", "d"]);
        let error = hypotheses("{\"error\":{}}").expect_err("no text");
        assert!(
            error.to_string().starts_with("line 1 has no translation"),
            "{error}"
        );
    }

    #[test]
    fn fails_when_files_differ_in_length() {
        let error = from_lines("a\nb\n", Some("a\n"), Languages::default()).expect_err("lengths");
        assert_eq!(error.to_string(), "1 lines of sources, but 2 of references");
        assert!(from_lines("", None, Languages::default()).is_err());
    }
}
