//! Decoder-only transformers (Gemma 3) on flat buffers, with one cache a sequence.
//!
//! Source: google-deepmind/gemma `gm/nn/_modules.py`; ggml-org/llama.cpp `src/models/gemma3.cpp`.

use crate::decode::{Slot, Stepper};
use crate::formats::gguf::{BLOCK, Gguf, GgufError, Tensor};
use crate::kernel::{AttentionHead, Kernels, PackedF32, PackedInt8, QuantizedRows};

use super::linear::{Compute, Linear};

/// Shape of a model, read from its file.
#[derive(Clone, Debug, PartialEq)]
pub struct CausalConfig {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Layers.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width of the feed-forward layer.
    pub ffn_dim: usize,
    /// Vocabulary.
    pub vocab_size: usize,
    /// Longest sequence.
    pub context_length: usize,
    /// Added to the mean square in norms.
    pub norm_eps: f32,
    /// Rotary base of layers that see everything.
    pub rope_base: f32,
    /// Rotary base of layers that see a window.
    pub rope_base_local: f32,
    /// Positions that a windowed layer sees.
    pub sliding_window: usize,
    /// Every how manyeth layer sees everything.
    pub global_every: usize,
}

impl CausalConfig {
    fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, GgufError> {
        let architecture = gguf.text("general.architecture")?;
        if architecture != "gemma3" {
            return Err(GgufError::Invalid(format!(
                "architecture '{architecture}' is not supported; tarjama runs gemma3 from GGUF files"
            )));
        }
        let key = |name: &str| format!("gemma3.{name}");
        let bounded = |name: &str, max: usize| {
            let value = gguf.usize(&key(name))?;
            if value == 0 || value > max {
                return Err(GgufError::Invalid(format!("{} is {value}", key(name))));
            }
            Ok(value)
        };
        let vocab_size = match gguf.get("tokenizer.ggml.tokens") {
            Some(crate::formats::gguf::Value::Array(tokens)) if !tokens.is_empty() => tokens.len(),
            _ => return Err(GgufError::MissingKey("tokenizer.ggml.tokens".into())),
        };
        let config = Self {
            d_model: bounded("embedding_length", 1 << 16)?,
            n_layers: bounded("block_count", 1 << 10)?,
            n_heads: bounded("attention.head_count", 1 << 10)?,
            n_kv_heads: bounded("attention.head_count_kv", 1 << 10)?,
            head_dim: bounded("attention.key_length", 1 << 12)?,
            ffn_dim: bounded("feed_forward_length", 1 << 18)?,
            vocab_size,
            context_length: bounded("context_length", 1 << 24)?,
            norm_eps: gguf.float(&key("attention.layer_norm_rms_epsilon"))?,
            rope_base: gguf.float(&key("rope.freq_base"))?,
            // llama.cpp fixes both of these for the architecture; the file does not carry them.
            rope_base_local: 10_000.0,
            global_every: 6,
            sliding_window: bounded("attention.sliding_window", 1 << 24)?,
        };
        let fits = config.d_model.is_multiple_of(BLOCK)
            && config.ffn_dim.is_multiple_of(BLOCK)
            && (config.n_heads * config.head_dim).is_multiple_of(BLOCK)
            && config.head_dim.is_multiple_of(2)
            && config.n_heads.is_multiple_of(config.n_kv_heads);
        if fits {
            Ok(config)
        } else {
            Err(GgufError::Invalid(format!("unusual shape {config:?}")))
        }
    }

    fn is_global(&self, layer: usize) -> bool {
        layer % self.global_every == self.global_every - 1
    }
}

#[derive(Debug)]
struct Layer {
    attn_norm: Vec<f32>,
    q: Linear,
    k: Linear,
    v: Linear,
    q_norm: Vec<f32>,
    k_norm: Vec<f32>,
    output: Linear,
    post_attn_norm: Vec<f32>,
    ffn_norm: Vec<f32>,
    gate: Linear,
    up: Linear,
    down: Linear,
    post_ffn_norm: Vec<f32>,
}

