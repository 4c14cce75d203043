//! Affine layers over int8 weights whose activations have one given scale, as Marian's models ask.

use super::gemm::{panel_dots, round_to_int};
use super::pack::{PackedInt8, QuantizedRows};
use super::{Isa, Kernels, LANES, multiversion};

/// What turns integer sums into a layer's outputs: `(x . w + shift) * unit + bias`.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// Added to each output's integer sum: `[n]`.
    pub shift: &'a [i32],
    /// What one step of the sums is worth.
    pub unit: f32,
    /// Added to each output: `[n]`.
    pub bias: &'a [f32],
}

impl Kernels {
    /// Quantises `x` (row-major `[rows, k]`) with one scale: `round(x * alpha)`, ties to even,
    /// clamped to ±127.
    ///
    /// # Panics
    /// When `x` is not `[rows, k]`.
    pub fn quantize_scaled(self, x: &[f32], k: usize, alpha: f32, out: &mut QuantizedRows) {
        assert!(x.len().is_multiple_of(k));
        out.k = k;
        out.block = k;
        out.rows = x.len() / k;
        out.data.resize(x.len(), 0);
        out.offsets.resize(out.rows, 0);
        out.scales.clear();
        out.scales.resize(out.rows, 1.0 / alpha);
        multiversion!(self.isa, quantize_scaled(x: &[f32], alpha: f32, out: &mut QuantizedRows));
    }

    /// `out[r, n] = (q[r] . w[n] + shift[n]) * unit + bias[n]`: the sum is exact, the product is
    /// rounded before the bias is added, in this order on every instruction set.
    ///
    /// Shapes: x `[rows, k]`, w `[n, k]`, out `[rows, n]` row-major. The scales of `x` and `w` are
    /// not used.
    ///
    /// # Panics
    /// When shapes differ.
    pub fn affine_int8(
        self,
        x: &QuantizedRows,
        w: &PackedInt8,
        end: Epilogue<'_>,
        out: &mut [f32],
    ) {
        assert_eq!((x.k, x.block), (w.k, w.k));
        assert_eq!(out.len(), x.rows * w.n);
        assert!(end.shift.len() == w.n && end.bias.len() == w.n);
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::x86::avx512::affine_int8(x, w, end, out),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::x86::avx2::affine_int8(x, w, end, out),
            _ => affine_int8(x, w, end, out),
        }
    }
}

#[inline(always)]
fn quantize_scaled(x: &[f32], alpha: f32, out: &mut QuantizedRows) {
    let rows = x.chunks_exact(out.k).zip(out.data.chunks_exact_mut(out.k));
    for ((xs, qs), offset) in rows.zip(&mut out.offsets) {
        let mut sum = 0i32;
        for (q, x) in qs.iter_mut().zip(xs) {
            let v = x * alpha;
            let v = if v < -127.0 { -127.0 } else { v };
            let v = if v > 127.0 { 127.0 } else { v };
            let int = round_to_int(v);
            *q = int as i8;
            sum += int;
        }
        *offset = sum * 128;
    }
}

/// The definition of the affine layer.
fn affine_int8(x: &QuantizedRows, w: &PackedInt8, end: Epilogue<'_>, out: &mut [f32]) {
    for (panel, first) in (0..w.n).step_by(LANES).enumerate() {
        let data = &w.data[panel * LANES * w.k..][..LANES * w.k];
        let width = LANES.min(w.n - first);
        for row in 0..x.rows {
            let q = &x.data[row * x.k..][..x.k];
            let dot = panel_dots(q, data, x.offsets[row]);
            let out = &mut out[row * w.n + first..][..width];
            let ends = end.shift[first..].iter().zip(&end.bias[first..]);
            for ((o, d), (shift, bias)) in out.iter_mut().zip(dot).zip(ends) {
                *o = (d + shift) as f32 * end.unit + bias;
            }
        }
    }
}
