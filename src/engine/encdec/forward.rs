//! The forward pass: an encoder over whole sources, a decoder that takes one step for many
//! sequences, each with its own cache.
//!
//! Source: Vaswani et al. 2017; the variants as huggingface/transformers `models/` has them.

use std::ops::Range;
use std::sync::Arc;

use super::config::{Config, Positions};
use super::positions::relative;
use super::weights::{Attention, Dense, FeedForward, Model, Norm, Stack};
use crate::decode::{Slot, Stepper};
use crate::kernel::{AttentionHead, Kernels, KeyValueCache, QuantizedRows};

/// What the decoder sees of a source: keys and values for each layer.
#[derive(Debug, Default)]
struct Memory {
    len: usize,
    cache: Vec<KeyValueCache>,
}

/// Keys and values of one target, for each layer.
#[derive(Debug, Default, Clone)]
struct Sequence {
    len: usize,
    cache: Vec<KeyValueCache>,
    memory: Arc<Memory>,
}

/// Buffers of a forward pass, one row a token.
#[derive(Debug, Default)]
struct Work {
    hidden: Vec<f32>,
    input: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    attended: Vec<f32>,
    projected: Vec<f32>,
    inner: Vec<f32>,
    gate: Vec<f32>,
    scores: Vec<f32>,
    quantized: QuantizedRows,
}

/// Caches and buffers of one worker thread over shared weights.
#[derive(Debug)]
pub struct Session<'m> {
    model: &'m Model,
    sequences: Vec<Sequence>,
    free: Vec<usize>,
    work: Work,
    /// Biases of the decoder's distances, for so many positions.
    relative: (usize, Vec<f32>),
}

impl Dense {
    /// `out = x W^T + b`; `known` says that `quantized` holds `x` already.
    fn apply(
        &self,
        kernels: Kernels,
        x: &[f32],
        quantized: &mut QuantizedRows,
        known: bool,
        out: &mut Vec<f32>,
    ) {
        if !known {
            self.weights.quantize(kernels, x, quantized);
        }
        self.weights
            .forward_quantized(kernels, x, quantized, &self.bias, out);
    }
}

impl Norm {
    fn apply(&self, kernels: Kernels, eps: f32, x: &[f32], out: &mut Vec<f32>) {
        out.resize(x.len(), 0.0);
        let width = self.weight.len();
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            if self.bias.is_empty() {
                kernels.rms_norm(x, &self.weight, eps, out);
            } else {
                kernels.layer_norm(x, &self.weight, &self.bias, eps, out);
            }
        }
    }
}

impl Work {
    /// What a layer reads: the stream, normed where norms stand in front.
    fn enter(&mut self, kernels: Kernels, config: &Config, norm: &Norm) {
        if config.pre_norm {
            norm.apply(kernels, config.norm_eps, &self.hidden, &mut self.input);
        } else {
            self.input.clear();
            self.input.extend_from_slice(&self.hidden);
        }
    }

    /// Adds what a layer wrote, and norms the sum where norms stand behind.
    fn leave(&mut self, kernels: Kernels, config: &Config, norm: &Norm) {
        kernels.add(&mut self.hidden, &self.projected);
        if !config.pre_norm {
            norm.apply(kernels, config.norm_eps, &self.hidden, &mut self.input);
            std::mem::swap(&mut self.hidden, &mut self.input);
        }
    }

    fn feed_forward(&mut self, kernels: Kernels, config: &Config, ffn: &FeedForward) {
        self.enter(kernels, config, &ffn.norm);
        let Self {
            input,
            inner,
            gate,
            projected,
            quantized,
            ..
        } = self;
        ffn.inner.apply(kernels, input, quantized, false, inner);
        kernels.activate(config.activation, inner);
        if let Some(up) = &ffn.gate {
            up.apply(kernels, input, quantized, true, gate);
            kernels.multiply(inner, gate);
        }
        ffn.outer.apply(kernels, inner, quantized, false, projected);
        self.leave(kernels, config, &ffn.norm);
    }

    fn queries_keys_values(&mut self, kernels: Kernels, attention: &Attention) {
        let Self {
            input,
            q,
            k,
            v,
            quantized,
            ..
        } = self;
        attention.q.apply(kernels, input, quantized, false, q);
        attention.k.apply(kernels, input, quantized, true, k);
        attention.v.apply(kernels, input, quantized, true, v);
    }