/// Weights of a decoder-only model, shared by all threads.
#[derive(Debug)]
pub struct CausalModel {
    config: CausalConfig,
    kernels: Kernels,
    /// Also the output projection.
    embedding: Linear,
    layers: Vec<Layer>,
    output_norm: Vec<f32>,
    /// `1 / base^(2 i / head_dim)` of global and of windowed layers.
    inverse_freq: [Vec<f32>; 2],
}

fn linear(tensor: Tensor<'_>, compute: Compute) -> Linear {
    match compute {
        Compute::Int8 => {
            let (values, scales) = tensor.quantized();
            Linear::Int8(PackedInt8::new(
                &values,
                &scales,
                tensor.rows,
                tensor.columns,
                BLOCK,
            ))
        }
        Compute::Float32 => Linear::Float32(PackedF32::new(
            &tensor.to_f32(),
            tensor.rows,
            tensor.columns,
        )),
    }
}

impl CausalModel {
    /// Packs the weights of a GGUF file.
    ///
    /// # Errors
    /// When the architecture is not Gemma 3, or a key or tensor is missing or of another shape.
    pub fn load(gguf: &Gguf<'_>, kernels: Kernels, compute: Compute) -> Result<Self, GgufError> {
        use rayon::prelude::*;
        let c = CausalConfig::from_gguf(gguf)?;
        let matrix = |name: &str, n, k| Ok(linear(gguf.tensor(name, n, k)?, compute));
        let vector = |name: &str, n| Ok(gguf.tensor(name, 1, n)?.to_f32());
        let (q_dim, kv_dim) = (c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
        let layer = |i: usize| -> Result<Layer, GgufError> {
            let name = |part: &str| format!("blk.{i}.{part}.weight");
            Ok(Layer {
                attn_norm: vector(&name("attn_norm"), c.d_model)?,
                q: matrix(&name("attn_q"), q_dim, c.d_model)?,
                k: matrix(&name("attn_k"), kv_dim, c.d_model)?,
                v: matrix(&name("attn_v"), kv_dim, c.d_model)?,
                q_norm: vector(&name("attn_q_norm"), c.head_dim)?,
                k_norm: vector(&name("attn_k_norm"), c.head_dim)?,
                output: matrix(&name("attn_output"), c.d_model, q_dim)?,
                post_attn_norm: vector(&name("post_attention_norm"), c.d_model)?,
                ffn_norm: vector(&name("ffn_norm"), c.d_model)?,
                gate: matrix(&name("ffn_gate"), c.ffn_dim, c.d_model)?,
                up: matrix(&name("ffn_up"), c.ffn_dim, c.d_model)?,
                down: matrix(&name("ffn_down"), c.d_model, c.ffn_dim)?,
                post_ffn_norm: vector(&name("post_ffw_norm"), c.d_model)?,
            })
        };
        let (embedding, layers) = rayon::join(
            || matrix("token_embd.weight", c.vocab_size, c.d_model),
            || {
                (0..c.n_layers)
                    .into_par_iter()
                    .map(layer)
                    .collect::<Result<Vec<_>, _>>()
            },
        );
        let freq = |base: f32| -> Vec<f32> {
            let dim = c.head_dim as f32;
            (0..c.head_dim / 2)
                .map(|i| 1.0 / base.powf(2.0 * i as f32 / dim))
                .collect()
        };
        Ok(Self {
            embedding: embedding?,
            layers: layers?,
            output_norm: vector("output_norm.weight", c.d_model)?,
            inverse_freq: [freq(c.rope_base), freq(c.rope_base_local)],
            config: c,
            kernels,
        })
    }

    /// The shape.
    #[must_use]
    pub fn config(&self) -> &CausalConfig {
        &self.config
    }

    /// A decoding session of its own caches and workspace over these weights.
    #[must_use]
    pub fn session(&self) -> CausalSession<'_> {
        CausalSession {
            model: self,
            sequences: Vec::new(),
            free: Vec::new(),
            work: Workspace::default(),
        }
    }
}

/// Keys and values of one sequence: for each layer `[len, n_kv_heads * head_dim]`.
#[derive(Debug, Default, Clone)]
struct Sequence {
    len: usize,
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

#[derive(Debug, Default)]
struct Workspace {
    hidden: Vec<f32>,
    normed: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    attended: Vec<f32>,
    projected: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    scores: Vec<f32>,
    quantized: QuantizedRows,
}

/// Caches and scratch of one worker thread.
#[derive(Debug)]
pub struct CausalSession<'m> {
    model: &'m CausalModel,
    sequences: Vec<Sequence>,
    free: Vec<usize>,
    work: Workspace,
}

