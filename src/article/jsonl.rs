//! One line of JSONL into an article.

use serde_json::{Map, Value};

use super::{Article, plain};
use crate::text::Lang;

/// Which fields of a line hold what; `None`: the usual names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldMap {
    /// The text; usually `text`, `body`, `article` or `content`.
    pub text: Option<String>,
    /// The id; usually `id`.
    pub id: Option<String>,
    /// The title; usually `title`.
    pub title: Option<String>,
    /// The date; usually `date`.
    pub date: Option<String>,
    /// The language; usually `lang`.
    pub lang: Option<String>,
}

/// The names under which a text is looked for.
const TEXT_FIELDS: [&str; 4] = ["text", "body", "article", "content"];

impl FieldMap {
    /// Takes one mapping `FIELD=NAME`, such as `text=story`.
    ///
    /// # Errors
    /// When it is not of this form, or names no field that can be mapped.
    pub fn set(&mut self, mapping: &str) -> Result<(), FieldError> {
        let (field, name) = mapping
            .split_once('=')
            .filter(|(_, name)| !name.is_empty())
            .ok_or_else(|| FieldError::Form(mapping.to_owned()))?;
        let slot = match field {
            "text" => &mut self.text,
            "id" => &mut self.id,
            "title" => &mut self.title,
            "date" => &mut self.date,
            "lang" => &mut self.lang,
            other => return Err(FieldError::Unknown(other.to_owned())),
        };
        *slot = Some(name.to_owned());
        Ok(())
    }
}

/// Why a mapping of fields is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// Not `FIELD=NAME`.
    #[error("`{0}` is not FIELD=NAME, such as text=story")]
    Form(String),
    /// No such field.
    #[error("no field `{0}`; these can be mapped: text, id, title, date, lang")]
    Unknown(String),
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineErrorKind {
    /// Not a JSON object.
    InvalidJson,
    /// Not UTF-8.
    InvalidUtf8,
    /// No text, or an empty one.
    NoText,
}

impl LineErrorKind {
    /// The stable name that error records carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NoText => "no_text",
        }
    }
}

/// Why a line gives no article.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LineError {
    /// What is wrong.
    pub kind: LineErrorKind,
    /// The same, for a reader.
    pub message: String,
    /// The line's id, where it could be read.
    pub id: Option<String>,
}

/// Parses one line; fields that are not known go to [`Article::extra`].
///
/// # Errors
/// When the line is not UTF-8, not a JSON object, or has no text.
pub fn parse_line(line: &[u8], fields: &FieldMap) -> Result<Article, LineError> {
    let fail = |kind, message, id| LineError { kind, message, id };
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let line = std::str::from_utf8(line).map_err(|e| {
        let message = format!("not UTF-8: byte {} of the line", e.valid_up_to());
        fail(LineErrorKind::InvalidUtf8, message, None)
    })?;
    let mut object: Map<String, Value> = match serde_json::from_str(line) {
        Ok(Value::Object(object)) => object,
        Ok(other) => {
            let message = format!("not a JSON object but {}", kind_of(&other));
            return Err(fail(LineErrorKind::InvalidJson, message, None));
        }
        Err(e) => {
            let message = format!("not valid JSON: {e}");
            return Err(fail(LineErrorKind::InvalidJson, message, None));
        }
    };
    let id = take_scalar(&mut object, fields.id.as_deref().unwrap_or("id"));
    let text = take_text(&mut object, fields)
        .map_err(|message| fail(LineErrorKind::NoText, message, id.clone()))?;
    let mut article = plain::parse(&text, false);
    article.id = id;
    if let Some(date) = take_scalar(&mut object, fields.date.as_deref().unwrap_or("date")) {
        article.date = Some(date);
    }
    article.title = take_scalar(&mut object, fields.title.as_deref().unwrap_or("title"));
    let lang_field = fields.lang.as_deref().unwrap_or("lang");
    if let Some(lang) = object
        .get(lang_field)
        .and_then(Value::as_str)
        .and_then(Lang::parse)
    {
        article.lang = Some(lang);
        object.shift_remove(lang_field);
    }
    article.extra = object;
    Ok(article)
}

