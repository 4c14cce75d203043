//! Row functions in the float order of Marian as bergamot-translator builds it, so that its int8
//! models see the same activations, bit for bit.
//!
//! A last bit matters there: it moves a quantised activation by a whole step now and then, and
//! with it a near tie between words. Orders were read off bergamot's own tensors, and those of the
//! matrix library behind its attention off products made to show which sums come first.

use super::gemm::round_to_int;
use super::{Kernels, multiversion};

/// Lanes of Marian's vectors.
const LANES: usize = 8;
/// From so many queries on, the library's product runs over the keys' width in one fused chain.
const CHAINED_SCORES: usize = 12;
/// From so many queries on, it fuses products with sums when it mixes values, if they are wider
/// than one of its vectors.
const FUSED_MIX: usize = 4;

/// Columns that keys are padded to a multiple of.
const PAD: usize = 16;

/// Keys of one sentence, turned so that a head's scores are computed side by side.
///
/// Shape: `[heads, width, columns]`.
#[derive(Clone, Debug)]
pub struct Keys {
    data: Vec<f32>,
    width: usize,
    count: usize,
    queries: usize,
    scale: f32,
}

impl Keys {
    /// Turns `keys` (row-major `[count, heads * width]`) for products with `queries` queries at a
    /// time: the sentence's own positions in an encoder, one in a decoder's step.
    ///
    /// # Panics
    /// When the length does not fit.
    #[must_use]
    pub fn new(keys: &[f32], heads: usize, width: usize, queries: usize) -> Self {
        let dim = heads * width;
        assert!(keys.len().is_multiple_of(dim));
        let count = keys.len() / dim;
        let scale = 1.0 / (width as f32).sqrt();
        let factor = if queries >= CHAINED_SCORES {
            scale
        } else {
            1.0
        };
        let columns = count.next_multiple_of(PAD);
        let mut data = vec![0.0; columns * dim];
        for (position, key) in keys.chunks_exact(dim).enumerate() {
            let slots = data.iter_mut().skip(position).step_by(columns);
            for (slot, &x) in slots.zip(key) {
                *slot = x * factor;
            }
        }
        Self {
            data,
            width,
            count,
            queries,
            scale,
        }
    }

