//! Beam search as Marian does it: a hypothesis that ends leaves the beam, which goes on narrower;
//! scores are sums of log-probabilities over the shortlist, divided by a power of the length.
//! Source: marian-dev, `src/translator/beam_search.cpp` and `history.h`.

use crate::decode::{DecodeOptions, Decoded};

use super::MarianModel;
use super::attention::Span;
use super::int8::Linear;
use super::layers::Scratch;
use super::model::Step;
use super::search::{SpecialIds, repeats, together};

/// The power of the length, as Firefox's configuration says.
const NORMALISE: f32 = 1.0;

struct Sentence {
    span: Span,
    candidates: Vec<u32>,
    /// Output layer of the candidates.
    shortlist: Linear,
    limit: usize,
    beam: Vec<Hypothesis>,
    finished: Vec<Decoded>,
}

#[derive(Clone)]
struct Hypothesis {
    ids: Vec<u32>,
    /// Sum of log-probabilities.
    score: f32,
    /// Row of the last step that it goes on from.
    row: usize,
}

impl MarianModel {
    /// Translates sources (ids that end with EOS) with a beam of `width`; for each the best
    /// hypotheses, at most `options.nbest` of them, best first.
    ///
    /// Of `groups` and ids outside the source vocabulary see [`MarianModel::greedy`].
    #[must_use]
    pub fn beam(
        &self,
        sources: &[&[u32]],
        groups: &[usize],
        special: SpecialIds,
        width: usize,
        options: &DecodeOptions,
    ) -> Vec<Vec<Decoded>> {
        let sources = self.known(sources, special);
        let views: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
        let mut work = self.scratch();
        let encoded = self.encode(&views, &mut work);
        let together = together(&views, groups);
        let spans = together.iter().zip(&encoded.spans).enumerate();
        let mut sentences: Vec<Sentence> = spans
            .map(|(row, (group, &span))| {
                let candidates = self.candidates(&group.ids, special);
                let start = Hypothesis {
                    ids: Vec::new(),
                    score: 0.0,
                    row,
                };
                Sentence {
                    span,
                    shortlist: self.shortlist(&candidates),
                    candidates,
                    limit: self.limit(group.width, options),
                    beam: vec![start],
                    finished: Vec::new(),
                }
            })
            .collect();
        let dim = self.config().dim;
        let mut states = self.start(sentences.len());
        let mut rows = Vec::new();
        let mut position = 0;
        while sentences.iter().any(|s| !s.beam.is_empty()) {
            let spans: Vec<Span> = sentences
                .iter()
                .flat_map(|s| std::iter::repeat_n(s.span, s.beam.len()))
                .collect();
            let hypotheses = || sentences.iter().flat_map(|s| &s.beam);
            let last: Option<Vec<u32>> = hypotheses().map(|h| h.ids.last().copied()).collect();
            let at = Step {
                spans: &spans,
                last: last.as_deref(),
                position,
            };
            self.step(&encoded, at, &mut states, &mut rows, &mut work);
            position += 1;
            let mut row = 0;
            for sentence in &mut sentences {
                let count = sentence.beam.len();
                let width = if position == 1 { width } else { count };
                let rows = &rows[row * dim..][..count * dim];
                sentence.grow(rows, row, width, special, options, &mut work);
                row += count;
            }
            let parents = || sentences.iter().flat_map(|s| &s.beam).map(|h| h.row);
            for state in &mut states {
                *state = parents()
                    .flat_map(|row| state[row * dim..][..dim].iter().copied())
                    .collect();
            }
        }
        let penalty = options.length_penalty.unwrap_or(NORMALISE);
        sentences
            .into_iter()
            .map(|s| s.best(penalty, options.nbest.unwrap_or(1)))
            .collect()
    }
}

impl Sentence {
    /// Takes the `width` best continuations of the beam, whose outputs are `rows`, the first of
    /// them row `first` of the step.
    fn grow(
        &mut self,
        rows: &[f32],
        first: usize,
        width: usize,
        special: SpecialIds,
        options: &DecodeOptions,
        work: &mut Scratch,
    ) {
        if self.beam.is_empty() {
            return;
        }
        let Scratch {
            kernels, quantised, ..
        } = work;
        let mut logits = Vec::new();
        self.shortlist.apply(*kernels, rows, quantised, &mut logits);
        let ngram = options.no_repeat_ngram.unwrap_or(0);
        let mut best: Vec<(f32, usize, u32)> = Vec::with_capacity(width + 1);
        let outputs = logits.chunks_exact(self.candidates.len());
        for (parent, (hypothesis, logits)) in self.beam.iter().zip(outputs).enumerate() {
            let (_, log_sum) = kernels.argmax_log_sum_exp(logits);
            let early = hypothesis.ids.len() < options.min_new_tokens.unwrap_or(0);
            for (&id, logit) in self.candidates.iter().zip(logits) {
                let score = hypothesis.score + (logit - log_sum);
                if best.len() == width && best.last().is_some_and(|(least, ..)| score <= *least) {
                    continue;
                }
                let barred = id == special.unknown
                    || (early && id == special.eos)
                    || repeats(&hypothesis.ids, id, ngram);
                if !barred {
                    let at = best.partition_point(|(better, ..)| *better >= score);
                    best.insert(at, (score, parent, id));
                    best.truncate(width);
                }
            }
        }
        let mut beam = Vec::with_capacity(width);
        for (score, parent, id) in best {
            let mut ids = self.beam[parent].ids.clone();
            ids.push(id);
            let ended = id == special.eos;
            if ended || ids.len() >= self.limit {
                self.finished.push(Decoded {
                    ids,
                    score,
                    truncated: !ended,
                });
            } else {
                beam.push(Hypothesis {
                    ids,
                    score,
                    row: first + parent,
                });
            }
        }
        self.beam = beam;
    }

    /// The best finished hypotheses by score over length, of equal ones the earlier.
    fn best(mut self, penalty: f32, count: usize) -> Vec<Decoded> {
        for decoded in &mut self.finished {
            decoded.score /= (decoded.ids.len() as f32).powf(penalty);
        }
        self.finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.finished.truncate(count);
        self.finished
    }
}
