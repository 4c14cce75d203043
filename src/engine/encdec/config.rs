//! The shape of a model, from Hugging Face's `config.json`.

use serde_json::Value;

use crate::kernel::Activation;

/// Architectures by the names of `config.json`'s `model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Marian: opus-mt.
    Marian,
    /// M2M100, and NLLB.
    M2m100,
    /// mBART and mBART-50.
    Mbart,
    /// BART.
    Bart,
    /// PEGASUS.
    Pegasus,
    /// T5 and MADLAD.
    T5,
    /// mT5.
    Mt5,
    /// Any of them, as CTranslate2 converts it.
    Ctranslate2,
}

/// How a model knows the order of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Sines in the first half of a vector, cosines in the second, from position 0.
    Sinusoidal,
    /// As fairseq has them: other frequencies, from position `2`, nothing for padding.
    Fairseq,
    /// A learned table whose first two rows are not used.
    Learned,
    /// A learned bias by distance, added to the scores of self-attention.
    Relative {
        /// Rows of the table.
        buckets: usize,
        /// Distances from here on share the last row.
        max_distance: usize,
    },
}

/// One of the two stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackConfig {
    /// Layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub ffn: usize,
}

/// The shape of an encoder-decoder model.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Whose tensors' names are used.
    pub architecture: Architecture,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Encoder.
    pub encoder: StackConfig,
    /// Decoder.
    pub decoder: StackConfig,
    /// Source vocabulary.
    pub source_vocab: usize,
    /// Target vocabulary.
    pub target_vocab: usize,
    /// Norms are root-mean-square norms without bias.
    pub rms_norm: bool,
    /// Added to the variance in norms.
    pub norm_eps: f32,
    /// Norms stand before a layer, not behind the sum.
    pub pre_norm: bool,
    /// Embeddings are normed.
    pub embedding_norm: bool,
    /// A norm ends each stack.
    pub final_norm: bool,
    /// Layers have biases.
    pub biases: bool,
    /// Function of the feed-forward layer.
    pub activation: Activation,
    /// The feed-forward layer has a gate.
    pub gated: bool,
    /// Factor of embeddings.
    pub embed_scale: f32,
    /// Factor of attention scores.
    pub attention_scale: f32,
    /// Factor of the decoder's output before the output projection.
    pub output_scale: f32,
    /// Order of tokens.
    pub positions: Positions,
    /// Longest source or target; `None` where nothing in the model limits it.
    pub max_positions: Option<usize>,
    /// The padding id.
    pub pad: u32,
    /// A target starts from a zero vector in the place of an embedding.
    pub zero_start: bool,
}

/// Why a `config.json` cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// A field is missing or of another type.
    #[error("field '{0}' is missing or of another type")]
    Field(String),
    /// A field has a value that is not supported.
    #[error("field '{field}' is {value}, which tarjama does not run{hint}")]
    Unsupported {
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// What would be.
        hint: &'static str,
    },
}

/// A JSON object whose fields are read by name.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Value);

impl<'a> Fields<'a> {
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    /// A size: at least 1, at most `max`.
    fn size(self, name: &str, max: usize) -> Result<usize, ConfigError> {
        let field = || ConfigError::Field(name.to_owned());
        let value = self.get(name).ok_or_else(field)?;
        let size = value.as_u64().ok_or_else(field)?;
        match usize::try_from(size) {
            Ok(size) if size > 0 && size <= max => Ok(size),
            _ => Err(unsupported(name, value, "")),
        }
    }

    fn size_or(self, name: &str, max: usize, default: usize) -> Result<usize, ConfigError> {
        self.get(name).map_or(Ok(default), |_| self.size(name, max))
    }

    pub(super) fn flag(self, name: &str, default: bool) -> Result<bool, ConfigError> {
        self.get(name).map_or(Ok(default), |v| {
            v.as_bool()
                .ok_or_else(|| ConfigError::Field(name.to_owned()))
        })
    }

    pub(super) fn float(self, name: &str) -> Result<Option<f32>, ConfigError> {
        self.get(name)
            .map(|v| {
                let float = v
                    .as_f64()
                    .ok_or_else(|| ConfigError::Field(name.to_owned()))?;
                Ok(float as f32)
            })
            .transpose()
    }

    pub(super) fn id(self, name: &str) -> Result<Option<u32>, ConfigError> {
        self.get(name)
            .map(|v| id(v).ok_or_else(|| ConfigError::Field(name.to_owned())))
            .transpose()
    }

    fn text(self, name: &str) -> Result<&'a str, ConfigError> {
        self.get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| ConfigError::Field(name.to_owned()))
    }
}

pub(super) fn id(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}

pub(super) fn unsupported(field: &str, value: &Value, hint: &'static str) -> ConfigError {
    ConfigError::Unsupported {
        field: field.to_owned(),
        value: value.to_string(),
        hint,
    }
}