    /// Scores of one query, of which the first [`Keys::count`] mean something.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.count.next_multiple_of(PAD)
    }

    /// Positions.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl Kernels {
    /// Scores of one head's queries with all keys, divided by the root of the width.
    ///
    /// Shapes: queries `[rows, stride]`, of which the first `width` columns are the head's; out
    /// `[rows, columns]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn scores(self, keys: &Keys, head: usize, queries: &[f32], stride: usize, out: &mut [f32]) {
        let rows = out.len() / keys.columns().max(1);
        assert!(out.len() == rows * keys.columns() && stride >= keys.width);
        assert!(rows == 0 || queries.len() >= (rows - 1) * stride + keys.width);
        let size = keys.width * keys.columns();
        let data = &keys.data[head * size..][..size];
        let queries = Rows {
            data: queries,
            stride,
        };
        multiversion!(self.isa(), scores(keys: &Keys, data: &[f32], queries: Rows<'_>, out: &mut [f32]));
    }

    /// `out = weights . values` for one head: sums in the order of the positions.
    ///
    /// Shapes: weights `[rows, columns of keys]`, values `[count, stride]` and out `[rows, stride]`,
    /// of both of which the first `width` columns are the head's.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn mix(self, keys: &Keys, weights: &[f32], values: &[f32], stride: usize, out: &mut [f32]) {
        let rows = weights.len() / keys.columns().max(1);
        let fits = |len: usize, rows: usize| rows == 0 || len >= (rows - 1) * stride + keys.width;
        assert!(weights.len() == rows * keys.columns() && stride >= keys.width);
        assert!(fits(values.len(), keys.count) && fits(out.len(), rows));
        let weights = Rows {
            data: weights,
            stride: keys.columns(),
        };
        let values = Rows {
            data: values,
            stride,
        };
        let shape = Shape {
            rows,
            terms: keys.count,
            columns: keys.width,
            stride,
        };
        if keys.queries >= FUSED_MIX && keys.width > LANES {
            multiversion!(self.isa(), fused(weights: Rows<'_>, values: Rows<'_>, shape: Shape, out: &mut [f32]));
        } else {
            multiversion!(self.isa(), plain(weights: Rows<'_>, values: Rows<'_>, shape: Shape, out: &mut [f32]));
        }
    }

    /// Softmax in place: eight or four lanes with a polynomial exponential where the length is a
    /// multiple of that, the C library's `expf` elsewhere.
    pub fn softmax(self, x: &mut [f32]) {
        multiversion!(self.isa(), softmax(x: &mut [f32]));
    }

    /// Layer normalisation of `rows + residual` in place: rows `[n, dim]`.
    /// Source: Ba, Kiros & Hinton 2016.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn add_norm(self, rows: &mut [f32], residual: &[f32], scale: &[f32], bias: &[f32]) {
        assert!(rows.len() == residual.len() && scale.len() == bias.len());
        assert!(rows.len().is_multiple_of(scale.len()));
        multiversion!(self.isa(), add_norm(rows: &mut [f32], residual: &[f32], scale: &[f32], bias: &[f32]));
    }

    /// One step of a simpler simple recurrent unit: `cell = cell * f + x * (1 - f)` with
    /// `f = sigmoid(gate)`, and `x = relu(cell)`. Source: Kim et al. 2019.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn ssru(self, x: &mut [f32], cell: &mut [f32], gate: &[f32]) {
        assert!(x.len() == cell.len() && x.len() == gate.len());
        multiversion!(self.isa(), ssru(x: &mut [f32], cell: &mut [f32], gate: &[f32]));
    }

    /// `x = max(x, 0)`.
    pub fn relu(self, x: &mut [f32]) {
        multiversion!(self.isa(), relu(x: &mut [f32]));
    }

    /// `x = x * sigmoid(x)`.
    pub fn swish(self, x: &mut [f32]) {
        multiversion!(self.isa(), swish(x: &mut [f32]));
    }
}

/// A matrix by rows that lie `stride` floats apart.
#[derive(Clone, Copy)]
struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
}

/// Of a product `[rows, terms] . [terms, columns]`, whose output rows lie `stride` apart.
#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    terms: usize,
    columns: usize,
    stride: usize,
}

#[inline(always)]
fn scores(keys: &Keys, data: &[f32], queries: Rows<'_>, out: &mut [f32]) {
    let columns = keys.columns();
    if keys.queries >= CHAINED_SCORES {
        let shape = Shape {
            rows: out.len() / columns,
            terms: keys.width,
            columns,
            stride: columns,
        };
        let data = Rows {
            data,
            stride: columns,
        };
        fused(queries, data, shape, out);
        return;
    }
    let one = keys.queries == 1;
    let full = keys.count / 4 * 4;
    for (row, out) in out.chunks_exact_mut(columns).enumerate() {
        let query = &queries.data[row * queries.stride..][..keys.width];
        four_chains(query, data, one, out);
        for (i, slot) in out[full..keys.count].iter_mut().enumerate() {
            let column = data[full + i..].iter().step_by(columns);
            let products = query.iter().zip(column).map(|(q, k)| q * k);
            *slot = match (one, i) {
                (true, 1) => peeled_chains::<4>(products),
                (true, _) => peeled_chains::<8>(products),
                (false, _) => eight_chains(products),
            };
        }
        for slot in out {
            *slot *= keys.scale;
        }
    }
}

/// `out = a . b`, terms in order, each product fused with its sum.
#[inline(always)]
fn fused(a: Rows<'_>, b: Rows<'_>, shape: Shape, out: &mut [f32]) {
    product(a, b, shape, out, |sum, a, b| a.mul_add(b, sum));
}

/// As [`fused`], products rounded before they are added.
#[inline(always)]
fn plain(a: Rows<'_>, b: Rows<'_>, shape: Shape, out: &mut [f32]) {
    product(a, b, shape, out, |sum, a, b| sum + a * b);
}

