//! What is counted in one segment, and sums of it.

use serde::Serialize;

use super::bleu::BleuCounts;
use super::chrf::ChrfCounts;
use super::testset::Item;
use super::tokens::Tokenizer;
use crate::translate::{Flag, checks, numbers};

/// A translation to be judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// The limit of tokens ended it.
    pub truncated: bool,
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            truncated: false,
        }
    }
}

/// What went wrong in some segments, and how large they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Segments.
    pub segments: u64,
    /// Words of the references, split at white space.
    pub reference_words: u64,
    /// Words of the translations, split at white space.
    pub hypothesis_words: u64,
    /// Translations without a letter.
    pub empty: u64,
    /// Translations that are not in the target language's script.
    pub wrong_language: u64,
    /// Translations that loop.
    pub repeated: u64,
    /// What only the sources can tell.
    #[serde(flatten)]
    pub against_source: Option<SourceCounts>,
}

/// What is judged against the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceCounts {
    /// Words of the sources, split at white space.
    pub source_words: u64,
    /// Translations that repeat their source.
    pub copied: u64,
    /// Translations much shorter than such sources ask.
    pub too_short: u64,
    /// Translations much longer, or cut off at the limit of tokens.
    pub too_long: u64,
    /// Translations without one of their sources' numbers.
    pub number_lost: u64,
    /// Translations with a number that their sources have not.
    pub number_added: u64,
    /// Translations without a URL, handle, placeholder or tag of their sources.
    pub span_lost: u64,
    /// Numbers in the sources, written in digits.
    pub numbers: u64,
    /// Those of them that the translations have.
    pub numbers_kept: u64,
}

impl Counts {
    /// Counts one segment. Where there is no source, the reference excuses what it does itself.
    #[must_use]
    pub fn new(item: &Item, answer: &Answer) -> Self {
        let source = item.source.as_deref();
        let judge = source.unwrap_or(&item.reference);
        let flags = checks::check(judge, &answer.text, item.direction, answer.truncated);
        let has = |flag| u64::from(flags.contains(&flag));
        let words = |text: &str| text.split_whitespace().count() as u64;
        Self {
            segments: 1,
            reference_words: words(&item.reference),
            hypothesis_words: words(&answer.text),
            empty: has(Flag::Empty),
            wrong_language: has(Flag::WrongLanguage),
            repeated: has(Flag::Repeated),
            against_source: source.map(|source| {
                let (kept, all) = numbers::kept(source, &answer.text);
                SourceCounts {
                    source_words: words(source),
                    copied: has(Flag::Copied),
                    too_short: has(Flag::TooShort),
                    too_long: has(Flag::TooLong),
                    number_lost: has(Flag::NumberLost),
                    number_added: has(Flag::NumberAdded),
                    span_lost: has(Flag::SpanLost),
                    numbers: all as u64,
                    numbers_kept: kept as u64,
                }
            }),
        }
    }

    /// Adds the counts of other segments.
    pub fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.reference_words += other.reference_words;
        self.hypothesis_words += other.hypothesis_words;
        self.empty += other.empty;
        self.wrong_language += other.wrong_language;
        self.repeated += other.repeated;
        if let Some(other) = &other.against_source {
            self.against_source.get_or_insert_default().add(other);
        }
    }
}

impl SourceCounts {
    fn add(&mut self, other: &Self) {
        self.source_words += other.source_words;
        self.copied += other.copied;
        self.too_short += other.too_short;
        self.too_long += other.too_long;
        self.number_lost += other.number_lost;
        self.number_added += other.number_added;
        self.span_lost += other.span_lost;
        self.numbers += other.numbers;
        self.numbers_kept += other.numbers_kept;
    }
}

/// All that is counted in one segment or in many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// For BLEU.
    pub bleu: BleuCounts,
    /// For chrF and chrF++.
    pub chrf: ChrfCounts,
    /// Faults and sizes.
    pub counts: Counts,
}

impl Segment {
    /// Counts one segment.
    #[must_use]
    pub fn new(item: &Item, answer: &Answer, tokenizer: Tokenizer) -> Self {
        Self {
            bleu: BleuCounts::new(&answer.text, &item.reference, tokenizer),
            chrf: ChrfCounts::new(&answer.text, &item.reference),
            counts: Counts::new(item, answer),
        }
    }

    /// Adds other segments.
    pub fn add(&mut self, other: &Self) {
        self.bleu.add(&other.bleu);
        self.chrf.add(&other.chrf);
        self.counts.add(&other.counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Direction, Lang};

    fn item(source: Option<&str>) -> Item {
        Item {
            direction: Direction {
                from: Lang::EN,
                to: Lang::AR,
            },
            document: None,
            topic: None,
            source: source.map(str::to_owned),
            reference: "قتل 25 شخصا في هجوم وقع يوم 3 مايو في بغداد.".to_owned(),
        }
    }

    #[test]
    fn counts_the_numbers_that_a_translation_keeps() {
        let item = item(Some(
            "25 people were killed in an attack on 3 May in Baghdad.",
        ));
        let counts = Counts::new(&item, &"قتل 26 شخصا في هجوم يوم 3 مايو في بغداد".into());
        let found = counts.against_source.expect("a source");
        assert_eq!((found.numbers, found.numbers_kept), (2, 1));
        assert_eq!((found.number_lost, found.number_added), (1, 1));
        assert_eq!(
            (counts.empty, counts.wrong_language, counts.repeated),
            (0, 0, 0)
        );
    }

    #[test]
    fn counts_faults_without_a_source() {
        let cases = [
            ("", [1, 0, 0]),
            ("25 people were killed in an attack", [0, 1, 0]),
            ("في هجوم في هجوم في هجوم في هجوم في هجوم", [0, 0, 1]),
        ];
        for (text, wanted) in cases {
            let got = Counts::new(&item(None), &text.into());
            assert_eq!(
                [got.empty, got.wrong_language, got.repeated],
                wanted,
                "{text}"
            );
            assert_eq!(got.against_source, None);
        }
    }
}