const MAX_WIDTH: usize = 1 << 16;
const MAX_TABLE: usize = 1 << 26;
const MAX_LAYERS: usize = 1 << 10;
const MAX_VOCAB: usize = 1 << 24;
const KNOWN: &str = "; it runs marian, m2m_100, mbart, bart, pegasus, t5 and mt5";

impl Config {
    /// Reads the bytes of a `config.json`.
    ///
    /// # Errors
    /// When they are no JSON, lack a field, or name an architecture or variant that is not run.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let json: Value =
            serde_json::from_slice(bytes).map_err(|e| ConfigError::Json(e.to_string()))?;
        let fields = Fields(&json);
        let kind = fields.text("model_type")?;
        let config = match kind {
            "marian" => bart_like(fields, Architecture::Marian)?,
            "m2m_100" => bart_like(fields, Architecture::M2m100)?,
            "mbart" => bart_like(fields, Architecture::Mbart)?,
            "bart" => bart_like(fields, Architecture::Bart)?,
            "pegasus" => bart_like(fields, Architecture::Pegasus)?,
            "t5" => t5_like(fields, Architecture::T5)?,
            "mt5" => t5_like(fields, Architecture::Mt5)?,
            _ => return Err(unsupported("model_type", &Value::from(kind), KNOWN)),
        };
        // The tables of positions that are computed have no file to bound them.
        let table = config
            .max_positions
            .unwrap_or(0)
            .saturating_mul(config.d_model);
        if table > MAX_TABLE && config.positions != Positions::Learned {
            let positions = Value::from(config.max_positions);
            return Err(unsupported("max_position_embeddings", &positions, ""));
        }
        // Packed weights come in fours.
        for (field, width) in [
            ("d_model", config.d_model),
            ("d_kv", config.encoder.heads * config.head_dim),
        ] {
            if !width.is_multiple_of(4) {
                return Err(unsupported(field, &Value::from(width), ""));
            }
        }
        Ok(config)
    }
}

fn activation(fields: Fields<'_>, name: &str) -> Result<Activation, ConfigError> {
    Ok(match fields.text(name)? {
        "relu" => Activation::Relu,
        "swish" | "silu" => Activation::Silu,
        "gelu" => Activation::Gelu,
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Activation::GeluTanh,
        other => return Err(unsupported(name, &Value::from(other), "")),
    })
}

fn bart_like(fields: Fields<'_>, architecture: Architecture) -> Result<Config, ConfigError> {
    use Architecture::{M2m100, Marian, Mbart, Pegasus};
    let d_model = fields.size("d_model", MAX_WIDTH)?;
    let stack = |name: &str| -> Result<StackConfig, ConfigError> {
        let heads = format!("{name}_attention_heads");
        let config = StackConfig {
            layers: fields.size(&format!("{name}_layers"), MAX_LAYERS)?,
            heads: fields.size(&heads, MAX_LAYERS)?,
            ffn: fields.size(&format!("{name}_ffn_dim"), 1 << 18)?,
        };
        match (
            d_model.is_multiple_of(config.heads),
            config.ffn.is_multiple_of(4),
        ) {
            (true, true) => Ok(config),
            (false, _) => Err(unsupported(&heads, &Value::from(config.heads), "")),
            (_, false) => {
                let ffn = Value::from(config.ffn);
                Err(unsupported(&format!("{name}_ffn_dim"), &ffn, ""))
            }
        }
    };
    let (encoder, decoder) = (stack("encoder")?, stack("decoder")?);
    if encoder.heads != decoder.heads {
        let heads = Value::from(decoder.heads);
        return Err(unsupported("decoder_attention_heads", &heads, ""));
    }
    let source_vocab = fields.size("vocab_size", MAX_VOCAB)?;
    let shared = fields.flag("share_encoder_decoder_embeddings", true)?;
    let target_vocab = if architecture == Marian && !shared {
        fields.size_or("decoder_vocab_size", MAX_VOCAB, source_vocab)?
    } else {
        source_vocab
    };
    let head_dim = d_model / encoder.heads;
    let scaled = fields.flag("scale_embedding", matches!(architecture, M2m100))?;
    let act = match fields.get("activation_function") {
        Some(_) => activation(fields, "activation_function")?,
        None if architecture == M2m100 => Activation::Relu,
        None => Activation::Gelu,
    };
    let pre_norm = matches!(architecture, M2m100 | Mbart | Pegasus);
    Ok(Config {
        architecture,
        d_model,
        head_dim,
        encoder,
        decoder,
        source_vocab,
        target_vocab,
        rms_norm: false,
        norm_eps: 1e-5,
        pre_norm,
        embedding_norm: matches!(architecture, Mbart | Architecture::Bart),
        final_norm: pre_norm,
        biases: true,
        activation: act,
        gated: false,
        embed_scale: if scaled { (d_model as f32).sqrt() } else { 1.0 },
        attention_scale: (head_dim as f32).powf(-0.5),
        output_scale: 1.0,
        positions: match architecture {
            Marian | Pegasus => Positions::Sinusoidal,
            M2m100 => Positions::Fairseq,
            _ => Positions::Learned,
        },
        max_positions: Some(fields.size_or("max_position_embeddings", 1 << 20, 1024)?),
        pad: fields.id("pad_token_id")?.unwrap_or(match architecture {
            Pegasus => 0,
            _ => 1,
        }),
        zero_start: false,
    })
}

