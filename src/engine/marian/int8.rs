//! Affine layers over 8-bit weights and activations shifted into unsigned bytes.
//!
//! Marian scales an activation, rounds it, clamps it to ±127 and shifts it by 127; the shift's
//! share of the product is taken off through the bias. The float operations come in its order;
//! the integer sums are exact, so the kernels may form them from signed activations.

use crate::formats::marian_bin::{MarianFile, Tensor};
use crate::kernel::{Epilogue, Kernels, PackedInt8, QuantizedRows};

use super::ModelError;

/// What is added to a quantised activation to make it unsigned.
const SHIFT: i32 = 127;

/// Weights of one row an output, with the multiplier that quantised them.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    packed: PackedInt8,
    multiplier: f32,
}

impl Weights {
    /// Weights of a tensor whose outputs are its columns (`W`) or, for tables, its rows.
    pub(super) fn new(tensor: &Tensor<'_>, table: bool) -> Result<Self, ModelError> {
        let &[rows, columns] = tensor.shape.as_slice() else {
            return Err(ModelError::Shape(tensor.name.to_owned()));
        };
        let (width, outputs) = if table {
            (columns, rows)
        } else {
            (rows, columns)
        };
        if width == 0 || !width.is_multiple_of(4) {
            return Err(ModelError::Shape(tensor.name.to_owned()));
        }
        let (data, multiplier) = tensor.quantised()?;
        let scales = vec![1.0 / multiplier; outputs];
        Ok(Self {
            packed: PackedInt8::new(&data, &scales, outputs, width, width),
            multiplier,
        })
    }

    pub(super) fn width(&self) -> usize {
        self.packed.columns()
    }

    pub(super) fn outputs(&self) -> usize {
        self.packed.rows()
    }

    /// The float values of one row, times `scale`.
    pub(super) fn dequantise(&self, row: usize, scale: f32, out: &mut [f32]) {
        self.packed.dequantize_row(row, out);
        for value in out {
            *value *= scale;
        }
    }
}

/// The scale of a layer's input: stored in the model, or that of each row's largest value.
#[derive(Clone, Copy, Debug)]
enum InputScale {
    Stored(f32),
    Largest,
}

/// What turns sums of products into outputs: bias, and scale of the input.
#[derive(Clone, Debug)]
pub(super) struct Scales {
    input: InputScale,
    multiplier: f32,
    /// Sums of each output's weights.
    sums: Vec<i32>,
    /// What the shift of activations adds to each output's integer sum.
    shift: Vec<i32>,
    /// The bias, with the shift's share taken off where the input scale is stored.
    bias: Vec<f32>,
}

impl Scales {
    /// Reads the bias called `bias` and the input scale called `alpha`, where there are any.
    pub(super) fn new(
        model: &MarianFile<'_>,
        weights: &Weights,
        bias: Option<&str>,
        alphas: &[&str],
    ) -> Result<Self, ModelError> {
        let mut values = vec![0.0; weights.outputs()];
        if let Some(name) = bias {
            values = model.require(name)?.floats()?;
            if values.len() != weights.outputs() {
                return Err(ModelError::Shape(name.to_owned()));
            }
        }
        let stored = alphas
            .iter()
            .filter_map(|name| model.get(name)?.floats().ok()?.first().copied())
            .find(|alpha| alpha.is_finite() && *alpha > 0.0);
        let sums = weights.packed.row_sums();
        let mut scales = Self {
            input: stored.map_or(InputScale::Largest, InputScale::Stored),
            multiplier: weights.multiplier,
            shift: sums.iter().map(|sum| sum * SHIFT).collect(),
            sums,
            bias: values,
        };
        if let InputScale::Stored(alpha) = scales.input {
            scales.bias = scales.shifted_bias(alpha);
        }
        Ok(scales)
    }

    /// The bias with the shift's share taken off.
    fn shifted_bias(&self, alpha: f32) -> Vec<f32> {
        let shift = SHIFT as f32;
        let unshift = -((shift / alpha) * (shift / self.multiplier)) / shift;
        self.bias
            .iter()
            .zip(&self.sums)
            .map(|(bias, &sum)| sum as f32 * unshift + bias)
            .collect()
    }

