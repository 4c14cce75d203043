//! chrF and chrF++ of a corpus, equal to sacreBLEU's: characters of order 1 to 6 without white
//! space, words of order 1 and 2 for chrF++, beta 2.
//!
//! Source: Popović, "chrF: character n-gram F-score for automatic MT evaluation" (2015) and
//! "chrF++: words helping character n-grams" (2017); sacreBLEU `metrics/chrf.py`.

use super::ngrams::{Overlap, Words, is_space, overlap, split};

const CHARACTERS: usize = 6;
const WORDS: usize = 2;
const BETA: f64 = 2.0;

/// What chrF++ counts in one segment; sums of these are what a corpus is scored by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChrfCounts([Overlap; CHARACTERS + WORDS]);

impl ChrfCounts {
    /// Counts one segment.
    #[must_use]
    pub fn new(hypothesis: &str, reference: &str) -> Self {
        let letters = |text: &str| -> Vec<u32> {
            let letters = text.chars().filter(|c| !is_space(*c));
            letters.map(u32::from).collect()
        };
        let chars = (letters(hypothesis), letters(reference));
        let mut numbers = Words::default();
        let mut ids = |text| numbers.ids(split(text).flat_map(without_punctuation));
        let words = (ids(hypothesis), ids(reference));
        Self(std::array::from_fn(|i| {
            let mut one = match i.checked_sub(CHARACTERS) {
                // A character has 21 bits: six of them fit.
                None => overlap(&chars.0, &chars.1, i + 1, 21),
                Some(i) => overlap(&words.0, &words.1, i + 1, 32),
            };
            if one.reference == 0 {
                // What no reference could match does not count against precision.
                one.hypothesis = 0;
            }
            one
        }))
    }

    /// Adds the counts of other segments.
    pub fn add(&mut self, other: &Self) {
        for (sum, one) in self.0.iter_mut().zip(other.0) {
            sum.add(one);
        }
    }

    /// chrF of these segments as one corpus, 0 to 100.
    #[must_use]
    pub fn chrf(&self) -> f64 {
        score(&self.0[..CHARACTERS])
    }

    /// chrF++ of these segments as one corpus, 0 to 100.
    #[must_use]
    pub fn chrf_plus_plus(&self) -> f64 {
        score(&self.0)
    }

    /// How [`ChrfCounts::chrf`] was made, as sacreBLEU writes it.
    #[must_use]
    pub fn signature() -> String {
        signature(0)
    }

    /// How [`ChrfCounts::chrf_plus_plus`] was made, as sacreBLEU writes it.
    #[must_use]
    pub fn signature_plus_plus() -> String {
        signature(WORDS)
    }
}

fn signature(words: usize) -> String {
    let version = super::version();
    format!("nrefs:1|case:mixed|eff:yes|nc:{CHARACTERS}|nw:{words}|space:no|{version}")
}

/// A word and the punctuation mark at its end, else at its beginning.
fn without_punctuation(word: &str) -> impl Iterator<Item = &str> {
    let mut chars = word.chars();
    let (first, last) = (chars.next(), chars.next_back());
    let parts = match (first, last) {
        (Some(_), Some(c)) if c.is_ascii_punctuation() => {
            let (word, mark) = word.split_at(word.len() - 1);
            [Some(word), Some(mark)]
        }
        (Some(c), Some(_)) if c.is_ascii_punctuation() => {
            let (mark, word) = word.split_at(1);
            [Some(mark), Some(word)]
        }
        _ => [Some(word), None],
    };
    parts.into_iter().flatten()
}

#[expect(clippy::cast_precision_loss, reason = "counts of characters")]
fn score(orders: &[Overlap]) -> f64 {
    let (mut precision, mut recall, mut effective) = (0.0, 0.0, 0.0);
    for order in orders {
        if order.hypothesis > 0 && order.reference > 0 {
            precision += order.matches as f64 / order.hypothesis as f64;
            recall += order.matches as f64 / order.reference as f64;
            effective += 1.0;
        }
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precision / effective, recall / effective);
    let factor = BETA * BETA;
    100.0 * (1.0 + factor) * precision * recall / (factor * precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_scores_of_sacrebleu() {
        // sacrebleu 2.6.0: `CHRF(word_order=0 or 2).corpus_score(hypotheses, [references]).score`.
        const A: (&str, &str) = ("The cat sat on the mat.", "The cat sat on a mat.");
        const B: (&str, &str) = ("قال (نعم) يوم الاثنين", "وقال \"نعم\" يوم الاثنين.");
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: &[(Pairs, f64, f64)] = &[
            (&[A], 71.422475630338, 72.659104288637),
            (&[A, B], 61.712716069334, 59.896645527109),
            (&[("ab", "a")], 83.333333333333, 41.666666666667),
            (&[("", "y"), A], 70.726530133192, 71.093003550088),
            (&[("x", "y")], 0.0, 0.0),
        ];
        for (pairs, chrf, plus) in cases {
            let mut sum = ChrfCounts::default();
            for (hypothesis, reference) in *pairs {
                sum.add(&ChrfCounts::new(hypothesis, reference));
            }
            assert!((sum.chrf() - chrf).abs() < 1e-9, "{pairs:?} {}", sum.chrf());
            let got = sum.chrf_plus_plus();
            assert!((got - plus).abs() < 1e-9, "{pairs:?} {got}");
        }
        assert_eq!(ChrfCounts::default().chrf(), 0.0);
    }

    #[test]
    fn keeps_one_mark_apart() {
        let parts = |word| without_punctuation(word).collect::<Vec<_>>();
        assert_eq!(parts("(hi)"), ["(hi", ")"]);
        assert_eq!(parts("\"نعم"), ["\"", "نعم"]);
        assert_eq!(parts("."), ["."]);
        assert_eq!(parts("نعم،"), ["نعم،"]);
    }
}
