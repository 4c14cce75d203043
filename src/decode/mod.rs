//! Search for the best target: greedy and beam, over any engine that can take one step.
//!
//! The engine is a [`Stepper`]: it keeps one cache slot a sequence and gives logits for the next
//! token. Search knows nothing of tensors, engines nothing of search.

/// Options of a search, merged from the model's own generation config and the user's flags.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodeOptions {
    /// Beam width; 1 is greedy search.
    pub beam: usize,
    /// Hypotheses to return, at most `beam`.
    pub nbest: usize,
    /// Exponent of the length by which a hypothesis' score is divided.
    pub length_penalty: f32,
    /// Upper bound of target tokens, the final EOS included; `None`: the model's own rule.
    pub max_new_tokens: Option<usize>,
    /// Lower bound of target tokens before EOS may come.
    pub min_new_tokens: usize,
    /// No n-gram of this length may come twice in a target; 0 switches it off.
    pub no_repeat_ngram: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            beam: 1,
            nbest: 1,
            length_penalty: 1.0,
            max_new_tokens: None,
            min_new_tokens: 0,
            no_repeat_ngram: 0,
        }
    }
}

/// One decoded target, as ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Target ids: without the decoder start token, with forced tokens and the final EOS.
    pub ids: Vec<u32>,
    /// Mean log-probability of `ids` for greedy search, the toolkit's own score for beams.
    pub score: f32,
    /// The limit of tokens ended the search, not EOS.
    pub truncated: bool,
}
