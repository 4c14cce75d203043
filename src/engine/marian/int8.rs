//! Affine layers over 8-bit weights and activations shifted into unsigned bytes.
//!
//! An activation is scaled, rounded, clamped to ±127 and shifted by 127; the shift's share of the
//! product is taken off through the bias. The float operations come in Marian's order.

use crate::formats::marian_bin::{MarianFile, Tensor};

use super::ModelError;

/// What is added to a quantised activation to make it unsigned.
const SHIFT: f32 = 127.0;

/// Weights of one row an output, with the multiplier that quantised them.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    pub(super) width: usize,
    pub(super) outputs: usize,
    data: Vec<i8>,
    multiplier: f32,
    sums: Vec<i32>,
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
        if width == 0 {
            return Err(ModelError::Shape(tensor.name.to_owned()));
        }
        let (data, multiplier) = tensor.quantised()?;
        let sums = data
            .chunks_exact(width)
            .map(|r| r.iter().map(|&w| i32::from(w)).sum())
            .collect();
        Ok(Self {
            width,
            outputs,
            data,
            multiplier,
            sums,
        })
    }

    fn row(&self, output: usize) -> &[i8] {
        &self.data[output * self.width..][..self.width]
    }

    /// The float values of one row, times `scale`.
    pub(super) fn dequantise(&self, row: usize, scale: f32, out: &mut [f32]) {
        let unit = 1.0 / self.multiplier;
        for (value, &weight) in out.iter_mut().zip(self.row(row)) {
            *value = f32::from(weight) * unit * scale;
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
        let mut values = vec![0.0; weights.outputs];
        if let Some(name) = bias {
            values = model.require(name)?.floats()?;
            if values.len() != weights.outputs {
                return Err(ModelError::Shape(name.to_owned()));
            }
        }
        let stored = alphas
            .iter()
            .filter_map(|name| model.get(name)?.floats().ok()?.first().copied())
            .find(|alpha| alpha.is_finite() && *alpha > 0.0);
        let input = match stored {
            Some(alpha) => {
                let unshift = unshift(alpha, weights.multiplier);
                for (value, &sum) in values.iter_mut().zip(&weights.sums) {
                    *value += sum as f32 * unshift;
                }
                InputScale::Stored(alpha)
            }
            None => InputScale::Largest,
        };
        Ok(Self {
            input,
            bias: values,
        })
    }

    fn of_row(&self, row: &[f32]) -> f32 {
        match self.input {
            InputScale::Stored(alpha) => alpha,
            InputScale::Largest => {
                let largest = row.iter().fold(0.0f32, |max, x| max.max(x.abs()));
                if largest > 0.0 { SHIFT / largest } else { 1.0 }
            }
        }
    }

    /// The bias of one output with the shift's share taken off.
    fn bias(&self, weights: &Weights, output: usize, alpha: f32) -> f32 {
        match self.input {
            InputScale::Stored(_) => self.bias[output],
            InputScale::Largest => {
                self.bias[output] + weights.sums[output] as f32 * unshift(alpha, weights.multiplier)
            }
        }
    }
}

fn unshift(alpha: f32, multiplier: f32) -> f32 {
    -((SHIFT / alpha) * (SHIFT / multiplier)) / SHIFT
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
        if !fits(width, weights.width) || !fits(outputs, weights.outputs) {
            return Err(ModelError::Shape(name.to_owned()));
        }
        let scales = Scales::new(model, &weights, bias, &[&format!("{name}_QuantMultA")])?;
        Ok(Self { weights, scales })
    }

    pub(super) fn outputs(&self) -> usize {
        self.weights.outputs
    }

    /// Applies the layer to each row of `input`.
    pub(super) fn apply(&self, input: &[f32]) -> Vec<f32> {
        let (width, outputs) = (self.weights.width, self.weights.outputs);
        let rows = input.len() / width;
        let mut out = vec![0.0; rows * outputs];
        let mut bytes = vec![0u8; rows * width];
        let mut alphas = Vec::with_capacity(rows);
        for (row, bytes) in input.chunks_exact(width).zip(bytes.chunks_exact_mut(width)) {
            let alpha = self.scales.of_row(row);
            quantise(row, alpha, bytes);
            alphas.push(alpha);
        }
        for output in 0..outputs {
            let weights = self.weights.row(output);
            for (row, (bytes, &alpha)) in bytes.chunks_exact(width).zip(&alphas).enumerate() {
                let sum = dot(bytes, weights) as f32;
                out[row * outputs + output] = sum * (1.0 / (alpha * self.weights.multiplier))
                    + self.scales.bias(&self.weights, output, alpha);
            }
        }
        out
    }
}

/// Applies a table as an output layer to one row, for some outputs only.
pub(super) fn select(
    weights: &Weights,
    scales: &Scales,
    row: &[f32],
    outputs: &[u32],
    out: &mut Vec<f32>,
) {
    let alpha = scales.of_row(row);
    let mut bytes = vec![0u8; row.len()];
    quantise(row, alpha, &mut bytes);
    let unit = 1.0 / (alpha * weights.multiplier);
    out.clear();
    out.extend(outputs.iter().map(|&output| {
        let output = output as usize;
        let sum = dot(&bytes, weights.row(output)) as f32;
        sum * unit + scales.bias(weights, output, alpha)
    }));
}

/// Scales, rounds half to even, clamps and shifts.
fn quantise(row: &[f32], alpha: f32, out: &mut [u8]) {
    /// Adding and taking off this number rounds small floats to integers.
    const ROUND: f32 = 12_582_912.0;
    for (byte, &x) in out.iter_mut().zip(row) {
        let clamped = (x * alpha).clamp(-SHIFT, SHIFT);
        *byte = (clamped + ROUND - ROUND + SHIFT) as u8;
    }
}

/// The exact sum of products.
fn dot(a: &[u8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| i32::from(a) * i32::from(b))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_nearest_step_of_every_activation() {
        let mut out = [0; 6];
        quantise(&[0.0, 0.5, 1.5, -0.5, 200.0, -200.0], 1.0, &mut out);
        assert_eq!(out, [127, 127, 129, 127, 254, 0]);
    }

    #[test]
    fn keeps_values_through_the_shift() {
        let weights = Weights {
            width: 2,
            outputs: 1,
            data: vec![64, -32],
            multiplier: 64.0,
            sums: vec![32],
        };
        let linear = Linear {
            weights,
            scales: Scales {
                input: InputScale::Largest,
                bias: vec![0.25],
            },
        };
        let out = linear.apply(&[1.0, 0.5, 0.0, 0.0]);
        assert!(
            (out[0] - 1.0).abs() < 0.01 && (out[1] - 0.25).abs() < 1e-6,
            "{out:?}"
        );
    }
}
