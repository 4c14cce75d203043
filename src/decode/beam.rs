//! Beam search with the semantics of Hugging Face's `generate` or of CTranslate2; the beams of all prompts go through
//! the engine together, and none of them sees another prompt.
//!
//! Source: huggingface/transformers `generation/utils.py`, `_beam_search`; OpenNMT/CTranslate2
//! `src/decoding.cc`, `BeamSearch::search`.

use super::rules::{EarlyStopping, Toolkit};
use super::stepper::{Slot, Stepper};
use super::{Decoded, Rules};

struct Beam {
    slot: Slot,
    ids: Vec<u32>,
    log_prob: f32,
}

/// The search of one prompt.
struct Search {
    limit: usize,
    beams: Vec<Beam>,
    /// Best first, at most as many as beams.
    finished: Vec<Decoded>,
    /// A running beam may still get better than the finished ones.
    may_improve: bool,
    done: bool,
}

/// Goes on from sequences that `stepper` has read, each with its limit of ids; `logits` are those
/// after the last id of each. Closes them. For each the best `nbest` hypotheses, best first.
pub(super) fn beam_from<S: Stepper>(
    stepper: &mut S,
    starts: &[(Slot, usize)],
    mut logits: Vec<f32>,
    rules: &Rules,
) -> Vec<Vec<Decoded>> {
    let vocab = stepper.vocab_size();
    let mut searches: Vec<Search> = starts
        .iter()
        .map(|&(slot, limit)| Search {
            limit,
            beams: vec![Beam {
                slot,
                ids: Vec::new(),
                log_prob: 0.0,
            }],
            finished: Vec::new(),
            may_improve: true,
            done: false,
        })
        .collect();
    loop {
        let mut rows = logits.chunks_exact_mut(vocab);
        for search in searches.iter_mut().filter(|s| !s.done) {
            let rows: Vec<&mut [f32]> = rows.by_ref().take(search.beams.len()).collect();
            match rules.toolkit {
                Toolkit::HuggingFace => search.step(stepper, rows, rules),
                Toolkit::Ctranslate2 => search.step_as_ctranslate2(stepper, rows, rules),
            }
        }
        let feed: Vec<(Slot, &[u32])> = searches
            .iter()
            .filter(|s| !s.done)
            .flat_map(|s| &s.beams)
            .map(|b| (b.slot, &b.ids[b.ids.len() - 1..]))
            .collect();
        if feed.is_empty() {
            break;
        }
        stepper.feed(&feed, &mut logits);
    }
    searches
        .into_iter()
        .map(|mut s| {
            s.finished.truncate(rules.nbest.clamp(1, rules.beam));
            s.finished
        })
        .collect()
}

