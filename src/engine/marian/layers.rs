//! Layers of floats around the affine ones: normalisation, attention, feed-forward, SSRU.

use crate::formats::marian_bin::MarianFile;

use super::ModelError;
use super::config::Activation;
use super::int8::Linear;

/// Layer normalisation over rows.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl Norm {
    pub(super) fn new(
        model: &MarianFile<'_>,
        prefix: &str,
        dim: usize,
    ) -> Result<Self, ModelError> {
        let read = |name: String| -> Result<Vec<f32>, ModelError> {
            let values = model.require(&name)?.floats()?;
            if values.len() == dim {
                Ok(values)
            } else {
                Err(ModelError::Shape(name))
            }
        };
        Ok(Self {
            scale: read(format!("{prefix}_ln_scale"))?,
            bias: read(format!("{prefix}_ln_bias"))?,
        })
    }

    /// Adds `residual` to `rows` and normalises the sums.
    pub(super) fn add(&self, rows: &mut [f32], residual: &[f32]) {
        const EPSILON: f32 = 1e-6;
        let dim = self.scale.len();
        for (row, residual) in rows.chunks_exact_mut(dim).zip(residual.chunks_exact(dim)) {
            for (x, r) in row.iter_mut().zip(residual) {
                *x += r;
            }
            let mean = sum(row, |x| x) / dim as f32;
            let variance = sum(row, |x| (x - mean) * (x - mean)) / dim as f32;
            let sigma = (variance + EPSILON).sqrt();
            for ((x, scale), bias) in row.iter_mut().zip(&self.scale).zip(&self.bias) {
                *x = scale * ((*x - mean) / sigma) + bias;
            }
        }
    }
}

/// A sum over eight lanes, in one order on every CPU.
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 8];
    for chunk in row.chunks(8) {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    lanes.iter().sum()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

/// Multi-head attention with its residual and normalisation.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm: Norm,
}

/// Keys and values of all positions of a batch, row by row.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Attention {
    pub(super) fn new(
        model: &MarianFile<'_>,
        prefix: &str,
        dim: usize,
        heads: usize,
    ) -> Result<Self, ModelError> {
        let linear = |letter: &str| {
            let (name, bias) = (format!("{prefix}_W{letter}"), format!("{prefix}_b{letter}"));
            Linear::new(model, &name, Some(&bias), [Some(dim); 2])
        };
        Ok(Self {
            heads,
            query: linear("q")?,
            key: linear("k")?,
            value: linear("v")?,
            output: linear("o")?,
            norm: Norm::new(model, &format!("{prefix}_Wo"), dim)?,
        })
    }

    pub(super) fn memory(&self, rows: &[f32]) -> Memory {
        Memory {
            keys: self.key.apply(rows),
            values: self.value.apply(rows),
        }
    }

    /// Row `i` of `rows` attends to the positions `spans[i]` of `memory`.
    pub(super) fn apply(&self, rows: &mut Vec<f32>, memory: &Memory, spans: &[[usize; 2]]) {
        let queries = self.query.apply(rows);
        let dim = self.query.outputs();
        let width = dim / self.heads;
        let scale = 1.0 / (width as f32).sqrt();
        let mut mixed = vec![0.0; rows.len()];
        let mut weights = Vec::new();
        for (row, &[start, end]) in spans.iter().enumerate() {
            for head in 0..self.heads {
                let at = head * width;
                let query = &queries[row * dim + at..][..width];
                weights.clear();
                weights.extend((start..end).map(|position| {
                    dot(query, &memory.keys[position * dim + at..][..width]) * scale
                }));
                softmax(&mut weights);
                let out = &mut mixed[row * dim + at..][..width];
                for (position, &weight) in (start..end).zip(&weights) {
                    let values = &memory.values[position * dim + at..][..width];
                    for (x, value) in out.iter_mut().zip(values) {
                        *x += weight * value;
                    }
                }
            }
        }
        let mut out = self.output.apply(&mixed);
        self.norm.add(&mut out, rows);
        *rows = out;
    }
}

fn softmax(values: &mut [f32]) {
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for value in values.iter_mut() {
        *value = (*value - max).exp();
    }
    let total: f32 = values.iter().sum();
    for value in values {
        *value /= total;
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Feed-forward block with its residual and normalisation.
#[derive(Clone, Debug)]
pub(super) struct FeedForward {
    layers: Vec<Linear>,
    activation: Activation,
    norm: Norm,
}

impl FeedForward {
    pub(super) fn new(
        model: &MarianFile<'_>,
        prefix: &str,
        dim: usize,
        depth: usize,
        activation: Activation,
    ) -> Result<Self, ModelError> {
        let mut layers: Vec<Linear> = Vec::new();
        for number in 1..=depth {
            let (name, bias) = (format!("{prefix}_W{number}"), format!("{prefix}_b{number}"));
            let width = layers.last().map_or(dim, Linear::outputs);
            let outputs = (number == depth).then_some(dim);
            layers.push(Linear::new(
                model,
                &name,
                Some(&bias),
                [Some(width), outputs],
            )?);
        }
        Ok(Self {
            layers,
            activation,
            norm: Norm::new(model, &format!("{prefix}_ffn"), dim)?,
        })
    }

    pub(super) fn apply(&self, rows: &mut Vec<f32>) {
        let mut out = Vec::new();
        for (number, layer) in self.layers.iter().enumerate() {
            if number > 0 {
                match self.activation {
                    Activation::Relu => out.iter_mut().for_each(|x: &mut f32| *x = x.max(0.0)),
                    Activation::Swish => out.iter_mut().for_each(|x| *x *= sigmoid(*x)),
                }
            }
            out = layer.apply(if number == 0 { rows } else { &out });
        }
        self.norm.add(&mut out, rows);
        *rows = out;
    }
}

/// The simpler simple recurrent unit that stands for self-attention in the decoder.
#[derive(Clone, Debug)]
pub(super) struct Ssru {
    input: Linear,
    forget: Linear,
    norm: Norm,
}

impl Ssru {
    pub(super) fn new(
        model: &MarianFile<'_>,
        prefix: &str,
        dim: usize,
    ) -> Result<Self, ModelError> {
        let shape = [Some(dim); 2];
        Ok(Self {
            input: Linear::new(model, &format!("{prefix}_W"), None, shape)?,
            forget: Linear::new(
                model,
                &format!("{prefix}_Wf"),
                Some(&format!("{prefix}_bf")),
                shape,
            )?,
            norm: Norm::new(model, &format!("{prefix}_ffn"), dim)?,
        })
    }

    /// One step of all rows; `state` has a cell for each value of `rows`.
    pub(super) fn apply(&self, rows: &mut Vec<f32>, state: &mut [f32]) {
        let mut out = self.input.apply(rows);
        let forget = self.forget.apply(rows);
        for ((x, cell), gate) in out.iter_mut().zip(state).zip(forget) {
            let gate = sigmoid(gate);
            *cell = *cell * gate + *x * (1.0 - gate);
            *x = cell.max(0.0);
        }
        self.norm.add(&mut out, rows);
        *rows = out;
    }
}
