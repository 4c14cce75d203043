//! Search for the best target: greedy and beam, over any engine that can take one step.
//!
//! The engine is a [`Stepper`]: it keeps one cache slot a sequence and gives logits for the next
//! token. Search knows nothing of tensors, engines nothing of search.

mod beam;
mod greedy;
mod rules;
mod stepper;

use beam::beam_from;
pub use greedy::greedy;
use greedy::greedy_from;
pub use rules::{EarlyStopping, Rules, Toolkit};
pub use stepper::{Slot, Stepper};

/// What the user asks of a search; `None` leaves it to the model's own generation config.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DecodeOptions {
    /// Beam width; 1 is greedy search.
    pub beam: Option<usize>,
    /// Hypotheses to return, at most `beam`; `None`: one.
    pub nbest: Option<usize>,
    /// Exponent of the length by which a hypothesis' score is divided.
    pub length_penalty: Option<f32>,
    /// Upper bound of target tokens, the final EOS included.
    pub max_new_tokens: Option<usize>,
    /// Lower bound of target tokens before EOS may come.
    pub min_new_tokens: Option<usize>,
    /// No n-gram of this length may come twice in a target; 0 switches it off.
    pub no_repeat_ngram: Option<usize>,
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

/// What a decoder-only model reads before it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Token ids, at least one.
    pub ids: Vec<u32>,
    /// Upper bound of target tokens, the final EOS included; at least 1.
    pub max_new_tokens: usize,
}

/// Opens a slot for each prompt and reads it; what all prompts begin with is read once.
/// Gives each slot with its limit of ids.
fn open_all<S: Stepper>(
    stepper: &mut S,
    prompts: &[Prompt],
    logits: &mut Vec<f32>,
) -> Vec<(Slot, usize)> {
    let shared = shared_prefix(prompts);
    let base = stepper.open();
    if let Some(first) = prompts.first().filter(|_| shared > 0) {
        stepper.feed(&[(base, &first.ids[..shared])], logits);
    }
    let slots: Vec<Slot> = prompts.iter().map(|_| stepper.fork(base)).collect();
    stepper.close(base);
    let rows: Vec<(Slot, &[u32])> = slots
        .iter()
        .zip(prompts)
        .map(|(slot, p)| (*slot, &p.ids[shared..]))
        .collect();
    stepper.feed(&rows, logits);
    let limits = prompts.iter().map(|prompt| prompt.max_new_tokens);
    slots.into_iter().zip(limits).collect()
}

/// Decodes each prompt by the search that `rules` ask for; for each the best hypotheses, best first.
pub fn search<S: Stepper>(stepper: &mut S, prompts: &[Prompt], rules: &Rules) -> Vec<Vec<Decoded>> {
    let mut logits = Vec::new();
    let starts = open_all(stepper, prompts, &mut logits);
    search_from(stepper, &starts, logits, rules)
}

/// As [`search`], from sequences that `stepper` has read, each with its limit of ids; `logits` are
/// those after the last id of each. Closes them.
pub(crate) fn search_from<S: Stepper>(
    stepper: &mut S,
    starts: &[(Slot, usize)],
    logits: Vec<f32>,
    rules: &Rules,
) -> Vec<Vec<Decoded>> {
    if rules.beam > 1 {
        return beam_from(stepper, starts, logits, rules);
    }
    let decoded = greedy_from(stepper, starts, logits, rules);
    decoded.into_iter().map(|one| vec![one]).collect()
}

/// Tokens that all prompts begin with; at least one token of each is left over.
fn shared_prefix(prompts: &[Prompt]) -> usize {
    let Some(first) = prompts.first().filter(|_| prompts.len() > 1) else {
        return 0;
    };
    let shortest = prompts
        .iter()
        .map(|p| p.ids.len())
        .min()
        .unwrap_or(0)
        .saturating_sub(1);
    (0..shortest)
        .find(|&i| prompts.iter().any(|p| p.ids[i] != first.ids[i]))
        .unwrap_or(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A toy: logits favour `last + 1`, with EOS (0) after 5; two slots never mix.
    struct Counter(Vec<Option<Vec<u32>>>);

    impl Stepper for Counter {
        fn open(&mut self) -> Slot {
            self.0.push(Some(Vec::new()));
            Slot(self.0.len() - 1)
        }
        fn fork(&mut self, slot: Slot) -> Slot {
            self.0.push(self.0[slot.0].clone());
            Slot(self.0.len() - 1)
        }
        fn close(&mut self, slot: Slot) {
            assert!(self.0[slot.0].take().is_some(), "closed twice");
        }
        fn feed(&mut self, rows: &[(Slot, &[u32])], logits: &mut Vec<f32>) {
            logits.clear();
            for (slot, ids) in rows {
                let seq = self.0[slot.0].as_mut().expect("open");
                seq.extend_from_slice(ids);
                let last = *seq.last().expect("fed") as usize;
                let mut row = vec![0f32; 8];
                row[if last >= 5 { 0 } else { last + 1 }] = 4.0;
                row[7] = 3.0;
                logits.extend(row);
            }
        }
        fn vocab_size(&self) -> usize {
            8
        }
        fn best_and_log_sum(&self, logits: &[f32]) -> (usize, f32) {
            let max = logits.iter().copied().fold(f32::MIN, f32::max);
            let best = logits.iter().position(|v| *v == max).unwrap_or(0);
            (best, logits.iter().map(|v| v.exp()).sum::<f32>().ln())
        }
    }

    fn prompt(ids: &[u32], max: usize) -> Prompt {
        Prompt {
            ids: ids.to_vec(),
            max_new_tokens: max,
        }
    }

    #[test]
    fn greedy_ends_at_eos_and_frees_every_slot() {
        let mut toy = Counter(Vec::new());
        let prompts = [prompt(&[1, 2], 20), prompt(&[1, 4], 20), prompt(&[1, 1], 2)];
        let out = greedy(&mut toy, &prompts, &Rules::new(0));
        assert_eq!(out[0].ids, [3, 4, 5, 0]);
        assert_eq!(out[1].ids, [5, 0]);
        assert_eq!(out[2].ids, [2, 3]);
        assert!(out[2].truncated && !out[0].truncated);
        assert!(toy.0.iter().all(Option::is_none));
    }

    #[test]
    fn beam_finds_the_likeliest_and_frees_every_slot() {
        let mut toy = Counter(Vec::new());
        let options = DecodeOptions {
            beam: Some(3),
            nbest: Some(2),
            ..DecodeOptions::default()
        };
        let prompts = [prompt(&[2], 12), prompt(&[1, 4], 12)];
        let out = search(&mut toy, &prompts, &Rules::new(0).with(&options));
        assert_eq!(out[0][0].ids, [3, 4, 5, 0]);
        assert_eq!(out[1][0].ids, [5, 0]);
        for best in &out {
            assert_eq!(best.len(), 2);
            assert!(best[0].score >= best[1].score);
        }
        assert!(toy.0.iter().all(Option::is_none));
    }
}
