//! Greedy search over a batch, with a shortlist of candidates for each source, or group of them.

use std::collections::BTreeMap;

use crate::decode::{DecodeOptions, Decoded};
use crate::kernel::Kernels;

use super::MarianModel;
use super::attention::Span;
use super::int8::Linear;
use super::layers::Scratch;
use super::model::Step;

/// Targets are at most this many times as long as their sources, as Firefox's configuration says.
const MAX_LENGTH_FACTOR: f32 = 2.5;
/// Shortlists are filled up to a multiple of this, as Marian does.
const SHORTLIST_MULTIPLE: usize = 8;

/// Ids of a vocabulary that the search must know.
#[derive(Clone, Copy, Debug)]
pub struct SpecialIds {
    /// End of sentence.
    pub eos: u32,
    /// Unknown piece, which is never written.
    pub unknown: u32,
    /// Source and target share one vocabulary, so source pieces may be copied.
    pub shared: bool,
}

/// What the sources of a group have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Together {
    /// All their ids.
    pub(super) ids: Vec<u32>,
    /// Length of the longest.
    pub(super) width: usize,
}

/// For each source what its group has in common.
pub(super) fn together(sources: &[&[u32]], groups: &[usize]) -> Vec<Together> {
    let mut found: BTreeMap<usize, Together> = BTreeMap::new();
    for (source, &group) in sources.iter().zip(groups) {
        let group = found.entry(group).or_default();
        group.ids.extend_from_slice(source);
        group.width = source.len().max(group.width);
    }
    groups
        .iter()
        .filter_map(|group| found.get(group).cloned())
        .collect()
}

struct Target {
    index: usize,
    span: Span,
    candidates: Vec<u32>,
    /// Output layer of the candidates.
    shortlist: Linear,
    limit: usize,
    ids: Vec<u32>,
    sum: f32,
}

impl MarianModel {
    /// The candidates of one source, or of a group's joined ones, ascending.
    pub(super) fn candidates(&self, source: &[u32], special: SpecialIds) -> Vec<u32> {
        let size = self.config().vocabularies[1];
        let Some(lexicon) = &self.lexicon else {
            return (0u32..).take(size).collect();
        };
        let mut chosen = vec![false; size];
        for slot in chosen.iter_mut().take(lexicon.frequent()) {
            *slot = true;
        }
        for &id in source {
            if special.shared
                && let Some(slot) = chosen.get_mut(id as usize)
            {
                *slot = true;
            }
            for &target in lexicon.targets(id) {
                chosen[target as usize] = true;
            }
        }
        if let Some(slot) = chosen.get_mut(special.eos as usize) {
            *slot = true;
        }
        let mut count = chosen.iter().filter(|&&c| c).count();
        for slot in chosen.iter_mut().skip(lexicon.frequent()) {
            if count.is_multiple_of(SHORTLIST_MULTIPLE) {
                break;
            }
            if !*slot {
                *slot = true;
                count += 1;
            }
        }
        (0u32..)
            .zip(chosen)
            .filter(|(_, c)| *c)
            .map(|(id, _)| id)
            .collect()
    }

    /// `sources` with ids outside the source vocabulary as unknown.
    pub(super) fn known(&self, sources: &[&[u32]], special: SpecialIds) -> Vec<Vec<u32>> {
        let size = self.config().vocabularies[0];
        let known = |&id: &u32| {
            if (id as usize) < size {
                id
            } else {
                special.unknown
            }
        };
        sources
            .iter()
            .map(|s| s.iter().map(known).collect())
            .collect()
    }

    /// Most tokens of a target whose source, or the longest of whose group, has `width` of them.
    pub(super) fn limit(&self, width: usize, options: &DecodeOptions) -> usize {
        options
            .max_new_tokens
            .unwrap_or_else(|| (width as f32 * MAX_LENGTH_FACTOR).ceil() as usize)
    }