    fn project(&mut self, kernels: Kernels, config: &Config, attention: &Attention) {
        let Self {
            attended,
            projected,
            quantized,
            ..
        } = self;
        attention
            .out
            .apply(kernels, attended, quantized, false, projected);
        self.leave(kernels, config, &attention.norm);
    }

    /// Embeds tokens at their positions into the stream.
    fn embed(
        &mut self,
        model: &Model,
        stack: &Stack,
        zero_start: bool,
        tokens: impl Iterator<Item = (u32, usize)>,
    ) {
        let (c, d) = (&model.config, model.config.d_model);
        self.hidden.clear();
        let mut row = vec![0f32; d];
        for (id, position) in tokens {
            stack.embedding.row(id as usize, &mut row);
            for value in &mut row {
                *value *= c.embed_scale;
            }
            if zero_start && position == 0 {
                row.fill(0.0);
            }
            let at = match c.positions {
                Positions::Relative { .. } => None,
                Positions::Sinusoidal => Some(position),
                Positions::Learned => Some(position + 2),
                // Padding has no position.
                Positions::Fairseq => (id != c.pad).then_some(position + 2),
            };
            if let Some(at) = at.and_then(|at| stack.positions.get(at * d..(at + 1) * d)) {
                model.kernels.add(&mut row, at);
            }
            self.hidden.extend_from_slice(&row);
        }
        if let Some(norm) = &stack.embedding_norm {
            norm.apply(model.kernels, c.norm_eps, &self.hidden, &mut self.input);
            std::mem::swap(&mut self.hidden, &mut self.input);
        }
    }
}

/// Attention of the rows of one query over all of a sequence's keys, head by head.
struct Heads<'a> {
    kernels: Kernels,
    head_dim: usize,
    scale: f32,
    cache: &'a KeyValueCache,
    len: usize,
}

impl Heads<'_> {
    /// `bias(head)` gives the biases of the keys, where there are any.
    fn attend<'b>(
        &self,
        query: &[f32],
        bias: impl Fn(usize) -> Option<&'b [f32]>,
        scores: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let heads = query
            .chunks_exact(self.head_dim)
            .zip(out.chunks_exact_mut(self.head_dim));
        for (h, (query_head, out)) in heads.enumerate() {
            let head = AttentionHead {
                query: query_head,
                cache: self.cache,
                width: query.len(),
                column: h * self.head_dim,
                first: 0,
                len: self.len,
                scale: self.scale,
                bias: bias(h),
            };
            self.kernels.attend(head, scores, out);
        }
    }
}

impl Model {
    /// A decoding session of its own caches and buffers over these weights.
    #[must_use]
    pub fn session(&self) -> Session<'_> {
        Session {
            model: self,
            sequences: Vec::new(),
            free: Vec::new(),
            work: Work::default(),
            relative: (0, Vec::new()),
        }
    }

    /// Ids outside the vocabulary read as padding.
    fn known(&self, id: u32, vocab: usize) -> u32 {
        if (id as usize) < vocab {
            id
        } else {
            self.config.pad.min(vocab as u32 - 1)
        }
    }

    fn relative(&self, stack: &Stack, heads: usize, both_ways: bool, length: usize) -> Vec<f32> {
        match self.config.positions {
            Positions::Relative { max_distance, .. } => {
                relative(&stack.relative, heads, max_distance, both_ways, length)
            }
            _ => Vec::new(),
        }
    }
}

