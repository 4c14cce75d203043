//! Weights of a decoder-only model.

use super::config::CausalConfig;
use super::session::CausalSession;
use crate::engine::linear::{Compute, Linear};
use crate::formats::gguf::{BLOCK, Gguf, GgufError, Tensor};
use crate::kernel::{Kernels, PackedF32, PackedInt8};

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) attn_norm: Vec<f32>,
    pub(super) q: Linear,
    pub(super) k: Linear,
    pub(super) v: Linear,
    pub(super) q_norm: Option<Vec<f32>>,
    pub(super) k_norm: Option<Vec<f32>>,
    pub(super) output: Linear,
    pub(super) post_attn_norm: Option<Vec<f32>>,
    pub(super) ffn_norm: Vec<f32>,
    pub(super) gate: Linear,
    pub(super) up: Linear,
    pub(super) down: Linear,
    pub(super) post_ffn_norm: Option<Vec<f32>>,
}

/// Weights of a decoder-only model, shared by all threads.
#[derive(Debug)]
pub struct CausalModel {
    pub(super) config: CausalConfig,
    pub(super) kernels: Kernels,
    pub(super) embedding: Linear,
    /// The output projection; `None`: the embedding.
    pub(super) output: Option<Linear>,
    pub(super) layers: Vec<Layer>,
    pub(super) output_norm: Vec<f32>,
    /// Of layers that see everything, and of windowed ones.
    pub(super) inverse_freq: [Vec<f32>; 2],
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
    /// When the architecture is neither Gemma 3 nor Llama, or a key or tensor is missing or of
    /// another shape.
    pub fn load(gguf: &Gguf<'_>, kernels: Kernels, compute: Compute) -> Result<Self, GgufError> {
        use rayon::prelude::*;
        let c = CausalConfig::from_gguf(gguf)?;
        if let Some(name) = gguf.tensor_names().find(|name| name.ends_with(".bias")) {
            return Err(GgufError::Invalid(format!(
                "tensor '{name}': layers with a bias are not supported"
            )));
        }
        let matrix = |name: &str, n, k| Ok(linear(gguf.tensor(name, n, k)?, compute));
        let vector = |name: &str, n| Ok(gguf.tensor(name, 1, n)?.to_f32());
        let vector_if = |has: bool, name: &str, n| {
            if has {
                vector(name, n).map(Some)
            } else {
                Ok(None)
            }
        };
        let (q_dim, kv_dim) = (c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
        let layer = |i: usize| -> Result<Layer, GgufError> {
            let name = |part: &str| format!("blk.{i}.{part}.weight");
            Ok(Layer {
                attn_norm: vector(&name("attn_norm"), c.d_model)?,
                q: matrix(&name("attn_q"), q_dim, c.d_model)?,
                k: matrix(&name("attn_k"), kv_dim, c.d_model)?,
                v: matrix(&name("attn_v"), kv_dim, c.d_model)?,
                q_norm: vector_if(c.head_norms, &name("attn_q_norm"), c.head_dim)?,
                k_norm: vector_if(c.head_norms, &name("attn_k_norm"), c.head_dim)?,
                output: matrix(&name("attn_output"), c.d_model, q_dim)?,
                post_attn_norm: vector_if(c.post_norms, &name("post_attention_norm"), c.d_model)?,
                ffn_norm: vector(&name("ffn_norm"), c.d_model)?,
                gate: matrix(&name("ffn_gate"), c.ffn_dim, c.d_model)?,
                up: matrix(&name("ffn_up"), c.ffn_dim, c.d_model)?,
                down: matrix(&name("ffn_down"), c.d_model, c.ffn_dim)?,
                post_ffn_norm: vector_if(c.post_norms, &name("post_ffw_norm"), c.d_model)?,
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
        let output = match gguf.has_tensor("output.weight") {
            true => Some(matrix("output.weight", c.vocab_size, c.d_model)?),
            false => None,
        };
        let mut inverse_freq = c.inverse_freq();
        if gguf.has_tensor("rope_freqs.weight") {
            let factors = vector("rope_freqs.weight", c.rope.dim / 2)?;
            for (freq, factor) in inverse_freq[0].iter_mut().zip(factors) {
                *freq /= factor;
            }
        }
        Ok(Self {
            embedding: embedding?,
            output,
            layers: layers?,
            output_norm: vector("output_norm.weight", c.d_model)?,
            inverse_freq,
            config: c,
            kernels,
        })
    }

    /// Shape and options.
    #[must_use]
    pub fn config(&self) -> &CausalConfig {
        &self.config
    }

    /// Int8 multiply-adds of the layers for a token read or written, and of the output projection
    /// for a token written.
    #[must_use]
    pub fn int8_macs(&self) -> [u64; 2] {
        let layer = |l: &Layer| {
            let all = [&l.q, &l.k, &l.v, &l.output, &l.gate, &l.up, &l.down];
            all.iter().map(|w| w.int8_macs()).sum::<u64>()
        };
        let output = self.output.as_ref().unwrap_or(&self.embedding);
        [self.layers.iter().map(layer).sum(), output.int8_macs()]
    }

    /// A decoding session of its own caches and workspace over these weights.
    #[must_use]
    pub fn session(&self) -> CausalSession<'_> {
        CausalSession::new(self)
    }
}
