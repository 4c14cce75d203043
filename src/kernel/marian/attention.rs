//! Scores of queries with keys, and mixes of values, in the order of the matrix library that
//! bergamot-translator is built with.

use super::super::{Kernels, multiversion};
use super::{LANES, join};

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

    /// Scores of one query, of which as many as there are positions mean something.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.count.next_multiple_of(PAD)
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
        for (i, q) in query[..peeled].iter().enumerate() {
            add_row(&mut chains[0], *q, row(i));
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
