//! Matrix products: the portable definition and the choice of the variant.

use super::pack::{PackedF32, PackedInt8, QuantizedRows};
use super::{Isa, Kernels, LANES, multiversion};

impl Kernels {
    /// Quantises `x` (row-major `[rows, k]`) for weights with blocks of `block` columns:
    /// `scale = max |x| / 127` over each block, values rounded to the nearest, ties to even.
    ///
    /// # Panics
    /// When `x` is not `[rows, k]` or `block` does not divide `k`.
    pub fn quantize(self, x: &[f32], k: usize, block: usize, out: &mut QuantizedRows) {
        assert!(k.is_multiple_of(block) && x.len().is_multiple_of(k));
        out.k = k;
        out.block = block;
        out.rows = x.len() / k;
        out.data.resize(x.len(), 0);
        out.scales.resize(x.len() / block, 0.0);
        out.offsets.resize(x.len() / block, 0);
        multiversion!(self.isa, quantize(x: &[f32], block: usize, out: &mut QuantizedRows));
    }

    /// `out[r, n] = sum over blocks of (q[r] . w[n]) * (weight scale * row scale)`, each block's
    /// product fused with the sum, and then `+ bias[n]`: a linear layer on quantised rows.
    ///
    /// Shapes: x `[rows, k]`, w `[n, k]`, bias `[n]` or empty for none, out `[rows, n]` row-major. A
    /// row's result does not depend on the other rows, and is the same on every instruction set.
    ///
    /// # Panics
    /// When shapes or blocks differ.
    pub fn matmul_int8(self, x: &QuantizedRows, w: &PackedInt8, bias: &[f32], out: &mut [f32]) {
        assert_eq!((x.k, x.block), (w.k, w.block));
        assert!(bias.is_empty() || bias.len() == w.n);
        assert_eq!(out.len(), x.rows * w.n);
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::x86::avx512::matmul_int8(x, w, bias, out),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::x86::avx2::matmul_int8(x, w, bias, out),
            _ => matmul_int8(x, w, bias, out),
        }
    }

    /// `out[r, n] = x[r] . w[n]` in f32, sums in the order of the columns.
    ///
    /// Shapes: x `[rows, k]`, w `[n, k]`, out `[rows, n]` row-major.
    ///
    /// # Panics
    /// When shapes differ.
    pub fn matmul_f32(self, x: &[f32], w: &PackedF32, out: &mut [f32]) {
        assert!(x.len().is_multiple_of(w.k));
        assert_eq!(out.len(), x.len() / w.k * w.n);
        multiversion!(self.isa, matmul_f32(x: &[f32], w: &PackedF32, out: &mut [f32]));
    }
}

/// Rounds to the nearest, ties to even, what is within ±2^22: adding 1.5 * 2^23 leaves the integer
/// in the lowest bits. Anything else gives some integer.
#[inline(always)]
pub(super) fn round_to_int(x: f32) -> i32 {
    const ROUND: f32 = 12_582_912.0;
    (x + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32
}

/// The greatest magnitude. The bits of magnitudes are in their order, and the greatest of integers,
/// unlike that of floats, may be found in any order, that is in few vector instructions.
#[inline(always)]
fn max_abs(x: &[f32]) -> f32 {
    let bits = |v: f32| v.to_bits() & (u32::MAX >> 1);
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut max = [0; LANES];
    for chunk in chunks {
        for (m, v) in max.iter_mut().zip(chunk) {
            *m = bits(*v).max(*m);
        }
    }
    let max = max.into_iter().fold(0, u32::max);
    f32::from_bits(rest.iter().fold(max, |m, v| bits(*v).max(m)))
}

#[inline(always)]
fn quantize(x: &[f32], block: usize, out: &mut QuantizedRows) {
    let values = x.chunks_exact(block).zip(out.data.chunks_exact_mut(block));
    for ((xs, qs), (scale, offset)) in values.zip(out.scales.iter_mut().zip(&mut out.offsets)) {
        let max = max_abs(xs);
        let inverse = if max > 0.0 { 127.0 / max } else { 0.0 };
        *scale = max / 127.0;
        let mut sum = 0i32;
        for (q, v) in qs.iter_mut().zip(xs) {
            let int = round_to_int(v * inverse);
            *q = int as i8;
            sum += int;
        }
        *offset = sum * 128;
    }
}

/// Products of one row's columns with those of a panel's sixteen rows, whose offset adds `offset`.
pub(super) fn panel_dots(q: &[i8], panel: &[u8], offset: i32) -> [i32; LANES] {
    let mut dots = [-offset; LANES];
    for (q, group) in q.chunks_exact(4).zip(panel.chunks_exact(4 * LANES)) {
        for (dot, w) in dots.iter_mut().zip(group.chunks_exact(4)) {
            *dot += i32::from(w[0]) * i32::from(q[0])
                + i32::from(w[1]) * i32::from(q[1])
                + i32::from(w[2]) * i32::from(q[2])
                + i32::from(w[3]) * i32::from(q[3]);
        }
    }
    dots
}

/// The definition of the int8 product.
pub(super) fn matmul_int8(x: &QuantizedRows, w: &PackedInt8, bias: &[f32], out: &mut [f32]) {
    let blocks = w.k / w.block;
    for (panel, first) in (0..w.n).step_by(LANES).enumerate() {
        let data = &w.data[panel * LANES * w.k..][..LANES * w.k];
        let width = LANES.min(w.n - first);
        for row in 0..x.rows {
            let mut sum = [0f32; LANES];
            for b in 0..blocks {
                let q = &x.data[row * x.k + b * w.block..][..w.block];
                let block_data = &data[b * w.block * LANES..][..w.block * LANES];
                let dot = panel_dots(q, block_data, x.offsets[row * blocks + b]);
                let scales = &w.scales[(panel * blocks + b) * LANES..][..LANES];
                let row_scale = x.scales[row * blocks + b];
                for ((s, d), ws) in sum.iter_mut().zip(dot).zip(scales) {
                    *s = (d as f32).mul_add(ws * row_scale, *s);
                }
            }
            if !bias.is_empty() {
                for (s, b) in sum.iter_mut().zip(&bias[first..][..width]) {
                    *s += b;
                }
            }
            out[row * w.n + first..][..width].copy_from_slice(&sum[..width]);
        }
    }
}

#[inline(always)]
fn matmul_f32(x: &[f32], w: &PackedF32, out: &mut [f32]) {
    const TILE: usize = 4;
    let rows = x.len() / w.k;
    for (panel, first) in (0..w.n).step_by(LANES).enumerate() {
        let data = &w.data[panel * LANES * w.k..][..LANES * w.k];
        let width = LANES.min(w.n - first);
        let mut row = 0;
        while row < rows {
            let tile = TILE.min(rows - row);
            let mut sums = [[0f32; LANES]; TILE];
            // Rows past the end repeat the last one, so that the inner loop is of fixed size.
            let xs: [&[f32]; TILE] =
                std::array::from_fn(|i| &x[(row + i.min(tile - 1)) * w.k..][..w.k]);
            for (column, ws) in data.chunks_exact(LANES).enumerate() {
                for (sum, x) in sums.iter_mut().zip(xs) {
                    for (s, w) in sum.iter_mut().zip(ws) {
                        *s += x[column] * w;
                    }
                }
            }
            for (i, sum) in sums.iter().take(tile).enumerate() {
                out[(row + i) * w.n + first..][..width].copy_from_slice(&sum[..width]);
            }
            row += tile;
        }
    }
}
