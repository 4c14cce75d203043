//! ROUGE-1, ROUGE-2 and ROUGE-L of a summary against a reference.
//!
//! Source: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004); values for
//! English equal those of the `rouge-score` package without its stemmer. Arabic is compared in one
//! spelling ([`crate::text::arabic::normalize`]), unstemmed.

use std::collections::BTreeMap;

use crate::text::{Lang, terms};

/// Precision, recall and their harmonic mean, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Share of the candidate that the reference has.
    pub precision: f64,
    /// Share of the reference that the candidate has.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

impl Score {
    fn new(hits: usize, candidate: usize, reference: usize) -> Self {
        if hits == 0 {
            return Self::default();
        }
        let precision = ratio(hits, candidate);
        let recall = ratio(hits, reference);
        Self {
            precision,
            recall,
            f1: 2.0 * precision * recall / (precision + recall),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words in one summary")]
fn ratio(a: usize, b: usize) -> f64 {
    a as f64 / b as f64
}

/// The three measures of one summary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rouge {
    /// Words in common.
    pub one: Score,
    /// Pairs of neighbouring words in common.
    pub two: Score,
    /// The longest common subsequence of words, over the whole text.
    pub l: Score,
}

/// Scores `candidate` against `reference`, both in `lang`.
#[must_use]
pub fn rouge(candidate: &str, reference: &str, lang: Lang) -> Rouge {
    let candidate = terms::words(candidate, lang);
    let reference = terms::words(reference, lang);
    Rouge {
        one: ngrams(&candidate, &reference, 1),
        two: ngrams(&candidate, &reference, 2),
        l: Score::new(
            common(&candidate, &reference),
            candidate.len(),
            reference.len(),
        ),
    }
}

fn ngrams(candidate: &[String], reference: &[String], n: usize) -> Score {
    let mut counts: BTreeMap<&[String], usize> = BTreeMap::new();
    for gram in reference.windows(n) {
        *counts.entry(gram).or_default() += 1;
    }
    let mut hits = 0;
    for gram in candidate.windows(n) {
        if let Some(left) = counts.get_mut(gram).filter(|left| **left > 0) {
            *left -= 1;
            hits += 1;
        }
    }
    Score::new(hits, candidate.windows(n).len(), reference.windows(n).len())
}

/// Length of the longest common subsequence.
fn common(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0_usize; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y {
                diagonal + 1
            } else {
                above.max(row[j])
            };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        candidate: &'static str,
        reference: &'static str,
        one: f64,
        two: f64,
        l: f64,
    }

    const CASES: &[Case] = &[
        Case {
            candidate: "Police in Basra said they had seized 1.2 million pills under crates of tomatoes.",
            reference: "Police in Basra arrested two men after finding 1.2 million pills worth 9 million dollars under tomato crates.",
            one: 0.529411764706,
            two: 0.312500000000,
            l: 0.529411764706,
        },
        Case {
            candidate: "the cat the cat sat on the mat",
            reference: "the mat was on the cat's head, the cat's!",
            one: 0.736842105263,
            two: 0.470588235294,
            l: 0.421052631579,
        },
        Case {
            candidate: "He didn't sign; she did.",
            reference: "She didn't sign, but he did sign.",
            one: 0.857142857143,
            two: 0.333333333333,
            l: 0.571428571429,
        },
        Case {
            candidate: "one two three",
            reference: "four five six",
            one: 0.000000000000,
            two: 0.000000000000,
            l: 0.000000000000,
        },
        Case {
            candidate: "Ministers meet in Muscat",
            reference: "In Muscat ministers meet, meet in Muscat",
            one: 0.727272727273,
            two: 0.666666666667,
            l: 0.727272727273,
        },
    ];

    #[test]
    fn keeps_the_values_of_rouge_score() {
        for case in CASES {
            let got = rouge(case.candidate, case.reference, Lang::EN);
            for (got, want) in [(got.one, case.one), (got.two, case.two), (got.l, case.l)] {
                assert!(
                    (got.f1 - want).abs() < 1e-9,
                    "{}: {got:?}, not {want}",
                    case.candidate
                );
            }
        }
    }

    #[test]
    fn keeps_arabic_spellings_equal() {
        let got = rouge("أعلنتْ شرطة البصرة", "اعلنت شرطه البصره", Lang::AR);
        assert!((got.two.f1 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn fails_when_a_text_is_empty() {
        assert_eq!(rouge("", "a b", Lang::EN), Rouge::default());
        assert_eq!(rouge("a", "a", Lang::EN).two, Score::default());
    }
}
