//! BLEU of a corpus, equal to sacreBLEU's: orders 1 to 4, exponential smoothing of orders without
//! a match, one reference.
//!
//! Source: Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation"
//! (2002); sacreBLEU `metrics/bleu.py`.

use super::ngrams::{Overlap, Words, overlap, split};
use super::tokens::Tokenizer;

/// Longest n-gram.
const ORDER: usize = 4;

/// What BLEU counts in one segment; sums of these are what a corpus is scored by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BleuCounts([Overlap; ORDER]);

impl BleuCounts {
    /// Counts one segment.
    #[must_use]
    pub fn new(hypothesis: &str, reference: &str, tokenizer: Tokenizer) -> Self {
        let (hypothesis, reference) = (tokenizer.apply(hypothesis), tokenizer.apply(reference));
        let mut words = Words::default();
        let hypothesis = words.ids(split(&hypothesis));
        let reference = words.ids(split(&reference));
        Self(std::array::from_fn(|i| {
            overlap(&hypothesis, &reference, i + 1, 32)
        }))
    }

    /// Adds the counts of other segments.
    pub fn add(&mut self, other: &Self) {
        for (sum, one) in self.0.iter_mut().zip(other.0) {
            sum.add(one);
        }
    }

    /// The score of these segments as one corpus, 0 to 100.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    pub fn score(&self) -> f64 {
        let orders = &self.0;
        if orders.iter().all(|o| o.matches == 0) {
            return 0.0;
        }
        let (hypothesis, reference) = (orders[0].hypothesis as f64, orders[0].reference as f64);
        let brevity = if hypothesis < reference {
            (1.0 - reference / hypothesis).exp()
        } else {
            1.0
        };
        let mut smoothing = 1.0;
        let mut log_sum = 0.0;
        for order in orders {
            if order.hypothesis == 0 {
                // No segment is long enough: sacreBLEU takes such a precision for 0.
                return 0.0;
            }
            let matches = if order.matches == 0 {
                smoothing *= 2.0;
                1.0 / smoothing
            } else {
                order.matches as f64
            };
            log_sum += (100.0 * matches / order.hypothesis as f64).ln();
        }
        brevity * (log_sum / ORDER as f64).exp()
    }

    /// How the score was made, as sacreBLEU writes it.
    #[must_use]
    pub fn signature(tokenizer: Tokenizer) -> String {
        let (tok, version) = (tokenizer.name(), super::version());
        format!("nrefs:1|case:mixed|eff:no|tok:{tok}|smooth:exp|{version}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(pairs: &[(&str, &str)]) -> f64 {
        let mut sum = BleuCounts::default();
        for (hypothesis, reference) in pairs {
            sum.add(&BleuCounts::new(hypothesis, reference, Tokenizer::V13a));
        }
        sum.score()
    }

    #[test]
    fn keeps_the_scores_of_sacrebleu() {
        // sacrebleu 2.6.0: `corpus_bleu(hypotheses, [references]).score`.
        const A: (&str, &str) = ("The cat sat on the mat.", "The cat sat on a mat.");
        const B: (&str, &str) = ("It is 5 p.m. in Basra", "It was 5 p.m. in Basra, he said.");
        const C: (&str, &str) = ("the the the the", "the cat");
        let cases: &[(&[(&str, &str)], f64)] = &[
            (&[A], 48.892302243490),
            (&[A, B], 50.888316472285),
            (&[C], 15.973577606157),
            (&[("a b c", "a b c")], 0.000000000000),
            (&[("x", "y")], 0.0),
            (&[("", "y"), A], 42.383656282788),
        ];
        for (pairs, wanted) in cases {
            assert!(
                (score(pairs) - wanted).abs() < 1e-9,
                "{pairs:?} {}",
                score(pairs)
            );
        }
        assert_eq!(score(&[]), 0.0);
    }

    #[test]
    fn keeps_the_signature_readable_by_key() {
        let signature = BleuCounts::signature(Tokenizer::Intl);
        assert!(signature.starts_with("nrefs:1|case:mixed|eff:no|tok:intl|smooth:exp|version:"));
        assert!(
            signature
                .split('|')
                .all(|field| field.split(':').count() == 2)
        );
    }
}
