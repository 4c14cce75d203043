//! Row functions in the float order of Marian as bergamot-translator builds it, so that its int8
//! models see the same activations, bit for bit.
//!
//! A last bit matters there: it moves a quantised activation by a whole step now and then, and
//! with it a near tie between words. Orders were read off bergamot's own tensors, and those of the
//! matrix library behind its attention off products made to show which sums come first.

mod attention;
mod exp;
mod rows;

pub use attention::Keys;

/// Lanes of Marian's vectors.
const LANES: usize = 8;

/// Joins four or eight chains by halves.
#[inline(always)]
fn join(chains: &[f32]) -> f32 {
    match *chains {
        [a, b, c, d] => (a + c) + (b + d),
        [a, b, c, d, e, f, g, h] => ((a + e) + (c + g)) + ((b + f) + (d + h)),
        _ => chains.iter().sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernels;
    use crate::kernel::tests::{all, noise};

    #[test]
    fn gives_the_same_bits_on_every_instruction_set() {
        for count in (1..40).chain([64, 127, 128]) {
            let (heads, width) = (2, 48);
            let dim = heads * width;
            let keys = noise(count * dim, 1);
            for queries in [1, 3, 7, 12] {
                let turned = Keys::new(&keys, heads, width, queries);
                let query = noise(5 * width, 2);
                let mut results = all().into_iter().map(|kernels| {
                    let mut scores = vec![0.0; 5 * turned.columns()];
                    kernels.scores(&turned, 1, &query, width, &mut scores);
                    for row in scores.chunks_exact_mut(turned.columns()) {
                        kernels.softmax(&mut row[..count]);
                        row[count..].fill(0.0);
                    }
                    let mut mixed = vec![0.0; 5 * dim];
                    kernels.mix(&turned, &scores, &keys[width..], dim, &mut mixed);
                    let mut rows = mixed.clone();
                    kernels.add_norm(&mut rows, &mixed, &query[..dim], &query[dim..][..dim]);
                    let mut cell = query[..dim].to_vec();
                    kernels.ssru(&mut rows[..dim], &mut cell, &mixed[..dim]);
                    kernels.swish(&mut cell);
                    let all = scores.iter().chain(&mixed).chain(&rows).chain(&cell);
                    all.map(|x| x.to_bits()).collect::<Vec<_>>()
                });
                let first = results.next().unwrap();
                assert!(
                    results.all(|r| r == first),
                    "{count} keys, {queries} queries"
                );
            }
        }
    }

    #[test]
    fn scores_are_dot_products_in_every_order() {
        for count in 1..30 {
            let (width, keys) = (16, noise(count * 16, 3));
            let query = noise(width, 4);
            for queries in [1, 2, 11, 12] {
                let turned = Keys::new(&keys, 1, width, queries);
                let mut out = vec![0.0; turned.columns()];
                Kernels::detect().scores(&turned, 0, &query, width, &mut out);
                for (got, key) in out.iter().zip(keys.chunks_exact(width)) {
                    let wanted: f32 = key.iter().zip(&query).map(|(k, q)| k * q).sum();
                    assert!((got - wanted / 4.0).abs() < 1e-5, "{count} {queries}");
                }
            }
        }
    }
}
