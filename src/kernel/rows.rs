//! Row functions of encoder-decoder models: layer norms, activations, attention with a bias.

use super::math::{exp, sum_lanes};
use super::{Kernels, LANES, multiversion};

/// A non-linear function between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + e^-x)`.
    Silu,
    /// GELU by the error function. Source: Hendrycks & Gimpel 2016.
    Gelu,
    /// GELU by the hyperbolic tangent.
    GeluTanh,
}

impl Kernels {
    /// `out = (x - mean) / sqrt(variance + eps) * weight + bias`. Source: Ba et al. 2016.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn layer_norm(self, x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
        assert!(x.len() == weight.len() && x.len() == bias.len() && x.len() == out.len());
        multiversion!(self.isa(), layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]));
    }

    /// `x = f(x)`.
    pub fn activate(self, activation: Activation, x: &mut [f32]) {
        multiversion!(self.isa(), activate(activation: Activation, x: &mut [f32]));
    }

    /// `a *= b`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn multiply(self, a: &mut [f32], b: &[f32]) {
        assert_eq!(a.len(), b.len());
        multiversion!(self.isa(), multiply(a: &mut [f32], b: &[f32]));
    }
}

#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    for chunk in x.chunks(LANES) {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += f(*v);
        }
    }
    sum_lanes(lanes)
}

#[inline(always)]
fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let count = x.len() as f32;
    let mean = sum(x, |v| v) / count;
    let variance = sum(x, |v| (v - mean) * (v - mean)) / count;
    let inverse = 1.0 / (variance + eps).sqrt();
    let parameters = weight.iter().zip(bias);
    for ((o, x), (w, b)) in out.iter_mut().zip(x).zip(parameters) {
        *o = (x - mean) * inverse * w + b;
    }
}

#[inline(always)]
fn multiply(a: &mut [f32], b: &[f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a *= b;
    }
}

#[inline(always)]
fn activate(activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Relu => x
            .iter_mut()
            .for_each(|v| *v = if *v > 0.0 { *v } else { 0.0 }),
        Activation::Silu => x.iter_mut().for_each(|v| *v /= 1.0 + exp(-*v)),
        Activation::Gelu => x
            .iter_mut()
            .for_each(|v| *v = 0.5 * *v * (1.0 + erf(*v * std::f32::consts::FRAC_1_SQRT_2))),
        Activation::GeluTanh => x.iter_mut().for_each(|v| {
            let inner = 0.797_884_6 * (*v + 0.044_715 * *v * *v * *v);
            let tanh = 1.0 - 2.0 / (exp(2.0 * inner) + 1.0);
            *v = 0.5 * *v * (1.0 + tanh);
        }),
    }
}

/// The error function, within 2e-7. Source: the polynomials of Cephes `erff` and `erfcf`.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let mut small = 7.853_861_4e-5;
    for c in [
        -8.010_194e-4,
        5.188_327_6e-3,
        -2.685_381_3e-2,
        0.112_835_85,
        -0.376_126_26,
        std::f32::consts::FRAC_2_SQRT_PI,
    ] {
        small = small * z + c;
    }
    let q = 1.0 / if a > 1.0 { a } else { 1.0 };
    let y = q * q;
    let mut near = 2.326_82e-2;
    for c in [
        -0.138_703_94,
        0.368_742_47,
        -0.582_473_3,
        0.621_000_47,
        -0.494_451_53,
        0.340_488,
        -0.274_112_7,
        0.563_825_96,
    ] {
        near = near * y + c;
    }
    let mut far = -10.477_664;
    for c in [
        12.977_2,
        -7.495_519,
        2.921_019,
        -1.015_265_3,
        0.421_846_35,
        -0.282_076_74,
        0.564_189_5,
    ] {
        far = far * y + c;
    }
    let large = 1.0 - exp(-z) * q * if a < 2.0 { near } else { far };
    let large = if x < 0.0 { -large } else { large };
    if a > 1.0 { large } else { x * small }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_what_they_are_called() {
        for (x, wanted) in [
            (0.0f32, 0.0f32),
            (0.5, 0.520_499_9),
            (-1.5, -0.966_105_16),
            (1.999, 0.995_300_7),
            (3.0, 0.999_977_9),
            (-9.0, -1.0),
        ] {
            assert!((erf(x) - wanted).abs() < 2e-6, "{x}: {} {wanted}", erf(x));
        }
        let apply = |activation, x: f32| {
            let mut row = [x; 3];
            Kernels::detect().activate(activation, &mut row);
            row[1]
        };
        assert_eq!(apply(Activation::Relu, -2.0), 0.0);
        assert!((apply(Activation::Silu, 1.0) - 0.731_058_6).abs() < 1e-6);
        assert!((apply(Activation::Gelu, 1.0) - 0.841_344_7).abs() < 1e-6);
        assert!((apply(Activation::GeluTanh, 1.0) - 0.841_192).abs() < 1e-6);
    }

    #[test]
    fn norms_have_the_given_mean_and_width() {
        let x: Vec<f32> = (0..37u8).map(f32::from).collect();
        let mut out = vec![0.0; 37];
        Kernels::detect().layer_norm(&x, &[2.0; 37], &[1.0; 37], 1e-5, &mut out);
        let mean = out.iter().sum::<f32>() / 37.0;
        let variance = out.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / 37.0;
        assert!((mean - 1.0).abs() < 1e-5 && (variance - 4.0).abs() < 1e-4);
        let mut portable = vec![0.0; 37];
        Kernels::portable().layer_norm(&x, &[2.0; 37], &[1.0; 37], 1e-5, &mut portable);
        assert_eq!(out, portable);
    }
}