#[inline(always)]
fn product(
    a: Rows<'_>,
    b: Rows<'_>,
    shape: Shape,
    out: &mut [f32],
    add: impl Fn(f32, f32, f32) -> f32 + Copy,
) {
    let mut row = 0;
    while row + 4 <= shape.rows {
        row_tile::<4>(a, b, shape, row, out, add);
        row += 4;
    }
    while row < shape.rows {
        row_tile::<1>(a, b, shape, row, out, add);
        row += 1;
    }
}

#[inline(always)]
fn row_tile<const R: usize>(
    a: Rows<'_>,
    b: Rows<'_>,
    shape: Shape,
    row: usize,
    out: &mut [f32],
    add: impl Fn(f32, f32, f32) -> f32 + Copy,
) {
    let mut first = 0;
    while first + 16 <= shape.columns {
        tile::<R, 16>(a, b, shape, [row, first], out, add);
        first += 16;
    }
    while first + 8 <= shape.columns {
        tile::<R, 8>(a, b, shape, [row, first], out, add);
        first += 8;
    }
    while first < shape.columns {
        tile::<R, 1>(a, b, shape, [row, first], out, add);
        first += 1;
    }
}

/// `R` rows and `C` columns of a product, from `[row, first]` on, with its sums in registers.
#[inline(always)]
fn tile<const R: usize, const C: usize>(
    a: Rows<'_>,
    b: Rows<'_>,
    shape: Shape,
    [row, first]: [usize; 2],
    out: &mut [f32],
    add: impl Fn(f32, f32, f32) -> f32 + Copy,
) {
    let mut sums = [[0.0f32; C]; R];
    let rows: [&[f32]; R] = std::array::from_fn(|r| &a.data[(row + r) * a.stride..][..shape.terms]);
    for term in 0..shape.terms {
        let b = &b.data[term * b.stride + first..][..C];
        for (sums, a) in sums.iter_mut().zip(rows) {
            let a = a[term];
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = add(*sum, a, *b);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        out[(row + r) * shape.stride + first..][..C].copy_from_slice(sums);
    }
}

/// Dot products of `query` with the columns of `keys`: four chains over the width, with `peel` the
/// first four products in the first chain; chains join as (0 + 2) + (1 + 3).
#[inline(always)]
fn four_chains(query: &[f32], keys: &[f32], peel: bool, out: &mut [f32]) {
    let columns = out.len();
    for (tile, out) in out.chunks_exact_mut(PAD).enumerate() {
        let mut chains = [[0.0f32; PAD]; 4];
        let row = |i: usize| &keys[i * columns + tile * PAD..][..PAD];
        let peeled = if peel { query.len().min(4) } else { 0 };
        for i in 0..peeled {
            add_row(&mut chains[0], query[i], row(i));
        }
        let mut i = peeled;
        while i + 4 <= query.len() {
            for (chain, i) in chains.iter_mut().zip(i..) {
                add_row(chain, query[i], row(i));
            }
            i += 4;
        }
        for (chain, i) in chains.iter_mut().zip(i..query.len()) {
            add_row(chain, query[i], row(i));
        }
        for (c, slot) in out.iter_mut().enumerate() {
            *slot = (chains[0][c] + chains[2][c]) + (chains[1][c] + chains[3][c]);
        }
    }
}

#[inline(always)]
fn add_row(sums: &mut [f32; PAD], weight: f32, row: &[f32]) {
    for (sum, x) in sums.iter_mut().zip(row) {
        *sum += weight * x;
    }
}

/// A sum whose first four terms start the first of `N` chains; terms past the last eight of the
/// rest are added at the end.
#[inline(always)]
fn peeled_chains<const N: usize>(products: impl ExactSizeIterator<Item = f32>) -> f32 {
    let end = 4 + products.len().saturating_sub(4) / 8 * 8;
    let mut chains = [0.0f32; N];
    let mut tail = None;
    for (i, product) in products.enumerate() {
        if i < 4 {
            chains[0] += product;
        } else if i < end {
            chains[(i - 4) % N] += product;
        } else {
            *tail.get_or_insert_with(|| join(&chains)) += product;
        }
    }
    tail.unwrap_or_else(|| join(&chains))
}

#[inline(always)]
fn eight_chains(products: impl Iterator<Item = f32>) -> f32 {
    let mut chains = [0.0f32; 8];
    for (i, product) in products.enumerate() {
        chains[i % 8] += product;
    }
    join(&chains)
}

/// Joins four or eight chains by halves.
#[inline(always)]
fn join(chains: &[f32]) -> f32 {
    match *chains {
        [a, b, c, d] => (a + c) + (b + d),
        [a, b, c, d, e, f, g, h] => ((a + e) + (c + g)) + ((b + f) + (d + h)),
        _ => chains.iter().sum(),
    }
}

#[inline(always)]
fn softmax(x: &mut [f32]) {
    let mut max = f32::NEG_INFINITY;
    for &v in x.iter() {
        max = if v > max { v } else { max };
    }
    let total = if x.len().is_multiple_of(8) {
        softmax_lanes::<8>(x, max)
    } else if x.len().is_multiple_of(4) {
        softmax_lanes::<4>(x, max)
    } else {
        for v in x.iter_mut() {
            *v = expf(*v - max);
        }
        x.iter().fold(0.0, |sum, v| sum + v)
    };
    for v in x {
        *v /= total;
    }
}

#[inline(always)]
fn softmax_lanes<const N: usize>(x: &mut [f32], max: f32) -> f32 {
    let mut sums = [0.0f32; N];
    for chunk in x.chunks_exact_mut(N) {
        for (sum, v) in sums.iter_mut().zip(chunk) {
            *v = exp(*v - max);
            *sum += *v;
        }
    }
    sums.iter().skip(1).fold(sums[0], |sum, v| sum + v)
}

#[inline(always)]
fn add_norm(rows: &mut [f32], residual: &[f32], scale: &[f32], bias: &[f32]) {
    const EPSILON: f32 = 1e-6;
    let dim = scale.len();
    let share = 1.0 / dim as f32;
    for (row, residual) in rows.chunks_exact_mut(dim).zip(residual.chunks_exact(dim)) {
        for (x, r) in row.iter_mut().zip(residual) {
            *x += r;
        }
        let mean = sum(row, |x| x) * share;
        let variance = sum(row, |x| (x - mean) * (x - mean)) * share;
        let rate = 1.0 / (variance + EPSILON).sqrt();
        for ((x, scale), bias) in row.iter_mut().zip(scale).zip(bias) {
            *x = (scale * rate) * (*x - mean) + bias;
        }
    }
}

#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += f(x);
    }
    join(&lanes)
}

