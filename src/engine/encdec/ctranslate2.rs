//! Models as CTranslate2 converts them: their shape is told by the variables of `model.bin`.
//!
//! Source: OpenNMT/CTranslate2 `python/ctranslate2/specs/transformer_spec.py`,
//! `src/layers/transformer.cc`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;
use serde_json::Value;

use super::config::{Architecture, Config, ConfigError, Positions, StackConfig, unsupported};
use super::weights::{Attention, Dense, FeedForward, Layer, LoadError, Loader, Model, Norm, Stack};
use crate::engine::linear::Compute;
use crate::formats::checkpoint::{Checkpoint, CheckpointError, Dtype};
use crate::kernel::{Activation, Kernels};

impl Config {
    /// The shape of the model in CTranslate2's `model.bin`; `json` is its `config.json`, if any.
    ///
    /// # Errors
    /// When a variable is missing, or asks for a layer that tarjama does not run.
    pub fn ctranslate2(file: &Checkpoint, json: Option<&Value>) -> Result<Self, ConfigError> {
        let missing = |name: &str| ConfigError::Field(name.to_owned());
        let shape = |name: &str| {
            let info = file.get(name).map(|i| i.shape.as_slice());
            match info {
                Some(&[n, k]) if n > 0 && k > 0 => Ok((n, k)),
                _ => Err(missing(name)),
            }
        };
        let scalar = |name: &str, default: f32| file.scalar(name).unwrap_or(default);
        for name in [
            "encoder/alibi",
            "decoder/alibi",
            "encoder/multi_query_attention",
            "encoder/rotary_dim",
            "decoder/rotary_dim",
            "encoder/layer_0/self_attention/relative_position_keys",
            "decoder/project_in/weight",
        ] {
            let value = scalar(name, 0.0);
            if value != 0.0 || file.get(name).is_some_and(|i| !i.shape.is_empty()) {
                return Err(unsupported(name, &Value::from(value), ""));
            }
        }
        let (target_vocab, d_model) = shape("decoder/embeddings/weight")?;
        let (source_vocab, _) = shape("encoder/embeddings_0/weight")?;
        let stack = |side: &str| -> Result<StackConfig, ConfigError> {
            let first = format!("{side}/layer_");
            let layers = file
                .names()
                .filter_map(|n| {
                    n.strip_prefix(&first)?
                        .split('/')
                        .next()?
                        .parse::<usize>()
                        .ok()
                })
                .max()
                .ok_or_else(|| missing(&format!("{side}/layer_0")))?;
            let heads = scalar(&format!("{side}/num_heads"), 8.0) as usize;
            let (ffn, _) = shape(&format!("{side}/layer_0/ffn/linear_0/weight"))?;
            Ok(StackConfig {
                layers: layers + 1,
                heads: heads.max(1),
                ffn,
            })
        };
        let (encoder, decoder) = (stack("encoder")?, stack("decoder")?);
        let (fused, _) = shape("encoder/layer_0/self_attention/linear_0/weight")?;
        let inner = fused / 3;
        if !fused.is_multiple_of(3)
            || !inner.is_multiple_of(encoder.heads * 4)
            || encoder.heads != decoder.heads
            || !d_model.is_multiple_of(4)
            || !decoder.ffn.is_multiple_of(4)
            || !encoder.ffn.is_multiple_of(4)
        {
            let heads = Value::from(encoder.heads);
            return Err(unsupported("encoder/num_heads", &heads, ""));
        }
        let head_dim = inner / encoder.heads;
        let activation = match scalar("encoder/activation", 0.0) as i64 {
            0 => Activation::Relu,
            1 => Activation::GeluTanh,
            2 => Activation::Silu,
            3 => Activation::Gelu,
            other => return Err(unsupported("encoder/activation", &Value::from(other), "")),
        };
        let rms_norm = file.get("encoder/layer_0/ffn/layer_norm/beta").is_none();
        // A factor, or whether the usual one is meant.
        let name = "decoder/scale_embeddings";
        let embed_scale = match (file.get(name).map(|i| i.dtype), scalar(name, 1.0)) {
            (Some(Dtype::I8), 0.0) => 1.0,
            (Some(Dtype::I8) | None, _) => (d_model as f32).sqrt(),
            (Some(_), factor) => factor,
        };
        let positions = file
            .get("encoder/position_encodings/encodings")
            .map(|info| info.shape.first().copied().unwrap_or(0));
        let bias = "encoder/layer_0/self_attention/relative_attention_bias";
        let relative = shape(bias).ok().map(|(buckets, _)| Positions::Relative {
            buckets,
            max_distance: scalar(
                "encoder/layer_0/self_attention/relative_attention_max_distance",
                128.0,
            ) as usize,
        });
        let kind = match (relative, positions) {
            (Some(relative), _) => relative,
            (None, Some(_)) => Positions::Sinusoidal,
            (None, None) => return Err(missing("encoder/position_encodings/encodings")),
        };
        let queries = scalar("encoder/layer_0/self_attention/queries_scale", 0.0);
        let eps = json
            .and_then(|j| j.get("layer_norm_epsilon"))
            .and_then(Value::as_f64)
            .map(|eps| eps as f32);
        let scaled = scalar("decoder/scale_outputs", 0.0) != 0.0;
        Ok(Self {
            architecture: Architecture::Ctranslate2,
            d_model,
            head_dim,
            encoder,
            decoder,
            source_vocab,
            target_vocab,
            rms_norm,
            norm_eps: eps.unwrap_or(if rms_norm { 1e-6 } else { 1e-5 }),
            pre_norm: scalar("encoder/pre_norm", 1.0) != 0.0,
            embedding_norm: file.get("encoder/layernorm_embedding/gamma").is_some(),
            final_norm: file.get("encoder/layer_norm/gamma").is_some(),
            biases: file.get("encoder/layer_0/ffn/linear_0/bias").is_some(),
            activation,
            gated: file
                .get("encoder/layer_0/ffn/linear_0_noact/weight")
                .is_some(),
            embed_scale,
            attention_scale: if queries == 0.0 {
                (head_dim as f32).powf(-0.5)
            } else {
                queries
            },
            output_scale: if scaled {
                (d_model as f32).powf(-0.5)
            } else {
                1.0
            },
            positions: kind,
            max_positions: positions.filter(|_| relative.is_none()),
            pad: 0,
            zero_start: scalar("decoder/start_from_zero_embedding", 0.0) != 0.0,
        })
    }
}

