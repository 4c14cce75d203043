//! Tensors by the names that each architecture's checkpoints give them, packed for the kernels.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::config::{Architecture, Config, Positions};
use super::positions;
use crate::engine::linear::{Compute, Linear};
use crate::formats::checkpoint::{Checkpoint, CheckpointError, Dtype};
use crate::kernel::{Kernels, PackedF32, PackedInt8, QuantizedRows};

/// Floats that are read at once while a tensor is quantised.
const CHUNK: usize = 1 << 18;

/// Why weights do not load.
pub type LoadError = CheckpointError;

/// A linear layer with its bias, which may be empty.
#[derive(Debug)]
pub(super) struct Dense {
    pub(super) weights: Linear,
    pub(super) bias: Vec<f32>,
}

/// A norm; root-mean-square norms have no bias.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Attention {
    pub(super) q: Dense,
    pub(super) k: Dense,
    pub(super) v: Dense,
    pub(super) out: Dense,
    pub(super) norm: Norm,
}

#[derive(Debug)]
pub(super) struct FeedForward {
    pub(super) inner: Dense,
    pub(super) gate: Option<Dense>,
    pub(super) outer: Dense,
    pub(super) norm: Norm,
}

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) attention: Attention,
    pub(super) cross: Option<Attention>,
    pub(super) ffn: FeedForward,
}

#[derive(Debug)]
pub(super) struct Stack {
    pub(super) embedding: Arc<Linear>,
    /// `[positions, d_model]`, or empty.
    pub(super) positions: Vec<f32>,
    /// `[buckets, heads]`, or empty.
    pub(super) relative: Vec<f32>,
    pub(super) embedding_norm: Option<Norm>,
    pub(super) layers: Vec<Layer>,
    pub(super) final_norm: Option<Norm>,
}

/// A [`Stack`] without its embedding.
struct Layers {
    positions: Vec<f32>,
    relative: Vec<f32>,
    embedding_norm: Option<Norm>,
    layers: Vec<Layer>,
    final_norm: Option<Norm>,
}

impl Layers {
    fn over(self, embedding: Arc<Linear>) -> Stack {
        Stack {
            embedding,
            positions: self.positions,
            relative: self.relative,
            embedding_norm: self.embedding_norm,
            layers: self.layers,
            final_norm: self.final_norm,
        }
    }
}

/// Weights of an encoder-decoder model, shared by all threads.
#[derive(Debug)]
pub struct Model {
    pub(super) config: Config,
    pub(super) kernels: Kernels,
    pub(super) encoder: Stack,
    pub(super) decoder: Stack,
    pub(super) head: Arc<Linear>,
    /// `[target_vocab]`, or empty.
    pub(super) logits_bias: Vec<f32>,
}

impl Model {
    /// Reads and packs the weights of a checkpoint.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape or type, or unknown to the architecture.
    pub fn load(
        checkpoint: &Checkpoint,
        config: Config,
        kernels: Kernels,
        compute: Compute,
    ) -> Result<Self, LoadError> {
        let t5 = matches!(config.architecture, Architecture::T5 | Architecture::Mt5);
        let inner = checkpoint.get("model.shared.weight").is_some()
            || checkpoint.names().any(|n| n.starts_with("model."));
        let loader = Loader {
            checkpoint,
            kernels,
            compute,
            config: &config,
            prefix: if inner && !t5 { "model." } else { "" },
            used: Mutex::new(BTreeSet::new()),
        };
        // The embedding is nearly half of a small model: it loads beside the layers.
        let (embeddings, (encoder, decoder)) = rayon::join(
            || {
                let (source, target) = loader.embeddings()?;
                let head = loader.head(&target)?;
                Ok::<_, LoadError>((source, target, head))
            },
            || rayon::join(|| loader.stack("encoder"), || loader.stack("decoder")),
        );
        let logits_bias = loader.optional("final_logits_bias", config.target_vocab)?;
        let (source, target, head) = embeddings?;
        let (encoder, decoder) = (encoder?.over(source), decoder?.over(target));
        loader.nothing_left()?;
        Ok(Self {
            encoder,
            decoder,
            head,
            logits_bias,
            kernels,
            config,
        })
    }