impl Session<'_> {
    /// Reads sources and opens a slot for each: an empty target over that source.
    pub fn encode(&mut self, sources: &[&[u32]]) -> Vec<Slot> {
        let model = self.model;
        let (c, kernels) = (&model.config, model.kernels);
        let mut work = std::mem::take(&mut self.work);
        let mut spans: Vec<Range<usize>> = Vec::new();
        for source in sources {
            let start = spans.last().map_or(0, |s| s.end);
            spans.push(start..start + source.len());
        }
        let tokens = sources.iter().flat_map(|source| {
            source
                .iter()
                .enumerate()
                .map(|(i, &id)| (model.known(id, c.source_vocab), i))
        });
        work.embed(model, &model.encoder, false, tokens);
        let longest = sources.iter().map(|s| s.len()).max().unwrap_or(1).max(1);
        let biases = model.relative(&model.encoder, c.encoder.heads, true, longest);
        for layer in &model.encoder.layers {
            work.enter(kernels, c, &layer.attention.norm);
            work.queries_keys_values(kernels, &layer.attention);
            let inner = c.encoder.heads * c.head_dim;
            work.attended.resize(work.q.len(), 0.0);
            for span in &spans {
                let flat = span.start * inner..span.end * inner;
                let mut cache = KeyValueCache::default();
                let (keys, values) = (&work.k[flat.clone()], &work.v[flat.clone()]);
                cache.extend(keys, values, inner, c.head_dim);
                let heads = Heads {
                    kernels,
                    head_dim: c.head_dim,
                    scale: c.attention_scale,
                    cache: &cache,
                    len: span.len(),
                };
                let rows = work.q[flat.clone()]
                    .chunks_exact(inner)
                    .zip(work.attended[flat].chunks_exact_mut(inner));
                for (i, (query, out)) in rows.enumerate() {
                    let bias = |h| distances(&biases, longest, h, i, span.len());
                    heads.attend(query, bias, &mut work.scores, out);
                }
            }
            work.project(kernels, c, &layer.attention);
            work.feed_forward(kernels, c, &layer.ffn);
        }
        if let Some(norm) = &model.encoder.final_norm {
            norm.apply(kernels, c.norm_eps, &work.hidden, &mut work.input);
            std::mem::swap(&mut work.hidden, &mut work.input);
        }
        let memories = self.memories(&spans, &mut work);
        self.work = work;
        memories
            .into_iter()
            .map(|memory| self.slot_for(memory))
            .collect()
    }

    /// Keys and values of the encoder's output for every layer of the decoder.
    fn memories(&self, spans: &[Range<usize>], work: &mut Work) -> Vec<Memory> {
        let (model, kernels) = (self.model, self.model.kernels);
        let inner = model.config.decoder.heads * model.config.head_dim;
        let mut memories: Vec<Memory> = spans
            .iter()
            .map(|span| Memory {
                len: span.len(),
                ..Memory::default()
            })
            .collect();
        let Work {
            hidden,
            k,
            v,
            quantized,
            ..
        } = work;
        for (i, cross) in model
            .decoder
            .layers
            .iter()
            .flat_map(|l| &l.cross)
            .enumerate()
        {
            cross.k.apply(kernels, hidden, quantized, i > 0, k);
            cross.v.apply(kernels, hidden, quantized, true, v);
            for (memory, span) in memories.iter_mut().zip(spans) {
                let flat = span.start * inner..span.end * inner;
                let mut cache = KeyValueCache::default();
                cache.extend(&k[flat.clone()], &v[flat], inner, model.config.head_dim);
                memory.cache.push(cache);
            }
        }
        memories
    }

    fn slot_for(&mut self, memory: Memory) -> Slot {
        let layers = self.model.decoder.layers.len();
        self.place(Sequence {
            len: 0,
            cache: vec![KeyValueCache::default(); layers],
            memory: Arc::new(memory),
        })
    }

    fn place(&mut self, sequence: Sequence) -> Slot {
        if let Some(i) = self.free.pop() {
            self.sequences[i] = sequence;
            return Slot(i);
        }
        self.sequences.push(sequence);
        Slot(self.sequences.len() - 1)
    }

    /// Self-attention of layer `index`: `work.input` is what it reads.
    fn attend_targets(&mut self, index: usize, rows: &[(Slot, &[u32])], work: &mut Work) {
        let (model, kernels) = (self.model, self.model.kernels);
        let c = &model.config;
        let inner = c.decoder.heads * c.head_dim;
        work.queries_keys_values(kernels, &model.decoder.layers[index].attention);
        work.attended.resize(work.q.len(), 0.0);
        let (known, biases) = (self.relative.0, &self.relative.1);
        let mut row = 0;
        for (slot, ids) in rows {
            let sequence = &mut self.sequences[slot.0];
            for i in 0..ids.len() {
                let flat = row * inner..(row + 1) * inner;
                let cache = &mut sequence.cache[index];
                let (keys, values) = (&work.k[flat.clone()], &work.v[flat.clone()]);
                cache.extend(keys, values, inner, c.head_dim);
                let len = sequence.len + i + 1;
                let heads = Heads {
                    kernels,
                    head_dim: c.head_dim,
                    scale: c.attention_scale,
                    cache,
                    len,
                };
                let bias = |h| distances(biases, known, h, len - 1, len);
                heads.attend(
                    &work.q[flat.clone()],
                    bias,
                    &mut work.scores,
                    &mut work.attended[flat],
                );
                row += 1;
            }
        }
    }

    /// Attention of layer `index` over the sources.
    fn attend_sources(&self, index: usize, rows: &[(Slot, &[u32])], work: &mut Work) {
        let (model, kernels) = (self.model, self.model.kernels);
        let c = &model.config;
        let inner = c.decoder.heads * c.head_dim;
        let Some(cross) = &model.decoder.layers[index].cross else {
            return;
        };
        work.enter(kernels, c, &cross.norm);
        let Work {
            input,
            q,
            quantized,
            attended,
            scores,
            ..
        } = work;
        cross.q.apply(kernels, input, quantized, false, q);
        attended.resize(q.len(), 0.0);
        let slots = rows
            .iter()
            .flat_map(|(slot, ids)| ids.iter().map(move |_| slot));
        let queries = q.chunks_exact(inner).zip(attended.chunks_exact_mut(inner));
        for (slot, (query, out)) in slots.zip(queries) {
            let memory = &self.sequences[slot.0].memory;
            let Some(cache) = memory.cache.get(index) else {
                continue;
            };
            let heads = Heads {
                kernels,
                head_dim: c.head_dim,
                scale: c.attention_scale,
                cache,
                len: memory.len,
            };
            heads.attend(query, |_| None, scores, out);
        }
        work.project(kernels, c, cross);
    }
}