impl Search {
    /// One id more for every beam.
    fn step<S: Stepper>(&mut self, stepper: &mut S, rows: Vec<&mut [f32]>, rules: &Rules) {
        let width = rules.beam;
        let keep = width * (1 + rules.eos.len()).max(2);
        // (log-probability, beam, id)
        let mut candidates: Vec<(f32, usize, u32)> = Vec::new();
        for (b, (beam, row)) in self.beams.iter().zip(rows).enumerate() {
            let log_sum = stepper.best_and_log_sum(row).1;
            for score in row.iter_mut() {
                *score -= log_sum;
            }
            if rules.bind(beam.ids.len(), self.limit) {
                rules.apply(row, &beam.ids, self.limit);
            }
            let best = top(row, keep).into_iter();
            candidates.extend(best.map(|(score, id)| (beam.log_prob + score, b, id)));
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        candidates.truncate(keep);
        let len = self.beams[0].ids.len() + 1;
        let last = len >= self.limit;
        let normalise =
            |log_prob: f32, len: usize| log_prob / (len as f32).powf(rules.length_penalty);
        let full = self.finished.len() == width;
        let closed = full && rules.early_stopping == EarlyStopping::Always || !self.may_improve;
        let mut live: Vec<(f32, usize, u32)> = Vec::new();
        for (rank, (log_prob, b, id)) in candidates.into_iter().enumerate() {
            let ended = rules.eos.contains(&id);
            if !ended && !last {
                if live.len() < width {
                    live.push((log_prob, b, id));
                }
            } else if rank < width && !closed {
                // An end counts only among the best `width` candidates.
                let mut ids = self.beams[b].ids.clone();
                ids.push(id);
                self.finished.push(Decoded {
                    ids,
                    score: normalise(log_prob, len),
                    truncated: !ended || last && rules.forced_last.is_some(),
                });
            }
        }
        self.finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.finished.truncate(width);
        let hypothetical = match rules.early_stopping {
            EarlyStopping::Never if rules.length_penalty > 0.0 => self.limit,
            _ => len,
        };
        let full = self.finished.len() == width;
        self.may_improve &= match (live.first(), self.finished.last().filter(|_| full)) {
            (Some((log_prob, ..)), Some(worst)) => normalise(*log_prob, hypothetical) > worst.score,
            _ => true,
        };
        self.done = last
            || live.is_empty()
            || !self.may_improve
            || full && rules.early_stopping == EarlyStopping::Always;
        if self.done {
            for beam in self.beams.drain(..) {
                stepper.close(beam.slot);
            }
        } else {
            self.beams = advance(stepper, &self.beams, &live);
        }
    }
}

impl Search {
    /// As [`Search::step`], by the rules of CTranslate2.
    fn step_as_ctranslate2<S: Stepper>(
        &mut self,
        stepper: &mut S,
        rows: Vec<&mut [f32]>,
        rules: &Rules,
    ) {
        /// What CTranslate2 gives to a candidate that must not win.
        const HOPELESS: f32 = -1e10;
        let (width, keep) = (rules.beam, 2 * rules.beam);
        let mut candidates: Vec<(f32, usize, u32)> = Vec::new();
        for (b, (beam, row)) in self.beams.iter().zip(rows).enumerate() {
            if rules.bind(beam.ids.len(), self.limit) {
                rules.apply(row, &beam.ids, self.limit);
            }
            let log_sum = stepper.best_and_log_sum(row).1;
            let best = top(row, keep).into_iter();
            candidates.extend(best.map(|(score, id)| (beam.log_prob + score - log_sum, b, id)));
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        candidates.truncate(keep);
        let step = self.beams[0].ids.len();
        let last = step + 1 >= self.limit;
        let ends = |id: u32| rules.eos.contains(&id);
        if rules.forced_first.is_some() && step == 1 {
            // Behind a prefix only the best candidate may end at once.
            for candidate in candidates.iter_mut().skip(1).filter(|c| ends(c.2)) {
                (candidate.0, candidate.2) = (HOPELESS, 0);
            }
        }
        let rest = candidates.split_off(width.min(candidates.len()));
        let mut spare = rest.into_iter().filter(|c| !ends(c.2));
        let mut live: Vec<(f32, usize, u32)> = Vec::new();
        let mut best_ended = false;
        for (rank, (log_prob, b, id)) in candidates.into_iter().enumerate() {
            if !ends(id) && !last {
                live.push((log_prob, b, id));
                continue;
            }
            best_ended |= rank == 0;
            let mut ids = self.beams[b].ids.clone();
            ids.push(id);
            self.finished.push(Decoded {
                score: log_prob / (ids.len() as f32).powf(rules.length_penalty),
                ids,
                truncated: !ends(id),
            });
            live.extend(spare.next());
        }
        self.done = last
            || live.is_empty()
            || if rules.length_penalty == 0.0 {
                (best_ended || !self.may_improve) && self.finished.len() >= rules.nbest
            } else {
                self.finished.len() >= width
            };
        // Here: the best beam has not ended yet.
        self.may_improve &= !best_ended;
        if self.done {
            self.finished.sort_by(|a, b| b.score.total_cmp(&a.score));
            for beam in self.beams.drain(..) {
                stepper.close(beam.slot);
            }
        } else {
            self.beams = advance(stepper, &self.beams, &live);
        }
    }
}

/// The next beams: the first child of a beam takes its slot over, further ones get copies.
fn advance<S: Stepper>(stepper: &mut S, beams: &[Beam], live: &[(f32, usize, u32)]) -> Vec<Beam> {
    let mut taken = vec![false; beams.len()];
    let mut next = Vec::with_capacity(live.len());
    for &(log_prob, b, id) in live {
        let slot = if taken[b] {
            stepper.fork(beams[b].slot)
        } else {
            beams[b].slot
        };
        taken[b] = true;
        let mut ids = beams[b].ids.clone();
        ids.push(id);
        next.push(Beam {
            slot,
            ids,
            log_prob,
        });
    }
    for (beam, taken) in beams.iter().zip(taken) {
        if !taken {
            stepper.close(beam.slot);
        }
    }
    next
}

/// The `k` greatest scores with their ids, greatest first, equal ones by id; what is ruled out is
/// not among them.
fn top(row: &[f32], k: usize) -> Vec<(f32, u32)> {
    /// Scores that are passed over together where none of them is good enough.
    const CHUNK: usize = 64;
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(k + 1);
    let mut least = f32::NEG_INFINITY;
    for (number, chunk) in row.chunks(CHUNK).enumerate() {
        let mut any = false;
        for &score in chunk {
            any |= score > least;
        }
        if !any {
            continue;
        }
        for (id, &score) in (number * CHUNK..).zip(chunk) {
            if score > least {
                let at = best.partition_point(|b| b.0 >= score);
                best.insert(at, (score, id as u32));
                best.truncate(k);
                if best.len() == k {
                    least = best[k - 1].0;
                }
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_finds_what_sorting_finds() {
        for seed in 0..20u32 {
            let next = |i: u32| f32::from((i.wrapping_mul(2_654_435_761 + seed) >> 24) as u8);
            let row: Vec<f32> = (1..300).map(next).collect();
            let mut sorted: Vec<(f32, u32)> = row.iter().copied().zip(0..).collect();
            sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            assert_eq!(top(&row, 9), sorted[..9]);
        }
    }

    #[test]
    fn top_keeps_the_first_of_equals() {
        assert_eq!(top(&[1.0, 3.0, 3.0, 2.0], 2), [(3.0, 1), (3.0, 2)]);
        assert_eq!(top(&[f32::NEG_INFINITY, 3.0], 2), [(3.0, 1)]);
    }
}