fn t5_like(fields: Fields<'_>, architecture: Architecture) -> Result<Config, ConfigError> {
    let d_model = fields.size("d_model", MAX_WIDTH)?;
    let head_dim = fields.size("d_kv", MAX_WIDTH)?;
    let heads = fields.size("num_heads", MAX_LAYERS)?;
    let ffn = fields.size("d_ff", 1 << 18)?;
    if !ffn.is_multiple_of(4) {
        return Err(unsupported("d_ff", &Value::from(ffn), ""));
    }
    let layers = fields.size("num_layers", MAX_LAYERS)?;
    let vocab = fields.size("vocab_size", MAX_VOCAB)?;
    let stack = |layers| StackConfig { layers, heads, ffn };
    let projection = fields.get("feed_forward_proj").and_then(Value::as_str);
    let (gated, activation) = match (projection, architecture) {
        (Some("relu"), _) | (None, Architecture::T5) => (false, Activation::Relu),
        (Some("gated-gelu"), _) | (None, _) => (true, Activation::GeluTanh),
        (Some("gated-silu"), _) => (true, Activation::Silu),
        (Some("gated-relu"), _) => (true, Activation::Relu),
        (Some("gelu"), _) => (false, Activation::Gelu),
        (Some(other), _) => {
            return Err(unsupported("feed_forward_proj", &Value::from(other), ""));
        }
    };
    // T5 scales its output where `tie_word_embeddings` is not false, mT5 never; whether the output
    // projection is tied is for the checkpoint to say.
    let scaled = architecture == Architecture::T5 && fields.flag("tie_word_embeddings", true)?;
    Ok(Config {
        architecture,
        d_model,
        head_dim,
        encoder: stack(layers),
        decoder: stack(fields.size_or("num_decoder_layers", MAX_LAYERS, layers)?),
        source_vocab: vocab,
        target_vocab: vocab,
        rms_norm: true,
        norm_eps: fields.float("layer_norm_epsilon")?.unwrap_or(1e-6),
        pre_norm: true,
        embedding_norm: false,
        final_norm: true,
        biases: false,
        activation,
        gated,
        embed_scale: 1.0,
        attention_scale: 1.0,
        output_scale: if scaled {
            (d_model as f32).powf(-0.5)
        } else {
            1.0
        },
        positions: Positions::Relative {
            buckets: fields.size_or("relative_attention_num_buckets", 1 << 10, 32)?,
            max_distance: fields.size_or("relative_attention_max_distance", 1 << 20, 128)?,
        },
        max_positions: None,
        pad: fields.id("pad_token_id")?.unwrap_or(0),
        zero_start: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marian() -> Value {
        serde_json::json!({
            "model_type": "marian", "d_model": 64, "vocab_size": 100, "encoder_layers": 2,
            "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
            "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "scale_embedding": true,
            "activation_function": "swish", "pad_token_id": 99, "max_position_embeddings": 512
        })
    }

    fn parse(json: &Value) -> Result<Config, ConfigError> {
        Config::parse(json.to_string().as_bytes())
    }

    #[test]
    fn families_differ_in_what_they_differ_in() {
        let config = parse(&marian()).unwrap();
        assert_eq!(
            (config.pre_norm, config.embed_scale, config.pad),
            (false, 8.0, 99)
        );
        let mut json = marian();
        json["model_type"] = "mbart".into();
        let config = parse(&json).unwrap();
        assert!(config.pre_norm && config.embedding_norm && config.final_norm);
    }

    #[test]
    fn fails_when_a_field_is_wrong_and_names_it() {
        for (field, value) in [
            ("d_model", Value::Null),
            ("d_model", Value::from(0)),
            ("encoder_layers", Value::from(-1)),
            ("decoder_attention_heads", Value::from(7)),
            ("activation_function", Value::from("mish")),
            ("model_type", Value::from("whisper")),
            ("scale_embedding", Value::from("yes")),
        ] {
            let mut json = marian();
            json[field] = value;
            let error = parse(&json).unwrap_err().to_string();
            assert!(error.contains(field), "{field}: {error}");
        }
        assert!(matches!(Config::parse(b"{"), Err(ConfigError::Json(_))));
    }
}
