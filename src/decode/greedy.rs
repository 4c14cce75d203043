//! Greedy search over a batch; finished rows leave it at once.

use super::stepper::{Slot, Stepper};
use super::{Decoded, Prompt, Rules};

struct Row {
    index: usize,
    slot: Slot,
    limit: usize,
    ids: Vec<u32>,
    log_prob: f64,
}

/// Decodes each prompt greedily; results in the order of the prompts.
pub fn greedy<S: Stepper>(stepper: &mut S, prompts: &[Prompt], rules: &Rules) -> Vec<Decoded> {
    let mut logits = Vec::new();
    let starts = super::open_all(stepper, prompts, &mut logits);
    greedy_from(stepper, &starts, logits, rules)
}

/// Goes on from sequences that `stepper` has read, each with its limit of ids; `logits` are those
/// after the last id of each. Closes them.
///
/// The score is the mean log-probability of the ids among those that `rules` allowed.
pub(super) fn greedy_from<S: Stepper>(
    stepper: &mut S,
    starts: &[(Slot, usize)],
    mut logits: Vec<f32>,
    rules: &Rules,
) -> Vec<Decoded> {
    let vocab = stepper.vocab_size();
    let mut done: Vec<Option<Decoded>> = starts.iter().map(|_| None).collect();
    let mut rows: Vec<Row> = Vec::new();
    for (index, &(slot, limit)) in starts.iter().enumerate() {
        rows.push(Row {
            index,
            slot,
            limit,
            ids: Vec::new(),
            log_prob: 0.0,
        });
    }
    while !rows.is_empty() {
        for (row, logits) in rows.iter_mut().zip(logits.chunks_exact_mut(vocab)) {
            if rules.bind(row.ids.len(), row.limit) {
                rules.apply(logits, &row.ids, row.limit);
            }
            let (best, log_sum) = stepper.best_and_log_sum(logits);
            row.log_prob += f64::from(logits[best] - log_sum);
            row.ids.push(best as u32);
        }
        rows.retain_mut(|row| {
            let ended = row.ids.last().is_some_and(|id| rules.eos.contains(id));
            if !ended && row.ids.len() < row.limit {
                return true;
            }
            stepper.close(row.slot);
            let ids = std::mem::take(&mut row.ids);
            let score = (row.log_prob / ids.len() as f64) as f32;
            done[row.index] = Some(Decoded {
                // An end that was forced by the limit is no end that the model chose.
                truncated: !ended || rules.forced_last.is_some() && ids.len() == row.limit,
                ids,
                score,
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