impl CausalSession<'_> {
    fn slot_for(&mut self, sequence: Sequence) -> Slot {
        if let Some(i) = self.free.pop() {
            self.sequences[i] = sequence;
            return Slot(i);
        }
        self.sequences.push(sequence);
        Slot(self.sequences.len() - 1)
    }

    fn norm_rows(kernels: Kernels, x: &[f32], weight: &[f32], eps: f32, out: &mut Vec<f32>) {
        out.resize(x.len(), 0.0);
        for (x, out) in x
            .chunks_exact(weight.len())
            .zip(out.chunks_exact_mut(weight.len()))
        {
            kernels.rms_norm(x, weight, eps, out);
        }
    }

    /// Norms each head and turns it by its position. Source: Su et al. 2021, halves as in GPT-NeoX.
    fn norm_and_rotate(
        &self,
        head: &mut [f32],
        weight: &[f32],
        cos_sin: &[(f32, f32)],
        buffer: &mut [f32],
    ) {
        self.model
            .kernels
            .rms_norm(head, weight, self.model.config.norm_eps, buffer);
        let half = head.len() / 2;
        for (i, (cos, sin)) in cos_sin.iter().enumerate() {
            let (a, b) = (buffer[i], buffer[i + half]);
            head[i] = a * cos - b * sin;
            head[i + half] = b * cos + a * sin;
        }
    }

    /// Projects, caches and attends for the rows of one layer; `work.normed` is the input.
    fn attention(&mut self, index: usize, rows: &[(Slot, &[u32])], work: &mut Workspace) {
        let model = self.model;
        let (c, layer, kernels) = (&model.config, &model.layers[index], model.kernels);
        layer
            .q
            .forward(kernels, &work.normed, &mut work.quantized, &mut work.q);
        layer
            .k
            .forward_quantized(kernels, &work.normed, &work.quantized, &mut work.k);
        layer
            .v
            .forward_quantized(kernels, &work.normed, &work.quantized, &mut work.v);
        let (q_dim, kv_dim) = (c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
        let global = c.is_global(index);
        let freq = &model.inverse_freq[usize::from(!global)];
        let scale = 1.0 / (c.head_dim as f32).sqrt();
        let group = c.n_heads / c.n_kv_heads;
        work.attended.resize(work.q.len(), 0.0);
        let mut buffer = vec![0f32; c.head_dim];
        let mut cos_sin = vec![(0f32, 0f32); c.head_dim / 2];
        let mut row = 0;
        for (slot, ids) in rows {
            for i in 0..ids.len() {
                let position = self.sequences[slot.0].len + i;
                for (out, f) in cos_sin.iter_mut().zip(freq) {
                    let angle = position as f32 * f;
                    *out = (angle.cos(), angle.sin());
                }
                let q = &mut work.q[row * q_dim..][..q_dim];
                for head in q.chunks_exact_mut(c.head_dim) {
                    self.norm_and_rotate(head, &layer.q_norm, &cos_sin, &mut buffer);
                }
                let k = &mut work.k[row * kv_dim..][..kv_dim];
                for head in k.chunks_exact_mut(c.head_dim) {
                    self.norm_and_rotate(head, &layer.k_norm, &cos_sin, &mut buffer);
                }
                let sequence = &mut self.sequences[slot.0];
                sequence.keys[index].extend_from_slice(k);
                sequence.values[index].extend_from_slice(&work.v[row * kv_dim..][..kv_dim]);
                let first = if global {
                    0
                } else {
                    (position + 1).saturating_sub(c.sliding_window)
                };
                let out = &mut work.attended[row * q_dim..][..q_dim];
                let heads = q
                    .chunks_exact(c.head_dim)
                    .zip(out.chunks_exact_mut(c.head_dim));
                for (h, (query, out)) in heads.enumerate() {
                    let at = first * kv_dim + h / group * c.head_dim;
                    let head = AttentionHead {
                        query,
                        keys: &sequence.keys[index][at..],
                        values: &sequence.values[index][at..],
                        stride: kv_dim,
                        len: position + 1 - first,
                        scale,
                    };
                    kernels.attend(head, &mut work.scores, out);
                }
                row += 1;
            }
        }
        layer.output.forward(
            kernels,
            &work.attended,
            &mut work.quantized,
            &mut work.projected,
        );
    }

    fn feed_forward(&self, index: usize, work: &mut Workspace) {
        let (layer, kernels) = (&self.model.layers[index], self.model.kernels);
        layer
            .gate
            .forward(kernels, &work.normed, &mut work.quantized, &mut work.gate);
        layer
            .up
            .forward_quantized(kernels, &work.normed, &work.quantized, &mut work.up);
        kernels.gelu_tanh_mul(&mut work.gate, &work.up);
        layer.down.forward(
            kernels,
            &work.gate,
            &mut work.quantized,
            &mut work.projected,
        );
    }

    /// `hidden += norm(projected)`.
    fn add_normed(&self, weight: &[f32], work: &mut Workspace) {
        let kernels = self.model.kernels;
        Self::norm_rows(
            kernels,
            &work.projected,
            weight,
            self.model.config.norm_eps,
            &mut work.normed,
        );
        kernels.add(&mut work.hidden, &work.normed);
    }
}

