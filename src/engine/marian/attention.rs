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

/// Rows of a sentence that attend at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queries {
    /// All its positions, in an encoder.
    All,
    /// The next position, in a decoder.
    One,
}

impl Queries {
    fn of(self, span: &Span) -> usize {
        match self {
            Self::All => span.len,
            Self::One => 1,
        }
    }
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

    /// Keys and values of `rows`, to be attended by so many queries at a time.
    pub(super) fn memory(
        &self,
        rows: &[f32],
        spans: &[Span],
        queries: Queries,
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
            Keys::new(keys, self.heads, dim / self.heads, queries.of(span))
        }));
        self.value
            .apply_after(&self.key, *kernels, rows, quantised, &mut memory.values);
    }

    /// Every row of `rows` attends to its sentence in `memory`: `spans` has each sentence once,
    /// with as many rows as it has `queries`; with [`Queries::All`], right after
    /// [`Attention::memory`] of the same rows.
    pub(super) fn apply(
        &self,
        rows: &mut Vec<f32>,
        memory: &Memory,
        spans: &[Span],
        queries: Queries,
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
        match queries {
            Queries::All => self
                .query
                .apply_after(&self.value, *kernels, rows, quantised, hidden),
            Queries::One => self.query.apply(*kernels, rows, quantised, hidden),
        }
        mixed.resize(rows.len(), 0.0);
        let mut first = 0;
        for span in spans {
            let keys = &memory.keys[span.sentence];
            let count = queries.of(span);
            scores.resize(count * keys.columns(), 0.0);
            let values = &memory.values[span.start * dim..][..span.len * dim];
            let queries = &hidden[first * dim..][..count * dim];
            let mixed = &mut mixed[first * dim..][..count * dim];
            for (head, at) in (0..dim).step_by(width).enumerate() {
                kernels.scores(keys, head, &queries[at..], dim, scores);
                for row in scores.chunks_exact_mut(keys.columns()) {
                    kernels.softmax(&mut row[..span.len]);
                }
                kernels.mix(keys, scores, &values[at..], dim, &mut mixed[at..]);
            }
            first += count;
        }
        self.output.apply(*kernels, mixed, quantised, hidden);
        self.norm.add(*kernels, hidden, rows);
        std::mem::swap(rows, hidden);
    }
}
