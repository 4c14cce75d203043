//! Decoding: caches, positions and the forward pass.

use super::config::{Activation, CausalConfig, RopeLayout};
use super::weights::CausalModel;
use crate::decode::{Slot, Stepper};
use crate::kernel::{AttentionHead, Kernels, KeyValueCache, QuantizedRows};

/// Keys and values of one sequence, for each layer.
#[derive(Debug, Default, Clone)]
struct Sequence {
    len: usize,
    cache: Vec<KeyValueCache>,
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
    /// For each token `dim / 2` pairs of cosine and sine: of layers that see everything, and of
    /// windowed ones.
    turns: [Vec<(f32, f32)>; 2],
}

/// Caches and scratch of one worker thread.
#[derive(Debug)]
pub struct CausalSession<'m> {
    model: &'m CausalModel,
    sequences: Vec<Sequence>,
    free: Vec<usize>,
    work: Workspace,
}

impl<'m> CausalSession<'m> {
    pub(super) fn new(model: &'m CausalModel) -> Self {
        Self {
            model,
            sequences: Vec::new(),
            free: Vec::new(),
            work: Workspace::default(),
        }
    }

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

    /// Cosines and sines of the positions of all tokens of a call.
    fn fill_turns(&self, rows: &[(Slot, &[u32])], work: &mut Workspace) {
        for (turns, freq) in work.turns.iter_mut().zip(&self.model.inverse_freq) {
            turns.clear();
            for (slot, ids) in rows {
                let first = self.sequences[slot.0].len;
                for position in first..first + ids.len() {
                    turns.extend(freq.iter().map(|f| {
                        let angle = position as f32 * f;
                        (angle.cos(), angle.sin())
                    }));
                }
            }
        }
    }

    /// Norms a head, where the model does, and turns it by its position.
    fn norm_and_turn(
        &self,
        head: &mut [f32],
        weight: Option<&Vec<f32>>,
        turns: &[(f32, f32)],
        buffer: &mut [f32],
    ) {
        let c = &self.model.config;
        if let Some(weight) = weight {
            let kernels = self.model.kernels;
            kernels.rms_norm(head, weight, c.norm_eps, buffer);
            head.copy_from_slice(buffer);
        }
        turn(head, turns, c);
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
            .forward_quantized(kernels, &work.normed, &work.quantized, &[], &mut work.k);
        layer
            .v
            .forward_quantized(kernels, &work.normed, &work.quantized, &[], &mut work.v);
        let (q_dim, kv_dim) = (c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
        let window = c.window_of(index);
        let turns = &work.turns[usize::from(window.is_some())];
        let scale = 1.0 / (c.head_dim as f32).sqrt();
        let group = c.n_heads / c.n_kv_heads;
        work.attended.resize(work.q.len(), 0.0);
        let mut buffer = vec![0f32; c.head_dim];
        let mut row = 0;
        for (slot, ids) in rows {
            for i in 0..ids.len() {
                let position = self.sequences[slot.0].len + i;
                let turns = &turns[row * c.rope.dim / 2..][..c.rope.dim / 2];
                let q = &mut work.q[row * q_dim..][..q_dim];
                for head in q.chunks_exact_mut(c.head_dim) {
                    self.norm_and_turn(head, layer.q_norm.as_ref(), turns, &mut buffer);
                }
                let k = &mut work.k[row * kv_dim..][..kv_dim];
                for head in k.chunks_exact_mut(c.head_dim) {
                    self.norm_and_turn(head, layer.k_norm.as_ref(), turns, &mut buffer);
                }
                let sequence = &mut self.sequences[slot.0];
                let v = &work.v[row * kv_dim..][..kv_dim];
                sequence.cache[index].extend(k, v, kv_dim, c.head_dim);
                let first = window.map_or(0, |size| (position + 1).saturating_sub(size));
                let out = &mut work.attended[row * q_dim..][..q_dim];
                let heads = q
                    .chunks_exact(c.head_dim)
                    .zip(out.chunks_exact_mut(c.head_dim));
                for (h, (query, out)) in heads.enumerate() {
                    let head = AttentionHead {
                        query,
                        cache: &sequence.cache[index],
                        width: kv_dim,
                        column: h / group * c.head_dim,
                        first,
                        len: position + 1 - first,
                        scale,
                        bias: None,
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
            .forward_quantized(kernels, &work.normed, &work.quantized, &[], &mut work.up);
        match self.model.config.activation {
            Activation::GeluTanh => kernels.gelu_tanh_mul(&mut work.gate, &work.up),
            Activation::Silu => kernels.silu_mul(&mut work.gate, &work.up),
        }
        layer.down.forward(
            kernels,
            &work.gate,
            &mut work.quantized,
            &mut work.projected,
        );
    }

    /// `hidden += norm(projected)`, or `hidden += projected` where the model has no norm there.
    fn add_projected(&self, norm: Option<&Vec<f32>>, work: &mut Workspace) {
        let (kernels, eps) = (self.model.kernels, self.model.config.norm_eps);
        if let Some(weight) = norm {
            Self::norm_rows(kernels, &work.projected, weight, eps, &mut work.normed);
            kernels.add(&mut work.hidden, &work.normed);
        } else {
            kernels.add(&mut work.hidden, &work.projected);
        }
    }
}

/// Turns the columns of a head by its position.
fn turn(head: &mut [f32], turns: &[(f32, f32)], c: &CausalConfig) {
    let half = c.rope.dim / 2;
    for (i, (cos, sin)) in turns.iter().enumerate() {
        let (first, second) = match c.rope.layout {
            RopeLayout::Halves => (i, i + half),
            RopeLayout::Pairs => (2 * i, 2 * i + 1),
        };
        let (a, b) = (head[first], head[second]);
        head[first] = a * cos - b * sin;
        head[second] = b * cos + a * sin;
    }
}

impl Stepper for CausalSession<'_> {
    fn open(&mut self) -> Slot {
        let layers = self.model.config.n_layers;
        self.slot_for(Sequence {
            len: 0,
            cache: vec![KeyValueCache::default(); layers],
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
        for (id, out) in ids.zip(work.hidden.chunks_exact_mut(c.d_model)) {
            // An id outside the vocabulary reads as padding, the first row.
            let row = if (*id as usize) < c.vocab_size {
                *id as usize
            } else {
                0
            };
            model.embedding.row(row, out);
            out.iter_mut().for_each(|v| *v *= c.embedding_scale);
        }
        self.fill_turns(rows, &mut work);
        for (i, layer) in model.layers.iter().enumerate() {
            Self::norm_rows(
                kernels,
                &work.hidden,
                &layer.attn_norm,
                c.norm_eps,
                &mut work.normed,
            );
            self.attention(i, rows, &mut work);
            self.add_projected(layer.post_attn_norm.as_ref(), &mut work);
            Self::norm_rows(
                kernels,
                &work.hidden,
                &layer.ffn_norm,
                c.norm_eps,
                &mut work.normed,
            );
            self.feed_forward(i, &mut work);
            self.add_projected(layer.post_ffn_norm.as_ref(), &mut work);
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
        let output = model.output.as_ref().unwrap_or(&model.embedding);
        output.forward(kernels, &work.normed, &mut work.quantized, logits);
        self.work = work;
    }

    fn vocab_size(&self) -> usize {
        self.model.config.vocab_size
    }

    fn best_and_log_sum(&self, logits: &[f32]) -> (usize, f32) {
        self.model.kernels.argmax_log_sum_exp(logits)
    }
}
