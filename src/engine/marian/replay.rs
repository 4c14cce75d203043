//! A search that is made to begin in a given way, to be held against another implementation's.

use crate::decode::DecodeOptions;

use super::layers::Scratch;
use super::model::Step;
use super::{MarianModel, SpecialIds};

/// One step of [`MarianModel::replay`].
#[derive(Clone, Debug)]
pub struct ReplayStep {
    /// The word that was taken.
    pub id: u32,
    /// All candidates with their scores, best first.
    pub ranked: Vec<(u32, f32)>,
}

impl MarianModel {
    /// Translates one source as [`MarianModel::greedy`] does, but takes the words of
    /// `prefix` first.
    ///
    /// `together` holds the ids of all sources of its group, `width` the longest one's length.
    /// All ids must be of their vocabularies.
    #[must_use]
    pub fn replay(
        &self,
        source: &[u32],
        [together, prefix]: [&[u32]; 2],
        width: usize,
        special: SpecialIds,
    ) -> Vec<ReplayStep> {
        let mut work = self.scratch();
        let encoded = self.encode(&[source], &mut work);
        let candidates = self.candidates(together, special);
        let shortlist = self.shortlist(&candidates);
        let mut states = self.start(1);
        let (mut rows, mut logits) = (Vec::new(), Vec::new());
        let mut last: Option<u32> = None;
        let mut steps: Vec<ReplayStep> = Vec::new();
        let limit = self.limit(width, &DecodeOptions::default());
        while last != Some(special.eos) && steps.len() < limit {
            let at = Step {
                spans: &encoded.spans,
                last: last.as_ref().map(std::slice::from_ref),
                position: steps.len(),
            };
            self.step(&encoded, at, &mut states, &mut rows, &mut work);
            let Scratch {
                kernels, quantised, ..
            } = &mut work;
            shortlist.apply(*kernels, &rows, quantised, &mut logits);
            let scored = candidates.iter().copied().zip(logits.iter().copied());
            let mut ranked: Vec<(u32, f32)> = scored.filter(|c| c.0 != special.unknown).collect();
            // Stable, so that of equal ones the first is taken as in the search.
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
            let best = ranked.first().map_or(special.eos, |c| c.0);
            let id = prefix.get(steps.len()).copied().unwrap_or(best);
            steps.push(ReplayStep { id, ranked });
            last = Some(id);
        }
        steps
    }
}