    /// Int8 multiply-adds of the layers for a token read and for a token written.
    #[must_use]
    pub fn int8_macs(&self) -> [u64; 2] {
        let all = |parts: &[&Dense]| parts.iter().map(|d| d.weights.int8_macs()).sum::<u64>();
        let own = |layer: &Layer| {
            let (a, f) = (&layer.attention, &layer.ffn);
            all(&[&a.q, &a.k, &a.v, &a.out, &f.inner, &f.outer])
                + f.gate.iter().map(|gate| all(&[gate])).sum::<u64>()
        };
        let cross = || self.decoder.layers.iter().flat_map(|layer| &layer.cross);
        let encoder: u64 = self.encoder.layers.iter().map(own).sum();
        let decoder: u64 = self.decoder.layers.iter().map(own).sum();
        // Of attention to the source, keys and values are made once for a token read.
        let memory: u64 = cross().map(|c| all(&[&c.k, &c.v])).sum();
        let queries: u64 = cross().map(|c| all(&[&c.q, &c.out])).sum();
        [encoder + memory, decoder + queries + self.head.int8_macs()]
    }

    /// The shape.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}

pub(super) struct Loader<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) kernels: Kernels,
    pub(super) compute: Compute,
    pub(super) config: &'a Config,
    pub(super) prefix: &'static str,
    pub(super) used: Mutex<BTreeSet<String>>,
}