/// Takes a string or a number out; blank ones and `null` count as missing.
fn take_scalar(object: &mut Map<String, Value>, name: &str) -> Option<String> {
    let value = match object.get(name)? {
        Value::String(s) if s.trim().is_empty() => None,
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Null => None,
        _ => return None,
    };
    object.shift_remove(name);
    value
}

fn take_text(object: &mut Map<String, Value>, fields: &FieldMap) -> Result<String, String> {
    let names: Vec<&str> = match &fields.text {
        Some(name) => vec![name],
        None => TEXT_FIELDS.to_vec(),
    };
    let mut seen = None;
    for &name in &names {
        match object.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => {
                let text = text.clone();
                object.shift_remove(name);
                return Ok(text);
            }
            Some(Value::String(_)) => seen = seen.or(Some(format!("field `{name}` is empty"))),
            Some(other) => {
                let kind = kind_of(other);
                seen = seen.or(Some(format!("field `{name}` is no string but {kind}")));
            }
            None => {}
        }
    }
    Err(seen.unwrap_or_else(|| {
        let names = names.join("`, `");
        format!("no text: none of the fields `{names}`; name it with --field text=NAME")
    }))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Article {
        parse_line(line.as_bytes(), &FieldMap::default()).unwrap()
    }

    #[test]
    fn keeps_fields_and_extras() {
        let a = parse(
            r#"{"id":7,"x":[1,2],"title":"T","date":"2024-07-22","lang":"arb_Arab","body":"وصل.","content":"c"}"#,
        );
        assert_eq!(a.id.as_deref(), Some("7"));
        assert_eq!(
            (a.title.as_deref(), a.date.as_deref()),
            (Some("T"), Some("2024-07-22"))
        );
        assert_eq!((a.lang, a.text().as_str()), (Some(Lang::AR), "وصل."));
        let extra = serde_json::to_string(&a.extra).unwrap();
        assert_eq!(extra, r#"{"x":[1,2],"content":"c"}"#);
    }

    #[test]
    fn keeps_the_date_of_a_dateline_unless_given() {
        let a = parse(r#"{"text":"date 2024-07-22 Shafaq News/ He came."}"#);
        assert_eq!(a.date.as_deref(), Some("2024-07-22"));
        assert_eq!(a.agency.as_deref(), Some("Shafaq News"));
    }

    #[test]
    fn keeps_mapped_fields() {
        let mut fields = FieldMap::default();
        fields.set("text=story").unwrap();
        fields.set("id=key").unwrap();
        let a = parse_line(br#"{"story":"s","key":"k","text":"other"}"#, &fields).unwrap();
        assert_eq!((a.id.as_deref(), a.text().as_str()), (Some("k"), "s"));
        assert_eq!(a.extra.get("text"), Some(&Value::from("other")));
        assert!(fields.set("text").is_err() && fields.set("colour=red").is_err());
    }

    #[test]
    fn fails_when_a_line_has_no_article() {
        for (line, kind, id) in [
            (&b"{"[..], LineErrorKind::InvalidJson, None),
            (b"", LineErrorKind::InvalidJson, None),
            (b"[1]", LineErrorKind::InvalidJson, None),
            (b"{\"text\":\"\\ud800\"}", LineErrorKind::InvalidJson, None),
            (b"{\"text\":\"\xFF\"}", LineErrorKind::InvalidUtf8, None),
            (b"{\"id\":\"a\"}", LineErrorKind::NoText, Some("a")),
            (
                b"{\"id\":\"a\",\"text\":\" \\n\"}",
                LineErrorKind::NoText,
                Some("a"),
            ),
            (
                b"{\"id\":\"a\",\"text\":3}",
                LineErrorKind::NoText,
                Some("a"),
            ),
        ] {
            let error = parse_line(line, &FieldMap::default()).unwrap_err();
            assert_eq!(
                (error.kind, error.id.as_deref()),
                (kind, id),
                "{}",
                error.message
            );
        }
    }
}