    /// The same for some outputs only, whose packed weights are put into `packed`.
    pub(super) fn select(&self, weights: &Weights, outputs: &[u32]) -> Linear {
        let mut packed = PackedInt8::default();
        weights.packed.select(outputs, &mut packed);
        let pick = |values: &[i32]| outputs.iter().map(|&o| values[o as usize]).collect();
        Linear {
            weights: Weights {
                packed,
                multiplier: weights.multiplier,
            },
            scales: Self {
                input: self.input,
                multiplier: self.multiplier,
                sums: pick(&self.sums),
                shift: pick(&self.shift),
                bias: outputs.iter().map(|&o| self.bias[o as usize]).collect(),
            },
        }
    }
}

/// An affine layer.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    weights: Weights,
    scales: Scales,
}

impl Linear {
    /// Reads the layer whose weights are called `name`.
    pub(super) fn new(
        model: &MarianFile<'_>,
        name: &str,
        bias: Option<&str>,
        [width, outputs]: [Option<usize>; 2],
    ) -> Result<Self, ModelError> {
        let weights = Weights::new(model.require(name)?, false)?;
        let fits = |wanted: Option<usize>, found| wanted.is_none_or(|wanted| wanted == found);
        if !fits(width, weights.width()) || !fits(outputs, weights.outputs()) {
            return Err(ModelError::Shape(name.to_owned()));
        }
        let scales = Scales::new(model, &weights, bias, &[&format!("{name}_QuantMultA")])?;
        Ok(Self { weights, scales })
    }

    pub(super) fn outputs(&self) -> usize {
        self.weights.outputs()
    }

    /// Multiply-adds for one row.
    pub(super) fn macs(&self) -> usize {
        self.weights.outputs() * self.weights.width()
    }

    /// Applies the layer to each row of `input`; `quantised` is scratch.
    pub(super) fn apply(
        &self,
        kernels: Kernels,
        input: &[f32],
        quantised: &mut QuantizedRows,
        out: &mut Vec<f32>,
    ) {
        let (width, outputs) = (self.weights.width(), self.outputs());
        out.resize(input.len() / width * outputs, 0.0);
        match self.scales.input {
            InputScale::Stored(alpha) => {
                kernels.quantize_scaled(input, width, alpha, quantised);
                self.product(kernels, quantised, alpha, &self.scales.bias, out);
            }
            InputScale::Largest => {
                let rows = input.chunks_exact(width);
                for (row, out) in rows.zip(out.chunks_exact_mut(outputs)) {
                    let largest = row.iter().fold(0.0f32, |max, x| max.max(x.abs()));
                    let alpha = if largest > 0.0 {
                        SHIFT as f32 / largest
                    } else {
                        1.0
                    };
                    kernels.quantize_scaled(row, width, alpha, quantised);
                    let bias = self.scales.shifted_bias(alpha);
                    self.product(kernels, quantised, alpha, &bias, out);
                }
            }
        }
    }

    /// As [`Linear::apply`], right after `before` was applied to the same input: where both
    /// quantise alike, what is in `quantised` is used again.
    pub(super) fn apply_after(
        &self,
        before: &Self,
        kernels: Kernels,
        input: &[f32],
        quantised: &mut QuantizedRows,
        out: &mut Vec<f32>,
    ) {
        match (self.scales.input, before.scales.input) {
            (InputScale::Stored(alpha), InputScale::Stored(same)) if alpha == same => {
                out.resize(input.len() / self.weights.width() * self.outputs(), 0.0);
                self.product(kernels, quantised, alpha, &self.scales.bias, out);
            }
            _ => self.apply(kernels, input, quantised, out),
        }
    }

    fn product(
        &self,
        kernels: Kernels,
        quantised: &QuantizedRows,
        alpha: f32,
        bias: &[f32],
        out: &mut [f32],
    ) {
        let end = Epilogue {
            shift: &self.scales.shift,
            unit: 1.0 / (alpha * self.scales.multiplier),
            bias,
        };
        kernels.affine_int8(quantised, &self.weights.packed, end, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_values_through_the_shift() {
        let weights = Weights {
            packed: PackedInt8::new(&[64, -32, 0, 0], &[1.0 / 64.0], 1, 4, 4),
            multiplier: 64.0,
        };
        let scales = Scales {
            input: InputScale::Largest,
            multiplier: 64.0,
            sums: vec![32],
            shift: vec![32 * SHIFT],
            bias: vec![0.25],
        };
        let linear = Linear { weights, scales };
        let input = [1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let (mut quantised, mut out) = (QuantizedRows::default(), Vec::new());
        linear.apply(Kernels::detect(), &input, &mut quantised, &mut out);
        assert!(
            (out[0] - 1.0).abs() < 0.01 && (out[1] - 0.25).abs() < 1e-6,
            "{out:?}"
        );
    }
}