/// The biases of head `h` for the query at `at` over `len` keys, in a table for `length` positions.
fn distances(table: &[f32], length: usize, h: usize, at: usize, len: usize) -> Option<&[f32]> {
    let width = (2 * length).checked_sub(1)?;
    let start = h * width + (length - 1).checked_sub(at)?;
    table.get(start..start + len)
}

impl Stepper for Session<'_> {
    /// Opens a target over an empty source; [`Session::encode`] opens those over sources.
    fn open(&mut self) -> Slot {
        self.slot_for(Memory::default())
    }

    fn fork(&mut self, slot: Slot) -> Slot {
        let copy = self.sequences[slot.0].clone();
        self.place(copy)
    }

    fn close(&mut self, slot: Slot) {
        self.sequences[slot.0] = Sequence::default();
        self.free.push(slot.0);
    }

    fn feed(&mut self, rows: &[(Slot, &[u32])], logits: &mut Vec<f32>) {
        let model = self.model;
        let (c, kernels, d) = (&model.config, model.kernels, model.config.d_model);
        let mut work = std::mem::take(&mut self.work);
        let longest = rows
            .iter()
            .map(|(slot, ids)| self.sequences[slot.0].len + ids.len())
            .max()
            .unwrap_or(0);
        if longest > self.relative.0 {
            let length = longest.next_power_of_two().max(64);
            let table = model.relative(&model.decoder, c.decoder.heads, false, length);
            self.relative = (length, table);
        }
        let tokens = rows.iter().flat_map(|(slot, ids)| {
            let start = self.sequences[slot.0].len;
            ids.iter()
                .enumerate()
                .map(move |(i, &id)| (model.known(id, c.target_vocab), start + i))
        });
        work.embed(model, &model.decoder, c.zero_start, tokens);
        for (i, layer) in model.decoder.layers.iter().enumerate() {
            work.enter(kernels, c, &layer.attention.norm);
            self.attend_targets(i, rows, &mut work);
            work.project(kernels, c, &layer.attention);
            self.attend_sources(i, rows, &mut work);
            work.feed_forward(kernels, c, &layer.ffn);
        }
        // Only the last token of each row goes to the output projection.
        work.projected.clear();
        let mut end = 0;
        for (slot, ids) in rows {
            self.sequences[slot.0].len += ids.len();
            end += ids.len();
            let last = &work.hidden[(end - 1) * d..end * d];
            work.projected.extend_from_slice(last);
        }
        if let Some(norm) = &model.decoder.final_norm {
            norm.apply(kernels, c.norm_eps, &work.projected, &mut work.input);
            std::mem::swap(&mut work.projected, &mut work.input);
        }
        if c.output_scale != 1.0 {
            for value in &mut work.projected {
                *value *= c.output_scale;
            }
        }
        let (last, quantized) = (&work.projected, &mut work.quantized);
        model.head.quantize(kernels, last, quantized);
        model
            .head
            .forward_quantized(kernels, last, quantized, &model.logits_bias, logits);
        self.work = work;
    }

    fn vocab_size(&self) -> usize {
        self.model.config.target_vocab
    }

    fn best_and_log_sum(&self, logits: &[f32]) -> (usize, f32) {
        self.model.kernels.argmax_log_sum_exp(logits)
    }
}
