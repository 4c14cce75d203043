//! Shape and options of a decoder-only model, read from its file.

use crate::formats::gguf::{BLOCK, Gguf, GgufError, Value};

/// Shape and options of a model.
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
    /// Rotary positions.
    pub rope: Rope,
    /// Layers that see a window only; `None`: all layers see everything.
    pub window: Option<Window>,
    /// Gate of the feed-forward layer.
    pub activation: Activation,
    /// Queries and keys are normed, head by head.
    pub head_norms: bool,
    /// What attention and feed-forward give is normed before it is added.
    pub post_norms: bool,
    /// Factor of the embeddings.
    pub embedding_scale: f32,
}

/// Gate of the feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU in its tanh form.
    GeluTanh,
    /// `x * sigmoid(x)`.
    Silu,
}

/// Which columns of a head turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeLayout {
    /// Column `i` with column `i + dim / 2`, as in GPT-NeoX.
    Halves,
    /// Column `2 i` with column `2 i + 1`, as in the paper; GGUF files of the Llama layout have
    /// their query and key rows permuted for this.
    Pairs,
}

/// Rotary positions. Source: Su et al. 2021.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Base of the frequencies, in layers that see everything.
    pub base: f32,
    /// Base of the frequencies, in layers that see a window.
    pub base_local: f32,
    /// Columns of a head that turn, from the first.
    pub dim: usize,
    /// Which of them turn together.
    pub layout: RopeLayout,
    /// Positions are divided by this in layers that see everything.
    pub linear_factor: f32,
}

/// Layers that see a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Positions that a windowed layer sees.
    pub size: usize,
    /// Every how manyeth layer sees everything.
    pub global_every: usize,
}

/// Keys of one architecture, with bounds on what they may say.
struct Keys<'a, 'g> {
    gguf: &'a Gguf<'g>,
    architecture: &'a str,
}

impl Keys<'_, '_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn size(&self, name: &str, max: usize) -> Result<usize, GgufError> {
        let value = self.gguf.usize(&self.key(name))?;
        if value == 0 || value > max {
            return Err(GgufError::Invalid(format!("{} is {value}", self.key(name))));
        }
        Ok(value)
    }

    fn size_or(&self, name: &str, max: usize, default: usize) -> Result<usize, GgufError> {
        match self.gguf.get(&self.key(name)) {
            Some(_) => self.size(name, max),
            None => Ok(default),
        }
    }

    fn float_or(&self, name: &str, default: f32) -> Result<f32, GgufError> {
        match self.gguf.get(&self.key(name)) {
            Some(_) => self.gguf.float(&self.key(name)),
            None => Ok(default),
        }
    }

    /// The factor of linear position scaling; other kinds are not run.
    fn linear_factor(&self) -> Result<f32, GgufError> {
        match self.gguf.get(&self.key("rope.scaling.type")) {
            None => Ok(1.0),
            Some(Value::Text(kind)) if kind == "none" => Ok(1.0),
            Some(Value::Text(kind)) if kind == "linear" => {
                self.float_or("rope.scaling.factor", 1.0)
            }
            other => Err(GgufError::Invalid(format!(
                "rope.scaling.type {other:?} is not supported"
            ))),
        }
    }
}

impl CausalConfig {
    pub(super) fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, GgufError> {
        let architecture = gguf.text("general.architecture")?;
        let keys = Keys { gguf, architecture };
        let gemma = match architecture {
            "gemma3" => true,
            "llama" => false,
            _ => {
                return Err(GgufError::Invalid(format!(
                    "architecture '{architecture}' is not supported; tarjama runs gemma3 and \
                     llama from GGUF files"
                )));
            }
        };
        if keys.size_or("expert_count", 1 << 10, 1).unwrap_or(0) > 1 {
            let message = "mixtures of experts are not supported";
            return Err(GgufError::Invalid(message.into()));
        }
        let vocab_size = match gguf.get("tokenizer.ggml.tokens") {
            Some(Value::Array(tokens)) if !tokens.is_empty() => tokens.len(),
            _ => return Err(GgufError::MissingKey("tokenizer.ggml.tokens".into())),
        };
        let d_model = keys.size("embedding_length", 1 << 16)?;
        let n_heads = keys.size("attention.head_count", 1 << 10)?;
        let head_dim = keys.size_or("attention.key_length", 1 << 12, d_model / n_heads)?;
        let value_dim = keys.size_or("attention.value_length", 1 << 12, head_dim)?;
        let base = keys.float_or("rope.freq_base", 10_000.0)?;
        let config = Self {
            d_model,
            n_layers: keys.size("block_count", 1 << 10)?,
            n_heads,
            n_kv_heads: keys.size_or("attention.head_count_kv", 1 << 10, n_heads)?,
            head_dim,
            ffn_dim: keys.size("feed_forward_length", 1 << 18)?,
            vocab_size,
            context_length: keys.size("context_length", 1 << 24)?,
            norm_eps: gguf.float(&keys.key("attention.layer_norm_rms_epsilon"))?,
            rope: Rope {
                base,
                // llama.cpp fixes this for Gemma 3; the file does not carry it.
                base_local: if gemma { 10_000.0 } else { base },
                dim: keys.size_or("rope.dimension_count", 1 << 12, head_dim)?,
                layout: if gemma {
                    RopeLayout::Halves
                } else {
                    RopeLayout::Pairs
                },
                linear_factor: keys.linear_factor()?,
            },
            window: if gemma {
                let size = keys.size("attention.sliding_window", 1 << 24)?;
                // As `base_local`.
                let global_every = 6;
                Some(Window { size, global_every })
            } else {
                None
            },
            activation: if gemma {
                Activation::GeluTanh
            } else {
                Activation::Silu
            },
            head_norms: gemma,
            post_norms: gemma,
            embedding_scale: if gemma { (d_model as f32).sqrt() } else { 1.0 },
        };
        let fits = config.d_model.is_multiple_of(BLOCK)
            && config.ffn_dim.is_multiple_of(BLOCK)
            && (config.n_heads * config.head_dim).is_multiple_of(BLOCK)
            && config.rope.dim.is_multiple_of(2)
            && config.rope.dim <= config.head_dim
            && config.rope.linear_factor > 0.0
            && value_dim == config.head_dim
            && config.n_heads.is_multiple_of(config.n_kv_heads);
        if fits {
            Ok(config)
        } else {
            Err(GgufError::Invalid(format!("unusual shape {config:?}")))
        }
    }

    /// The positions that a layer sees, if not all.
    pub(super) fn window_of(&self, layer: usize) -> Option<usize> {
        self.window
            .filter(|w| layer % w.global_every != w.global_every - 1)
            .map(|w| w.size)
    }

    /// `1 / base^(2 i / dim)` of layers that see everything and of windowed ones.
    pub(super) fn inverse_freq(&self) -> [Vec<f32>; 2] {
        let freq = |base: f32, factor: f32| -> Vec<f32> {
            let dim = self.rope.dim as f32;
            (0..self.rope.dim / 2)
                .map(|i| 1.0 / base.powf(2.0 * i as f32 / dim) / factor)
                .collect()
        };
        [
            freq(self.rope.base, self.rope.linear_factor),
            freq(self.rope.base_local, 1.0),
        ]
    }
}
