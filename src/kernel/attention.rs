//! Attention of one head, over keys that lie side by side.

use super::math::{exp, sum_lanes};
use super::{Kernels, LANES, multiversion};

/// Keys and values of one sequence, in blocks of sixteen positions.
///
/// A block of keys lies column by column, so that a query is scored against sixteen at once:
/// `[len / 16, heads, d, 16]`. A block of values lies head by head, so that one head's rows do not
/// fall on the same lines of the cache: `[len / 16, heads, 16, d]`.
#[derive(Clone, Debug, Default)]
pub struct KeyValueCache {
    keys: Vec<f32>,
    values: Vec<f32>,
    len: usize,
}

impl KeyValueCache {
    /// Appends keys and values, row-major `[n, width]`, of heads of `d` columns; every call has
    /// the same widths.
    ///
    /// # Panics
    /// When the lengths do not fit, or the width is another than before.
    pub fn extend(&mut self, keys: &[f32], values: &[f32], width: usize, d: usize) {
        assert!(width.is_multiple_of(d) && keys.len().is_multiple_of(width));
        assert_eq!(keys.len(), values.len());
        assert_eq!(
            self.keys.len(),
            self.len.next_multiple_of(LANES) * width,
            "the width of a cache does not change"
        );
        for (key, value) in keys.chunks_exact(width).zip(values.chunks_exact(width)) {
            let lane = self.len % LANES;
            if lane == 0 {
                let size = self.keys.len() + width * LANES;
                self.keys.resize(size, 0.0);
                self.values.resize(size, 0.0);
            }
            let block = self.keys.len() - width * LANES;
            let slots = self.keys[block + lane..].iter_mut().step_by(LANES);
            for (slot, x) in slots.zip(key) {
                *slot = *x;
            }
            let heads = self.values[block..].chunks_exact_mut(d * LANES);
            for (head, value) in heads.zip(value.chunks_exact(d)) {
                head[lane * d..][..d].copy_from_slice(value);
            }
            self.len += 1;
        }
    }

    /// Positions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// There is no position yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Operands of [`Kernels::attend`].
#[derive(Clone, Copy, Debug)]
pub struct AttentionHead<'a> {
    /// `[d]`
    pub query: &'a [f32],
    /// Keys and values of all heads.
    pub cache: &'a KeyValueCache,
    /// Columns of all heads' keys.
    pub width: usize,
    /// The first of the head's own columns.
    pub column: usize,
    /// First position that is seen.
    pub first: usize,
    /// Positions that are seen.
    pub len: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// Added to the scores, `[len]`, where there is one.
    pub bias: Option<&'a [f32]>,
}

