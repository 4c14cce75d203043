//! What is translated to measure speed.

use serde::Deserialize;

use crate::article::jsonl::{FieldMap, parse_line};
use crate::article::{Article, plain};
use crate::text::Direction;

/// News in English and Arabic, written for this project.
const NEWS: &str = include_str!("news.jsonl");

/// Work for a model.
#[derive(Clone, Debug)]
pub enum Workload {
    /// Bare lines, as `translate --lines` takes them.
    Lines {
        /// Lines with text.
        lines: Vec<String>,
        /// The direction of all of them.
        direction: Direction,
    },
    /// Articles through the whole pipeline, as `run` takes them.
    Articles {
        /// The articles.
        articles: Vec<Article>,
        /// The direction of all of them.
        direction: Direction,
    },
    /// Token ids, with whatever the model expects around them.
    Ids {
        /// One row a segment.
        ids: Vec<Vec<u32>>,
    },
}

/// Why a workload cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// A line is no article.
    #[error("line {line}: {message}")]
    Article {
        /// Number of the line, from 1.
        line: usize,
        /// Why.
        message: String,
    },
    /// The ids are not as they should be.
    #[error("the ids cannot be read: {0}")]
    Ids(#[source] serde_json::Error),
    /// There is nothing to translate.
    #[error("there is nothing to translate")]
    Empty,
}

/// A file of `bench --ids`.
#[derive(Deserialize)]
struct IdsFile {
    ids: Vec<Vec<u32>>,
    #[serde(default)]
    pad: Option<u32>,
}

impl Workload {
    /// Lines of a text, empty ones left out.
    ///
    /// # Errors
    /// When no line has text.
    pub fn lines(text: &str, direction: Direction) -> Result<Self, WorkloadError> {
        let lines: Vec<String> = text
            .lines()
            .filter(|l| !l.trim().is_empty())
            .map(str::to_owned)
            .collect();
        if lines.is_empty() {
            return Err(WorkloadError::Empty);
        }
        Ok(Self::Lines { lines, direction })
    }

    /// Articles.
    ///
    /// # Errors
    /// When there are none.
    pub fn of_articles(
        articles: Vec<Article>,
        direction: Direction,
    ) -> Result<Self, WorkloadError> {
        if articles.is_empty() {
            return Err(WorkloadError::Empty);
        }
        Ok(Self::Articles {
            articles,
            direction,
        })
    }

    /// The news that the program brings along.
    ///
    /// # Errors
    /// When it has none in the source language: it is in English and Arabic.
    pub fn built_in(direction: Direction) -> Result<Self, WorkloadError> {
        let articles = NEWS.lines().filter_map(|line| sentences(line, direction));
        Self::of_articles(articles.collect(), direction)
    }

    /// Rows of `{"ids":[[..],..],"eos":N,"pad":N}`; padding at the end of a row is cut off.
    ///
    /// # Errors
    /// When it is not such JSON, or has no ids.
    pub fn parse_ids(json: &[u8]) -> Result<Self, WorkloadError> {
        let file: IdsFile = serde_json::from_slice(json).map_err(WorkloadError::Ids)?;
        let mut ids = file.ids;
        for row in &mut ids {
            while row.len() > 1 && row.last().copied() == file.pad {
                row.pop();
            }
        }
        ids.retain(|row| !row.is_empty());
        if ids.is_empty() {
            return Err(WorkloadError::Empty);
        }
        Ok(Self::Ids { ids })
    }

    /// A little of it, for the first answer.
    pub(super) fn first(&self) -> Self {
        match self {
            Self::Lines { lines, direction } => Self::Lines {
                lines: lines[..1].to_vec(),
                direction: *direction,
            },
            Self::Articles {
                articles,
                direction,
            } => {
                let text = articles[0].text();
                let line = text.lines().find(|l| !l.trim().is_empty());
                Self::Lines {
                    lines: vec![line.unwrap_or_default().to_owned()],
                    direction: *direction,
                }
            }
            Self::Ids { ids } => Self::Ids {
                ids: ids[..1].to_vec(),
            },
        }
    }

