//! The layers around attention: normalisation, feed-forward, the recurrent unit.

use crate::formats::marian_bin::MarianFile;
use crate::kernel::{Kernels, QuantizedRows};

use super::ModelError;
use super::config::Activation;
use super::int8::Linear;

/// Buffers that layers write over, one set for each worker.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) kernels: Kernels,
    pub(super) quantised: QuantizedRows,
    pub(super) hidden: Vec<f32>,
    pub(super) mixed: Vec<f32>,
    pub(super) scores: Vec<f32>,
}

impl Scratch {
    pub(super) fn new(kernels: Kernels) -> Self {
        Self {
            kernels,
            quantised: QuantizedRows::default(),
            hidden: Vec::new(),
            mixed: Vec::new(),
            scores: Vec::new(),
        }
    }
}

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
    pub(super) fn add(&self, kernels: Kernels, rows: &mut [f32], residual: &[f32]) {
        kernels.add_norm(rows, residual, &self.scale, &self.bias);
    }
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

    /// Multiply-adds for one row.
    pub(super) fn macs(&self) -> usize {
        self.layers.iter().map(Linear::macs).sum()
    }

    pub(super) fn apply(&self, rows: &mut Vec<f32>, work: &mut Scratch) {
        let Scratch {
            kernels,
            quantised,
            hidden,
            mixed,
            ..
        } = work;
        for (number, layer) in self.layers.iter().enumerate() {
            if number == 0 {
                layer.apply(*kernels, rows, quantised, hidden);
                continue;
            }
            match self.activation {
                Activation::Relu => kernels.relu(hidden),
                Activation::Swish => kernels.swish(hidden),
            }
            std::mem::swap(hidden, mixed);
            layer.apply(*kernels, mixed, quantised, hidden);
        }
        self.norm.add(*kernels, hidden, rows);
        std::mem::swap(rows, hidden);
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

    /// One step of all rows; `cells` has a value for each of `rows`.
    pub(super) fn apply(&self, rows: &mut Vec<f32>, cells: &mut [f32], work: &mut Scratch) {
        let Scratch {
            kernels,
            quantised,
            hidden,
            mixed,
            ..
        } = work;
        self.input.apply(*kernels, rows, quantised, hidden);
        self.forget
            .apply_after(&self.input, *kernels, rows, quantised, mixed);
        kernels.ssru(hidden, cells, mixed);
        self.norm.add(*kernels, hidden, rows);
        std::mem::swap(rows, hidden);
    }
}
