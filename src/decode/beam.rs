//! Beam search with the semantics of Hugging Face's `generate` (`early_stopping=False`), one
//! prompt at a time, its beams in one batch.
//!
//! Source: huggingface/transformers `generation/utils.py`, `_beam_search`.

use std::cmp::Ordering;

use super::stepper::{Slot, Stepper};
use super::{DecodeOptions, Decoded, Prompt, constrain};

struct Beam {
    slot: Slot,
    ids: Vec<u32>,
    log_prob: f32,
}

/// Decodes one prompt; the best `nbest` hypotheses, best first.
pub fn beam<S: Stepper>(
    stepper: &mut S,
    prompt: &Prompt,
    options: &DecodeOptions,
    eos: u32,
) -> Vec<Decoded> {
    let width = options.beam;
    let vocab = stepper.vocab_size();
    let mut logits = Vec::new();
    let slots = super::open_all(stepper, std::slice::from_ref(prompt), &mut logits);
    let mut beams = vec![Beam {
        slot: slots[0],
        ids: Vec::new(),
        log_prob: 0.0,
    }];
    let mut finished: Vec<Decoded> = Vec::new();
    let normalise =
        |log_prob: f32, len: usize| log_prob / (len as f32).powf(options.length_penalty);
    let limit = prompt.max_new_tokens;
    loop {
        // (log-probability, beam, token): all candidates' best 2 * width.
        let mut candidates: Vec<(f32, usize, u32)> = Vec::new();
        for (b, (beam, row)) in beams.iter().zip(logits.chunks_exact_mut(vocab)).enumerate() {
            let log_sum = stepper.best_and_log_sum(row).1;
            constrain(row, &beam.ids, options, eos);
            candidates.extend(
                top(row, 2 * width)
                    .into_iter()
                    .map(|(logit, id)| (beam.log_prob + logit - log_sum, b, id)),
            );
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        candidates.truncate(2 * width);
        let len = beams[0].ids.len() + 1;
        let mut live: Vec<(f32, usize, u32)> = Vec::new();
        for (rank, (log_prob, b, id)) in candidates.iter().copied().enumerate() {
            if id == eos {
                // EOS counts only among the best `width` candidates.
                if rank < width {
                    let mut ids = beams[b].ids.clone();
                    ids.push(id);
                    finished.push(Decoded {
                        ids,
                        score: normalise(log_prob, len),
                        truncated: false,
                    });
                }
            } else if live.len() < width {
                live.push((log_prob, b, id));
            }
        }
        finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        finished.truncate(width);
        let worst = finished.get(width - 1).map(|d| d.score);
        let best_running = live.first().map(|(p, ..)| normalise(*p, len));
        let full = match (worst, best_running) {
            (Some(worst), Some(running)) => worst.partial_cmp(&running) != Some(Ordering::Less),
            (_, None) => true,
            (None, _) => false,
        };
        let stop = full || len >= limit;
        if stop && finished.len() < width {
            // Out of room: running beams count as they are.
            for (log_prob, b, id) in &live {
                let mut ids = beams[*b].ids.clone();
                ids.push(*id);
                finished.push(Decoded {
                    ids,
                    score: normalise(*log_prob, len),
                    truncated: true,
                });
            }
            finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        if stop {
            break;
        }
        beams = advance(stepper, &beams, &live);
        let feed: Vec<(Slot, &[u32])> = beams
            .iter()
            .map(|b| (b.slot, &b.ids[b.ids.len() - 1..]))
            .collect();
        stepper.feed(&feed, &mut logits);
    }
    for beam in &beams {
        stepper.close(beam.slot);
    }
    finished.truncate(options.nbest.clamp(1, width));
    finished
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

/// The `k` greatest logits with their ids, greatest first, equal ones by id.
fn top(row: &[f32], k: usize) -> Vec<(f32, u32)> {
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(k + 1);
    for (id, &logit) in row.iter().enumerate() {
        if best.len() == k && best.last().is_some_and(|worst| logit <= worst.0) {
            continue;
        }
        let at = best.partition_point(|b| b.0 >= logit);
        best.insert(at, (logit, id as u32));
        best.truncate(k);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_keeps_the_first_of_equals() {
        assert_eq!(top(&[1.0, 3.0, 3.0, 2.0], 2), [(3.0, 1), (3.0, 2)]);
    }
}
