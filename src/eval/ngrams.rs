//! n-grams as numbers: counted by sorting, with no hash map to iterate over.

use std::collections::HashMap;

/// Sizes of two bags of n-grams and of what they have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overlap {
    pub(super) hypothesis: u64,
    pub(super) reference: u64,
    pub(super) matches: u64,
}

impl Overlap {
    pub(super) fn add(&mut self, other: Self) {
        self.hypothesis += other.hypothesis;
        self.reference += other.reference;
        self.matches += other.matches;
    }
}

/// Compares the n-grams of two sequences whose items are less than `2^bits`, `n * bits <= 128`.
pub(super) fn overlap(hypothesis: &[u32], reference: &[u32], n: usize, bits: u32) -> Overlap {
    let (hypothesis, reference) = (sorted(hypothesis, n, bits), sorted(reference, n, bits));
    let mut matches = 0;
    let mut rest = &reference[..];
    for gram in &hypothesis {
        // Both are sorted: each gram of the reference is used at most once.
        let skipped = rest.partition_point(|r| r < gram);
        rest = &rest[skipped..];
        if rest.first() == Some(gram) {
            matches += 1;
            rest = &rest[1..];
        }
    }
    Overlap {
        hypothesis: hypothesis.len() as u64,
        reference: reference.len() as u64,
        matches,
    }
}

fn sorted(items: &[u32], n: usize, bits: u32) -> Vec<u128> {
    let mut grams: Vec<u128> = items
        .windows(n)
        .map(|w| {
            w.iter()
                .fold(0, |gram, item| gram << bits | u128::from(*item))
        })
        .collect();
    grams.sort_unstable();
    grams
}

/// Numbers for the words of one pair of segments; equal words have equal numbers.
#[derive(Default)]
pub(super) struct Words<'a>(HashMap<&'a str, u32>);

impl<'a> Words<'a> {
    pub(super) fn ids(&mut self, words: impl IntoIterator<Item = &'a str>) -> Vec<u32> {
        words
            .into_iter()
            .map(|word| {
                let next = self.0.len() as u32;
                *self.0.entry(word).or_insert(next)
            })
            .collect()
    }
}

/// White space as Python's `str.split` sees it: Unicode's, and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The words of a text, split at white space.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_gram_of_the_reference_once() {
        let got = overlap(&[1, 2, 1, 2, 1], &[1, 2, 3, 1, 2], 2, 21);
        assert_eq!((got.hypothesis, got.reference, got.matches), (4, 4, 2));
        assert_eq!(overlap(&[1], &[1], 2, 21), Overlap::default());
    }

    #[test]
    fn keeps_the_order_within_a_gram() {
        assert_eq!(overlap(&[1, 2], &[2, 1], 2, 32).matches, 0);
        assert_eq!(overlap(&[0, 0], &[0], 1, 32).matches, 1);
    }

    #[test]
    fn splits_where_python_does() {
        assert_eq!(split("a\u{1f}b\u{a0}c  d\u{200b}e").count(), 4);
    }
}