impl Loader<'_> {
    pub(super) fn used(&self, name: &str) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(name.to_owned());
    }

    /// Marks a tensor as known and checks its shape.
    fn expect(&self, name: &str, wanted: &[usize]) -> Result<(), LoadError> {
        let missing = || CheckpointError::Missing(name.to_owned());
        let info = self.checkpoint.get(name).ok_or_else(missing)?;
        // `final_logits_bias` is a row.
        let found = match (&info.shape[..], wanted.len()) {
            ([1, rest @ ..], n) if rest.len() == n && n > 0 => rest,
            (shape, _) => shape,
        };
        if found != wanted {
            return Err(CheckpointError::Shape {
                name: name.to_owned(),
                found: info.shape.clone(),
                wanted: wanted.to_vec(),
            });
        }
        self.used(name);
        Ok(())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.checkpoint.get(name).is_some()
    }

    fn floats(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, LoadError> {
        let mut out = Vec::new();
        self.checkpoint.read_rows(name, rows, &mut out)?;
        Ok(out)
    }

    pub(super) fn vector(&self, name: &str, size: usize) -> Result<Vec<f32>, LoadError> {
        self.expect(name, &[size])?;
        let rows = self
            .checkpoint
            .get(name)
            .and_then(|i| i.shape.first().copied());
        self.floats(name, 0..rows.unwrap_or(size))
    }

    pub(super) fn optional(&self, name: &str, size: usize) -> Result<Vec<f32>, LoadError> {
        if self.has(name) {
            self.vector(name, size)
        } else {
            Ok(Vec::new())
        }
    }

    pub(super) fn table(&self, name: &str, n: usize, k: usize) -> Result<Vec<f32>, LoadError> {
        self.expect(name, &[n, k])?;
        self.floats(name, 0..n)
    }

    /// Weights `[n, k]`, quantised by rows in int8; never more than a chunk of floats at a time.
    pub(super) fn linear(&self, name: &str, n: usize, k: usize) -> Result<Linear, LoadError> {
        self.rows(name, 0..n, n, k)
    }

    /// Rows of weights `[total, k]`, as [`Loader::linear`].
    pub(super) fn rows(
        &self,
        name: &str,
        rows: Range<usize>,
        total: usize,
        k: usize,
    ) -> Result<Linear, LoadError> {
        self.expect(name, &[total, k])?;
        let n = rows.len();
        if self
            .checkpoint
            .get(name)
            .is_some_and(|i| i.dtype == Dtype::I8)
        {
            return self.quantized(name, rows, total, k);
        }
        if self.compute == Compute::Float32 {
            let weights = self.floats(name, rows)?;
            return Ok(Linear::Float32(PackedF32::new(&weights, n, k)));
        }
        let (mut values, mut scales) = (Vec::with_capacity(n * k), Vec::with_capacity(n));
        let step = (CHUNK / k).max(1);
        let (mut floats, mut quantized) = (Vec::new(), QuantizedRows::default());
        for start in rows.clone().step_by(step) {
            self.checkpoint
                .read_rows(name, start..(start + step).min(rows.end), &mut floats)?;
            self.kernels.quantize(&floats, k, k, &mut quantized);
            values.extend_from_slice(quantized.values());
            scales.extend_from_slice(quantized.scales());
        }
        Ok(Linear::Int8(PackedInt8::new(&values, &scales, n, k, k)))
    }

    /// Rows of weights that are int8 already: CTranslate2's, with the inverse of a scale a row.
    fn quantized(
        &self,
        name: &str,
        rows: Range<usize>,
        total: usize,
        k: usize,
    ) -> Result<Linear, LoadError> {
        let scales = self.vector(&format!("{name}_scale"), total)?;
        let scales: Vec<f32> = scales[rows.clone()].iter().map(|s| 1.0 / s).collect();
        let n = rows.len();
        if self.compute == Compute::Float32 {
            let mut weights = self.floats(name, rows)?;
            for (row, scale) in weights.chunks_exact_mut(k).zip(&scales) {
                row.iter_mut().for_each(|w| *w *= scale);
            }
            return Ok(Linear::Float32(PackedF32::new(&weights, n, k)));
        }
        let mut bytes = Vec::new();
        self.checkpoint.read_bytes(name, rows, &mut bytes)?;
        let values: Vec<i8> = bytes.iter().map(|b| b.cast_signed()).collect();
        Ok(Linear::Int8(PackedInt8::new(&values, &scales, n, k, k)))
    }

    fn dense(&self, name: &str, n: usize, k: usize) -> Result<Dense, LoadError> {
        let bias = if self.config.biases {
            self.vector(&format!("{name}.bias"), n)?
        } else {
            Vec::new()
        };
        Ok(Dense {
            weights: self.linear(&format!("{name}.weight"), n, k)?,
            bias,
        })
    }

    fn norm(&self, name: &str) -> Result<Norm, LoadError> {
        self.norm_of(&format!("{name}.weight"), &format!("{name}.bias"))
    }

    /// A norm of these two tensors, the second of which root-mean-square norms lack.
    pub(super) fn norm_of(&self, weight: &str, bias: &str) -> Result<Norm, LoadError> {
        let d = self.config.d_model;
        Ok(Norm {
            weight: self.vector(weight, d)?,
            bias: if self.config.rms_norm {
                Vec::new()
            } else {
                self.vector(bias, d)?
            },
        })
    }

    /// The embeddings of source and target; one where the checkpoint ties them.
    fn embeddings(&self) -> Result<(Arc<Linear>, Arc<Linear>), LoadError> {
        let (c, prefix) = (self.config, self.prefix);
        let [shared, encoder, decoder] = ["shared", "encoder.embed_tokens", "decoder.embed_tokens"]
            .map(|part| format!("{prefix}{part}.weight"));
        // What the stacks have of their own counts; where they have nothing, what is shared.
        let source = if self.has(&encoder) {
            &encoder
        } else {
            &shared
        };
        let target = match (self.has(&decoder), self.has(&shared)) {
            (true, _) => &decoder,
            (false, true) => &shared,
            (false, false) => source,
        };
        if self.has(&shared) {
            self.expect(&shared, &[c.source_vocab, c.d_model])?;
        }
        self.expect(target, &[c.target_vocab, c.d_model])?;
        let first = Arc::new(self.linear(source, c.source_vocab, c.d_model)?);
        let second = if self.same(source, target, c.source_vocab)? {
            Arc::clone(&first)
        } else {
            Arc::new(self.linear(target, c.target_vocab, c.d_model)?)
        };
        Ok((first, second))
    }

    /// Two names of equal tensors: the same place in a file, or the same values.
    fn same(&self, a: &str, b: &str, rows: usize) -> Result<bool, LoadError> {
        if a == b || self.checkpoint.same_place(a, b) {
            return Ok(true);
        }
        let (Some(first), Some(second)) = (self.checkpoint.get(a), self.checkpoint.get(b)) else {
            return Ok(false);
        };
        if (first.dtype, &first.shape) != (second.dtype, &second.shape) {
            return Ok(false);
        }
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let step = (CHUNK / self.config.d_model).max(1);
        for start in (0..rows).step_by(step) {
            let range = start..(start + step).min(rows);
            self.checkpoint.read_bytes(a, range.clone(), &mut x)?;
            self.checkpoint.read_bytes(b, range, &mut y)?;
            if x != y {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The output projection: the checkpoint's own, or the target's embedding.
    fn head(&self, target: &Arc<Linear>) -> Result<Arc<Linear>, LoadError> {
        let (name, c) = ("lm_head.weight", self.config);
        if !self.has(name) {
            return Ok(Arc::clone(target));
        }
        self.expect(name, &[c.target_vocab, c.d_model])?;
        let prefix = self.prefix;
        for tied in ["decoder.embed_tokens", "shared"] {
            let tied = format!("{prefix}{tied}.weight");
            if self.has(&tied) {
                return if self.same(name, &tied, c.target_vocab)? {
                    Ok(Arc::clone(target))
                } else {
                    Ok(Arc::new(self.linear(name, c.target_vocab, c.d_model)?))
                };
            }
        }
        Ok(Arc::new(self.linear(name, c.target_vocab, c.d_model)?))
    }

    fn stack(&self, side: &str) -> Result<Layers, LoadError> {
        let c = self.config;
        let (heads, layers) = match side {
            "encoder" => (c.encoder.heads, c.encoder.layers),
            _ => (c.decoder.heads, c.decoder.layers),
        };
        let prefix = format!("{}{side}.", self.prefix);
        let t5 = matches!(c.positions, Positions::Relative { .. });
        let relative = match c.positions {
            Positions::Relative { buckets, .. } => {
                let name =
                    format!("{prefix}block.0.layer.0.SelfAttention.relative_attention_bias.weight");
                self.table(&name, buckets, heads)?
            }
            _ => Vec::new(),
        };
        let layers = (0..layers)
            .into_par_iter()
            .map(|i| {
                if t5 {
                    self.t5_layer(&format!("{prefix}block.{i}.layer."), side == "decoder")
                } else {
                    self.bart_layer(&format!("{prefix}layers.{i}."), side == "decoder")
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let optional = |wanted: bool, name: &str| -> Result<Option<Norm>, LoadError> {
            wanted
                .then(|| self.norm(&format!("{prefix}{name}")))
                .transpose()
        };
        let last = if t5 { "final_layer_norm" } else { "layer_norm" };
        Ok(Layers {
            positions: self.positions(&prefix)?,
            relative,
            embedding_norm: optional(c.embedding_norm, "layernorm_embedding")?,
            final_norm: optional(c.final_norm, last)?,
            layers,
        })
    }

    fn positions(&self, prefix: &str) -> Result<Vec<f32>, LoadError> {
        let c = self.config;
        let count = c.max_positions.unwrap_or(0);
        let name = format!("{prefix}embed_positions.weight");
        match c.positions {
            Positions::Learned => self.table(&name, count + 2, c.d_model),
            Positions::Sinusoidal if self.has(&name) => self.table(&name, count, c.d_model),
            Positions::Sinusoidal => Ok(positions::sinusoidal(count, c.d_model)),
            Positions::Fairseq => Ok(positions::fairseq(count + 2, c.d_model, 1)),
            Positions::Relative { .. } => Ok(Vec::new()),
        }
    }

    fn bart_layer(&self, prefix: &str, decoder: bool) -> Result<Layer, LoadError> {
        let (c, d) = (self.config, self.config.d_model);
        let attention = |name: &str| -> Result<Attention, LoadError> {
            let part = |part: &str| self.dense(&format!("{prefix}{name}.{part}"), d, d);
            Ok(Attention {
                q: part("q_proj")?,
                k: part("k_proj")?,
                v: part("v_proj")?,
                out: part("out_proj")?,
                norm: self.norm(&format!("{prefix}{name}_layer_norm"))?,
            })
        };
        let ffn = if decoder {
            c.decoder.ffn
        } else {
            c.encoder.ffn
        };
        Ok(Layer {
            attention: attention("self_attn")?,
            cross: decoder.then(|| attention("encoder_attn")).transpose()?,
            ffn: FeedForward {
                inner: self.dense(&format!("{prefix}fc1"), ffn, d)?,
                gate: None,
                outer: self.dense(&format!("{prefix}fc2"), d, ffn)?,
                norm: self.norm(&format!("{prefix}final_layer_norm"))?,
            },
        })
    }

    fn t5_layer(&self, prefix: &str, decoder: bool) -> Result<Layer, LoadError> {
        let (c, d) = (self.config, self.config.d_model);
        let stack = if decoder { c.decoder } else { c.encoder };
        let inner = stack.heads * c.head_dim;
        let attention = |at: usize, name: &str| -> Result<Attention, LoadError> {
            let part = |part: &str, n, k| self.dense(&format!("{prefix}{at}.{name}.{part}"), n, k);
            Ok(Attention {
                q: part("q", inner, d)?,
                k: part("k", inner, d)?,
                v: part("v", inner, d)?,
                out: part("o", d, inner)?,
                norm: self.norm(&format!("{prefix}{at}.layer_norm"))?,
            })
        };
        let at = if decoder { 2 } else { 1 };
        let part =
            |part: &str, n, k| self.dense(&format!("{prefix}{at}.DenseReluDense.{part}"), n, k);
        let (function, gate) = if c.gated {
            ("wi_0", Some(part("wi_1", stack.ffn, d)?))
        } else {
            ("wi", None)
        };
        Ok(Layer {
            attention: attention(0, "SelfAttention")?,
            cross: decoder
                .then(|| attention(1, "EncDecAttention"))
                .transpose()?,
            ffn: FeedForward {
                inner: part(function, stack.ffn, d)?,
                gate,
                outer: part("wo", d, stack.ffn)?,
                norm: self.norm(&format!("{prefix}{at}.layer_norm"))?,
            },
        })
    }

    /// Fails on a tensor that nothing asked for; what old versions of the library wrote beside the
    /// weights is known.
    fn nothing_left(&self) -> Result<(), LoadError> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |name: &str| {
            used.contains(name)
                || name.ends_with("embed_positions.weights")
                || name.ends_with("embed_positions._float_tensor")
                || name.ends_with(".version")
                || name.ends_with("EncDecAttention.relative_attention_bias.weight")
                || name.ends_with("embed_tokens.weight")
                || matches!(self.config.positions, Positions::Fairseq)
                    && name.ends_with("embed_positions.weight")
        };
        match self.checkpoint.names().find(|name| !known(name)) {
            Some(name) => Err(CheckpointError::Extra(name.to_owned())),
            None => Ok(()),
        }
    }
}
