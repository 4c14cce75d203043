//! Multi-head attention with its residual and normalisation.

use crate::formats::marian_bin::MarianFile;
use crate::kernel::Keys;

use super::ModelError;
use super::int8::Linear;
use super::layers::{Norm, Scratch};

/// One attention block.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm: Norm,
}

/// Keys and values of all sentences of a batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// One for each sentence.
    keys: Vec<Keys>,
    /// `[positions, dim]`, sentence after sentence.
    values: Vec<f32>,
}

/// Where the rows of a sentence lie in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Number of the sentence in its batch.
    pub(super) sentence: usize,
    /// First row.
    pub(super) start: usize,
    /// Rows.
    pub(super) len: usize,
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

    /// Keys and values of `rows`, to be attended by all rows of a sentence at a time (`encoder`)
    /// or by one.
    pub(super) fn memory(
        &self,
        rows: &[f32],
        spans: &[Span],
        encoder: bool,
        work: &mut Scratch,
        memory: &mut Memory,
    ) {
        let dim = self.key.outputs();
        let Scratch {
            kernels,
            quantised,
            hidden,
            ..
        } = work;
        self.key.apply(*kernels, rows, quantised, hidden);
        memory.keys.clear();
        memory.keys.extend(spans.iter().map(|span| {
            let keys = &hidden[span.start * dim..][..span.len * dim];
            let queries = if encoder { span.len } else { 1 };
            Keys::new(keys, self.heads, dim / self.heads, queries)
        }));
        self.value
            .apply(*kernels, rows, quantised, &mut memory.values);
    }

    /// Every row of `rows` attends to its sentence in `memory`: `spans` has where the sentence
    /// lies there, for each row.
    pub(super) fn apply(
        &self,
        rows: &mut Vec<f32>,
        memory: &Memory,
        spans: impl Iterator<Item = Span>,
        encoder: bool,
        work: &mut Scratch,
    ) {
        let Scratch {
            kernels,
            quantised,
            hidden,
            mixed,
            scores,
        } = work;
        let (dim, width) = (self.query.outputs(), self.query.outputs() / self.heads);
        self.query.apply(*kernels, rows, quantised, hidden);
        mixed.resize(rows.len(), 0.0);
        let queries = hidden.chunks_exact(dim).zip(mixed.chunks_exact_mut(dim));
        for ((query, mixed), span) in queries.zip(spans) {
            scores.resize(span.len, 0.0);
            let values = &memory.values[span.start * dim..][..span.len * dim];
            let heads = query.chunks_exact(width).zip(mixed.chunks_exact_mut(width));
            for (head, (query, mixed)) in heads.enumerate() {
                kernels.scores(&memory.keys[span.sentence], head, query, scores);
                kernels.softmax(scores);
                let queries = if encoder { span.len } else { 1 };
                kernels.mix(scores, &values[head * width..], dim, queries, mixed);
            }
        }
        self.output.apply(*kernels, mixed, quantised, hidden);
        self.norm.add(*kernels, hidden, rows);
        std::mem::swap(rows, hidden);
    }
}