impl Model {
    /// Packs the weights of CTranslate2's `model.bin`.
    ///
    /// # Errors
    /// When a variable is missing, of another shape, or unknown.
    pub fn load_ctranslate2(
        file: &Checkpoint,
        config: Config,
        kernels: Kernels,
        compute: Compute,
    ) -> Result<Self, LoadError> {
        let loader = Loader {
            checkpoint: file,
            kernels,
            compute,
            config: &config,
            prefix: "",
            used: Mutex::new(BTreeSet::new()),
        };
        let embedding = |name: &str, n: usize| loader.linear(name, n, config.d_model).map(Arc::new);
        let (source, target) = ("encoder/embeddings_0/weight", "decoder/embeddings/weight");
        let second = embedding(target, config.target_vocab)?;
        let first = if file.same_place(source, target) {
            Arc::clone(&second)
        } else {
            embedding(source, config.source_vocab)?
        };
        let name = "decoder/projection/weight";
        let head = if !loader.has(name) || file.same_place(name, target) {
            Arc::clone(&second)
        } else if file.same_place(name, source) {
            Arc::clone(&first)
        } else {
            embedding(name, config.target_vocab)?
        };
        let logits_bias = loader.optional("decoder/projection/bias", config.target_vocab)?;
        let (encoder, decoder) = rayon::join(
            || loader.converted_stack("encoder", first),
            || loader.converted_stack("decoder", second),
        );
        let (encoder, decoder) = (encoder?, decoder?);
        loader.nothing_converted_left()?;
        Ok(Self {
            encoder,
            decoder,
            head,
            logits_bias,
            kernels,
            config,
        })
    }
}

