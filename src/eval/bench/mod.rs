//! Speed of a model on this machine.
//!
//! One setting is measured in one process, so that loading and peak memory are its own: the model
//! is opened, answers one short segment, then does the whole workload several times; the median
//! counts.

pub mod machine;
pub mod workload;

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::kernel::Kernels;
use crate::translate::{
    ArticleError, MacsPerToken, PipelineOptions, TranslateError, Translator, Translators,
    decode_ids, translate_articles, translate_lines,
};
use workload::Workload;

/// What was measured of one setting; its fields are those of `bench --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// `ID@REVISION`.
    pub model: String,
    /// Worker threads.
    pub threads: usize,
    /// Beam width; 1 is greedy search.
    pub beam: usize,
    /// Source tokens of one batch at most.
    pub batch_tokens: usize,
    /// Kernels in use.
    pub kernels: String,
    /// Opening the model.
    pub load_s: f64,
    /// From the start to the translation of one segment, alone.
    pub first_answer_s: f64,
    /// The workload, after loading: the median of the repeats.
    pub seconds: f64,
    /// Words of the workload, split at white space; none where it is ids.
    pub source_words: Option<usize>,
    /// Tokens that the model read.
    pub source_tokens: usize,
    /// Tokens that the model wrote.
    pub target_tokens: usize,
    /// Source words a second.
    pub words_per_s: Option<f64>,
    /// Target tokens a second.
    pub tokens_per_s: f64,
    /// Articles an hour, where the workload is articles.
    pub articles_per_h: Option<f64>,
    /// Most memory that the process ever held, where the system tells.
    pub peak_rss_bytes: Option<u64>,
    /// Int8 multiply-adds a second that the threads' registers allow, all together.
    pub int8_peak: f64,
    /// Share of that which the model's own multiply-adds reach ([`crate::translate::MacsPerToken`]
    /// of all tokens read and written over `seconds`); none where its products are not int8.
    pub int8_share: Option<f64>,
    /// Bytes a second that the threads read from memory, all together.
    pub memory_bytes_per_s: f64,
}

/// One setting with what else a reader of numbers asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The line of `--json`.
    pub line: Line,
    /// Name of the processor, where the system tells.
    pub cpu: Option<String>,
    /// Each repeat, in order.
    pub repeats_s: Vec<f64>,
}

/// An opened model and how it is to be run.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// The models.
    pub models: &'a Translators,
    /// Search and batch budget.
    pub options: &'a PipelineOptions,
    /// Worker threads.
    pub pool: &'a rayon::ThreadPool,
    /// Kernels that the models run on.
    pub kernels: Kernels,
    /// When opening began.
    pub started: Instant,
    /// How long it took.
    pub load_s: f64,
}

/// Sizes of a workload and of what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sizes {
    source_tokens: usize,
    target_tokens: usize,
}

impl Sizes {
    /// Multiply-adds of these tokens; every beam of a search writes as many as the best one.
    fn macs(self, each: MacsPerToken, beam: usize) -> f64 {
        let source = self.source_tokens as f64 * each.source as f64;
        source + (self.target_tokens * beam) as f64 * each.target as f64
    }
}

/// Measures one setting, `repeats` times at least once.
///
/// # Errors
/// When no model has the workload's direction, the engine fails, or outputs are not of the length
/// that the options force.
pub fn measure(
    setup: Setup<'_>,
    workload: &Workload,
    repeats: usize,
) -> Result<Measured, ArticleError> {
    once(setup, &workload.first())?;
    let first_answer_s = setup.started.elapsed().as_secs_f64();
    let mut sizes = Sizes::default();
    let mut repeats_s = Vec::new();
    for _ in 0..repeats.max(1) {
        let start = Instant::now();
        sizes = once(setup, workload)?;
        repeats_s.push(start.elapsed().as_secs_f64());
    }
    let peak_rss_bytes = machine::peak_memory();
    let seconds = median(&repeats_s);
    let int8_peak = machine::int8_peak(setup.kernels, setup.pool);
    let model = model_of(setup.models, workload)?;
    let beam = setup.options.decode.beam.unwrap_or(1);
    let macs = model.macs_per_token().map(|macs| sizes.macs(macs, beam));
    let int8_share = macs.map(|macs| round(macs / seconds / int8_peak));
    let line = Line {
        model: model.info().name(),
        threads: setup.pool.current_num_threads(),
        beam,
        batch_tokens: setup.options.batch_tokens,
        kernels: setup.kernels.name().to_owned(),
        load_s: round(setup.load_s),
        first_answer_s: round(first_answer_s),
        seconds: round(seconds),
        source_words: workload.words(),
        source_tokens: sizes.source_tokens,
        target_tokens: sizes.target_tokens,
        words_per_s: workload.words().map(|w| round(w as f64 / seconds)),
        tokens_per_s: round(sizes.target_tokens as f64 / seconds),
        articles_per_h: workload
            .articles()
            .map(|n| round(n as f64 / seconds * 3600.0)),
        peak_rss_bytes,
        int8_peak: int8_peak.round(),
        int8_share,
        memory_bytes_per_s: machine::memory_rate(setup.kernels, setup.pool).round(),
    };
    Ok(Measured {
        line,
        cpu: machine::cpu_name(),
        repeats_s: repeats_s.into_iter().map(round).collect(),
    })
}