#[inline(always)]
fn ssru(x: &mut [f32], cell: &mut [f32], gate: &[f32]) {
    for ((x, cell), gate) in x.iter_mut().zip(cell).zip(gate) {
        let gate = sigmoid(*gate);
        *cell = *cell * gate + *x * (1.0 - gate);
        *x = if *cell > 0.0 { *cell } else { 0.0 };
    }
}

#[inline(always)]
fn relu(x: &mut [f32]) {
    for v in x {
        *v = if *v > 0.0 { *v } else { 0.0 };
    }
}

#[inline(always)]
fn swish(x: &mut [f32]) {
    for v in x {
        *v *= sigmoid(*v);
    }
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let e = exp(x);
    e / (1.0 + e)
}

/// The exponential as Cephes approximates it, without fused operations.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const BOUND: f32 = 88.376_26;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -BOUND { -BOUND } else { x };
    let x = if x > BOUND { BOUND } else { x };
    let power = (x * std::f32::consts::LOG2_E + 0.5).floor();
    let rest = x - power * LN2_HIGH - power * LN2_LOW;
    let mut series = 1.987_569_1e-4;
    for term in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        series = series * rest + term;
    }
    let value = series * (rest * rest) + rest + 1.0;
    // `power` is within ±128, so the shifted exponent is a small positive number.
    value * f32::from_bits(((round_to_int(power) + 127) as u32) << 23)
}

