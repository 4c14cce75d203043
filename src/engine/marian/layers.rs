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
            let share = 1.0 / dim as f32;
            let mean = sum(row, |x| x) * share;
            let variance = sum(row, |x| (x - mean) * (x - mean)) * share;
            let rate = 1.0 / (variance + EPSILON).sqrt();
            for ((x, scale), bias) in row.iter_mut().zip(&self.scale).zip(&self.bias) {
                *x = (scale * rate) * (*x - mean) + bias;
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
    fold(lanes)
}

/// Halves the lanes until one is left.
fn fold(l: [f32; 8]) -> f32 {
    ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    fold(lanes)
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

    /// Keys, already divided by the root of their width, and values of `rows`.
    pub(super) fn memory(&self, rows: &[f32]) -> Memory {
        let scale = 1.0 / ((self.key.outputs() / self.heads) as f32).sqrt();
        let mut keys = self.key.apply(rows);
        keys.iter_mut().for_each(|key| *key *= scale);
        Memory {
            keys,
            values: self.value.apply(rows),
        }
    }

    /// Row `i` of `rows` attends to the positions `spans[i]` of `memory`.
    pub(super) fn apply(&self, rows: &mut Vec<f32>, memory: &Memory, spans: &[[usize; 2]]) {
        let queries = self.query.apply(rows);
        let dim = self.query.outputs();
        let width = dim / self.heads;
        let mut mixed = vec![0.0; rows.len()];
        let mut weights = Vec::new();
        for (row, &[start, end]) in spans.iter().enumerate() {
            for head in 0..self.heads {
                let at = head * width;
                let query = &queries[row * dim + at..][..width];
                weights.clear();
                weights.extend(
                    (start..end)
                        .map(|position| dot(query, &memory.keys[position * dim + at..][..width])),
                );
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

/// Marian's softmax: its exponential where it computes lanes of four or eight, libm's elsewhere.
fn softmax(values: &mut [f32]) {
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let lanes = match values.len() {
        n if n.is_multiple_of(8) => 8,
        n if n.is_multiple_of(4) => 4,
        _ => 1,
    };
    let mut sums = [0.0f32; 8];
    for chunk in values.chunks_exact_mut(lanes) {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *value = if lanes == 1 {
                (*value - max).exp()
            } else {
                exp(*value - max)
            };
            *sum += *value;
        }
    }
    let total: f32 = sums[..lanes].iter().sum();
    for value in values {
        *value /= total;
    }
}

/// The exponential as Cephes approximates it: the same bits on every CPU, in plain operations.
fn exp(x: f32) -> f32 {
    const BOUND: f32 = 88.376_26;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const TERMS: [f32; 6] = [
        1.987_569_1e-4,
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    let x = x.clamp(-BOUND, BOUND);
    let power = (x * std::f32::consts::LOG2_E + 0.5).floor();
    let rest = x - power * LN2_HIGH - power * LN2_LOW;
    let series = TERMS
        .iter()
        .skip(1)
        .fold(TERMS[0], |sum, term| sum * rest + term);
    let value = series * (rest * rest) + rest + 1.0;
    // `power` is within ±128, so the shifted exponent is a small positive number.
    value * f32::from_bits(((power as i32 + 127) as u32) << 23)
}

fn sigmoid(x: f32) -> f32 {
    let e = exp(x);
    e / (1.0 + e)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_exponential_close_everywhere() {
        for step in -8000..=8000 {
            let x = step as f32 * 0.01;
            let (got, wanted) = (exp(x), x.exp());
            assert!((got - wanted).abs() <= wanted * 3e-7, "{x}: {got} {wanted}");
        }
        assert!(exp(f32::MAX).is_finite() && exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn keeps_a_distribution_for_any_number_of_positions() {
        for count in 1..20 {
            let mut values: Vec<f32> = (0..count).map(|i| i as f32 * 7.0 - 50.0).collect();
            softmax(&mut values);
            assert!((values.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{count}");
        }
    }
}