impl Loader<'_> {
    fn converted_norm(&self, name: &str) -> Result<Norm, LoadError> {
        self.norm_of(&format!("{name}/gamma"), &format!("{name}/beta"))
    }

    /// Some of the rows of a layer that may be several layers in one.
    fn part(
        &self,
        name: &str,
        rows: Range<usize>,
        total: usize,
        k: usize,
    ) -> Result<Dense, LoadError> {
        let bias = self.optional(&format!("{name}/bias"), total)?;
        Ok(Dense {
            bias: bias.get(rows.clone()).unwrap_or_default().to_vec(),
            weights: self.rows(&format!("{name}/weight"), rows, total, k)?,
        })
    }

    fn converted_layer(
        &self,
        prefix: &str,
        stack: StackConfig,
        decoder: bool,
    ) -> Result<Layer, LoadError> {
        let (c, d) = (self.config, self.config.d_model);
        let inner = stack.heads * c.head_dim;
        let name = format!("{prefix}/self_attention");
        let fused = |i: usize| {
            let rows = i * inner..(i + 1) * inner;
            self.part(&format!("{name}/linear_0"), rows, 3 * inner, d)
        };
        let attention = Attention {
            q: fused(0)?,
            k: fused(1)?,
            v: fused(2)?,
            out: self.part(&format!("{name}/linear_1"), 0..d, d, inner)?,
            norm: self.converted_norm(&format!("{name}/layer_norm"))?,
        };
        let cross = || -> Result<Attention, LoadError> {
            let name = format!("{prefix}/attention");
            let fused = |i: usize| {
                let rows = i * inner..(i + 1) * inner;
                self.part(&format!("{name}/linear_1"), rows, 2 * inner, d)
            };
            Ok(Attention {
                q: self.part(&format!("{name}/linear_0"), 0..inner, inner, d)?,
                k: fused(0)?,
                v: fused(1)?,
                out: self.part(&format!("{name}/linear_2"), 0..d, d, inner)?,
                norm: self.converted_norm(&format!("{name}/layer_norm"))?,
            })
        };
        let ffn =
            |part: &str, n: usize, k: usize| self.part(&format!("{prefix}/ffn/{part}"), 0..n, n, k);
        Ok(Layer {
            attention,
            cross: decoder.then(cross).transpose()?,
            ffn: FeedForward {
                inner: ffn("linear_0", stack.ffn, d)?,
                gate: c
                    .gated
                    .then(|| ffn("linear_0_noact", stack.ffn, d))
                    .transpose()?,
                outer: ffn("linear_1", d, stack.ffn)?,
                norm: self.converted_norm(&format!("{prefix}/ffn/layer_norm"))?,
            },
        })
    }

    fn converted_stack(
        &self,
        side: &str,
        embedding: Arc<crate::engine::linear::Linear>,
    ) -> Result<Stack, LoadError> {
        let c = self.config;
        let stack = if side == "encoder" {
            c.encoder
        } else {
            c.decoder
        };
        let relative = match c.positions {
            Positions::Relative { buckets, .. } => {
                let name = format!("{side}/layer_0/self_attention/relative_attention_bias");
                self.table(&name, buckets, stack.heads)?
            }
            _ => Vec::new(),
        };
        let optional = |wanted: bool, name: &str| {
            wanted
                .then(|| self.converted_norm(&format!("{side}/{name}")))
                .transpose()
        };
        let name = format!("{side}/position_encodings/encodings");
        Ok(Stack {
            positions: match c.max_positions {
                Some(count) => self.table(&name, count, c.d_model)?,
                None => Vec::new(),
            },
            relative,
            embedding_norm: optional(c.embedding_norm, "layernorm_embedding")?,
            final_norm: optional(c.final_norm, "layer_norm")?,
            layers: (0..stack.layers)
                .into_par_iter()
                .map(|i| {
                    self.converted_layer(&format!("{side}/layer_{i}"), stack, side == "decoder")
                })
                .collect::<Result<_, _>>()?,
            embedding,
        })
    }

    /// Fails on a variable with dimensions that nothing asked for; numbers are settings.
    fn nothing_converted_left(&self) -> Result<(), LoadError> {
        let used = self
            .used
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = |name: &str| {
            let info = self.checkpoint.get(name);
            used.contains(name)
                || info.is_some_and(|i| i.shape.is_empty())
                || name.contains("relative_attention")
                || name.ends_with("alignment_heads")
                || used.iter().any(|u| self.checkpoint.same_place(u, name))
                || name
                    .strip_suffix("_scale")
                    .is_some_and(|n| used.iter().any(|u| self.checkpoint.same_place(u, n)))
        };
        match self.checkpoint.names().find(|name| !known(name)) {
            Some(name) => Err(CheckpointError::Extra(name.to_owned())),
            None => Ok(()),
        }
    }
}
