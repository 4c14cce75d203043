//! What a search may and must write: the generation config of Hugging Face's models.
//!
//! Source: huggingface/transformers `generation/logits_process.py`.

use super::DecodeOptions;

/// When a beam search ends that has as many finished hypotheses as beams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EarlyStopping {
    /// When no running beam can do better at its present length.
    #[default]
    Heuristic,
    /// At once.
    Always,
    /// When no running beam can do better at any length.
    Never,
}

/// Whose beam search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Toolkit {
    /// Hugging Face's `generate`.
    #[default]
    HuggingFace,
    /// CTranslate2: scores among what is allowed, and an end as soon as there are as many
    /// hypotheses as beams.
    Ctranslate2,
}

/// Everything that decides a search but the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Whose beam search.
    pub toolkit: Toolkit,
    /// Beam width; 1 is greedy search.
    pub beam: usize,
    /// Hypotheses to return, at most `beam`.
    pub nbest: usize,
    /// Exponent of the length by which a hypothesis' score is divided.
    pub length_penalty: f32,
    /// When a beam search ends.
    pub early_stopping: EarlyStopping,
    /// Ids that end a sequence; at least one.
    pub eos: Vec<u32>,
    /// What every sequence begins with before its first generated id: n-grams count it.
    pub prefix: Vec<u32>,
    /// No EOS before so many generated ids.
    pub min_new_tokens: usize,
    /// No n-gram of this length twice; 0 switches it off.
    pub no_repeat_ngram: usize,
    /// Sequences that must not come.
    pub bad_words: Vec<Vec<u32>>,
    /// The first id, whatever the model says.
    pub forced_first: Option<u32>,
    /// The last id where the limit ends the sequence.
    pub forced_last: Option<u32>,
    /// Ids that never come.
    pub suppressed: Vec<u32>,
    /// Ids that do not come first.
    pub suppressed_first: Vec<u32>,
}

impl Rules {
    /// Greedy search until `eos`.
    #[must_use]
    pub fn new(eos: u32) -> Self {
        Self {
            toolkit: Toolkit::default(),
            beam: 1,
            nbest: 1,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::default(),
            eos: vec![eos],
            prefix: Vec::new(),
            min_new_tokens: 0,
            no_repeat_ngram: 0,
            bad_words: Vec::new(),
            forced_first: None,
            forced_last: None,
            suppressed: Vec::new(),
            suppressed_first: Vec::new(),
        }
    }

    /// These rules with what the user asked for in their place.
    #[must_use]
    pub fn with(mut self, options: &DecodeOptions) -> Self {
        self.beam = options.beam.unwrap_or(self.beam).max(1);
        self.nbest = options.nbest.unwrap_or(self.nbest).clamp(1, self.beam);
        self.length_penalty = options.length_penalty.unwrap_or(self.length_penalty);
        self.min_new_tokens = options.min_new_tokens.unwrap_or(self.min_new_tokens);
        self.no_repeat_ngram = options.no_repeat_ngram.unwrap_or(self.no_repeat_ngram);
        self
    }

    /// Whether [`Rules::apply`] would change anything after `generated` ids.
    pub(super) fn bind(&self, generated: usize, limit: usize) -> bool {
        self.no_repeat_ngram > 0
            || generated < self.min_new_tokens
            || !self.bad_words.is_empty()
            || !self.suppressed.is_empty()
            || generated == 0 && (self.forced_first.is_some() || !self.suppressed_first.is_empty())
            || generated + 1 == limit && self.forced_last.is_some()
    }

    /// Rules out of `scores` (logits or log-probabilities of the next id) what must not follow
    /// `ids`, and puts what must follow at 0, in the order of Hugging Face's processors.
    pub(super) fn apply(&self, scores: &mut [f32], ids: &[u32], limit: usize) {
        let mut ban = |id: u32| {
            if let Some(score) = scores.get_mut(id as usize) {
                *score = f32::NEG_INFINITY;
            }
        };
        let whole: Vec<u32> = self.prefix.iter().chain(ids).copied().collect();
        repeated_ngrams(&whole, self.no_repeat_ngram).for_each(&mut ban);
        for word in &self.bad_words {
            if let Some((&last, before)) = word.split_last()
                && whole.ends_with(before)
                && !(before.is_empty() && self.eos.contains(&last))
            {
                ban(last);
            }
        }
        if ids.len() < self.min_new_tokens {
            self.eos.iter().copied().for_each(&mut ban);
        }
        let first = self.forced_first.filter(|_| ids.is_empty());
        let last = self.forced_last.filter(|_| ids.len() + 1 == limit);
        for forced in [first, last].into_iter().flatten() {
            scores.fill(f32::NEG_INFINITY);
            if let Some(score) = scores.get_mut(forced as usize) {
                *score = 0.0;
            }
        }
        // With a forced first id, what must not come first is ruled out of the second place.
        let begin = usize::from(self.forced_first.is_some());
        let first = self.suppressed_first.iter().filter(|_| ids.len() == begin);
        for &id in self.suppressed.iter().chain(first) {
            if let Some(score) = scores.get_mut(id as usize) {
                *score = f32::NEG_INFINITY;
            }
        }
    }
}

/// Ids that would complete an n-gram that `ids` already holds.
fn repeated_ngrams(ids: &[u32], n: usize) -> impl Iterator<Item = u32> {
    let tail = (n > 0 && ids.len() + 1 >= n).then(|| &ids[ids.len() + 1 - n..]);
    tail.into_iter().flat_map(move |tail| {
        ids.windows(n)
            .filter(move |w| w[..n - 1] == *tail)
            .map(move |w| w[n - 1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rules: &Rules, ids: &[u32], limit: usize) -> Vec<usize> {
        let mut scores = vec![-1.0; 8];
        rules.apply(&mut scores, ids, limit);
        (0..8).filter(|&i| scores[i].is_finite()).collect()
    }

    #[test]
    fn no_ngram_comes_twice() {
        let bans = |ids: &[u32], n| repeated_ngrams(ids, n).collect::<Vec<_>>();
        assert_eq!(bans(&[1, 2, 3, 1, 2], 3), [3]);
        assert!(bans(&[1], 3).is_empty() && bans(&[1, 1], 0).is_empty());
        assert_eq!(bans(&[4, 4], 1), [4, 4]);
    }

    #[test]
    fn ngrams_count_the_start_token() {
        let rules = Rules {
            prefix: vec![7],
            no_repeat_ngram: 2,
            ..Rules::new(0)
        };
        assert!(!allowed(&rules, &[3, 7], 9).contains(&3));
        assert!(allowed(&rules, &[3, 6], 9).contains(&3));
    }

    #[test]
    fn keeps_eos_out_until_it_may_come_and_forces_ends() {
        let rules = Rules {
            min_new_tokens: 2,
            forced_first: Some(5),
            forced_last: Some(0),
            suppressed: vec![6],
            suppressed_first: vec![1],
            bad_words: vec![vec![2], vec![3, 4], vec![0]],
            ..Rules::new(0)
        };
        assert_eq!(allowed(&rules, &[], 9), [5]);
        assert_eq!(allowed(&rules, &[5], 9), [3, 4, 5, 7]);
        assert_eq!(allowed(&rules, &[5, 3], 9), [0, 1, 3, 5, 7]);
        assert_eq!(allowed(&rules, &[5, 3], 3), [0]);
        assert!(rules.bind(0, 9) && !Rules::new(0).bind(0, 9));
    }
}