fn model_of<'a>(
    models: &'a Translators,
    workload: &Workload,
) -> Result<&'a dyn Translator, ArticleError> {
    match workload.direction() {
        Some(direction) => models
            .get(direction)
            .ok_or(ArticleError::UnsupportedLanguage(direction)),
        None => models.iter().next().ok_or(ArticleError::NoText),
    }
}

/// Does the workload once.
fn once(setup: Setup<'_>, workload: &Workload) -> Result<Sizes, ArticleError> {
    let (models, options, pool) = (setup.models, setup.options, setup.pool);
    match workload {
        Workload::Lines { lines, direction } => {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let results = translate_lines(&lines, *direction, models, options, pool)?;
            let best = |n: &[crate::translate::Hypothesis]| n.first().map_or(0, |h| h.ids.len());
            Ok(Sizes {
                source_tokens: results.iter().map(|r| r.source_ids.len()).sum(),
                target_tokens: results.iter().map(|r| best(&r.hypotheses)).sum(),
            })
        }
        Workload::Articles { articles, .. } => {
            let mut sizes = Sizes::default();
            for article in translate_articles(articles, models, options, pool) {
                let counts = article?.counts;
                sizes.source_tokens += counts.source_tokens;
                sizes.target_tokens += counts.target_tokens;
            }
            Ok(sizes)
        }
        Workload::Ids { ids } => {
            let model = model_of(models, workload)?;
            let decoded = decode_ids(model, ids, options, pool)?;
            if let (Some(wanted), true) = (options.decode.max_new_tokens, forced(options))
                && let Some(other) = decoded.iter().find(|d| d.ids.len() != wanted)
            {
                let message = format!("wrote {} tokens where {wanted} are forced", other.ids.len());
                return Err(ArticleError::Engine(TranslateError::Engine {
                    model: model.info().id.clone(),
                    message,
                }));
            }
            Ok(Sizes {
                source_tokens: ids.iter().map(Vec::len).sum(),
                target_tokens: decoded.iter().map(|d| d.ids.len()).sum(),
            })
        }
    }
}

/// Every output has the same number of tokens.
fn forced(options: &PipelineOptions) -> bool {
    options.decode.max_new_tokens == options.decode.min_new_tokens
}

/// The middle one of some times, or the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len() / 2), sorted.len() % 2) {
        (Some(middle), 1) => *middle,
        (Some(upper), _) => f64::midpoint(sorted[sorted.len() / 2 - 1], *upper),
        (None, _) => 0.0,
    }
}

/// To four significant decimals below 100, to two above.
fn round(value: f64) -> f64 {
    let factor = if value < 100.0 { 1e4 } else { 1e2 };
    (value * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_keeps_one_slow_repeat_out() {
        assert_eq!(median(&[3.0, 1.0, 90.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 90.0]), 3.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn counts_a_beam_for_every_token_written() {
        let each = MacsPerToken {
            source: 10,
            target: 1000,
        };
        let sizes = Sizes {
            source_tokens: 7,
            target_tokens: 5,
        };
        assert_eq!(sizes.macs(each, 1), 5070.0);
        assert_eq!(sizes.macs(each, 4), 20_070.0);
    }

    #[test]
    fn rounds_to_what_a_clock_tells() {
        assert_eq!(round(0.123_456), 0.1235);
        assert_eq!(round(4460.126), 4460.13);
    }
}
