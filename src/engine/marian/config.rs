//! The options of a model, read from the configuration that its file carries.

use std::collections::BTreeMap;

use super::ModelError;

/// Activation between the layers of a feed-forward block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    Relu,
    Swish,
}

/// Shape and options of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Width of every layer's output.
    pub dim: usize,
    /// Attention heads.
    pub heads: usize,
    /// Encoder layers.
    pub encoder_depth: usize,
    /// Decoder layers.
    pub decoder_depth: usize,
    /// Matrices of an encoder's feed-forward block.
    pub encoder_ffn_depth: usize,
    /// Matrices of a decoder's feed-forward block.
    pub decoder_ffn_depth: usize,
    /// Sizes of the source and the target vocabulary.
    pub vocabularies: [usize; 2],
    /// Name of the source embeddings.
    pub(super) source_table: &'static str,
    /// Name of the target embeddings, which are the output layer too.
    pub(super) target_table: &'static str,
    pub(super) output_bias: bool,
    pub(super) activation: Activation,
}

/// Options that must have these values where they are present, since no other is implemented.
const REQUIRED: &[(&str, &[&str])] = &[
    ("type", &["transformer"]),
    ("transformer-decoder-autoreg", &["rnn"]),
    ("dec-cell", &["ssru"]),
    ("transformer-preprocess", &[""]),
    ("transformer-postprocess", &["dan", "an"]),
    ("transformer-postprocess-emb", &["d", ""]),
    ("transformer-postprocess-top", &[""]),
    ("transformer-train-position-embeddings", &["false"]),
    ("transformer-no-projection", &["false"]),
    ("transformer-rnn-projection", &["false"]),
    ("transformer-pool", &["false"]),
    ("layer-normalization", &["false"]),
    ("lemma-dim-emb", &["0"]),
    ("right-left", &["false"]),
    ("ulr", &["false"]),
];

impl Config {
    /// Reads the text of the configuration.
    ///
    /// # Errors
    /// When an option is missing, senseless, or of a kind that this engine lacks.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let options = Options::parse(text);
        for (key, allowed) in REQUIRED {
            if let Some(value) = options.text(key)
                && !allowed.contains(&value)
            {
                return Err(ModelError::Unsupported(format!("{key} is '{value}'")));
            }
        }
        if options
            .0
            .get("transformer-tied-layers")
            .is_some_and(|layers| !layers.is_empty())
        {
            return Err(ModelError::Unsupported("its layers are tied".into()));
        }
        let ffn_depth = options.number("transformer-ffn-depth")?;
        let decoder_ffn_depth = match options.text("transformer-decoder-ffn-depth") {
            None | Some("0") => ffn_depth,
            Some(_) => options.number("transformer-decoder-ffn-depth")?,
        };
        let (all, source) = (
            options.flag("tied-embeddings-all"),
            options.flag("tied-embeddings-src"),
        );
        if !all && !options.flag("tied-embeddings") {
            return Err(ModelError::Unsupported(
                "its output layer is not its embeddings".into(),
            ));
        }
        let shared = all || source;
        let sizes = options
            .0
            .get("dim-vocabs")
            .map(Vec::as_slice)
            .unwrap_or_default();
        let vocabularies = match sizes {
            [source, target] => [
                positive("dim-vocabs", source)?,
                positive("dim-vocabs", target)?,
            ],
            _ => {
                return Err(ModelError::Unsupported(
                    "it has not two vocabularies".into(),
                ));
            }
        };
        let config = Self {
            dim: options.number("dim-emb")?,
            heads: options.number("transformer-heads")?,
            encoder_depth: options.number("enc-depth")?,
            decoder_depth: options.number("dec-depth")?,
            encoder_ffn_depth: ffn_depth,
            decoder_ffn_depth,
            vocabularies,
            source_table: if shared { "Wemb" } else { "encoder_Wemb" },
            target_table: if shared { "Wemb" } else { "decoder_Wemb" },
            output_bias: !options.flag("output-omit-bias"),
            activation: match options.text("transformer-ffn-activation") {
                Some("relu") => Activation::Relu,
                Some("swish") => Activation::Swish,
                other => {
                    return Err(ModelError::Unsupported(format!(
                        "its activation is '{}'",
                        other.unwrap_or_default()
                    )));
                }
            },
        };
        if !config.dim.is_multiple_of(config.heads)
            || !config.dim.is_multiple_of(2)
            || config.dim < 4
        {
            return Err(ModelError::Unsupported(format!(
                "its width {} does not suit {} heads",
                config.dim, config.heads
            )));
        }
        Ok(config)
    }
}