impl Stepper for CausalSession<'_> {
    fn open(&mut self) -> Slot {
        let layers = self.model.config.n_layers;
        self.slot_for(Sequence {
            len: 0,
            keys: vec![Vec::new(); layers],
            values: vec![Vec::new(); layers],
        })
    }

    fn fork(&mut self, slot: Slot) -> Slot {
        let copy = self.sequences[slot.0].clone();
        self.slot_for(copy)
    }

    fn close(&mut self, slot: Slot) {
        self.sequences[slot.0] = Sequence::default();
        self.free.push(slot.0);
    }

    fn feed(&mut self, rows: &[(Slot, &[u32])], logits: &mut Vec<f32>) {
        let model = self.model;
        let (c, kernels) = (&model.config, model.kernels);
        let mut work = std::mem::take(&mut self.work);
        let tokens: usize = rows.iter().map(|(_, ids)| ids.len()).sum();
        work.hidden.resize(tokens * c.d_model, 0.0);
        let ids = rows.iter().flat_map(|(_, ids)| ids.iter());
        let embed_scale = (c.d_model as f32).sqrt();
        for (id, out) in ids.zip(work.hidden.chunks_exact_mut(c.d_model)) {
            // An id outside the vocabulary reads as padding, the first row.
            let row = if (*id as usize) < c.vocab_size {
                *id as usize
            } else {
                0
            };
            model.embedding.row(row, out);
            out.iter_mut().for_each(|v| *v *= embed_scale);
        }
        for (i, layer) in model.layers.iter().enumerate() {
            Self::norm_rows(
                kernels,
                &work.hidden,
                &layer.attn_norm,
                c.norm_eps,
                &mut work.normed,
            );
            self.attention(i, rows, &mut work);
            self.add_normed(&layer.post_attn_norm, &mut work);
            Self::norm_rows(
                kernels,
                &work.hidden,
                &layer.ffn_norm,
                c.norm_eps,
                &mut work.normed,
            );
            self.feed_forward(i, &mut work);
            self.add_normed(&layer.post_ffn_norm, &mut work);
        }
        // Only the last position of each row goes to the output projection.
        work.projected.clear();
        let mut end = 0;
        for (slot, ids) in rows {
            self.sequences[slot.0].len += ids.len();
            end += ids.len();
            work.projected
                .extend_from_slice(&work.hidden[(end - 1) * c.d_model..][..c.d_model]);
        }
        Self::norm_rows(
            kernels,
            &work.projected,
            &model.output_norm,
            c.norm_eps,
            &mut work.normed,
        );
        model
            .embedding
            .forward(kernels, &work.normed, &mut work.quantized, logits);
        self.work = work;
    }

    fn vocab_size(&self) -> usize {
        self.model.config.vocab_size
    }

    fn best_and_log_sum(&self, logits: &[f32]) -> (usize, f32) {
        self.model.kernels.argmax_log_sum_exp(logits)
    }
}
