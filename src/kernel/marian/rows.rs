//! Softmax, normalisation and activations.

use super::super::{Kernels, multiversion};
use super::exp::{exp, expf};
use super::{LANES, join};

impl Kernels {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_distribution_for_any_number_of_positions() {
        for count in 1..20 {
            let mut values: Vec<f32> = (0..count).map(|i| i as f32 * 7.0 - 50.0).collect();
            Kernels::detect().softmax(&mut values);
            assert!((values.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{count}");
        }
    }
}
