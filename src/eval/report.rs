//! Scores of a test set: of the whole, and by direction, topic, document and length.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bleu::BleuCounts;
use super::chrf::ChrfCounts;
use super::segment::{Answer, Counts, Segment};
use super::testset::Item;
use super::tokens::Tokenizer;

/// The three metrics of some segments as one corpus, 0 to 100 each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// BLEU.
    pub bleu: f64,
    /// chrF.
    pub chrf: f64,
    /// chrF++.
    pub chrf_plus_plus: f64,
}

impl Metrics {
    /// Scores a sum of segments.
    #[must_use]
    pub fn of(sum: &Segment) -> Self {
        Self {
            bleu: sum.bleu.score(),
            chrf: sum.chrf.chrf(),
            chrf_plus_plus: sum.chrf.chrf_plus_plus(),
        }
    }

    /// BLEU, chrF, chrF++.
    #[must_use]
    pub fn values(&self) -> [f64; 3] {
        [self.bleu, self.chrf, self.chrf_plus_plus]
    }
}

/// A score with how it was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// 0 to 100, to four decimals.
    pub score: f64,
    /// As sacreBLEU's.
    pub signature: String,
}

/// The scores of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// BLEU.
    pub bleu: Score,
    /// chrF.
    pub chrf: Score,
    /// chrF++.
    #[serde(rename = "chrf++")]
    pub chrf_plus_plus: Score,
}

impl Scores {
    fn of(sum: &Segment, tokenizer: Tokenizer) -> Self {
        let metrics = Metrics::of(sum);
        let score = |score: f64, signature| Score {
            score: (score * 1e4).round() / 1e4,
            signature,
        };
        Self {
            bleu: score(metrics.bleu, BleuCounts::signature(tokenizer)),
            chrf: score(metrics.chrf, ChrfCounts::signature()),
            chrf_plus_plus: score(metrics.chrf_plus_plus, ChrfCounts::signature_plus_plus()),
        }
    }

    /// BLEU, chrF, chrF++.
    #[must_use]
    pub fn values(&self) -> [f64; 3] {
        [&self.bleu, &self.chrf, &self.chrf_plus_plus].map(|s| s.score)
    }
}

/// Some segments of a test set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// `en-ar`, a topic, a document's id, or a range of words.
    pub name: String,
    /// Scored as one corpus.
    pub scores: Scores,
    /// What went wrong in it.
    pub counts: Counts,
}

/// The groups of a test set; a way to group that gives one group only is left out, but directions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Groups {
    /// By direction.
    pub direction: Vec<Group>,
    /// By topic, as the test set names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topic: Vec<Group>,
    /// By words of the source (of the reference, where there is no source), each direction apart
    /// where there are several.
    pub length: Vec<Group>,
    /// By document, each direction apart where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub document: Vec<Group>,
}

/// What a system made of a test set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// All segments as one corpus.
    pub scores: Scores,
    /// What went wrong in them.
    pub counts: Counts,
    /// Parts of the test set.
    pub groups: Groups,
}

/// Upper bounds of the groups by length, in words.
const LENGTHS: [usize; 5] = [10, 20, 30, 40, usize::MAX];

/// Counts each segment.
#[must_use]
pub fn count(items: &[Item], answers: &[Answer], tokenizer: Tokenizer) -> Vec<Segment> {
    let pairs = items.iter().zip(answers);
    pairs
        .map(|(item, answer)| Segment::new(item, answer, tokenizer))
        .collect()
}