    /// Translates sources (ids that end with EOS) greedily; results in their order.
    ///
    /// Sources with the same number in `groups` have one shortlist and one limit of length, as
    /// those of a batch of Marian's have. Ids outside the source vocabulary count as unknown.
    #[must_use]
    pub fn greedy(
        &self,
        sources: &[&[u32]],
        groups: &[usize],
        special: SpecialIds,
        options: &DecodeOptions,
    ) -> Vec<Decoded> {
        let sources = self.known(sources, special);
        let views: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
        let together = together(&views, groups);
        let mut work = self.scratch();
        let encoded = self.encode(&views, &mut work);
        let mut active: Vec<Target> = together
            .iter()
            .zip(&encoded.spans)
            .enumerate()
            .map(|(index, (group, &span))| {
                let candidates = self.candidates(&group.ids, special);
                Target {
                    index,
                    span,
                    shortlist: self.shortlist(&candidates),
                    candidates,
                    limit: self.limit(group.width, options),
                    ids: Vec::new(),
                    sum: 0.0,
                }
            })
            .collect();
        let mut done: Vec<Option<Decoded>> = vec![None; active.len()];
        let mut states = self.start(active.len());
        let mut last: Option<Vec<u32>> = None;
        let dim = self.config().dim;
        let (mut rows, mut logits) = (Vec::new(), Vec::new());
        let mut position = 0;
        while !active.is_empty() {
            let spans: Vec<Span> = active.iter().map(|t| t.span).collect();
            let at = Step {
                spans: &spans,
                last: last.as_deref(),
                position,
            };
            self.step(&encoded, at, &mut states, &mut rows, &mut work);
            position += 1;
            let mut kept = Vec::with_capacity(active.len());
            for (target, row) in active.iter_mut().zip(rows.chunks_exact(dim)) {
                let Scratch {
                    kernels, quantised, ..
                } = &mut work;
                let shortlist = &target.shortlist;
                shortlist.apply(*kernels, row, quantised, &mut logits);
                target.choose(&logits, special, options, *kernels);
                let ended = target.ids.last() == Some(&special.eos);
                let full = target.ids.len() >= target.limit;
                if ended || full {
                    done[target.index] = Some(Decoded {
                        score: target.sum / target.ids.len().max(1) as f32,
                        ids: std::mem::take(&mut target.ids),
                        truncated: !ended,
                    });
                }
                kept.push(!(ended || full));
            }
            if kept.contains(&false) {
                for state in &mut states {
                    let rows = state.chunks_exact(dim).zip(&kept).filter(|(_, k)| **k);
                    *state = rows.flat_map(|(row, _)| row.iter().copied()).collect();
                }
                let mut keep = kept.iter();
                active.retain(|_| keep.next() == Some(&true));
            }
            last = Some(
                active
                    .iter()
                    .filter_map(|t| t.ids.last().copied())
                    .collect(),
            );
        }
        done.into_iter().flatten().collect()
    }
}

impl Target {
    /// Appends the best candidate that the options allow.
    fn choose(
        &mut self,
        logits: &[f32],
        special: SpecialIds,
        options: &DecodeOptions,
        kernels: Kernels,
    ) {
        let (best, log_sum) = kernels.argmax_log_sum_exp(logits);
        let early = self.ids.len() < options.min_new_tokens.unwrap_or(0);
        let allowed = |at: usize| {
            let id = self.candidates[at];
            id != special.unknown
                && !(early && id == special.eos)
                && !repeats(&self.ids, id, options.no_repeat_ngram.unwrap_or(0))
        };
        let best = if allowed(best) {
            Some(best)
        } else {
            let others = (0..logits.len()).filter(|&at| allowed(at));
            others.reduce(|best, at| if logits[at] > logits[best] { at } else { best })
        };
        let (logit, id) = best.map_or((log_sum, special.eos), |at| {
            (logits[at], self.candidates[at])
        });
        self.sum += logit - log_sum;
        self.ids.push(id);
    }
}

/// `id` would end an n-gram that `ids` has already.
pub(super) fn repeats(ids: &[u32], id: u32, n: usize) -> bool {
    if n == 0 || ids.len() < n {
        return false;
    }
    let head = &ids[ids.len() + 1 - n..];
    ids.windows(n)
        .any(|window| window[..n - 1] == *head && window[n - 1] == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fails_when_an_ngram_comes_twice() {
        assert!(repeats(&[1, 2, 3, 1, 2], 3, 3));
        assert!(!repeats(&[1, 2, 3, 1, 2], 4, 3));
        assert!(repeats(&[5], 5, 1));
        assert!(!repeats(&[1, 2], 3, 3));
        assert!(!repeats(&[5, 5], 5, 0));
    }
}
