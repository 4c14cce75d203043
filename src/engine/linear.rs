//! A linear layer in the arithmetic that the user chose.

use crate::kernel::{Kernels, PackedF32, PackedInt8, QuantizedRows};

/// Arithmetic of matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Compute {
    /// Int8 weights and activations, 32-bit sums, f32 scales.
    #[default]
    Int8,
    /// Float weights and activations: slow, for parity with reference implementations.
    Float32,
}

/// Weights `[n, k]` of a linear layer without bias.
#[derive(Debug)]
pub enum Linear {
    /// Packed int8.
    Int8(PackedInt8),
    /// Packed floats.
    Float32(PackedF32),
}

impl Linear {
    /// `out = x W^T`; x `[rows, k]`, out `[rows, n]`. `scratch` holds quantised activations.
    pub fn forward(
        &self,
        kernels: Kernels,
        x: &[f32],
        scratch: &mut QuantizedRows,
        out: &mut Vec<f32>,
    ) {
        self.quantize(kernels, x, scratch);
        self.forward_quantized(kernels, x, scratch, &[], out);
    }

    /// Brings `x` into the form that the weights ask for.
    pub fn quantize(&self, kernels: Kernels, x: &[f32], quantized: &mut QuantizedRows) {
        if let Self::Int8(w) = self {
            kernels.quantize(x, w.columns(), w.block(), quantized);
        }
    }

    /// `out = x W^T + bias`, without a bias where it is empty; `quantized` already holds `x` in the
    /// form of this layer.
    pub fn forward_quantized(
        &self,
        kernels: Kernels,
        x: &[f32],
        quantized: &QuantizedRows,
        bias: &[f32],
        out: &mut Vec<f32>,
    ) {
        let (n, k) = match self {
            Self::Int8(w) => (w.rows(), w.columns()),
            Self::Float32(w) => (w.rows(), w.columns()),
        };
        out.resize(x.len() / k * n, 0.0);
        match self {
            Self::Int8(w) => kernels.matmul_int8(quantized, w, bias, out),
            Self::Float32(w) => {
                kernels.matmul_f32(x, w, out);
                if !bias.is_empty() {
                    for row in out.chunks_exact_mut(bias.len()) {
                        kernels.add(row, bias);
                    }
                }
            }
        }
    }

    /// Int8 multiply-adds for one row of [`Linear::forward`]; none where weights are floats.
    #[must_use]
    pub fn int8_macs(&self) -> u64 {
        match self {
            Self::Int8(w) => (w.rows() * w.columns()) as u64,
            Self::Float32(_) => 0,
        }
    }

    /// Row `row` of the weights, for embedding lookup.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        match self {
            Self::Int8(w) => w.dequantize_row(row, out),
            Self::Float32(w) => w.row(row, out),
        }
    }
}
