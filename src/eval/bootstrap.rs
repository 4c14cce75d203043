//! Whether one system is better than another, or only luckier in its segments.
//!
//! Paired bootstrap resampling: the segments are drawn anew with replacement, the same for both
//! systems. Source: Koehn, "Statistical Significance Tests for Machine Translation Evaluation"
//! (2004), in the form of sacreBLEU `significance.py`.

use serde::Serialize;

use super::report::Metrics;
use super::segment::Segment;

/// How many times the segments are drawn.
pub const SAMPLES: u32 = 1000;

/// One metric of two systems.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// How much better the first system scores.
    pub difference: f64,
    /// How often such a difference would come by chance.
    pub p_value: f64,
}

/// Compares the first system with the second on the same segments: BLEU, chrF, chrF++.
///
/// The draws are the same at every call.
#[must_use]
pub fn compare(first: &[Segment], second: &[Segment]) -> [Difference; 3] {
    let n = first.len().min(second.len());
    let values = |sum: &Segment| Metrics::of(sum).values();
    let minus = |a: [f64; 3], b: [f64; 3]| -> [f64; 3] { std::array::from_fn(|i| a[i] - b[i]) };
    let total = |segments: &[Segment]| {
        let mut sum = Segment::default();
        segments.iter().take(n).for_each(|s| sum.add(s));
        values(&sum)
    };
    let real = minus(total(first), total(second));
    if n == 0 {
        return [Difference {
            difference: 0.0,
            p_value: 1.0,
        }; 3];
    }
    let mut state = 0x5eed_u64;
    let mut drawn: Vec<[f64; 3]> = Vec::with_capacity(SAMPLES as usize);
    for _ in 0..SAMPLES {
        let (mut a, mut b) = (Segment::default(), Segment::default());
        for _ in 0..n {
            let at = (next(&mut state) % n as u64) as usize;
            a.add(&first[at]);
            b.add(&second[at]);
        }
        drawn.push(minus(values(&a), values(&b)));
    }
    std::array::from_fn(|i| {
        let mean = drawn.iter().map(|d| d[i]).sum::<f64>() / f64::from(SAMPLES);
        let beyond = drawn
            .iter()
            .filter(|d| (d[i] - mean).abs() >= real[i].abs());
        Difference {
            difference: real[i],
            p_value: (beyond.count() + 1) as f64 / f64::from(SAMPLES + 1),
        }
    })
}

/// The next number of a fixed sequence. Source: Steele et al., SplitMix64 (2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::testset::{Languages, from_lines};
    use crate::eval::tokens::Tokenizer;

    fn segments(hypotheses: &str, references: &str) -> Vec<Segment> {
        let items = from_lines(references, None, Languages::default()).expect("items");
        let answers = hypotheses.lines().map(Into::into);
        items
            .iter()
            .zip(answers)
            .map(|(item, answer)| Segment::new(item, &answer, Tokenizer::V13a))
            .collect()
    }

    #[test]
    fn tells_a_better_system_from_an_equal_one() {
        let references =
            "the cat sat on the mat today\nhe was there and he saw it all\n".repeat(30);
        let good = segments(&references, &references);
        let bad = segments(&references.replace("the", "a"), &references);
        let same = compare(&good, &good);
        assert!(same.iter().all(|d| d.difference == 0.0 && d.p_value > 0.9));
        let better = compare(&good, &bad);
        assert!(
            better
                .iter()
                .all(|d| d.difference > 5.0 && d.p_value < 0.01),
            "{better:?}"
        );
        assert_eq!(better, compare(&good, &bad));
    }
}