impl Kernels {
    /// `out = softmax(query . keys * scale + bias) . values`. Source: Vaswani et al. 2017, eq. 1.
    ///
    /// `scores` is scratch; out `[d]`.
    ///
    /// # Panics
    /// When the slices are shorter than the shapes ask.
    pub fn attend(self, head: AttentionHead<'_>, scores: &mut Vec<f32>, out: &mut [f32]) {
        let (d, end) = (head.query.len(), head.first + head.len);
        assert!(out.len() == d && head.column + d <= head.width);
        assert!(end <= head.cache.len && head.column.is_multiple_of(d));
        assert_eq!(
            head.cache.keys.len(),
            head.cache.len.next_multiple_of(LANES) * head.width
        );
        assert!(head.bias.is_none_or(|bias| bias.len() == head.len));
        multiversion!(self.isa(), attend(head: AttentionHead<'_>, scores: &mut Vec<f32>, out: &mut [f32]));
    }
}

#[inline(always)]
fn attend(head: AttentionHead<'_>, scores: &mut Vec<f32>, out: &mut [f32]) {
    let skip = head.first % LANES;
    let start = head.first - skip;
    scores.clear();
    scores.resize((skip + head.len).next_multiple_of(LANES), 0.0);
    for (block, out) in scores.chunks_exact_mut(LANES).enumerate() {
        let at = (start + block * LANES) * head.width + head.column * LANES;
        let keys = &head.cache.keys[at..][..head.query.len() * LANES];
        score_block(head.query, keys, head.scale, out);
    }
    if let Some(bias) = head.bias {
        for (score, bias) in scores[skip..].iter_mut().zip(bias) {
            *score += bias;
        }
    }
    // Positions that are not seen share the blocks of those that are.
    scores[..skip].fill(f32::NEG_INFINITY);
    scores[skip + head.len..].fill(f32::NEG_INFINITY);
    let mut max = [f32::NEG_INFINITY; LANES];
    for chunk in scores.chunks_exact(LANES) {
        for i in 0..LANES {
            max[i] = if chunk[i] > max[i] { chunk[i] } else { max[i] };
        }
    }
    let max = max
        .iter()
        .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    let mut lanes = [0f32; LANES];
    for chunk in scores.chunks_exact_mut(LANES) {
        for i in 0..LANES {
            chunk[i] = exp(chunk[i] - max);
            lanes[i] += chunk[i];
        }
    }
    let inverse = 1.0 / sum_lanes(lanes);
    for score in scores.iter_mut() {
        *score *= inverse;
    }
    mix(head, &scores[skip..][..head.len], out);
}

/// Fetches the line `ahead` floats behind the beginning of `x`: in a cache, that of the next head
/// in the same block, which the processor does not foresee across a page's end.
#[inline(always)]
fn prefetch(x: &[f32], ahead: usize) {
    #[cfg(target_arch = "x86_64")]
    super::x86::prefetch(x.as_ptr().wrapping_add(ahead));
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (x, ahead);
}

/// Scores of one query with sixteen keys, in four chains over the columns.
#[inline(always)]
fn score_block(query: &[f32], keys: &[f32], scale: f32, out: &mut [f32]) {
    let (mut s0, mut s1) = ([0f32; LANES], [0f32; LANES]);
    let (mut s2, mut s3) = ([0f32; LANES], [0f32; LANES]);
    let (fours, columns) = (query.chunks_exact(4), keys.chunks_exact(4 * LANES));
    let (rest, rest_columns) = (fours.remainder(), columns.remainder());
    for (q, k) in fours.zip(columns) {
        for line in 0..4 {
            prefetch(k, keys.len() + line * LANES);
        }
        for i in 0..LANES {
            s0[i] = q[0].mul_add(k[i], s0[i]);
            s1[i] = q[1].mul_add(k[LANES + i], s1[i]);
            s2[i] = q[2].mul_add(k[2 * LANES + i], s2[i]);
            s3[i] = q[3].mul_add(k[3 * LANES + i], s3[i]);
        }
    }
    for (q, k) in rest.iter().zip(rest_columns.chunks_exact(LANES)) {
        for i in 0..LANES {
            s0[i] = q.mul_add(k[i], s0[i]);
        }
    }
    for i in 0..LANES {
        out[i] = ((s0[i] + s2[i]) + (s1[i] + s3[i])) * scale;
    }
}

/// `out[c] = sum of weights[i] * values[i][c]`, positions in order, with the sums in registers.
#[inline(always)]
fn mix(head: AttentionHead<'_>, weights: &[f32], out: &mut [f32]) {
    let d = out.len();
    let row = |i: usize| {
        let position = head.first + i;
        let block = position / LANES * head.width + head.column;
        &head.cache.values[block * LANES + position % LANES * d..][..d]
    };
    let mut wide = out.chunks_exact_mut(4 * LANES);
    let mut first = 0;
    for out in &mut wide {
        let (mut s0, mut s1) = ([0f32; LANES], [0f32; LANES]);
        let (mut s2, mut s3) = ([0f32; LANES], [0f32; LANES]);
        for (i, weight) in weights.iter().enumerate() {
            let v = &row(i)[first..][..4 * LANES];
            for line in 0..4 {
                prefetch(v, d * LANES + line * LANES);
            }
            for c in 0..LANES {
                s0[c] = weight.mul_add(v[c], s0[c]);
                s1[c] = weight.mul_add(v[LANES + c], s1[c]);
                s2[c] = weight.mul_add(v[2 * LANES + c], s2[c]);
                s3[c] = weight.mul_add(v[3 * LANES + c], s3[c]);
            }
        }
        for (out, sums) in out.chunks_exact_mut(LANES).zip([s0, s1, s2, s3]) {
            out.copy_from_slice(&sums);
        }
        first += 4 * LANES;
    }
    for out in wide.into_remainder().chunks_mut(LANES) {
        let mut sums = [0f32; LANES];
        for (i, weight) in weights.iter().enumerate() {
            for (sum, v) in sums.iter_mut().zip(&row(i)[first..][..out.len()]) {
                *sum = weight.mul_add(*v, *sum);
            }
        }
        out.copy_from_slice(&sums[..out.len()]);
        first += out.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all, noise};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn attends_to_what_is_seen_and_to_nothing_else(
            d in 1usize..70, heads in 1usize..4, count in 1usize..50, hidden in 0usize..49,
            seed in 0u64..1000,
        ) {
            let (width, first) = (d * heads, hidden.min(count - 1));
            let keys = noise(count * width, seed);
            let values = noise(count * width, seed + 1);
            let (query, bias) = (noise(d, seed + 2), noise(count - first, seed + 3));
            let mut cache = KeyValueCache::default();
            for (keys, values) in keys.chunks(3 * width).zip(values.chunks(3 * width)) {
                cache.extend(keys, values, width, d);
            }
            prop_assert_eq!(cache.len(), count);
            let column = (heads - 1) * d;
            let head = AttentionHead {
                query: &query,
                cache: &cache,
                width,
                column,
                first,
                len: count - first,
                scale: 0.5,
                bias: Some(&bias),
            };
            let mut results = all().into_iter().map(|kernels| {
                let mut out = vec![0.0; d];
                kernels.attend(head, &mut Vec::new(), &mut out);
                out
            });
            let got = results.next().unwrap();
            prop_assert!(results.all(|r| r == got));
            let at = |rows: &[f32], i: usize, c: usize| f64::from(rows[i * width + column + c]);
            let weights: Vec<f64> = (first..count)
                .map(|i| {
                    let dot: f64 = (0..d).map(|c| f64::from(query[c]) * at(&keys, i, c)).sum();
                    (dot * 0.5 + f64::from(bias[i - first])).exp()
                })
                .collect();
            let total: f64 = weights.iter().sum();
            for (c, got) in got.iter().enumerate() {
                let wanted: f64 =
                    (first..count).map(|i| weights[i - first] / total * at(&values, i, c)).sum();
                prop_assert!((wanted - f64::from(*got)).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn a_bias_of_minus_infinity_hides_a_key() {
        let rows = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let mut cache = KeyValueCache::default();
        cache.extend(&rows, &rows, 2, 2);
        let head = AttentionHead {
            query: &[0.3, 0.7],
            cache: &cache,
            width: 2,
            column: 0,
            first: 0,
            len: 3,
            scale: 1.0,
            bias: Some(&[0.0, 0.0, -1e9]),
        };
        let (mut out, mut short) = ([0.0; 2], [0.0; 2]);
        Kernels::detect().attend(head, &mut Vec::new(), &mut out);
        let seen = AttentionHead {
            len: 2,
            bias: None,
            ..head
        };
        Kernels::detect().attend(seen, &mut Vec::new(), &mut short);
        assert_eq!(out, short);
    }
}