fn positive(key: &str, text: &str) -> Result<usize, ModelError> {
    match text.parse() {
        Ok(value) if (1..=1 << 24).contains(&value) => Ok(value),
        _ => Err(ModelError::Unsupported(format!("{key} is '{text}'"))),
    }
}

/// Top-level keys and their values; of nested text only flat lists are understood.
struct Options<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Options<'a> {
    fn parse(text: &'a str) -> Self {
        let mut options: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut current = None;
        for line in text.trim_end_matches('\0').lines() {
            let trimmed = line.trim();
            if let Some(item) = trimmed.strip_prefix("- ") {
                if let Some(values) = current.and_then(|key| options.get_mut(key)) {
                    values.push(unquoted(item));
                }
            } else if let Some((key, value)) = trimmed.split_once(':') {
                let value = value.trim();
                let values = match value {
                    "" | "[]" => Vec::new(),
                    _ => match value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
                        Some(list) => list.split(',').map(unquoted).collect(),
                        None => vec![unquoted(value)],
                    },
                };
                options.insert(key, values);
                current = Some(key);
            }
        }
        Self(options)
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).and_then(|values| values.first().copied())
    }

    fn flag(&self, key: &str) -> bool {
        self.text(key) == Some("true")
    }

    fn number(&self, key: &str) -> Result<usize, ModelError> {
        positive(key, self.text(key).unwrap_or_default())
    }
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "type: transformer\ndim-emb: 256\ndim-vocabs:\n  - 32000\n  - 16000\n\
        enc-depth: 6\ndec-depth: 2\ndec-cell: ssru\ntied-embeddings-all: false\n\
        tied-embeddings: true\ntransformer-heads: 8\ntransformer-ffn-depth: 2\n\
        transformer-decoder-ffn-depth: 0\ntransformer-ffn-activation: relu\n\
        transformer-postprocess: dan\ntransformer-preprocess: \"\"\ntransformer-tied-layers: []\n\0";

    #[test]
    fn keeps_the_shape_that_the_model_states() {
        let config = Config::parse(TEXT).unwrap();
        assert_eq!(config.vocabularies, [32000, 16000]);
        assert_eq!((config.encoder_depth, config.decoder_depth), (6, 2));
        assert_eq!(
            (config.source_table, config.target_table),
            ("encoder_Wemb", "decoder_Wemb")
        );
        assert_eq!(config.decoder_ffn_depth, 2);
    }

    #[test]
    fn fails_when_the_model_needs_what_is_not_there() {
        for (from, to) in [
            ("dec-cell: ssru", "dec-cell: gru"),
            (
                "transformer-postprocess: dan",
                "transformer-postprocess: da",
            ),
            ("transformer-preprocess: \"\"", "transformer-preprocess: n"),
            (
                "transformer-tied-layers: []",
                "transformer-tied-layers:\n  - 1",
            ),
            ("dim-emb: 256", "dim-emb: 0"),
            ("dim-emb: 256", "dim-emb: 100"),
            ("  - 16000", ""),
            ("relu", "gelu"),
        ] {
            assert!(Config::parse(&TEXT.replace(from, to)).is_err(), "{to}");
        }
    }
}
