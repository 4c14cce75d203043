//! Greedy search over a batch; finished rows leave it at once.

use super::stepper::{Slot, Stepper};
use super::{DecodeOptions, Decoded, Prompt, constrain};

struct Row {
    index: usize,
    slot: Slot,
    limit: usize,
    ids: Vec<u32>,
    log_prob: f64,
}

/// Decodes each prompt greedily; results in the order of the prompts.
pub fn greedy<S: Stepper>(
    stepper: &mut S,
    prompts: &[Prompt],
    options: &DecodeOptions,
    eos: u32,
) -> Vec<Decoded> {
    let mut done: Vec<Option<Decoded>> = prompts.iter().map(|_| None).collect();
    let mut logits = Vec::new();
    let slots = super::open_all(stepper, prompts, &mut logits);
    let vocab = stepper.vocab_size();
    let mut rows: Vec<Row> = Vec::new();
    for (index, (slot, prompt)) in slots.into_iter().zip(prompts).enumerate() {
        rows.push(Row {
            index,
            slot,
            limit: prompt.max_new_tokens,
            ids: Vec::new(),
            log_prob: 0.0,
        });
    }
    while !rows.is_empty() {
        let chosen = rows.iter_mut().zip(logits.chunks_exact_mut(vocab));
        for (row, logits) in chosen {
            let (mut best, log_sum) = stepper.best_and_log_sum(logits);
            if options.no_repeat_ngram > 0 || row.ids.len() + 1 < options.min_new_tokens {
                constrain(logits, &row.ids, options, eos);
                best = stepper.best_and_log_sum(logits).0;
            }
            row.log_prob += f64::from(logits[best] - log_sum);
            row.ids.push(best as u32);
        }
        rows.retain_mut(|row| {
            let ended = row.ids.last() == Some(&eos);
            if !ended && row.ids.len() < row.limit {
                return true;
            }
            stepper.close(row.slot);
            let ids = std::mem::take(&mut row.ids);
            let score = (row.log_prob / ids.len() as f64) as f32;
            done[row.index] = Some(Decoded {
                ids,
                score,
                truncated: !ended,
            });
            false
        });
        if !rows.is_empty() {
            let feed: Vec<(Slot, &[u32])> = rows
                .iter()
                .map(|row| (row.slot, &row.ids[row.ids.len() - 1..]))
                .collect();
            stepper.feed(&feed, &mut logits);
        }
    }
    done.into_iter().flatten().collect()
}