/// Scores counted segments as a whole and in groups.
#[must_use]
pub fn report(items: &[Item], segments: &[Segment], tokenizer: Tokenizer) -> Report {
    let mut whole = Segment::default();
    segments.iter().for_each(|segment| whole.add(segment));
    let by =
        |key: &dyn Fn(&Item) -> Option<(String, usize)>| groups(items, segments, tokenizer, key);
    let direction = by(&|item| Some((item.direction.to_string(), 0)));
    let several = direction.len() > 1;
    // Scores in two languages do not compare: they stay apart.
    let named = |item: &Item, name: &str| match several {
        true => format!("{} {name}", item.direction),
        false => name.to_owned(),
    };
    let more = |groups: Vec<Group>| {
        if groups.len() > direction.len() {
            groups
        } else {
            Vec::new()
        }
    };
    Report {
        scores: Scores::of(&whole, tokenizer),
        counts: whole.counts,
        groups: Groups {
            topic: more(by(&|item| Some((named(item, item.topic.as_deref()?), 0)))),
            document: more(by(&|item| {
                Some((named(item, item.document.as_deref()?), 0))
            })),
            length: by(&|item| {
                let (at, name) = length(item);
                Some((named(item, &name), at))
            }),
            direction,
        },
    }
}

/// The group by length that an item is in: its place and name.
fn length(item: &Item) -> (usize, String) {
    let text = item.source.as_deref().unwrap_or(&item.reference);
    let words = text.split_whitespace().count();
    let at = LENGTHS.partition_point(|end| *end <= words);
    let start = at.checked_sub(1).map_or(0, |before| LENGTHS[before]);
    let name = match LENGTHS.get(at) {
        Some(&end) if end != usize::MAX => format!("{start}-{} words", end - 1),
        _ => format!("{start}+ words"),
    };
    (at, name)
}

/// Groups in the order in which the test set names them, those of one direction together, sorted by
/// the number that `key` gives.
fn groups(
    items: &[Item],
    segments: &[Segment],
    tokenizer: Tokenizer,
    key: &dyn Fn(&Item) -> Option<(String, usize)>,
) -> Vec<Group> {
    let mut directions = BTreeMap::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut sums: Vec<((usize, usize), String, Segment)> = Vec::new();
    for (item, segment) in items.iter().zip(segments) {
        let next = directions.len();
        let direction = *directions.entry(item.direction).or_insert(next);
        let Some((name, rank)) = key(item) else {
            continue;
        };
        let at = *places.entry(name).or_insert_with_key(|name| {
            sums.push(((direction, rank), name.clone(), Segment::default()));
            sums.len() - 1
        });
        sums[at].2.add(segment);
    }
    sums.sort_by_key(|(order, ..)| *order);
    let group = |(_, name, sum): ((usize, usize), String, Segment)| Group {
        name,
        scores: Scores::of(&sum, tokenizer),
        counts: sum.counts,
    };
    sums.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::testset::{Languages, parse_jsonl};

    #[test]
    fn keeps_directions_and_documents_apart() {
        let set = r#"{"id":"a","sentences":[{"en":"One man came.","ar":"جاء رجل واحد."},{"en":"He saw.","ar":"رأى."}]}
{"id":"b","sentences":[{"en":"The two men of Basra went back home at about ten on Monday evening.","ar":"عاد رجلا البصرة إلى بيتهما."}]}"#;
        let items = parse_jsonl(set, Languages::default()).expect("items");
        let answers: Vec<Answer> = items.iter().map(|i| i.reference.as_str().into()).collect();
        let segments = count(&items, &answers, Tokenizer::V13a);
        let report = report(&items, &segments, Tokenizer::V13a);
        let names = |groups: &[Group]| groups.iter().map(|g| g.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&report.groups.direction), ["en-ar", "ar-en"]);
        assert_eq!(
            names(&report.groups.document),
            ["en-ar a", "en-ar b", "ar-en a", "ar-en b"]
        );
        assert_eq!(
            names(&report.groups.length),
            ["en-ar 0-9 words", "en-ar 10-19 words", "ar-en 0-9 words"]
        );
        assert!(report.groups.topic.is_empty());
        assert_eq!(report.scores.chrf_plus_plus.score, 100.0);
        assert_eq!(report.counts.segments, 6);
        assert_eq!(report.groups.document[0].counts.segments, 2);
        let json = serde_json::to_value(&report).expect("JSON");
        assert!(json["scores"]["chrf++"]["signature"].is_string());
        assert!(json["counts"]["number_lost"].is_u64());
    }
}