    /// Words, split at white space.
    #[must_use]
    pub fn words(&self) -> Option<usize> {
        let words = |text: &str| text.split_whitespace().count();
        match self {
            Self::Lines { lines, .. } => Some(lines.iter().map(|l| words(l)).sum()),
            Self::Articles { articles, .. } => {
                Some(articles.iter().map(|a| words(&a.text())).sum())
            }
            Self::Ids { .. } => None,
        }
    }

    /// Articles, where it has some.
    #[must_use]
    pub fn articles(&self) -> Option<usize> {
        match self {
            Self::Articles { articles, .. } => Some(articles.len()),
            _ => None,
        }
    }

    /// The direction, where it has one.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        match self {
            Self::Lines { direction, .. } | Self::Articles { direction, .. } => Some(*direction),
            Self::Ids { .. } => None,
        }
    }

    /// What it is, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Lines { lines, direction } => {
                let words = self.words().unwrap_or_default();
                format!("{} lines {direction}, {words} words", lines.len())
            }
            Self::Articles {
                articles,
                direction,
            } => {
                let words = self.words().unwrap_or_default();
                format!("{} articles {direction}, {words} words", articles.len())
            }
            Self::Ids { ids } => {
                let tokens: usize = ids.iter().map(Vec::len).sum();
                format!("{} rows of ids, {tokens} tokens", ids.len())
            }
        }
    }
}

/// The articles of a JSONL file: as `run` reads them, or as test sets of `eval` have them.
///
/// # Errors
/// When a line is neither.
pub fn articles(text: &str, direction: Direction) -> Result<Vec<Article>, WorkloadError> {
    let fields = FieldMap::default();
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| match sentences(line, direction) {
            Some(article) => Ok(article),
            None => parse_line(line.as_bytes(), &fields).map_err(|e| WorkloadError::Article {
                line: at + 1,
                message: e.message,
            }),
        })
        .collect()
}

/// An article of a document's sentences in the source language, two a paragraph.
fn sentences(line: &str, direction: Direction) -> Option<Article> {
    let row: serde_json::Value = serde_json::from_str(line).ok()?;
    let sentences = row.get("sentences")?.as_array()?;
    let from = direction.from.code();
    let texts: Option<Vec<&str>> = sentences.iter().map(|s| s.get(from)?.as_str()).collect();
    let paragraphs: Vec<String> = texts?.chunks(2).map(|pair| pair.join(" ")).collect();
    let article = plain::parse(&paragraphs.join("\n\n"), false);
    Some(Article {
        id: row.get("id").and_then(|id| id.as_str()).map(str::to_owned),
        lang: Some(direction.from),
        ..article
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    const EN_AR: Direction = Direction {
        from: Lang::EN,
        to: Lang::AR,
    };
    const AR_EN: Direction = Direction {
        from: Lang::AR,
        to: Lang::EN,
    };

    #[test]
    fn brings_news_in_both_languages() {
        let english = Workload::built_in(EN_AR).expect("news");
        let arabic = Workload::built_in(AR_EN).expect("news");
        assert_eq!(
            (english.articles(), arabic.articles()),
            (Some(12), Some(12))
        );
        assert!(english.words() > Some(1500), "{:?}", english.words());
        let pt = Direction {
            from: Lang::PT,
            to: Lang::EN,
        };
        assert!(Workload::built_in(pt).is_err());
    }

    #[test]
    fn reads_ids_without_their_padding() {
        let json = br#"{"ids":[[5,6,0,9,9],[7,0]],"eos":0,"pad":9}"#;
        let Ok(Workload::Ids { ids }) = Workload::parse_ids(json) else {
            panic!("no ids");
        };
        assert_eq!(ids, [vec![5, 6, 0], vec![7, 0]]);
        assert!(Workload::parse_ids(b"{\"ids\":[]}").is_err());
        assert!(Workload::parse_ids(b"[1]").is_err());
    }

    #[test]
    fn reads_articles_of_a_run_and_names_a_bad_line() {
        let text = "{\"id\":\"a\",\"text\":\"One.\"}\n\n{\"id\":\"b\"}\n";
        let error = articles(text, EN_AR).expect_err("no text");
        assert!(error.to_string().starts_with("line 3"), "{error}");
        let one = articles("{\"text\":\"One.\\n\\nTwo.\"}", EN_AR).expect("an article");
        assert_eq!(one[0].text(), "One.\n\nTwo.");
    }
}