/// `2^(i/32)` as the bits of a double, less `i` in the exponent's place.
const POWERS: [u64; 32] = [
    0x3ff0_0000_0000_0000,
    0x3fef_d9b0_d315_8574,
    0x3fef_b558_6cf9_890f,
    0x3fef_9301_d012_5b51,
    0x3fef_72b8_3c7d_517b,
    0x3fef_5487_3168_b9aa,
    0x3fef_387a_6e75_6238,
    0x3fef_1e9d_f51f_dee1,
    0x3fef_06fe_0a31_b715,
    0x3fee_f1a7_373a_a9cb,
    0x3fee_dea6_4c12_3422,
    0x3fee_ce08_6061_892d,
    0x3fee_bfda_d536_2a27,
    0x3fee_b42b_569d_4f82,
    0x3fee_ab07_dd48_5429,
    0x3fee_a47e_b03a_5585,
    0x3fee_a09e_667f_3bcd,
    0x3fee_9f75_e8ec_5f74,
    0x3fee_a114_73eb_0187,
    0x3fee_a589_994c_ce13,
    0x3fee_ace5_422a_a0db,
    0x3fee_b737_b0cd_c5e5,
    0x3fee_c491_82a3_f090,
    0x3fee_d503_b23e_255d,
    0x3fee_e89f_995a_d3ad,
    0x3fee_ff76_f2fb_5e47,
    0x3fef_199b_dd85_529c,
    0x3fef_3720_dcef_9069,
    0x3fef_5818_dcfb_a487,
    0x3fef_7c97_337b_9b5f,
    0x3fef_a4af_a2a4_90da,
    0x3fef_d076_5b6e_4540,
];

/// The exponential of the C library (glibc) on processors with fused operations, for `x <= 0`.
/// Source: the algorithm of Arm's optimized-routines: a table of 32 powers, a cubic in doubles.
#[inline(always)]
fn expf(x: f32) -> f32 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    const STEPS: f64 = std::f64::consts::LOG2_E * 32.0;
    const CUBIC: [f64; 3] = [
        0.055_503_615_593_415_35 / 32_768.0,
        0.240_228_452_244_572_2 / 1024.0,
        0.693_147_180_691_620_3 / 32.0,
    ];
    // The result of anything smaller is rounded to zero.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = f64::from(x);
    let shifted = STEPS.mul_add(x, SHIFT);
    let index = shifted.to_bits();
    let rest = STEPS.mul_add(x, -(shifted - SHIFT));
    let scale = f64::from_bits(POWERS[(index % 32) as usize].wrapping_add(index << 47));
    let high = CUBIC[0].mul_add(rest, CUBIC[1]);
    let low = CUBIC[2].mul_add(rest, 1.0);
    (high.mul_add(rest * rest, low) * scale) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_exponentials_close_everywhere() {
        for step in -8000..=8000 {
            let x = step as f32 * 0.01;
            let wanted = x.exp();
            assert!((exp(x) - wanted).abs() <= wanted * 3e-7, "{x}");
            if x <= 0.0 {
                assert!((expf(x) - wanted).abs() <= wanted * 1e-7, "{x}");
            }
        }
        assert!(exp(f32::MAX).is_finite() && exp(f32::NEG_INFINITY) < 1e-37);
        assert!(expf(f32::NEG_INFINITY) == 0.0 && expf(0.0) == 1.0);
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
    fn gives_the_bits_of_the_c_library() {
        if is_x86_feature_detected!("fma") {
            for step in 0..2_000_000u32 {
                let x = -f32::from_bits(0x3000_0000 + step * 140);
                assert_eq!(expf(x).to_bits(), x.exp().to_bits(), "{x}");
            }
        }
    }

    fn all() -> Vec<Kernels> {
        ["portable", "avx2", "avx512"]
            .iter()
            .filter_map(|name| Kernels::named(name).ok())
            .collect()
    }

    fn noise(len: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..len).map(next).collect()
    }

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

    #[test]
    fn keeps_a_distribution_for_any_number_of_positions() {
        for count in 1..20 {
            let mut values: Vec<f32> = (0..count).map(|i| i as f32 * 7.0 - 50.0).collect();
            Kernels::detect().softmax(&mut values);
            assert!((values.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{count}");
        }
    }
}
