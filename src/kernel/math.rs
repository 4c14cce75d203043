//! Row functions: dot products, norms, activations, softmax, in an order that is ours to choose.

use super::{Kernels, LANES, multiversion};

impl Kernels {
    /// Dot product of two vectors of equal length.
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        multiversion!(self.isa(), dot(a: &[f32], b: &[f32]) -> f32)
    }

    /// `out = x / rms(x) * weight`. Source: Zhang & Sennrich 2019.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn rms_norm(self, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        assert!(x.len() == weight.len() && x.len() == out.len());
        multiversion!(self.isa(), rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]));
    }

    /// `gate = gelu(gate) * up` with the tanh form of GELU. Source: Hendrycks & Gimpel 2016.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn gelu_tanh_mul(self, gate: &mut [f32], up: &[f32]) {
        assert_eq!(gate.len(), up.len());
        multiversion!(self.isa(), gelu_tanh_mul(gate: &mut [f32], up: &[f32]));
    }

    /// `gate = silu(gate) * up`, where `silu(x) = x / (1 + exp(-x))`. Source: Shazeer 2020.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn silu_mul(self, gate: &mut [f32], up: &[f32]) {
        assert_eq!(gate.len(), up.len());
        multiversion!(self.isa(), silu_mul(gate: &mut [f32], up: &[f32]));
    }

    /// Index of the greatest value (the first of equals) and `log(sum(exp(x)))`.
    #[must_use]
    pub fn argmax_log_sum_exp(self, x: &[f32]) -> (usize, f32) {
        multiversion!(self.isa(), argmax_log_sum_exp(x: &[f32]) -> (usize, f32))
    }

    /// `a += b`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn add(self, a: &mut [f32], b: &[f32]) {
        assert_eq!(a.len(), b.len());
        multiversion!(self.isa(), add(a: &mut [f32], b: &[f32]));
    }
}

#[inline(always)]
fn add(a: &mut [f32], b: &[f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

/// Sums lanes in a fixed tree.
#[inline(always)]
pub(super) fn sum_lanes(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Four groups of lanes, so that sums do not wait for each other.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (mut s0, mut s1) = ([0f32; LANES], [0f32; LANES]);
    let (mut s2, mut s3) = ([0f32; LANES], [0f32; LANES]);
    let (ac, bc) = (a.chunks_exact(4 * LANES), b.chunks_exact(4 * LANES));
    let (ar, br) = (ac.remainder(), bc.remainder());
    for (a, b) in ac.zip(bc) {
        for i in 0..LANES {
            s0[i] = a[i].mul_add(b[i], s0[i]);
            s1[i] = a[LANES + i].mul_add(b[LANES + i], s1[i]);
            s2[i] = a[2 * LANES + i].mul_add(b[2 * LANES + i], s2[i]);
            s3[i] = a[3 * LANES + i].mul_add(b[3 * LANES + i], s3[i]);
        }
    }
    for i in 0..LANES {
        s0[i] = (s0[i] + s2[i]) + (s1[i] + s3[i]);
    }
    let (ac, bc) = (ar.chunks_exact(LANES), br.chunks_exact(LANES));
    let (ar, br) = (ac.remainder(), bc.remainder());
    for (a, b) in ac.zip(bc) {
        for i in 0..LANES {
            s0[i] = a[i].mul_add(b[i], s0[i]);
        }
    }
    for (sum, (a, b)) in s0.iter_mut().zip(ar.iter().zip(br)) {
        *sum = a.mul_add(*b, *sum);
    }
    sum_lanes(s0)
}

/// `e^x`, within 2 ulp; 0 below -87. Range reduction by powers of two, polynomial of degree 6.
/// Source: the scheme of Cephes `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to an integer, which is then in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // `max` and `min` of the standard library treat NaN specially and do not vectorise well.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    for c in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        0.166_666_65,
        0.5,
    ] {
        p = p * r + c;
    }
    let y = p * r * r + r + 1.0;
    // `n` is within ±128, so the shifted exponent is a small positive number.
    y * f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits() - 127) << 23)
}

#[inline(always)]
fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let mean = dot(x, x) / x.len() as f32;
    let inverse = 1.0 / (mean + eps).sqrt();
    for ((o, x), w) in out.iter_mut().zip(x).zip(weight) {
        *o = x * inverse * w;
    }
}

#[inline(always)]
fn gelu_tanh_mul(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        let x = *g;
        let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
        let tanh = 1.0 - 2.0 / (exp(2.0 * inner) + 1.0);
        *g = 0.5 * x * (1.0 + tanh) * u;
    }
}

#[inline(always)]
fn silu_mul(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = *g / (1.0 + exp(-*g)) * u;
    }
}

/// Index of the first value that is `wanted`.
#[inline(always)]
fn first_equal(x: &[f32], wanted: f32) -> Option<usize> {
    let chunk = x.chunks(LANES).position(|chunk| {
        let mut hit = false;
        for v in chunk {
            hit |= *v == wanted;
        }
        hit
    })?;
    let at = x[chunk * LANES..].iter().position(|v| *v == wanted)?;
    Some(chunk * LANES + at)
}

#[inline(always)]
fn argmax_log_sum_exp(x: &[f32]) -> (usize, f32) {
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks.clone() {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] {
                chunk[i]
            } else {
                lanes[i]
            };
        }
    }
    let max = lanes
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    let best = first_equal(x, max).unwrap_or(0);
    let mut sums = [0f32; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            sums[i] += exp(chunk[i] - max);
        }
    }
    for (sum, v) in sums.iter_mut().zip(rest) {
        *sum += exp(*v - max);
    }
    (best, max + sum_lanes(sums).ln())
}
